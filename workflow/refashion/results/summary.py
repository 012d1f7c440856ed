"""A row's runs, over its seeds."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from refashion.errors import UserError
from refashion.results.files import read_json

# Of which epoch a number is: each metric's own best; the last one; the one whose weights were
# kept; the one of the lowest validation loss.
EPOCHS = ("best", "final", "kept", "lowest")


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
