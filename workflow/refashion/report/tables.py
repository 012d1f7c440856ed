"""A paper's tables as the report prints them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from string import ascii_lowercase
from typing import TYPE_CHECKING

import numpy as np

from refashion.judging import numbers as judged
from refashion.judging.excess import WHOSE, Excess, Whose, excess_over_floor
from refashion.paper.images import CLASS_NAMES
from refashion.paper.settings import setting, setting_label
from refashion.report.table import Cell, Column, Group, Panel, Table, alone
from refashion.results.summary import distinct
from refashion.text import NONE, capital, count, listed, rounded, sentence

if TYPE_CHECKING:
    from refashion.judging.levels import PaperLevels
    from refashion.paper.papers import Paper
    from refashion.paper.tables import ConfusionMatrix
    from refashion.paper.tables import Table as PaperTable
    from refashion.results.summary import Summary


# What numbers of a kind are called, over a table of its kind, and over a column.
KINDS = {
    ("reconstruction", "loss"): ("Reconstruction errors (autoencoders)", "error"),
    ("reconstruction", "epochs"): ("Numbers of epochs (autoencoders)", "epochs, autoencoders"),
    ("classification", "loss"): ("Cross entropies (classifiers)", "cross entropy"),
    ("classification", "percent"): ("Accuracies (classifiers), in percent", "accuracy, %"),
    ("classification", "epochs"): ("Numbers of epochs (classifiers)", "epochs, classifiers"),
}


def with_unit(label: str, unit: str) -> str:
    """``Accuracy, %``: a metric as a table names it."""
    return label + (", %" if unit == "percent" else "")


def where(paper: Paper, label: str, id: str) -> Cell:
    """A table's label, or a confusion matrix's, with a link to where it is shown."""
    return Cell(label, link=f"{paper.key}-{id}")


def tabulate(paper: Paper, table: PaperTable, summaries: Mapping[str, Summary]) -> Table:
    """A paper's table with its lines, notes and panels; ``summaries`` maps row id to summary.

    Settings that all lines share are said once, above it.
    """
    compared = judged.compare_table(paper, table, summaries)
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
    letters = (letter * times for times in itertools.count(1) for letter in ascii_lowercase)
    said = [_remarks(paper, table, line) for line in compared]
    marks = [next(letters) if text else "" for text in said]
    names = [
        Cell(line.row.id, ours=line.ours, mark=mark)
        for line, mark in zip(compared, marks, strict=True)
    ]
    notes = [Cell(text, mark=mark) for text, mark in zip(said, marks, strict=True) if text]
    if published and any(line.ours for line in compared):
        text = "The difference of a row that is ours is taken from the number published for the row"
        notes.append(Cell(f"{text} it varies."))
    return Table(
        f"{paper.key}-{table.id}",
        _panels(Column("Row", names, "code"), settings, metrics, runs),
        label=table.label,
        caption=sentence(table.caption),
        shared=shared,
        notes=notes,
    )


def tabulate_confusion(
    paper: Paper, matrix: ConfusionMatrix, summaries: Mapping[str, Summary]
) -> Table:
    """What follows from a published confusion matrix, laid out as by :func:`tabulate`."""
    compared = judged.compare_confusion(paper, matrix, summaries)
    row, summary = compared.row, compared.summary
    names = ["All: accuracy", *CLASS_NAMES]
    runs = [summary] * len(names)
    # Beside the accuracy, which stands over the recalls, there is no precision.
    nothing = judged.compare(None, None, "percent", digits=0)
    metrics = [
        _metric("Recall, %", [compared.accuracy, *compared.recall], runs),
        _metric("Precision, %", [nothing, *compared.precision], runs),
    ]
    remarks = _fate(summary)
    if compared.measured is not None:
        remarks.append(_most_different_cell(compared))
        if any(0 in over.values for over in (summary and summary.precision) or ()):
            remarks.append("A class that a run never predicts has precision 0 in that run.")
    return Table(
        f"{paper.key}-{compared.id}",
        _panels(Column("Class", names), None, metrics, runs),
        label=matrix.label,
        caption=f"Accuracy, and recall and precision by class, of row {row.id}, computed from "
        "the confusion matrix that is printed and from those of our runs.",
        notes=[Cell(remark) for remark in remarks],
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
    labels = distinct(line.column.label for line in lines)
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
        [_excess_panel(paper, [e for e in lines if e.column.label == label]) for label in labels],
        notes=[Cell(order)] if most > 0.5 * 10**-digits else [],
        long=True,
    )


def tabulate_verdicts(paper: Paper, numbers: Sequence[judged.Number]) -> Table:
    """All published numbers with their verdicts."""
    names = [with_unit(number.label, number.unit) for number in numbers]
    verdicts = [number.says for number in numbers]
    intervals = [
        " to ".join(rounded(bound, number.digits) for bound in number.interval or ()) or NONE
        for number in numbers
    ]
    columns = [
        Column("Row", [number.row for number in numbers], "code"),
        Column("In", [where(paper, number.table, number.place) for number in numbers]),
        Column("Number", names, print_width=0.19),
        Column("Published", [number.as_printed for number in numbers], "number"),
        Column("Measured", [number.as_measured for number in numbers], "measured"),
        Column("n", [str(number.n) for number in numbers], "number"),
        Column("95 % interval", intervals, "number"),
        Column("Verdict", verdicts, "verdict", print_width=0.15),
    ]
    return Table(f"{paper.key}-verdicts", [Panel([Group(columns)])], long=True)


def tabulate_largest(paper: Paper, numbers: Sequence[judged.Number]) -> list[Table]:
    """Where paper and runs are furthest apart, a table for each kind of number."""
    tables: list[Table] = []
    for index, ranked in enumerate(judged.largest_differences(numbers), start=1):
        places = [where(paper, number.table, number.place) for number in ranked.largest]
        columns = [
            Column("Row", [number.row for number in ranked.largest], "code", width=0.26),
            Column("In", places, width=0.12),
            Column("Number", [number.label for number in ranked.largest], width=0.24),
            *compared_columns(ranked.largest),
        ]
        shown = f"The {len(ranked.largest)} largest of {ranked.count} differences"
        if len(ranked.largest) == ranked.count:
            shown = f"All {ranked.count} differences"
        median = rounded(ranked.median, ranked.digits)
        said = f"{shown}; the median absolute difference is {median}."
        if ranked.count == 1:
            said = "The one number of this kind."
        panel, name = Panel([Group(columns)]), f"{paper.key}-kind-{index}"
        tables.append(Table(name, [panel], KINDS[ranked.kind][0], said))
    return tables


# ---- parts of a table ---------------------------------------------------------------------------


def compared_columns(numbers: Sequence[judged.Comparison]) -> list[Column]:
    """What is published, what was measured, and how far apart they are."""
    return [
        Column("Published", [number.as_printed for number in numbers], "number"),
        Column("Measured", [number.as_measured for number in numbers], "measured"),
        Column("Difference", [number.off for number in numbers], "difference"),
    ]


def _settings(
    table: PaperTable, compared: Sequence[judged.ComparedLine]
) -> tuple[str, Group | None]:
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
    numbers: Sequence[judged.Comparison],
    summaries: Sequence[Summary | None],
    published: bool = True,
) -> Group:
    """A metric's columns, of numbers with their rows' summaries; what is not published has one."""
    fates = ["not run" if s is None else "" if s.completed else "diverged" for s in summaries]
    measured = [fate or number.as_measured for number, fate in zip(numbers, fates, strict=True)]
    if not published:
        return Group([Column(label, measured, "measured")])
    was_published, _, apart = compared_columns(numbers)
    return Group([was_published, Column("Measured", measured, "measured"), apart], label)


def _panels(
    names: Column,
    settings: Group | None,
    metrics: Sequence[Group],
    summaries: Sequence[Summary | None],
) -> list[Panel]:
    """Metrics in panels that fill the width of a page each.

    They stand between ``names`` and how many runs are in the means. The first panel has the rows'
    settings too, further ones are set below it.
    """
    runs = Column("n", [str(each.completed) if each else NONE for each in summaries], "number")
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
    first, last = alone(names, runs)
    return [Panel([first, *groups, last], narrow=settings not in groups) for groups in panels]


def _excess_panel(paper: Paper, lines: Sequence[Excess]) -> Panel:
    """One metric's lines, with a group of columns for ``published`` if any of them is."""

    def column(whose: Whose, name: str, kind: str) -> Column:
        found = [getattr(line.over.get(whose), name, None) for line in lines]
        cells = [rounded(of, line.column.digits) for of, line in zip(found, lines, strict=True)]
        return Column(capital(name), cells, kind)

    kinds = {"error": "number", "floor": "number", "excess": "measured"}
    rows = [Cell(line.row, ours=line.ours) for line in lines]
    groups = [
        *alone(
            Column(lines[0].column.label, rows, "code"),
            Column("In", [where(paper, line.table.label, line.table.id) for line in lines]),
        ),
        *(
            Group([column(whose, name, kind) for name, kind in kinds.items()], capital(whose))
            for whose in WHOSE
            if any(whose in line.over for line in lines)
        ),
    ]
    return Panel(groups)


# ---- remarks ------------------------------------------------------------------------------------


def _remarks(paper: Paper, table: PaperTable, line: judged.ComparedLine) -> str:
    """What a reader should know of a line of the table."""
    row, remarks = line.row, []
    if line.ours:
        remarks.append(f"Ours, not in the paper: a variant of {row.variant_of}.")
    if row.note:
        remarks.append(sentence(row.note))
    others = [
        other.label
        for other in paper.tables
        for printed in other.lines
        if paper.row(printed.row) is row and other.label != table.label
    ]
    if others:
        remarks.append(f"The same runs as in {listed(others)}.")
    return " ".join([*remarks, *_fate(line.summary)])


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


def _most_different_cell(compared: judged.ComparedMatrix) -> str:
    """The confusion whose count is furthest from the published one."""
    published, measured = compared.published, compared.measured
    assert measured is not None
    off_diagonal = np.where(np.eye(10, dtype=bool), 0, measured - published)
    cell = true, predicted = np.unravel_index(np.abs(off_diagonal).argmax(), (10, 10))
    return (
        f"The confusion that differs most is that of {CLASS_NAMES[true]} taken for "
        f"{CLASS_NAMES[predicted]}: {published[cell]:.0f} images published, "
        f"{measured[cell]:.1f} measured."
    )
