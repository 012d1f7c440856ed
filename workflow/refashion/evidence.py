"""Statistics over seeds, and measured numbers beside published ones.

Numpy and pandas only: a report can be made where torch is not installed. Everything that is
computed for tables and report is computed here; templates and figures only show it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from refashion.errors import UserError
from refashion.files import read_json

# Of which epoch a number is: each metric's own best; the last one; the one whose weights were
# kept; the one of the lowest validation loss.
EPOCHS = ("best", "final", "kept", "lowest")
VERDICTS = ("reproduced", "close", "differs", "single run", "not comparable")
# Kind of number, as (task, unit), to its margin's key in config.yaml.
MARGINS = {
    ("reconstruction", "loss"): "reconstruction_error",
    ("classification", "loss"): "cross_entropy",
    ("classification", "percent"): "accuracy",
    ("reconstruction", "epochs"): "epochs",
    ("classification", "epochs"): "epochs",
}
# What a number can be, by its unit: no interval goes beyond it.
POSSIBLE = {"loss": (0.0, np.inf), "percent": (0.0, 100.0), "epochs": (0.0, np.inf)}
REFERENCE_COLUMNS = ["paper", "row", "metric", "at", "n", "mean", "sd", "published"]
# What a run leaves that a reader needs to check its summary.
RUN_FILES = ("metrics.json", "history.csv")


def statistics(values: Iterable[float]) -> dict[str, Any]:
    """Mean and sample standard deviation (ddof 1); ``sd`` is None for fewer than two values."""
    values = [float(value) for value in values]
    return {
        "mean": float(np.mean(values)) if values else None,
        "sd": float(np.std(values, ddof=1)) if len(values) > 1 else None,
        "n": len(values),
        "values": values,
    }


def prediction_interval(values: Sequence[float], level: float = 0.95) -> tuple[float, float] | None:
    """Where one new run lies with probability ``level``, by Student's t; None for fewer than two.

    It takes the runs for draws from one normal distribution: mean ± t · sd · √(1 + 1/n), with n - 1
    degrees of freedom.
    """
    return _students_interval(values, level, 1 + 1 / max(len(values), 1))


def mean_interval(values: Sequence[float], level: float = 0.95) -> tuple[float, float] | None:
    """The confidence interval of a mean, mean ± t · sd / √n; None for fewer than two values."""
    return _students_interval(values, level, 1 / max(len(values), 1))


def _students_interval(
    values: Sequence[float], level: float, share: float
) -> tuple[float, float] | None:
    """mean ± t · √(share · variance)."""
    if len(values) < 2:
        return None
    quantile = stdtrit(len(values) - 1, (1 + level) / 2)
    half = float(quantile * np.std(values, ddof=1) * np.sqrt(share))
    return float(np.mean(values)) - half, float(np.mean(values)) + half


def judge(number: Mapping[str, Any], margin: float) -> str:
    """One of ``VERDICTS`` for a published number beside what was measured.

    ``reproduced``: inside the prediction interval widened by the printed precision, half a unit of
    the last digit. ``close``: outside it, and at most ``margin``, in the number's unit, from the
    mean. ``differs``: further. ``single run``: one run has no interval. ``not comparable``: no run
    was completed, or the row is told the number.
    """
    if number["difference"] is None:
        return "not comparable"
    if number["interval"] is None:
        return "single run"
    low, high = number["interval"]
    precision = 0.5 * 10.0 ** -number["digits"]
    if low - precision <= number["published"] <= high + precision:
        return "reproduced"
    return "close" if abs(number["difference"]) <= margin else "differs"


def _read(path: Path) -> dict[str, Any]:
    return read_json(path, "train the row first", "remove it and train the row again")


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

    Under each of ``EPOCHS`` it has the :func:`statistics` of every metric, but for ``best`` also of
    ``epoch``. Diverged runs are counted (``diverged``, and ``diverged_at_epoch`` one entry per such
    run, None if unknown) but are no part of any statistic. Losses are in the units of the
    normalised data, accuracies shares in [0, 1], ``seconds`` the wall time and ``epochs`` the
    number of epochs of each training, in the order of ``seeds``.

    ``confusion`` is the mean confusion matrix over completed runs, 10 lists (true classes) of 10
    counts (predicted), ``recall`` and ``precision`` the statistics of each class; all three are
    None for a reconstruction, and where no run was completed.

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
    images = ("train_images", "validation_images", "test_images")
    row = {
        key: _one_value(runs, files, key)
        for key in ("paper", "row", "task", "parameters", *images, "spec_sha256", "dataset_sha256")
    }
    seeds = [run["seed"] for run in runs]
    if len(set(seeds)) < len(seeds):
        raise UserError(f"{files[0].parent.parent}: seeds {seeds}: a seed may come only once")

    completed = [run for run in runs if run["status"] == "completed"]
    diverged = [run for run in runs if run["status"] != "completed"]
    return (
        row
        | {
            "seeds": seeds,
            "epochs": [run["epochs"] for run in runs],
            "completed": len(completed),
            "stopped_early": sum(run["stopped_early"] for run in completed),
            "diverged": len(diverged),
            "diverged_at_epoch": [run.get("diverged_at_epoch") for run in diverged],
        }
        | {at: _over_seeds(completed, at) for at in EPOCHS}
        | _confusion_over_seeds(completed)
        | {
            "seconds": [run["seconds"] for run in runs],
            "devices": distinct(run.get("device_name") or run["device"] for run in runs),
            "torch": distinct(run["torch"] for run in runs),
            "kernels": distinct(run["kernels"] for run in runs),
            "code_sha256": distinct(run["code_sha256"] for run in runs),
        }
    )


def _over_seeds(runs: list[dict], at: str) -> dict[str, dict[str, Any]]:
    """The statistics of every metric that a run has; ``best`` holds the epoch with each value."""
    measured = [
        {name: entry["value"] if at == "best" else entry for name, entry in run[at].items()}
        for run in runs
    ]
    names = distinct(name for run in measured for name in run)
    return {name: statistics(run[name] for run in measured if name in run) for name in names}


def _confusion_over_seeds(runs: list[dict]) -> dict[str, Any]:
    matrices = [np.array(run["confusion"], float) for run in runs if run["confusion"]]
    if not matrices:
        return {"confusion": None, "recall": None, "precision": None}
    return {
        "confusion": np.mean(matrices, axis=0).tolist(),
        "recall": [statistics(over) for over in np.transpose([recall(m) for m in matrices])],
        "precision": [statistics(over) for over in np.transpose([precision(m) for m in matrices])],
    }


def recall(matrix: np.ndarray) -> np.ndarray:
    """float [10]: of each class's images, a row of [10, 10], the share that is recognised."""
    return _share_on_diagonal(matrix, axis=1)


def precision(matrix: np.ndarray) -> np.ndarray:
    """float [10]: of the images taken for a class, a column of [10, 10], the share that is of it.

    It is 0 for a class that is never predicted.
    """
    return _share_on_diagonal(matrix, axis=0)


def _share_on_diagonal(matrix: np.ndarray, axis: int) -> np.ndarray:
    sums = matrix.sum(axis=axis)
    return np.divide(np.diagonal(matrix), sums, out=np.zeros(len(matrix)), where=sums > 0)


def distinct(values: Iterable[Any]) -> list[Any]:
    """The values without repetition, in the order in which they first come."""
    return list(dict.fromkeys(values))


def load_summaries(paper: Any, results_root: Path) -> dict[str, dict[str, Any]]:
    """Every ``summary.json`` that ``paper``'s rows have under ``results_root``, by row id."""
    files = {row.id: Path(results_root) / paper.key / row.id / "summary.json" for row in paper.rows}
    return {row: _read(file) for row, file in files.items() if file.exists()}


def compare_table(
    paper: Any, table: Mapping[str, Any], summaries: Mapping[str, dict]
) -> list[dict[str, Any]]:
    """A table's lines with what was measured, in the table's order.

    Each line holds ``row`` (a Row), ``ours`` (a variant the paper does not print), ``summary``
    (None if the row was not trained) and ``numbers``: per metric key ``published``, ``mean``,
    ``sd``, ``n``, ``values`` (one a run), ``interval`` (see :func:`prediction_interval`; no further
    than is ``POSSIBLE``), ``difference`` (mean minus published), ``unit`` and ``digits``; losses as
    they are, percentages as 0 to 100. A variant stands under the line of the row it varies, and its
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
        measured = ((summary or {}).get(metric["at"]) or {}).get(metric["metric"])
        number = _beside(published.get(key), measured, metric["unit"], metric["digits"])
        if _is_told(row, metric):
            number["difference"] = None
        numbers[key] = number | {"published": None} if ours else number
    return {"row": row, "ours": ours, "summary": summary, "numbers": numbers}


def _is_told(row: Any, metric: Mapping[str, Any]) -> bool:
    """Whether a row is told the number, so that to find it says nothing: the epoch to keep."""
    return (metric["metric"], metric["at"]) == ("epoch", "kept") and row.spec["keep"] != "best"


def _beside(
    published: float | None, measured: Mapping[str, Any] | None, unit: str, digits: int
) -> dict[str, Any]:
    """A published number, as printed, with the statistics of what was measured, if it was."""
    factor = 100.0 if unit == "percent" else 1.0
    measured = measured or statistics([])
    mean, sd = (None if measured[k] is None else factor * measured[k] for k in ("mean", "sd"))
    values = [factor * value for value in measured["values"]]
    interval = prediction_interval(values)
    if interval:
        interval = tuple(float(end) for end in np.clip(interval, *POSSIBLE[unit]))
    return {
        "published": published,
        "mean": mean,
        "sd": sd,
        "n": measured["n"],
        "values": values,
        "interval": interval,
        "difference": None if mean is None or published is None else mean - published,
        "unit": unit,
        "digits": digits,
    }


def compare_confusion(
    paper: Any, matrix: Mapping[str, Any], summaries: Mapping[str, dict]
) -> dict[str, Any]:
    """A published confusion matrix, and the shares that follow from it, with what was measured.

    Returns:
        ``id``, ``label``, ``row`` (a Row) and ``summary`` (None if the row was not trained);
        ``accuracy``, and lists of 10 by class ``recall`` and ``precision``, each a comparison in
        percent as in :func:`compare_table`; ``published`` and ``measured``, float [10, 10] counts,
        the mean over seeds for as many images of each class as the paper has, and ``difference``,
        measured minus published (both None if nothing was measured).
    """
    row = paper.row(matrix["row"])
    summary = summaries.get(row.id) or {}
    published = np.array(matrix["published"], float)
    shares = {"recall": recall(published), "precision": precision(published)}
    measured = difference = None
    if summary.get("confusion"):
        measured = np.array(summary["confusion"])
        measured *= published.sum(axis=1, keepdims=True) / measured.sum(axis=1, keepdims=True)
        difference = measured - published
    return {
        "id": f"confusion-{row.id}",
        "label": matrix["label"],
        "row": row,
        "summary": summaries.get(row.id),
        "accuracy": _beside(
            float(100 * np.trace(published) / published.sum()),
            summary.get("kept", {}).get("val_accuracy"),
            "percent",
            digits=2,
        ),
        **{
            name: [
                _beside(100 * share, over, "percent", digits=1)
                for share, over in zip(by_class, summary.get(name) or [None] * 10, strict=True)
            ]
            for name, by_class in shares.items()
        },
        "published": published,
        "measured": measured,
        "difference": difference,
    }


def published_numbers(
    paper: Any, summaries: Mapping[str, dict], margins: Mapping[str, Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Every published number: table, row, metric, comparison, margin, verdict and reason.

    ``within_margin`` says whether the mean is as near as ``close`` asks for, whatever the verdict;
    ``reason`` what a reader should know beside the verdict, or nothing. A number printed in two
    tables counts twice: each is a statement of the paper. A confusion matrix counts as one, its
    accuracy. ``margins`` are the configuration's; ``summaries`` may have the seeds that
    ``collapsed``, see :func:`refashion.diagnosis.findings.with_collapsed`.
    """
    numbers = [
        number | {"table": table, "row": line["row"], "metric": table["metrics"][key]}
        for table in paper.tables
        for line in compare_table(paper, table, summaries)
        for key, number in line["numbers"].items()
        if number["published"] is not None
    ]
    for matrix in paper.confusion_matrices:
        compared = compare_confusion(paper, matrix, summaries)
        metric = {"label": "Accuracy of the matrix", "metric": "val_accuracy", "at": "kept"}
        table = {name: compared[name] for name in ("id", "label")}
        numbers.append(
            compared["accuracy"] | {"table": table, "row": compared["row"], "metric": metric}
        )
    for number in numbers:
        margin = margins[MARGINS[number["row"].task, number["unit"]]]["margin"]
        difference = number["difference"]
        number["margin"] = margin
        number["verdict"] = judge(number, margin)
        number["within_margin"] = difference is not None and bool(abs(difference) <= margin)
        number["reason"] = "; ".join(_reasons(number, summaries.get(number["row"].id)))
    return numbers


def _reasons(number: Mapping[str, Any], summary: Mapping[str, Any] | None) -> Iterable[str]:
    """Why a number has no verdict, and what its runs went through that makes one say less."""
    if not number["n"]:
        yield "no run was completed"
        return
    if number["verdict"] == "not comparable":
        yield "the row is told this epoch"
    runs, completed = len(summary["seeds"]), summary["completed"]
    if completed < runs:
        yield f"{runs - completed} of {runs} runs diverged"
    if collapsed := summary.get("collapsed"):
        yield f"{len(collapsed)} of {completed} runs collapsed"
    if number["verdict"] == "reproduced" and not number["within_margin"]:
        yield "by the runs’ spread alone"


def largest_differences(numbers: list[dict[str, Any]], count: int = 3) -> list[dict[str, Any]]:
    """Per kind of number (task and unit) the count, the median and the largest differences.

    ``numbers`` are as from :func:`published_numbers`; what was not measured is left out.
    Only like is ranked with like: a reconstruction error, a cross entropy and an accuracy have
    no common measure. Differences are absolute; ``largest`` holds entries of ``numbers``.
    """
    kinds: dict[tuple[str, str], list[dict]] = {}
    for number in (number for number in numbers if number["difference"] is not None):
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


def reference_table(paper: Any, summaries: Mapping[str, dict]) -> pd.DataFrame:
    """Every metric of every row, with the number that the paper prints for it.

    ``summaries`` maps row id to summary. Columns as in ``REFERENCE_COLUMNS``; losses and shares in
    [0, 1] as in ``metrics.json``. A row that two tables print with different numbers has a line
    for each.
    """
    lines = []
    printed = _printed(paper)
    for row in (row for row in paper.rows if row.id in summaries):
        for at in EPOCHS:
            for metric, measured in summaries[row.id][at].items():
                identity = {"paper": paper.key, "row": row.id, "metric": metric, "at": at}
                numbers = {name: measured[name] for name in ("n", "mean", "sd")}
                lines += [
                    identity | numbers | {"published": number}
                    for number in printed.get((row.id, metric, at), [None])
                ]
    frame = pd.DataFrame(lines, columns=REFERENCE_COLUMNS)
    return frame.astype({"n": int, "mean": float, "sd": float, "published": float})


def _printed(paper: Any) -> dict[tuple[str, str, str], list[float]]:
    """(row id, metric, at) to the distinct numbers that the paper prints for it."""
    printed: dict[tuple[str, str, str], list[float]] = {}

    def add(row: str, metric: str, at: str, number: float) -> None:
        known = printed.setdefault((paper.row(row).id, metric, at), [])
        if number not in known:
            known.append(number)

    for table in paper.tables:
        for line in table["lines"]:
            for key, number in line["published"].items():
                metric = table["metrics"][key]
                share = round(number / 100, 6) if metric["unit"] == "percent" else number
                add(line["row"], metric["metric"], metric["at"], share)
    for matrix in paper.confusion_matrices:
        counts = np.array(matrix["published"])
        add(matrix["row"], "val_accuracy", "kept", float(np.trace(counts) / counts.sum()))
    return printed


def write_reference(
    paper: Any, results_root: Path, seeds: Sequence[int], run: Mapping[str, Any], out: Path
) -> None:
    """Keep what was measured of a paper, as text and small enough for git.

    Writes :func:`reference_table` to ``out``, to the same name with the ending .json where it was
    made, and to the folder of that name, as ``<row>/seed-<n>/``, each run's ``RUN_FILES``.

    Args:
        paper: what was run.
        results_root: ``results/<scale>``, with each row's ``summary.json`` and runs.
        seeds: the runs to keep.
        run: commit, versions and platform, as the report states them.
        out: the CSV file.

    Raises:
        UserError: a run is missing.
    """
    summaries = load_summaries(paper, results_root)
    runs = [Path(row.id) / f"seed-{seed}" for row in paper.rows for seed in seeds]
    for file in (there / name for there in runs for name in RUN_FILES):
        source, kept = Path(results_root) / paper.key / file, Path(out).with_suffix("") / file
        if not source.exists():
            raise UserError(f"{source}: not there; train the row first")
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, kept)
    every = list(summaries.values())
    environment = dict(run) | {
        "seeds": distinct(seed for summary in every for seed in summary["seeds"]),
        "trained_on": distinct(device for summary in every for device in summary["devices"]),
        "torch": distinct(version for summary in every for version in summary["torch"]),
        "kernels": distinct(kernel for summary in every for kernel in summary["kernels"]),
        "dataset_sha256": distinct(summary["dataset_sha256"] for summary in every),
        "code_sha256": distinct(code for summary in every for code in summary["code_sha256"]),
        "training_seconds": round(sum(sum(summary["seconds"]) for summary in every)),
        "diverged": sum(summary["diverged"] for summary in every),
    }
    reference_table(paper, summaries).to_csv(out, index=False, lineterminator="\n")
    Path(out).with_suffix(".json").write_text(json.dumps(environment, indent=2) + "\n")
