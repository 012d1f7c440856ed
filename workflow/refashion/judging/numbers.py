"""Measured numbers beside published ones, and the verdicts on them.

Numpy only: a report can be made where torch is not installed. Everything that is computed for
tables and report is computed here; templates and figures only show it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from refashion.judging.statistics import Verdict, prediction_interval
from refashion.paper.tables import Column, ConfusionMatrix, Table
from refashion.results.summary import Statistics, Summary, precision, recall, statistics
from refashion.text import rounded

if TYPE_CHECKING:
    from refashion.paper.config import Margins
    from refashion.paper.metric import Unit
    from refashion.paper.papers import Paper
    from refashion.paper.spec import Row, Task

Floats: TypeAlias = NDArray[np.float64]
# The one number that is taken from a confusion matrix.
OF_A_MATRIX = Column(
    label="Accuracy of the matrix", metric="val_accuracy", at="kept", unit="percent", digits=2
)
# What a number can be, by its unit: no interval goes beyond it.
POSSIBLE: dict[Unit, tuple[float, float]] = {
    "loss": (0.0, np.inf),
    "percent": (0.0, 100.0),
    "epochs": (0.0, np.inf),
}


class NumberVerdict(Verdict):
    """What is said of a published number beside the runs."""

    REPRODUCED = "reproduced", "=", "reproduced"
    """Inside the prediction interval widened by the printed precision."""
    CLOSE = "close", "≈", "close"
    """Outside it, and at most the margin from the mean."""
    DIFFERS = "differs", "≠", "different"
    """Further."""
    SINGLE_RUN = "single run", "·", "beside a single run"
    """One run has no interval."""
    NOT_COMPARABLE = "not comparable", "–", "not comparable"
    """No run was completed, or the row is told the number."""


class Kind(NamedTuple):
    """What numbers are alike: only like is ranked with like."""

    task: Task
    unit: Unit

    def margin(self, margins: Margins) -> float:
        """How far from the mean one is still close."""
        if self.unit == "epochs":
            return margins.epochs.margin
        if self.unit == "percent":
            return margins.accuracy.margin
        reconstructs = self.task == "reconstruction"
        return (margins.reconstruction_error if reconstructs else margins.cross_entropy).margin


class Place(NamedTuple):
    """Where a number is printed: a table or a confusion matrix."""

    id: str
    label: str


@dataclass(frozen=True)
class Comparison:
    """A number as printed, beside what was measured: losses as they are, percent as 0 to 100.

    ``interval`` is where one new run is expected, see :func:`prediction_interval`, no further than
    is ``POSSIBLE``; ``difference`` the mean minus what is published, for the row or for the one
    that it varies.
    """

    published: float | None
    unit: Unit
    digits: int
    measured: Statistics
    interval: tuple[float, float] | None
    difference: float | None

    @property
    def mean(self) -> float | None:
        return self.measured.mean

    def judge(self, margin: float) -> NumberVerdict:
        """The verdict; ``margin`` is in the number's unit."""
        if self.difference is None or self.published is None:
            return NumberVerdict.NOT_COMPARABLE
        if self.interval is None:
            return NumberVerdict.SINGLE_RUN
        low, high = self.interval
        half_a_digit = 0.5 * 10.0**-self.digits
        if low - half_a_digit <= self.published <= high + half_a_digit:
            return NumberVerdict.REPRODUCED
        near = abs(self.difference) <= margin
        return NumberVerdict.CLOSE if near else NumberVerdict.DIFFERS

    # In words.

    @property
    def as_printed(self) -> str:
        """``0.5726``"""
        return rounded(self.published, self.digits)

    @property
    def as_measured(self) -> str:
        """``0.5731 ± 0.0004``; one run has no spread."""
        mean = rounded(self.mean, self.digits)
        if self.measured.sd is None:
            return mean
        return f"{mean} ± {rounded(self.measured.sd, self.digits)}"

    @property
    def off(self) -> str:
        """``+0.0005``: measured minus published."""
        return rounded(self.difference, self.digits, sign=True)


@dataclass(frozen=True)
class Number(Comparison):
    """A published number with its verdict.

    ``reason`` is what a reader should know beside the verdict, or nothing.
    """

    row: Row
    place: Place
    column: Column
    margin: float
    reason: str = ""

    @property
    def kind(self) -> Kind:
        return Kind(self.row.task, self.unit)

    @property
    def verdict(self) -> NumberVerdict:
        return self.judge(self.margin)

    @property
    def within_margin(self) -> bool:
        """Whether the mean is as near as ``close`` asks for, whatever the verdict."""
        return self.difference is not None and bool(abs(self.difference) <= self.margin)

    @property
    def by_spread_alone(self) -> bool:
        """Whether it is reproduced, and only because the runs lie so far apart."""
        return self.verdict == NumberVerdict.REPRODUCED and not self.within_margin

    @property
    def says(self) -> str:
        """The verdict and the reason."""
        return ": ".join(filter(None, (self.verdict, self.reason)))


def compare(
    published: float | None, measured: Statistics | None, unit: Unit, digits: int
) -> Comparison:
    """A published number with what was measured, if it was, as in ``metrics.json``."""
    factor = 100.0 if unit == "percent" else 1.0
    measured = measured or statistics([])
    in_unit = Statistics(
        mean=None if measured.mean is None else factor * measured.mean,
        sd=None if measured.sd is None else factor * measured.sd,
        n=measured.n,
        values=tuple(factor * value for value in measured.values),
    )
    interval = prediction_interval(in_unit.values)
    if interval:
        low, high = np.clip(interval, *POSSIBLE[unit])
        interval = float(low), float(high)
    difference = None
    if published is not None and in_unit.mean is not None:
        difference = in_unit.mean - published
    return Comparison(published, unit, digits, in_unit, interval, difference)


# ---- tables and matrices ------------------------------------------------------------------------


@dataclass(frozen=True)
class ComparedLine:
    """A line of a table with what was measured, by the metrics' keys.

    ``ours`` is a variant that the paper does not print. ``summary`` is None if the row was not
    trained.
    """

    row: Row
    ours: bool
    summary: Summary | None
    numbers: Mapping[str, Comparison]


def compare_table(
    paper: Paper, table: Table, summaries: Mapping[str, Summary]
) -> list[ComparedLine]:
    """A table's lines with what was measured, in the table's order.

    A variant stands under the line of the row it varies, and its difference is taken from that
    line's published number, while its own ``published`` is None.
    """
    lines: list[ComparedLine] = []
    for line in table.lines:
        row = paper.row(line.row)
        variants = [
            other
            for other in paper.rows
            if other.variant_of and paper.row(other.variant_of).id == row.id
        ]
        lines += [
            _compare(each, table, summaries.get(each.id), line.published, ours=each is not row)
            for each in (row, *variants)
        ]
    return lines


def _compare(
    row: Row, table: Table, summary: Summary | None, published: Mapping[str, float], ours: bool
) -> ComparedLine:
    """``row`` against the numbers that the table prints for it or for the row that it varies."""
    numbers: dict[str, Comparison] = {}
    for key, column in table.metrics.items():
        measured = summary.at(column.at, column.metric) if summary else None
        number = compare(published.get(key), measured, column.unit, column.digits)
        changed = {"published": None} if ours else {}
        if _is_told(row, column):
            changed["difference"] = None
        numbers[key] = replace(number, **changed)
    return ComparedLine(row, ours, summary, numbers)


def _is_told(row: Row, column: Column) -> bool:
    """Whether a row is told the number, so that to find it says nothing: the epoch to keep."""
    return (column.metric, column.at) == ("epoch", "kept") and row.spec.keep != "best"


@dataclass(frozen=True)
class ComparedMatrix:
    """A published confusion matrix, and the shares that follow from it, with what was measured.

    ``recall`` and ``precision`` are by class, in percent as ``accuracy`` is. ``published`` and
    ``measured`` are float [10, 10] counts, the latter the mean over seeds for as many images of
    each class as the paper has, and None if nothing was measured.
    """

    place: Place
    row: Row
    summary: Summary | None
    accuracy: Comparison
    recall: Sequence[Comparison]
    precision: Sequence[Comparison]
    published: Floats
    measured: Floats | None

    @property
    def difference(self) -> Floats | None:
        """Measured minus published."""
        return None if self.measured is None else self.measured - self.published


def compare_confusion(
    paper: Paper, matrix: ConfusionMatrix, summaries: Mapping[str, Summary]
) -> ComparedMatrix:
    """A published confusion matrix beside the mean of those of our runs."""
    row = paper.row(matrix.row)
    summary = summaries.get(row.id)
    published = np.array(matrix.published, float)
    measured = None
    if summary and summary.confusion:
        measured = np.array(summary.confusion)
        measured *= published.sum(axis=1, keepdims=True) / measured.sum(axis=1, keepdims=True)
    share = float(100 * np.trace(published) / published.sum())
    accuracy = summary.at("kept", "val_accuracy") if summary else None
    return ComparedMatrix(
        Place(f"confusion-{row.id}", matrix.label),
        row,
        summary,
        compare(share, accuracy, "percent", digits=2),
        _by_class(recall(published), summary and summary.recall),
        _by_class(precision(published), summary and summary.precision),
        published,
        measured,
    )


def _by_class(shares: Floats, measured: Sequence[Statistics] | None) -> list[Comparison]:
    over_seeds = measured or [None] * len(shares)
    return [
        compare(100 * share, over, "percent", digits=1)
        for share, over in zip(shares, over_seeds, strict=True)
    ]


# ---- every number -------------------------------------------------------------------------------


def published_numbers(
    paper: Paper, summaries: Mapping[str, Summary], margins: Margins
) -> list[Number]:
    """Every published number with its verdict.

    A number printed in two tables counts twice: each is a statement of the paper. A confusion
    matrix counts as one, its accuracy. ``margins`` are the configuration's; ``summaries`` may have
    the seeds that ``collapsed``, see :func:`refashion.judging.diagnosis.findings.with_collapsed`.
    """
    numbers: list[Number] = []
    for place, column, row, compared in _printed(paper, summaries):
        margin = Kind(row.task, compared.unit).margin(margins)
        number = Number(**vars(compared), row=row, place=place, column=column, margin=margin)
        reason = "; ".join(_reasons(number, summaries.get(row.id)))
        numbers.append(replace(number, reason=reason))
    return numbers


def _printed(
    paper: Paper, summaries: Mapping[str, Summary]
) -> Iterator[tuple[Place, Column, Row, Comparison]]:
    for table in paper.tables:
        for line in compare_table(paper, table, summaries):
            for key, number in line.numbers.items():
                if number.published is not None:
                    yield Place(table.id, table.label), table.metrics[key], line.row, number
    for matrix in paper.confusion_matrices:
        compared = compare_confusion(paper, matrix, summaries)
        yield compared.place, OF_A_MATRIX, compared.row, compared.accuracy


def _reasons(number: Number, summary: Summary | None) -> Iterator[str]:
    """Why a number has no verdict, and what its runs went through that makes one say less."""
    if summary is None or not number.measured.n:
        yield "no run was completed"
        return
    if number.verdict == NumberVerdict.NOT_COMPARABLE:
        yield "the row is told this epoch"
    runs, completed = len(summary.seeds), summary.completed
    if completed < runs:
        yield f"{runs - completed} of {runs} runs diverged"
    if summary.collapsed:
        yield f"{len(summary.collapsed)} of {completed} runs collapsed"
    if number.by_spread_alone:
        yield "by the runs’ spread alone"


@dataclass(frozen=True)
class Ranking:
    """The numbers of a kind that were measured: how many, and those furthest from the runs.

    ``median`` is of the absolute differences; ``digits`` as many as any of them has.
    """

    kind: Kind
    digits: int
    count: int
    median: float
    largest: Sequence[Number]


def largest_differences(numbers: Iterable[Number], count: int = 3) -> list[Ranking]:
    """A ranking for every kind of number that was measured.

    A reconstruction error, a cross entropy and an accuracy have no common measure.
    """
    kinds: dict[Kind, list[tuple[float, Number]]] = {}
    for number in numbers:
        if number.difference is not None:
            kinds.setdefault(number.kind, []).append((abs(number.difference), number))
    return [
        Ranking(
            kind,
            max(number.digits for _, number in members),
            len(members),
            float(np.median([apart for apart, _ in members])),
            _largest(members)[:count],
        )
        for kind, members in kinds.items()
    ]


def _largest(members: Iterable[tuple[float, Number]]) -> list[Number]:
    """The largest first, and a number that two tables print alike only once."""
    once: dict[tuple[str, str, str, float | None], Number] = {}
    for _, number in sorted(members, key=lambda member: -member[0]):
        what = (number.row.id, number.column.metric, number.column.at, number.published)
        once.setdefault(what, number)
    return list(once.values())
