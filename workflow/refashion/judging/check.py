"""The reproducibility check: a fresh run against the reference that is kept in git.

Metrics may differ within their tolerance, verdicts as far as is allowed; the rest is drift.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from refashion.errors import UserError
from refashion.judging.claims import ClaimVerdict
from refashion.judging.numbers import NumberVerdict
from refashion.judging.scorecard import Grade, grade_paper
from refashion.paper.metric import AT, CURVES
from refashion.results.paths import METRICS, OUTPUTS, Kept, run_folder
from refashion.results.reference import Environment, load_environments, read_kept
from refashion.results.run import Metrics
from refashion.results.summary import grouped

if TYPE_CHECKING:
    from refashion.paper.config import Config, Tolerance
    from refashion.paper.papers import Paper
    from refashion.results.provenance import Provenance

# What two trainings of one row with one seed on one machine must share to the last bit. The time
# they took is in metrics.json and history.csv.
SAME_BITS = ("model.safetensors", OUTPUTS)
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


@dataclass(frozen=True)
class Compared:
    """A paper's runs and verdicts against its reference.

    ``made`` says where the reference was; ``runs``, ``metrics`` and ``verdicts`` how many were
    compared. ``largest`` has of each kind the metric furthest from the reference, ``allowed`` the
    verdicts that changed and may.
    """

    paper: str
    made: Environment
    runs: int
    metrics: int
    verdicts: int
    largest: Mapping[Kind, Deviation]
    drift: Sequence[Drift]
    allowed: Sequence[Drift]


@dataclass(frozen=True)
class Repeated:
    """What was trained twice, and the files of it that differ."""

    run: str
    differ: Sequence[str]


@dataclass(frozen=True)
class Check:
    """The whole check, as ``check.json`` has it; ``run`` is where this run was made."""

    passed: bool
    scale: str
    run: Provenance
    repeated: Repeated
    papers: Sequence[Compared]


# ---- a paper ------------------------------------------------------------------------------------


def compare_paper(paper: Paper, results_root: Path, reference: Path, config: Config) -> Compared:
    """All runs and verdicts of a paper against its reference.

    The two roots are ``results/<scale>`` and ``results/reference/<scale>``.

    Raises:
        UserError: as :func:`load_environments`, of all papers in ``config``, so that whoever checks
            several learns at once which do not fit.
    """
    made = load_environments(reference, config)[paper.key]
    found = [*_compare_runs(paper, results_root, reference, config)]
    compared = [each for each in found if isinstance(each, Deviation)]
    drift = [each for each in found if isinstance(each, Drift)]
    graded = grade_paper(paper, results_root, config.margins)
    changed, allowed = compare_verdicts(
        read_kept(Grade, Kept(reference, paper.key).verdicts),
        graded,
        config.tolerance.verdict,
        # Of all rows: a claim is of several, and a paper's runs share one machine.
        same_metrics=not drift and all(line.deviation == 0 for line in compared),
    )
    kinds: dict[Kind, list[Deviation]] = grouped(compared, lambda line: kind_of(line.metric))
    return Compared(
        paper.key,
        made,
        len({(line.row, line.seed) for line in compared}),
        len(compared),
        sum(map(len, (graded.numbers, graded.claims, graded.findings))),
        {kind: max(lines, key=lambda line: line.deviation) for kind, lines in kinds.items()},
        [*drift, *changed],
        allowed,
    )


def _compare_runs(
    paper: Paper, results_root: Path, reference: Path, config: Config
) -> Iterator[Deviation | Drift]:
    kept, here = Kept(reference, paper.key).rows, {row.id: row for row in paper.rows}
    for name in dict.fromkeys([*here, *kept]):
        if name not in kept or name not in here:
            was, now = ("there" if name in of else "not there" for of in (kept, here))
            yield Drift(name, None, "row", was, now)
            continue
        for seed in config.seeds:
            before = read_kept(Metrics, run_folder(reference, here[name], seed) / METRICS)
            file = run_folder(results_root, here[name], seed) / METRICS
            after = Metrics.read(file, here[name], seed)
            yield from compare_run(before, after, config.tolerance)


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
) -> Iterator[Deviation | Drift]:
    """One run against the reference's, of the same row and seed.

    Returns:
        Every metric compared; and the drift: first what explains it (settings, images), then how
        the run ended, then metrics out of tolerance.
    """
    row, seed = reference.row, reference.seed
    for what, old, new in (
        *_changes(reference.spec, measured.spec, "settings: "),
        *_changes(_outcome(reference), _outcome(measured)),
    ):
        yield Drift(row, seed, what, _said(old), _said(new))
    kept, here = _numbers(reference), _numbers(measured)
    for metric, at in dict.fromkeys([*kept, *here]):
        was, now = kept.get((metric, at)), here.get((metric, at))
        off: tuple[float, ...] = ()
        if was is not None and now is not None:
            off = deviation(metric, was, now), getattr(tolerances, kind_of(metric))
            yield Deviation(row, seed, metric, at, *off)
            if off[0] <= off[1]:
                continue
        name = metric if at == "all" else f"{metric}, {at}"
        old, new = ("not measured" if value is None else _said(value) for value in (was, now))
        yield Drift(row, seed, name, old, new, *off)


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

    Every change is drift, but where ``drifts`` is ``reversed`` neither one between ``NEIGHBOURS``
    nor a row that joins or leaves a finding of runs that stays. Of the ``same_metrics``, equal to
    the bit, no rounding can have changed a verdict, only code or data, and all are drift.

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
        if before == after:
            continue
        may = drifts == "reversed" and ({before, after} in NEIGHBOURS or what in of_runs)
        said = f"{what}, of the same metrics" if may and same_metrics else what
        changed = allowed if may and not same_metrics else drift
        changed.append(Drift(row, None, said, before, after))
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


# ---- the whole ----------------------------------------------------------------------------------


def compare_bits(first: Path, again: Path) -> list[str]:
    """The names of ``SAME_BITS`` that differ between two folders of one row's run."""
    return [
        name for name in SAME_BITS if (first / name).read_bytes() != (again / name).read_bytes()
    ]


def make_check(
    papers: Sequence[Compared], repeated: Repeated, scale: str, run: Provenance
) -> Check:
    """The whole check; it is passed where nothing drifted."""
    drifted = any(paper.drift for paper in papers) or bool(repeated.differ)
    return Check(not drifted, scale, run, repeated, papers)


def raise_if_drifted(check: Check) -> None:
    """
    Raises:
        UserError: something drifted; it names every row, claim and finding that did, once.
    """
    names = [
        f"{paper.paper} {line.row or line.what}" for paper in check.papers for line in paper.drift
    ]
    if check.repeated.differ:
        names.append(f"{check.repeated.run} (trained twice)")
    if names:
        raise UserError(
            f"drifted: {', '.join(dict.fromkeys(names))}; if this is meant, replace the reference "
            "by `make accept`"
        )
