"""Which images a training learns from and is measured on, and in which order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from refashion.paper.spec import Split as Shares
    from refashion.training.dataset import Dataset

ALL_TRAINING_IMAGES = 60_000  # what a row's split is counted in


@dataclass(frozen=True, eq=False)
class Split:
    """Images uint8 [n, 28, 28] and labels int64 [n] on the device that computes."""

    images: Tensor
    labels: Tensor

    @classmethod
    def of(cls, images: np.ndarray, labels: np.ndarray, device: str) -> Split:
        return cls(torch.from_numpy(images).to(device), torch.from_numpy(labels).long().to(device))

    def __len__(self) -> int:
        return len(self.images)


def make_splits(dataset: Dataset, shares: Shares, seed: int, device: str) -> dict[str, Split]:
    """The sets ``train`` and ``val`` and, where validation images are held out, ``test``.

    ``shares`` says how many of 60,000 images to train and to validate on; of fewer images it takes
    the same shares. Which they are is drawn from the seed; their order is the data set's. Without
    validation images of its own a row validates on the test images.
    """
    count = len(dataset.train_images)
    train, validation = (
        round(count * share / ALL_TRAINING_IMAGES) for share in (shares.train, shares.validation)
    )
    # Epochs count from 1: this key is that of no epoch's order.
    drawn = random_order(count, seed, 0) if train < count else np.arange(count)
    chosen = {"train": drawn[:train], "val": drawn[train : train + validation]}
    splits: dict[str, Split] = {}
    for name, at in chosen.items():
        at = np.sort(at)
        splits[name] = Split.of(dataset.train_images[at], dataset.train_labels[at], device)
    test = Split.of(dataset.test_images, dataset.test_labels, device)
    return splits | {"test" if validation else "val": test}


def random_order(count: int, seed: int, epoch: int) -> np.ndarray:
    """int64 [count]: a permutation that is a function of (seed, epoch)."""
    return np.random.Generator(np.random.Philox(key=[seed, epoch])).permutation(count)
