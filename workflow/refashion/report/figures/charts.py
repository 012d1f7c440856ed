"""Losses and accuracies: against epoch as curves, of one epoch as bars."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import LogLocator, NullLocator

from refashion.report.figures import shared

if TYPE_CHECKING:
    from refashion.paper.figures import Figure as Exhibit

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


def curves(figure: Exhibit, rows: Sequence[shared.Trained]) -> Figure:
    """Series against epoch: mean over seeds, band from least to greatest.

    One row has a colour for each series; several have a colour for each row and a line style for
    each series.
    """
    series, one_row, log = figure.series, len(rows) == 1, figure.scale == "log"
    drawn = Figure(figsize=(shared.WIDTH, 3.1), layout="constrained")
    axes = drawn.add_subplot()
    colors = _colors(len(series) if one_row else len(rows))
    notes = []
    for index, row in enumerate(rows):
        notes += row.notes
        for which, name in enumerate(series if row.runs else ()):
            values = _by_epoch(figure, name, row)
            if log and (values <= 0).any(axis=None):
                values = values.where(values > 0)
                notes.append(f"{row.name}, {SERIES[name]}: zero has no place on a logarithmic axis")
            line = "-" if one_row or len(series) == 1 else LINES[name]
            _draw_curve(axes, values, colors[which if one_row else index], line)
    shared.add_notes(drawn, notes)
    if not axes.lines:
        shared.leave_empty(axes, *rows)
        return drawn
    _scale_axes(axes, log)
    axes.set(xlabel="Epoch", ylabel=_axis_label(figure, () if one_row else series))
    named = [(color, row.name) for color, row in zip(colors, rows, strict=False) if row.runs]
    if one_row:
        named = [(colors[i], f"{rows[0].name}, {SERIES[name]}") for i, name in enumerate(series)]
    handles = [Line2D([], [], color=color, label=label) for color, label in named]
    if not one_row and len(series) > 1:
        styles = [(LINES[name], SERIES[name]) for name in series]
        handles += [
            Line2D([], [], color=shared.INK, linestyle=ls, label=label) for ls, label in styles
        ]
    axes.legend(handles=handles, **({} if one_row else OUTSIDE))
    return drawn


def _colors(count: int) -> Sequence[Any]:
    """The palette; for more curves than it has colours as many shades of one scale."""
    if count <= len(shared.PALETTE):
        return shared.PALETTE
    return [*mpl.colormaps["viridis"](np.linspace(0, 0.9, count))]


def _by_epoch(figure: Exhibit, series: str, row: shared.Trained) -> pd.DataFrame:
    """Epochs down, seeds across."""
    histories = [pd.DataFrame(run.history).set_index("epoch") for run in row.runs]
    column, factor = _column(figure, series)
    return factor * pd.concat([history[column] for history in histories], axis=1)


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


def _scale_axes(axes: Axes, log: bool) -> None:
    last_epoch = max(np.max(line.get_xdata()) for line in axes.lines)
    few = last_epoch <= FEW_EPOCHS
    axes.set_xlim(0.8 if few else 0, last_epoch + (0.2 if few else 0.008 * last_epoch))
    axes.locator_params(axis="x", integer=True, nbins=8, steps=[1, 2, 5, 10])
    axes.grid(axis="y")
    axes.set_axisbelow(True)
    if not log:
        axes.locator_params(axis="y", nbins=8)
        return
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    # Less than about a decade needs more than its 1, 2 and 5 as ticks.
    ticks = (1, 2, 5) if high > 15 * low else (1, 1.5, 2, 3, 4, 5, 6, 8)
    axes.yaxis.set_major_locator(LogLocator(subs=ticks))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")


def bars(figure: Exhibit, rows: Sequence[shared.Trained]) -> Figure:
    """A bar for each row and series, of the epoch whose weights were kept.

    Its length is the mean over seeds, with a line from the least to the greatest.
    """
    series = figure.series
    high = 0.6 + 0.34 * len(rows) * max(1, 0.6 * len(series))
    drawn = Figure(figsize=(shared.WIDTH, high), layout="constrained")
    axes = drawn.add_subplot()
    thick = 0.7 / len(series)
    for index, row in enumerate(rows):
        for which, name in enumerate(series if row.runs else ()):
            column, factor = _column(figure, name)
            values = [factor * run.metrics.kept[column] for run in row.runs]
            place = index + (which - (len(series) - 1) / 2) * thick
            _draw_bar(axes, place, 0.9 * thick, values, shared.PALETTE[which])
        if not row.runs:
            axes.text(0, index, "  no completed run", va="center", color=shared.FAINT)
    axes.set_yticks(range(len(rows)), [row.name for row in rows])
    axes.tick_params(axis="y", length=0)
    axes.margins(x=0.13)
    axes.set_xlim(left=0)
    axes.locator_params(axis="x", nbins=8)
    axes.grid(axis="x")
    axes.set(ylim=(len(rows) - 0.5, -0.5), axisbelow=True, xlabel=_axis_label(figure, series))
    if len(series) > 1:
        named = zip(shared.PALETTE, (SERIES[name] for name in series), strict=False)
        axes.legend(handles=[Patch(color=color, label=name) for color, name in named], **OUTSIDE)
    shared.add_notes(drawn, [note for row in rows for note in row.notes])
    return drawn


def _draw_bar(axes: Axes, place: float, thick: float, values: Sequence[float], color: str) -> None:
    mean, greatest = sum(values) / len(values), max(values)
    axes.barh(place, mean, thick, color=color)
    if len(values) > 1:
        spread = [[mean - min(values)], [greatest - mean]]
        axes.errorbar(mean, place, xerr=spread, color=shared.INK, elinewidth=0.8, capsize=2)
    text, at = f"{mean:#.4g}", (greatest, place)
    axes.annotate(text, at, (5, 0), "data", "offset points", va="center")


def _column(figure: Exhibit, series: str) -> tuple[str, float]:
    """The series' column in history.csv, and what its numbers are multiplied by to be shown."""
    # What is measured while training has one mean alone.
    mean = "" if series == "running" else "_batch_mean"
    return f"{series}_{figure.metric}{mean}", 100.0 if figure.metric == "accuracy" else 1.0


def _axis_label(figure: Exhibit, series: Sequence[str]) -> str:
    """What an axis shows, with the name of its series if there is but one."""
    what = "Accuracy (%)" if figure.metric == "accuracy" else "Loss"
    of = [SERIES[name] for name in series] if len(series) == 1 else []
    return ", ".join([what, *of, "mean of batches"])
