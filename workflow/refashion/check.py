"""The reproducibility check: a fresh run against the reference that is kept in git."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from refashion import evidence, scorecard
from refashion.errors import UserError
from refashion.files import read_json
from refashion.wording import listed

# What two trainings of one row with one seed on one machine must share to the last bit. The time
# they took is in metrics.json and history.csv.
SAME_BITS = ("model.safetensors", "outputs.safetensors")


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


def numbers_of(run: Mapping[str, Any]) -> Iterator[tuple[str, str, float]]:
    """(metric, at, value) of all that ``metrics.json`` has, but for the epochs of best values."""
    yield "epochs", "all", run["epochs"]
    for at in evidence.EPOCHS:
        for metric, entry in run[at].items():
            yield metric, at, entry["value"] if at == "best" else entry


def compare_run(
    reference: Mapping[str, Any], measured: Mapping[str, Any], tolerances: Mapping[str, float]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """One run against the reference's, both as their ``metrics.json``.

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
        for key, old, new in _changes(reference["spec"], measured["spec"])
    ]
    for key, name in (
        ("dataset_sha256", "images"),
        ("status", "status"),
        ("parameters", "weights"),
    ):
        if reference[key] != measured[key]:
            drift.append(_drift(name, _said(reference[key]), _said(measured[key])))
    here = {(metric, at): value for metric, at, value in numbers_of(measured)}
    compared = []
    for metric, at, value in numbers_of(reference):
        name = metric if at == "all" else f"{metric}, {at}"
        if (metric, at) not in here:
            drift.append(_drift(name, _said(value), "not measured"))
            continue
        now, tolerance = here.pop((metric, at)), tolerances[kind_of(metric)]
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


def compare_verdicts(reference: Mapping[str, Any], measured: Mapping[str, Any]) -> list[dict]:
    """What differs between two grades of one paper: numbers, claims, findings.

    Both are as from :func:`refashion.scorecard.grade`. Each item has ``row`` (None for a claim
    and for a finding about several) beside what a drift has.
    """
    drift = []
    old, new = _by_name(reference), _by_name(measured)
    for name in dict.fromkeys([*old, *new]):
        before, after = old.get(name, "not there"), new.get(name, "not there")
        if before != after:
            kind, row, *rest = name
            what = ": ".join([kind, ", ".join(rest)])
            drift.append({"row": row, **_drift(what, before, after)})
    return drift


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
        row = rows[0] if len(rows) == 1 else None
        where = () if row else (" ".join(rows),)
        found["finding", row, finding["kind"], *finding["tables"], *where] = "found"
    return found


def compare_paper(
    paper: Any, results_root: Path, reference: Path, config: Mapping[str, Any]
) -> dict[str, Any]:
    """All runs and verdicts of a paper against its reference.

    Args:
        paper: whose rows were run.
        results_root: ``results/<scale>``.
        reference: ``results/reference/<scale>``.
        config: gives scale, seeds, tolerances and margins.

    Returns:
        ``paper``; ``made``, where the reference was; ``runs``, ``metrics`` and ``verdicts``, how
        many were compared; ``largest``, of each kind the metric furthest from the reference;
        ``drift``, each with its ``row`` and ``seed``, None where it is of none alone, and what
        differs.

    Raises:
        UserError: there is no reference, or it is of other seeds.
    """
    made = _load_environment(paper, reference, config["seeds"])
    compared, drift = [], []
    kept = {file.parent.parent.name for file in reference.glob(f"{paper.key}/*/*/metrics.json")}
    here = [row.id for row in paper.rows]
    for row in dict.fromkeys([*here, *sorted(kept)]):
        if row not in kept or row not in here:
            there = ("there", "not there") if row in kept else ("not there", "there")
            drift.append({"row": row, "seed": None, **_drift("row", *there)})
            continue
        for seed in config["seeds"]:
            file = Path(paper.key) / row / f"seed-{seed}" / "metrics.json"
            lines, differs = compare_run(
                _load(reference / file),
                _load(results_root / file),
                config["tolerances"][config["scale"]],
            )
            compared += [{"row": row, "seed": seed, **line} for line in lines]
            drift += [{"row": row, "seed": seed, **line} for line in differs]
    graded = scorecard.grade_paper(paper, results_root, config["margins"])
    verdicts = compare_verdicts(_load(reference / paper.key / scorecard.KEPT_AS), graded)
    return {
        "paper": paper.key,
        "made": made,
        "runs": len({(line["row"], line["seed"]) for line in compared}),
        "metrics": len(compared),
        "verdicts": sum(len(judged) for judged in graded.values()),
        "largest": _largest(compared),
        "drift": drift + [{"seed": None, **line} for line in verdicts],
    }


def _load_environment(paper: Any, reference: Path, seeds: Sequence[int]) -> dict[str, Any]:
    file = reference / f"{paper.key}.json"
    environment = _load(file)
    if sorted(environment["seeds"]) != sorted(seeds):
        kept = ",".join(map(str, environment["seeds"]))
        raise UserError(
            f"{file}: seeds: {kept}, and this run has {','.join(map(str, seeds))}; "
            f"check with --config seeds={kept}, or keep this run by `make accept`"
        )
    return environment


def _load(file: Path) -> dict[str, Any]:
    return read_json(file, scorecard.WAY_OUT)


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
    run: Mapping[str, Any],
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
        "run": dict(run),
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
    """``check.md``: what was compared, what drifted, a line each, and where both runs were made."""
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


def _weight(line: Mapping[str, Any]) -> float:
    """What has no tolerance comes first: it explains the rest."""
    if line["tolerance"] is None:
        return float("inf")
    return line["deviation"] / line["tolerance"] if line["tolerance"] else float("1e300")


def _made(run: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in run["versions"].items())
    commit = (run["commit"] or "no commit") + (" with changes" if run["dirty"] else "")
    return f"{run['date']}, {commit}, {run['platform']}, {versions}"
