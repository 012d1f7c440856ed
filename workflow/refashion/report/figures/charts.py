"""Losses and accuracies: against epoch as curves, of one epoch as bars."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from refashion.report.figures.shared import (
    FAINT,
    HAIRLINE,
    INK,
    PALETTE,
    WIDTH,
    add_notes,
    completed_runs,
    leave_empty,
)

if TYPE_CHECKING:
    from refashion.paper.figures import Figure as Exhibit
    from refashion.paper.papers import Paper

DEFAULT_SERIES = ("train", "val")
SERIES = {
    "running": "training, during the epoch",
    "train": "training",
    "val": "validation",
    "val_dropout": "validation, dropout on",
    "test": "test",
}
# Where colours tell the rows apart, lines tell the series apart.
LINES = {
    "running": ":",
    "train": (0, (4, 1.5)),
    "val": "-",
    "val_dropout": (0, (6, 1.5, 1, 1.5)),
    "test": (0, (6, 1.5, 1, 1.5, 1, 1.5)),
}
OUTSIDE = {"loc": "upper left", "bbox_to_anchor": (1.01, 1), "borderaxespad": 0}
FEW_EPOCHS = 5  # a line through so few points is hard to see without them


def curves(paper: Paper, figure: Exhibit, results_root: Path, seeds: Sequence[int]) -> Figure:
    """Series against epoch: mean over seeds, band from least to greatest.

    One row has a colour for each series; several have a colour for each row and a line style for
    each series.
    """
    rows, series = figure.rows, figure.series
    one_row, log = len(rows) == 1, figure.scale == "log"
    drawn = Figure(figsize=(WIDTH, 3.1), layout="constrained")
    axes = drawn.add_subplot()
    colors = _colors(len(series) if one_row else len(rows))
    handles, notes, last_epoch = [], [], 0
    for index, row in enumerate(rows):
        runs, missing = completed_runs(paper, row, results_root, seeds)
        notes += missing
        if not runs:
            continue
        histories = [pd.DataFrame(run.history).set_index("epoch") for run in runs]
        last_epoch = max(last_epoch, *(len(history) for history in histories))
        for which, name in enumerate(series):
            column = _column(name, figure.metric)
            values = _factor(figure) * pd.concat([each[column] for each in histories], axis=1)
            if log and (values <= 0).any(axis=None):
                values = values.where(values > 0)
                notes.append(f"{row}, {SERIES[name]}: zero has no place on a logarithmic axis")
            color = colors[which if one_row else index]
            line = "-" if one_row or len(series) == 1 else LINES[name]
            _draw_curve(axes, values, color, line)
            if one_row:
                handles.append(Line2D([], [], color=color, label=f"{row}, {SERIES[name]}"))
        if not one_row:
            handles.append(Line2D([], [], color=colors[index], label=row))
    add_notes(drawn, notes)
    if not handles:
        leave_empty(axes, rows)
        return drawn
    _scale_axes(axes, last_epoch, log)
    axes.set_xlabel("Epoch")
    axes.set_ylabel(_axis_label(figure, [] if one_row else series))
    if one_row:
        axes.legend(handles=handles)
    else:
        if len(series) > 1:
            handles += [
                Line2D([], [], color=INK, linestyle=LINES[name], label=SERIES[name])
                for name in series
            ]
        axes.legend(handles=handles, **OUTSIDE)
    return drawn


def _colors(count: int) -> Sequence[Any]:
    """The palette; for more curves than it has colours as many shades of one scale."""
    if count <= len(PALETTE):
        return PALETTE
    return [*mpl.colormaps["viridis"](np.linspace(0, 0.9, count))]


def _draw_curve(axes: Axes, values: pd.DataFrame, color: str, line: Any) -> None:
    """Mean and band of ``values`` (epochs down, seeds across) as far as there are all seeds.

    From where the first of them stopped, each of the others goes on as a thin line of its own: a
    mean over fewer and fewer seeds would jump.
    """
    mean = values.mean(axis=1, skipna=False)
    marker = "o" if len(mean) <= FEW_EPOCHS else None
    axes.plot(mean.index, mean, linestyle=line, color=color, marker=marker, markersize=3)
    if values.shape[1] == 1:
        return
    low, high = values.min(axis=1, skipna=False), values.max(axis=1, skipna=False)
    axes.fill_between(mean.index, low, high, color=color, alpha=0.18, linewidth=0)
    for _, seed in values.loc[mean.last_valid_index() :].items():
        if seed.count() > 1:
            axes.plot(seed.index, seed, linestyle=line, color=color, linewidth=0.6)


def _scale_axes(axes: Axes, last_epoch: int, log: bool) -> None:
    few = last_epoch <= FEW_EPOCHS
    axes.set_xlim(0.8 if few else 0, last_epoch + (0.2 if few else 0.008 * last_epoch))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8, steps=[1, 2, 5, 10]))
    if log:
        axes.set_yscale("log")
        low, high = axes.get_ylim()
        # Less than about a decade needs more than its 1, 2 and 5 as ticks.
        axes.yaxis.set_major_locator(
            LogLocator(subs=(1, 2, 5) if high > 15 * low else (1, 1.5, 2, 3, 4, 5, 6, 8))
        )
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    else:
        axes.yaxis.set_major_locator(MaxNLocator(nbins=8, steps=[1, 2, 2.5, 5, 10]))
    axes.grid(axis="y", color=HAIRLINE, linewidth=0.5)
    axes.set_axisbelow(True)


def bars(paper: Paper, figure: Exhibit, results_root: Path, seeds: Sequence[int]) -> Figure:
    """A bar for each row and series, of the epoch whose weights were kept.

    Its length is the mean over seeds, with a line from the least to the greatest.
    """
    rows, series = figure.rows, figure.series
    thick = 0.7 / len(series)
    drawn = Figure(figsize=(WIDTH, 0.6 + 0.34 * len(rows) * max(1, 0.6 * len(series))))
    drawn.set_layout_engine("constrained")
    axes = drawn.add_subplot()
    notes = []
    for index, row in enumerate(rows):
        runs, missing = completed_runs(paper, row, results_root, seeds)
        notes += missing
        for which, name in enumerate(series):
            column = _column(name, figure.metric)
            values = [_factor(figure) * run.metrics.kept[column] for run in runs]
            if not values:
                continue
            mean, greatest = sum(values) / len(values), max(values)
            place = index + (which - (len(series) - 1) / 2) * thick
            axes.barh(place, mean, 0.9 * thick, color=PALETTE[which])
            if len(values) > 1:
                spread = [[mean - min(values)], [greatest - mean]]
                axes.errorbar(mean, place, xerr=spread, color=INK, elinewidth=0.8, capsize=2)
            axes.annotate(
                f"{mean:#.4g}", (greatest, place), (5, 0), "data", "offset points", va="center"
            )
        if not runs:
            axes.text(0, index, "  no completed run", va="center", color=FAINT)
    axes.set_yticks(range(len(rows)), rows)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.margins(x=0.13)
    axes.set_xlim(left=0)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, steps=[1, 2, 2.5, 5, 10]))
    axes.grid(axis="x", color=HAIRLINE, linewidth=0.5)
    axes.set_axisbelow(True)
    axes.set_xlabel(_axis_label(figure, series))
    if len(series) > 1:
        handles = [
            Patch(color=PALETTE[which], label=SERIES[name]) for which, name in enumerate(series)
        ]
        axes.legend(handles=handles, **OUTSIDE)
    add_notes(drawn, notes)
    return drawn


def _column(series: str, metric: str | None) -> str:
    """The series' column in history.csv; what is measured while training has one mean alone."""
    return f"{series}_{metric}" + ("" if series == "running" else "_batch_mean")


def _factor(figure: Exhibit) -> float:
    return 100.0 if figure.metric == "accuracy" else 1.0


def _axis_label(figure: Exhibit, series: Sequence[str]) -> str:
    """What an axis shows, with the name of its series if there is but one."""
    what = "Accuracy (%)" if figure.metric == "accuracy" else "Loss"
    of = [SERIES[name] for name in series] if len(series) == 1 else []
    return ", ".join([what, *of, "mean of batches"])
