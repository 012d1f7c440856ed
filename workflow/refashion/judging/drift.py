"""What is not as in the reference: metrics out of tolerance, and verdicts that changed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal, cast

from refashion.judging.claims import ClaimVerdict
from refashion.judging.numbers import NumberVerdict
from refashion.paper.metric import AT, CURVES

if TYPE_CHECKING:
    from refashion.judging.scorecard import Grade
    from refashion.paper.config import Tolerance
    from refashion.results.run import Metrics

# The changes of a verdict that ``reversed`` lets pass. A verdict on a number follows from metrics,
# which have their own tolerance, and turns where the edge of an interval passes what is printed; a
# claim is undecided before it turns. What is not here comes from or to a verdict that says how many
# runs there are, or turns a claim round.
NEIGHBOURS: tuple[set[str], ...] = (
    {NumberVerdict.REPRODUCED, NumberVerdict.CLOSE},
    {NumberVerdict.CLOSE, NumberVerdict.DIFFERS},
    {NumberVerdict.REPRODUCED, NumberVerdict.DIFFERS},
    {ClaimVerdict.HOLDS, ClaimVerdict.UNDECIDED},
    {ClaimVerdict.DOES_NOT_HOLD, ClaimVerdict.UNDECIDED},
)
# The kinds of findings that runs give rise to, if no table is named. They have thresholds, so with
# them a row may join or leave; what the printed numbers give away, no rounding changes.
KINDS_OF_RUNS = ("no_better", "collapsed", "stripes", "dead_outputs", "dead_logits")
OF_RUNS = "finding of runs: "

Kind = Literal["loss", "accuracy", "epochs"]


@dataclass(frozen=True)
class Deviation:
    """By how much a metric of a run differs from the reference's, and by how much it may."""

    row: str
    seed: int
    metric: str
    at: str
    deviation: float
    tolerance: float


@dataclass(frozen=True)
class Drift:
    """What is not as in the reference: of a row and seed, or of none alone.

    What has no tolerance has no ``deviation`` either.
    """

    row: str | None
    seed: int | None
    what: str
    reference: str
    measured: str
    deviation: float | None = None
    tolerance: float | None = None


# ---- a run --------------------------------------------------------------------------------------


def kind_of(metric: str) -> Kind:
    """The key under ``tolerances`` in config.yaml; ``epochs`` is a training's number of them."""
    quantity = CURVES[metric].quantity if metric in CURVES else "epoch"
    return "epochs" if quantity == "epoch" else quantity


def deviation(metric: str, reference: float, measured: float) -> float:
    """By how much a metric differs: losses relative to the reference, others as they are."""
    difference = abs(measured - reference)
    if kind_of(metric) != "loss" or not difference:
        return difference
    return difference / abs(reference) if reference else float("inf")


def compare_run(
    reference: Metrics, measured: Metrics, tolerances: Tolerance
) -> tuple[list[Deviation], list[Drift]]:
    """One run against the reference's, of the same row and seed.

    Returns:
        Every metric compared; and the drift: first what explains it (settings, images), then how
        the run ended, then metrics out of tolerance.
    """
    row, seed = reference.row, reference.seed
    changes = chain(
        _changes(reference.spec, measured.spec, "settings: "),
        _changes(_outcome(reference), _outcome(measured)),
    )
    drift = [Drift(row, seed, what, _said(old), _said(new)) for what, old, new in changes]
    compared: list[Deviation] = []
    kept, here = _numbers(reference), _numbers(measured)
    for metric, at in dict.fromkeys([*kept, *here]):
        was, now = kept.get((metric, at)), here.get((metric, at))
        off: tuple[float, ...] = ()
        if was is not None and now is not None:
            off = deviation(metric, was, now), getattr(tolerances, kind_of(metric))
            compared.append(Deviation(row, seed, metric, at, *off))
            if off[0] <= off[1]:
                continue
        name = metric if at == "all" else f"{metric}, {at}"
        old, new = ("not measured" if value is None else _said(value) for value in (was, now))
        drift.append(Drift(row, seed, name, old, new, *off))
    return compared, drift


def _numbers(run: Metrics) -> dict[tuple[str, str], float]:
    """By metric and moment all that a run has, and how many epochs in ``all``."""
    each = {(metric, at): value for at in AT for metric, value in run.at(at).items()}
    return {("epochs", "all"): run.epochs} | each


def _outcome(run: Metrics) -> dict[str, Any]:
    return {"images": run.dataset_sha256, "status": run.status, "weights": run.parameters}


def _said(value: Any) -> str:
    """A value as check.md shows it; a checksum by its beginning."""
    if isinstance(value, float):
        return f"{value:.6g}"
    text = value if isinstance(value, str) else json.dumps(value)
    return text[:12] if len(text) == 64 else text


def _changes(
    old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = ""
) -> Iterator[tuple[str, Any, Any]]:
    """(key, before, after) of what differs, nested keys with dots."""
    for key in dict.fromkeys([*old, *new]):
        before, after = old.get(key), new.get(key)
        if isinstance(before, dict) and isinstance(after, dict):
            nested = cast("dict[str, Any]", before), cast("dict[str, Any]", after)
            yield from _changes(*nested, f"{prefix}{key}.")
        elif before != after:
            yield f"{prefix}{key}", before, after


# ---- verdicts -----------------------------------------------------------------------------------


def compare_verdicts(
    reference: Grade,
    measured: Grade,
    drifts: Literal["changed", "reversed"],
    same_metrics: bool,
) -> tuple[list[Drift], list[Drift]]:
    """What differs between two grades of one paper: numbers, claims, findings.

    Args:
        reference: the grade kept.
        measured: the grade of the runs made now.
        drifts: ``changed``, and every change is drift; or ``reversed``, and one between
            ``NEIGHBOURS`` is not, nor a row that joins or leaves a finding of runs that stays.
        same_metrics: whether both are of metrics that are equal to the bit. Then no rounding can
            have changed a verdict, only code or data, and every change is drift.

    Returns:
        The drift, and the changes that are allowed, each with ``row`` None for a claim and for a
        finding about several.
    """
    drift: list[Drift] = []
    allowed: list[Drift] = []
    old, new = _by_name(reference), _by_name(measured)
    of_runs = {what for _, what in old if what.startswith(OF_RUNS)} & {what for _, what in new}
    for row, what in dict.fromkeys([*old, *new]):
        before, after = (of.get((row, what), "not there") for of in (old, new))
        near = {before, after} in NEIGHBOURS or what in of_runs
        if before == after:
            continue
        if drifts == "changed" or not near:
            drift.append(Drift(row, None, what, before, after))
        elif same_metrics:
            drift.append(Drift(row, None, f"{what}, of the same metrics", before, after))
        else:
            allowed.append(Drift(row, None, what, before, after))
    return drift, allowed


def _by_name(graded: Grade) -> dict[tuple[str | None, str], str]:
    """The verdict by its row and what it is on; a finding that is there is ``found``."""
    found: dict[tuple[str | None, str], str] = {
        (of.row, f"number: {of.table}, {of.metric}, {of.at}"): of.verdict for of in graded.numbers
    }
    found |= {(None, f"claim: {of.id}"): of.verdict for of in graded.claims}
    for finding in graded.findings:
        if finding.kind in KINDS_OF_RUNS and not finding.tables:
            found |= {(row, f"{OF_RUNS}{finding.kind}"): "found" for row in finding.rows}
            continue
        row = finding.rows[0] if len(finding.rows) == 1 else None
        where = [] if row else [" ".join(finding.rows)]
        found[row, f"finding: {', '.join([finding.kind, *finding.tables, *where])}"] = "found"
    return found
