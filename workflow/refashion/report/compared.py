"""Published numbers beside measured ones: every verdict, and where the two are furthest apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from refashion.judging.numbers import (
    Comparison,
    Kind,
    Number,
    NumberVerdict,
    Ranking,
    largest_differences,
)
from refashion.report.table import Cell, Column, Group, Panel, Table
from refashion.text import NONE, rounded, tally

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


def count_numbers(numbers: Sequence[Number]) -> str:
    """``Of 46 published numbers: 30 reproduced, 6 close and 10 different.``, or nothing."""
    words: dict[str, str] = {verdict: verdict.counted for verdict in NumberVerdict}
    return tally([number.verdict for number in numbers], "published number", words)


def where(paper: Paper, label: str, id: str) -> Cell:
    """A table's label, or a confusion matrix's, with a link to where it is shown."""
    return Cell(label, link=f"{paper.key}-{id}")


def tabulate_verdicts(paper: Paper, numbers: Sequence[Number]) -> Table | None:
    """All published numbers with their verdicts, if there are any."""
    if not numbers:
        return None
    names = [with_unit(number.label, number.unit) for number in numbers]
    columns = [
        Column("Row", [number.row for number in numbers], "code"),
        Column("In", [where(paper, number.table, number.place) for number in numbers]),
        Column("Number", names, print_width=0.19),
        *compared_columns(numbers)[:2],
        Column("n", [str(number.n) for number in numbers], "number"),
        Column("95 % interval", [_interval(number) for number in numbers], "number"),
        Column("Verdict", [number.says for number in numbers], "verdict", print_width=0.15),
    ]
    return Table(f"{paper.key}-verdicts", [Panel([Group(columns)])], long=True)


def tabulate_largest(paper: Paper, numbers: Sequence[Number]) -> list[Table]:
    """Where paper and runs are furthest apart, a table for each kind of number."""
    return [
        Table(
            f"{paper.key}-kind-{index}",
            [Panel([Group(_largest(paper, ranked.largest))])],
            label=KINDS[ranked.kind][0],
            caption=_ranking(ranked),
        )
        for index, ranked in enumerate(largest_differences(numbers), start=1)
    ]


def _largest(paper: Paper, numbers: Sequence[Number]) -> list[Column]:
    return [
        Column("Row", [number.row for number in numbers], "code", width=0.26),
        Column("In", [where(paper, number.table, number.place) for number in numbers], width=0.12),
        Column("Number", [number.label for number in numbers], width=0.24),
        *compared_columns(numbers),
    ]


def compared_columns(numbers: Sequence[Comparison]) -> list[Column]:
    """What is published, what was measured, and how far apart they are."""
    return [
        Column("Published", [number.as_printed for number in numbers], "number"),
        Column("Measured", [number.as_measured for number in numbers], "measured"),
        Column("Difference", [number.off for number in numbers], "difference"),
    ]


def _interval(number: Number) -> str:
    bounds = [rounded(bound, number.digits) for bound in number.interval or ()]
    return " to ".join(bounds) or NONE


def _ranking(ranked: Ranking) -> str:
    if ranked.count == 1:
        return "The one number of this kind."
    shown = f"The {len(ranked.largest)} largest of {ranked.count} differences"
    if len(ranked.largest) == ranked.count:
        shown = f"All {ranked.count} differences"
    return f"{shown}; the median absolute difference is {rounded(ranked.median, ranked.digits)}."
