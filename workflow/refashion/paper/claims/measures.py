"""What the parts of a claim's test measure: a metric of a history, or a number beside it.

A measure is one class: the keys that stand beside its name, its value in a run, its unit, what
rows have it, and how it is said. A key with a default may be left out.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import permutations
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

from refashion.errors import NotTestedError
from refashion.paper.images import CLASS_NAMES
from refashion.paper.metric import CURVES, Metric, Moment
from refashion.paper.problems import Misfits, show
from refashion.paper.spec import Row, Task
from refashion.text import listed

if TYPE_CHECKING:
    import numpy as np

# What an effect is counted in.
Unit = Literal["loss", "share", "relative", "epochs", "output"]
UNITS: dict[str, Unit] = {"loss": "loss", "accuracy": "share", "epoch": "epochs"}
MOMENTS = {
    "best": "its best epoch",
    "final": "the last epoch",
    "kept": "the epoch whose weights are kept",
    "lowest": "the epoch of the lowest validation loss",
}
Over = Literal["mean", "median", "max"]


class Run(Protocol):
    """What is asked of a :class:`refashion.results.run.Run`, which is read where papers are not.

    What it lacks raises ``NotTestedError``.
    """

    @property
    def row(self) -> str: ...
    @property
    def diverged(self) -> bool: ...
    @property
    def epochs_saved(self) -> int: ...
    @property
    def history(self) -> Sequence[Mapping[str, float]]: ...
    @property
    def confusion(self) -> np.ndarray[Any, Any]: ...
    def at(self, metric: str, moment: Moment) -> float: ...
    def output(self, name: str) -> np.ndarray[Any, Any]: ...


@dataclass(frozen=True)
class Measure(ABC):
    """A number of a row."""

    metric: str
    # The rows that have it.
    task: ClassVar[Task | None] = None
    # What it is counted in, and whether more of it is better, where its keys do not decide that.
    UNIT: ClassVar[Unit]
    MORE_IS_BETTER: ClassVar[bool | None] = False

    @property
    def unit(self) -> Unit:
        return self.UNIT

    @property
    def more_is_better(self) -> bool | None:
        """None if it knows no better and worse."""
        return self.MORE_IS_BETTER

    @abstractmethod
    def value(self, run: Run) -> float: ...

    @abstractmethod
    def words(self) -> str:
        """``validation loss after the last epoch``"""

    def mistakes(self) -> Misfits:
        """(key, what is wrong and what is allowed) of what stands beside its name."""
        yield from ()

    def lacking(self, row: Row) -> Iterator[str]:
        """Why a row has no such number, if so."""
        if self.task and row.task != self.task:
            yield f"is a {row.task}; allowed: a {self.task}"

    def difference(self, value: float) -> str:
        """A difference of two values, in words."""
        if not value:
            return "0"
        if self.unit == "relative":
            return f"{100 * value:g} %"
        if self.unit == "share":
            return f"{100 * value:g} percentage point{'' if value == 0.01 else 's'}"
        return f"{value:g}"

    def amount(self, value: float) -> str:
        """A value, in words."""
        return f"{100 * value:g} %" if self.unit == "share" else self.difference(value)


@dataclass(frozen=True)
class OfHistory(Measure):
    """A metric at a moment, ``minus`` another, or its change ``since`` another moment.

    If it is ``relative``, it is divided by what was taken.
    """

    at: Moment
    minus: str | None = None
    since: Moment | None = None
    relative: bool | None = None

    @property
    def unit(self) -> Unit:
        return "relative" if self.relative else UNITS[Metric.of(self.metric).quantity]

    @property
    def more_is_better(self) -> bool | None:
        if self.metric == "epoch":
            return None
        return Metric.of(self.metric).more_is_better and self.minus is None

    def value(self, run: Run) -> float:
        value = self._at(run, self.at)
        if self.since is not None:
            before = self._at(run, self.since)
            return (value - before) / (before if self.relative else 1)
        if self.relative and self.minus:
            return value / run.at(self.minus, self.at)
        return value

    def _at(self, run: Run, moment: Moment) -> float:
        taken = run.at(self.minus, moment) if self.minus else 0
        return run.at(self.metric, moment) - taken

    def words(self) -> str:
        name = Metric.of(self.metric).words
        if self.minus:
            other = Metric.of(self.minus).words
            excess = self.relative and f"relative excess of {name} over {other}"
            name = excess or f"{name} minus {other}"
        if self.since is not None:
            change = "relative change" if self.relative else "change"
            return f"{change} of {name} from {_epoch(self.since)} to {_epoch(self.at)}"
        return f"{name} {_moment(self.at)}"

    def amount(self, value: float) -> str:
        changes = self.minus or self.since is not None
        return self.difference(value) if changes else super().amount(value)

    def mistakes(self) -> Misfits:
        for key, moment in (("at", self.at), ("since", self.since)):
            if self.metric == "epoch" and moment == "best":
                yield key, "best is not for epochs; allowed: final, kept, lowest"
        if self.relative and not self.minus and self.since is None:
            yield "relative", "true without minus or since; allowed: beside one of them"
        quantity = Metric.of(self.metric).quantity
        if self.minus and Metric.of(self.minus).quantity != quantity:
            yield "minus", f"{show(self.minus)} is no {quantity}; allowed: one, as {self.metric}"

    def lacking(self, row: Row) -> Iterator[str]:
        for name in filter(None, (self.metric, self.minus)):
            yield from Metric.of(name).lacking(row)
        for moment in (self.at, self.since):
            if isinstance(moment, int) and not 1 <= moment <= row.spec.epochs:
                allowed = f"1 to {row.spec.epochs}"
                yield f"has no {self.metric} of epoch {moment}; allowed: {allowed}"


@dataclass(frozen=True)
class EpochsSaved(Measure):
    """The epochs that early stopping left out."""

    UNIT = "epochs"
    MORE_IS_BETTER = None

    def value(self, run: Run) -> float:
        return run.epochs_saved

    def words(self) -> str:
        return "number of epochs saved by early stopping"


@dataclass(frozen=True)
class SnapshotLoss(Measure):
    """The mean error of the pictures kept after an epoch."""

    at: Moment
    UNIT = "loss"

    def value(self, run: Run) -> float:
        epochs = run.output("snapshot_epochs").tolist()
        if self.at not in epochs:
            raise NotTestedError(f"{run.row} has no pictures of epoch {self.at}")
        off = run.output("snapshots")[epochs.index(self.at)] - run.output("targets")
        return float((off.astype(float) ** 2).mean())

    def words(self) -> str:
        return f"mean error of the pictures kept {_moment(self.at)}"

    def mistakes(self) -> Misfits:
        if not isinstance(self.at, int):
            allowed = "allowed for snapshot_loss: the number of an epoch"
            yield "at", f"{show(self.at)} is no epoch; {allowed}"

    def lacking(self, row: Row) -> Iterator[str]:
        if self.at not in row.spec.snapshots:
            known = show([*row.spec.snapshots])
            yield f"has no snapshot_loss of epoch {self.at}; allowed: {known}"


@dataclass(frozen=True)
class Recall(Measure):
    """The share of a class's images that are recognised."""

    class_: str
    task = "classification"
    UNIT = "share"
    MORE_IS_BETTER = True

    def value(self, run: Run) -> float:
        return recalls(run)[self.class_]

    def words(self) -> str:
        return f"recall of {self.class_}"


@dataclass(frozen=True)
class ErrorsWithin(Measure):
    """The share of the errors whose true and predicted class belong to one of the sets."""

    sets: Sequence[Sequence[str]]
    task = "classification"
    UNIT = "share"
    MORE_IS_BETTER = None

    def value(self, run: Run) -> float:
        images = run.confusion
        errors = images.sum() - images.trace()
        if not errors:
            raise NotTestedError(f"{run.row} makes no errors")
        pairs = permutations(range(len(CLASS_NAMES)), 2)
        return sum(images[pair] for pair in pairs if in_one(self.sets, pair)) / errors

    def words(self) -> str:
        return f"share of errors {within(self.sets)}"


@dataclass(frozen=True)
class _OfPixels(Measure):
    over: Over
    edge: int | None = None
    task = "reconstruction"
    what: ClassVar[str]

    def value(self, run: Run) -> float:
        import numpy as np  # which nobody waits for who only reads a paper

        pixels = run.output(self.metric).astype(np.float64)
        counted = np.ones_like(pixels, dtype=bool)
        if self.edge is not None:
            counted[: -self.edge, : -self.edge] = False
        reduce = {"mean": np.mean, "median": np.median, "max": np.max}[self.over]
        return float(reduce(pixels[counted]))

    def words(self) -> str:
        over = "largest" if self.over == "max" else self.over
        edge = f"in the last {self.edge} rows and columns of pixels"
        return f"{over} {self.what} {edge if self.edge else 'of all pixels'}"


@dataclass(frozen=True)
class OutputStd(_OfPixels):
    """The standard deviation of the output over images, a pixel's."""

    what = "standard deviation over images"
    UNIT = "output"


@dataclass(frozen=True)
class PixelLoss(_OfPixels):
    """The error, a pixel's."""

    what = "error"
    UNIT = "loss"


# By the name of the metric.
MEASURES: dict[str, type[Measure]] = {
    **dict.fromkeys(CURVES, OfHistory),
    "epochs_saved": EpochsSaved,
    "snapshot_loss": SnapshotLoss,
    "recall": Recall,
    "errors_within": ErrorsWithin,
    "output_std": OutputStd,
    "pixel_loss": PixelLoss,
}


def measure_of(metric: str, given: Mapping[str, Any]) -> Measure:
    """The measure of this name, with those of the given keys that are its own."""
    kind = MEASURES[metric]
    own = {field.name for field in fields(kind)}
    return kind(metric, **{key: value for key, value in given.items() if key in own - {"metric"}})


def recalls(run: Run) -> dict[str, float]:
    """By class the share of its images that are recognised; 0 if it has none."""
    confusion = run.confusion.tolist()
    return {
        name: images[index] / (sum(images) or 1)
        for index, (name, images) in enumerate(zip(CLASS_NAMES, confusion, strict=True))
    }


def in_one(sets: Sequence[Sequence[str]], pair: tuple[int, int]) -> bool:
    """Whether two classes, by their numbers, belong to one of the sets."""
    return any({CLASS_NAMES[index] for index in pair} <= {*names} for names in sets)


def within(sets: Sequence[Sequence[str]]) -> str:
    """``within Coat and Shirt or within Sandal and Sneaker``"""
    return " or ".join(f"within {listed(names)}" for names in sets)


def _epoch(moment: Moment) -> str:
    return MOMENTS[moment] if isinstance(moment, str) else f"epoch {moment}"


def _moment(moment: Moment) -> str:
    passed = moment == "final" or isinstance(moment, int)
    return f"{'after' if passed else 'at'} {_epoch(moment)}"
