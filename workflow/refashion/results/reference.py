"""What is kept in git of all that was measured."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from refashion.errors import UserError
from refashion.paper.metric import AT
from refashion.paper.record import Many
from refashion.results.files import read_record, write_record
from refashion.results.paths import HISTORY, METRICS, Kept, run_folder
from refashion.results.provenance import Provenance
from refashion.results.run import Run
from refashion.results.summary import Summary, distinct, grouped, load_summaries

if TYPE_CHECKING:
    from refashion.paper.config import Config
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
            seeds=tuple(distinct(seed for each in summaries for seed in each.seeds)),
            trained_on=tuple(distinct(device for each in summaries for device in each.devices)),
            torch=tuple(distinct(version for each in summaries for version in each.torch)),
            kernels=tuple(distinct(kernels for each in summaries for kernels in each.kernels)),
            dataset_sha256=tuple(distinct(each.dataset_sha256 for each in summaries)),
            code_sha256=tuple(distinct(code for each in summaries for code in each.code_sha256)),
            training_seconds=round(sum(sum(each.seconds) for each in summaries)),
            diverged=sum(each.diverged for each in summaries),
        )


def read_kept(kind: type[T], file: Path) -> T:
    """What is kept in a file; of a run, whatever the settings of its row are by now.

    Raises:
        UserError: nothing is, or something else.
    """
    return read_record(kind, file, WAY_OUT, WAY_OUT)


def load_environments(reference: Path, config: Config) -> dict[str, Environment]:
    """Where the reference of each of the configuration's papers was made, by the papers' keys.

    Raises:
        UserError: references are not there, or of other seeds than this run: a line for each, with
            the configuration that checks its paper.
    """
    made: dict[str, Environment] = {}
    problems: list[str] = []
    here = _with_commas(config.seeds)
    for key in config.papers:
        file = Kept(reference, key).environment
        try:
            environment = read_kept(Environment, file)
        except UserError as error:
            problems.append(str(error))
            continue
        if sorted(environment.seeds) == sorted(config.seeds):
            made[key] = environment
            continue
        kept = _with_commas(environment.seeds)
        problems.append(
            f"{file}: seeds: {kept}, and this run has {here}; check it by "
            f"{_call([key], kept, config)}, or keep this run by `make accept`"
        )
    if problems and made:
        problems.append(f"what has this run's seeds is checked by {_call(made, here, config)}")
    if problems:
        raise UserError("\n".join(problems))
    return made


def _with_commas(items: Iterable[object]) -> str:
    return ",".join(map(str, items))


def _call(keys: Iterable[str], seeds: str, config: Config) -> str:
    """The call that checks these papers. With the scale, as ``--config`` takes another's place."""
    chosen = f"papers={_with_commas(keys)} seeds={seeds} scale={config.scale}"
    return f"snakemake --cores all --config {chosen} -- check"


# ---- keeping it ---------------------------------------------------------------------------------


Cell = str | int | float | None


def reference_table(paper: Paper, summaries: Mapping[str, Summary]) -> list[dict[str, Cell]]:
    """Every metric of every row, with the number that the paper prints for it.

    ``summaries`` maps row id to summary. A line has ``REFERENCE_COLUMNS``; losses and shares in
    [0, 1] as in ``metrics.json``. A row that two tables print with different numbers has a line
    for each.
    """
    printed = grouped(distinct(_printed(paper)), key=lambda number: number[:3])
    lines: list[dict[str, Cell]] = []
    for row in (row for row in paper.rows if row.id in summaries):
        for at in AT:
            for metric, of in summaries[row.id].of(at).items():
                cells = (paper.key, row.id, metric, at, of.n, of.mean, of.sd)
                lines += [
                    dict(zip(REFERENCE_COLUMNS, (*cells, number), strict=True))
                    for *_, number in printed.get((row.id, metric, at), [(None,)])
                ]
    return lines


def _printed(paper: Paper) -> Iterator[tuple[str, str, str, float]]:
    """Row id, metric, at, and a number that the paper prints for it."""
    for table in paper.tables:
        for line in table.lines:
            for key, number in line.published.items():
                column, row = table.metrics[key], paper.row(line.row).id
                share = round(number / 100, 6) if column.unit == "percent" else float(number)
                yield row, column.metric, column.at, share
    for matrix in paper.confusion_matrices:
        counts = np.array(matrix.published)
        share = float(np.trace(counts) / counts.sum())
        yield paper.row(matrix.row).id, "val_accuracy", "kept", share


def write_reference(
    paper: Paper, results_root: Path, seeds: Sequence[int], made: Provenance, kept: Kept
) -> None:
    """Keep what was measured of a paper, as text and small enough for git.

    Writes :func:`reference_table`, the environment, and of each run ``RUN_FILES``. What was run is
    under ``results_root``, ``results/<scale>``; ``made`` is as the report states it.

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
