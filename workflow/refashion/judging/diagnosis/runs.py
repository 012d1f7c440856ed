"""The diagnosis of a paper: what its numbers and our runs of it give away.

Published numbers are looked at in :mod:`refashion.judging.diagnosis.published`, against the levels
of the whole data set; here are the runs, against the levels of the images that they saw.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from refashion.errors import UserError
from refashion.judging.diagnosis import published
from refashion.judging.diagnosis.findings import IGNORANT, KINDS, TRIVIAL, Finding
from refashion.judging.diagnosis.matrices import matrices
from refashion.judging.levels import Levels, PaperLevels, images_of
from refashion.paper.images import CLASS_NAMES
from refashion.results.paths import OUTPUTS, run_folder
from refashion.results.run import MISSING, Run
from refashion.results.summary import distinct
from refashion.text import capital, count, listed, rounded

if TYPE_CHECKING:
    from refashion.paper.papers import Paper
    from refashion.paper.spec import Row

# Outputs that vary over images by no more than this share of the images' own variance carry no
# picture of them.
STILL_SHARE = 1e-3
# Logits that vary by no more change no probability by more than about a thousandth.
STILL_LOGITS = 1e-3
# A constant output is called by a known one's name if its error is no further off than this share:
# a network comes close to it, and not there.
TRIVIAL_SHARE = 1e-2
# Ten times the resolution of float32 near 1: the output is one number for all images.
DEAD_SD = 1e-6
# Pixels that are dead at the dark edge cost nothing; below this share of the error dead pixels
# change no conclusion.
COSTLY_SHARE = 0.01

Floats: TypeAlias = NDArray[np.floating[Any]]
Indices: TypeAlias = NDArray[np.intp]
PIXELS = 28 * 28


@dataclass(frozen=True)
class Trained:
    """A completed run: its validation loss with the kept weights, and its outputs over images.

    ``output_std`` and, of a reconstruction, ``pixel_loss`` are as
    :func:`refashion.training.evaluation.describe_outputs` has them.
    """

    seed: int
    val_loss: float
    output_std: Floats
    pixel_loss: Floats | None = None


@dataclass(frozen=True)
class _Runs:
    """A row's runs, and the levels of the images that they saw."""

    row: Row
    levels: Levels
    every: Sequence[Trained]

    @property
    def still(self) -> list[Trained]:
        """Those whose network puts out the same whatever it is shown."""
        return [run for run in self.every if self._is_still(run)]

    @property
    def alive(self) -> list[Trained]:
        """All others."""
        return [run for run in self.every if not self._is_still(run)]

    def _is_still(self, run: Trained) -> bool:
        if self.row.task == "classification":
            return bool(run.output_std.max() < STILL_LOGITS)
        return self.variance_share(run) < STILL_SHARE

    def level(self, name: str) -> float:
        """An output's mean validation loss."""
        return self.levels.level(self.row, "val_loss", name).mean

    def variance_share(self, run: Trained) -> float:
        """The variance of a reconstruction's outputs over images, in that of the images."""
        return float(np.square(run.output_std, dtype=float).mean()) / self.level("mean_image")

    def excess_by_pixel(self, run: Trained) -> NDArray[np.float64]:
        """float64 [28, 28]: a reconstruction's error over the floor."""
        assert run.pixel_loss is not None
        floor = self.levels.protocol(self.row).pixel_floor[images_of(self.row, "val_loss")]
        return run.pixel_loss.astype(float) - (0 if floor is None else np.array(floor))


def diagnose(
    paper: Paper, levels: PaperLevels, runs: Mapping[str, Sequence[Trained]]
) -> list[Finding]:
    """All findings about ``paper``, in the order of ``KINDS``.

    ``runs`` are by row id, as :func:`load_runs` reads them; rows may be missing.
    """
    lines = published.printed_lines(paper)
    whole = levels.published
    ours = [_Runs(row, levels.measured, runs.get(row.id, ())) for row in paper.rows]
    collapsed = {of.row.id: (len(of.still), len(of.every)) for of in ours}
    found = [
        *published.below_floor(lines, whole),
        *published.mostly_floor(lines, whole),
        *published.trivial(lines, whole, collapsed),
        *published.no_better(lines, whole),
        *published.order_of_floors(lines, whole),
        *published.repeated(lines),
        *published.two_results(lines),
        *published.patience(lines),
        *matrices(paper, lines, whole),
        *_no_better(ours),
        *_collapsed(ours),
        *_dead_pixels(ours),
        *_dead_logits(ours),
    ]
    return sorted(found, key=lambda finding: list(KINDS).index(finding.kind))


def load_runs(paper: Paper, results_root: Path, seeds: Sequence[int]) -> dict[str, list[Trained]]:
    """The completed runs of every row.

    Raises:
        UserError: a run is missing, or not its row's.
    """
    return {
        row.id: [
            trained for seed in seeds if (trained := _load_run(results_root, row, seed)) is not None
        ]
        for row in paper.rows
    }


def _load_run(results_root: Path, row: Row, seed: int) -> Trained | None:
    """A run, if it was completed."""
    folder = run_folder(results_root, row, seed)
    run = Run.read(folder, row, seed, history=False)
    if run.diverged:
        return None
    if not run.outputs:
        raise UserError(f"{folder / OUTPUTS}: not there; {MISSING}")
    pixel_loss = run.outputs.get("pixel_loss")
    return Trained(seed, run.at("val_loss", "kept"), run.output("output_std"), pixel_loss)


# ---- in words -----------------------------------------------------------------------------------


def _finding(
    kind: str,
    said: Mapping[str, str],
    consequence: str,
    seeds: Mapping[str, list[int]] | None = None,
) -> Finding:
    """A finding about rows, with a sentence for each, and about these of their runs."""
    return Finding(kind, list(said), list(said.values()), consequence, seeds=dict(seeds or {}))


def _of(some: Sequence[Any], every: Sequence[Any]) -> str:
    return f"{len(some)} of {count(len(every), 'run')}"


def _from_to(values: Sequence[float], decimals: int) -> str:
    low, high = (rounded(end, decimals) for end in (min(values), max(values)))
    return low if low == high else f"{low} to {high}"


def _at_most(value: float, limit: float) -> str:
    """A number far below its limit is only said to be so."""
    return f"{value:.2g}" if value > limit / 100 else f"less than {limit / 100:g}"


# ---- each kind ----------------------------------------------------------------------------------


def _no_better(rows: Sequence[_Runs]) -> Iterator[Finding]:
    said: dict[str, str] = {}
    for of in rows:
        best = IGNORANT[of.row.task]
        level = of.level(best)
        losses = [run.val_loss for run in of.alive if run.val_loss > level]
        if losses:
            said[of.row.id] = (
                f"{of.row.id}, {_of(losses, of.every)}: {_from_to(losses, 4)} on validation "
                f"images, against {level:.4f} for {TRIVIAL[of.row.task][best]}."
            )
    if said:
        yield _finding(
            "no_better",
            said,
            "A network that ignores the image does as well: our errors say that training had "
            "hardly begun, and nothing of what the network can do.",
        )


def _collapsed(rows: Sequence[_Runs]) -> Iterator[Finding]:
    still = {of.row.id: of.still for of in rows if of.still}
    said = {of.row.id: _how_still(of, still[of.row.id]) for of in rows if of.row.id in still}
    if said:
        yield _finding(
            "collapsed",
            said,
            "These runs learnt nothing of the single image: training can fail with these settings. "
            "They count in every mean and comparison, as a paper’s single run may be one of them; "
            "where only some runs of a row collapsed, its mean and interval describe neither kind.",
            seeds={row: [run.seed for run in runs] for row, runs in still.items()},
        )


def _how_still(of: _Runs, still: Sequence[Trained]) -> str:
    """How little a row's collapsed runs vary, and what output has their error."""
    losses = [run.val_loss for run in still]
    if of.row.task == "classification":
        largest = max(float(run.output_std.max()) for run in still)
        varies = f"logits vary over images by {_at_most(largest, STILL_LOGITS)}"
    else:
        share = 100 * max(of.variance_share(run) for run in still)
        varies = f"outputs vary over images with {_at_most(share, 100 * STILL_SHARE)} % of the "
        varies += "images’ variance"
    levels = [(text, of.level(name)) for name, text in TRIVIAL[of.row.task].items()]
    alike = [
        f"; {text} has {level:.4f}"
        for text, level in levels
        if any(abs(loss - level) <= TRIVIAL_SHARE * level for loss in losses)
    ]
    return (
        f"{of.row.id}, {_of(still, of.every)}: {varies}. The error is "
        f"{_from_to(losses, 4)}{''.join(alike[:1])}."
    )


@dataclass(frozen=True)
class _Dead:
    """A row's runs with dead pixels, with what these cost in percent of the excess.

    ``bands`` has the costs by where whole rows or columns are dead; ``scattered`` how many pixels
    elsewhere are, and their cost.
    """

    bands: Mapping[str, Sequence[float]]
    scattered: Sequence[tuple[int, float]]


def _find_dead(of: _Runs) -> _Dead:
    """Pixels that are the same for every image, in whole rows or columns and elsewhere."""
    bands: dict[str, list[float]] = {}
    scattered: list[tuple[int, float]] = []
    for run in of.alive:
        excess = of.excess_by_pixel(run)
        dead = run.output_std < DEAD_SD
        across, down = np.flatnonzero(dead.all(1)), np.flatnonzero(dead.all(0))
        band = np.zeros_like(dead)
        band[across], band[:, down] = True, True
        if (cost := excess[band].sum() / excess.sum()) >= COSTLY_SHARE:
            where = _where(across, down, band)
            unreached = of.levels.unreached.get(of.row.id)
            if unreached == tuple(across.tolist()) == tuple(down.tolist()):
                where += ", which nothing of the image reaches through these layers"
            bands.setdefault(where, []).append(100 * cost)
        dead &= ~band
        if (cost := excess[dead].sum() / excess.sum()) >= COSTLY_SHARE:
            scattered.append((int(dead.sum()), 100 * cost))
    return _Dead(bands, scattered)


def _dead_pixels(rows: Sequence[_Runs]) -> Iterator[Finding]:
    bands: dict[str, dict[str, str]] = {}
    scattered: dict[str, str] = {}
    for of in (of for of in rows if of.row.task == "reconstruction"):
        dead, row = _find_dead(of), of.row.id
        for where, costs in dead.bands.items():
            bands.setdefault(where, {})[row] = (
                f"{row} ({_of(costs, of.every)}, {_from_to(costs, 0)} %)"
            )
        if dead.scattered:
            pixels, costs = zip(*dead.scattered, strict=True)
            scattered[row] = (
                f"{row}, {_of(dead.scattered, of.every)}: {_from_to(pixels, 0)} of {PIXELS} "
                f"pixels, with {_from_to(costs, 0)} % of the error over the floor."
            )
    if bands:
        yield Finding(
            "stripes",
            distinct(row for rows in bands.values() for row in rows),
            [
                f"{capital(where)}. Their share of the error over the floor: "
                f"{listed(list(rows.values()))}."
                for where, rows in bands.items()
            ],
            "Whatever the image, these networks draw one picture there. That part of the error is "
            "none that a better size, rate or dropout would lower.",
        )
    if scattered:
        yield _finding(
            "dead_outputs",
            scattered,
            "Part of every image is not reconstructed at all, which an error averaged over all "
            "pixels hides: rows differ by how many pixels died, and not only by what they vary.",
        )


def _where(across: Indices, down: Indices, band: NDArray[np.bool_]) -> str:
    """``rows 25 to 27 and columns 25 to 27 (from 0), 159 of 784 pixels``."""
    named: list[str] = []
    for name, indices in (("rows", across), ("columns", down)):
        groups = np.split(indices, np.flatnonzero(np.diff(indices) > 1) + 1)
        if len(indices):
            spans = [f"{g[0]}" if len(g) == 1 else f"{g[0]} to {g[-1]}" for g in groups]
            named.append(f"{name} {listed(spans)}")
    return f"{listed(named)} (from 0), {band.sum()} of {band.size} pixels"


def _dead_logits(rows: Sequence[_Runs]) -> Iterator[Finding]:
    said: dict[str, str] = {}
    held = False
    for of in (of for of in rows if of.row.task == "classification"):
        dead = [np.flatnonzero(run.output_std < DEAD_SD).tolist() for run in of.alive]
        times = {
            name: sum(c in of_run for of_run in dead)
            for c, name in enumerate(CLASS_NAMES)
            if any(c in of_run for of_run in dead)
        }
        if times:
            named = listed([f"{name} in {times[name]}" for name in times])
            said[of.row.id] = f"{of.row.id}, of {count(len(of.every), 'run')}: {named}."
            held |= of.levels.protocol(of.row).output_range[0] == 0
    if said:
        why = "A ReLU on the logits holds them at 0, where no gradient reaches them. "
        yield _finding(
            "dead_logits",
            said,
            f"{why if held else ''}Such a class can be predicted only where no other logit is "
            "larger: each costs up to a tenth of the accuracy, whatever the rows vary.",
        )
