"""Rows of a layer table, as papers print them, and the shapes that follow from them.

Free of torch, so that a paper's architectures can be checked before any job starts.
A shape is ``(features,)`` or ``(channels, height, width)``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
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


class _Shaped:
    """A layer; it leaves the shape as it is, unless it says otherwise."""

    def output_shape(self, shape: Shape) -> Shape:
        return shape


class _Maps(_Shaped, ABC):
    """A layer of maps, which does along their rows what it does along their columns."""

    @abstractmethod
    def length(self, rows: int) -> int:
        """How many rows an output has."""

    @abstractmethod
    def sources(self, row: int) -> range:
        """The rows of an input that a row of the output is computed from, as far as they exist."""

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) != 3:
            raise ShapeError(f"{self} needs (channels, height, width), not {shape}")
        given = getattr(self, "channels", shape[0]), *map(self.length, shape[1:])
        if min(given) < 1:
            raise ShapeError(f"{self} would give the shape {given}")
        return given


@dataclass(frozen=True)
class Conv(_Maps):
    """Convolution with a square kernel, then ReLU and dropout where the table says so."""

    channels: Size
    kernel: Size
    stride: Size = 1
    padding: Pad = 0
    relu: bool = False
    dropout: Rate = 0.0

    def length(self, rows: int) -> int:
        return (rows + 2 * self.padding - self.kernel) // self.stride + 1

    def sources(self, row: int) -> range:
        first = row * self.stride - self.padding
        return range(first, first + self.kernel)


@dataclass(frozen=True)
class ConvTranspose(_Maps):
    """Transposed convolution, square kernel, then ReLU and dropout where the table says so."""

    channels: Size
    kernel: Size
    stride: Size = 1
    padding: Pad = 0
    output_padding: Pad = 0
    relu: bool = False
    dropout: Rate = 0.0

    def length(self, rows: int) -> int:
        if self.output_padding >= self.stride:
            raise ShapeError(f"{self} needs an output_padding smaller than its stride")
        return (rows - 1) * self.stride + self.kernel + self.output_padding - 2 * self.padding

    def sources(self, row: int) -> range:
        last = row + self.padding
        return range((last - self.kernel) // self.stride + 1, last // self.stride + 1)


@dataclass(frozen=True)
class MaxPool(_Maps):
    """Max-pooling, windows side by side; ``ceil_mode`` keeps a last, partial window."""

    size: Size
    ceil_mode: bool = False

    def length(self, rows: int) -> int:
        return -(-rows // self.size) if self.ceil_mode else rows // self.size

    def sources(self, row: int) -> range:
        return range(row * self.size, (row + 1) * self.size)


@dataclass(frozen=True)
class Flatten(_Shaped):
    """(channels, height, width) to one vector, channel by channel."""

    def output_shape(self, shape: Shape) -> Shape:
        return (prod(shape),)


@dataclass(frozen=True)
class Unflatten(_Shaped):
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
class Linear(_Shaped):
    """Fully connected layer, then ReLU and dropout where the table says so."""

    features: Size
    relu: bool = False
    dropout: Rate = 0.0

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) != 1:
            raise ShapeError(f"{self} needs (features,), not {shape}")
        return (self.features,)


@dataclass(frozen=True)
class Sigmoid(_Shaped):
    """The logistic function: outputs in (0, 1)."""


@dataclass(frozen=True)
class LeakyReLU(_Shaped):
    """x where positive, else ``slope`` times x; the default is PyTorch's."""

    slope: Slope = 0.01


Layer = Conv | ConvTranspose | MaxPool | Flatten | Unflatten | Linear | Sigmoid | LeakyReLU

IMAGE: Shape = (1, 28, 28)


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
        shapes = [IMAGE]
        for layer in self.layers:
            shapes.append(layer.output_shape(shapes[-1]))
        return tuple(shapes[1:])

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
        rows = range(IMAGE[-1])
        reached = {*rows}
        for layer, shape in zip(self.layers, self.shapes(), strict=True):
            if isinstance(layer, _Maps):
                rows = range(shape[-1])
                reached = {row for row in rows if not reached.isdisjoint(layer.sources(row))}
            elif isinstance(layer, Linear | Unflatten):
                rows = range(shape[-1])
                reached = {*rows}
        return sorted({*rows} - reached)

    @property
    def code_shape(self) -> Shape:
        """Shape of what the encoder hands to the head."""
        return self.shapes()[len(self.encoder) - 1]
