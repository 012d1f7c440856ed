"""Readings compared: how near each comes to what is printed, and which claims it turns.

A reading is compared as the paper itself would be: its runs stand in for those of the rows that it
varies, and what it measures otherwise stands in the paper's tables and claims. Free of torch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from refashion.judging import numbers as judged
from refashion.judging.claims import verdicts
from refashion.judging.excess import excess_over_floor
from refashion.judging.levels import Levels, PaperLevels
from refashion.paper.claims import Claim, Part
from refashion.paper.studies import DEFAULT, Reading, Study, claims_about
from refashion.results.files import read_json
from refashion.results.paths import evidence_file
from refashion.results.run import Run, read_runs
from refashion.results.summary import Summary, load_summaries

if TYPE_CHECKING:
    from refashion.paper.config import Margins
    from refashion.paper.tables import Table


@dataclass(frozen=True)
class Measured:
    """A paper, and all that is known of its rows.

    ``summaries`` are by row id; ``runs`` by seed and row id; ``levels`` as
    :func:`refashion.judging.levels.load` reads them.
    """

    paper: Any
    summaries: Mapping[str, Summary]
    runs: Mapping[int, Mapping[str, Run]]
    levels: PaperLevels

    @classmethod
    def read(
        cls, paper: Any, results_root: Path, seeds: Sequence[int], levels: PaperLevels
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
        names = {row.reading_of: row.id for row in reading.rows}
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
    def part_as(part: Mapping[str, Any]) -> Part:
        named = {key: reading.named(part[key]) for key in ("at", "since", "minus") if key in part}
        metric = part.get("metric")
        if isinstance(metric, list):
            named["metric"] = [reading.named(each) for each in metric]
        elif metric is not None:
            named["metric"] = reading.named(metric)
        return Part.model_validate({**part, **named})

    parts = tuple(part_as(part.plain()) for part in claim.test)
    return claim.model_copy(update={"test": parts})


# ---- one reading --------------------------------------------------------------------------------


def published_numbers(
    measured: Measured, rows: Sequence[str], margins: Margins
) -> list[dict[str, Any]]:
    """Every published number of these rows beside what was measured.

    Returns:
        ``row``, ``table``, ``label``, ``metric`` and ``at``; ``task``, ``unit``, ``digits``;
        ``published``, ``mean``, ``sd``, ``n``, ``values`` (one a seed), ``interval``,
        ``difference``, ``verdict`` and ``reason`` as in :mod:`refashion.judging.numbers`; and
        ``excess`` over the floor, {published, measured}, or None where there is no floor. Losses
        as they are, accuracies in percent.
    """
    lines = excess_over_floor(measured.paper, measured.levels, measured.summaries)
    excess = {
        (line.row, line.column.metric, line.column.at, line.published.error): {
            whose: (over := line.of(whose)) and over.excess for whose in ("published", "measured")
        }
        for line in lines
        if line.published
    }
    numbers = []
    for number in judged.published_numbers(measured.paper, measured.summaries, margins):
        row, metric, at = number.row, number.column.metric, number.column.at
        if row.id not in rows:
            continue
        numbers.append(
            {"row": row.id, "table": number.place.label, "label": number.column.label}
            | {"metric": metric, "at": at, "task": row.task, "unit": number.unit}
            | {"digits": number.digits, "published": number.published}
            | number.measured.model_dump(mode="json")
            | {"interval": number.interval, "difference": number.difference}
            | {"verdict": number.verdict, "reason": number.reason}
            | {"excess": excess.get((row.id, metric, at, number.published))}
        )
    return numbers


def identity(number: Mapping[str, Any]) -> tuple[str, str, str]:
    """What tells a published number from others, however a reading measures it."""
    return number["row"], number["table"], number["label"]


def once(numbers: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The numbers without those that an earlier table prints alike."""
    first: dict[tuple, Mapping[str, Any]] = {}
    for number in numbers:
        what = tuple(number[key] for key in ("row", "metric", "at", "published"))
        first.setdefault(what, number)
    return list(first.values())


def distances(
    numbers: Sequence[Mapping[str, Any]], default: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """By kind of number the mean absolute difference from what is printed.

    It is taken over the numbers that the default reading has, so that readings are compared over
    the same ones; it is None for a reading that lacks one of them.
    """
    differences = {identity(number): number["difference"] for number in numbers}
    kinds: dict[tuple[str, str], list[Mapping]] = {}
    for number in default:
        if number["difference"] is not None:
            kinds.setdefault((number["task"], number["unit"]), []).append(number)
    found = []
    for (task, unit), members in kinds.items():
        own = [differences.get(identity(member)) for member in members]
        found.append(
            {
                "task": task,
                "unit": unit,
                "digits": max(member["digits"] for member in members),
                "count": len(members),
                "distance": None if None in own else float(np.mean(np.abs(own))),
            }
        )
    return found


def _fates(study: Study, reading: Reading | None, summaries: Mapping[str, Summary]) -> list[dict]:
    """How the runs ended that a reading is measured on."""
    names = {row.reading_of: row.id for row in reading.rows} if reading else {}
    fates = []
    for row in (names.get(row, row) for row in study.rows):
        summary = summaries.get(row)
        fate = {"row": row, "completed": 0, "seeds": 0, "diverged_at_epoch": []}
        if summary:
            fate |= {"completed": summary.completed, "seeds": len(summary.seeds)}
            fate["diverged_at_epoch"] = list(summary.diverged_at_epoch)
        fates.append(fate)
    return fates


# ---- claims -------------------------------------------------------------------------------------


def evaluate_claims(measured: Measured, claims: Iterable[str]) -> dict[str, dict[str, Any]]:
    """The verdicts on the claims with these ids, by id."""
    wanted = set(claims)
    tested = [claim for claim in measured.paper.claims if claim.id in wanted]
    judged = verdicts.evaluate_claims(
        replace(measured.paper, claims=tested), measured.runs, measured.levels.measured
    )
    return {claim["id"]: claim for claim in judged}


def flips(
    default: Mapping[str, Mapping[str, Any]], read: Mapping[str, Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """The claims that hold in all, in some or in no seeds, and under a reading otherwise.

    A verdict that an interval's width alone changes is none that a reading does.

    Each has ``claim``, and under ``default`` and ``reading`` the ``verdict``, ``seeds`` and
    ``holds_in``. A claim that the reading's runs cannot test is not changed by it, see
    :func:`untested`.
    """
    kept = ("verdict", "seeds", "holds_in")
    return [
        {
            "claim": claim,
            "default": {key: before[key] for key in kept},
            "reading": {key: read[claim][key] for key in kept},
        }
        for claim, before in default.items()
        if read[claim]["verdict"] != verdicts.NOT_TESTED and _flipped(before, read[claim])
    ]


def untested(
    default: Mapping[str, Mapping[str, Any]], read: Mapping[str, Mapping[str, Any]]
) -> dict[str, str]:
    """Claims that are tested under the default reading alone, and why."""
    return {
        claim: read[claim]["note"]
        for claim, before in default.items()
        if read[claim]["verdict"] == verdicts.NOT_TESTED != before["verdict"]
    }


def _flipped(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    opposite = {before["verdict"], after["verdict"]} == {verdicts.HOLDS, verdicts.DOES_NOT_HOLD}
    return opposite or _in_how_many(before) != _in_how_many(after)


def _in_how_many(judged: Mapping[str, Any]) -> str:
    if not judged["holds_in"]:
        return "none"
    return "all" if len(judged["holds_in"]) == len(judged["seeds"]) else "some"


# ---- studies ------------------------------------------------------------------------------------


def compare(study: Study, measured: Measured, margins: Margins) -> dict[str, Any]:
    """One study, as JSON can hold it.

    Returns:
        ``assumption``; ``rows``; ``claims``, the ids of those about them; ``readings``, the default
        one first, each with ``id``, ``runs`` (how they ended), ``numbers`` (see
        :func:`published_numbers`), ``distances``, ``flips`` and ``untested`` (see the functions of
        these names); and ``closest``, see :func:`closest`.
    """
    claims = [claim.id for claim in claims_about(study.rows, measured.paper)]
    as_taken = evaluate_claims(measured, claims)
    read = [(None, measured), *((reading, measured.read_as(reading)) for reading in study.readings)]
    numbers = [published_numbers(under, study.rows, margins) for _, under in read]
    printed = {identity(number): number for number in once(numbers[0])}
    which = _varied(study, numbers) & set(printed)
    default = [number for name, number in printed.items() if name in which]
    readings = []
    for (reading, under), of_reading in zip(read, numbers, strict=True):
        compared = [number for number in of_reading if identity(number) in which]
        judged = evaluate_claims(under, claims)
        readings.append(
            {
                "id": reading.id if reading else DEFAULT,
                "runs": _fates(study, reading, measured.summaries),
                "numbers": compared,
                "distances": distances(compared, default),
                "flips": flips(as_taken, judged),
                "untested": untested(as_taken, judged),
            }
        )
    return {
        "assumption": study.assumption,
        "rows": list(study.rows),
        "claims": claims,
        "readings": readings,
        "closest": closest(readings),
    }


def _varied(study: Study, numbers: Sequence[Sequence[Mapping[str, Any]]]) -> set[tuple]:
    """The numbers whose row some reading trains, or that it measures otherwise than the default.

    ``numbers`` are those of the default and of each reading. The accuracy of a printed confusion
    matrix is none that a reading measures otherwise.
    """
    trained = {row.reading_of for reading in study.readings for row in reading.rows}
    default, *others = numbers
    as_taken = {identity(number): (number["metric"], number["at"]) for number in default}
    return {identity(number) for number in default if number["row"] in trained} | {
        identity(number)
        for of_reading in others
        for number in of_reading
        if (number["metric"], number["at"]) != as_taken[identity(number)]
    }


def closest(readings: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """By kind of number (``task``, ``unit``) the ``reading`` with the least distance.

    Of equals it is the first, so the default; it is None where but one has a distance.
    """
    found = []
    for index, kind in enumerate(readings[0]["distances"]):
        known = [
            (reading["distances"][index]["distance"], reading["id"])
            for reading in readings
            if reading["distances"][index]["distance"] is not None
        ]
        nearest = min(known, key=lambda known: known[0])[1] if len(known) > 1 else None
        found.append({"task": kind["task"], "unit": kind["unit"], "reading": nearest})
    return found


def evaluate(
    paper: Any,
    results_root: Path,
    seeds: Sequence[int],
    levels: Mapping[str, Any],
    margins: Margins,
) -> list[dict[str, Any]]:
    """Every study of a paper, as :func:`compare` returns it.

    Args:
        paper: its rows may be there or not; one that is not is said to be missing.
        results_root: ``results/<scale>``.
        seeds: the runs to compare.
        levels: as :func:`refashion.judging.levels.load` reads them.
        margins: the configuration's.
    """
    measured = Measured.read(paper, results_root, seeds, levels)
    return [compare(study, measured, margins) for study in paper.studies]


def load(paper: Any, results_root: Path) -> list[dict[str, Any]]:
    """What the verb ``studies`` wrote.

    Raises:
        UserError: it has not been written.
    """
    file = evidence_file(results_root, paper.key, "studies")
    return read_json(file, "compare the readings first")
