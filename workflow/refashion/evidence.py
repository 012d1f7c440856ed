"""Statistics over seeds, and measured numbers beside published ones.

Numpy and pandas only: a report can be made where torch is not installed. Everything that is
computed for tables and report is computed here; templates and figures only show it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from refashion.errors import UserError

REFERENCE_COLUMNS = ["paper", "row", "metric", "at", "n", "mean", "sd", "published"]


def statistics(values: Iterable[float]) -> dict[str, Any]:
    """Mean and sample standard deviation (ddof 1); ``sd`` is None for fewer than two values."""
    values = [float(value) for value in values]
    return {
        "mean": float(np.mean(values)) if values else None,
        "sd": float(np.std(values, ddof=1)) if len(values) > 1 else None,
        "n": len(values),
        "values": values,
    }


def _read(path: Path) -> dict[str, Any]:
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: not there; train the row first") from None
    except json.JSONDecodeError as error:
        raise UserError(f"{path}: not JSON ({error}); remove it and train the row again") from None


def _one_value(runs: list[dict], files: list[Path], key: str) -> Any:
    for run, file in zip(runs, files, strict=True):
        if run[key] != runs[0][key]:
            raise UserError(
                f"{file}: {key}: {run[key]} differs from {runs[0][key]} in {files[0]}; "
                "seeds of one row must come from one spec on the same images"
            )
    return runs[0][key]


def summarise(metrics_files: list[Path]) -> dict[str, Any]:
    """One row's runs, over its seeds, as written to ``summary.json``.

    Diverged runs are counted (``diverged``, and ``diverged_at_epoch`` one entry per such run,
    None if unknown) but are no part of any statistic. Losses are in the units of the normalised
    data, accuracies shares in [0, 1], seconds wall time of each training.

    Raises:
        UserError: a file is missing or not JSON, a seed comes twice, or the runs do not belong
            to one row, one spec and one set of images.
    """
    if not metrics_files:
        raise UserError(
            "no metrics.json to summarise; name at least one seed in config.yaml: seeds"
        )
    read = sorted(((_read(file), Path(file)) for file in metrics_files), key=lambda r: r[0]["seed"])
    runs, files = [run for run, _ in read], [file for _, file in read]
    row = {
        key: _one_value(runs, files, key)
        for key in ("paper", "row", "task", "parameters", "epochs", "train_images", "test_images")
    }
    for key in ("spec_sha256", "dataset_sha256"):
        row[key] = _one_value(runs, files, key)
    seeds = [run["seed"] for run in runs]
    if len(set(seeds)) < len(seeds):
        raise UserError(f"{files[0].parent.parent}: seeds {seeds}: a seed may come only once")

    completed = [run for run in runs if run["status"] == "completed"]
    diverged = [run for run in runs if run["status"] != "completed"]
    best = {metric: None for run in completed for metric in run["best"]}
    final = {metric: None for run in completed for metric in run["final"]}
    return row | {
        "seeds": seeds,
        "completed": len(completed),
        "diverged": len(diverged),
        "diverged_at_epoch": [run.get("diverged_at_epoch") for run in diverged],
        "best": {
            metric: statistics(r["best"][metric]["value"] for r in completed if metric in r["best"])
            for metric in best
        },
        "final": {
            metric: statistics(r["final"][metric] for r in completed if metric in r["final"])
            for metric in final
        },
        "seconds": [run["seconds"] for run in runs],
        "devices": _distinct(run.get("device_name") or run["device"] for run in runs),
        "torch": _distinct(run["torch"] for run in runs),
        "kernels": _distinct(run["kernels"] for run in runs),
        "code_sha256": _distinct(run["code_sha256"] for run in runs),
    }


def _distinct(values: Iterable[Any]) -> list[Any]:
    return list(dict.fromkeys(values))


def load_summaries(paper: Any, results_root: Path) -> dict[str, dict[str, Any]]:
    """Every ``summary.json`` that ``paper``'s rows have under ``results_root``, by row id."""
    files = {row.id: Path(results_root) / paper.key / row.id / "summary.json" for row in paper.rows}
    return {row: _read(file) for row, file in files.items() if file.exists()}


def compare_table(
    paper: Any, table: Mapping[str, Any], summaries: Mapping[str, dict]
) -> list[dict[str, Any]]:
    """A published table's lines with what was measured, in the table's order.

    Each line holds ``row`` (a Row), ``ours`` (a variant the paper does not print), ``summary``
    (None if the row was not trained) and ``numbers``: per metric key ``published``, ``mean``,
    ``sd``, ``difference`` (mean minus published), ``n``, ``unit`` and ``digits``; losses as they
    are, percentages as 0 to 100. A variant stands under the line of the row it varies, and its
    difference is taken from that line's published number, while its own ``published`` is None.
    """
    lines = []
    for line in table["lines"]:
        row = paper.row(line["row"])
        variants = [
            other
            for other in paper.rows
            if other.variant_of and paper.row(other.variant_of).id == row.id
        ]
        lines += [
            _compare(each, table, summaries, line["published"], row) for each in (row, *variants)
        ]
    return lines


def _compare(
    row: Any, table: Mapping, summaries: Mapping, published: Mapping, printed: Any
) -> dict:
    """``row`` against the numbers that the table prints for the row ``printed``."""
    ours = row is not printed
    summary = summaries.get(row.id)
    numbers = {}
    for key, metric in table["metrics"].items():
        factor = 100.0 if metric["unit"] == "percent" else 1.0
        measured = ((summary or {}).get(metric["at"]) or {}).get(metric["metric"]) or statistics([])
        mean, sd = (
            measured[name] if measured[name] is None else factor * measured[name]
            for name in ("mean", "sd")
        )
        reference = published.get(key)
        known = mean is not None and reference is not None
        numbers[key] = {
            "published": None if ours else reference,
            "mean": mean,
            "sd": sd,
            "n": measured["n"],
            "difference": mean - reference if known else None,
            "unit": metric["unit"],
            "digits": metric["digits"],
        }
    return {"row": row, "ours": ours, "summary": summary, "numbers": numbers}


def compared_numbers(paper: Any, summaries: Mapping[str, dict]) -> list[dict[str, Any]]:
    """Every published number that has a measured one: table, row, metric, task and the comparison.

    A number printed in two tables counts twice: each is a statement of the paper.
    """
    return [
        number | {"table": table, "row": line["row"], "metric": table["metrics"][key]}
        for table in paper.tables
        for line in compare_table(paper, table, summaries)
        for key, number in line["numbers"].items()
        if number["published"] is not None and number["difference"] is not None
    ]


def largest_differences(numbers: list[dict[str, Any]], count: int = 3) -> list[dict[str, Any]]:
    """Per kind of number (task and unit) the count, the median and the largest differences.

    Only like is ranked with like: a reconstruction error, a cross entropy and an accuracy have
    no common measure. Differences are absolute; ``largest`` holds entries of ``numbers``.
    """
    kinds: dict[tuple[str, str], list[dict]] = {}
    for number in numbers:
        kinds.setdefault((number["row"].task, number["unit"]), []).append(number)
    return [
        {
            "task": task,
            "unit": unit,
            "digits": max(member["digits"] for member in members),
            "count": len(members),
            "median": float(np.median([abs(member["difference"]) for member in members])),
            "largest": _largest(members, count),
        }
        for (task, unit), members in kinds.items()
    ]


def _largest(members: list[dict], count: int) -> list[dict]:
    """The largest first, and a number that two tables print alike only once."""
    seen, largest = set(), []
    for member in sorted(members, key=lambda member: -abs(member["difference"])):
        what = (member["row"].id, member["metric"]["metric"], member["metric"]["at"])
        if (*what, member["published"]) not in seen:
            seen.add((*what, member["published"]))
            largest.append(member)
    return largest[:count]


def reference_table(
    papers: Iterable[Any], summaries: Mapping[str, Mapping[str, dict]]
) -> pd.DataFrame:
    """Every metric of every row, with the number that a paper prints for it.

    ``summaries`` maps paper key to row id to summary. Columns as in ``REFERENCE_COLUMNS``;
    losses and shares in [0, 1] as in ``metrics.json``. A row that two tables print with
    different numbers has a line for each.
    """
    lines = []
    for paper in papers:
        printed = _printed(paper)
        for row in paper.rows:
            summary = summaries.get(paper.key, {}).get(row.id)
            for at in ("best", "final") if summary else ():
                for metric, measured in summary[at].items():
                    identity = {"paper": paper.key, "row": row.id, "metric": metric, "at": at}
                    numbers = {name: measured[name] for name in ("n", "mean", "sd")}
                    lines += [
                        identity | numbers | {"published": number}
                        for number in printed.get((row.id, metric, at), [None])
                    ]
    frame = pd.DataFrame(lines, columns=REFERENCE_COLUMNS)
    return frame.astype({"n": int, "mean": float, "sd": float, "published": float})


def _printed(paper: Any) -> dict[tuple[str, str, str], list[float]]:
    """(row id, metric, at) to the distinct numbers that the paper's tables print for it."""
    printed: dict[tuple[str, str, str], list[float]] = {}
    for table in paper.tables:
        for line in table["lines"]:
            for key, number in line["published"].items():
                metric = table["metrics"][key]
                share = round(number / 100, 6) if metric["unit"] == "percent" else number
                known = printed.setdefault(
                    (paper.row(line["row"]).id, metric["metric"], metric["at"]), []
                )
                if share not in known:
                    known.append(share)
    return printed


def write_reference(
    papers: Iterable[Any],
    summaries: Mapping[str, Mapping[str, dict]],
    run: Mapping[str, Any],
    out: Path,
) -> None:
    """Write :func:`reference_table` to ``out`` (CSV), and beside it, as JSON, where it was made.

    Args:
        papers: what was run.
        summaries: paper key to row id to summary.
        run: commit, versions and platform, as the report states them.
        out: the CSV file; the environment goes to the same name with the ending .json.
    """
    flat = [summary for rows in summaries.values() for summary in rows.values()]
    environment = dict(run) | {
        "seeds": _distinct(seed for summary in flat for seed in summary["seeds"]),
        "trained_on": _distinct(device for summary in flat for device in summary["devices"]),
        "torch": _distinct(version for summary in flat for version in summary["torch"]),
        "kernels": _distinct(kernel for summary in flat for kernel in summary["kernels"]),
        "dataset_sha256": _distinct(summary["dataset_sha256"] for summary in flat),
        "code_sha256": _distinct(code for summary in flat for code in summary["code_sha256"]),
        "training_seconds": round(sum(sum(summary["seconds"]) for summary in flat)),
        "diverged": sum(summary["diverged"] for summary in flat),
    }
    reference_table(papers, summaries).to_csv(out, index=False, lineterminator="\n")
    Path(out).with_suffix(".json").write_text(json.dumps(environment, indent=2) + "\n")
