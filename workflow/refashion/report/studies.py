"""The studies: everything that their document prints, every number a string."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from refashion.judging import studies as comparison
from refashion.judging.excess import WHOSE
from refashion.judging.numbers import Kind, Number
from refashion.paper.studies import DEFAULT, Study, needed_rows
from refashion.report.frame import frame
from refashion.report.pictures import load_picture
from refashion.report.table import Cell, Column, Group, Panel, Table, alone
from refashion.report.tables import KINDS, compared_columns, with_unit
from refashion.results.paths import evidence_file
from refashion.results.summary import load_summaries
from refashion.text import NONE, capital, count, listed, rounded, sentence

if TYPE_CHECKING:
    from refashion.judging.studies import Distance, Fate, Outcome, StudyResult
    from refashion.paper.config import Config
    from refashion.paper.papers import Paper
    from refashion.results.provenance import Provenance

TITLE = "Sensitivity studies"


def build_context(
    config: Config, papers: Sequence[Paper], results_root: Path, run: Provenance
) -> dict[str, Any]:
    """All that ``studies.j2`` prints; papers without a study are left out.

    ``results_root`` is ``results/<scale>``, with each paper's ``studies.json`` and the figures;
    ``run`` comes from :func:`refashion.results.provenance.describe_run`.

    Raises:
        UserError: a figure has not been drawn, or the readings not compared.
    """
    root = Path(results_root)
    studied = [replace(p, rows=tuple(needed_rows(p))) for p in papers if p.studies]
    summaries = {paper.key: load_summaries(paper, root) for paper in studied}
    return frame(TITLE, config, run, studied, summaries) | {
        "papers": [
            {
                "key": paper.key,
                "title": " ".join(paper.citation.title.split()),
                "studies": _show_studies(paper, root),
            }
            for paper in studied
        ]
    }


def _show_studies(paper: Paper, results_root: Path) -> list[dict[str, Any]]:
    found = comparison.load(evidence_file(results_root, paper.key, "studies"))
    return [
        _show_study(paper, study, found[study.assumption], results_root) for study in paper.studies
    ]


def _show_study(
    paper: Paper, study: Study, found: StudyResult, results_root: Path
) -> dict[str, Any]:
    """A study in the order in which its document shows it."""
    assumption = next(each for each in paper.assumptions if each.id == study.assumption)
    question = sentence(assumption.question)
    anchor = f"{paper.key}-{study.assumption}"
    kinds = [KINDS[Kind(kind.task, kind.unit)][1] for kind in found.closest]
    return {
        "anchor": anchor,
        "question": question,
        "aim": sentence(study.aim),
        "assumption": study.assumption,
        "taken": sentence(assumption.taken),
        "rows": listed(study.rows),
        "readings": _tabulate_readings(anchor, study, found, kinds),
        "closest": [_closest(found, index, name) for index, name in enumerate(kinds)],
        "flipped": _flipped(found),
        "flips": _flips(paper, found),
        "untested": _untested(found),
        "picture": load_picture(
            results_root,
            f"{paper.key}/{study.assumption}",
            f"{question} Measured minus published, for each reading.",
            height=0.8,
        ),
        "numbers": _tabulate_numbers(anchor, found),
        "has_excess": _has_excess(found),
    }


def _tabulate_readings(
    anchor: str, study: Study, found: StudyResult, kinds: Sequence[str]
) -> Table:
    """A line a reading: how far it is from each kind of number, and what it changes."""
    texts = ["As taken.", *(sentence(reading.text) for reading in study.readings)]
    flips = [NONE, *(str(len(reading.flips)) for reading in found.readings[1:])]
    groups = alone(
        Column("Reading", [reading.id for reading in found.readings], "code"),
        Column("What it says", texts, print_width=0.32),
        *(
            Column(capital(kind), _distances(found, index), "number", print_width=0.09)
            for index, kind in enumerate(kinds)
        ),
        Column("Claims changed", flips, "number", print_width=0.08),
        Column("Runs completed", [_runs(each.runs) for each in found.readings], print_width=0.1),
    )
    return Table(f"{anchor}-readings", [Panel(groups)])


def _distances(found: StudyResult, index: int) -> list[Cell]:
    """How far each reading is from the numbers of a kind; the closest is the best."""
    closest = found.closest[index].reading
    return [
        Cell(rounded(off.distance, off.digits), best=reading == closest)
        for reading, off in _off(found, index).items()
    ]


def _off(found: StudyResult, index: int) -> dict[str, Distance]:
    return {reading.id: reading.distances[index] for reading in found.readings}


def _runs(fates: Sequence[Fate]) -> str:
    """``6 of 6``, and what did not come to its end."""
    if not any(fate.seeds for fate in fates):
        return "not run"
    said = [f"{sum(fate.completed for fate in fates)} of {sum(fate.seeds for fate in fates)}"]
    for fate in fates:
        if not fate.seeds:
            said.append(f"{fate.row} was not run")
        elif lost := fate.diverged_at_epoch:
            epochs = sorted({epoch for epoch in lost if epoch is not None})
            at = f" at epoch {' or '.join(map(str, epochs))}" if epochs else ""
            said.append(f"{fate.row} diverged{at} ({len(lost)} of {fate.seeds})")
    return "; ".join(said)


def _closest(found: StudyResult, index: int, name: str) -> str:
    """Which reading comes closest to one kind of number, and how far the default is off."""
    reading = found.closest[index].reading
    if reading is None:
        return f"{capital(name)}: no other reading has all of the numbers that the default has."
    off = _off(found, index)
    nearest, default = off[reading], off[DEFAULT]
    over = count(nearest.count, "number")
    reaches = f"{rounded(nearest.distance, nearest.digits)} on average over {over}"
    if reading == DEFAULT:
        return f"{capital(name)}: no reading comes closer than the default, off by {reaches}."
    return (
        f"{capital(name)}: {reading} is the closest, off by {reaches}; the default is off by "
        f"{rounded(default.distance, nearest.digits)}."
    )


def _tabulate_numbers(anchor: str, found: StudyResult) -> Table | None:
    """Every published number, with a line for each reading, of which the first names it."""
    by_number = list(zip(*(reading.numbers for reading in found.readings), strict=True))
    numbers = [number for of_readings in by_number for number in of_readings]
    if not numbers:
        return None

    def once(named: Callable[[Number], str]) -> list[str]:
        """The first line of a number's alone."""
        others = [""] * (len(found.readings) - 1)
        return [cell for first, *_ in by_number for cell in (named(first), *others)]

    readings = [reading.id for reading in found.readings] * len(by_number)
    excess = [
        Column(
            capital(whose),
            [rounded((number.excess or {}).get(whose), number.digits) for number in numbers],
            "number",
        )
        for whose in WHOSE
    ]
    groups = [
        *alone(
            Column("Row", once(lambda number: number.row), "code"),
            Column("In", once(lambda number: number.table)),
            Column("Number", once(lambda n: with_unit(n.label, n.unit)), print_width=0.1),
            Column("Reading", readings, "code"),
        ),
        Group([*compared_columns(numbers), Column("n", [str(n.n) for n in numbers], "number")]),
        *([Group(excess, "Excess")] if _has_excess(found) else []),
        *alone(Column("Verdict", [n.says for n in numbers], "verdict", print_width=0.15)),
    ]
    return Table(f"{anchor}-numbers", [Panel(groups)], long=True)


def _has_excess(found: StudyResult) -> bool:
    return any(number.excess for number in found.readings[0].numbers)


def _flips(paper: Paper, found: StudyResult) -> list[dict[str, Any]]:
    """The claims that some reading changes, in the paper's order, with what each makes of them."""
    verdicts: dict[str, list[tuple[str, str]]] = {}
    for reading in found.readings:
        for flip in reading.flips:
            said = verdicts.setdefault(flip.claim, [(DEFAULT, _verdict(flip.default))])
            said.append((reading.id, _verdict(flip.reading)))
    return [
        {"claim": claim.id, "text": sentence(claim.text), "verdicts": verdicts[claim.id]}
        for claim in paper.claims
        if claim.id in verdicts
    ]


def _untested(found: StudyResult) -> list[str]:
    """What the runs of a reading cannot say, and why."""
    return [
        f"Under {reading.id} {count(len(reading.untested), 'claim')} cannot be tested: "
        f"{' '.join(dict.fromkeys(reading.untested.values()))}"
        for reading in found.readings
        if reading.untested
    ]


def _verdict(judged: Outcome) -> str:
    """``? undecided, 0 of 1 seed for it``"""
    said = f"{judged.verdict.sign} {judged.verdict}"
    if not judged.seeds:
        return said
    return f"{said}, {len(judged.holds_in)} of {count(len(judged.seeds), 'seed')} for it"


def _flipped(found: StudyResult) -> str:
    """How many of the claims about the rows some reading changes."""
    about = f"{count(len(found.claims), 'claim')} about these rows"
    changed = {flip.claim for reading in found.readings for flip in reading.flips}
    if not found.claims:
        return "No claim of the paper is about these rows."
    if not changed:
        return f"No reading changes any of the {about}."
    return f"Of {about} a reading changes {len(changed)}:"
