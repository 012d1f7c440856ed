"""The runs of one seed, as the forms of claims ask about them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from refashion.errors import NotTestedError

if TYPE_CHECKING:
    from refashion.paper.claims.case import Level, Moment, Output, Over
    from refashion.results.run import Run

# (row id, metric, name of a level) to the level.
Levels: TypeAlias = Callable[[str, str, str], float]
REDUCE = {"mean": np.mean, "median": np.median, "max": np.max}


@dataclass(frozen=True)
class OneSeed:
    """A :class:`refashion.paper.claims.case.Case`: one seed's runs, by row id."""

    runs: Mapping[str, Run]
    levels: Levels | None = None

    def run(self, row: str) -> Run:
        """A completed run.

        Raises:
            NotTestedError: there is none.
        """
        if row not in self.runs:
            raise NotTestedError(f"{row} was not run")
        if self.runs[row].diverged:
            raise NotTestedError(f"{row} diverged")
        return self.runs[row]

    def diverged(self, row: str) -> bool:
        return row in self.runs and self.runs[row].diverged

    def at(self, row: str, metric: str, moment: Moment) -> float:
        return self.run(row).at(metric, moment)

    def course(self, row: str, metric: str) -> Sequence[float]:
        return [line[metric] for line in self.run(row).history]

    def epochs_saved(self, row: str) -> int:
        metrics = self.run(row).metrics
        return metrics.spec["epochs"] - metrics.epochs

    def confusion(self, row: str) -> list[list[int]]:
        return self.run(row).confusion.tolist()

    def image_losses(self, row: str) -> list[float]:
        return self.run(row).output("image_loss").tolist()

    def snapshot_loss(self, row: str, epoch: int) -> float:
        run = self.run(row)
        epochs: list[int] = run.output("snapshot_epochs").tolist()
        if epoch not in epochs:
            raise NotTestedError(f"{row} has no pictures of epoch {epoch}")
        pictures = run.output("snapshots")[epochs.index(epoch)]
        return float(np.square(pictures - run.output("targets"), dtype=np.float64).mean())

    def pixels(self, row: str, output: Output, over: Over, edge: int | None) -> float:
        pixels = self.run(row).output(output).astype(np.float64)
        counted = np.ones_like(pixels, dtype=bool)
        if edge is not None:
            counted[:-edge, :-edge] = False
        return float(REDUCE[over](pixels[counted]))

    def level(self, row: str, metric: str, name: Level) -> float:
        assert self.levels is not None  # who tests a part against a level knows levels
        return self.levels(row, metric, name)
