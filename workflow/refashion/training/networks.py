"""Layer tables made into torch modules, with fast layers where plain ones are slow on a CPU.

``build(network, seed)`` gives the network that trains. ``build(network, seed, plain=True)`` gives
the same network of stock torch operations, with the same parameter names and, for the same seed,
the same initial weights and the same dropout masks: it is the reference that the fast one is
tested against.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from refashion.paper import layers as table

# A GPU machine needs no numba: dropout is torch's own there.
HAS_KERNELS = find_spec("numba") is not None
if TYPE_CHECKING or HAS_KERNELS:
    from refashion.training import kernels


class Masks:
    """Where all dropout layers of a network take their random bits from.

    The bits depend on (seed, step, layer, position) alone, so a resumed training needs nothing
    but its step, and the order in which layers ask does not matter.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.step = 0

    def bits(self, layer: int, count: int) -> np.ndarray:
        """uint16 [count], uniform."""
        words = np.empty((4, -(-count // 8)), np.uint32)
        kernels.philox(np.uint64(self.seed), np.uint64(self.step), np.uint32(layer), words)
        return words.reshape(-1).view(np.uint16)[:count]


class Drop(NamedTuple):
    """Which units are dropped: those whose bits (uint16) fall below the threshold.

    Those kept are multiplied by ``scale``.
    """

    bits: np.ndarray
    threshold: np.uint16
    scale: np.float32

    def of_shape(self, *shape: int) -> Drop:
        """The same for an array of this shape."""
        return self._replace(bits=self.bits.reshape(shape))


NOTHING_DROPPED = None, np.uint16(0), np.float32(1)


def _channels_last(x: Tensor) -> Tensor:
    """x in memory order (batch, height, width, channels); feature vectors as they are."""
    return x.contiguous(memory_format=torch.channels_last) if x.dim() == 4 else x.contiguous()


def _memory(x: Tensor) -> np.ndarray:
    """The memory of a tensor from :func:`_channels_last` as an array of that order."""
    x = x.detach()
    return (x.permute(0, 2, 3, 1) if x.dim() == 4 else x).numpy()


def _flat(x: Tensor) -> np.ndarray:
    return _memory(x).reshape(-1)


class _ReluDropout(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, drop: Drop) -> Tensor:
        x = _channels_last(x)
        y = torch.empty_like(x)
        kernels.relu_dropout(_flat(x), *drop, _flat(y))
        ctx.save_for_backward(y)
        ctx.scale = drop.scale
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (y,) = ctx.saved_tensors
        gradient, dx = _channels_last(gradients[0]), torch.empty_like(y)
        kernels.relu_dropout_backward(_flat(gradient), _flat(y), ctx.scale, _flat(dx))
        return dx, None


class _ReluDropoutPool(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, drop: Drop) -> Tensor:
        x = _channels_last(x)
        y = _empty_pooled(x.shape)
        chosen = torch.empty_like(y, dtype=torch.uint8)
        drop = drop.of_shape(*_memory(x).shape)
        kernels.relu_dropout_pool(_memory(x), *drop, _memory(y), _memory(chosen))
        ctx.save_for_backward(chosen)
        ctx.scale, ctx.shape = drop.scale, x.shape
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (chosen,) = ctx.saved_tensors
        gradient = _channels_last(gradients[0])
        dx = torch.empty(ctx.shape, memory_format=torch.channels_last)
        kernels.relu_dropout_pool_backward(
            _memory(gradient), _memory(chosen), ctx.scale, _memory(dx)
        )
        return dx, None


class _ImageConvPool(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, images: Tensor, weight: Tensor, bias: Tensor, drop: Drop) -> Tensor:
        batch, height, width = images.shape
        y = _empty_pooled((batch, len(weight), height - 2, width - 2))
        chosen = torch.empty_like(y, dtype=torch.uint8)
        drop = drop.of_shape(batch, height - 2, width - 2, len(weight))
        arrays = images.numpy(), _taps(weight), bias.detach().numpy()
        kernels.image_conv_pool(*arrays, *drop, _memory(y), _memory(chosen))
        ctx.save_for_backward(chosen, images)
        ctx.scale = drop.scale
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, Tensor, Tensor, None]:
        chosen, images = ctx.saved_tensors
        gradient = _channels_last(gradients[0])
        channels = gradient.shape[1]
        taps, bias = np.empty((9, channels), np.float32), np.empty(channels, np.float32)
        arrays = _memory(gradient), _memory(chosen), ctx.scale, images.numpy()
        kernels.image_conv_pool_backward(*arrays, taps, bias)
        weight = torch.from_numpy(np.ascontiguousarray(taps.T)).view(channels, 1, 3, 3)
        return None, weight, torch.from_numpy(bias), None


class _Geometry(NamedTuple):
    """Of a transposed convolution; ``size`` is its output's (height, width)."""

    stride: int
    padding: int
    size: tuple[int, ...]


class _ConvTranspose(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, geometry: _Geometry) -> Tensor:
        batch, channels, height, width = x.shape
        kernel = weight.shape[2]
        pixels = _channels_last(x).permute(0, 2, 3, 1).reshape(-1, channels)
        # [channels in, kernel * kernel * channels out]: a patch comes out channels last.
        matrix = weight.permute(0, 2, 3, 1).reshape(channels, -1)
        patches = (pixels @ matrix).view(batch, height, width, kernel, kernel, -1)
        y = torch.empty((batch, len(bias), *geometry.size), memory_format=torch.channels_last)
        arrays = patches.numpy(), bias.detach().numpy()
        kernels.fold(*arrays, geometry.stride, geometry.padding, _memory(y))
        ctx.save_for_backward(pixels, matrix)
        ctx.shapes, ctx.geometry = (x.shape, patches.shape), geometry
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        pixels, matrix = ctx.saved_tensors
        (batch, channels, height, width), shape = ctx.shapes
        gradient = _channels_last(gradients[0])
        patches = torch.empty(shape)
        geometry = ctx.geometry
        kernels.unfold(_memory(gradient), geometry.stride, geometry.padding, patches.numpy())
        patches = patches.view(len(pixels), -1)
        dx = (patches @ matrix.T).view(batch, height, width, channels).permute(0, 3, 1, 2)
        dmatrix = (pixels.T @ patches).view(channels, *shape[3:])
        dbias = gradient.sum((0, 2, 3))
        return dx, dmatrix.permute(0, 3, 1, 2).contiguous(), dbias, None


def _empty_pooled(shape: tuple[int, ...]) -> Tensor:
    batch, channels, height, width = shape
    return torch.empty(
        (batch, channels, height // 2, width // 2), memory_format=torch.channels_last
    )


def _taps(weight: Tensor) -> np.ndarray:
    """A [channels, 1, 3, 3] weight as the kernels take it: [9, channels]."""
    return np.ascontiguousarray(weight.detach().reshape(len(weight), 9).numpy().T)


class ReluDropout(nn.Module):
    """ReLU, then element-wise dropout, then max-pooling if the table has it next.

    On the CPU dropout's 16 random bits a unit come from :class:`Masks`: the probability is ``p``
    rounded to 1/65536, the scale the inverse of the share really kept. Elsewhere, and without
    numba, it is torch's own dropout.

    Args:
        p: dropout probability, 0 <= p < 1.
        masks: the network's source of random bits.
        layer: number of the layer in its network, for the masks.
        pool: the max-pooling that follows, if any.
        plain: use stock torch operations (with the same masks).
    """

    def __init__(
        self, p: float, masks: Masks, layer: int, pool: table.MaxPool | None, plain: bool
    ) -> None:
        super().__init__()
        self.p, self.masks, self.layer, self.pool, self.plain = p, masks, layer, pool, plain
        self.threshold = np.uint16(round(p * 65536))
        self.scale = np.float32(65536 / (65536 - int(self.threshold)))

    def extra_repr(self) -> str:
        return f"p={self.p}, pool={self.pool}"

    def pools_evenly(self, size: tuple[int, ...]) -> bool:
        """Whether 2 × 2 windows follow that cover a map of this (height, width)."""
        return self.pool is not None and self.pool.size == 2 and not any(n % 2 for n in size)

    def drop(self, count: int) -> Drop:
        """Which of ``count`` units this step drops."""
        return Drop(self.masks.bits(self.layer, count), self.threshold, self.scale)

    def forward(self, x: Tensor) -> Tensor:
        fast = _fast(x) and not self.plain
        if not self.training or self.threshold == 0:
            if fast and not torch.is_grad_enabled() and self.pools_evenly(x.shape[2:]):
                x, y = _channels_last(x), _empty_pooled(x.shape)
                kernels.relu_dropout_pool(_memory(x), *NOTHING_DROPPED, _memory(y), None)
                return y
            return self._pooled(F.relu(x))
        if not _fast(x):
            return self._pooled(F.dropout(F.relu(x), self.p))
        drop = self.drop(x.numel())
        if self.plain:
            return self._pooled(F.relu(x) * self._kept(drop.bits, x) * float(self.scale))
        if self.pools_evenly(x.shape[2:]):
            return _ReluDropoutPool.apply(x, drop)
        return self._pooled(_ReluDropout.apply(x, drop))

    def _pooled(self, x: Tensor) -> Tensor:
        if self.pool is None:
            return x
        if x.device.type == "cuda":
            return max_pool_deterministic(x, self.pool)
        return F.max_pool2d(x, self.pool.size, ceil_mode=self.pool.ceil_mode)

    def _kept(self, bits: np.ndarray, x: Tensor) -> Tensor:
        kept = torch.from_numpy((bits >= self.threshold).astype(np.float32))
        if x.dim() == 2:
            return kept.view_as(x)
        batch, channels, height, width = x.shape
        return kept.view(batch, height, width, channels).permute(0, 3, 1, 2)


class ImageConv(nn.Sequential):
    """The first row: a 3 × 3 convolution of the image, and the :class:`ReluDropout` behind it.

    On the CPU both are one kernel: the feature map between them, the largest of the network, is
    never written to memory.
    """

    def forward(self, input: Tensor) -> Tensor:
        conv, activation = cast("tuple[nn.Conv2d, ReluDropout]", tuple(self))
        (weight, bias), padding = conv.parameters(), int(conv.padding[0])
        height, width = size = tuple(n + 2 * padding - 2 for n in input.shape[2:])
        if not _fast(input) or input.requires_grad or not activation.pools_evenly(size):
            return super().forward(input)
        padded = F.pad(input[:, 0], (padding,) * 4)
        if not torch.is_grad_enabled() and not self.training:
            y = _empty_pooled((len(input), conv.out_channels, height, width))
            arrays = padded.numpy(), _taps(weight), bias.detach().numpy()
            kernels.image_conv_pool(*arrays, *NOTHING_DROPPED, _memory(y), None)
            return y
        drop = activation.drop(len(input) * conv.out_channels * height * width)
        return _ImageConvPool.apply(padded, weight, bias, drop)


class ConvTranspose(nn.ConvTranspose2d):
    """A transposed convolution; on the CPU a matrix product and a fold.

    oneDNN has no fast path for these sizes: 5 ms forward for what takes 1.7 (batch 128,
    16 × 14 × 14 to 1 × 28 × 28, one core).
    """

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        if output_size is not None or not _fast(input):
            return super().forward(input, output_size)
        stride, padding = self.stride[0], int(self.padding[0])
        extra = self.kernel_size[0] + self.output_padding[0] - 2 * padding
        size = tuple((n - 1) * stride + extra for n in input.shape[2:])
        return _ConvTranspose.apply(input, self.weight, self.bias, _Geometry(stride, padding, size))


def max_pool_deterministic(x: Tensor, pool: table.MaxPool) -> Tensor:
    """Max-pooling of maps that are nowhere negative; torch's own has no such gradient on a GPU.

    Where units of a window are equal they share the gradient: behind a ReLU that happens at zero
    alone, which passes none on.
    """
    channels, height, width = pool.output_shape(tuple(x.shape[1:]))
    size = pool.size
    # Pads with zeros for a partial window that is kept, and cuts off one that is not.
    x = F.pad(x, (0, width * size - x.shape[3], 0, height * size - x.shape[2]))
    return x.reshape(len(x), channels, height, size, width, size).amax((3, 5))


def _fast(x: Tensor) -> bool:
    return HAS_KERNELS and x.device.type == "cpu"


class Model(nn.Module):
    """An encoder and its head, and the masks they share.

    Takes float32 [batch, 1, 28, 28]; gives images of that shape (``task`` reconstruction) or
    logits [batch, 10] (classification).
    """

    def __init__(
        self, encoder: nn.Sequential, head: nn.Sequential, masks: Masks, task: str
    ) -> None:
        super().__init__()
        self.encoder, self.head, self.masks, self.task = encoder, head, masks, task
        self.encoder_frozen = False

    def freeze_encoder(self) -> None:
        """Leave the encoder's weights as they are; its dropout stays active in training."""
        self.encoder.requires_grad_(False)
        self.encoder_frozen = True

    def forward(self, x: Tensor) -> Tensor:
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.encoder_frozen):
            code = self.encoder(x)
        return self.head(code)


def build(network: table.Network, seed: int, plain: bool = False) -> Model:
    """The torch model of a layer table, initialised by torch's defaults under ``seed``.

    Args:
        network: the encoder's and the head's layers.
        seed: of the initial weights and of the dropout masks.
        plain: stock torch operations only, the reference for tests.

    Row i of the encoder's table is ``encoder.i``, so weights are named ``encoder.0.0.weight``.
    """
    torch.manual_seed(seed)
    masks = Masks(seed)
    split = len(network.encoder)
    modules = list(_modules(network, masks, plain))
    encoder, head = nn.Sequential(*modules[:split]), nn.Sequential(*modules[split:])
    model = Model(encoder, head, masks, network.task)
    return model.to(memory_format=torch.channels_last)


def _modules(network: table.Network, masks: Masks, plain: bool) -> Iterator[nn.Module]:
    """One module a row; a pooling that an activation has taken over leaves an Identity."""
    rows, pool = network.layers, None
    shapes = (table.IMAGE, *network.shapes())
    for i, (row, shape) in enumerate(zip(rows, shapes, strict=False)):
        module = nn.Identity() if pool else _module(row, shape[0], plain)
        pool = None
        if not isinstance(row, table.Conv | table.ConvTranspose | table.Linear):
            yield module
        elif not row.relu:
            yield nn.Sequential(module)
        else:
            if i + 1 < len(rows) and i + 1 != len(network.encoder):
                following = rows[i + 1]
                pool = following if isinstance(following, table.MaxPool) else None
            activation = ReluDropout(row.dropout, masks, i, pool, plain)
            first = i == 0 and isinstance(row, table.Conv) and (row.kernel, row.stride) == (3, 1)
            yield (ImageConv if first and not plain else nn.Sequential)(module, activation)


def _module(row: table.Layer, features: int, plain: bool) -> nn.Module:
    """A row as torch has it, without activation; ``features`` or channels come in."""
    match row:
        case table.Conv():
            return nn.Conv2d(features, row.channels, row.kernel, row.stride, row.padding)
        case table.ConvTranspose():
            kind = nn.ConvTranspose2d if plain else ConvTranspose
            geometry = (row.kernel, row.stride, row.padding, row.output_padding)
            return kind(features, row.channels, *geometry)
        case table.Linear():
            return nn.Linear(features, row.features)
        case table.MaxPool():
            return nn.MaxPool2d(row.size, ceil_mode=row.ceil_mode)
        case table.Flatten():
            return nn.Flatten()
        case table.Unflatten():
            return nn.Unflatten(1, (row.channels, row.height, row.width))
        case table.Sigmoid():
            return nn.Sigmoid()
        case table.LeakyReLU():
            return nn.LeakyReLU(row.slope)
