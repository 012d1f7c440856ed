"""The studies: everything that their document prints, every number a string."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from refashion.judging import studies as comparison
from refashion.judging.claims import ClaimVerdict
from refashion.judging.numbers import Comparison, Kind, NumberVerdict
from refashion.paper.studies import DEFAULT, Study, needed_rows
from refashion.report.compared import KINDS, compared_columns, with_unit
from refashion.report.frame import frame
from refashion.report.pictures import Picture, load_picture
from refashion.report.table import Cell, Column, Group, Panel, Table, alone
from refashion.results.summary import Statistics, load_summaries
from refashion.text import NONE, capital, count, listed, rounded, sentence

if TYPE_CHECKING:
    from refashion.paper.config import Config
    from refashion.paper.papers import Paper
    from refashion.results.provenance import Provenance

TITLE = "Sensitivity studies"


@dataclass(frozen=True)
class Flip:
    """A claim that some reading changes: what the default, and each such reading, make of it."""

    claim: str
    text: str
    verdicts: list[tuple[str, str]]


@dataclass(frozen=True)
class StudyPart:
    """A study in the order in which its document shows it."""

    anchor: str
    question: str
    aim: str
    assumption: str
    taken: str
    rows: str
    readings: Table
    closest: list[str]
    flipped: str
    flips: list[Flip]
    untested: list[str]
    picture: Picture
    numbers: Table | None
    has_excess: bool


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


def _show_studies(paper: Paper, results_root: Path) -> list[StudyPart]:
    found = {study["assumption"]: study for study in comparison.load(paper, results_root)}
    return [
        _show_study(paper, study, found[study.assumption], results_root) for study in paper.studies
    ]


def _show_study(
    paper: Paper, study: Study, found: Mapping[str, Any], results_root: Path
) -> StudyPart:
    assumption = next(each for each in paper.assumptions if each.id == study.assumption)
    question = sentence(assumption.question)
    anchor = f"{paper.key}-{study.assumption}"
    kinds = [KINDS[Kind(kind["task"], kind["unit"])][1] for kind in found["closest"]]
    has_excess = any(number["excess"] for number in found["readings"][0]["numbers"])
    return StudyPart(
        anchor=anchor,
        question=question,
        aim=sentence(study.aim),
        assumption=study.assumption,
        taken=sentence(assumption.taken),
        rows=listed(study.rows),
        readings=_tabulate_readings(anchor, study, found, kinds),
        closest=[
            _closest(found, kind, name) for kind, name in zip(found["closest"], kinds, strict=True)
        ],
        flipped=_flipped(found),
        flips=_flips(paper, found),
        untested=_untested(found),
        picture=load_picture(
            results_root,
            f"{paper.key}/{study.assumption}",
            f"{question} Measured minus published, for each reading.",
            height=0.8,
        ),
        numbers=_tabulate_numbers(anchor, found, has_excess),
        has_excess=has_excess,
    )


def _tabulate_readings(
    anchor: str, study: Study, found: Mapping[str, Any], kinds: Sequence[str]
) -> Table:
    """A line a reading: how far it is from each kind of number, and what it changes."""
    compared = found["readings"]
    texts = ["As taken.", *(sentence(reading.text) for reading in study.readings)]
    flips = [NONE, *(str(len(reading["flips"])) for reading in compared[1:])]
    runs = [_runs(reading["runs"]) for reading in compared]
    groups = alone(
        Column("Reading", [reading["id"] for reading in compared], "code"),
        Column("What it says", texts, print_width=0.32),
        *(
            Column(capital(kind), _distances(found, index), "number", print_width=0.09)
            for index, kind in enumerate(kinds)
        ),
        Column("Claims changed", flips, "number", print_width=0.08),
        Column("Runs completed", runs, print_width=0.1),
    )
    return Table(f"{anchor}-readings", [Panel(groups)])


def _distances(found: Mapping[str, Any], index: int) -> list[Cell]:
    """How far each reading is from the numbers of a kind; the closest is the best."""
    closest = found["closest"][index]["reading"]
    distances = [(reading["id"], reading["distances"][index]) for reading in found["readings"]]
    return [
        Cell(rounded(off["distance"], off["digits"]), best=reading == closest)
        for reading, off in distances
    ]


def _runs(fates: Sequence[Mapping[str, Any]]) -> str:
    """``6 of 6``, and what did not come to its end."""
    if not any(fate["seeds"] for fate in fates):
        return "not run"
    said = [f"{sum(f['completed'] for f in fates)} of {sum(f['seeds'] for f in fates)}"]
    for fate in fates:
        if not fate["seeds"]:
            said.append(f"{fate['row']} was not run")
        elif lost := fate["diverged_at_epoch"]:
            epochs = sorted({epoch for epoch in lost if epoch is not None})
            at = f" at epoch {' or '.join(map(str, epochs))}" if epochs else ""
            said.append(f"{fate['row']} diverged{at} ({len(lost)} of {fate['seeds']})")
    return "; ".join(said)


def _closest(found: Mapping[str, Any], kind: Mapping[str, str], name: str) -> str:
    """Which reading comes closest to one kind of number, and how far the default is off."""
    if kind["reading"] is None:
        return f"{capital(name)}: no other reading has all of the numbers that the default has."
    where = found["closest"].index(kind)
    off = {reading["id"]: reading["distances"][where] for reading in found["readings"]}
    nearest, default = off[kind["reading"]], off[DEFAULT]
    digits = nearest["digits"]
    over = count(nearest["count"], "number")
    reaches = f"{rounded(nearest['distance'], digits)} on average over {over}"
    if kind["reading"] == DEFAULT:
        return f"{capital(name)}: no reading comes closer than the default, off by {reaches}."
    return (
        f"{capital(name)}: {kind['reading']} is the closest, off by {reaches}; the default is off "
        f"by {rounded(default['distance'], digits)}."
    )


def _tabulate_numbers(anchor: str, found: Mapping[str, Any], has_excess: bool) -> Table | None:
    """Every published number, with a line for each reading, of which the first names it."""
    readings = [reading["id"] for reading in found["readings"]]
    by_number = list(zip(*(reading["numbers"] for reading in found["readings"]), strict=True))
    numbers = [number for of_readings in by_number for number in of_readings]
    if not numbers:
        return None
    counts = [str(number["n"]) for number in numbers]
    verdicts = [_say_verdict(number) for number in numbers]
    unnamed = [("", "", "")] * (len(readings) - 1)
    rows, tables, names = zip(
        *(name for first, *_ in by_number for name in (_name(first), *unnamed)), strict=True
    )
    groups = [
        *alone(
            Column("Row", rows, "code"),
            Column("In", tables),
            Column("Number", names, print_width=0.1),
            Column("Reading", readings * len(by_number), "code"),
        ),
        Group([*compared_columns([_compare(n) for n in numbers]), Column("n", counts, "number")]),
        *([Group(_excess(numbers), "Excess")] if has_excess else []),
        *alone(Column("Verdict", verdicts, "verdict", print_width=0.15)),
    ]
    return Table(f"{anchor}-numbers", [Panel(groups)], long=True)


def _name(number: Mapping[str, Any]) -> tuple[str, str, str]:
    return number["row"], number["table"], with_unit(number["label"], number["unit"])


def _compare(number: Mapping[str, Any]) -> Comparison:
    over_seeds = Statistics.model_validate({k: number[k] for k in ("mean", "sd", "n", "values")})
    kept = (number[key] for key in ("interval", "difference"))
    return Comparison(number["published"], number["unit"], number["digits"], over_seeds, *kept)


def _say_verdict(number: Mapping[str, Any]) -> str:
    said = ": ".join(filter(None, (number["verdict"], number["reason"])))
    return f"{NumberVerdict(number['verdict']).sign} {said}"


def _excess(numbers: Sequence[Mapping[str, Any]]) -> list[Column]:
    return [
        Column(
            capital(whose),
            [rounded((n["excess"] or {}).get(whose), n["digits"]) for n in numbers],
            "number",
        )
        for whose in ("published", "measured")
    ]


def _flips(paper: Paper, found: Mapping[str, Any]) -> list[Flip]:
    """The claims that some reading changes, in the paper's order, with what each makes of them."""
    verdicts: dict[str, list[tuple[str, str]]] = {}
    for reading in found["readings"]:
        for flip in reading["flips"]:
            default = (DEFAULT, _verdict(flip["default"]))
            said = verdicts.setdefault(flip["claim"], [default])
            said.append((reading["id"], _verdict(flip["reading"])))
    return [
        Flip(claim.id, sentence(claim.text), verdicts[claim.id])
        for claim in paper.claims
        if claim.id in verdicts
    ]


def _untested(found: Mapping[str, Any]) -> list[str]:
    """What the runs of a reading cannot say, and why."""
    return [
        f"Under {reading['id']} {count(len(reading['untested']), 'claim')} cannot be tested: "
        f"{' '.join(dict.fromkeys(reading['untested'].values()))}"
        for reading in found["readings"]
        if reading["untested"]
    ]


def _verdict(judged: Mapping[str, Any]) -> str:
    """``? undecided, 0 of 1 seed for it``"""
    said = f"{ClaimVerdict(judged['verdict']).sign} {judged['verdict']}"
    if not judged["seeds"]:
        return said
    return f"{said}, {len(judged['holds_in'])} of {count(len(judged['seeds']), 'seed')} for it"


def _flipped(found: Mapping[str, Any]) -> str:
    """How many of the claims about the rows some reading changes."""
    claims, read = found["claims"], found["readings"][1:]
    changed = {flip["claim"] for reading in read for flip in reading["flips"]}
    if not claims:
        return "No claim of the paper is about these rows."
    if not changed:
        return f"No reading changes any of the {count(len(claims), 'claim')} about these rows."
    return f"Of {count(len(claims), 'claim')} about these rows a reading changes {len(changed)}:"
