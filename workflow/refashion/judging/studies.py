"""Readings compared: how near each comes to what is printed, and which claims it turns.

A reading is compared as the paper itself would be: its runs stand in for those of the rows that it
varies, and what it measures otherwise stands in the paper's tables and claims. Free of torch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from refashion.judging import claims as verdicts
from refashion.judging import numbers as judged
from refashion.judging.claims import ClaimResult, ClaimVerdict
from refashion.judging.excess import excess_over_floor
from refashion.judging.levels import Levels, PaperLevels
from refashion.paper.studies import DEFAULT, Reading, Study, claims_about
from refashion.results.files import read_json
from refashion.results.paths import evidence_file
from refashion.results.run import Run, read_runs
from refashion.results.summary import Summary, load_summaries

if TYPE_CHECKING:
    from refashion.judging.numbers import NumberVerdict
    from refashion.paper.claims import Claim
    from refashion.paper.config import Margins
    from refashion.paper.metric import Unit
    from refashion.paper.papers import Paper
    from refashion.paper.spec import Task
    from refashion.paper.tables import Table


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

    @classmethod
    def read(
        cls, paper: Paper, results_root: Path, seeds: Sequence[int], levels: PaperLevels
    ) -> Measured:
        """What there is of the paper's rows, and of those of its studies."""
        every = replace(paper, rows=(*paper.rows, *paper.study_rows), studies=())
        return cls(
            paper,
            load_summaries(every, results_root),
            read_runs(every, results_root, seeds),
            levels,
        )

    def read_as(self, reading: Reading) -> Measured:
        """The same paper under a reading, by the names of its own rows."""
        names = _names(reading)
        rows = {row.reading_of: row for row in reading.rows}
        return Measured(
            replace(
                self.paper,
                rows=tuple(
                    replace(
                        rows.get(row.id, row),
                        id=row.id,
                        aliases=row.aliases,
                        variant_of=row.variant_of,
                    )
                    for row in self.paper.rows
                ),
                tables=tuple(_table_as(table, reading) for table in self.paper.tables),
                claims=tuple(_claim_as(claim, reading) for claim in self.paper.claims),
                studies=(),
            ),
            _renamed(self.summaries, names),
            {seed: _renamed(of_seed, names) for seed, of_seed in self.runs.items()},
            PaperLevels(
                _levels_as(self.levels.published, names), _levels_as(self.levels.measured, names)
            ),
        )


def _names(reading: Reading | None) -> dict[str, str]:
    """The rows that a reading trains, by those that they stand for."""
    rows = reading.rows if reading else ()
    return {row.reading_of: row.id for row in rows if row.reading_of}


def _renamed(of_rows: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """What is known of a reading's rows, by the rows that they stand for."""
    others = {row: known for row, known in of_rows.items() if row not in names}
    return others | {base: of_rows[row] for base, row in names.items() if row in of_rows}


def _levels_as(levels: Levels, names: Mapping[str, str]) -> Levels:
    def renamed(rows: Iterable[str]) -> tuple[str, ...]:
        rows = set(rows)
        bases = [base for base, row in names.items() if row in rows]
        return (*sorted(rows - set(names)), *bases)

    protocols = (replace(protocol, rows=renamed(protocol.rows)) for protocol in levels.protocols)
    return replace(levels, protocols=tuple(protocols))


def _table_as(table: Table, reading: Reading) -> Table:
    metrics = {
        key: column.model_copy(
            update={name: reading.named(getattr(column, name)) for name in ("metric", "at")}
        )
        for key, column in table.metrics.items()
    }
    return table.model_copy(update={"metrics": metrics})


def _claim_as(claim: Claim, reading: Reading) -> Claim:
    parts = tuple(part.read_as(reading.named) for part in claim.test)
    return claim.model_copy(update={"test": parts})


# ---- one reading --------------------------------------------------------------------------------


@dataclass(frozen=True)
class OverFloor:
    """An error minus its floor, as published and as measured."""

    published: float | None
    measured: float | None


@dataclass(frozen=True)
class ReadNumber:
    """A published number beside what was measured under a reading.

    ``table`` and ``label`` are as printed; from ``published`` on it is as in
    :mod:`refashion.judging.numbers`, ``values`` one a seed. Losses as they are, accuracies in
    percent. ``excess`` is None where there is no floor.
    """

    row: str
    table: str
    label: str
    metric: str
    at: str
    task: Task
    unit: Unit
    digits: int
    published: float | None
    mean: float | None
    sd: float | None
    n: int
    values: tuple[float, ...]
    interval: tuple[float, float] | None
    difference: float | None
    verdict: NumberVerdict
    reason: str
    excess: OverFloor | None

    @property
    def identity(self) -> tuple[str, str, str]:
        """What tells it from others, however a reading measures it."""
        return self.row, self.table, self.label


def published_numbers(
    measured: Measured, rows: Sequence[str], margins: Margins
) -> list[ReadNumber]:
    """Every published number of these rows beside what was measured."""
    excess: dict[tuple[str, str, str, float | None], OverFloor] = {
        (line.row, line.column.metric, line.column.at, line.published.error): OverFloor(
            line.published.excess, line.measured.excess if line.measured else None
        )
        for line in excess_over_floor(measured.paper, measured.levels, measured.summaries)
        if line.published
    }
    return [
        ReadNumber(
            row=number.row.id,
            table=number.place.label,
            label=number.column.label,
            metric=number.column.metric,
            at=number.column.at,
            task=number.row.task,
            unit=number.unit,
            digits=number.digits,
            published=number.published,
            **vars(number.measured),
            interval=number.interval,
            difference=number.difference,
            verdict=number.verdict,
            reason=number.reason,
            excess=excess.get(
                (number.row.id, number.column.metric, number.column.at, number.published)
            ),
        )
        for number in judged.published_numbers(measured.paper, measured.summaries, margins)
        if number.row.id in rows
    ]


def once(numbers: Sequence[ReadNumber]) -> list[ReadNumber]:
    """The numbers without those that an earlier table prints alike."""
    first: dict[tuple[Any, ...], ReadNumber] = {}
    for number in numbers:
        first.setdefault((number.row, number.metric, number.at, number.published), number)
    return list(first.values())


@dataclass(frozen=True)
class Distance:
    """Of one kind of number the mean absolute difference from what is printed."""

    task: Task
    unit: Unit
    digits: int
    count: int
    distance: float | None


def distances(numbers: Sequence[ReadNumber], default: Sequence[ReadNumber]) -> list[Distance]:
    """By kind of number the distance from what is printed.

    It is taken over the numbers that the default reading has, so that readings are compared over
    the same ones; it is None for a reading that lacks one of them.
    """
    differences = {number.identity: number.difference for number in numbers}
    kinds: dict[tuple[Task, Unit], list[ReadNumber]] = {}
    for number in default:
        if number.difference is not None:
            kinds.setdefault((number.task, number.unit), []).append(number)
    found: list[Distance] = []
    for (task, unit), members in kinds.items():
        own = [differences.get(member.identity) for member in members]
        known = [each for each in own if each is not None]
        distance = float(np.mean(np.abs(known))) if len(known) == len(own) else None
        digits = max(member.digits for member in members)
        found.append(Distance(task, unit, digits, len(members), distance))
    return found


@dataclass(frozen=True)
class Fate:
    """How the runs of a row ended: how many of the seeds were completed, and when others left."""

    row: str
    completed: int
    seeds: int
    diverged_at_epoch: tuple[int | None, ...]


def _fates(study: Study, reading: Reading | None, summaries: Mapping[str, Summary]) -> list[Fate]:
    """How the runs ended that a reading is measured on."""
    names = _names(reading)
    fates: list[Fate] = []
    for row in (names.get(row, row) for row in study.rows):
        of = summaries.get(row)
        ended = (of.completed, len(of.seeds), of.diverged_at_epoch) if of else (0, 0, ())
        fates.append(Fate(row, *ended))
    return fates


# ---- claims -------------------------------------------------------------------------------------


def evaluate_claims(measured: Measured, claims: Iterable[str]) -> dict[str, ClaimResult]:
    """The verdicts on the claims with these ids, by id."""
    wanted = set(claims)
    tested = tuple(claim for claim in measured.paper.claims if claim.id in wanted)
    judged = verdicts.evaluate(
        replace(measured.paper, claims=tested), measured.runs, measured.levels.measured
    )
    return {claim.id: claim for claim in judged}


@dataclass(frozen=True)
class Outcome:
    """How a claim fared: its verdict, the seeds that can test it, and those that it holds in."""

    verdict: ClaimVerdict
    seeds: tuple[int, ...]
    holds_in: tuple[int, ...]

    @classmethod
    def of(cls, result: ClaimResult) -> Outcome:
        return cls(result.verdict, result.seeds, result.holds_in)

    @property
    def in_how_many(self) -> Literal["none", "some", "all"]:
        if not self.holds_in:
            return "none"
        return "all" if len(self.holds_in) == len(self.seeds) else "some"


@dataclass(frozen=True)
class Flip:
    """A claim that holds in all, in some or in no seeds, and under a reading otherwise."""

    claim: str
    default: Outcome
    reading: Outcome

    @property
    def is_one(self) -> bool:
        """A verdict that an interval's width alone changes is none that a reading does."""
        if self.reading.verdict == ClaimVerdict.NOT_TESTED:  # it says nothing: see ``untested``
            return False
        opposite = {ClaimVerdict.HOLDS, ClaimVerdict.DOES_NOT_HOLD}
        return (
            self.default.in_how_many != self.reading.in_how_many
            or {self.default.verdict, self.reading.verdict} == opposite
        )


def flips(default: Mapping[str, ClaimResult], read: Mapping[str, ClaimResult]) -> list[Flip]:
    """The claims that a reading changes."""
    compared = [
        Flip(claim, Outcome.of(before), Outcome.of(read[claim]))
        for claim, before in default.items()
    ]
    return [flip for flip in compared if flip.is_one]


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
    numbers: list[ReadNumber]
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
    claims = [claim.id for claim in claims_about(study.rows, measured.paper)]
    as_taken = evaluate_claims(measured, claims)
    read = [(None, measured), *((reading, measured.read_as(reading)) for reading in study.readings)]
    numbers = [published_numbers(under, study.rows, margins) for _, under in read]
    printed = {number.identity: number for number in once(numbers[0])}
    which = _varied(study, numbers) & set(printed)
    default = [number for name, number in printed.items() if name in which]
    readings: list[ReadingResult] = []
    for (reading, under), of_reading in zip(read, numbers, strict=True):
        compared = [number for number in of_reading if number.identity in which]
        judged = evaluate_claims(under, claims)
        readings.append(
            ReadingResult(
                id=reading.id if reading else DEFAULT,
                runs=_fates(study, reading, measured.summaries),
                numbers=compared,
                distances=distances(compared, default),
                flips=flips(as_taken, judged),
                untested=untested(as_taken, judged),
            )
        )
    return StudyResult(study.assumption, [*study.rows], claims, readings, closest(readings))


def _varied(study: Study, numbers: Sequence[Sequence[ReadNumber]]) -> set[tuple[str, str, str]]:
    """The numbers whose row some reading trains, or that it measures otherwise than the default.

    ``numbers`` are those of the default and of each reading. The accuracy of a printed confusion
    matrix is none that a reading measures otherwise.
    """
    trained = {row.reading_of for reading in study.readings for row in reading.rows}
    default, *others = numbers
    as_taken = {number.identity: (number.metric, number.at) for number in default}
    return {number.identity for number in default if number.row in trained} | {
        number.identity
        for of_reading in others
        for number in of_reading
        if (number.metric, number.at) != as_taken[number.identity]
    }


def closest(readings: Sequence[ReadingResult]) -> list[Closest]:
    """By kind of number the reading with the least distance; of equals the default."""
    found: list[Closest] = []
    for index, kind in enumerate(readings[0].distances):
        known = [
            (distance, reading.id)
            for reading in readings
            if (distance := reading.distances[index].distance) is not None
        ]
        nearest = min(known, key=lambda known: known[0])[1] if len(known) > 1 else None
        found.append(Closest(kind.task, kind.unit, nearest))
    return found


def evaluate(
    paper: Paper,
    results_root: Path,
    seeds: Sequence[int],
    levels: PaperLevels,
    margins: Margins,
) -> list[StudyResult]:
    """What the readings of every study of a paper come to.

    Args:
        paper: its rows may be there or not; one that is not is said to be missing.
        results_root: ``results/<scale>``.
        seeds: the runs to compare.
        levels: as :func:`refashion.judging.levels.load` reads them.
        margins: the configuration's.
    """
    measured = Measured.read(paper, results_root, seeds, levels)
    return [compare(study, measured, margins) for study in paper.studies]


def load(paper: Paper, results_root: Path) -> list[dict[str, Any]]:
    """What the verb ``studies`` wrote.

    Raises:
        UserError: it has not been written.
    """
    file = evidence_file(results_root, paper.key, "studies")
    return read_json(file, "compare the readings first")
