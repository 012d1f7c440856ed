"""Every published number of a paper beside the runs, on one scale."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from refashion.report.figures.scorecard import COLORS, SPREAD_ALONE
from refashion.report.figures.shared import FAINT, HAIRLINE, INK, WIDTH, write

if TYPE_CHECKING:
    from refashion.judging.numbers import Number

STEP = 0.13  # inches from a line to the next
SPAN = 3  # margins: the axis goes at least this far


def draw(paper: str, numbers: Sequence[Number], scale: str, out_svg: Path, out_pdf: Path) -> None:
    """Draw a paper's ``numbers``, from :func:`refashion.judging.numbers.published_numbers`."""
    write(lambda: strips(numbers), f"{paper}-verdicts", scale, (out_svg, out_pdf))


def strips(numbers: Sequence[Number]) -> Figure:
    """A line a number: measured minus published, in margins of its kind.

    A ring is a run, and a filled one a single run; a bar is the interval in which one new run is
    expected, its colour the verdict; a square is the mean, and the band the margin. The axis is
    linear as far as one margin, and logarithmic beyond.

    Args:
        numbers: one or more, from :func:`refashion.judging.numbers.published_numbers`.
    """
    places, headings, line = [], [], 0
    for index, number in enumerate(numbers):
        if not index or number.place != numbers[index - 1].place:
            headings.append((line, number.table))
            line += 1
        places.append(line)
        line += 1
    drawn = Figure(figsize=(WIDTH, 0.75 + STEP * line), layout="constrained")
    axes = drawn.add_subplot()
    axes.set_xscale("symlog", linthresh=1)
    axes.axvspan(-1, 1, color=HAIRLINE, alpha=0.6, linewidth=0)
    axes.axvline(0, color=INK, linewidth=0.8)
    furthest = [_draw(axes, place, number) for place, number in zip(places, numbers, strict=True)]
    limit = 1.5 * max(SPAN, *furthest)
    axes.set_xlim(-limit, limit)
    axes.set_ylim(line - 0.3, -0.7)
    named = [f"{number.row}: {number.label}" for number in numbers]
    ticks = [*zip(places, named, strict=True), *headings]
    axes.set_yticks([place for place, _ in ticks], [name for _, name in ticks])
    axes.tick_params(axis="y", length=0, labelsize=6)
    for label in axes.get_yticklabels()[len(places) :]:
        label.set_fontweight("bold")
    axes.xaxis.set_major_formatter(lambda off, _: f"{off:g}".replace("-", "−"))
    axes.grid(axis="x", color=HAIRLINE, linewidth=0.5)
    axes.set_axisbelow(True)
    axes.set_xlabel("measured minus published, in margins")
    verdicts = {_verdict(number) for number in numbers}
    drawn.legend(
        handles=[
            Patch(color=COLORS[verdict], label=verdict) for verdict in COLORS if verdict in verdicts
        ],
        loc="outside upper left",
        ncols=6,
        handlelength=0.9,
        columnspacing=1.0,
    )
    return drawn


def _verdict(number: Number) -> str:
    return SPREAD_ALONE if number.by_spread_alone else number.verdict


def _draw(axes: Axes, place: int, number: Number) -> float:
    """One number's line; how far, in margins, its furthest run is from what is published."""
    mean, published = number.mean, number.published
    if number.difference is None or mean is None or published is None:
        axes.text(0, place, f" {number.reason}", va="center", size=6, color=FAINT)
        return 0.0
    color = COLORS[_verdict(number)]

    def off(value: float) -> float:
        return (value - published) / number.margin

    if number.interval:
        low, high = map(off, number.interval)
        axes.plot([low, high], [place, place], color=color, linewidth=4, solid_capstyle="butt")
        # A narrow interval would hide behind its runs.
        axes.plot(off(mean), place, "s", markersize=5.5, color=color, zorder=1.9)
    runs = [off(value) for value in number.values]
    axes.plot(
        runs,
        [place] * len(runs),
        "o",
        markersize=3.2,
        markeredgewidth=0.8,
        markeredgecolor=INK,
        markerfacecolor="white" if number.interval else color,
    )
    return max(map(abs, runs))
