"""Confusion matrices, by themselves and beside the ones that a paper prints."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from refashion.paper.images import CLASS_NAMES
from refashion.report.figures.shared import (
    BLUE,
    HAIRLINE,
    INK,
    VERMILION,
    WIDTH,
    add_notes,
    completed_runs,
    leave_empty,
    over_seeds,
)

if TYPE_CHECKING:
    from refashion.paper.figures import Figure as Exhibit
    from refashion.paper.papers import Paper

# The errors have the colours to themselves: the diagonal is masked, and so grey.
CONFUSED = LinearSegmentedColormap.from_list(
    "confused", ["#ffffff", "#f8d5bb", "#ea9a5e", "#c44e00"]
).with_extremes(bad="#eeeeee")
CHANGED = LinearSegmentedColormap.from_list(
    "changed", ["#00568a", "#6aaed6", "#ffffff", "#ea9a5e", "#c44e00"]
)
DIAGONAL = np.eye(len(CLASS_NAMES), dtype=bool)
CENTRES = np.arange(len(CLASS_NAMES)) + 0.5


def confusion(paper: Paper, figure: Exhibit, results_root: Path, seeds: Sequence[int]) -> Figure:
    """Counts, or shares of each true class in percent: mean over seeds, one colour scale."""
    names = figure.rows
    normalised = figure.normalised
    across = min(len(names), 2)
    down = -(-len(names) // across)
    drawn = Figure(figsize=(WIDTH, (4.9 if across == 1 else 3.8) * down), layout="constrained")
    panels = drawn.subplots(down, across, squeeze=False)
    for axes in panels.flat[len(names) :]:
        axes.axis("off")

    notes, measured = [], []
    for name in names:
        counts, missing = _counts(paper, name, results_root, seeds)
        notes += missing
        measured.append(100 * _shares(counts) if normalised else counts)
    ceiling = _largest_error([values.mean(0) for values in measured if len(values)])
    for axes, name, values in zip(panels.flat, names, measured, strict=False):
        if not len(values):
            leave_empty(axes, [name])
            continue
        mean = values.mean(0)
        texts = _as_text(mean, "%.1f" if normalised else "%.0f")
        errors = np.ma.array(mean, mask=DIAGONAL)
        _draw_matrix(axes, errors, texts, CONFUSED, (0, ceiling), 7.5 if across == 1 else 6)
        of = "validation" if paper.row(name).spec.split.validation else "test"
        end = " " if across == 1 else "\n"
        axes.set_title(f"{name}:{end}{of} images, {over_seeds(values)}")
        _name_classes(axes, left=axes in panels[:, 0], size=7 if across == 1 else 6.5)
        if normalised:
            axes.set_xlabel("Predicted, % of the true class")
    add_notes(drawn, notes)
    return drawn


def confusion_difference(
    paper: Paper, figure: Exhibit, results_root: Path, seeds: Sequence[int]
) -> Figure:
    """Published counts, measured ones, the second less the first; and what is recognised of each.

    Measured counts are for as many images of each class as the paper has. Four panels a row. The
    last has the share of each class that is recognised: of the measured counts the mean over seeds,
    with a line from the least to the greatest.
    """
    names = figure.rows
    printed = {paper.row(matrix.row).id: matrix for matrix in paper.confusion_matrices}
    drawn = Figure(figsize=(WIDTH, 6.3 * len(names)), layout="constrained")
    panels = drawn.subplots(2 * len(names), 2, squeeze=False).reshape(-1, 4)
    notes = []
    for (left, right, below, beside), name in zip(panels, names, strict=True):
        matrix = printed[paper.row(name).id]
        published = np.array(matrix.published)
        counts, missing = _counts(paper, name, results_root, seeds)
        notes += missing
        measured = published
        if len(counts):
            # Whole counts, so that the cells of the three matrices add up as they are shown.
            images = published.sum(1, keepdims=True)
            measured = np.rint(images * _shares(counts.mean(0))).astype(int)
        ceiling = _largest_error([published, measured])
        _draw_counts(left, published, ceiling)
        left.set_title(f"{name}: published, {matrix.label}")
        if not len(counts):
            for axes in (right, below, beside):
                leave_empty(axes, [name])
            continue
        _draw_counts(right, measured, ceiling, left=False)
        right.set_title(f"{name}: measured, {over_seeds([*counts])}")
        _draw_difference(below, measured - published)
        below.set_title(f"{name}: measured minus published")
        _draw_recognised(beside, published, counts)
    add_notes(drawn, notes)
    return drawn


def _draw_counts(axes: Axes, counts: np.ndarray, ceiling: float, left: bool = True) -> None:
    errors = np.ma.array(counts, mask=DIAGONAL)
    _draw_matrix(axes, errors, _as_text(counts), CONFUSED, (0, ceiling), 6)
    _name_classes(axes, left, size=6.5)


def _draw_difference(axes: Axes, difference: np.ndarray) -> None:
    limit = max(np.abs(difference).max(), 1)
    _draw_matrix(axes, difference, _as_text(difference, "%+d"), CHANGED, (-limit, limit), 6)
    _name_classes(axes, left=True, size=6.5)


def _counts(
    paper: Paper, name: str, results_root: Path, seeds: Sequence[int]
) -> tuple[np.ndarray, list[str]]:
    """int64 [runs, 10, 10] of the completed runs, and a note for every other."""
    runs, notes = completed_runs(paper, name, results_root, seeds)
    return np.array([run.confusion for run in runs], int).reshape(-1, 10, 10), notes


def _shares(counts: np.ndarray) -> np.ndarray:
    """Counts [..., 10, 10] as shares of each true class."""
    return counts / np.maximum(counts.sum(-1, keepdims=True), 1)


def _largest_error(matrices: Sequence[np.ndarray]) -> float:
    return max([1.0, *(float(matrix[~DIAGONAL].max()) for matrix in matrices)])


def _as_text(values: np.ndarray, form: str = "%d") -> np.ndarray:
    """Values as text: with a true minus, and a bare 0 for what rounds to it."""
    texts = np.char.mod(form, values)
    zero = texts == form % 0
    return np.where(zero, "0", np.char.replace(texts, "-", "−"))


def _draw_matrix(
    axes: Axes,
    values: np.ndarray,
    texts: np.ndarray,
    colors: Colormap,
    limits: tuple[float, float],
    size: float,
) -> None:
    """Coloured cells with a text in each; ``values`` and ``texts`` [10, 10], true class down."""
    low, high = limits
    axes.pcolormesh(values, cmap=colors, vmin=low, vmax=high, edgecolor="white", linewidth=0.8)
    dark = np.ma.filled(np.abs(values) > 0.75 * high, False)
    for (true, predicted), text in np.ndenumerate(texts):
        axes.text(
            predicted + 0.5,
            true + 0.5,
            text,
            ha="center",
            va="center",
            size=size,
            color="white" if dark[true, predicted] else "#bdbdbd" if text == "0" else INK,
            weight="bold" if true == predicted else "normal",
        )
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    axes.set_aspect("equal")
    axes.invert_yaxis()


def _name_classes(axes: Axes, left: bool, size: float) -> None:
    axes.set_xticks(
        CENTRES, CLASS_NAMES, rotation=40, ha="right", rotation_mode="anchor", size=size
    )
    axes.set_yticks(CENTRES, CLASS_NAMES if left else [""] * len(CENTRES), size=size)
    axes.set_xlabel("Predicted")
    axes.set_ylabel("True" if left else "")


def _draw_recognised(axes: Axes, published: np.ndarray, counts: np.ndarray) -> None:
    """Per class the share that is recognised, level with the matrix to the left."""
    shares = 100 * np.diagonal(_shares(counts), axis1=1, axis2=2)
    axes.hlines(CENTRES, shares.min(0), shares.max(0), color=VERMILION, linewidth=3, alpha=0.4)
    axes.plot(shares.mean(0), CENTRES, "o", color=VERMILION, markersize=4, label="measured")
    axes.plot(
        100 * np.diagonal(_shares(published)),
        CENTRES,
        "D",
        color=BLUE,
        markersize=4,
        markerfacecolor="none",
        label="published",
    )
    axes.set_ylim(len(CENTRES), 0)
    axes.set_yticks(CENTRES, [""] * len(CENTRES))
    axes.set_box_aspect(1)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 5, 10]))
    axes.grid(axis="y", color=HAIRLINE, linewidth=0.5)
    axes.set_axisbelow(True)
    axes.set_xlabel("Recognised, % of the class")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0)
