"""Verdicts in colours: every published number beside the runs, and how many there are of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from refashion.judging.numbers import NumberVerdict
from refashion.report.figures.shared import FAINT, HAIRLINE, INK, WIDTH

if TYPE_CHECKING:
    from refashion.judging.numbers import Number
    from refashion.judging.scorecard import Card, Counts

# From what speaks for a paper to what says nothing; the words stand in the legend.
SPREAD_ALONE = "by spread alone"
COLORS = {
    "reproduced": "#0072B2",
    "close": "#56B4E9",
    SPREAD_ALONE: "#BFDDF0",
    "differs": "#D55E00",
    "single run": "#B9B9B9",
    "not comparable": "#E3E3E3",
    "holds": "#0072B2",
    "does not hold": "#D55E00",
    "undecided": "#B9B9B9",
    "not tested": "#E3E3E3",
}
DARK = ("#0072B2", "#D55E00")
STEP = 0.13  # inches from a line to the next
SPAN = 3  # margins: the axis goes at least this far


def _named(verdicts: Iterable[str]) -> dict[str, Any]:
    """What a legend of verdicts is made by."""
    handles = [Patch(color=COLORS[verdict], label=verdict) for verdict in verdicts]
    return {"handles": handles, "handlelength": 0.9, "columnspacing": 1.0}


# ---- a number a line ----------------------------------------------------------------------------


def strips(numbers: Sequence[Number]) -> Figure:
    """A line a number, of which there is one or more: measured minus published, in margins.

    A ring is a run, and a filled one a single run; a bar is the interval in which one new run is
    expected, its colour the verdict; a square is the mean, and the band the margin. The axis is
    linear as far as one margin, and logarithmic beyond.
    """
    parts = groupby(numbers, attrgetter("place", "table"))
    lines = [each for (_, table), of in parts for each in (table, *of)]
    headings = {at: each for at, each in enumerate(lines) if isinstance(each, str)}
    places = [at for at in range(len(lines)) if at not in headings]
    drawn = Figure(figsize=(WIDTH, 0.75 + STEP * len(lines)), layout="constrained")
    axes = drawn.add_subplot()
    axes.set_xscale("symlog", linthresh=1)
    axes.axvspan(-1, 1, color=HAIRLINE, alpha=0.6, linewidth=0)
    axes.axvline(0, color=INK, linewidth=0.8)
    furthest = [_draw(axes, place, number) for place, number in zip(places, numbers, strict=True)]
    limit = 1.5 * max(SPAN, *furthest)
    named = [f"{number.row}: {number.label}" for number in numbers]
    axes.set_yticks([*places, *headings], [*named, *headings.values()])
    axes.tick_params(axis="y", length=0, labelsize=6)
    for label in axes.get_yticklabels()[len(places) :]:
        label.set_fontweight("bold")
    axes.xaxis.set_major_formatter(lambda off, _: f"{off:g}".replace("-", "−"))
    axes.grid(axis="x")
    axes.set(xlim=(-limit, limit), ylim=(len(lines) - 0.3, -0.7), axisbelow=True)
    axes.set_xlabel("measured minus published, in margins")
    verdicts = {_verdict(number) for number in numbers}
    drawn.legend(loc="outside upper left", ncols=6, **_named(v for v in COLORS if v in verdicts))
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
    (rings,) = axes.plot(runs, [place] * len(runs), "o", markersize=3.2, markeredgewidth=0.8)
    rings.set(markeredgecolor=INK, markerfacecolor="white" if number.interval else color)
    return max(map(abs, runs))


# ---- the scorecard ------------------------------------------------------------------------------


def bars(card: Card) -> Figure:
    """Published numbers on the left, claims on the right; the count stands in each piece.

    A bar a paper and, of several, one for all. Numbers that are reproduced by the runs' spread
    alone, their mean being beyond the margin, have a piece of their own.
    """
    counted = {key: of.counts for key, of in card.papers.items()}
    if len(counted) > 1:
        counted["all"] = card.all
    drawn = Figure(figsize=(WIDTH, 0.62 + 0.26 * len(counted)), layout="constrained")
    sides = drawn.subplots(1, 2, sharey=True)
    pieces = {
        "Published numbers": [_numbers(of) for of in counted.values()],
        "Claims": [of.claims for of in counted.values()],
    }
    under = {"loc": "upper left", "bbox_to_anchor": (-0.02, -0.02), "ncols": 3, "borderaxespad": 0}
    for axes, (title, of_papers) in zip(sides, pieces.items(), strict=True):
        for position, counts in enumerate(of_papers):
            _bar(axes, position, counts)
        axes.set(title=title, xlim=(0, 1), xticks=[])
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
        axes.legend(**under, **_named(of_papers[0]))
    sides[0].set_yticks(range(len(counted)), counted)
    sides[0].set_ylim(len(counted) - 0.4, -0.6)
    return drawn


def _numbers(of: Counts) -> dict[str, int]:
    near = of.within_margin[NumberVerdict.REPRODUCED]
    parted: dict[str, int] = {
        NumberVerdict.REPRODUCED: near,
        NumberVerdict.CLOSE: of.numbers[NumberVerdict.CLOSE],
        SPREAD_ALONE: of.numbers[NumberVerdict.REPRODUCED] - near,
    }
    return parted | {v: number for v, number in of.numbers.items() if v not in parted}


def _bar(axes: Axes, position: int, counts: Mapping[str, int]) -> None:
    """One bar of length 1, a piece a verdict; a dash where there is nothing to judge."""
    total, left = sum(counts.values()), 0.0
    if not total:
        axes.text(0, position, "none", va="center", color=FAINT)
    middle = {"ha": "center", "va": "center", "size": 6.5}
    for verdict, number in counts.items():
        if not number:
            continue
        color, share = COLORS[verdict], number / total
        axes.barh(position, share, 0.68, left, color=color, edgecolor="white", linewidth=0.8)
        ink = "white" if color in DARK else INK
        axes.text(left + share / 2, position, str(number), color=ink, **middle)
        left += share
    axes.axhline(position + 0.5, color=HAIRLINE, linewidth=0.5)
