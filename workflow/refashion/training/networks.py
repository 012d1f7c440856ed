"""Layer tables made into torch modules, with fast layers where plain ones are slow on a CPU.

``build(network, seed)`` gives the network that trains. ``build(network, seed, plain=True)`` gives
the same of stock torch operations, with the same parameter names, initial weights and dropout
masks: it is the reference that the fast one is tested against.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view
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
    """Which units are dropped: those whose bits (uint16, channels last) fall below the threshold.

    Those kept are multiplied by ``scale``. Without bits nothing is dropped.
    """

    bits: np.ndarray | None
    threshold: np.uint16
    scale: np.float32


NOTHING_DROPPED = Drop(None, np.uint16(0), np.float32(1))


def _channels_last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)


def _memory(x: Tensor) -> np.ndarray:
    """An array in memory order, [batch, height, width, channels], of a channels-last tensor."""
    return x.detach().permute(0, 2, 3, 1).numpy()


def _empty(*shape: int) -> Tensor:
    return torch.empty(shape, memory_format=torch.channels_last)


class _ReluDropout(torch.autograd.Function):
    """Of a tensor of one axis."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, drop: Drop) -> Tensor:
        y = torch.empty_like(x)
        kernels.relu_dropout(x.numpy(), *drop, y.numpy())
        ctx.save_for_backward(y)
        ctx.scale = drop.scale
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (y,) = ctx.saved_tensors
        dx = torch.empty_like(y)
        arrays = gradients[0].contiguous().numpy(), y.numpy(), ctx.scale, dx.numpy()
        kernels.relu_dropout_backward(*arrays)
        return dx, None


class _ReluDropoutPool(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, drop: Drop) -> Tensor:
        batch, channels, height, width = ctx.shape = x.shape
        y = _empty(batch, channels, height // 2, width // 2)
        chosen = torch.empty_like(y, dtype=torch.uint8)
        kernels.relu_dropout_pool(_memory(_channels_last(x)), *drop, _memory(y), _memory(chosen))
        ctx.save_for_backward(chosen)
        ctx.scale = drop.scale
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (chosen,) = ctx.saved_tensors
        gradient, dx = _channels_last(gradients[0]), _empty(*ctx.shape)
        arrays = _memory(gradient), _memory(chosen), ctx.scale, _memory(dx)
        kernels.relu_dropout_pool_backward(*arrays)
        return dx, None


class _ImageConvPool(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, images: Tensor, weight: Tensor, bias: Tensor, drop: Drop) -> Tensor:
        batch, height, width = images.shape
        y = _empty(batch, len(weight), height // 2 - 1, width // 2 - 1)
        chosen = torch.empty_like(y, dtype=torch.uint8)
        taps = np.ascontiguousarray(weight.detach().reshape(-1, 9).numpy().T)
        arrays = images.numpy(), taps, bias.detach().numpy()
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


class _Fold(torch.autograd.Function):
    """Adds up patches [batch, height, width, kernel, kernel, channels] where they overlap."""

    @staticmethod
    def forward(ctx: Any, patches: Tensor, bias: Tensor, layer: table.ConvTranspose) -> Tensor:
        batch, height, width, _, _, channels = ctx.shape = patches.shape
        y = _empty(batch, *layer.output_shape((channels, height, width)))
        arrays = patches.numpy(), bias.detach().numpy()
        kernels.fold(*arrays, layer.stride, layer.padding, _memory(y))
        ctx.layer = layer
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None]:
        (gradient,), layer = gradients, ctx.layer
        _, height, width, *kernel, _ = ctx.shape
        gradient, stride = _channels_last(gradient), layer.stride
        padded = _memory(F.pad(gradient, (layer.padding,) * 4))
        windows = sliding_window_view(padded, kernel, (1, 2))[:, ::stride, ::stride]
        patches = np.ascontiguousarray(windows[:, :height, :width].transpose(0, 1, 2, 4, 5, 3))
        return torch.from_numpy(patches), gradient.sum((0, 2, 3)), None


class ReluDropout(nn.Module):
    """ReLU, then element-wise dropout, then max-pooling if the table has it next.

    On the CPU dropout's 16 random bits a unit come from :class:`Masks`: the probability is ``p``
    rounded to 1/65536, the scale the inverse of the share really kept. Elsewhere, and without
    numba, it is torch's own dropout.

    Args:
        p: dropout probability, 0 <= p < 1.
        masks, layer: the network's random bits, and which of its layers draws.
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

    @property
    def dropping(self) -> bool:
        """Whether any unit is dropped now."""
        return self.training and bool(self.threshold)

    def pools_evenly(self, *size: int) -> bool:
        """Whether 2 × 2 windows follow that cover a map of this (height, width)."""
        return self.pool is not None and self.pool.size == 2 and not any(n % 2 for n in size)

    def drop(self, *shape: int) -> Drop:
        """Which units of an array of this shape, channels last, this step drops."""
        if not self.dropping:
            return NOTHING_DROPPED
        bits = self.masks.bits(self.layer, prod(shape)).reshape(shape)
        return Drop(bits, self.threshold, self.scale)

    def forward(self, x: Tensor) -> Tensor:
        if _fast(x) and not self.plain and self.pools_evenly(*x.shape[2:]):
            batch, channels, height, width = x.shape
            return _ReluDropoutPool.apply(x, self.drop(batch, height, width, channels))
        y = self._relu_dropout(x) if self.dropping else F.relu(x)
        if self.pool is None:
            return y
        if y.is_cuda:
            return max_pool_deterministic(y, self.pool)
        return F.max_pool2d(y, self.pool.size, ceil_mode=self.pool.ceil_mode)

    def _relu_dropout(self, x: Tensor) -> Tensor:
        if not _fast(x):
            return F.dropout(F.relu(x), self.p)
        # Bits are drawn in the order of memory.
        x = x.movedim(1, -1)
        if self.plain:
            kept = self.masks.bits(self.layer, x.numel()) >= self.threshold
            y = F.relu(x).flatten() * torch.from_numpy(kept * self.scale)
        else:
            y = _ReluDropout.apply(x.flatten(), self.drop(x.numel()))
        return y.view(x.shape).movedim(-1, 1)


class ImageConv(nn.Sequential):
    """The first row: a 3 × 3 convolution of the image, and the :class:`ReluDropout` behind it.

    On the CPU both are one kernel: the feature map between them, the largest of the network, is
    never written to memory.
    """

    def forward(self, input: Tensor) -> Tensor:
        conv, activation = cast("tuple[nn.Conv2d, ReluDropout]", tuple(self))
        padding = int(conv.padding[0])
        height, width = (n + 2 * padding - 2 for n in input.shape[2:])
        if not _fast(input) or input.requires_grad or not activation.pools_evenly(height, width):
            return super().forward(input)
        drop = activation.drop(len(input), height, width, conv.out_channels)
        return _ImageConvPool.apply(F.pad(input[:, 0], (padding,) * 4), *conv.parameters(), drop)


class ConvTranspose(nn.ConvTranspose2d):
    """A transposed convolution; on the CPU a matrix product and a fold.

    oneDNN has no fast path for these sizes: 5 ms forward for what takes 1.7 (batch 128,
    16 × 14 × 14 to 1 × 28 × 28, one core).
    """

    def __init__(self, features: int, row: table.ConvTranspose) -> None:
        geometry = (row.kernel, row.stride, row.padding, row.output_padding)
        super().__init__(features, row.channels, *geometry)
        self.row = row

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        if output_size is not None or not _fast(input):
            return super().forward(input, output_size)
        batch, channels, height, width = input.shape
        pixels = _channels_last(input).permute(0, 2, 3, 1).reshape(-1, channels)
        # [channels in, kernel * kernel * channels out]: a patch comes out channels last.
        matrix = self.weight.permute(0, 2, 3, 1).reshape(channels, -1)
        patches = (pixels @ matrix).view(batch, height, width, *self.kernel_size, -1)
        return _Fold.apply(patches, self.bias, self.row)


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

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.encoder(x))


def build(network: table.Network, seed: int, plain: bool = False) -> Model:
    """The torch model of a layer table, initialised by torch's defaults under ``seed``.

    The seed is that of the dropout masks too; ``plain`` takes stock torch operations only. Row i of
    the encoder's table is ``encoder.i``, so weights are named ``encoder.0.0.weight``.
    """
    torch.manual_seed(seed)
    masks, split = Masks(seed), len(network.encoder)
    modules = list(_modules(network, masks, plain))
    parts = nn.Sequential(*modules[:split]), nn.Sequential(*modules[split:])
    return Model(*parts, masks, network.task).to(memory_format=torch.channels_last)


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
            if not plain:
                return ConvTranspose(features, row)
            geometry = (row.kernel, row.stride, row.padding, row.output_padding)
            return nn.ConvTranspose2d(features, row.channels, *geometry)
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
