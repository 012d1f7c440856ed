"""What is kept in git of all that was measured."""

from __future__ import annotations

import csv
import shutil
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from refashion.paper.metric import AT
from refashion.paper.record import Many
from refashion.results.files import write_record
from refashion.results.paths import HISTORY, METRICS, Kept, run_folder
from refashion.results.provenance import Provenance
from refashion.results.run import Run
from refashion.results.summary import Summary, distinct, load_summaries

if TYPE_CHECKING:
    from refashion.paper.papers import Paper

T = TypeVar("T")

REFERENCE_COLUMNS = ["paper", "row", "metric", "at", "n", "mean", "sd", "published"]

# What a run leaves that a reader needs to check its summary.
RUN_FILES = (METRICS, HISTORY)
# From a reference that is not there, or not whole.
WAY_OUT = "keep a whole run as the reference by `make accept`"


class Environment(Provenance):
    """Where a reference was made, and what its trainings were."""

    seeds: Many[int]
    trained_on: Many[str]
    torch: Many[str]
    kernels: Many[str]
    dataset_sha256: Many[str]
    code_sha256: Many[str]
    training_seconds: int
    diverged: int

    @classmethod
    def of(cls, made: Provenance, summaries: Collection[Summary]) -> Environment:
        """That of the runs in these summaries, kept by a run that was made so."""
        return cls(
            **made.model_dump(),
            seeds=_distinct(summary.seeds for summary in summaries),
            trained_on=_distinct(summary.devices for summary in summaries),
            torch=_distinct(summary.torch for summary in summaries),
            kernels=_distinct(summary.kernels for summary in summaries),
            dataset_sha256=_distinct([summary.dataset_sha256] for summary in summaries),
            code_sha256=_distinct(summary.code_sha256 for summary in summaries),
            training_seconds=round(sum(sum(summary.seconds) for summary in summaries)),
            diverged=sum(summary.diverged for summary in summaries),
        )


def _distinct(each: Iterable[Iterable[T]]) -> tuple[T, ...]:
    return tuple(distinct(chain.from_iterable(each)))


Cell = str | int | float | None


def reference_table(paper: Paper, summaries: Mapping[str, Summary]) -> list[dict[str, Cell]]:
    """Every metric of every row, with the number that the paper prints for it.

    ``summaries`` maps row id to summary. A line has ``REFERENCE_COLUMNS``; losses and shares in
    [0, 1] as in ``metrics.json``. A row that two tables print with different numbers has a line
    for each.
    """
    lines: list[dict[str, Cell]] = []
    printed = _printed(paper)
    for row in (row for row in paper.rows if row.id in summaries):
        for at in AT:
            for metric, measured in summaries[row.id].of(at).items():
                cells = (paper.key, row.id, metric, at, measured.n, measured.mean, measured.sd)
                lines += [
                    dict(zip(REFERENCE_COLUMNS, (*cells, number), strict=True))
                    for number in printed.get((row.id, metric, at), [None])
                ]
    return lines


def _printed(paper: Paper) -> dict[tuple[str, str, str], dict[float, None]]:
    """(row id, metric, at) to the distinct numbers that the paper prints for it, as keys."""
    printed: dict[tuple[str, str, str], dict[float, None]] = defaultdict(dict)
    for table in paper.tables:
        for line in table.lines:
            for key, number in line.published.items():
                metric = table.metrics[key]
                share = round(number / 100, 6) if metric.unit == "percent" else float(number)
                printed[paper.row(line.row).id, metric.metric, metric.at][share] = None
    for matrix in paper.confusion_matrices:
        counts = np.array(matrix.published)
        accuracy = float(np.trace(counts) / counts.sum())
        printed[paper.row(matrix.row).id, "val_accuracy", "kept"][accuracy] = None
    return printed


def write_reference(
    paper: Paper, results_root: Path, seeds: Sequence[int], made: Provenance, kept: Kept
) -> None:
    """Keep what was measured of a paper, as text and small enough for git.

    Writes :func:`reference_table`, the environment, and of each run ``RUN_FILES``.

    Args:
        paper: what was run.
        results_root: ``results/<scale>``, with each row's ``summary.json`` and runs.
        seeds: the runs to keep.
        made: commit, versions and platform, as the report states them.
        kept: where.

    Raises:
        UserError: a run is missing, or not its row's.
    """
    summaries = load_summaries(paper, results_root)
    for row in paper.rows:
        for seed in seeds:
            source, to = run_folder(results_root, row, seed), run_folder(kept.root, row, seed)
            Run.read(source, row, seed, outputs=False)
            to.mkdir(parents=True, exist_ok=True)
            for name in RUN_FILES:
                shutil.copyfile(source / name, to / name)
    with kept.table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, REFERENCE_COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(reference_table(paper, summaries))
    write_record(Environment.of(made, summaries.values()), kept.environment, indent=2)
