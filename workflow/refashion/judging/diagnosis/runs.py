"""The diagnosis of a paper: what its numbers and our runs of it give away.

Published numbers are looked at in :mod:`refashion.judging.diagnosis.published`, against the levels
of the whole data set; here are the runs, against the levels of the images that they saw.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass
from itertools import chain, product
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from refashion.errors import UserError
from refashion.judging.diagnosis import findings, published
from refashion.judging.diagnosis.findings import IGNORANT, TRIVIAL, Finding, about_rows
from refashion.judging.diagnosis.matrices import matrices
from refashion.judging.levels import Levels, PaperLevels, images_of
from refashion.paper.images import CLASS_NAMES
from refashion.results.paths import OUTPUTS, run_folder
from refashion.results.run import MISSING, Run
from refashion.results.summary import distinct
from refashion.text import capital, count, listed, span

if TYPE_CHECKING:
    from refashion.paper.papers import Paper
    from refashion.paper.spec import Row

# Reconstructions that vary over images by no more than this share of the images' own variance carry
# no picture of them; logits that vary by no more change no probability by more than about as much.
STILL = 1e-3
# A constant output is called by a known one's name if its error is no further off than this share:
# a network comes close to it, and not there.
TRIVIAL_SHARE = 1e-2
# Ten times the resolution of float32 near 1: the output is one number for all images.
DEAD_SD = 1e-6
# Pixels that are dead at the dark edge cost nothing; below this share of the error dead pixels
# change no conclusion.
COSTLY_SHARE = 0.01

PIXELS = 28 * 28

Indices: TypeAlias = NDArray[np.intp]


@dataclass(frozen=True)
class _Runs:
    """A row's completed runs, and the levels of the images that they saw."""

    row: Row
    levels: Levels
    every: Sequence[Run]

    @property
    def still(self) -> list[Run]:
        """Those whose network puts out the same whatever it is shown."""
        return [run for run in self.every if self.variation(run) < STILL]

    @property
    def alive(self) -> list[Run]:
        """All others."""
        return [run for run in self.every if self.variation(run) >= STILL]

    def level(self, name: str) -> float:
        """An output's mean validation loss."""
        return self.levels.level(self.row, "val_loss", name).mean

    def variation(self, run: Run) -> float:
        """How much outputs vary over images.

        Of logits the largest standard deviation; of a reconstruction the variance, in the images'.
        """
        spread = run.output("output_std")
        if self.row.task == "classification":
            return float(spread.max())
        return float(np.square(spread, dtype=float).mean()) / self.level("mean_image")

    def excess_by_pixel(self, run: Run) -> NDArray[np.float64]:
        """float64 [28, 28]: a reconstruction's error over the floor."""
        floor = self.levels.protocol(self.row).pixel_floor[images_of(self.row, "val_loss")]
        return run.output("pixel_loss").astype(float) - (0 if floor is None else np.array(floor))

    def share(self, some: Sized) -> str:
        """``1 of 3 runs``"""
        return f"{len(some)} of {count(len(self.every), 'run')}"


def diagnose(paper: Paper, levels: PaperLevels, runs: Mapping[str, Sequence[Run]]) -> list[Finding]:
    """All findings about ``paper``, in the order of ``KINDS``.

    ``runs`` are by row id, as :func:`load_runs` reads them; rows may be missing.
    """
    lines = published.printed_lines(paper, levels.published)
    ours = [_Runs(row, levels.measured, runs.get(row.id, ())) for row in paper.rows]
    collapsed = {of.row.id: (len(of.still), len(of.every)) for of in ours}
    found = [
        *published.below_floor(lines),
        *published.mostly_floor(lines),
        *published.trivial(lines, collapsed),
        *published.no_better(lines),
        *published.order_of_floors(lines),
        *published.repeated(lines),
        *published.two_results(lines),
        *published.patience(lines),
        *matrices(paper, lines, levels.published),
        *_no_better(ours),
        *_collapsed(ours),
        *_dead_pixels(ours),
        *_dead_logits(ours),
    ]
    return sorted(found, key=lambda finding: list(findings.KINDS).index(finding.kind))


def load_runs(paper: Paper, results_root: Path, seeds: Sequence[int]) -> dict[str, list[Run]]:
    """The completed runs of every row.

    Raises:
        UserError: a run is missing, or not its row's.
    """
    runs: dict[str, list[Run]] = {row.id: [] for row in paper.rows}
    for row, seed in product(paper.rows, seeds):
        folder = run_folder(results_root, row, seed)
        run = Run.read(folder, row, seed, history=False)
        if not (run.outputs or run.diverged):
            raise UserError(f"{folder / OUTPUTS}: not there; {MISSING}")
        if not run.diverged:
            runs[row.id].append(run)
    return runs


def _losses(runs: Sequence[Run]) -> list[float]:
    """Validation losses with the kept weights."""
    return [run.at("val_loss", "kept") for run in runs]


def _at_most(value: float, limit: float) -> str:
    """A number far below its limit is only said to be so."""
    return f"{value:.2g}" if value > limit / 100 else f"less than {limit / 100:g}"


# ---- each kind ----------------------------------------------------------------------------------


def _no_better(rows: Sequence[_Runs]) -> Iterator[Finding]:
    said: dict[str, str] = {}
    for of in rows:
        best = IGNORANT[of.row.task]
        level = of.level(best)
        if losses := [loss for loss in _losses(of.alive) if loss > level]:
            said[of.row.id] = (
                f"{of.row.id}, {of.share(losses)}: {span(losses, 4)} on validation images, "
                f"against {level:.4f} for {TRIVIAL[of.row.task][best]}."
            )
    yield from about_rows("no_better", said, whose="our")


def _collapsed(rows: Sequence[_Runs]) -> Iterator[Finding]:
    still = {of.row.id: of.still for of in rows if of.still}
    said = {of.row.id: _how_still(of, still[of.row.id]) for of in rows if of.row.id in still}
    seeds = {row: [run.metrics.seed for run in runs] for row, runs in still.items()}
    yield from about_rows("collapsed", said, seeds)


def _how_still(of: _Runs, still: Sequence[Run]) -> str:
    """How little a row's collapsed runs vary, and what output has their error."""
    losses, most = _losses(still), max(of.variation(run) for run in still)
    varies = f"logits vary over images by {_at_most(most, STILL)}"
    if of.row.task == "reconstruction":
        share = _at_most(100 * most, 100 * STILL)
        varies = f"outputs vary over images with {share} % of the images’ variance"
    levels = [(text, of.level(name)) for name, text in TRIVIAL[of.row.task].items()]
    alike = [
        f"; {text} has {level:.4f}"
        for text, level in levels
        if any(abs(loss - level) <= TRIVIAL_SHARE * level for loss in losses)
    ]
    return (
        f"{of.row.id}, {of.share(still)}: {varies}. The error is "
        f"{span(losses, 4)}{''.join(alike[:1])}."
    )


def _dead_pixels(rows: Sequence[_Runs]) -> Iterator[Finding]:
    bands: dict[str, dict[str, str]] = {}
    scattered: dict[str, str] = {}
    for of in (of for of in rows if of.row.task == "reconstruction"):
        row = of.row.id
        for where, dead in _find_dead(of).items():
            pixels, costs = zip(*dead, strict=True)
            runs, cost = of.share(dead), f"{span(costs)} %"
            if where:
                bands.setdefault(where, {})[row] = f"{row} ({runs}, {cost})"
            else:
                scattered[row] = (
                    f"{row}, {runs}: {span(pixels)} of {PIXELS} pixels, with {cost} of the "
                    "error over the floor."
                )
    if bands:
        said = [
            f"{capital(where)}. Their share of the error over the floor: "
            f"{listed(list(of_rows.values()))}."
            for where, of_rows in bands.items()
        ]
        yield Finding(
            "stripes", distinct(chain(*bands.values())), said, findings.CONSEQUENCES["stripes"]
        )
    yield from about_rows("dead_outputs", scattered)


def _find_dead(of: _Runs) -> dict[str, list[tuple[int, float]]]:
    """Pixels that are the same for every image, and not for nothing.

    Returns:
        By where whole rows or columns are dead, and with no name for all other pixels: of each run
        how many there are, and what they cost in percent of the excess.
    """
    found: dict[str, list[tuple[int, float]]] = {}
    for run in of.alive:
        excess = of.excess_by_pixel(run)
        dead = run.output("output_std") < DEAD_SD
        across, down = np.flatnonzero(dead.all(1)), np.flatnonzero(dead.all(0))
        band = np.zeros_like(dead)
        band[across], band[:, down] = True, True
        bands = _where(across, down, band)
        if of.levels.unreached.get(of.row.id) == tuple(across.tolist()) == tuple(down.tolist()):
            bands += ", which nothing of the image reaches through these layers"
        for where, pixels in ((bands, band), ("", dead & ~band)):
            cost = excess[pixels].sum() / excess.sum()
            if cost >= COSTLY_SHARE:
                found.setdefault(where, []).append((int(pixels.sum()), 100 * cost))
    return found


def _where(across: Indices, down: Indices, band: NDArray[np.bool_]) -> str:
    """``rows 25 to 27 and columns 25 to 27 (from 0), 159 of 784 pixels``."""
    named: list[str] = []
    for name, indices in (("rows", across), ("columns", down)):
        groups = np.split(indices, np.flatnonzero(np.diff(indices) > 1) + 1)
        if len(indices):
            named.append(f"{name} {listed([span(group.tolist()) for group in groups])}")
    return f"{listed(named)} (from 0), {band.sum()} of {PIXELS} pixels"


def _dead_logits(rows: Sequence[_Runs]) -> Iterator[Finding]:
    said: dict[str, str] = {}
    held = False
    for of in (of for of in rows if of.row.task == "classification"):
        dead = sum((run.output("output_std") < DEAD_SD for run in of.alive), np.zeros(10, int))
        if dead.any():
            named = [f"{name} in {n}" for name, n in zip(CLASS_NAMES, dead, strict=True) if n]
            said[of.row.id] = f"{of.row.id}, of {count(len(of.every), 'run')}: {listed(named)}."
            held |= of.levels.protocol(of.row).output_range[0] == 0
    why = "A ReLU on the logits holds them at 0, where no gradient reaches them. " if held else ""
    yield from about_rows("dead_logits", said, why=why)
