"""The studies' document: its context, every number a string, for the templates in both formats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from refashion.judging import studies as comparison
from refashion.judging.claims.verdicts import ClaimVerdict
from refashion.judging.numbers import Comparison, NumberVerdict
from refashion.paper.studies import DEFAULT, Reading, Study, needed_rows
from refashion.report.page import BANNER, KINDS, drawn, how_it_was_run, seeds_run
from refashion.results.summary import Statistics, load_summaries
from refashion.text import NONE, capital, count, listed, rounded, sentence

if TYPE_CHECKING:
    from refashion.paper.config import Config
    from refashion.results.provenance import Provenance

TITLE = "Sensitivity studies"


def build_context(
    config: Config,
    papers: Sequence[Any],
    results_root: Path,
    scale: str,
    run: Provenance,
) -> dict[str, Any]:
    """All that the templates of the studies print; papers without a study are left out.

    ``results_root`` is ``results/<scale>``, with each paper's ``studies.json`` and the figures;
    ``run`` comes from :func:`refashion.results.provenance.describe_run`.

    Raises:
        UserError: a figure has not been drawn, or the readings not compared.
    """
    root = Path(results_root)
    studied = [replace(p, rows=tuple(needed_rows(p))) for p in papers if p.studies]
    summaries = {paper.key: load_summaries(paper, root) for paper in studied}
    return {
        "title": TITLE,
        "smoke": scale == "smoke",
        "banner": BANNER if scale == "smoke" else "",
        "date": run.date,
        "spread": seeds_run(config.seeds),
        "papers": [_paper(paper, root) for paper in studied],
        "run": how_it_was_run(run, config, scale, studied, summaries),
    }


def _paper(paper: Any, results_root: Path) -> dict[str, Any]:
    found = {study["assumption"]: study for study in comparison.load(paper, results_root)}
    return {
        "key": paper.key,
        "title": " ".join(paper.citation.title.split()),
        "studies": [
            _study(paper, study, found[study.assumption], results_root) for study in paper.studies
        ],
    }


def _study(
    paper: Any, study: Study, found: Mapping[str, Any], results_root: Path
) -> dict[str, Any]:
    assumption = next(each for each in paper.assumptions if each.id == study.assumption)
    question = sentence(assumption.question)
    kinds = [KINDS[kind["task"], kind["unit"]][1] for kind in found["closest"]]
    return {
        "anchor": f"{paper.key}-{study.assumption}",
        "assumption": study.assumption,
        "question": question,
        "aim": sentence(study.aim),
        "taken": sentence(assumption.taken),
        "rows": listed(study.rows),
        "kinds": [capital(kind) for kind in kinds],
        "readings": [
            _reading(study, index, found, kinds) for index in range(len(found["readings"]))
        ],
        "closest": [
            _closest(found, kind, name) for kind, name in zip(found["closest"], kinds, strict=True)
        ],
        "excess": any(number["excess"] for number in found["readings"][0]["numbers"]),
        "numbers": _numbers(found),
        "flipped": _flipped(found),
        "flips": _flips(paper, found),
        "untested": _untested(found),
        "figure": drawn(results_root, f"{paper.key}/{study.assumption}")
        | {"alt": f"{question} Measured minus published, for each reading."},
    }


def _reading(
    study: Study, index: int, found: Mapping[str, Any], kinds: Sequence[str]
) -> dict[str, Any]:
    compared = found["readings"][index]
    reading = study.readings[index - 1] if index else Reading(DEFAULT, "As taken.")
    flips = compared["flips"]
    return {
        "id": reading.id,
        "text": sentence(reading.text),
        "distances": [
            {
                "text": rounded(kind["distance"], kind["digits"]),
                "closest": closest["reading"] == reading.id,
            }
            for kind, closest in zip(compared["distances"], found["closest"], strict=True)
        ],
        "flips": str(len(flips)) if index else NONE,
        "runs": _runs(compared["runs"]),
    }


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


def _numbers(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A group of lines for each published number, one for each reading."""
    groups = []
    for index, number in enumerate(found["readings"][0]["numbers"]):
        groups.append(
            {
                "row": number["row"],
                "table": number["table"],
                "metric": number["label"] + (", %" if number["unit"] == "percent" else ""),
                "lines": [
                    _line(reading["id"], reading["numbers"][index]) for reading in found["readings"]
                ],
            }
        )
    return groups


def _line(reading: str, number: Mapping[str, Any]) -> dict[str, Any]:
    excess = number["excess"] or {"published": None, "measured": None}
    over_seeds = Statistics.model_validate({k: number[k] for k in ("mean", "sd", "n", "values")})
    kept = (number[key] for key in ("interval", "difference"))
    compared = Comparison(number["published"], number["unit"], number["digits"], over_seeds, *kept)
    return {
        "reading": reading,
        "published": compared.as_printed,
        "measured": compared.as_measured,
        "difference": compared.off,
        "n": str(number["n"]),
        "excess": [rounded(excess[whose], number["digits"]) for whose in ("published", "measured")],
        "verdict": ": ".join(filter(None, (number["verdict"], number["reason"]))),
        "sign": NumberVerdict(number["verdict"]).sign,
    }


def _flips(paper: Any, found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The claims that some reading changes, in the paper's order, with what each makes of them."""
    changed: dict[str, list[tuple[str, Mapping]]] = {}
    for reading in found["readings"]:
        for flip in reading["flips"]:
            changed.setdefault(flip["claim"], []).append((reading["id"], flip))
    return [
        {
            "claim": claim.id,
            "text": sentence(claim.text),
            "default": _verdict(changed[claim.id][0][1]["default"]),
            "readings": [(name, _verdict(flip["reading"])) for name, flip in changed[claim.id]],
        }
        for claim in paper.claims
        if claim.id in changed
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
