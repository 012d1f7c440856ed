"""A paper's tables as the report prints them, every number a string."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from refashion.judging.excess import Excess, excess_over_floor
from refashion.judging.numbers import ComparedMatrix, Comparison, compare_confusion, compare_table
from refashion.paper.images import CLASS_NAMES
from refashion.paper.settings import setting, setting_label
from refashion.text import NONE, capital, count, listed, rounded, sentence

if TYPE_CHECKING:
    from refashion.judging.levels import PaperLevels
    from refashion.results.summary import Summary


def tabulate(
    paper: Any, table: Mapping[str, Any], summaries: Mapping[str, Summary]
) -> dict[str, Any]:
    """A paper's table with its lines, notes and panels; ``summaries`` maps row id to summary.

    Settings that all lines share are said once, above it.
    """
    compared = compare_table(paper, table, summaries)
    printed_in = _tables_of(paper)
    values = {key: [setting(line.row, key) for line in compared] for key in table.settings}
    shared = {key for key in values if len(compared) > 1 and len(set(values[key])) == 1}
    columns = [key for key in table.settings if key not in shared]
    notes: list[dict[str, str]] = []
    lines = []
    for index, line in enumerate(compared):
        row, summary = line.row, line.summary
        remarks = []
        if line.ours:
            remarks.append(f"Ours, not in the paper: a variant of {row.variant_of}.")
        if row.note:
            remarks.append(sentence(row.note))
        others = [label for label in printed_in.get(row.id, ()) if label != table.label]
        if others:
            remarks.append(f"The same runs as in {listed(others)}.")
        remarks += _fate(summary)
        mark = ""
        if remarks:
            mark = _mark(len(notes))
            notes.append({"mark": mark, "text": " ".join(remarks)})
        lines.append(
            {
                "row": row.id,
                "ours": line.ours,
                "mark": mark,
                "settings": [values[key][index] for key in columns],
                "n": str(summary.completed) if summary else NONE,
                "cells": [_cell(number, summary) for number in line.numbers.values()],
            }
        )
    published = {key for line in table.lines for key in line.published}
    if published and any(line.ours for line in compared):
        text = "The difference of a row that is ours is taken from the number published for the row"
        notes.append({"mark": "", "text": f"{text} it varies."})
    metrics = [
        (metric.label + (", %" if metric.unit == "percent" else ""), key in published)
        for key, metric in table.metrics.items()
    ]
    return {
        "anchor": f"{paper.key}-{table.id}",
        "label": table.label,
        "caption": sentence(table.caption),
        "shared": ", ".join(
            f"{setting_label(key)} {values[key][0]}" for key in table.settings if key in shared
        ),
        "lines_are": "Row",
        "panels": _panels(metrics, [capital(setting_label(key)) for key in columns]),
        "lines": lines,
        "notes": notes,
    }


def tabulate_confusion(
    paper: Any, matrix: Mapping[str, Any], summaries: Mapping[str, Summary]
) -> dict[str, Any]:
    """What follows from a published confusion matrix, laid out as by :func:`tabulate`."""
    compared = compare_confusion(paper, matrix, summaries)
    row, summary = compared.row, compared.summary
    undefined = {"published": NONE, "measured": NONE, "difference": NONE}
    cells = [[_cell(compared.accuracy, summary), undefined]] + [
        [_cell(number, summary) for number in of_class]
        for of_class in zip(compared.recall, compared.precision, strict=True)
    ]
    n = str(summary.completed) if summary else NONE
    lines = [
        {"row": name, "ours": False, "mark": "", "settings": [], "n": n, "cells": pair}
        for name, pair in zip(("All: accuracy", *CLASS_NAMES), cells, strict=True)
    ]
    remarks = _fate(summary)
    if compared.difference is not None:
        remarks.append(_most_different_cell(compared))
        if any(0 in over.values for over in summary.precision):
            remarks.append("A class that a run never predicts has precision 0 in that run.")
    return {
        "anchor": f"{paper.key}-{compared.place.id}",
        "label": matrix.label,
        "caption": f"Accuracy, and recall and precision by class, of row {row.id}, computed from "
        "the confusion matrix that is printed and from those of our runs.",
        "shared": "",
        "lines_are": "Class",
        "panels": _panels([("Recall, %", True), ("Precision, %", True)], []),
        "lines": lines,
        "notes": [{"mark": "", "text": remark} for remark in remarks],
    }


def tabulate_excess(
    paper: Any, levels: PaperLevels, summaries: Mapping[str, Summary]
) -> dict[str, Any]:
    """The errors that have a floor, with it and the excess over it: a panel for every metric.

    ``panels`` is empty where no error of the paper has a floor above zero.
    """
    panels: dict[str, list[Excess]] = {}
    for line in excess_over_floor(paper, levels, summaries):
        panels.setdefault(line.column.label, []).append(line)
    moved = [
        (line.order_sd, line.column.digits)
        for lines in panels.values()
        for line in lines
        if line.published
    ]
    most, digits = max(moved, default=(0, 0))
    return {
        "anchor": f"{paper.key}-excess",
        "panels": [_excess_panel(paper, label, lines) for label, lines in panels.items()],
        "note": "A mean of batches’ means depends on the order of the images if the last batch is "
        "smaller. Ours is taken in the data set’s order, and so is its floor. The paper’s order is "
        "not known: its floor is the mean over images, which an order moves up or down by about "
        f"{rounded(most, digits)} in the row that it moves most."
        if most > 0.5 * 10**-digits
        else "",
    }


def _excess_panel(paper: Any, label: str, lines: Sequence[Excess]) -> dict[str, Any]:
    """One metric's lines, with a group of columns for ``published`` if any of them is."""
    groups = [whose for whose in ("published", "measured") if any(line.of(whose) for line in lines)]
    return {
        "label": label,
        "groups": [capital(whose) for whose in groups],
        "lines": [
            {
                "row": line.row,
                "ours": line.ours,
                "table": line.table.label,
                "anchor": f"{paper.key}-{line.table.id}",
                "numbers": [
                    [
                        rounded(getattr(line.of(whose), name, None), line.column.digits)
                        for name in ("error", "floor", "excess")
                    ]
                    for whose in groups
                ],
            }
            for line in lines
        ],
    }


def _tables_of(paper: Any) -> dict[str, list[str]]:
    """Row id to the labels of all tables that print it."""
    tables: dict[str, list[str]] = {}
    for table in paper.tables:
        for line in table.lines:
            tables.setdefault(paper.row(line.row).id, []).append(table.label)
    return tables


def _most_different_cell(compared: ComparedMatrix) -> str:
    """The confusion whose count is furthest from the published one."""
    off_diagonal = np.where(np.eye(10, dtype=bool), 0, compared.difference)
    true, predicted = np.unravel_index(np.abs(off_diagonal).argmax(), off_diagonal.shape)
    published, measured = (of[true, predicted] for of in (compared.published, compared.measured))
    return (
        f"The confusion that differs most is that of {CLASS_NAMES[true]} taken for "
        f"{CLASS_NAMES[predicted]}: {published:.0f} images published, {measured:.1f} measured."
    )


def _cell(compared: Comparison, summary: Summary | None) -> dict[str, str]:
    measured = compared.as_measured
    if summary is None:
        measured = "not run"
    elif not summary.completed:
        measured = "diverged"
    return {
        "published": compared.as_printed,
        "measured": measured,
        "difference": compared.off,
    }


def _fate(summary: Summary | None) -> list[str]:
    """What keeps a row's runs from having numbers, or their numbers from saying much, if any."""
    if summary is None:
        return ["Not run."]
    said = []
    if summary.diverged:
        epochs = sorted({epoch for epoch in summary.diverged_at_epoch if epoch is not None})
        at = f" at epoch {' or '.join(map(str, epochs))}" if epochs else ""
        seeds = count(len(summary.seeds), "seed")
        said.append(f"Diverged{at} ({summary.diverged} of {seeds}).")
    if collapsed := summary.collapsed:
        runs = count(summary.completed, "completed run")
        said.append(f"Collapsed ({len(collapsed)} of {runs}).")
    return said


def _panels(metrics: Sequence[tuple[str, bool]], settings: list[str]) -> list[dict[str, Any]]:
    """Metrics, as (label, whether published), in groups that fill the width of a page each.

    The first group is set beside the rows' settings, further ones below it, as panels of one
    table. A metric that is published has three columns, and any other the measured one alone;
    ``columns`` says which of the panel's they are, counted from 1.
    """
    panels: list[dict[str, Any]] = []
    room = column = 0
    for index, (label, published) in enumerate(metrics):
        # A number with its spread is half as wide as with the published one and the difference.
        needed, columns = (2, 3) if published else (1, 1)
        if not panels or room < needed:
            beside = [] if panels else settings
            panels.append({"settings": beside, "metrics": [], "published": False})
            room, column = (4 if len(beside) <= 4 else 2), 2 + len(beside)
        metric = {"index": index, "label": label, "published": published}
        panels[-1]["metrics"].append(metric | {"columns": f"{column}-{column + columns - 1}"})
        panels[-1]["published"] |= published
        room, column = room - needed, column + columns
    return panels


def _mark(index: int) -> str:
    """a, b, … z, aa, bb, …"""
    letters = string.ascii_lowercase
    return letters[index % len(letters)] * (index // len(letters) + 1)
