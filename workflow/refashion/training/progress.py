"""What a training has come to, whether it goes on, and what it leaves in the end."""

from __future__ import annotations

import csv
import json
import time
from dataclasses import dataclass, field
from datetime import timedelta
from math import inf
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from safetensors.torch import save_file
from torch import Tensor

from refashion.training.device import device_name
from refashion.training.epoch import Training
from refashion.training.evaluation import describe_outputs, example_indices, reconstruct
from refashion.training.job import Job

if TYPE_CHECKING:
    from refashion.paper.spec import EarlyStopping, Spec

METRICS_SCHEMA = 2
# After an epoch: its number, every metric by name, and last the seconds that it took.
Line = dict[str, float]


@dataclass
class Progress:
    """What outlives the epoch that it is of.

    Args:
        spec: the row's settings.
        history: a line per completed epoch.
        kept: the weights to keep, where they may not be the last epoch's.
        snapshots: by epoch, float32 [10, 28, 28], what the model made of the examples.
        status: ``completed``, or ``diverged`` after a loss that was not finite.
    """

    spec: Spec
    history: list[Line] = field(default_factory=list)
    kept: dict[str, Tensor] = field(default_factory=dict)
    snapshots: dict[int, Tensor] = field(default_factory=dict)
    status: Literal["completed", "diverged"] = "completed"

    @property
    def epochs(self) -> int:
        return len(self.history)

    @property
    def seconds(self) -> float:
        return sum(line["seconds"] for line in self.history)

    @property
    def stopped_early(self) -> bool:
        stagnant = stagnates(self.history, self.spec.early_stopping)
        return stagnant and self.epochs < self.spec.epochs

    @property
    def ended(self) -> bool:
        return self.epochs >= self.spec.epochs or bool(self.early_end)

    @property
    def early_end(self) -> str:
        """Why the training ended before its last epoch; empty if it did not."""
        if self.status == "diverged":
            return f"epoch {self.epochs + 1}: the loss is not finite: diverged"
        stopping = self.spec.early_stopping
        if stopping and self.stopped_early:
            return f"stopped: no lower validation loss for {stopping.patience} epochs"
        return ""

    def add(self, line: Line, training: Training) -> None:
        """Take up an epoch's line, and of its weights and pictures those that are kept."""
        self.history.append(line)
        keep = self.spec.keep
        if keep != "last" and kept_epoch(self.history, keep) == self.epochs:
            weights = training.model.state_dict()
            self.kept = {name: tensor.clone() for name, tensor in weights.items()}
        self.take_snapshot(training)

    def take_snapshot(self, training: Training) -> None:
        """Keep what the model makes of the examples now, if the row shows this epoch."""
        if self.epochs in self.spec.snapshots:
            split = training.splits["val"]
            images = split.images[example_indices(split.labels, 1)]
            made = reconstruct(training.model, images, self.spec.normalisation)
            self.snapshots[self.epochs] = made.cpu()

    def describe(self) -> str:
        """The last epoch's losses, and the time that is left, in one line."""
        line, epochs = self.history[-1], self.spec.epochs
        left = self.seconds / self.epochs * (epochs - self.epochs)
        clocks = [timedelta(seconds=round(seconds)) for seconds in (self.seconds, left)]
        accuracy = f"  accuracy {line['val_accuracy']:.2%}" if "val_accuracy" in line else ""
        return (
            f"epoch {line['epoch']:>{len(str(epochs))}}/{epochs}"
            f"  train {line['train_loss']:.4f}  validation {line['val_loss']:.4f}{accuracy}"
            f"  {line['seconds']:.1f} s  elapsed {clocks[0]}  left {clocks[1]}"
        )


def stagnates(history: list[Line], early_stopping: EarlyStopping | None) -> bool:
    """Whether the validation loss has not fallen by enough for ``patience`` epochs."""
    if early_stopping is None:
        return False
    lowest, waited = inf, 0
    for line in history:
        waited += 1
        if line["val_loss"] < lowest - early_stopping.min_delta:
            lowest, waited = line["val_loss"], 0
    return waited >= early_stopping.patience


def kept_epoch(history: list[Line], keep: str | int) -> int:
    """The epoch whose weights are kept: the last, that of the lowest loss, or the one named."""
    if isinstance(keep, int):
        return min(keep, len(history))
    if keep == "best" and history:
        losses = [line["val_loss"] for line in history]
        return losses.index(min(losses)) + 1
    return len(history)


# ---- in the end ---------------------------------------------------------------------------------


def write_results(
    out: Path, job: Job, training: Training, progress: Progress, started: float
) -> dict[str, Any]:
    """Write the four files of a training into ``out``, metrics.json last; returns what is in it.

    ``training`` has the weights to keep; ``started`` is the clock when it would have begun, had it
    not been interrupted.
    """
    model, history = training.model, progress.history
    split = training.splits["val"]
    outputs, confusion = describe_outputs(model, split, job.spec.normalisation)
    if progress.snapshots:
        outputs["snapshots"] = torch.stack(list(progress.snapshots.values()))
        outputs["snapshot_epochs"] = torch.tensor(list(progress.snapshots))
    save_file(outputs, out / "outputs.safetensors")
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
    diverged = progress.status == "diverged"
    # Without an epoch, nothing stands in place of its line.
    lines = [{k: v for k, v in line.items() if k != "seconds"} for line in progress.history] or [{}]
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
        "final": lines[-1],
        "kept": lines[kept_epoch(progress.history, job.spec.keep) - 1],
        "lowest": lines[kept_epoch(progress.history, "best") - 1],
        "best": _best(lines),
        "confusion": None if diverged or confusion is None else confusion.tolist(),
    }


def _best(lines: list[Line]) -> dict[str, Line]:
    """For every metric its best value, lowest loss or highest accuracy, and the epoch of it."""
    better = {name: max if "accuracy" in name else min for name in lines[0] if name != "epoch"}
    best = {name: choose(lines, key=itemgetter(name)) for name, choose in better.items()}
    return {name: {"value": at[name], "epoch": at["epoch"]} for name, at in best.items()}
