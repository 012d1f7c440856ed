"""Reference levels: what an error is before anything is learnt, and what no learning can remove.

For each protocol of a paper, that is normalisation, range of the network's outputs and batch size,
the errors of outputs that do not depend on the image, and the floor: the error of the best output
in the network's range, pixel by pixel. Computed from the images alone, with numpy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from math import inf, isinf
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

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
        return _limits(self.output_range)


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


class _Shared(NamedTuple):
    """What decides errors. Batches are only another way to average them."""

    task: Task
    normalisation: Normalisation
    output_range: Range


@dataclass(frozen=True)
class _Errors:
    """By set, of every level the error of each image, and the floor of each pixel."""

    by_image: Mapping[Images, Mapping[str, Floats]]
    pixel_floor: dict[Images, Pixels | None]


def describe(paper: Paper, dataset: Dataset) -> Levels:
    """The levels of every protocol that the rows of ``paper`` and its studies have."""
    rows: dict[tuple[_Shared, int], list[str]] = {}
    for row in (*paper.rows, *paper.study_rows):
        low, high = (None if isinf(end) else end for end in row.network.output_range)
        shared = _Shared(row.task, row.spec.normalisation, (low, high))
        rows.setdefault((shared, row.spec.batch_size), []).append(row.id)
    errors = {shared: _errors(dataset, shared) for shared in {shared for shared, _ in rows}}
    return Levels(
        dataset.sha256,
        {
            name: tuple(np.bincount(labels, minlength=10).tolist())
            for name, labels in _labels(dataset).items()
        },
        {
            row.id: tuple(unreached)
            for row in paper.rows
            if row.task == "reconstruction" and (unreached := row.network.unreached_rows())
        },
        tuple(
            _protocol(shared, batch_size, ids, errors[shared])
            for (shared, batch_size), ids in rows.items()
        ),
    )


def _protocol(shared: _Shared, batch_size: int, rows: Sequence[str], errors: _Errors) -> Protocol:
    levels: dict[Images, dict[str, Level]] = {
        name: {level: _average(values, batch_size) for level, values in by_level.items()}
        for name, by_level in errors.by_image.items()
    }
    return Protocol(*shared, batch_size, tuple(rows), levels, errors.pixel_floor)


def _labels(dataset: Dataset) -> dict[Images, NDArray[np.uint8]]:
    return {"train": dataset.train_labels, "test": dataset.test_labels}


def _errors(dataset: Dataset, shared: _Shared) -> _Errors:
    if shared.task == "classification":
        return _classification_errors(_labels(dataset))
    images = {"train": dataset.train_images, "test": dataset.test_images}
    low, high = _limits(shared.output_range)

    def targets(name: Images) -> Iterator[Floats]:
        return _chunks(images[name], shared.normalisation)

    mean_image = _sum(chunk.sum(0) for chunk in targets("train")) / len(images["train"])
    # A squared error is least at the mean; within a range, at the mean's nearest value in it.
    outputs: dict[str, Callable[[Floats], Floats | float]] = {
        "zero": lambda targets: 0.0,
        "constant": lambda targets: np.clip(mean_image.mean(), low, high),
        "mean_image": lambda targets: mean_image,
        "mean_image_in_range": lambda targets: np.clip(mean_image, low, high),
        "floor": lambda targets: np.clip(targets, low, high),
    }

    def by_image(name: Images, output: Callable[[Floats], Floats | float]) -> Floats:
        squared = (np.square(output(chunk) - chunk) for chunk in targets(name))
        return np.concatenate([each.mean((1, 2)) for each in squared])

    def pixel_floor(name: Images) -> Pixels | None:
        squared = (np.square(outputs["floor"](chunk) - chunk) for chunk in targets(name))
        floor = _sum(each.sum(0) for each in squared) / len(images[name])
        return tuple(map(tuple, floor.round(6).tolist())) if floor.any() else None

    return _Errors(
        {
            name: {level: by_image(name, output) for level, output in outputs.items()}
            for name in SETS
        },
        {name: pixel_floor(name) for name in SETS},
    )


def _classification_errors(labels: Mapping[Images, NDArray[np.uint8]]) -> _Errors:
    frequencies = np.bincount(labels["train"], minlength=10) / len(labels["train"])
    by_image: dict[Images, dict[str, Floats]] = {
        name: {"constant": -np.log(frequencies[of_set]), "floor": np.zeros(len(of_set))}
        for name, of_set in labels.items()
    }
    return _Errors(by_image, dict.fromkeys(SETS))


def _sum(arrays: Iterable[Floats]) -> Floats:
    return reduce(np.add, arrays)


def _limits(output_range: Range) -> tuple[float, float]:
    low, high = output_range
    return (-inf if low is None else low), (inf if high is None else high)


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
