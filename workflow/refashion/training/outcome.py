"""What a training leaves: metrics.json, history.csv, model.safetensors, outputs.safetensors."""

from __future__ import annotations

import csv
import json
import time
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import Tensor

from refashion.training.device import device_name
from refashion.training.epoch import Training
from refashion.training.evaluation import describe_outputs
from refashion.training.job import Job
from refashion.training.progress import Line, Progress, kept_epoch

METRICS_SCHEMA = 2


def write(
    out: Path, job: Job, training: Training, progress: Progress, started: float
) -> dict[str, Any]:
    """Write the four files into ``out``, metrics.json last; returns what is in it.

    ``training`` has the weights to keep; ``started`` is the clock when it would have begun, had it
    not been interrupted.
    """
    model, history = training.model, progress.history
    split = training.splits["val"]
    outputs, confusion = describe_outputs(model, split, job.spec.normalisation)
    save_file(outputs | progress.stacked_snapshots(), out / "outputs.safetensors")
    weights = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    save_file(weights, out / "model.safetensors")
    with (out / "history.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, history[0] if history else ["epoch", "seconds"])
        writer.writeheader()
        writer.writerows(history)
    metrics = _metrics(job, training, progress, confusion) | {
        "seconds": time.perf_counter() - started,
        "device_name": device_name(job.device),
    }
    (out / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    return metrics


def _metrics(
    job: Job, training: Training, progress: Progress, confusion: Tensor | None
) -> dict[str, Any]:
    """How the training ended, what it was, and how well it did."""
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
    }


def _line(history: list[Line], epoch: int) -> Line:
    """All metrics of an epoch, and which it is; empty if no epoch was completed."""
    line = history[epoch - 1] if history else {}
    return {name: value for name, value in line.items() if name != "seconds"}


def _best(history: list[Line]) -> dict[str, dict[str, float]]:
    """For every metric its best value, lowest loss or highest accuracy, and the epoch of it."""
    best = {}
    for name in _line(history, 1):
        choose = max if "accuracy" in name else min
        line = choose(history, key=lambda past: past[name])
        best[name] = {"value": line[name], "epoch": line["epoch"]}
    best.pop("epoch", None)
    return best
