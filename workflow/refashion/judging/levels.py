"""Reference levels: what an error is before anything is learnt, and what no learning can remove.

For each protocol of a paper, that is normalisation, range of the network's outputs and batch size,
the errors of outputs that do not depend on the image, and the floor: the error of the best output
in the network's range, pixel by pixel. Computed from the images alone, with numpy.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
SETS: tuple[Images, ...] = ("train", "test")
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
        {name: tuple(_count(_set(dataset, name)[1]).tolist()) for name in SETS},
        {row: where for row, where in unreached.items() if where},
        tuple(_protocol(dataset, rows) for rows in alike.values()),
    )


def _protocol(dataset: Dataset, rows: Sequence[Row]) -> Protocol:
    """The protocol that these rows share."""
    row, batch_size = rows[0], rows[0].spec.batch_size
    low, high = row.network.output_range
    levels: dict[Images, dict[str, Level]] = {}
    pixel_floor: dict[Images, Pixels | None] = {}
    for name in SETS:
        errors, pixel_floor[name] = _errors(dataset, name, row)
        levels[name] = {level: _average(each, batch_size) for level, each in errors.items()}
    return Protocol(
        row.task,
        row.spec.normalisation,
        (None if isinf(low) else low, None if isinf(high) else high),
        batch_size,
        tuple(row.id for row in rows),
        levels,
        pixel_floor,
    )


def _errors(dataset: Dataset, name: Images, row: Row) -> tuple[dict[str, Floats], Pixels | None]:
    """By level of every image, and the floor of every pixel."""
    fitted, of_fitted = _set(dataset, "train")
    images, labels = _set(dataset, name)
    if row.task == "classification":
        frequencies = _count(of_fitted) / len(of_fitted)
        return {"constant": -np.log(frequencies[labels]), "floor": np.zeros(len(labels))}, None
    low, high = row.network.output_range
    sums = [targets.sum(0) for targets in _chunks(fitted, row.spec.normalisation)]
    mean_image = np.sum(sums, axis=0) / len(fitted)
    # A squared error is least at the mean; within a range, at the mean's nearest value in it.
    outputs = {
        "zero": 0.0,
        "constant": np.clip(mean_image.mean(), low, high),
        "mean_image": mean_image,
        "mean_image_in_range": np.clip(mean_image, low, high),
    }
    by_level: dict[str, list[Floats]] = {}
    floor = np.zeros_like(mean_image)
    for targets in _chunks(images, row.spec.normalisation):
        nearest = np.clip(targets, low, high)
        for level, output in (outputs | {"floor": nearest}).items():
            by_level.setdefault(level, []).append(np.square(output - targets).mean((1, 2)))
        floor += np.square(nearest - targets).sum(0)
    floor /= len(images)
    pixel_floor: list[list[float]] = floor.round(6).tolist()
    return (
        {level: np.concatenate(each) for level, each in by_level.items()},
        tuple(map(tuple, pixel_floor)) if floor.any() else None,
    )


def _count(labels: NDArray[np.uint8]) -> NDArray[np.intp]:
    """int [10]: the images of each class."""
    return np.bincount(labels, minlength=10)


def _set(dataset: Dataset, name: Images) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Its images and labels."""
    if name == "train":
        return dataset.train_images, dataset.train_labels
    return dataset.test_images, dataset.test_labels


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
