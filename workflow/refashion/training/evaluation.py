"""Errors, accuracies and confusion matrices of a model over a whole set of images."""

from __future__ import annotations

from collections.abc import Iterator
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
    model.train(dropout_epoch is not None)
    losses, correct = [], []
    for index, (inputs, labels) in enumerate(_chunks(split, normalisation)):
        if dropout_epoch is not None:
            model.masks.step = FIRST_MEASURED_STEP + (dropout_epoch << 20) + index
        outputs = model(inputs)
        losses.append(sample_losses(model.task, outputs, inputs, labels))
        if model.task == "classification":
            correct.append(outputs.argmax(1) == labels)
    metrics = _both_means("loss", torch.cat(losses), batch_size)
    if model.task == "classification":
        metrics |= _both_means("accuracy", torch.cat(correct), batch_size)
    return metrics


def _chunks(split: Split, normalisation: Normalisation) -> Iterator[tuple[Tensor, Tensor]]:
    """Normalised inputs and labels of a set, in its order."""
    for images, labels in zip(split.images.split(CHUNK), split.labels.split(CHUNK), strict=True):
        yield normalise(images, normalisation), labels


def _both_means(name: str, values: Tensor, batch_size: int) -> dict[str, float]:
    return {
        name: values.double().mean().item(),
        f"{name}_batch_mean": mean_of_batch_means(values, batch_size),
    }


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
    reconstructs = model.task == "reconstruction"
    examples = example_indices(split.labels, 1 if reconstructs else 2)
    described = _spread(model, split, normalisation)
    described["targets"] = normalise(split.images[examples], normalisation).squeeze(1)
    described["labels"] = split.labels[examples].to(torch.uint8)
    confusion = None
    if reconstructs:
        described["outputs"] = reconstruct(model, split.images[examples], normalisation)
    else:
        predicted = described["predictions"]
        described["predictions"] = predicted[examples].to(torch.uint8)
        confusion = torch.bincount(split.labels * 10 + predicted, minlength=100).view(10, 10)
    return {name: tensor.contiguous().cpu() for name, tensor in described.items()}, confusion


def _spread(model: Model, split: Split, normalisation: Normalisation) -> dict[str, Tensor]:
    """Of :func:`describe_outputs` what is summed over all images, and all predictions, int64."""
    model.eval()
    losses, predictions = [], []
    zero = torch.zeros((), dtype=torch.float64, device=split.images.device)
    first = second = squared_error = zero
    for inputs, labels in _chunks(split, normalisation):
        outputs = model(inputs)
        losses.append(sample_losses(model.task, outputs, inputs, labels))
        first = first + outputs.double().sum(0)
        second = second + outputs.double().square().sum(0)
        if model.task == "classification":
            predictions.append(outputs.argmax(1))
        else:
            squared_error = squared_error + (outputs - inputs).double().square().sum(0)
    count = len(split)
    variance = (second / count - (first / count).square()).clamp_(min=0)
    spread = {"image_loss": torch.cat(losses), "output_std": variance.sqrt().float().squeeze(0)}
    if model.task == "classification":
        return spread | {"predictions": torch.cat(predictions)}
    return spread | {"pixel_loss": (squared_error / count).float().squeeze(0)}


def example_indices(labels: Tensor, each: int) -> Tensor:
    """int64 [10 * each]: where the first ``each`` images of every class are, class by class."""
    return torch.cat([(labels == label).nonzero()[:each, 0] for label in range(10)])


@torch.inference_mode()
def reconstruct(model: Model, images: Tensor, normalisation: Normalisation) -> Tensor:
    """float32 [n, 28, 28] for uint8 [n, 28, 28], in evaluation mode."""
    model.eval()
    return model(normalise(images, normalisation)).squeeze(1)
