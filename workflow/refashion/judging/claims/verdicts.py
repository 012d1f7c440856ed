"""Claims of the papers, tested on what was measured.

A claim's test is a list of parts. A part is a form, such as ``best`` or ``below``, over named rows
and a metric. From the runs of one seed a form computes *effects*, one for every row, competitor,
step or class that the part is about: by how much the part holds there, in the metric's own unit;
above 0 it holds, below 0 it does not. The part holds in a seed if all its effects are above 0;
under ``not``, which turns their signs, if one is.

The verdict on an effect comes from its values over the seeds that can test all parts of the claim
(but those that none can), so that rows are compared seed by seed: ``holds`` or ``does not hold`` if
there are two seeds or more and the 95 % confidence interval of the mean (Student's t) lies above or
below 0; ``undecided`` otherwise, so with one seed always; ``not tested`` if a row was not run,
diverged, or lacks what is asked for; but to diverge is one way to fail, and counts as the largest
effect of the other seeds, or as the whole of the level. Losses that are less than a millionth apart
are the same. The mean is that of the seeds' effects, which for a form that is not linear in the
metric (``near``, ``alike``, ``fails``) is not the effect of the mean metrics. A part needs all its
effects to hold (under ``not``, one), and a claim as many parts as it says, or all. What needs k of
its members to hold holds if k do; it does not hold if so many do not that k are out of reach; else
it is not tested if a member was not, and else undecided. Intervals are not corrected for their
number: where all must hold, none is due; that one of many does not hold can be chance more often
than one interval's 2.5 %.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from refashion.judging.claims.forms import Levels, effects, unit
from refashion.judging.statistics import mean_interval
from refashion.paper.claim_words import describe
from refashion.paper.claims import metrics_of
from refashion.results.files import read_json
from refashion.results.paths import evidence_file
from refashion.results.run import NotTestedError, Run, read_runs
from refashion.results.summary import statistics
from refashion.text import listed

if TYPE_CHECKING:
    from refashion.judging import levels as images

HOLDS, DOES_NOT_HOLD, UNDECIDED, NOT_TESTED = VERDICTS = (
    "holds",
    "does not hold",
    "undecided",
    "not tested",
)
SAME_LOSS = 1e-6


def judge(values: Sequence[float]) -> str:
    """The verdict on an effect from its values, one a seed."""
    interval = mean_interval(values)
    if interval and interval[0] > 0:
        return HOLDS
    return DOES_NOT_HOLD if interval and interval[1] < 0 else UNDECIDED


def combine(verdicts: Sequence[str], needs: int) -> str:
    """The verdict on what holds if ``needs`` of its members do."""
    if verdicts.count(HOLDS) >= needs:
        return HOLDS
    if len(verdicts) - verdicts.count(DOES_NOT_HOLD) < needs:
        return DOES_NOT_HOLD
    return NOT_TESTED if NOT_TESTED in verdicts else UNDECIDED


def parts_of(claim: Mapping[str, Any], paper: Any) -> list[dict[str, Any]]:
    """The parts of a claim's test, each with one metric, and with rows by their ids."""
    parts = []
    for part in (part.plain() for part in claim.test):
        if "row" in part:
            part["row"] = paper.row(part["row"]).id
        for key in ("rows", "among"):
            if key in part:
                part[key] = [paper.row(row).id for row in part[key]]
        parts += [part | {"metric": metric} for metric in metrics_of(part)] or [part]
    return parts


def evaluate_claim(
    claim: Mapping[str, Any],
    paper: Any,
    runs: Mapping[int, Mapping[str, Run]],
    levels: Levels | None = None,
) -> dict[str, Any]:
    """What the runs say about one claim.

    Args:
        claim: as in the paper's YAML.
        paper: whose rows the claim names.
        runs: by seed and row id.
        levels: gives the reference level of a row id, a metric and a level's name.

    Returns:
        ``id``; ``verdict``; ``note``, why it is not tested or undecided, if there is more to say;
        the ``seeds`` that all parts have, and those of them it ``holds_in``; ``needs``; and
        ``parts``, each with ``test`` (the YAML's), ``tested`` (in words), ``verdict``, ``note``,
        ``unit``, ``seeds``, ``holds_in``, ``effects`` (by what they are of, a value a seed), and of
        the one that ``decides`` its name, statistics and ``interval``.
    """
    if not claim.test:
        verdict, note = NOT_TESTED, claim.untestable or "No test of it is written."
        empty = {"seeds": [], "holds_in": [], "needs": 0, "parts": []}
        return {"id": claim.id, "verdict": verdict, "note": note} | empty
    measured = [_measure(part, runs, levels) for part in parts_of(claim, paper)]
    # A part that no seed can test leaves the others theirs.
    common = [seed for seed in runs if all(seed in one.by_seed for one in measured if one.by_seed)]
    parts = [_evaluate_part(one, common, of_all=len(runs)) for one in measured]
    needs = claim.needs or len(parts)
    seeds = common if all(part["seeds"] for part in parts) else []
    return {
        "id": claim.id,
        "verdict": combine([part["verdict"] for part in parts], needs),
        "note": " ".join(dict.fromkeys(part["note"] for part in parts if part["note"])),
        "seeds": seeds,
        "holds_in": [s for s in seeds if sum(s in part["holds_in"] for part in parts) >= needs],
        "needs": needs,
        "parts": parts,
    }


@dataclass(frozen=True)
class _Measured:
    """A part, its effects by seed, and by what is lacking the seeds that cannot test it."""

    part: Mapping[str, Any]
    by_seed: Mapping[int, Mapping[str, float]]
    lacking: Mapping[str, Sequence[int]]


def _measure(
    part: Mapping[str, Any], runs: Mapping[int, Mapping[str, Run]], levels: Levels | None
) -> _Measured:
    by_seed: dict[int, dict[str, float]] = {}
    lacking: dict[str, list[int]] = {}
    for seed, of_seed in runs.items():
        try:
            by_seed[seed] = effects(part, of_seed, levels)
        except NotTestedError as error:
            lacking.setdefault(str(error), []).append(seed)
    return _Measured(part, by_seed, lacking)


def _evaluate_part(measured: _Measured, seeds: Sequence[int], of_all: int) -> dict[str, Any]:
    """A part judged on those of the seeds that can test it, ``of_all`` the seeds that were run."""
    part = measured.part
    by_seed = {seed: measured.by_seed[seed] for seed in seeds if seed in measured.by_seed}
    notes = [
        f"{reason} (seed {listed(lack)})." if measured.by_seed else f"{reason}."
        for reason, lack in measured.lacking.items()
    ]
    if len(by_seed) == 1:
        (alone,) = by_seed
        notes.append("One seed was run." if of_all == 1 else f"Seed {alone} alone can be tested.")
    values = {}
    for name in next(iter(by_seed.values()), {}):
        each = {seed: of_seed[name] for seed, of_seed in by_seed.items()}
        values[name] = _cleaned(list(each.values()), unit(part))
        if gone := [seed for seed, value in each.items() if math.isinf(value)]:
            notes.append(f"{name} diverged (seed {listed(gone)}): as far off as any other run.")
    needs = 1 if "not" in part else len(values)
    verdicts = [judge(each) for each in values.values()]
    verdict = combine(verdicts, needs) if verdicts else NOT_TESTED
    decides = _deciding(values, verdict, negated="not" in part) if values else None
    interval = mean_interval(values.get(decides, []))
    return {
        "test": dict(part),
        "tested": describe(part),
        "verdict": verdict,
        "note": " ".join(notes),
        "unit": unit(part),
        "seeds": list(by_seed),
        "holds_in": [
            seed
            for index, seed in enumerate(by_seed)
            if sum(each[index] > 0 for each in values.values()) >= needs
        ],
        "effects": values,
        "decides": decides,
        **statistics(values.get(decides, [])).model_dump(mode="json"),
        "interval": list(interval) if interval else None,
    }


def _deciding(values: Mapping[str, Sequence[float]], verdict: str, negated: bool) -> str:
    """The effect that stands for the part: the weakest, or under ``not`` the strongest.

    A part holds by the lower ends of its intervals, and does not by an upper one. Of an undecided
    part it is the effect that the fewest seeds are for, and of those the least on the mean: the one
    with the widest interval may hold in all of them.
    """
    if verdict == UNDECIDED:
        values = {name: each for name, each in values.items() if judge(each) == UNDECIDED}

    def strength(name: str) -> tuple[float, float]:
        each = values[name]
        if verdict == UNDECIDED:
            return sum(value > 0 for value in each), statistics(each).mean
        return mean_interval(each)[verdict == DOES_NOT_HOLD], 0.0

    return (max if negated else min)(values, key=strength)


def _cleaned(values: Sequence[float], counted_in: str) -> list[float]:
    """Effects that a mean can be taken of.

    Losses as near as sums in another order bring them are the same loss. A run that diverged is as
    far off as the furthest of the others, or by the whole of the level.
    """
    furthest = max((abs(value) for value in values if math.isfinite(value)), default=1.0)
    finite = [v if math.isfinite(v) else math.copysign(furthest or 1.0, v) for v in values]
    return [0.0 if counted_in == "loss" and abs(v) < SAME_LOSS else v for v in finite]


def evaluate(
    paper: Any, results_root: Path, seeds: Sequence[int], levels: images.Levels
) -> list[dict[str, Any]]:
    """Every claim of a paper, in its order, from what its runs left under ``results_root``.

    See :func:`evaluate_claims`.
    """
    return evaluate_claims(paper, read_runs(paper, results_root, seeds), levels)


def evaluate_claims(
    paper: Any, runs: Mapping[int, Mapping[str, Run]], levels: images.Levels
) -> list[dict[str, Any]]:
    """Every claim of a paper, in its order, as :func:`evaluate_claim` returns it.

    ``runs`` are by seed and row id; ``levels`` are those of their images, as found by
    :func:`refashion.judging.levels.describe`.
    """

    def level(row: str, metric: str, name: str) -> float:
        return levels.level(paper.row(row), metric, name).batch_mean

    return [evaluate_claim(claim, paper, runs, level) for claim in paper.claims]


def load(paper: Any, results_root: Path) -> dict[str, dict[str, Any]]:
    """What the verb ``claims`` wrote: :func:`evaluate`'s results by claim id.

    Raises:
        UserError: it has not been written.
    """
    file = evidence_file(results_root, paper.key, "claims")
    found = read_json(file, "test the claims before the report")
    return {claim["id"]: claim for claim in found}
