"""Published numbers beside measured ones: every verdict, and where the two are furthest apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from refashion.judging.numbers import (
    Comparison,
    Kind,
    Number,
    Ranking,
    largest_differences,
)
from refashion.report.table import Cell, Column, Group, Panel, Table
from refashion.text import NONE, rounded

if TYPE_CHECKING:
    from refashion.paper.papers import Paper

# What numbers of a kind are called, over a table of its kind, and over a column.
KINDS = {
    Kind("reconstruction", "loss"): ("Reconstruction errors (autoencoders)", "error"),
    Kind("reconstruction", "epochs"): ("Numbers of epochs (autoencoders)", "epochs, autoencoders"),
    Kind("classification", "loss"): ("Cross entropies (classifiers)", "cross entropy"),
    Kind("classification", "percent"): ("Accuracies (classifiers), in percent", "accuracy, %"),
    Kind("classification", "epochs"): ("Numbers of epochs (classifiers)", "epochs, classifiers"),
}


def with_unit(label: str, unit: str) -> str:
    """``Accuracy, %``: a metric as a table names it."""
    return label + (", %" if unit == "percent" else "")


def where(paper: Paper, table: Any) -> Cell:
    """A table's label, or a confusion matrix's, with a link to where it is shown."""
    return Cell(table.label, link=f"{paper.key}-{table.id}")


def tabulate_verdicts(paper: Paper, numbers: Sequence[Number]) -> Table:
    """All published numbers with their verdicts."""
    names = [with_unit(number.column.label, number.unit) for number in numbers]
    verdicts = [f"{number.verdict.sign} {number.says}" for number in numbers]
    intervals = [
        " to ".join(rounded(bound, number.digits) for bound in number.interval or ()) or NONE
        for number in numbers
    ]
    columns = [
        Column("Row", [number.row.id for number in numbers], "code"),
        Column("In", [where(paper, number.place) for number in numbers]),
        Column("Number", names, print_width=0.19),
        Column("Published", [number.as_printed for number in numbers], "number"),
        Column("Measured", [number.as_measured for number in numbers], "measured"),
        Column("n", [str(number.measured.n) for number in numbers], "number"),
        Column("95 % interval", intervals, "number"),
        Column("Verdict", verdicts, "verdict", print_width=0.15),
    ]
    return Table(f"{paper.key}-verdicts", [Panel([Group(columns)])], long=True)


def tabulate_largest(paper: Paper, numbers: Sequence[Number]) -> list[Table]:
    """Where paper and runs are furthest apart, a table for each kind of number."""
    tables: list[Table] = []
    for index, ranked in enumerate(largest_differences(numbers), start=1):
        columns = [
            Column("Row", [number.row.id for number in ranked.largest], "code", width=0.26),
            Column("In", [where(paper, number.place) for number in ranked.largest], width=0.12),
            Column("Number", [number.column.label for number in ranked.largest], width=0.24),
            *compared_columns(ranked.largest),
        ]
        name, said = f"{paper.key}-kind-{index}", _ranking(ranked)
        tables.append(Table(name, [Panel([Group(columns)])], KINDS[ranked.kind][0], said))
    return tables


def compared_columns(numbers: Sequence[Comparison]) -> list[Column]:
    """What is published, what was measured, and how far apart they are."""
    return [
        Column("Published", [number.as_printed for number in numbers], "number"),
        Column("Measured", [number.as_measured for number in numbers], "measured"),
        Column("Difference", [number.off for number in numbers], "difference"),
    ]


def _ranking(ranked: Ranking) -> str:
    if ranked.count == 1:
        return "The one number of this kind."
    shown = f"The {len(ranked.largest)} largest of {ranked.count} differences"
    if len(ranked.largest) == ranked.count:
        shown = f"All {ranked.count} differences"
    return f"{shown}; the median absolute difference is {rounded(ranked.median, ranked.digits)}."
