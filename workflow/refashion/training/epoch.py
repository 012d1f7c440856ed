"""An epoch: one pass over the images, step by step, and then every metric of every set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from refashion.training.evaluation import evaluate, normalise, sample_losses
from refashion.training.networks import Model
from refashion.training.optimizers import make_optimizer
from refashion.training.splits import Split, random_order

if TYPE_CHECKING:
    from refashion.paper.spec import Spec

Step = Callable[[Tensor], None]


@dataclass(frozen=True, eq=False)
class Training:
    """A model in training, and all that its epochs need.

    Args:
        model, optimizer: what the steps change.
        splits: ``train``, ``val`` and perhaps ``test``.
        spec: the row's settings.
        seed: of the order of images.
        totals: float64 scalars on the device: sums over an epoch's batches of their mean
            ``loss`` and, of a classifier, ``accuracy``.
    """

    model: Model
    optimizer: torch.optim.Optimizer
    splits: dict[str, Split]
    spec: Spec
    seed: int
    totals: dict[str, Tensor]

    @classmethod
    def of(cls, model: Model, splits: dict[str, Split], spec: Spec, seed: int) -> Training:
        """A model on its device at the start, with the optimizer that ``spec`` asks for."""
        names = ("loss", "accuracy") if model.task == "classification" else ("loss",)
        device = splits["train"].images.device
        totals = {name: torch.zeros((), dtype=torch.float64, device=device) for name in names}
        return cls(model, make_optimizer(model, spec), splits, spec, seed, totals)

    def step(self, batch: Tensor) -> None:
        """Train on the images of these indices, int64 [batch]; nothing is read back."""
        split, task = self.splits["train"], self.model.task
        inputs = normalise(split.images[batch], self.spec.normalisation)
        labels = split.labels[batch]
        outputs = self.model(inputs)
        loss = sample_losses(task, outputs, inputs, labels).mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.totals["loss"] += loss.detach()
        if task == "classification":
            self.totals["accuracy"] += (outputs.detach().argmax(1) == labels).double().mean()

    def run_epoch(self, epoch: int, step: Step) -> dict[str, float]:
        """One pass over the images in an order drawn from (seed, epoch).

        Returns:
            The running metrics: means of batch means, with dropout on and weights still moving.
        """
        self.model.train()
        for total in self.totals.values():
            total.zero_()
        images = self.splits["train"].images
        order = torch.from_numpy(random_order(len(images), self.seed, epoch)).to(images.device)
        batches = order.split(self.spec.batch_size)
        for index, batch in enumerate(batches):
            self.model.masks.step = (epoch - 1) * len(batches) + index
            step(batch)
        return {f"running_{name}": t.item() / len(batches) for name, t in self.totals.items()}

    def measure(self, epoch: int) -> dict[str, float]:
        """Every metric of every set after an epoch, as ``val_loss``."""
        how = self.spec.normalisation, self.spec.batch_size
        measured = {name: evaluate(self.model, split, *how) for name, split in self.splits.items()}
        if self.spec.validation_dropout:
            val = self.splits["val"]
            measured["val_dropout"] = evaluate(self.model, val, *how, dropout_epoch=epoch)
        return {
            f"{name}_{metric}": value
            for name, metrics in measured.items()
            for metric, value in metrics.items()
        }
