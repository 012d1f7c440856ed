"""Readings compared: how near each comes to what is printed, and which claims it turns.

A reading is compared as the paper itself would be: its runs stand in for those of the rows that it
varies, and what it measures otherwise stands in the paper's tables and claims. Free of torch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

import numpy as np

from refashion.judging import claims as verdicts
from refashion.judging.claims import ClaimResult, ClaimVerdict
from refashion.judging.excess import WHOSE, excess_over_floor
from refashion.judging.levels import Levels, PaperLevels
from refashion.judging.numbers import Number, Statement, published_numbers
from refashion.paper.metric import Unit  # noqa: TC001 - pydantic reads the types of what is written
from refashion.paper.spec import Task  # noqa: TC001
from refashion.paper.studies import DEFAULT, Reading, Study, claims_about
from refashion.results.files import read_record
from refashion.results.run import Run, read_runs
from refashion.results.summary import Summary, grouped, load_summaries

if TYPE_CHECKING:
    from refashion.paper.config import Margins
    from refashion.paper.papers import Paper
    from refashion.paper.tables import Column

K = TypeVar("K")


@dataclass(frozen=True)
class Measured:
    """A paper, and all that is known of its rows.

    ``summaries`` are by row id; ``runs`` by seed and row id; ``levels`` as
    :func:`refashion.judging.levels.load` reads them.
    """

    paper: Paper
    summaries: Mapping[str, Summary]
    runs: Mapping[int, Mapping[str, Run]]
    levels: PaperLevels

    def read_as(self, reading: Reading) -> Measured:
        """The same paper under a reading, by the names of its own rows."""
        names = _names(reading, [row.id for row in self.paper.rows])
        return Measured(
            _paper_as(self.paper, reading),
            _renamed(self.summaries, names),
            {seed: _renamed(of_seed, names) for seed, of_seed in self.runs.items()},
            PaperLevels(*(_levels_as(each, names) for each in vars(self.levels).values())),
        )


def _names(reading: Reading, rows: Iterable[str]) -> dict[str, str]:
    """By these rows of a paper, those that stand for them under a reading."""
    trained = {row.reading_of: row.id for row in reading.rows}
    return {row: trained.get(row, row) for row in rows}


def _renamed(known: Mapping[str, K], names: Mapping[str, str]) -> dict[str, K]:
    return {row: known[name] for row, name in names.items() if name in known}


def _levels_as(levels: Levels, names: Mapping[str, str]) -> Levels:
    protocols = [
        replace(each, rows=tuple(row for row, name in names.items() if name in each.rows))
        for each in levels.protocols
    ]
    return replace(levels, protocols=tuple(protocols))


def _paper_as(paper: Paper, reading: Reading) -> Paper:
    def column_as(column: Column) -> Column:
        named = {"metric": reading.named(column.metric), "at": reading.named(column.at)}
        return column.model_copy(update=named)

    trained = {row.reading_of: row for row in reading.rows}
    rows = [
        replace(trained.get(row.id, row), id=row.id, aliases=row.aliases, variant_of=row.variant_of)
        for row in paper.rows
    ]
    tables = [
        table.model_copy(update={"metrics": {k: column_as(c) for k, c in table.metrics.items()}})
        for table in paper.tables
    ]
    claims = [
        claim.model_copy(update={"test": tuple(part.read_as(reading.named) for part in claim.test)})
        for claim in paper.claims
    ]
    return replace(paper, rows=tuple(rows), tables=tuple(tables), claims=tuple(claims), studies=())


# ---- one reading --------------------------------------------------------------------------------


def _numbers_of(measured: Measured, rows: Sequence[str], margins: Margins) -> list[Number]:
    """Every published number of these rows beside what was measured."""
    found = excess_over_floor(measured.paper, measured.levels, measured.summaries)
    excess = {
        of: {whose: each.over[whose].excess if whose in each.over else None for whose in WHOSE}
        for of, each in found.items()
    }
    return [
        replace(number, excess=excess.get(number.statement))
        for number in published_numbers(measured.paper, measured.summaries, margins)
        if number.row in rows
    ]


@dataclass(frozen=True)
class Distance:
    """Of one kind of number the mean absolute difference from what is printed."""

    task: Task
    unit: Unit
    digits: int
    count: int
    distance: float | None


def distances(numbers: Sequence[Number], default: Sequence[Number]) -> list[Distance]:
    """By kind of number the distance from what is printed.

    It is taken over the numbers that the default reading has, so that readings are compared over
    the same ones, which both have in one order; it is None for a reading that lacks one of them.
    """
    both = zip(numbers, default, strict=True)
    taken = [number for number, of_default in both if of_default.difference is not None]
    found: list[Distance] = []
    for kind, members in grouped(taken, lambda number: number.kind).items():
        off = [n.difference for n in members if n.difference is not None]
        distance = float(np.mean(np.abs(off))) if len(off) == len(members) else None
        digits = max(number.digits for number in members)
        found.append(Distance(*kind, digits, len(members), distance))
    return found


@dataclass(frozen=True)
class Fate:
    """How the runs of a row ended: how many of the seeds were completed, and when others left."""

    row: str
    completed: int
    seeds: int
    diverged_at_epoch: tuple[int | None, ...]


def _fates(rows: Iterable[str], summaries: Mapping[str, Summary]) -> list[Fate]:
    """How the runs of these rows ended."""
    known = [(row, summaries.get(row)) for row in rows]
    return [
        Fate(row, of.completed, len(of.seeds), of.diverged_at_epoch) if of else Fate(row, 0, 0, ())
        for row, of in known
    ]


# ---- claims -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outcome:
    """How a claim fared: its verdict, the seeds that can test it, and those that it holds in."""

    verdict: ClaimVerdict
    seeds: tuple[int, ...]
    holds_in: tuple[int, ...]


@dataclass(frozen=True)
class Flip:
    """A claim that holds in all, in some or in no seeds, and under a reading otherwise."""

    claim: str
    default: Outcome
    reading: Outcome


def flips(default: Mapping[str, ClaimResult], read: Mapping[str, ClaimResult]) -> list[Flip]:
    """The claims that a reading changes, and not the width of an interval alone.

    What a reading cannot test says nothing: see :func:`untested`.
    """
    found: list[Flip] = []
    for claim, before in default.items():
        after = read[claim]
        opposite = {before.verdict, after.verdict} == {
            ClaimVerdict.HOLDS,
            ClaimVerdict.DOES_NOT_HOLD,
        }
        turned = opposite or _in_how_many(before) != _in_how_many(after)
        if turned and after.verdict != ClaimVerdict.NOT_TESTED:
            both = (Outcome(of.verdict, of.seeds, of.holds_in) for of in (before, after))
            found.append(Flip(claim, *both))
    return found


def _in_how_many(claim: ClaimResult) -> Literal["none", "some", "all"]:
    """Of its seeds it holds in."""
    if not claim.holds_in:
        return "none"
    return "all" if claim.holds_in == claim.seeds else "some"


def untested(default: Mapping[str, ClaimResult], read: Mapping[str, ClaimResult]) -> dict[str, str]:
    """Claims that are tested under the default reading alone, and why."""
    return {
        claim: read[claim].note
        for claim, before in default.items()
        if read[claim].verdict == ClaimVerdict.NOT_TESTED != before.verdict
    }


# ---- studies ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ReadingResult:
    """What became of a reading.

    ``runs`` are how they ended, ``flips`` the claims that it changes, ``untested`` those that its
    runs cannot test, and why.
    """

    id: str
    runs: list[Fate]
    numbers: list[Number]
    distances: list[Distance]
    flips: list[Flip]
    untested: dict[str, str]


@dataclass(frozen=True)
class Closest:
    """The reading that comes closest to one kind of number; None where but one has a distance."""

    task: Task
    unit: Unit
    reading: str | None


@dataclass(frozen=True)
class StudyResult:
    """The readings of a study, the default one first; ``claims`` are those about its rows."""

    assumption: str
    rows: list[str]
    claims: list[str]
    readings: list[ReadingResult]
    closest: list[Closest]


def compare(study: Study, measured: Measured, margins: Margins) -> StudyResult:
    """What the readings of one study come to."""
    claims = tuple(claims_about(study.rows, measured.paper))
    measured = replace(measured, paper=replace(measured.paper, claims=claims))
    readings = (Reading(DEFAULT, ""), *study.readings)
    under = [measured.read_as(reading) for reading in readings]
    varied = _varied(study, [_numbers_of(each, study.rows, margins) for each in under])
    numbers = [[of_readings[index] for of_readings in varied] for index in range(len(readings))]
    judged = [
        {of.id: of for of in verdicts.evaluate(each.paper, each.runs, each.levels.measured)}
        for each in under
    ]
    results = [
        ReadingResult(
            id=reading.id,
            runs=_fates(_names(reading, study.rows).values(), measured.summaries),
            numbers=of_reading,
            distances=distances(of_reading, numbers[0]),
            flips=flips(judged[0], read),
            untested=untested(judged[0], read),
        )
        for reading, of_reading, read in zip(readings, numbers, judged, strict=True)
    ]
    return StudyResult(study.assumption, [*study.rows], [*judged[0]], results, closest(results))


def _varied(study: Study, numbers: Sequence[Sequence[Number]]) -> list[tuple[Number, ...]]:
    """The numbers whose row some reading trains, or that it measures otherwise than the default.

    ``numbers`` are those of the default and of each reading; of one that several tables print the
    first is taken. The accuracy of a printed confusion matrix is none that a reading measures
    otherwise.

    Returns:
        Each as it is under the default and under each reading.
    """
    trained = {row.reading_of for row in study.trained}
    first: dict[Statement, tuple[Number, ...]] = {}
    for of_readings in zip(*numbers, strict=True):
        taken = of_readings[0]
        if taken.row in trained or len({(n.metric, n.at) for n in of_readings}) > 1:
            first.setdefault(taken.statement, of_readings)
    return list(first.values())


def closest(readings: Sequence[ReadingResult]) -> list[Closest]:
    """By kind of number the reading with the least distance; of equals the default."""
    found: list[Closest] = []
    for index, kind in enumerate(readings[0].distances):
        of_readings = {reading.id: reading.distances[index].distance for reading in readings}
        known = {name: distance for name, distance in of_readings.items() if distance is not None}
        nearest = min(known, key=known.__getitem__) if len(known) > 1 else None
        found.append(Closest(kind.task, kind.unit, nearest))
    return found


def evaluate(
    paper: Paper, results_root: Path, seeds: Sequence[int], levels: PaperLevels, margins: Margins
) -> list[StudyResult]:
    """What the readings of every study of a paper come to.

    Rows may be there under ``results_root``, ``results/<scale>``, or not; one that is not is said
    to be missing.
    """
    every = replace(paper, rows=(*paper.rows, *paper.study_rows), studies=())
    summaries, runs = load_summaries(every, results_root), read_runs(every, results_root, seeds)
    measured = Measured(paper, summaries, runs, levels)
    return [compare(study, measured, margins) for study in paper.studies]


def load(file: Path) -> dict[str, StudyResult]:
    """What the verb ``studies`` wrote, by assumption.

    Raises:
        UserError: it has not been written.
    """
    found = read_record(list[StudyResult], file, "compare the readings first")
    return {study.assumption: study for study in found}
