"""Errors, accuracies and confusion matrices of a model in evaluation mode."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from refashion.networks import Model

CHUNK = 256  # images a forward pass: small enough for the largest feature map to stay in cache


def normalise(images: Tensor, normalisation: dict) -> Tensor:
    """uint8 [n, 28, 28] to float32 [n, 1, 28, 28]: scaled to [0, 1], then (x - mean) / std."""
    scaled = images.unsqueeze(1).float().div_(255)
    return scaled.sub_(normalisation["mean"]).div_(normalisation["std"])


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
    task: str,
    images: Tensor,
    labels: Tensor,
    normalisation: dict,
    batch_size: int,
) -> tuple[dict[str, float], Tensor | None]:
    """Loss, and for a classifier accuracy, over a whole set in evaluation mode.

    Args:
        model: left in evaluation mode.
        task: ``reconstruction`` or ``classification``.
        images: uint8 [n, 28, 28].
        labels: int64 [n].
        normalisation: ``mean`` and ``std`` of the inputs.
        batch_size: of the batches whose means the papers average.

    Returns:
        ``loss`` and ``loss_batch_mean``, likewise ``accuracy`` (shares); and the confusion
        matrix, int64 [10, 10], true classes down, predicted across (None for reconstruction).
    """
    model.eval()
    losses, predictions = [], []
    for chunk, truth in zip(images.split(CHUNK), labels.split(CHUNK), strict=True):
        inputs = normalise(chunk, normalisation)
        outputs = model(inputs)
        losses.append(sample_losses(task, outputs, inputs, truth))
        if task == "classification":
            predictions.append(outputs.argmax(1))
    metrics = _both_means("loss", torch.cat(losses), batch_size)
    if task == "reconstruction":
        return metrics, None
    predicted = torch.cat(predictions)
    metrics |= _both_means("accuracy", (predicted == labels), batch_size)
    confusion = torch.bincount(labels * 10 + predicted, minlength=100).view(10, 10)
    return metrics, confusion


def _both_means(name: str, values: Tensor, batch_size: int) -> dict[str, float]:
    return {
        name: values.double().mean().item(),
        f"{name}_batch_mean": mean_of_batch_means(values, batch_size),
    }


@torch.inference_mode()
def reconstruct_examples(
    model: Model, images: Tensor, labels: Tensor, normalisation: dict
) -> dict[str, Tensor]:
    """The first image of each class and the model's output for it.

    Returns:
        float32 ``targets`` and ``outputs`` [10, 28, 28] in units of the normalised data, uint8
        ``labels`` [10].
    """
    model.eval()
    first = torch.stack([(labels == label).nonzero()[0, 0] for label in range(10)])
    targets = normalise(images[first], normalisation)
    return {
        "targets": targets.squeeze(1).contiguous().cpu(),
        "outputs": model(targets).squeeze(1).contiguous().cpu(),
        "labels": labels[first].to(torch.uint8).cpu(),
    }
