"""The diagnosis of a paper: what its numbers and our runs of it give away.

Published numbers are looked at in :mod:`refashion.judging.diagnosis.published`, against the levels
of the whole data set; here are the runs, against the levels of the images that they saw.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from refashion.errors import UserError
from refashion.judging.diagnosis import published
from refashion.judging.diagnosis.findings import IGNORANT, KINDS, TRIVIAL, Finding
from refashion.judging.levels import images_of, level_of, protocol_of
from refashion.judging.numbers import compare_table
from refashion.paper.images import CLASS_NAMES
from refashion.results.paths import OUTPUTS, run_folder
from refashion.results.run import MISSING, Run
from refashion.results.summary import Summary, distinct
from refashion.text import capital, count, listed, rounded

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

Runs = Mapping[str, Sequence[Mapping[str, Any]]]


def diagnose(paper: Any, levels: Mapping[str, Any], runs: Runs) -> list[Finding]:
    """All findings about ``paper``, in the order of ``KINDS``.

    Args:
        paper: rows, tables and confusion matrices.
        levels: as :func:`refashion.judging.levels.load` reads them: ``published``, of the whole
            data set, to which published numbers belong, and ``measured``, of the runs' images.
        runs: by row id, as :func:`load_runs` reads them; rows may be missing.
    """
    lines = published.printed_lines(paper)
    whole, ours = levels["published"], levels["measured"]
    runs = {row.id: runs.get(row.id, []) for row in paper.rows}
    alive: dict[str, list] = {row.id: [] for row in paper.rows}
    still: dict[str, list] = {row.id: [] for row in paper.rows}
    for row in paper.rows:
        for run in runs[row.id]:
            (still if _is_still(row, ours, run) else alive)[row.id].append(run)
    collapsed = {row: (len(still[row]), len(runs[row])) for row in runs}
    found = [
        *published.below_floor(lines, whole),
        *published.mostly_floor(lines, whole),
        *published.trivial(lines, whole, collapsed),
        *published.no_better(lines, whole),
        *published.order_of_floors(lines, whole),
        *published.repeated(lines),
        *published.two_results(lines),
        *published.patience(lines),
        *published.matrices(paper, lines, whole),
        *_no_better(paper, ours, runs, alive),
        *_collapsed(paper, ours, runs, still),
        *_dead_pixels(paper, ours, runs, alive),
        *_dead_logits(paper, ours, runs, alive),
    ]
    return sorted(found, key=lambda finding: list(KINDS).index(finding.kind))


def load_runs(paper: Any, results_root: Path, seeds: Sequence[int]) -> dict[str, list[dict]]:
    """The completed runs of every row: ``seed``, ``val_loss`` of the kept weights, and outputs.

    ``output_std`` and, of a reconstruction, ``pixel_loss`` are as
    :func:`refashion.training.loop.evaluation.describe_outputs` has them.

    Raises:
        UserError: a run is missing.
    """
    runs: dict[str, list[dict]] = {}
    for row in paper.rows:
        runs[row.id] = []
        for seed in seeds:
            folder = run_folder(results_root, row, seed)
            run = Run.read(folder, row, seed, history=False)
            if run.diverged:
                continue
            if not run.outputs:
                raise UserError(f"{folder / OUTPUTS}: not there; {MISSING}")
            asked = {"output_std", "pixel_loss"} & {*run.outputs}
            kept = {key: run.output(key) for key in asked}
            runs[row.id].append({"seed": seed, "val_loss": run.at("val_loss", "kept")} | kept)
    return runs


def excess_over_floor(
    paper: Any, levels: Mapping[str, Any], summaries: Mapping[str, Summary]
) -> list[dict[str, Any]]:
    """Every reconstruction error of every table whose floor is above zero: error, floor, excess.

    A number that several tables print alike is given once. A published mean of batches' means is
    held against the floor's mean over images, as the order of its batches is not known; a measured
    one against the floor averaged in its own order.

    Returns:
        Lines: ``row`` (id), ``ours``, ``table`` and ``metric`` (the paper's entries), ``published``
        and ``measured``, each {error, floor, excess} or None, and ``order_sd``, by how much the
        order of batches moves the floor of the published one.
    """
    seen, lines = set(), []
    for table in paper.tables:
        for line in compare_table(paper, table, summaries):
            row = line["row"]
            for key, number in line["numbers"].items():
                metric = table.metrics[key]
                what = (row.id, metric.metric, metric.at, number["published"])
                if row.task != "reconstruction" or number["unit"] != "loss" or what in seen:
                    continue
                seen.add(what)
                floor, of_ours = (
                    level_of(levels[whose], row, metric.metric, "floor")
                    for whose in ("published", "measured")
                )
                if floor["mean"] > 0 and (number["published"] or number["mean"]):
                    lines.append(
                        {
                            "row": row.id,
                            "ours": line["ours"],
                            "table": table,
                            "metric": metric,
                            "published": _over(number["published"], floor["mean"]),
                            "measured": _over(number["mean"], of_ours["batch_mean"]),
                            "order_sd": floor["order_sd"],
                        }
                    )
    return lines


def _over(error: float | None, floor: float) -> dict[str, float] | None:
    return None if error is None else {"error": error, "floor": floor, "excess": error - floor}


# ---- runs ---------------------------------------------------------------------------------------


def _finding(
    kind: str,
    said: Mapping[str, str],
    consequence: str,
    seeds: Mapping[str, list[int]] | None = None,
) -> Finding:
    """A finding about rows, with a sentence for each, and about these of their runs."""
    evidence = list(said.values())
    return Finding(kind, list(said), evidence, consequence, [], [], dict(seeds or {}))


def _of(some: Sequence, every: Sequence) -> str:
    return f"{len(some)} of {count(len(every), 'run')}"


def _from_to(values: Sequence[float], decimals: int) -> str:
    low, high = (rounded(end, decimals) for end in (min(values), max(values)))
    return low if low == high else f"{low} to {high}"


def _variance_share(row: Any, levels: Mapping, run: Mapping[str, Any]) -> float:
    """The variance of a reconstruction's outputs over images, in that of the images themselves."""
    images = level_of(levels, row, "val_loss", "mean_image")["mean"]
    return float(np.square(run["output_std"], dtype=float).mean()) / images


def _is_still(row: Any, levels: Mapping, run: Mapping[str, Any]) -> bool:
    """Whether a network puts out the same whatever it is shown."""
    if row.task == "classification":
        return bool(run["output_std"].max() < STILL_LOGITS)
    return _variance_share(row, levels, run) < STILL_SHARE


def _no_better(paper: Any, levels: Mapping, runs: Runs, alive: Runs) -> Iterator[Finding]:
    said = {}
    for row in paper.rows:
        best = IGNORANT[row.task]
        level = level_of(levels, row, "val_loss", best)["mean"]
        losses = [run["val_loss"] for run in alive[row.id] if run["val_loss"] > level]
        if losses:
            said[row.id] = (
                f"{row.id}, {_of(losses, runs[row.id])}: {_from_to(losses, 4)} on validation "
                f"images, against {level:.4f} for {TRIVIAL[row.task][best]}."
            )
    if said:
        yield _finding(
            "no_better",
            said,
            "A network that ignores the image does as well: our errors say that training had "
            "hardly begun, and nothing of what the network can do.",
        )


def _collapsed(paper: Any, levels: Mapping, runs: Runs, still: Runs) -> Iterator[Finding]:
    said = {}
    for row in (row for row in paper.rows if still[row.id]):
        losses = [run["val_loss"] for run in still[row.id]]
        if row.task == "classification":
            largest = max(float(run["output_std"].max()) for run in still[row.id])
            varies = f"logits vary over images by {_at_most(largest, STILL_LOGITS)}"
        else:
            share = 100 * max(_variance_share(row, levels, run) for run in still[row.id])
            varies = f"outputs vary over images with {_at_most(share, 100 * STILL_SHARE)} % of the "
            varies += "images’ variance"
        alike = [
            f"; {text} has {level:.4f}"
            for name, text in TRIVIAL[row.task].items()
            if any(
                abs(loss - (level := level_of(levels, row, "val_loss", name)["mean"]))
                <= TRIVIAL_SHARE * level
                for loss in losses
            )
        ]
        said[row.id] = (
            f"{row.id}, {_of(still[row.id], runs[row.id])}: {varies}. The error is "
            f"{_from_to(losses, 4)}{''.join(alike[:1])}."
        )
    if said:
        yield _finding(
            "collapsed",
            said,
            "These runs learnt nothing of the single image: training can fail with these settings. "
            "They count in every mean and comparison, as a paper’s single run may be one of them; "
            "where only some runs of a row collapsed, its mean and interval describe neither kind.",
            seeds={row: [run["seed"] for run in still[row]] for row in said},
        )


def _at_most(value: float, limit: float) -> str:
    """A number far below its limit is only said to be so."""
    return f"{value:.2g}" if value > limit / 100 else f"less than {limit / 100:g}"


def _dead_pixels(paper: Any, levels: Mapping, runs: Runs, alive: Runs) -> Iterator[Finding]:
    """Pixels that are the same for every image, in whole rows or columns and elsewhere."""
    bands: dict[str, dict[str, str]] = {}
    scattered: dict[str, str] = {}
    for row in (row for row in paper.rows if row.task == "reconstruction"):
        in_bands: dict[str, list[float]] = {}
        elsewhere: list[tuple[int, float]] = []
        for run in alive[row.id]:
            excess = _excess_by_pixel(row, levels, run)
            dead = run["output_std"] < DEAD_SD
            across, down = np.flatnonzero(dead.all(1)), np.flatnonzero(dead.all(0))
            band = np.zeros_like(dead)
            band[across], band[:, down] = True, True
            if (cost := excess[band].sum() / excess.sum()) >= COSTLY_SHARE:
                where = _where(across, down, band)
                if levels["unreached"].get(row.id) == across.tolist() == down.tolist():
                    where += ", which nothing of the image reaches through these layers"
                in_bands.setdefault(where, []).append(100 * cost)
            dead &= ~band
            if (cost := excess[dead].sum() / excess.sum()) >= COSTLY_SHARE:
                elsewhere.append((int(dead.sum()), 100 * cost))
        for where, costs in in_bands.items():
            bands.setdefault(where, {})[row.id] = (
                f"{row.id} ({_of(costs, runs[row.id])}, {_from_to(costs, 0)} %)"
            )
        if elsewhere:
            pixels, costs = zip(*elsewhere, strict=True)
            scattered[row.id] = (
                f"{row.id}, {_of(elsewhere, runs[row.id])}: {_from_to(pixels, 0)} of {dead.size} "
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
            tables=[],
            metrics=[],
        )
    if scattered:
        yield _finding(
            "dead_outputs",
            scattered,
            "Part of every image is not reconstructed at all, which an error averaged over all "
            "pixels hides: rows differ by how many pixels died, and not only by what they vary.",
        )


def _excess_by_pixel(row: Any, levels: Mapping, run: Mapping[str, Any]) -> np.ndarray:
    """float64 [28, 28]: a run's error over the floor."""
    floor = protocol_of(levels, row)["pixel_floor"][images_of(row, "val_loss")]
    return run["pixel_loss"].astype(float) - (0 if floor is None else np.array(floor))


def _where(across: np.ndarray, down: np.ndarray, band: np.ndarray) -> str:
    """``rows 25 to 27 and columns 25 to 27 (from 0), 159 of 784 pixels``."""
    named = []
    for name, indices in (("rows", across), ("columns", down)):
        groups = np.split(indices, np.flatnonzero(np.diff(indices) > 1) + 1)
        if len(indices):
            spans = [f"{g[0]}" if len(g) == 1 else f"{g[0]} to {g[-1]}" for g in groups]
            named.append(f"{name} {listed(spans)}")
    return f"{listed(named)} (from 0), {band.sum()} of {band.size} pixels"


def _dead_logits(paper: Any, levels: Mapping, runs: Runs, alive: Runs) -> Iterator[Finding]:
    said, held = {}, False
    for row in (row for row in paper.rows if row.task == "classification"):
        dead = [np.flatnonzero(run["output_std"] < DEAD_SD) for run in alive[row.id]]
        times = {
            name: sum(c in of_run for of_run in dead)
            for c, name in enumerate(CLASS_NAMES)
            if any(c in of_run for of_run in dead)
        }
        if times:
            named = listed([f"{name} in {times[name]}" for name in times])
            said[row.id] = f"{row.id}, of {count(len(runs[row.id]), 'run')}: {named}."
            held |= protocol_of(levels, row)["output_range"][0] == 0
    if said:
        why = "A ReLU on the logits holds them at 0, where no gradient reaches them. "
        yield _finding(
            "dead_logits",
            said,
            f"{why if held else ''}Such a class can be predicted only where no other logit is "
            "larger: each costs up to a tenth of the accuracy, whatever the rows vary.",
        )
