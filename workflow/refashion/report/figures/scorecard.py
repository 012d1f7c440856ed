"""The scorecard as a picture: a bar of verdicts for each paper, and for all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from refashion.judging.numbers import NumberVerdict
from refashion.report.figures.shared import FAINT, HAIRLINE, INK, WIDTH, write

if TYPE_CHECKING:
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


def draw(card: Card, out_svg: Path, out_pdf: Path) -> None:
    """Draw the scorecard as SVG and as PDF."""
    write(lambda: bars(card), "scorecard", card.scale, (out_svg, out_pdf))


def bars(card: Card) -> Figure:
    """Published numbers on the left, claims on the right; the count stands in each piece.

    Numbers that are reproduced by the runs' spread alone, their mean being beyond the margin, have
    a piece of their own.
    """
    counted = {key: of.counts for key, of in card.papers.items()}
    if len(counted) > 1:
        counted["all"] = card.all
    drawn = Figure(figsize=(WIDTH, 0.62 + 0.26 * len(counted)), layout="constrained")
    sides = drawn.subplots(1, 2, sharey=True)
    for axes, title, pieces in zip(
        sides, ("Published numbers", "Claims"), (_numbers, _claims), strict=True
    ):
        for position, of in enumerate(counted.values()):
            _bar(axes, position, pieces(of))
        verdicts = pieces(next(iter(counted.values())))
        axes.set_title(title)
        axes.set_xlim(0, 1)
        axes.set_xticks([])
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
        axes.legend(
            handles=[Patch(color=COLORS[verdict], label=verdict) for verdict in verdicts],
            loc="upper left",
            bbox_to_anchor=(-0.02, -0.02),
            ncols=3,
            handlelength=0.9,
            columnspacing=1.0,
            borderaxespad=0,
        )
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


def _claims(of: Counts) -> dict[str, int]:
    return {**of.claims}


def _bar(axes: Axes, position: int, counts: Mapping[str, int]) -> None:
    """One bar of length 1, a piece a verdict; a dash where there is nothing to judge."""
    total, left = sum(counts.values()), 0.0
    if not total:
        axes.text(0, position, "none", va="center", color=FAINT)
    for verdict, number in counts.items():
        if not number:
            continue
        color, share = COLORS[verdict], number / total
        axes.barh(position, share, 0.68, left, color=color, edgecolor="white", linewidth=0.8)
        axes.text(
            left + share / 2,
            position,
            str(number),
            ha="center",
            va="center",
            size=6.5,
            color="white" if color in DARK else INK,
        )
        left += share
    axes.axhline(position + 0.5, color=HAIRLINE, linewidth=0.5)
