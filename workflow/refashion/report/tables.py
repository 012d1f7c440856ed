"""A paper's tables as the report prints them."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from refashion.judging.excess import WHOSE, Excess, Whose, excess_over_floor
from refashion.judging.numbers import (
    ComparedLine,
    Comparison,
    Floats,
    compare,
    compare_confusion,
    compare_table,
)
from refashion.paper.images import CLASS_NAMES
from refashion.paper.settings import setting, setting_label
from refashion.report.compared import compared_columns, where, with_unit
from refashion.report.table import Cell, Column, Group, Note, Panel, Table, alone
from refashion.results.summary import grouped
from refashion.text import NONE, capital, count, listed, rounded, sentence

if TYPE_CHECKING:
    from refashion.judging.levels import PaperLevels
    from refashion.paper.papers import Paper
    from refashion.paper.tables import ConfusionMatrix
    from refashion.paper.tables import Table as PaperTable
    from refashion.results.summary import Summary


def tabulate(paper: Paper, table: PaperTable, summaries: Mapping[str, Summary]) -> Table:
    """A paper's table with its lines, notes and panels; ``summaries`` maps row id to summary.

    Settings that all lines share are said once, above it.
    """
    compared = compare_table(paper, table, summaries)
    runs = [line.summary for line in compared]
    shared, settings = _settings(table, compared)
    published = {key for line in table.lines for key in line.published}
    metrics = [
        _metric(
            with_unit(metric.label, metric.unit),
            [line.numbers[key] for line in compared],
            runs,
            key in published,
        )
        for key, metric in table.metrics.items()
    ]
    names, notes = _annotate(compared, _tables_of(paper), table.label)
    if published and any(name.ours for name in names):
        text = "The difference of a row that is ours is taken from the number published for the row"
        notes.append(Note(f"{text} it varies."))
    return Table(
        f"{paper.key}-{table.id}",
        _panels(Column("Row", names, "code"), settings, metrics, _completed(runs)),
        label=table.label,
        caption=sentence(table.caption),
        shared=shared,
        notes=notes,
    )


def tabulate_confusion(
    paper: Paper, matrix: ConfusionMatrix, summaries: Mapping[str, Summary]
) -> Table:
    """What follows from a published confusion matrix, laid out as by :func:`tabulate`."""
    compared = compare_confusion(paper, matrix, summaries)
    row, summary = compared.row, compared.summary
    names = ["All: accuracy", *CLASS_NAMES]
    runs = [summary] * len(names)
    # Beside the accuracy, which stands over the recalls, there is no precision.
    nothing = compare(None, None, "percent", digits=0)
    metrics = [
        _metric("Recall, %", [compared.accuracy, *compared.recall], runs),
        _metric("Precision, %", [nothing, *compared.precision], runs),
    ]
    remarks = _fate(summary)
    if compared.measured is not None:
        remarks.append(_most_different_cell(compared.published, compared.measured))
        if any(0 in over.values for over in (summary and summary.precision) or ()):
            remarks.append("A class that a run never predicts has precision 0 in that run.")
    return Table(
        f"{paper.key}-{compared.id}",
        _panels(Column("Class", names), None, metrics, _completed(runs)),
        label=matrix.label,
        caption=f"Accuracy, and recall and precision by class, of row {row.id}, computed from "
        "the confusion matrix that is printed and from those of our runs.",
        notes=[Note(remark) for remark in remarks],
    )


def tabulate_excess(
    paper: Paper, levels: PaperLevels, summaries: Mapping[str, Summary]
) -> Table | None:
    """The errors that have a floor, with it and the excess over it: a panel for every metric.

    None where no error of the paper has a floor above zero.
    """
    lines = [*excess_over_floor(paper, levels, summaries).values()]
    if not lines:
        return None
    panels = grouped(lines, lambda line: line.column.label)
    moved = [(line.order_sd, line.column.digits) for line in lines if "published" in line.over]
    most, digits = max(moved, default=(0, 0))
    order = (
        "A mean of batches’ means depends on the order of the images if the last batch is "
        "smaller. Ours is taken in the data set’s order, and so is its floor. The paper’s order is "
        "not known: its floor is the mean over images, which an order moves up or down by about "
        f"{rounded(most, digits)} in the row that it moves most."
    )
    return Table(
        f"{paper.key}-excess",
        [_excess_panel(paper, label, of_metric) for label, of_metric in panels.items()],
        notes=[Note(order)] if most > 0.5 * 10**-digits else [],
        long=True,
    )


# ---- parts of a table ---------------------------------------------------------------------------


def _settings(table: PaperTable, compared: Sequence[ComparedLine]) -> tuple[str, Group | None]:
    """The settings that all lines share, in words, and columns of the others, if there are any."""
    values = {key: [setting(line.row, key) for line in compared] for key in table.settings}
    shared = [key for key in values if len(compared) > 1 and len(set(values[key])) == 1]
    columns = [
        Column(capital(setting_label(key)), values[key]) for key in values if key not in shared
    ]
    said = ", ".join(f"{setting_label(key)} {values[key][0]}" for key in shared)
    return said, Group(columns) if columns else None


def _metric(
    label: str,
    numbers: Sequence[Comparison],
    summaries: Sequence[Summary | None],
    published: bool = True,
) -> Group:
    """A metric's columns, of numbers with their rows' summaries; what is not published has one."""
    measured = [
        _measured(number, summary) for number, summary in zip(numbers, summaries, strict=True)
    ]
    if not published:
        return Group([Column(label, measured, "measured")])
    was_published, _, apart = compared_columns(numbers)
    return Group([was_published, Column("Measured", measured, "measured"), apart], label)


def _measured(number: Comparison, summary: Summary | None) -> str:
    if summary is None:
        return "not run"
    return number.as_measured if summary.completed else "diverged"


def _completed(summaries: Sequence[Summary | None]) -> Group:
    """The column of how many runs are in the means."""
    counts = [str(summary.completed) if summary else NONE for summary in summaries]
    return Group([Column("n", counts, "number")])


def _panels(
    names: Column, settings: Group | None, metrics: Sequence[Group], runs: Group
) -> list[Panel]:
    """Metrics in panels that fill the width of a page each, between ``names`` and ``runs``.

    The first panel has the rows' settings too, further ones are set below it.
    """
    room = 4 if settings is None or len(settings.columns) <= 4 else 2
    panels: list[list[Group]] = [[settings] if settings else []]
    for metric in metrics:
        # A number with its spread is half as wide as with the published one and the difference.
        width = 2 if metric.title else 1
        if room < width:
            panels.append([])
            room = 4
        panels[-1].append(metric)
        room -= width
    return [
        Panel([Group([names]), *groups, runs], narrow=settings not in groups) for groups in panels
    ]


def _excess_panel(paper: Paper, label: str, lines: Sequence[Excess]) -> Panel:
    """One metric's lines, with a group of columns for ``published`` if any of them is."""

    def column(whose: Whose, name: str, kind: str) -> Column:
        found = [getattr(line.over.get(whose), name, None) for line in lines]
        cells = [rounded(of, line.column.digits) for of, line in zip(found, lines, strict=True)]
        return Column(capital(name), cells, kind)

    kinds = {"error": "number", "floor": "number", "excess": "measured"}
    return Panel(
        [
            *alone(
                Column(label, [Cell(line.row, ours=line.ours) for line in lines], "code"),
                Column("In", [where(paper, line.table.label, line.table.id) for line in lines]),
            ),
            *(
                Group([column(whose, name, kind) for name, kind in kinds.items()], capital(whose))
                for whose in WHOSE
                if any(whose in line.over for line in lines)
            ),
        ]
    )


# ---- remarks ------------------------------------------------------------------------------------


def _annotate(
    compared: Sequence[ComparedLine], printed_in: Mapping[str, list[str]], label: str
) -> tuple[list[Cell], list[Note]]:
    """The lines' heads, and a note on each that there is something to say of."""
    names: list[Cell] = []
    notes: list[Note] = []
    for line in compared:
        said, mark = _remarks(line, printed_in, label), ""
        if said:
            mark = _mark(len(notes))
            notes.append(Note(said, mark))
        names.append(Cell(line.row.id, ours=line.ours, mark=mark))
    return names, notes


def _remarks(line: ComparedLine, printed_in: Mapping[str, list[str]], label: str) -> str:
    """What a reader should know of a line of the table with this ``label``."""
    row, remarks = line.row, []
    if line.ours:
        remarks.append(f"Ours, not in the paper: a variant of {row.variant_of}.")
    if row.note:
        remarks.append(sentence(row.note))
    if others := [other for other in printed_in.get(row.id, ()) if other != label]:
        remarks.append(f"The same runs as in {listed(others)}.")
    return " ".join([*remarks, *_fate(line.summary)])


def _tables_of(paper: Paper) -> dict[str, list[str]]:
    """Row id to the labels of all tables that print it."""
    tables: dict[str, list[str]] = {}
    for table in paper.tables:
        for line in table.lines:
            tables.setdefault(paper.row(line.row).id, []).append(table.label)
    return tables


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


def _most_different_cell(published: Floats, measured: Floats) -> str:
    """The confusion whose count is furthest from the published one."""
    off_diagonal = np.where(np.eye(10, dtype=bool), 0, measured - published)
    cell = true, predicted = np.unravel_index(np.abs(off_diagonal).argmax(), (10, 10))
    return (
        f"The confusion that differs most is that of {CLASS_NAMES[true]} taken for "
        f"{CLASS_NAMES[predicted]}: {published[cell]:.0f} images published, "
        f"{measured[cell]:.1f} measured."
    )


def _mark(index: int) -> str:
    """a, b, … z, aa, bb, …"""
    letters = string.ascii_lowercase
    return letters[index % len(letters)] * (index // len(letters) + 1)
