"""What a training leaves: metrics.json, history.csv, model.safetensors, outputs.safetensors."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import Tensor

from refashion.training.device import device_name
from refashion.training.epoch import Training
from refashion.training.job import Job
from refashion.training.networks import Model
from refashion.training.progress import Line, Progress, kept_epoch

METRICS_SCHEMA = 2


def make_metrics(
    job: Job, training: Training, progress: Progress, confusion: Tensor | None, seconds: float
) -> dict[str, Any]:
    """All that metrics.json says: how the training ended, what it was, and how well it did."""
    diverged, history = progress.status == "diverged", progress.history
    return {
        "schema": METRICS_SCHEMA,
        "status": progress.status,
        "paper": job.row.paper,
        "row": job.row.id,
        "task": job.row.task,
        **job.identity,
        "spec_sha256": job.row.spec_sha256,
        "train_images": len(training.splits["train"]),
        "validation_images": len(training.splits["val"]),
        "test_images": len(job.dataset.test_images),
        "epochs": progress.epochs,
        "stopped_early": progress.stopped_early,
        "diverged_at_epoch": progress.epochs + 1 if diverged else None,
        "parameters": sum(parameter.numel() for parameter in training.model.parameters()),
        "final": _line(history, progress.epochs),
        "kept": _line(history, kept_epoch(history, job.spec.keep)),
        "lowest": _line(history, kept_epoch(history, "best")),
        "best": _best(history),
        "confusion": None if diverged or confusion is None else confusion.tolist(),
        "seconds": seconds,
        "device_name": device_name(job.device),
    }


def write(
    out: Path,
    metrics: dict[str, Any],
    history: list[Line],
    model: Model,
    outputs: dict[str, Tensor],
) -> None:
    """Write the four files into ``out``, metrics.json last."""
    weights = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    save_file(weights, out / "model.safetensors")
    save_file(outputs, out / "outputs.safetensors")
    with (out / "history.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["epoch", *_metric_names(history), "seconds"])
        writer.writeheader()
        writer.writerows(history)
    (out / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")


def _metric_names(history: list[Line]) -> list[str]:
    return [name for name in history[0] if name not in ("epoch", "seconds")] if history else []


def _line(history: list[Line], epoch: int) -> Line:
    """All metrics of an epoch, and which it is; empty if no epoch was completed."""
    return {
        name: history[epoch - 1][name] for name in ("epoch", *_metric_names(history)) if history
    }


def _best(history: list[Line]) -> dict[str, dict[str, float]]:
    """For every metric its best value, lowest loss or highest accuracy, and the epoch of it."""
    best = {}
    for name in _metric_names(history):
        choose = max if "accuracy" in name else min
        line = choose(history, key=lambda past: past[name])
        best[name] = {"value": line[name], "epoch": line["epoch"]}
    return best
