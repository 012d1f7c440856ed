"""What a training has come to so far, and whether it goes on."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from math import inf
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from refashion.training.epoch import Training
from refashion.training.evaluation import example_indices, reconstruct

if TYPE_CHECKING:
    from refashion.paper.spec import EarlyStopping, Spec

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
        if self.epochs in self.spec.snapshots and self.epochs not in self.snapshots:
            split = training.splits["val"]
            images = split.images[example_indices(split.labels, 1)]
            made = reconstruct(training.model, images, self.spec.normalisation)
            self.snapshots[self.epochs] = made.cpu()

    def stacked_snapshots(self) -> dict[str, Tensor]:
        """``snapshots`` float32 [k, 10, 28, 28] of ``snapshot_epochs`` int64 [k], if any."""
        if not self.snapshots:
            return {}
        return {
            "snapshots": torch.stack(list(self.snapshots.values())),
            "snapshot_epochs": torch.tensor(list(self.snapshots)),
        }

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
