"""The forms of a part: for each its keys, its effects, and what it says.

The docstring of a form says when it holds.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterable, Iterator
from itertools import combinations, pairwise
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from refashion.errors import NotTestedError
from refashion.paper.claims import part
from refashion.paper.claims.measures import Measure, Unit, in_one, measure_of, recalls, within
from refashion.paper.claims.part import Case, Misfits, each_of
from refashion.paper.images import CLASS_NAMES
from refashion.paper.metric import CURVES, Metric
from refashion.paper.problems import show
from refashion.paper.record import Distinct, Id, OneOf, allowed
from refashion.paper.spec import Row
from refashion.text import count, listed

# ---- rows against each other --------------------------------------------------------------------


class Compared(part.Measured, part.OneAmong):
    """The row is better, or worse, than each of ``among``, times ``factor``, by over ``margin``."""

    form: Literal["best", "worst"]
    factor: part.Threshold = 1.0
    margin: part.Threshold = 0.0

    is_order: ClassVar[bool] = True

    @property
    def higher(self) -> bool:
        """Whether the row is to have more of what is measured."""
        return self.measure.more_is_better == (self.form == "best")

    def effects(self, case: Case) -> dict[str, float]:
        value = self.measure.value(case.run(self.row))
        sign = 1 if self.higher else -1
        return {
            row: sign * (value - self.factor * other) - self.margin
            for row, other in self.values(case, self.among).items()
        }

    def words(self) -> str:
        than = "for " if self.factor == 1 else f"{self.factor:g} times that of "
        margin = f", by more than {self.measure.difference(self.margin)}" if self.margin else ""
        return (
            f"{self.measure.words()} is {'higher' if self.higher else 'lower'} for {self.row} "
            f"than {than}{each_of(self.among)}{margin}"
        )


class Ranked(part.Measured, part.OfRows):
    """Each row is better than the next."""

    form: Literal["ranked"]
    rows: Annotated[Distinct[Id], Field(min_length=2), allowed("a list of two rows or more")]

    is_order: ClassVar[bool] = True

    def effects(self, case: Case) -> dict[str, float]:
        sign = 1 if self.measure.more_is_better else -1
        values = self.values(case, self.rows)
        return {
            f"{row}, {following}": sign * (values[row] - values[following])
            for row, following in pairwise(self.rows)
        }

    def words(self) -> str:
        way = "falls" if self.measure.more_is_better else "rises"
        return f"{self.measure.words()} {way} in the order {', '.join(self.rows)}"


class Alike(part.Measured, part.OfRows):
    """The rows' range is below ``level``, or below the range of the rows in ``among``."""

    form: Literal["alike"]
    level: Annotated[float | None, allowed("a number, the width of a range")] = None
    among: Annotated[Distinct[Id] | None, Field(min_length=1)] = None

    def effects(self, case: Case) -> dict[str, float]:
        allowed = self._range(case, self.among) if self.among else self.level or 0
        return {"range": allowed - self._range(case, self.rows)}

    def _range(self, case: Case, rows: Iterable[str]) -> float:
        values = self.values(case, rows).values()
        return max(values) - min(values)

    def words(self) -> str:
        spans, rows = f"{self.measure.words()} spans less", listed(self.rows)
        if self.among:
            return f"{spans} over {rows} than over {listed(self.among)}"
        return f"{spans} than {self.measure.difference(self.level or 0)} over {rows}"

    def mistakes(self) -> Misfits:
        yield from super().mistakes()
        if (self.level is None) == (self.among is None):
            yield "level", "or among: one of the two is needed"


class ImagesImproved(part.OneAmong):
    """More than ``share`` of the images have a lower loss with the row than with each other."""

    form: Literal["images_improved"]
    share: part.Share

    def effects(self, case: Case) -> dict[str, float]:
        losses = case.run(self.row).output("image_loss")
        return {
            row: float((losses < case.run(row).output("image_loss")).mean()) - self.share
            for row in self.among
        }

    def words(self) -> str:
        return (
            f"more than {100 * self.share:g} % of the validation images have a lower loss with "
            f"{self.row} than with {each_of(self.among)}"
        )


# ---- rows against a level -----------------------------------------------------------------------

LEVELS = {
    "zero": "the error of an all-zero output",
    "mean_image": "the error of the mean image",
}
Level = Annotated[float | Literal["zero", "mean_image"], allowed("a number, zero or mean_image")]


class _AgainstLevel(part.Measured, part.OfRows):
    level: Level
    factor: part.Threshold = 1.0

    @abstractmethod
    def effect(self, case: Case, row: str) -> float:
        """By how much it holds for a row."""

    def effects(self, case: Case) -> dict[str, float]:
        return {row: self.effect(case, row) for row in self.rows}

    def level_of(self, case: Case, row: str) -> float:
        """What a row is held against."""
        level = self.level
        if isinstance(level, str):
            level = case.levels(row, self.measure.metric, level)
        return self.factor * level

    def above(self, case: Case, row: str) -> float:
        """By how much a row is above the level."""
        return self.measure.value(case.run(row)) - self.level_of(case, row)

    def says(self, where: str) -> str:
        """In words, where each row is beside the level."""
        if not isinstance(self.level, str):
            level = self.measure.amount(self.factor * self.level)
        else:
            times = "" if self.factor == 1 else f"{self.factor:g} times "
            level = times + LEVELS[self.level]
        return f"{self.measure.words()} is {where} {level} for {each_of(self.rows)}"

    def mistakes(self) -> Misfits:
        yield from super().mistakes()
        losses = {name for name, metric in CURVES.items() if metric.quantity == "loss"}
        for metric in self.metrics if isinstance(self.level, str) else ():
            if metric not in losses or self.minus or self.since:
                yield "level", f"{show(self.level)} is an error; allowed beside a loss alone"

    def lacking(self, row: Row) -> Iterator[str]:
        yield from super().lacking(row)
        if isinstance(self.level, str) and row.task != "reconstruction":
            yield f"is a {row.task}; allowed beside {self.level}: a reconstruction"


class OneSide(_AgainstLevel):
    """Each row is below, or above, ``level``, times ``factor``."""

    form: Literal["below", "above"]

    def effect(self, case: Case, row: str) -> float:
        return self.above(case, row) * (1 if self.form == "above" else -1)

    def words(self) -> str:
        return self.says(self.form)


class Near(_AgainstLevel):
    """Each row is less than ``by`` away from ``level``, times ``factor``, or from 0."""

    form: Literal["near"]
    by: part.Threshold
    level: Level = 0.0

    def effect(self, case: Case, row: str) -> float:
        return self.by - abs(self.above(case, row))

    def words(self) -> str:
        return self.says(f"within {self.measure.difference(self.by)} of")

    def mistakes(self) -> Misfits:
        yield from super().mistakes()
        if {"factor", "level"} & self.model_fields_set == {"factor"}:
            yield "factor", f"{show(self.factor)} without level; allowed: beside it"


class Fails(_AgainstLevel):
    """Each row ends above ``level``, times ``factor``, or diverges."""

    form: Literal["fails"]

    @property
    def unit(self) -> Unit:
        return "relative"

    def effect(self, case: Case, row: str) -> float:
        """By how much it is above the level, as a share of it; without a limit if it diverges."""
        if row in case.runs and case.runs[row].diverged:
            return math.inf
        return self.measure.value(case.run(row)) / self.level_of(case, row) - 1

    def words(self) -> str:
        return f"{self.says('above')}, or the training diverges"


# ---- from epoch to epoch ------------------------------------------------------------------------

_IN_EVERY_EPOCH = tuple(name for name in CURVES if name != "epoch")
_WORDS = "a loss or an accuracy, which has a value in every epoch"


class Flattens(part.OfRows):
    """The last ``share`` of the epochs changes it by less than ``factor`` of what the first brings.

    The first share counts from the first epoch on, after which a run is measured first. What rises
    in the last share is no flatter than what falls.
    """

    form: Literal["flattens"]
    metric: Annotated[part.OneOrMore[Annotated[str, OneOf(_IN_EVERY_EPOCH)]], allowed(_WORDS)]
    share: part.Share
    factor: part.Threshold

    def measures(self) -> list[Measure]:
        return [measure_of(metric, {"at": "final"}) for metric in self.metrics]

    def effects(self, case: Case) -> dict[str, float]:
        (metric,) = self.metrics
        histories = {row: case.run(row).history for row in self.rows}
        effects: dict[str, float] = {}
        for row, history in histories.items():
            values = [epoch[metric] for epoch in history]
            span = round(self.share * len(values))
            if span < 2:
                raise NotTestedError(f"{row} was trained for {count(len(values), 'epoch')} only")
            first, last = values[0] - values[span - 1], abs(values[-1 - span] - values[-1])
            effects[row] = self.factor * first - last
        return effects

    def words(self) -> str:
        return (
            f"{Metric.of(self.metrics[0]).words} changes over the last {100 * self.share:g} % of "
            f"the epochs by less than {100 * self.factor:g} % of its fall over the first, "
            f"for {each_of(self.rows)}"
        )


class Falls(part.OfRows):
    """The metric falls from each of ``epochs`` to the next."""

    form: Literal["falls"]
    metric: Annotated[
        part.OneOrMore[Annotated[str, OneOf((*_IN_EVERY_EPOCH, "snapshot_loss"))]],
        allowed(f"{_WORDS}, or snapshot_loss"),
    ]
    epochs: Annotated[
        Distinct[Annotated[int, Field(ge=0)]],
        Field(min_length=2),
        allowed("a list of two epochs or more"),
    ]

    def measures(self) -> list[Measure]:
        """After each epoch."""
        after = [{"at": epoch} for epoch in self.epochs]
        return [measure_of(metric, keys) for keys in after for metric in self.metrics]

    def effects(self, case: Case) -> dict[str, float]:
        course = [
            {row: after.value(case.run(row)) for row in self.rows} for after in self.measures()
        ]
        return {
            f"{row}, {earlier} to {later}": before[row] - after[row]
            for (earlier, before), (later, after) in pairwise(zip(self.epochs, course, strict=True))
            for row in self.rows
        }

    def words(self) -> str:
        (metric,) = self.metrics
        pictures = "mean error of the pictures kept"
        name = pictures if metric == "snapshot_loss" else Metric.of(metric).words
        return (
            f"{name} falls from each of the epochs {listed(self.epochs)} to the next, "
            f"for {each_of(self.rows)}"
        )


# ---- classes ------------------------------------------------------------------------------------


class Recalled(part.OfClasses):
    """Each of ``classes`` is recognised more, or less, often than every other class."""

    form: Literal["best_recalled", "worst_recalled"]
    classes: part.Classes

    def effects(self, case: Case) -> dict[str, float]:
        sign = 1 if self.form == "best_recalled" else -1
        return {
            f"{row}, {name} and {other}": sign * (shares[name] - shares[other])
            for row, shares in [(row, recalls(case.run(row))) for row in self.rows]
            for name in self.classes
            for other in CLASS_NAMES
            if other not in self.classes
        }

    def words(self) -> str:
        verb = "is" if len(self.classes) == 1 else "are each"
        often = "more" if self.form == "best_recalled" else "less"
        return (
            f"{listed(self.classes)} {verb} recognised {often} often than any other class, "
            f"by {each_of(self.rows)}"
        )


class TakenFor(part.OfClasses):
    """Of images of ``class``, more are taken for ``as`` than for any other class."""

    form: Literal["taken_for"]
    class_: Annotated[part.ClassName, Field(alias="class")]
    as_: Annotated[part.ClassName, Field(alias="as")]

    def effects(self, case: Case) -> dict[str, float]:
        """In shares of the class's images."""
        effects: dict[str, float] = {}
        for row in self.rows:
            images = case.run(row).confusion[CLASS_NAMES.index(self.class_)].tolist()
            shares = {n: i / sum(images) for n, i in zip(CLASS_NAMES, images, strict=True)}
            effects |= {
                f"{row}, {self.as_} and {other}": shares[self.as_] - shares[other]
                for other in CLASS_NAMES
                if other not in (self.class_, self.as_)
            }
        return effects

    def words(self) -> str:
        return (
            f"{self.class_} is taken for {self.as_} more often than for any other class, "
            f"by {each_of(self.rows)}"
        )


class LargestConfusions(part.OfClasses):
    """The ``count`` pairs of classes most often confused, either way, are inside ``sets``."""

    form: Literal["largest_confusions"]
    sets: part.Sets
    count: Annotated[int, Field(ge=1)]

    def effects(self, case: Case) -> dict[str, float]:
        """The last pair that is asked for against the largest outside, in shares of all images."""
        effects: dict[str, float] = {}
        for row in self.rows:
            images = case.run(row).confusion
            either = images + images.T
            inside, outside = (sorted(either[pair] for pair in pairs) for pairs in self._pairs())
            effects[row] = (inside[-self.count] - outside[-1]) / images.sum()
        return effects

    def _pairs(self) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """The pairs of classes that belong to one of the sets, and the others."""
        every = list(combinations(range(len(CLASS_NAMES)), 2))
        inside = [pair for pair in every if in_one(self.sets, pair)]
        return inside, [pair for pair in every if pair not in inside]

    def words(self) -> str:
        one = self.count == 1
        pairs = "pair of classes that is" if one else f"{self.count} pairs of classes that are"
        inside = f"{'is' if one else 'are'} {within(self.sets)}"
        return f"the {pairs} most often confused {inside}, for {each_of(self.rows)}"

    def mistakes(self) -> Misfits:
        inside, outside = map(len, self._pairs())
        if self.count > inside:
            said = f"{self.count} is more than the pairs of classes inside the sets, {inside}"
            yield "count", f"{said}; allowed: {inside} at most"
        if not outside:
            yield "sets", "leave no pair of classes outside; allowed: sets that do"


Form = (
    Compared
    | Ranked
    | Alike
    | OneSide
    | Near
    | Fails
    | Flattens
    | Falls
    | Recalled
    | TakenFor
    | LargestConfusions
    | ImagesImproved
)
