"""Layer tables made into torch modules, with fast layers where plain ones are slow on a CPU.

``build(network, seed)`` gives the network that trains. ``build(network, seed, plain=True)`` gives
the same network of stock torch operations, with the same parameter names and, for the same seed,
the same initial weights and the same dropout masks: it is the reference that the fast one is
tested against.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from refashion.paper import layers as table

try:
    from refashion.training import kernels
except ImportError:  # a GPU machine needs no numba: dropout is torch's own there
    kernels = None


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


def _channels_last(x: Tensor) -> Tensor:
    """x in memory order (batch, height, width, channels); feature vectors as they are."""
    return x.contiguous(memory_format=torch.channels_last) if x.dim() == 4 else x.contiguous()


def _memory(x: Tensor) -> np.ndarray:
    """The memory of a tensor from :func:`_channels_last` as an array of that order."""
    x = x.detach()
    return (x.permute(0, 2, 3, 1) if x.dim() == 4 else x).numpy()


class _ReluDropout(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, bits: np.ndarray, threshold: np.uint16, scale: np.float32):
        x = _channels_last(x)
        y = torch.empty_like(x)
        kernels.relu_dropout(_memory(x).reshape(-1), bits, threshold, scale, _memory(y).reshape(-1))
        ctx.save_for_backward(y)
        ctx.scale = scale
        return y

    @staticmethod
    def backward(ctx, gradient: Tensor):
        (y,) = ctx.saved_tensors
        gradient, dx = _channels_last(gradient), torch.empty_like(y)
        flat = (_memory(tensor).reshape(-1) for tensor in (gradient, y))
        kernels.relu_dropout_backward(*flat, ctx.scale, _memory(dx).reshape(-1))
        return dx, None, None, None


class _ReluDropoutPool(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, bits: np.ndarray, threshold: np.uint16, scale: np.float32):
        x = _channels_last(x)
        y = _empty_pooled(x.shape)
        chosen = torch.empty_like(y, dtype=torch.uint8)
        bits = bits.reshape(_memory(x).shape)
        kernels.relu_dropout_pool(_memory(x), bits, threshold, scale, _memory(y), _memory(chosen))
        ctx.save_for_backward(chosen)
        ctx.scale, ctx.shape = scale, x.shape
        return y

    @staticmethod
    def backward(ctx, gradient: Tensor):
        (chosen,) = ctx.saved_tensors
        gradient = _channels_last(gradient)
        dx = torch.empty(ctx.shape, memory_format=torch.channels_last)
        kernels.relu_dropout_pool_backward(
            _memory(gradient), _memory(chosen), ctx.scale, _memory(dx)
        )
        return dx, None, None, None


class _ImageConvPool(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx,
        images: Tensor,
        weight: Tensor,
        bias: Tensor,
        bits: np.ndarray,
        threshold: np.uint16,
        scale: np.float32,
    ):
        batch, height, width = images.shape
        shape = (batch, len(weight), height - 2, width - 2)
        y = _empty_pooled(shape)
        chosen = torch.empty_like(y, dtype=torch.uint8)
        bits = bits.reshape(batch, height - 2, width - 2, len(weight))
        arrays = images.numpy(), _taps(weight), bias.detach().numpy(), bits
        kernels.image_conv_pool(*arrays, threshold, scale, _memory(y), _memory(chosen))
        ctx.save_for_backward(chosen, images)
        ctx.scale = scale
        return y

    @staticmethod
    def backward(ctx, gradient: Tensor):
        chosen, images = ctx.saved_tensors
        gradient = _channels_last(gradient)
        channels = gradient.shape[1]
        taps, bias = np.empty((9, channels), np.float32), np.empty(channels, np.float32)
        arrays = _memory(gradient), _memory(chosen), ctx.scale, images.numpy()
        kernels.image_conv_pool_backward(*arrays, taps, bias)
        weight = torch.from_numpy(np.ascontiguousarray(taps.T)).view(channels, 1, 3, 3)
        return None, weight, torch.from_numpy(bias), None, None, None


class _ConvTranspose(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx, x: Tensor, weight: Tensor, bias: Tensor, stride: int, padding: int, size: tuple
    ):
        batch, channels, height, width = x.shape
        kernel = weight.shape[2]
        pixels = _channels_last(x).permute(0, 2, 3, 1).reshape(-1, channels)
        # [channels in, kernel * kernel * channels out]: a patch comes out channels last.
        matrix = weight.permute(0, 2, 3, 1).reshape(channels, -1)
        patches = (pixels @ matrix).view(batch, height, width, kernel, kernel, -1)
        y = torch.empty((batch, len(bias), *size), memory_format=torch.channels_last)
        kernels.fold(patches.numpy(), bias.detach().numpy(), stride, padding, _memory(y))
        ctx.save_for_backward(pixels, matrix)
        ctx.shapes = x.shape, patches.shape
        ctx.stride, ctx.padding = stride, padding
        return y

    @staticmethod
    def backward(ctx, gradient: Tensor):
        pixels, matrix = ctx.saved_tensors
        (batch, channels, height, width), shape = ctx.shapes
        gradient = _channels_last(gradient)
        patches = torch.empty(shape)
        kernels.unfold(_memory(gradient), ctx.stride, ctx.padding, patches.numpy())
        patches = patches.view(len(pixels), -1)
        dx = (patches @ matrix.T).view(batch, height, width, channels).permute(0, 3, 1, 2)
        dmatrix = (pixels.T @ patches).view(channels, *shape[3:])
        dbias = gradient.sum((0, 2, 3))
        return dx, dmatrix.permute(0, 3, 1, 2).contiguous(), dbias, None, None, None


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

    def forward(self, x: Tensor) -> Tensor:
        fast = _fast(x) and not self.plain
        if not self.training or self.threshold == 0:
            if fast and not torch.is_grad_enabled() and self.pools_evenly(x.shape[2:]):
                x, y = _channels_last(x), _empty_pooled(x.shape)
                nothing_dropped = None, np.uint16(0), np.float32(1)
                kernels.relu_dropout_pool(_memory(x), *nothing_dropped, _memory(y), None)
                return y
            return self._pooled(F.relu(x))
        if not _fast(x):
            return self._pooled(F.dropout(F.relu(x), self.p))
        bits = self.masks.bits(self.layer, x.numel())
        if self.plain:
            return self._pooled(F.relu(x) * self._kept(bits, x) * float(self.scale))
        if self.pools_evenly(x.shape[2:]):
            return _ReluDropoutPool.apply(x, bits, self.threshold, self.scale)
        return self._pooled(_ReluDropout.apply(x, bits, self.threshold, self.scale))

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

    def forward(self, images: Tensor) -> Tensor:
        conv, activation = self
        height, width = size = tuple(n + 2 * conv.padding[0] - 2 for n in images.shape[2:])
        if not _fast(images) or images.requires_grad or not activation.pools_evenly(size):
            return super().forward(images)
        padded = F.pad(images[:, 0], (conv.padding[0],) * 4)
        if not torch.is_grad_enabled() and not self.training:
            y = _empty_pooled((len(images), conv.out_channels, height, width))
            arrays = padded.numpy(), _taps(conv.weight), conv.bias.detach().numpy(), None
            kernels.image_conv_pool(*arrays, np.uint16(0), np.float32(1), _memory(y), None)
            return y
        count = len(images) * conv.out_channels * height * width
        bits = activation.masks.bits(activation.layer, count)
        parameters = conv.weight, conv.bias, bits, activation.threshold, activation.scale
        return _ImageConvPool.apply(padded, *parameters)


class ConvTranspose(nn.ConvTranspose2d):
    """A transposed convolution; on the CPU a matrix product and a fold.

    oneDNN has no fast path for these sizes: 5 ms forward for what takes 1.7 (batch 128,
    16 × 14 × 14 to 1 × 28 × 28, one core).
    """

    def forward(self, x: Tensor) -> Tensor:
        if not _fast(x):
            return super().forward(x)
        stride, padding = self.stride[0], self.padding[0]
        extra = self.kernel_size[0] + self.output_padding[0] - 2 * padding
        size = tuple((n - 1) * stride + extra for n in x.shape[2:])
        return _ConvTranspose.apply(x, self.weight, self.bias, stride, padding, size)


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
    return kernels is not None and x.device.type == "cpu"


class Model(nn.Module):
    """An encoder and its head, and the masks they share.

    Takes float32 [batch, 1, 28, 28]; gives images of that shape or logits [batch, 10].
    """

    def __init__(self, encoder: nn.Sequential, head: nn.Sequential, masks: Masks) -> None:
        super().__init__()
        self.encoder, self.head, self.masks = encoder, head, masks
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
    model = Model(nn.Sequential(*modules[:split]), nn.Sequential(*modules[split:]), masks)
    return model.to(memory_format=torch.channels_last)


def _modules(network: table.Network, masks: Masks, plain: bool) -> Iterator[nn.Module]:
    """One module a row; a pooling that an activation has taken over leaves an Identity."""
    shapes = (table.IMAGE, *network.shapes())
    rows = network.layers
    taken_over = False
    for i, (row, shape) in enumerate(zip(rows, shapes, strict=False)):
        following = rows[i + 1] if i + 1 < len(rows) and i + 1 != len(network.encoder) else None
        match row:
            case table.Conv():
                weighted = nn.Conv2d(shape[0], row.channels, row.kernel, row.stride, row.padding)
            case table.ConvTranspose():
                kind = nn.ConvTranspose2d if plain else ConvTranspose
                geometry = (row.kernel, row.stride, row.padding, row.output_padding)
                weighted = kind(shape[0], row.channels, *geometry)
            case table.Linear():
                weighted = nn.Linear(shape[0], row.features)
            case table.MaxPool():
                yield (
                    nn.Identity() if taken_over else nn.MaxPool2d(row.size, ceil_mode=row.ceil_mode)
                )
                taken_over = False
                continue
            case table.Flatten():
                yield nn.Flatten()
                continue
            case table.Unflatten():
                yield nn.Unflatten(1, (row.channels, row.height, row.width))
                continue
            case table.Sigmoid():
                yield nn.Sigmoid()
                continue
            case table.LeakyReLU():
                yield nn.LeakyReLU(row.slope)
                continue
        if not row.relu:
            yield nn.Sequential(weighted)
            continue
        pool = following if isinstance(following, table.MaxPool) else None
        taken_over = pool is not None
        activation = ReluDropout(row.dropout, masks, i, pool, plain)
        first = i == 0 and isinstance(row, table.Conv) and (row.kernel, row.stride) == (3, 1)
        yield (ImageConv if first and not plain else nn.Sequential)(weighted, activation)
