"""An epoch: one pass over the images, step by step, and then every metric of every set."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar, cast

import torch
from torch import Tensor

from refashion.training.evaluation import evaluate, normalise, sample_losses
from refashion.training.networks import Model
from refashion.training.splits import Split, random_order

if TYPE_CHECKING:
    from refashion.paper.spec import Spec

Step = Callable[[Tensor], None]
Optimizer = TypeVar("Optimizer", bound=torch.optim.Optimizer)


class Training:
    """A model in training, and all that its epochs need.

    Beside what it is made of it has an ``optimizer``, and as ``totals`` float64 scalars on the
    device: sums over an epoch's batches of their mean ``loss`` and, of a classifier, ``accuracy``.

    Args:
        model: on its device, as it is before the first step.
        splits: ``train``, ``val`` and perhaps ``test``.
        spec: the row's settings.
        seed: of the order of images.
    """

    def __init__(self, model: Model, splits: dict[str, Split], spec: Spec, seed: int) -> None:
        self.model, self.splits, self.spec, self.seed = model, splits, spec, seed
        self.optimizer = _make_optimizer(model, spec)
        names = ("loss", "accuracy") if model.task == "classification" else ("loss",)
        zero = torch.zeros((), dtype=torch.float64, device=splits["train"].images.device)
        self.totals = {name: zero.clone() for name in names}

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


def _uncompiled(optimizer: type[Optimizer]) -> type[Optimizer]:
    """An optimizer of torch without the wrappers that hide it from torch's compiler.

    On first use they import the compiler, half the time of a short job; nothing here is compiled.
    """
    names = ("add_param_group", "zero_grad", "state_dict", "load_state_dict")
    methods = {name: inspect.unwrap(getattr(optimizer, name)) for name in names}
    methods["step"] = torch.no_grad()(inspect.unwrap(optimizer.step))
    return cast("type[Optimizer]", type(optimizer.__name__, (optimizer,), methods))


Adam, SGD = _uncompiled(torch.optim.Adam), _uncompiled(torch.optim.SGD)


def _make_optimizer(model: Model, spec: Spec) -> torch.optim.Optimizer:
    """Over the weights that are not frozen."""
    weights = [parameter for parameter in model.parameters() if parameter.requires_grad]
    rate = spec.learning_rate
    if spec.optimizer == "sgd":
        return SGD(weights, lr=rate, momentum=spec.momentum, fused=True)
    on_gpu = weights[0].is_cuda
    return Adam(weights, lr=rate, eps=spec.epsilon, fused=True, capturable=on_gpu)
