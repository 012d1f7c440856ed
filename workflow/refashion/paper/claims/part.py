"""What every part of a claim's test is, and what many of them share.

A part is a form, such as ``best`` or ``below``, over named rows. From a case, such as the runs of
one seed, it computes *effects*, one for every row, competitor, step or class that it is about: by
how much it holds there, in the unit of what is measured; above 0 it holds, below 0 it does not.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar

from pydantic import Field

from refashion.errors import NotTestedError
from refashion.paper.claims.measures import MEASURES, Measure, Over, Run, Unit, measure_of
from refashion.paper.images import CLASS_NAMES
from refashion.paper.metric import Curve, Moment
from refashion.paper.problems import Misfits, show, unknown
from refashion.paper.record import Distinct, Id, Many, OneOf, Record, allowed
from refashion.paper.sheet import Sheet
from refashion.paper.spec import Row
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
# (row id, metric, name of a level) to the error of a trivial output on the row's images.
Levels = Callable[[str, str, str], float]

# The keys that name rows.
ROWS = ("row", "rows", "among")
# Numbers that nobody but us has chosen, unless a claim says why.
THRESHOLDS = ("level", "factor", "margin", "by", "share", "count")
# What a reading of the paper may measure otherwise, beside the metric.
MOMENTS = ("at", "since", "minus")


@dataclass(frozen=True)
class Case:
    """What a part is held against: one seed's runs, by row id, and levels."""

    runs: Mapping[str, Run]
    levels: Levels

    def run(self, row: str) -> Run:
        """A completed run.

        Raises:
            NotTestedError: there is none.
        """
        if row not in self.runs:
            raise NotTestedError(f"{row} was not run")
        if self.runs[row].diverged:
            raise NotTestedError(f"{row} diverged")
        return self.runs[row]


class Part(Record):
    """A part of a claim's test; a class for each form, whose docstring says when it holds."""

    form: Any
    """Its name, of which each form has its own."""
    no: Annotated[Yes | None, Field(alias="not")] = None
    """Turns the part round."""

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
        metric = self.given().get("metric", ())
        return (metric,) if isinstance(metric, str) else metric

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
        for key, value in self._rows().items():
            if isinstance(value, str):
                yield key, value
            else:
                yield from ((f"{key}[{index}]", name) for index, name in enumerate(value))

    def _rows(self) -> dict[str, str | tuple[str, ...]]:
        return {key: value for key, value in self.given().items() if key in ROWS}

    def measured(self) -> set[str | int]:
        """The metrics and moments that it is about."""
        return {*self.metrics} | {value for key, value in self.given().items() if key in MOMENTS}

    def split(self, id_of: Callable[[str], str]) -> list[Self]:
        """A part for each metric, with rows by their ids."""
        rows = {
            key: id_of(value) if isinstance(value, str) else tuple(map(id_of, value))
            for key, value in self._rows().items()
        }
        each = [{"metric": metric} for metric in self.metrics] or [{}]
        return [self.model_copy(update=rows | changes) for changes in each]

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
        for measure in self.measures():
            yield from measure.lacking(row)

    def _wrong_rows(self, sheet: Sheet) -> Misfits:
        seen: set[tuple[bool, int | None]] = set()
        rows: dict[tuple[str, str], Row] = {}
        for key, name in self.names():
            index = sheet.names.get(name)
            # One of several rows may be among the others too.
            place = key.startswith("rows"), index
            if index is None:
                yield key, unknown(name, sheet.names, "row of this paper")
            elif place in seen:
                yield key, f"{show(name)} stands twice, or under another name; allowed: once"
            elif index in sheet.rows:
                rows[key, name] = sheet.rows[index]
            seen.add(place)
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


class OfClasses(OfRows):
    """Of how some rows classify."""

    def lacking(self, row: Row) -> Iterator[str]:
        if row.task != "classification":
            yield f"is a {row.task}; allowed: a classification"


class Measured(Part):
    """Of a metric and what stands beside its name: the keys of all measures."""

    metric: Annotated[OneOrMore[MetricName], allowed("the name of a metric, or a list of them")]
    at: Moment | None = None
    minus: Curve | None = None
    since: Moment | None = None
    relative: Yes | None = None
    class_: Annotated[ClassName | None, Field(alias="class")] = None
    sets: Sets | None = None
    over: Over | None = None
    edge: Annotated[int, Field(ge=1, le=14)] | None = None

    def measures(self) -> list[Measure]:
        return [measure_of(metric, self.given()) for metric in self.metrics]

    def misfits(self, sheet: Sheet) -> Misfits:
        yield from [*self._wrong_keys()] or super().misfits(sheet)

    def _wrong_keys(self) -> Misfits:
        """Keys that are missing or do nothing."""
        given = {_written(key): value for key, value in self.given().items()}
        takes = dict(key for metric in self.metrics for key in _keys(metric))
        needed = [key for key, field in type(self).model_fields.items() if field.is_required()]
        needed += [key for key, is_needed in takes.items() if is_needed]
        for key in needed:
            if given.get(key) is None:
                yield key, f"is missing; needed here: {', '.join(needed)}"
        of_others = {key for metric in MEASURES for key, _ in _keys(metric)} - takes.keys()
        for key in (key for key in given if key in of_others):
            idle = f"{show(given[key])} does nothing beside {listed(self.metrics)}"
            yield key, f"{idle}; allowed: {', '.join(takes) or 'none'}"


def each_of(rows: Sequence[str]) -> str:
    """``a``, ``each of a and b``"""
    return rows[0] if len(rows) == 1 else f"each of {listed(rows)}"


def _keys(metric: str) -> Iterator[tuple[str, bool]]:
    """The keys that stand beside a metric's name, as a file has them, and whether it needs them."""
    for field in fields(MEASURES[metric])[1:]:
        yield _written(field.name), field.default is MISSING


def _written(key: str) -> str:
    return key.rstrip("_")
