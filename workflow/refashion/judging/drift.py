"""What is not as in the reference: metrics out of tolerance, and verdicts that changed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, cast

from refashion.judging.claims import ClaimVerdict
from refashion.judging.numbers import NumberVerdict
from refashion.paper.metric import AT, CURVES

if TYPE_CHECKING:
    from refashion.judging.scorecard import Grade, GradedFinding
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
    drift = [Drift(row, seed, *change) for change in _changes_of_run(reference, measured)]
    compared: list[Deviation] = []
    kept, here = _numbers(reference), _numbers(measured)
    for (metric, at), value in kept.items():
        name, now = _named(metric, at), here.get((metric, at))
        if now is None:
            drift.append(Drift(row, seed, name, _said(value), "not measured"))
            continue
        tolerance = getattr(tolerances, kind_of(metric))
        line = Deviation(row, seed, metric, at, deviation(metric, value, now), tolerance)
        compared.append(line)
        if not line.deviation <= tolerance:
            off = line.deviation, tolerance
            drift.append(Drift(row, seed, name, _said(value), _said(now), *off))
    drift += [
        Drift(row, seed, _named(*what), "not measured", _said(now))
        for what, now in here.items()
        if what not in kept
    ]
    return compared, drift


def _numbers(run: Metrics) -> dict[tuple[str, str], float]:
    """By metric and moment all that a run has, and how many epochs in ``all``."""
    each = {(metric, at): value for at in AT for metric, value in run.at(at).items()}
    return {("epochs", "all"): run.epochs} | each


def _named(metric: str, at: str) -> str:
    return metric if at == "all" else f"{metric}, {at}"


def _changes_of_run(reference: Metrics, measured: Metrics) -> Iterator[tuple[str, str, str]]:
    for key, old, new in _changes(reference.spec, measured.spec):
        yield f"settings: {key}", _said(old), _said(new)
    for name, old, new in (
        ("images", reference.dataset_sha256, measured.dataset_sha256),
        ("status", reference.status, measured.status),
        ("weights", reference.parameters, measured.parameters),
    ):
        if old != new:
            yield name, _said(old), _said(new)


def _said(value: Any) -> str:
    """A value as check.md shows it; a checksum by its beginning."""
    if isinstance(value, float):
        return f"{value:.6g}"
    text = value if isinstance(value, str) else json.dumps(value)
    return text[:12] if len(text) == 64 else text


def _changes(
    old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = ""
) -> Iterator[tuple[str, Any, Any]]:
    """(key, before, after) of what differs between two specs, nested keys with dots."""
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
    stay = _kinds_of_runs(reference) & _kinds_of_runs(measured)
    for name in dict.fromkeys([*old, *new]):
        before, after = old.get(name, "not there"), new.get(name, "not there")
        if before == after:
            continue
        kind, row, *rest = name
        line = Drift(row, None, f"{kind}: {', '.join(map(str, rest))}", before, after)
        near = {before, after} in NEIGHBOURS or (kind == "finding of runs" and rest[0] in stay)
        if drifts == "reversed" and near and not same_metrics:
            allowed.append(line)
        elif drifts == "reversed" and near:
            drift.append(replace(line, what=f"{line.what}, of the same metrics"))
        else:
            drift.append(line)
    return drift, allowed


def _by_name(graded: Grade) -> dict[tuple[str | None, ...], str]:
    """The verdict by (kind, row, what); a finding that is there is ``found``."""
    found: dict[tuple[str | None, ...], str] = {}
    for number in graded.numbers:
        name = ("number", number.row, number.table, number.metric, number.at)
        found[name] = number.verdict
    for claim in graded.claims:
        found["claim", None, claim.id] = claim.verdict
    for finding in graded.findings:
        if _is_of_runs(finding):
            found |= {("finding of runs", row, finding.kind): "found" for row in finding.rows}
            continue
        row = finding.rows[0] if len(finding.rows) == 1 else None
        where = () if row else (" ".join(finding.rows),)
        found["finding", row, finding.kind, *finding.tables, *where] = "found"
    return found


def _is_of_runs(finding: GradedFinding) -> bool:
    return finding.kind in KINDS_OF_RUNS and not finding.tables


def _kinds_of_runs(graded: Grade) -> set[str]:
    return {finding.kind for finding in graded.findings if _is_of_runs(finding)}
