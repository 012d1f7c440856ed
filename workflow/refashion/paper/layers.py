"""Rows of a layer table, as papers print them, and the shapes that follow from them.

Free of torch, so that a paper's architectures can be checked before any job starts.
A shape is ``(features,)`` or ``(channels, height, width)``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import inf, prod
from typing import Annotated, Literal

from pydantic import Field

Size = Annotated[int, Field(ge=1)]
Pad = Annotated[int, Field(ge=0)]
Rate = Annotated[float, Field(ge=0, lt=1)]
Slope = Annotated[float, Field(gt=0)]
Shape = tuple[int, ...]
Task = Literal["reconstruction", "classification"]


class ShapeError(ValueError):
    """A layer cannot take the shape that the layer before it gives."""


def _image(layer: object, shape: Shape) -> tuple[int, int, int]:
    if len(shape) != 3:
        raise ShapeError(f"{layer} needs (channels, height, width), not {shape}")
    return shape


def _positive(layer: object, shape: Shape) -> Shape:
    if min(shape) < 1:
        raise ShapeError(f"{layer} would give the shape {shape}")
    return shape


@dataclass(frozen=True)
class Conv:
    """Convolution with a square kernel, then ReLU and dropout where the table says so."""

    channels: Size
    kernel: Size
    stride: Size = 1
    padding: Pad = 0
    relu: bool = False
    dropout: Rate = 0.0

    def output_shape(self, shape: Shape) -> Shape:
        _, height, width = _image(self, shape)
        reach = 2 * self.padding - self.kernel
        sizes = ((n + reach) // self.stride + 1 for n in (height, width))
        return _positive(self, (self.channels, *sizes))


@dataclass(frozen=True)
class ConvTranspose:
    """Transposed convolution, square kernel, then ReLU and dropout where the table says so."""

    channels: Size
    kernel: Size
    stride: Size = 1
    padding: Pad = 0
    output_padding: Pad = 0
    relu: bool = False
    dropout: Rate = 0.0

    def output_shape(self, shape: Shape) -> Shape:
        _, height, width = _image(self, shape)
        if self.output_padding >= self.stride:
            raise ShapeError(f"{self} needs an output_padding smaller than its stride")
        extra = self.kernel + self.output_padding - 2 * self.padding
        sizes = ((n - 1) * self.stride + extra for n in (height, width))
        return _positive(self, (self.channels, *sizes))


@dataclass(frozen=True)
class MaxPool:
    """Max-pooling, windows side by side; ``ceil_mode`` keeps a last, partial window."""

    size: Size
    ceil_mode: bool = False

    def output_shape(self, shape: Shape) -> Shape:
        channels, height, width = _image(self, shape)
        extra = self.size - 1 if self.ceil_mode else 0
        pooled = (channels, (height + extra) // self.size, (width + extra) // self.size)
        return _positive(self, pooled)


@dataclass(frozen=True)
class Flatten:
    """(channels, height, width) to one vector, channel by channel."""

    def output_shape(self, shape: Shape) -> Shape:
        return (prod(shape),)


@dataclass(frozen=True)
class Unflatten:
    """One vector to (channels, height, width)."""

    channels: Size
    height: Size
    width: Size

    def output_shape(self, shape: Shape) -> Shape:
        target = (self.channels, self.height, self.width)
        if len(shape) != 1 or shape[0] != prod(target):
            raise ShapeError(f"{self} needs ({prod(target)},), not {shape}")
        return target


@dataclass(frozen=True)
class Linear:
    """Fully connected layer, then ReLU and dropout where the table says so."""

    features: Size
    relu: bool = False
    dropout: Rate = 0.0

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) != 1:
            raise ShapeError(f"{self} needs (features,), not {shape}")
        return _positive(self, (self.features,))


@dataclass(frozen=True)
class Sigmoid:
    """The logistic function: outputs in (0, 1)."""

    def output_shape(self, shape: Shape) -> Shape:
        return shape


@dataclass(frozen=True)
class LeakyReLU:
    """x where positive, else ``slope`` times x; the default is PyTorch's."""

    slope: Slope = 0.01

    def output_shape(self, shape: Shape) -> Shape:
        return shape


Layer = Conv | ConvTranspose | MaxPool | Flatten | Unflatten | Linear | Sigmoid | LeakyReLU

IMAGE: Shape = (1, 28, 28)


def _sources(layer: Conv | MaxPool | ConvTranspose, row: int, rows: int) -> list[int]:
    """Of ``rows`` rows of its input, those that a row of a layer's output is computed from."""
    if isinstance(layer, ConvTranspose):
        return [
            i for i in range(rows) if 0 <= row + layer.padding - i * layer.stride < layer.kernel
        ]
    if isinstance(layer, MaxPool):
        first, size = row * layer.size, layer.size
    else:
        first, size = row * layer.stride - layer.padding, layer.kernel
    return [i for i in range(first, first + size) if 0 <= i < rows]


@dataclass(frozen=True)
class Network:
    """An encoder and what stands on it: a decoder (reconstruction) or a classifier's head.

    Raises:
        ShapeError: a layer does not fit the one before it, or the end is neither an image
            (1, 28, 28) nor ten logits.
    """

    encoder: tuple[Layer, ...]
    head: tuple[Layer, ...]

    def __post_init__(self) -> None:
        end = self.shapes()[-1]
        if end not in (IMAGE, (10,)):
            raise ShapeError(f"the network ends in {end}, neither {IMAGE} nor (10,)")

    @property
    def layers(self) -> tuple[Layer, ...]:
        return self.encoder + self.head

    @cached_property
    def task(self) -> Task:
        """``reconstruction`` if the network ends in an image, else ``classification``."""
        return "reconstruction" if self.shapes()[-1] == IMAGE else "classification"

    def shapes(self) -> tuple[Shape, ...]:
        """The output shape of every layer, from one image of shape (1, 28, 28)."""
        shapes: list[Shape] = []
        shape = IMAGE
        for layer in self.layers:
            shape = layer.output_shape(shape)
            shapes.append(shape)
        return tuple(shapes)

    @property
    def output_range(self) -> tuple[float, float]:
        """(lowest, highest) value that an output can take, as the last activation has it."""
        for layer in reversed(self.layers):
            if isinstance(layer, Sigmoid):
                return 0.0, 1.0
            if getattr(layer, "relu", False):
                return 0.0, inf
            if not isinstance(layer, Flatten | Unflatten | MaxPool):
                break
        return -inf, inf

    def unreached_rows(self) -> list[int]:
        """Rows, and likewise columns, of the output that no pixel of the input has a way to.

        A transposed convolution leaves them behind where its output_padding adds what no kernel
        covers: they show its bias, and are the same for every image.
        """
        reached = [True] * IMAGE[-1]
        for layer, shape in zip(self.layers, self.shapes(), strict=True):
            match layer:
                case Conv() | MaxPool() | ConvTranspose():
                    sources = [_sources(layer, row, len(reached)) for row in range(shape[-1])]
                    reached = [any(reached[source] for source in of_row) for of_row in sources]
                case Linear() | Unflatten():
                    reached = [True] * shape[-1]
                case Flatten() | Sigmoid() | LeakyReLU():
                    pass
        return [row for row, is_reached in enumerate(reached) if not is_reached]

    @property
    def code_shape(self) -> Shape:
        """Shape of what the encoder hands to the head."""
        return self.shapes()[len(self.encoder) - 1]
