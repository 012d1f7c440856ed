"""The reproducibility check: a fresh run against the reference that is kept in git."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from refashion.errors import UserError
from refashion.judging import scorecard
from refashion.judging.claims.verdicts import DOES_NOT_HOLD, HOLDS, UNDECIDED
from refashion.paper.metric import AT
from refashion.results.files import read_json
from refashion.results.paths import METRICS, OUTPUTS, Kept, run_folder
from refashion.results.reference import WAY_OUT, Environment, kept_metrics
from refashion.results.run import Metrics
from refashion.text import listed

if TYPE_CHECKING:
    from refashion.paper.config import Config, Tolerance
    from refashion.results.provenance import Provenance

# What two trainings of one row with one seed on one machine must share to the last bit. The time
# they took is in metrics.json and history.csv.
SAME_BITS = ("model.safetensors", OUTPUTS)

# The changes of a verdict that ``reversed`` lets pass. A verdict on a number follows from metrics,
# which have their own tolerance, and turns where the edge of an interval passes what is printed; a
# claim is undecided before it turns. What is not here comes from or to a verdict that says how many
# runs there are, or turns a claim round.
NEIGHBOURS = (
    {"reproduced", "close"},
    {"close", "differs"},
    {"reproduced", "differs"},
    {HOLDS, UNDECIDED},
    {DOES_NOT_HOLD, UNDECIDED},
)
# The kinds of findings that runs give rise to, if no table is named. They have thresholds, so with
# them a row may join or leave; what the printed numbers give away, no rounding changes.
KINDS_OF_RUNS = ("no_better", "collapsed", "stripes", "dead_outputs", "dead_logits")


def kind_of(metric: str) -> str:
    """The key under ``tolerances`` in config.yaml: ``loss``, ``accuracy`` or ``epochs``."""
    if metric in ("epoch", "epochs"):
        return "epochs"
    return "accuracy" if "accuracy" in metric else "loss"


def deviation(metric: str, reference: float, measured: float) -> float:
    """By how much a metric differs: losses relative to the reference, others as they are."""
    difference = abs(measured - reference)
    if kind_of(metric) != "loss" or not difference:
        return difference
    return difference / abs(reference) if reference else float("inf")


def numbers_of(run: Metrics) -> Iterator[tuple[str, str, float]]:
    """(metric, at, value) of all that ``metrics.json`` has, but for the epochs of best values."""
    yield "epochs", "all", run.epochs
    for at in AT:
        for metric, value in run.at(at).items():
            yield metric, at, value


def compare_run(
    reference: Metrics, measured: Metrics, tolerances: Tolerance
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """One run against the reference's, both as their metrics.

    Args:
        reference: the run kept.
        measured: the run made now, of the same row and seed.
        tolerances: ``loss`` (relative), ``accuracy`` (share in [0, 1]), ``epochs``.

    Returns:
        Every metric compared, with its ``deviation`` and ``tolerance``; and the drift: first what
        explains it (settings, images), then how the run ended, then metrics out of tolerance.
    """
    drift = [
        _drift(f"settings: {key}", _said(old), _said(new))
        for key, old, new in _changes(reference.spec, measured.spec)
    ]
    for key, name in (
        ("dataset_sha256", "images"),
        ("status", "status"),
        ("parameters", "weights"),
    ):
        old, new = getattr(reference, key), getattr(measured, key)
        if old != new:
            drift.append(_drift(name, _said(old), _said(new)))
    here = {(metric, at): value for metric, at, value in numbers_of(measured)}
    compared = []
    for metric, at, value in numbers_of(reference):
        name = metric if at == "all" else f"{metric}, {at}"
        if (metric, at) not in here:
            drift.append(_drift(name, _said(value), "not measured"))
            continue
        now, tolerance = here.pop((metric, at)), getattr(tolerances, kind_of(metric))
        line = {
            "metric": metric,
            "at": at,
            "deviation": deviation(metric, value, now),
            "tolerance": tolerance,
        }
        compared.append(line)
        if not line["deviation"] <= tolerance:
            drift.append(_drift(name, _said(value), _said(now), line["deviation"], tolerance))
    for (metric, at), now in here.items():
        drift.append(_drift(f"{metric}, {at}", "not measured", _said(now)))
    return compared, drift


def _drift(
    what: str,
    reference: str,
    measured: str,
    deviation: float | None = None,
    tolerance: float | None = None,
) -> dict[str, Any]:
    return {
        "what": what,
        "reference": reference,
        "measured": measured,
        "deviation": deviation,
        "tolerance": tolerance,
    }


def _said(value: Any) -> str:
    """A value as check.md shows it; a checksum by its beginning."""
    if isinstance(value, float):
        return f"{value:.6g}"
    text = value if isinstance(value, str) else json.dumps(value)
    return text[:12] if len(text) == 64 else text


def _changes(old: Mapping, new: Mapping, prefix: str = "") -> Iterator[tuple[str, Any, Any]]:
    """(key, before, after) of what differs between two specs, nested keys with dots."""
    for key in dict.fromkeys([*old, *new]):
        before, after = old.get(key), new.get(key)
        if isinstance(before, dict) and isinstance(after, dict):
            yield from _changes(before, after, f"{prefix}{key}.")
        elif before != after:
            yield f"{prefix}{key}", before, after


def compare_verdicts(
    reference: Mapping[str, Any],
    measured: Mapping[str, Any],
    drifts: str,
    same_metrics: bool,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What differs between two grades of one paper: numbers, claims, findings.

    Args:
        reference: the grade kept, as from :func:`refashion.judging.scorecard.grade`.
        measured: the grade of the runs made now.
        drifts: ``changed``, and every change is drift; or ``reversed``, and one between
            ``NEIGHBOURS`` is not, nor a row that joins or leaves a finding of runs that stays.
        same_metrics: whether both are of metrics that are equal to the bit. Then no rounding can
            have changed a verdict, only code or data, and every change is drift.

    Returns:
        The drift, and the changes that are allowed. Each item has ``row`` (None for a claim and for
        a finding about several) beside what a drift has.
    """
    drift, allowed = [], []
    old, new = _by_name(reference), _by_name(measured)
    stay = _kinds_of_runs(reference) & _kinds_of_runs(measured)
    for name in dict.fromkeys([*old, *new]):
        before, after = old.get(name, "not there"), new.get(name, "not there")
        if before == after:
            continue
        kind, row, *rest = name
        what = ": ".join([kind, ", ".join(rest)])
        near = {before, after} in NEIGHBOURS or (kind == "finding of runs" and rest[0] in stay)
        passes = drifts == "reversed" and near
        if passes and same_metrics:
            what += ", of the same metrics"
        line = {"row": row, **_drift(what, before, after)}
        (allowed if passes and not same_metrics else drift).append(line)
    return drift, allowed


def _by_name(graded: Mapping[str, Any]) -> dict[tuple, str]:
    """The verdict by (kind, row, what); a finding that is there is ``found``."""
    found = {}
    for number in graded["numbers"]:
        name = ("number", number["row"], number["table"], number["metric"], number["at"])
        found[name] = number["verdict"]
    for claim in graded["claims"]:
        found["claim", None, claim["id"]] = claim["verdict"]
    for finding in graded["findings"]:
        rows = finding["rows"]
        if _is_of_runs(finding):
            found |= {("finding of runs", row, finding["kind"]): "found" for row in rows}
            continue
        row = rows[0] if len(rows) == 1 else None
        where = () if row else (" ".join(rows),)
        found["finding", row, finding["kind"], *finding["tables"], *where] = "found"
    return found


def _is_of_runs(finding: Mapping[str, Any]) -> bool:
    return finding["kind"] in KINDS_OF_RUNS and not finding["tables"]


def _kinds_of_runs(graded: Mapping[str, Any]) -> set[str]:
    return {finding["kind"] for finding in graded["findings"] if _is_of_runs(finding)}


def compare_paper(
    paper: Any, results_root: Path, reference: Path, config: Config
) -> dict[str, Any]:
    """All runs and verdicts of a paper against its reference.

    Args:
        paper: whose rows were run.
        results_root: ``results/<scale>``.
        reference: ``results/reference/<scale>``.
        config: gives papers, scale, seeds, tolerances and margins.

    Returns:
        ``paper``; ``made``, where the reference was; ``runs``, ``metrics`` and ``verdicts``, how
        many were compared; ``largest``, of each kind the metric furthest from the reference;
        ``drift``, each with its ``row`` and ``seed``, None where it is of none alone, and what
        differs; ``allowed``, likewise, the verdicts that changed and may.

    Raises:
        UserError: as :func:`load_environments`, of all papers in ``config``, so that whoever checks
            several learns at once which do not fit.
    """
    made = load_environments(reference, config)[paper.key]
    tolerances = config.tolerance
    compared, drift = [], []
    of_paper = Kept(reference, paper.key)
    here, kept = {row.id: row for row in paper.rows}, of_paper.rows
    for name in dict.fromkeys([*here, *kept]):
        if name not in kept or name not in here:
            there = ("there", "not there") if name in kept else ("not there", "there")
            drift.append({"row": name, "seed": None, **_drift("row", *there)})
            continue
        for seed in config.seeds:
            row = here[name]
            was = kept_metrics(run_folder(reference, row, seed) / METRICS)
            now = Metrics.read(run_folder(results_root, row, seed) / METRICS, row, seed)
            lines, differs = compare_run(was, now, tolerances)
            compared += [{"row": name, "seed": seed, **line} for line in lines]
            drift += [{"row": name, "seed": seed, **line} for line in differs]
    graded = scorecard.grade_paper(paper, results_root, config.margins)
    changed, allowed = compare_verdicts(
        read_json(of_paper.verdicts, WAY_OUT),
        graded,
        tolerances.verdict,
        # Of all rows: a claim is of several, and a paper's runs share one machine.
        same_metrics=not drift and all(line["deviation"] == 0 for line in compared),
    )
    return {
        "paper": paper.key,
        "made": made.model_dump(mode="json"),
        "runs": len({(line["row"], line["seed"]) for line in compared}),
        "metrics": len(compared),
        "verdicts": sum(len(judged) for judged in graded.values()),
        "largest": _largest(compared),
        "drift": drift + [{"seed": None, **line} for line in changed],
        "allowed": [{"seed": None, **line} for line in allowed],
    }


def load_environments(reference: Path, config: Config) -> dict[str, Environment]:
    """Where the reference of each of the configuration's papers was made, by the papers' keys.

    Raises:
        UserError: references are not there, or of other seeds than this run: a line for each, with
            the configuration that checks its paper.
    """
    made, problems = {}, []
    for key in config.papers:
        file = Kept(reference, key).environment
        try:
            environment = Environment.read(file)
        except UserError as error:
            problems.append(str(error))
            continue
        if sorted(environment.seeds) == sorted(config.seeds):
            made[key] = environment
        else:
            kept = _with_commas(environment.seeds)
            problems.append(
                f"{file}: seeds: {kept}, and this run has {_with_commas(config.seeds)}; "
                f"check it by {_call([key], kept, config)}, "
                "or keep this run by `make accept`"
            )
    if problems and made:
        fits = _call(made, _with_commas(config.seeds), config)
        problems.append(f"what has this run's seeds is checked by {fits}")
    if problems:
        raise UserError("\n".join(problems))
    return made


def _with_commas(items: Iterable[Any]) -> str:
    return ",".join(map(str, items))


def _call(keys: Iterable[str], seeds: str, config: Config) -> str:
    """The call that checks these papers. With the scale, as ``--config`` takes another's place."""
    chosen = f"papers={_with_commas(keys)} seeds={seeds} scale={config.scale}"
    return f"snakemake --cores all --config {chosen} -- check"


def _largest(compared: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    largest: dict[str, dict[str, Any]] = {}
    for line in compared:
        kind = kind_of(line["metric"])
        if kind not in largest or line["deviation"] > largest[kind]["deviation"]:
            largest[kind] = line
    return largest


def compare_bits(first: Path, again: Path) -> list[str]:
    """The names of ``SAME_BITS`` that differ between two folders of one row's run."""
    return [
        name for name in SAME_BITS if (first / name).read_bytes() != (again / name).read_bytes()
    ]


def make_check(
    papers: Sequence[Mapping[str, Any]],
    repeated: Mapping[str, Any],
    scale: str,
    run: Provenance,
) -> dict[str, Any]:
    """The whole check, as ``check.json`` has it.

    Args:
        papers: from :func:`compare_paper`.
        repeated: what ``run`` was trained twice, and the files that ``differ``.
        scale: ``paper`` or ``smoke``.
        run: commit, versions and platform of this run.
    """
    drifted = any(paper["drift"] for paper in papers) or bool(repeated["differ"])
    return {
        "passed": not drifted,
        "scale": scale,
        "run": run.model_dump(mode="json"),
        "repeated": dict(repeated),
        "papers": list(papers),
    }


def raise_if_drifted(check: Mapping[str, Any]) -> None:
    """
    Raises:
        UserError: something drifted; it names every row, claim and finding that did, once.
    """
    names = {
        f"{paper['paper']} {line['row'] or line['what']}": None
        for paper in check["papers"]
        for line in paper["drift"]
    }
    if check["repeated"]["differ"]:
        names[f"{check['repeated']['run']} (trained twice)"] = None
    if names:
        raise UserError(
            f"drifted: {', '.join(names)}; if this is meant, replace the reference by `make accept`"
        )


# ---- for a maintainer to paste ------------------------------------------------------------------

COLUMNS = {"loss": "losses, relative", "accuracy": "accuracies", "epochs": "epochs"}


def to_markdown(check: Mapping[str, Any]) -> str:
    """``check.md``: what was compared, what drifted and what may, a line each, and where both runs
    were made.
    """
    text = [
        f"# Check at {check['scale']} scale: {'passed' if check['passed'] else 'drifted'}",
        "",
        f"| paper | runs | metrics | verdicts | {' | '.join(COLUMNS.values())} | drifted |",
        f"|---|{'---:|' * (len(COLUMNS) + 4)}",
    ]
    for paper in check["papers"]:
        cells = [paper["runs"], paper["metrics"], paper["verdicts"]]
        cells += [_largest_cell(paper["largest"].get(kind)) for kind in COLUMNS]
        text.append(f"| {' | '.join(map(str, [paper['paper'], *cells, len(paper['drift'])]))} |")
    text += ["", "The three columns: the largest deviation from the reference, and its tolerance."]
    text += _markdown_of_drift(check["papers"])
    text += _markdown_of_allowed(check["papers"], check["scale"])
    repeated = check["repeated"]
    outcome = f"{', '.join(repeated['differ'])} differ" if repeated["differ"] else "the same bits"
    text += ["", f"{repeated['run']}, trained twice: {outcome}.", "", "| | made |", "|---|---|"]
    made: dict[str, list[str]] = {}
    for paper in check["papers"]:
        made.setdefault(_made(paper["made"]), []).append(paper["paper"])
    text += [f"| reference of {listed(papers)} | {where} |" for where, papers in made.items()]
    return "\n".join([*text, f"| this run | {_made(check['run'])} |", ""])


def _largest_cell(line: Mapping[str, Any] | None) -> str:
    return "–" if line is None else f"{line['deviation']:.2g} of {line['tolerance']:g}"


def _markdown_of_drift(papers: Sequence[Mapping[str, Any]]) -> list[str]:
    """A line for a row and seed: what explains the drift, or the metric that is furthest off."""
    shown: dict[tuple, list[dict]] = {}
    for paper in papers:
        for line in paper["drift"]:
            alone = line["what"] if line["seed"] is None else ""
            shown.setdefault((paper["paper"], line["row"], line["seed"], alone), []).append(line)
    if not shown:
        return []
    text = [
        "",
        "| drifted | what | reference | here | deviation | tolerance |",
        "|---|---|---|---|---:|---:|",
    ]
    for (paper, row, seed, _), drift in shown.items():
        where = " ".join(filter(None, [paper, row, None if seed is None else f"seed {seed}"]))
        worst = max(drift, key=_weight)
        more = f" and {len(drift) - 1} more" if len(drift) > 1 else ""
        numbers = [
            "" if worst[key] is None else f"{worst[key]:.2g}" for key in ("deviation", "tolerance")
        ]
        cells = [where, worst["what"] + more, worst["reference"], worst["measured"], *numbers]
        text.append(f"| {' | '.join(cells)} |")
    return text


def _markdown_of_allowed(papers: Sequence[Mapping[str, Any]], scale: str) -> list[str]:
    """A line for each verdict that changed and may."""
    lines = [
        f"| {' '.join(filter(None, [paper['paper'], line['row']]))} | {line['what']} "
        f"| {line['reference']} | {line['measured']} |"
        for paper in papers
        for line in paper["allowed"]
    ]
    if not lines:
        return []
    return [
        "",
        f"Verdicts that changed within what is allowed (`tolerances.{scale}.verdict`):",
        "",
        "| changed | what | reference | here |",
        "|---|---|---|---|",
        *lines,
    ]


def _weight(line: Mapping[str, Any]) -> float:
    """What has no tolerance comes first: it explains the rest."""
    if line["tolerance"] is None:
        return float("inf")
    return line["deviation"] / line["tolerance"] if line["tolerance"] else float("1e300")


def _made(run: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in run["versions"].items())
    commit = (run["commit"] or "no commit") + (" with changes" if run["dirty"] else "")
    return f"{run['date']}, {commit}, {run['platform']}, {versions}"
