"""The readings of a study against the published numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from refashion.report.figures.shared import FAINT, HAIRLINE, INK, PALETTE, WIDTH
from refashion.results.summary import grouped

if TYPE_CHECKING:
    from refashion.judging.numbers import Number
    from refashion.judging.studies import StudyResult

LABELS = {
    ("reconstruction", "loss"): "Error",
    ("reconstruction", "epochs"): "Epochs of autoencoders",
    ("classification", "loss"): "Cross entropy",
    ("classification", "percent"): "Accuracy, percentage points",
    ("classification", "epochs"): "Epochs of classifiers",
}
MARKERS = "os^Dvph"
STEP = 0.1  # inches from a reading to the next, if a page has room for it
PAGE = 7.5


def dots(study: StudyResult) -> Figure:
    """Measured minus published, a panel a kind of number: the mean, and a line over the seeds.

    The line goes from the least to the greatest; a number that a reading lacks leaves its place
    empty.
    """
    readings = study.readings
    by_number = zip(*(reading.numbers for reading in readings), strict=True)
    kinds = grouped(by_number, lambda of_number: of_number[0].kind)
    drawn = Figure(figsize=(WIDTH, 1), layout="constrained")
    if not kinds:
        axes = drawn.add_subplot()
        axes.text(0.5, 0.5, "the paper prints no number of these rows", ha="center", color=FAINT)
        axes.axis("off")
        return drawn
    lines = [len(of_kind) * (len(readings) + 1) for of_kind in kinds.values()]
    around = 0.35 + 0.55 * len(kinds)
    drawn.set_size_inches(WIDTH, min(around + STEP * sum(lines), PAGE))
    panels = drawn.subplots(len(kinds), 1, height_ratios=[n + 3 for n in lines], squeeze=False)
    for axes, (kind, of_kind) in zip(panels[:, 0], kinds.items(), strict=True):
        _draw_kind(axes, of_kind)
        axes.set_xlabel(f"{LABELS[kind]}, measured minus published")
    handles = [
        Line2D([], [], linestyle="", marker=marker, color=color, markersize=4, label=reading.id)
        for reading, (color, marker) in zip(readings, _styles(len(readings)), strict=True)
    ]
    drawn.legend(handles=handles, loc="outside upper left", ncols=min(5, len(handles)))
    return drawn


def _styles(count: int) -> list[tuple[str, str]]:
    return [(PALETTE[i % len(PALETTE)], MARKERS[i % len(MARKERS)]) for i in range(count)]


def _draw_kind(axes: Axes, numbers: Sequence[Sequence[Number]]) -> None:
    """A group of dots for each published number, a dot in it for each reading."""
    size = len(numbers[0]) + 1
    for group, of_number in enumerate(numbers):
        for place, (number, (color, marker)) in enumerate(
            zip(of_number, _styles(size - 1), strict=True), start=group * size
        ):
            if number.difference is None or number.published is None:
                continue
            if len(number.values) > 1:
                off = [value - number.published for value in number.values]
                axes.plot([min(off), max(off)], [place, place], color=color, linewidth=1)
            axes.plot(number.difference, place, marker, color=color, markersize=4)
        if group:
            axes.axhline(group * size - 1, color=HAIRLINE, linewidth=0.5)
    axes.axvline(0, color=INK, linewidth=0.8)
    axes.set_yticks(
        [group * size + (size - 2) / 2 for group in range(len(numbers))],
        [f"{of_number[0].row}: {of_number[0].label}" for of_number in numbers],
    )
    axes.tick_params(axis="y", length=0, labelsize=6)
    axes.set_ylim(len(numbers) * size - 1, -1)
    axes.margins(x=0.08)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=7, steps=[1, 2, 2.5, 5, 10]))
    axes.grid(axis="x", color=HAIRLINE, linewidth=0.5)
    axes.set_axisbelow(True)
