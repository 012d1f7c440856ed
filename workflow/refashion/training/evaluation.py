"""Errors, accuracies and confusion matrices of a model over a whole set of images."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import reduce
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from refashion.training.networks import Model
from refashion.training.splits import Split

if TYPE_CHECKING:
    from refashion.paper.spec import Normalisation

CHUNK = 256  # images a forward pass: small enough for the largest feature map to stay in cache
# Steps of training count from 0; the masks of a measurement with dropout come from far above.
FIRST_MEASURED_STEP = 1 << 40


def normalise(images: Tensor, normalisation: Normalisation) -> Tensor:
    """uint8 [n, 28, 28] to float32 [n, 1, 28, 28]: scaled to [0, 1], then (x - mean) / std."""
    scaled = images.unsqueeze(1).float().div_(255)
    return scaled.sub_(normalisation.mean).div_(normalisation.std)


def sample_losses(task: str, outputs: Tensor, inputs: Tensor, labels: Tensor) -> Tensor:
    """float32 [n]: each image's mean squared error over pixels, or its cross entropy."""
    if task == "reconstruction":
        return F.mse_loss(outputs, inputs, reduction="none").flatten(1).mean(1)
    return F.cross_entropy(outputs, labels, reduction="none")


def mean_of_batch_means(values: Tensor, batch_size: int) -> float:
    """The papers' average: of batches in order, the last and smaller one counting as much."""
    return torch.stack([batch.mean() for batch in values.double().split(batch_size)]).mean().item()


def _chunks(
    model: Model, split: Split, normalisation: Normalisation, dropout_epoch: int | None = None
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """What a model makes of a set in its order: outputs, normalised inputs, labels."""
    model.train(dropout_epoch is not None)
    chunks = zip(split.images.split(CHUNK), split.labels.split(CHUNK), strict=True)
    for index, (images, labels) in enumerate(chunks):
        if dropout_epoch is not None:
            model.masks.step = FIRST_MEASURED_STEP + (dropout_epoch << 20) + index
        inputs = normalise(images, normalisation)
        yield model(inputs), inputs, labels


@torch.inference_mode()
def evaluate(
    model: Model,
    split: Split,
    normalisation: Normalisation,
    batch_size: int,
    dropout_epoch: int | None = None,
) -> dict[str, float]:
    """Loss, and for a classifier accuracy, over a whole set.

    Args:
        model: put into evaluation mode, or with ``dropout_epoch`` into training mode.
        split: what is measured.
        normalisation: ``mean`` and ``std`` of the inputs.
        batch_size: of the batches whose means the papers average.
        dropout_epoch: keep dropout on, with masks of this epoch's own.

    Returns:
        ``loss`` and ``loss_batch_mean``, likewise ``accuracy`` (shares).
    """
    values: dict[str, list[Tensor]] = defaultdict(list)
    for outputs, inputs, labels in _chunks(model, split, normalisation, dropout_epoch):
        values["loss"].append(sample_losses(model.task, outputs, inputs, labels))
        if model.task == "classification":
            values["accuracy"].append(outputs.argmax(1) == labels)
    metrics: dict[str, float] = {}
    for name, chunks in values.items():
        each = torch.cat(chunks)
        metrics[name] = each.double().mean().item()
        metrics[f"{name}_batch_mean"] = mean_of_batch_means(each, batch_size)
    return metrics


@torch.inference_mode()
def describe_outputs(
    model: Model, split: Split, normalisation: Normalisation
) -> tuple[dict[str, Tensor], Tensor | None]:
    """What a model makes of a set, in evaluation mode: examples, spread and errors in detail.

    Returns:
        Tensors by name, on the CPU, and the confusion matrix, int64 [10, 10], true classes down,
        predicted across (None for a reconstruction). The tensors, losses and images in units of
        the normalised data:

        - ``targets`` float32 [n, 28, 28], ``labels`` uint8 [n]: the examples, of each class the
          first image (reconstruction) or the first two (classification), class by class;
        - ``outputs`` float32 [n, 28, 28] or ``predictions`` uint8 [n] of the examples;
        - ``image_loss`` float32 [len(split)]: the loss of every image;
        - ``output_std`` float32 [28, 28] or [10]: standard deviation of each output over images;
        - ``pixel_loss`` float32 [28, 28], of a reconstruction: squared error, mean over images.
    """
    chunks = list(_chunks(model, split, normalisation))
    reconstructs = model.task == "reconstruction"
    examples = example_indices(split.labels, 1 if reconstructs else 2)
    images, labels = split.images[examples], split.labels[examples]
    first = _mean(outputs.double() for outputs, _, _ in chunks)
    second = _mean(outputs.double().square() for outputs, _, _ in chunks)
    described = {
        "targets": normalise(images, normalisation).squeeze(1),
        "labels": labels.to(torch.uint8),
        "image_loss": torch.cat([sample_losses(model.task, *chunk) for chunk in chunks]),
        "output_std": (second - first.square()).clamp_(min=0).sqrt().float().squeeze(0),
    }
    confusion = None
    if reconstructs:
        squares = ((outputs - inputs).double().square() for outputs, inputs, _ in chunks)
        described["pixel_loss"] = _mean(squares).float().squeeze(0)
        described["outputs"] = reconstruct(model, images, normalisation)
    else:
        predicted = torch.cat([outputs.argmax(1) for outputs, _, _ in chunks])
        described["predictions"] = predicted[examples].to(torch.uint8)
        confusion = torch.bincount(split.labels * 10 + predicted, minlength=100).view(10, 10)
    return {name: tensor.contiguous().cpu() for name, tensor in described.items()}, confusion


def _mean(chunks: Iterable[Tensor]) -> Tensor:
    """Over images, which are the first axis."""
    totals, counts = zip(*((chunk.sum(0), len(chunk)) for chunk in chunks), strict=True)
    return reduce(torch.add, totals) / sum(counts)


def example_indices(labels: Tensor, each: int) -> Tensor:
    """int64 [10 * each]: where the first ``each`` images of every class are, class by class."""
    return torch.cat([(labels == label).nonzero()[:each, 0] for label in range(10)])


@torch.inference_mode()
def reconstruct(model: Model, images: Tensor, normalisation: Normalisation) -> Tensor:
    """float32 [n, 28, 28] for uint8 [n, 28, 28], in evaluation mode."""
    model.eval()
    return model(normalise(images, normalisation)).squeeze(1)
