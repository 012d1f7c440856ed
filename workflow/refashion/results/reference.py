"""What is kept in git of all that was measured."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from refashion.errors import UserError
from refashion.results.summary import EPOCHS, distinct, load_summaries

REFERENCE_COLUMNS = ["paper", "row", "metric", "at", "n", "mean", "sd", "published"]

# What a run leaves that a reader needs to check its summary.
RUN_FILES = ("metrics.json", "history.csv")


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
        for line in table.lines:
            for key, number in line.published.items():
                metric = table.metrics[key]
                share = round(number / 100, 6) if metric.unit == "percent" else number
                add(line.row, metric.metric, metric.at, share)
    for matrix in paper.confusion_matrices:
        counts = np.array(matrix.published)
        add(matrix.row, "val_accuracy", "kept", float(np.trace(counts) / counts.sum()))
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
