"""A row's runs, over its seeds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import numpy as np
from pydantic import Field

from refashion.errors import UserError
from refashion.paper.metric import AT, At
from refashion.paper.record import Many, Record
from refashion.paper.spec import Row, Task
from refashion.results.paths import METRICS, run_folder, summary_file
from refashion.results.run import Metrics, OfRow

if TYPE_CHECKING:
    from refashion.paper.papers import Paper

T = TypeVar("T")
K = TypeVar("K")

# In which the runs of a row do not differ: they are of one network, on the same images.
ALIKE = ("parameters", "train_images", "validation_images", "test_images", "dataset_sha256")


class Statistics(Record):
    """Of some values, one a run: mean, sample standard deviation (ddof 1), count.

    ``mean`` is None without a value, ``sd`` with fewer than two.
    """

    mean: float | None
    sd: float | None
    n: int
    values: Many[float]


def statistics(values: Iterable[float]) -> Statistics:
    """The statistics of these values."""
    each = tuple(float(value) for value in values)
    return Statistics(
        mean=float(np.mean(each)) if each else None,
        sd=float(np.std(each, ddof=1)) if len(each) > 1 else None,
        n=len(each),
        values=each,
    )


Measured = dict[str, Statistics]


class Summary(OfRow):
    """One row's runs, over its seeds: what summary.json holds.

    Diverged runs are counted, but are no part of any statistic. Losses are in the units of the
    normalised data, accuracies shares in [0, 1].
    """

    paper: str
    row: str
    task: Task
    parameters: int
    train_images: int
    validation_images: int
    test_images: int
    spec_sha256: str
    dataset_sha256: str
    seeds: Many[int]
    epochs: Many[int]
    """Completed by each training, in the order of ``seeds``."""
    completed: int
    stopped_early: int
    diverged: int
    diverged_at_epoch: Many[int | None]
    """One entry for each diverged run, None if unknown."""
    best: Measured
    final: Measured
    kept: Measured
    lowest: Measured
    """By metric, and but for ``best`` also of ``epoch``."""
    confusion: Many[Many[float]] | None
    """Mean over completed runs, 10 × 10 counts, true classes down; None for a reconstruction."""
    recall: Many[Statistics] | None
    """Of each class; likewise ``precision``."""
    precision: Many[Statistics] | None
    seconds: Many[float]
    """Wall time of each training, in the order of ``seeds``."""
    devices: Many[str]
    torch: Many[str]
    kernels: Many[str]
    code_sha256: Many[str]
    collapsed: Annotated[tuple[int, ...], Field(exclude=True)] = ()
    """Seeds of the runs whose output does not depend on the input: no part of the file, as the
    diagnosis finds them."""

    def of(self, moment: At) -> Measured:
        """The statistics of every metric at a moment."""
        return getattr(self, moment)

    def at(self, moment: At, metric: str) -> Statistics | None:
        """The statistics of a metric at a moment; None if no run was completed that has it."""
        return self.of(moment).get(metric)


def summarise(row: Row, runs: Iterable[Metrics]) -> Summary:
    """A row's runs, over its seeds.

    Raises:
        UserError: there is no run, a seed comes twice, or they are not on the same images.
    """
    runs = sorted(runs, key=lambda run: run.seed)
    if not runs:
        raise UserError(
            "no metrics.json to summarise; name at least one seed in config.yaml: seeds"
        )
    seeds = tuple(run.seed for run in runs)
    if len(set(seeds)) < len(seeds):
        raise UserError(f"{row.paper}/{row.id}: seeds {list(seeds)}: a seed may come only once")
    _check_alike(row, runs)
    completed = [run for run in runs if run.completed]
    diverged = [run for run in runs if not run.completed]
    return Summary(
        **{key: getattr(runs[0], key) for key in ("paper", "row", "task", "spec_sha256", *ALIKE)},
        seeds=seeds,
        epochs=tuple(run.epochs for run in runs),
        completed=len(completed),
        stopped_early=sum(run.stopped_early for run in completed),
        diverged=len(diverged),
        diverged_at_epoch=tuple(run.diverged_at_epoch for run in diverged),
        **{at: _over_seeds(completed, at) for at in AT},
        **_confusion_over_seeds(completed),
        seconds=tuple(run.seconds for run in runs),
        devices=tuple(distinct(run.device_name for run in runs)),
        torch=tuple(distinct(run.torch for run in runs)),
        kernels=tuple(distinct(run.kernels for run in runs)),
        code_sha256=tuple(distinct(run.code_sha256 for run in runs)),
    )


def _check_alike(row: Row, runs: Sequence[Metrics]) -> None:
    files = [run_folder(Path(), row, run.seed) / METRICS for run in runs]
    for key in ALIKE:
        for run, file in zip(runs, files, strict=True):
            if getattr(run, key) != getattr(runs[0], key):
                raise UserError(
                    f"{file}: {key}: {getattr(run, key)} differs from {getattr(runs[0], key)} in "
                    f"{files[0]}; seeds of one row must be trained on the same images"
                )


def _over_seeds(runs: Sequence[Metrics], at: At) -> Measured:
    """The statistics of every metric that a run has."""
    measured = [run.at(at) for run in runs]
    names = distinct(name for run in measured for name in run)
    return {name: statistics(run[name] for run in measured if name in run) for name in names}


def _confusion_over_seeds(runs: Sequence[Metrics]) -> dict[str, Any]:
    matrices = [np.array(run.confusion, float) for run in runs if run.confusion]
    if not matrices:
        return {"confusion": None, "recall": None, "precision": None}
    return {
        "confusion": np.mean(matrices, axis=0).tolist(),
        "recall": [statistics(over) for over in np.transpose([recall(m) for m in matrices])],
        "precision": [statistics(over) for over in np.transpose([precision(m) for m in matrices])],
    }


def recall(matrix: np.ndarray) -> np.ndarray:
    """float [10]: of each class's images, a row of [10, 10], the share that is recognised."""
    sums = matrix.sum(axis=1)
    return np.divide(np.diagonal(matrix), sums, out=np.zeros(len(matrix)), where=sums > 0)


def precision(matrix: np.ndarray) -> np.ndarray:
    """float [10]: of the images taken for a class, a column of [10, 10], the share that is of it.

    It is 0 for a class that is never predicted.
    """
    return recall(matrix.T)


def distinct(values: Iterable[T]) -> list[T]:
    """The values without repetition, in the order in which they first come."""
    return list(dict.fromkeys(values))


def grouped(values: Iterable[T], key: Callable[[T], K]) -> dict[K, list[T]]:
    """The values by what they have in common, in the order in which they first come."""
    groups: dict[K, list[T]] = {}
    for value in values:
        groups.setdefault(key(value), []).append(value)
    return groups


def load_summaries(paper: Paper, root: Path) -> dict[str, Summary]:
    """Every summary that a paper's rows have under ``results/<scale>``, by row id.

    Raises:
        UserError: one is not the row's, as its settings are now.
    """
    files = [(row, summary_file(root, row)) for row in paper.rows]
    return {row.id: Summary.read(file, row) for row, file in files if file.exists()}
