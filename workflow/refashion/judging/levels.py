"""Reference levels: what an error is before anything is learnt, and what no learning can remove.

For each protocol of a paper, that is normalisation, range of the network's outputs and batch size,
the errors of outputs that do not depend on the image, and the floor: the error of the best output
in the network's range, pixel by pixel. Computed from the images alone, with numpy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf, isinf
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from refashion.errors import UserError
from refashion.paper.metric import Metric
from refashion.paper.spec import Normalisation, Task  # noqa: TC001 - pydantic reads them
from refashion.results.files import read_record
from refashion.results.paths import evidence_file

if TYPE_CHECKING:
    from refashion.paper.papers import Paper
    from refashion.paper.spec import Row
    from refashion.training.dataset import Dataset

CHUNK = 5_000  # images at a time: 31 MB of float64

Images = Literal["train", "test"]
Range: TypeAlias = tuple[float | None, float | None]
Pixels: TypeAlias = tuple[tuple[float, ...], ...]  # [28][28]
Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class Level:
    """The error of one output, in squares of normalised units or in nats.

    ``mean`` is over images, ``batch_mean`` over the means of batches in the data set's order;
    ``order_sd`` is the standard deviation of the latter over random orders.
    """

    mean: float
    batch_mean: float
    order_sd: float


@dataclass(frozen=True)
class Protocol:
    """What decides levels, which rows have it, and by set the levels by name.

    ``output_range`` has None where there is no bound; ``pixel_floor`` is the floor of every pixel,
    or None where that is zero everywhere.

    Levels of a reconstruction: ``zero`` (an output of 0 everywhere), ``constant`` (the best
    constant in the range), ``mean_image`` (of the training set), ``mean_image_in_range`` (the same
    cut off at the range) and ``floor``. Of a classification: ``constant`` (every image given the
    classes' frequencies) and ``floor`` (0). What is fitted is fitted to all training images:
    held-out ones, drawn from them, count as such.
    """

    task: Task
    normalisation: Normalisation
    output_range: Range
    batch_size: int
    rows: tuple[str, ...]
    levels: dict[Images, dict[str, Level]]
    pixel_floor: dict[Images, Pixels | None]

    @property
    def limits(self) -> tuple[float, float]:
        """The two ends of the range, infinite where there is no bound."""
        low, high = self.output_range
        return (-inf if low is None else low), (inf if high is None else high)


@dataclass(frozen=True)
class Levels:
    """The levels that a set of images gives a paper's protocols.

    ``classes`` has per set the number of images of each class; ``unreached``, by reconstruction,
    :meth:`~refashion.paper.layers.Network.unreached_rows`, where it has any.
    """

    dataset_sha256: str
    classes: dict[Images, tuple[int, ...]]
    unreached: dict[str, tuple[int, ...]]
    protocols: tuple[Protocol, ...]

    def protocol(self, row: Row) -> Protocol:
        """The protocol of ``row``.

        Raises:
            UserError: it has none, as the levels were computed before the row was written.
        """
        for protocol in self.protocols:
            if row.id in protocol.rows:
                return protocol
        raise UserError(f"levels.json: no protocol of row {row.id}; compute the levels again")

    def level(self, row: Row, metric: str, name: str) -> Level:
        """One level for one of ``row``'s losses.

        For a loss that is a plain mean over images ``batch_mean`` is the mean, ``order_sd`` 0.
        """
        level = self.protocol(row).levels[images_of(row, metric)][name]
        if Metric.of(metric).batch_mean:
            return level
        return Level(level.mean, level.mean, order_sd=0.0)


@dataclass(frozen=True)
class PaperLevels:
    """Of the whole data set, to which published numbers belong, and of the runs' images."""

    published: Levels
    measured: Levels


def load(paper: Paper, results_root: Path) -> PaperLevels:
    """What the verb ``levels`` wrote.

    Raises:
        UserError: it has not been written.
    """
    file = evidence_file(results_root, paper.key, "levels")
    return read_record(PaperLevels, file, "compute the levels first", "compute the levels again")


def images_of(row: Row, metric: str) -> Images:
    """The images that a row's ``metric`` is measured on, or drawn from."""
    series = Metric.of(metric).series
    if series in ("train", "running"):
        return "train"
    return "test" if series == "test" or not row.spec.split.validation else "train"


# ---- computing them -----------------------------------------------------------------------------

# By set, and by level of every image.
Errors: TypeAlias = "dict[Images, dict[str, Floats]]"
PixelFloor: TypeAlias = "dict[Images, Pixels | None]"


def describe(paper: Paper, dataset: Dataset) -> Levels:
    """The levels of every protocol that the rows of ``paper`` and its studies have."""
    alike: dict[tuple[object, ...], list[Row]] = {}
    for row in (*paper.rows, *paper.study_rows):
        decides = row.task, row.spec.normalisation, row.network.output_range, row.spec.batch_size
        alike.setdefault(decides, []).append(row)
    reconstructions = [row for row in paper.rows if row.task == "reconstruction"]
    unreached = {row.id: tuple(row.network.unreached_rows()) for row in reconstructions}
    return Levels(
        dataset.sha256,
        {
            name: tuple(np.bincount(labels, minlength=10).tolist())
            for name, labels in _labels(dataset).items()
        },
        {row: where for row, where in unreached.items() if where},
        tuple(_protocol(dataset, rows) for rows in alike.values()),
    )


def _protocol(dataset: Dataset, rows: Sequence[Row]) -> Protocol:
    """The protocol that these rows share."""
    row = rows[0]
    if row.task == "classification":
        errors, pixel_floor = _classification_errors(_labels(dataset))
    else:
        errors, pixel_floor = _reconstruction_errors(
            dataset, row.spec.normalisation, row.network.output_range
        )
    low, high = row.network.output_range
    return Protocol(
        row.task,
        row.spec.normalisation,
        (None if isinf(low) else low, None if isinf(high) else high),
        row.spec.batch_size,
        tuple(row.id for row in rows),
        {
            name: {level: _average(each, row.spec.batch_size) for level, each in of_set.items()}
            for name, of_set in errors.items()
        },
        pixel_floor,
    )


def _labels(dataset: Dataset) -> dict[Images, NDArray[np.uint8]]:
    return {"train": dataset.train_labels, "test": dataset.test_labels}


def _classification_errors(
    labels: Mapping[Images, NDArray[np.uint8]],
) -> tuple[Errors, PixelFloor]:
    frequencies = np.bincount(labels["train"], minlength=10) / len(labels["train"])
    errors: Errors = {
        name: {"constant": -np.log(frequencies[of_set]), "floor": np.zeros(len(of_set))}
        for name, of_set in labels.items()
    }
    return errors, dict.fromkeys(errors)


def _reconstruction_errors(
    dataset: Dataset, normalisation: Normalisation, output_range: tuple[float, float]
) -> tuple[Errors, PixelFloor]:
    images: dict[Images, NDArray[np.uint8]] = {
        "train": dataset.train_images,
        "test": dataset.test_images,
    }
    sums = [targets.sum(0) for targets in _chunks(images["train"], normalisation)]
    mean_image = np.sum(sums, axis=0) / len(images["train"])
    # A squared error is least at the mean; within a range, at the mean's nearest value in it.
    outputs = {
        "zero": 0.0,
        "constant": np.clip(mean_image.mean(), *output_range),
        "mean_image": mean_image,
        "mean_image_in_range": np.clip(mean_image, *output_range),
    }
    errors: Errors = {}
    pixel_floor: PixelFloor = {}
    for name, of_set in images.items():
        by_level: dict[str, list[Floats]] = {}
        floor: list[Floats] = []
        for targets in _chunks(of_set, normalisation):
            nearest = np.clip(targets, *output_range)
            for level, output in (outputs | {"floor": nearest}).items():
                by_level.setdefault(level, []).append(np.square(output - targets).mean((1, 2)))
            floor.append(np.square(nearest - targets).sum(0))
        errors[name] = {level: np.concatenate(each) for level, each in by_level.items()}
        mean = np.sum(floor, axis=0) / len(of_set)
        pixel_floor[name] = tuple(map(tuple, mean.round(6).tolist())) if mean.any() else None
    return errors, pixel_floor


def _chunks(images: NDArray[np.uint8], normalisation: Normalisation) -> Iterator[Floats]:
    """float64 [at most CHUNK, 28, 28] of the images, normalised, in their order."""
    values = (np.arange(256) / 255 - normalisation.mean) / normalisation.std
    for start in range(0, len(images), CHUNK):
        yield values[images[start : start + CHUNK]]


def _average(values: Floats, batch_size: int) -> Level:
    """A level as the papers average errors: over images, and over the means of batches.

    In the mean of batches' means an image weighs 1 / (batches × size of its batch); for weights w
    and n values x in random order its variance is the sum of (w − 1/n)² times that of x.
    """
    starts = np.arange(0, len(values), batch_size)
    sizes = np.diff(np.append(starts, len(values)))
    batch_mean = float((np.add.reduceat(values, starts) / sizes).mean())
    spread = (1 / (len(sizes) ** 2 * sizes)).sum() - 1 / len(values)
    order_sd = float(np.sqrt(max(spread, 0) * values.var(ddof=1)))
    return Level(float(values.mean()), batch_mean, order_sd)
