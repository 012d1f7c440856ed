"""Confusion matrices, by themselves and beside the ones that a paper prints."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from refashion.paper.images import CLASS_NAMES
from refashion.report.figures import shared

if TYPE_CHECKING:
    from refashion.paper.figures import Figure as Exhibit

# The errors have the colours to themselves: the diagonal is masked, and so grey.
CONFUSED = LinearSegmentedColormap.from_list(
    "confused", ["#ffffff", "#f8d5bb", "#ea9a5e", "#c44e00"]
).with_extremes(bad="#eeeeee")
CHANGED = LinearSegmentedColormap.from_list(
    "changed", ["#00568a", "#6aaed6", "#ffffff", "#ea9a5e", "#c44e00"]
)
DIAGONAL = np.eye(len(CLASS_NAMES), dtype=bool)
CENTRES = np.arange(len(CLASS_NAMES)) + 0.5


def confusion(figure: Exhibit, rows: Sequence[shared.Trained]) -> Figure:
    """Counts, or shares of each true class in percent: mean over seeds, one colour scale."""
    across = min(len(rows), 2)
    down = -(-len(rows) // across)
    side, size, name_size, end = (4.9, 7.5, 7, " ") if across == 1 else (3.8, 6, 6.5, "\n")
    drawn = Figure(figsize=(shared.WIDTH, side * down), layout="constrained")
    panels = drawn.subplots(down, across, squeeze=False)
    for axes in panels.flat[len(rows) :]:
        axes.axis("off")
    form, of_runs = ("%.1f", _percent) if figure.normalised else ("%.0f", _counts)
    means = {row.name: of_runs(row).mean(0) for row in rows if row.runs}
    ceiling = _largest_error(means.values())
    for axes, row in zip(panels.flat, rows, strict=False):
        if not row.runs:
            shared.leave_empty(axes, row)
            continue
        _draw_matrix(axes, means[row.name], form, ceiling, size)
        of = "validation" if row.row.spec.split.validation else "test"
        axes.set_title(f"{row.name}:{end}{of} images, {shared.over_seeds(len(row.runs))}")
        _name_classes(axes, left=axes in panels[:, 0], size=name_size)
        if figure.normalised:
            axes.set_xlabel("Predicted, % of the true class")
    shared.add_notes(drawn, [note for row in rows for note in row.notes])
    return drawn


def confusion_difference(figure: Exhibit, rows: Sequence[shared.Trained]) -> Figure:
    """Published counts, measured ones, the second less the first; and what is recognised of each.

    Measured counts are for as many images of each class as the paper has. Four panels a row. The
    last has the share of each class that is recognised: of the measured counts the mean over seeds,
    with a line from the least to the greatest.
    """
    drawn = Figure(figsize=(shared.WIDTH, 6.3 * len(rows)), layout="constrained")
    panels = drawn.subplots(2 * len(rows), 2, squeeze=False).reshape(-1, 4)
    for (left, right, below, beside), row in zip(panels, rows, strict=True):
        assert row.printed  # the figure's check asks for it
        measured = published = np.array(row.printed.published)
        if row.runs:
            # Whole counts, so that the cells of the three matrices add up as they are shown.
            images = published.sum(1, keepdims=True)
            measured = np.rint(images * _shares(_counts(row).mean(0))).astype(int)
        ceiling = _largest_error([published, measured])
        _draw_matrix(left, published, "%d", ceiling)
        _name_classes(left)
        left.set_title(f"{row.name}: published, {row.printed.label}")
        if not row.runs:
            for axes in (right, below, beside):
                shared.leave_empty(axes, row)
            continue
        _draw_matrix(right, measured, "%d", ceiling)
        _name_classes(right, left=False)
        right.set_title(f"{row.name}: measured, {shared.over_seeds(len(row.runs))}")
        _draw_matrix(below, measured - published, "%+d")
        _name_classes(below)
        below.set_title(f"{row.name}: measured minus published")
        _draw_recognised(beside, published, _counts(row))
    shared.add_notes(drawn, [note for row in rows for note in row.notes])
    return drawn


def _counts(row: shared.Trained) -> np.ndarray:
    """int64 [runs, 10, 10]."""
    return np.array([run.confusion for run in row.runs], int)


def _percent(row: shared.Trained) -> np.ndarray:
    """float [runs, 10, 10], of each true class."""
    return 100 * _shares(_counts(row))


def _shares(counts: np.ndarray) -> np.ndarray:
    """Counts [..., 10, 10] as shares of each true class."""
    return counts / np.maximum(counts.sum(-1, keepdims=True), 1)


def _largest_error(matrices: Iterable[np.ndarray]) -> float:
    return max([1.0, *(float(matrix[~DIAGONAL].max()) for matrix in matrices)])


def _as_text(values: np.ndarray, form: str = "%d") -> np.ndarray:
    """Values as text: with a true minus, and a bare 0 for what rounds to it."""
    texts = np.char.mod(form, values)
    zero = texts == form % 0
    return np.where(zero, "0", np.char.replace(texts, "-", "−"))


def _draw_matrix(
    axes: Axes, values: np.ndarray, form: str, ceiling: float | None = None, size: float = 6
) -> None:
    """Coloured cells [10, 10] with a text in each, true class down.

    Counts have a ``ceiling``, and colours for what is off the diagonal; differences have neither.
    """
    texts = _as_text(values, form)
    colors, low, high = CONFUSED, 0, ceiling
    if high is None:
        high = max(np.abs(values).max(), 1)
        colors, low = CHANGED, -high
    else:
        values = np.ma.array(values, mask=DIAGONAL)
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
            color="white" if dark[true, predicted] else "#bdbdbd" if text == "0" else shared.INK,
            weight="bold" if true == predicted else "normal",
        )
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    axes.set_aspect("equal")
    axes.invert_yaxis()


def _name_classes(axes: Axes, left: bool = True, size: float = 6.5) -> None:
    style = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"}
    axes.set_xticks(CENTRES, CLASS_NAMES, size=size, **style)
    axes.set_yticks(CENTRES, CLASS_NAMES if left else [""] * len(CENTRES), size=size)
    axes.set(xlabel="Predicted", ylabel="True" if left else "")


def _draw_recognised(axes: Axes, published: np.ndarray, counts: np.ndarray) -> None:
    """Per class the share that is recognised, level with the matrix to the left."""
    shares = 100 * np.diagonal(_shares(counts), axis1=1, axis2=2)
    printed = 100 * np.diagonal(_shares(published))
    axes.hlines(
        CENTRES, shares.min(0), shares.max(0), color=shared.VERMILION, linewidth=3, alpha=0.4
    )
    axes.plot(shares.mean(0), CENTRES, "o", color=shared.VERMILION, markersize=4, label="measured")
    ring = {"color": shared.BLUE, "markersize": 4, "markerfacecolor": "none"}
    axes.plot(printed, CENTRES, "D", label="published", **ring)
    axes.set_ylim(len(CENTRES), 0)
    axes.set_yticks(CENTRES, [""] * len(CENTRES))
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.locator_params(axis="x", nbins=5, steps=[1, 2, 5, 10])
    axes.grid(axis="y")
    axes.set(box_aspect=1, axisbelow=True, xlabel="Recognised, % of the class")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0)
