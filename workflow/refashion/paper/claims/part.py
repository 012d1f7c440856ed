"""What every part of a claim's test is, and what many of them share.

A part is a form, such as ``best`` or ``below``, over named rows. From a case, such as the runs of
one seed, it computes *effects*, one for every row, competitor, step or class that it is about: by
how much it holds there, in the unit of what is measured; above 0 it holds, below 0 it does not.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import MISSING, fields
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar

from pydantic import Field

from refashion.paper.claims.case import Case
from refashion.paper.claims.measures import MEASURES, Measure, Over, Unit
from refashion.paper.images import CLASS_NAMES
from refashion.paper.metric import Curve, Moment
from refashion.paper.problems import show, unknown
from refashion.paper.record import Distinct, Id, Many, OneOf, Record, allowed
from refashion.paper.sheet import Sheet
from refashion.paper.spec import Row, Task
from refashion.text import listed, sentence

T = TypeVar("T")
Ids = Annotated[Distinct[Id], Field(min_length=1)]
ClassName = Annotated[str, OneOf(CLASS_NAMES)]
Classes = Annotated[Distinct[ClassName], Field(min_length=1)]
Sets = Annotated[Many[Classes], Field(min_length=1)]
MetricName = Annotated[str, OneOf(tuple(MEASURES)), allowed("the name of a metric")]
# The part says the same of each.
OneOrMore = T | Annotated[Distinct[T], Field(min_length=2)]
Threshold = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(gt=0, lt=1)]
Yes = Annotated[Literal[True], allowed("true")]
# (key, what is wrong and what is allowed)
Misfits = Iterator[tuple[str, str]]

# Numbers that nobody but us has chosen, unless a claim says why.
THRESHOLDS = ("level", "factor", "margin", "by", "share", "count")
# What a reading of the paper may measure otherwise, beside the metric.
MOMENTS = ("at", "since", "minus")


class Part(Record):
    """A part of a claim's test; a class for each form, whose docstring says when it holds."""

    form: Any
    """Its name, of which each form has its own."""
    no: Annotated[Yes | None, Field(alias="not")] = None
    """Turns the part round."""

    # The rows that it can be of.
    task: ClassVar[Task | None] = None
    # Whether a row may stand in both of its lists.
    may_share_rows: ClassVar[bool] = False
    # Whether what it measures must know better and worse.
    is_order: ClassVar[bool] = False

    @abstractmethod
    def effects(self, case: Case) -> dict[str, float]:
        """By how much the form holds, for each that it is about.

        Raises:
            NotTestedError: a row was not run, diverged, or lacks what is asked for.
        """

    @abstractmethod
    def words(self) -> str:
        """What the form says of these rows."""

    @property
    def metrics(self) -> tuple[str, ...]:
        """What it says the same of."""
        return ()

    def measures(self) -> Sequence[Measure]:
        """What is measured, by the metrics."""
        return ()

    @property
    def measure(self) -> Measure:
        """What is measured, by a part with one metric."""
        (only,) = self.measures()
        return only

    @property
    def unit(self) -> Unit:
        """What the effects are counted in."""
        measures = self.measures()
        return measures[0].unit if measures else "share"

    def values(self, case: Case, rows: Iterable[str]) -> dict[str, float]:
        """What is measured of each row."""
        measure = self.measure
        return {row: measure.value(case.run(row)) for row in rows}

    def tested(self, case: Case) -> dict[str, float]:
        """The effects, with the sign turned under ``not``."""
        sign = -1 if self.no else 1
        return {name: sign * float(value) for name, value in self.effects(case).items()}

    def sentence(self) -> str:
        """What is tested, in words."""
        said = self.words()
        return sentence(f"Not so: {said}" if self.no else said[0].upper() + said[1:])

    def names(self) -> Iterator[tuple[str, str]]:
        """(key, name) of every row that it names."""
        for key, value in self.given().items():
            if key == "row":
                yield key, value
            elif key in ("rows", "among"):
                yield from ((f"{key}[{index}]", name) for index, name in enumerate(value))

    def measured(self) -> set[str | int]:
        """The metrics and moments that it is about."""
        return {*self.metrics} | {value for key, value in self.given().items() if key in MOMENTS}

    def split(self, id_of: Callable[[str], str]) -> list[Self]:
        """A part for each metric, with rows by their ids."""
        given = self.given()
        rows: dict[str, Any] = {
            key: tuple(map(id_of, given[key])) for key in ("rows", "among") if key in given
        }
        if "row" in given:
            rows["row"] = id_of(given["row"])
        each = [rows | {"metric": metric} for metric in self.metrics] or [rows]
        return [self.model_copy(update=changes) for changes in each]

    def read_as(self, meant: Callable[[Any], Any]) -> Self:
        """The same of other metrics and moments; ``meant`` gives what stands in place of one."""
        changes = {key: meant(value) for key, value in self.given().items() if key in MOMENTS}
        if self.metrics:
            metrics = tuple(map(meant, self.metrics))
            changes["metric"] = metrics[0] if len(metrics) == 1 else metrics
        return self.model_copy(update=changes)

    # ---- checks ----

    def misfits(self, sheet: Sheet) -> Misfits:
        """What is wrong with it, or with the rows that it names."""
        yield from [*self.mistakes()] or self._wrong_rows(sheet)

    def mistakes(self) -> Misfits:
        """What does not fit together, whatever the rows are."""
        for measure in self.measures():
            yield from measure.mistakes()
        for measure in self.measures():
            if self.is_order and measure.more_is_better is None:
                said = "knows no better and worse; allowed: a loss, accuracy or recall"
                yield "metric", f"{measure.metric} {said}"

    def lacking(self, row: Row) -> Iterator[str]:
        """Why a row does not have what is asked for, if so."""
        if self.task and row.task != self.task:
            yield f"is a {row.task}; allowed: a {self.task}"
        for measure in self.measures():
            yield from measure.lacking(row)

    def _wrong_rows(self, sheet: Sheet) -> Misfits:
        found: dict[tuple[str, int], tuple[str, str]] = {}
        for key, name in self.names():
            side = key.partition("[")[0] if self.may_share_rows else ""
            if name not in sheet.names:
                yield key, unknown(name, sheet.names, "row of this paper")
            elif (side, sheet.names[name]) in found:
                yield key, f"{show(name)} stands twice, or under another name; allowed: once"
            else:
                found[side, sheet.names[name]] = key, name
        rows = {key: sheet.rows[index] for (_, index), key in found.items() if index in sheet.rows}
        mixed = len({row.task for row in rows.values()}) > 1
        for (key, name), row in rows.items():
            for reason in self.lacking(row):
                yield key, f"{show(name)} {reason}"
            if mixed:
                yield key, f"{show(name)} is a {row.task}; allowed: rows of one task"


class OfRows(Part):
    """Of each of some rows, or of all of them together."""

    rows: Ids


class OneAmong(Part):
    """Of a row, held against each of some others."""

    row: Id
    among: Ids


class OfMetric(Part):
    """Of a metric; of several it says the same of each."""

    metric: Annotated[OneOrMore[MetricName], allowed("the name of a metric, or a list of them")]

    @property
    def metrics(self) -> tuple[str, ...]:
        return (self.metric,) if isinstance(self.metric, str) else self.metric


class Measured(OfMetric):
    """Of a metric and what stands beside its name: the keys of all measures."""

    at: Moment | None = None
    minus: Curve | None = None
    since: Moment | None = None
    relative: Yes | None = None
    class_: Annotated[ClassName | None, Field(alias="class")] = None
    sets: Sets | None = None
    over: Over | None = None
    edge: Annotated[int, Field(ge=1, le=14)] | None = None

    def measures(self) -> list[Measure]:
        given = self.given()
        return [
            kind(metric, **{key: given[key] for key in _keys(kind) if key in given})
            for metric, kind in ((metric, MEASURES[metric]) for metric in self.metrics)
        ]

    def misfits(self, sheet: Sheet) -> Misfits:
        yield from [*self._wrong_keys()] or super().misfits(sheet)

    def _wrong_keys(self) -> Misfits:
        """Keys that are missing or do nothing."""
        given, kinds = self.given(), [MEASURES[metric] for metric in self.metrics]
        takes = {key: needed for kind in kinds for key, needed in _keys(kind).items()}
        needed = [key for key, field in type(self).model_fields.items() if field.is_required()]
        needed += [key for key, is_needed in takes.items() if is_needed]
        for key in needed:
            if given.get(key) is None:
                yield _written(key), f"is missing; needed here: {', '.join(map(_written, needed))}"
        for key in Measured.model_fields.keys() - OfMetric.model_fields.keys() - takes.keys():
            if key in given:
                allowed = ", ".join(map(_written, takes)) or "none"
                idle = f"{show(given[key])} does nothing beside {listed(self.metrics)}"
                yield _written(key), f"{idle}; allowed: {allowed}"


def each_of(rows: Sequence[str]) -> str:
    """``a``, ``each of a and b``"""
    return rows[0] if len(rows) == 1 else f"each of {listed(rows)}"


def _keys(kind: type[Measure]) -> dict[str, bool]:
    """The keys that stand beside a measure's name, and whether it needs them."""
    own = [field for field in fields(kind) if field.name != "metric"]
    return {field.name: field.default is MISSING for field in own}


def _written(key: str) -> str:
    """A key as a file has it."""
    return key.rstrip("_")
