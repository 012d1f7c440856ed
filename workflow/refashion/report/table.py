"""A table as both formats lay it out, every number a string."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

NUMBERS = ("number", "measured", "difference")


@dataclass(frozen=True)
class Cell:
    """A cell that is more than its text: a link to an anchor, the best one, or with a remark.

    At the head of a line, ``ours`` marks what the paper does not print, ``mark`` refers to a note,
    and a ``total`` sums up the lines above it. A note has the ``mark`` of its line or is on all.
    """

    text: str
    link: str = ""
    best: bool = False
    remark: str = ""
    ours: bool = False
    mark: str = ""
    total: bool = False


@dataclass(frozen=True)
class Column:
    """What stands in a column, and over it.

    ``kind`` is text, code, verdict or one of ``NUMBERS``. ``width`` is a share of the page's, and
    ``print_width`` one that print alone keeps to: without either it breaks no text into lines.
    """

    title: str
    cells: Sequence[str | Cell]
    kind: str = "text"
    width: float | None = None
    print_width: float | None = None

    @property
    def is_number(self) -> bool:
        return self.kind in NUMBERS


@dataclass(frozen=True)
class Group:
    """Columns that stand together, apart from their neighbours, with or without a title."""

    columns: Sequence[Column]
    title: str = ""


@dataclass(frozen=True)
class Panel:
    """Columns that fit beside one another; ``narrow`` if they need not fill the page."""

    groups: Sequence[Group]
    narrow: bool = False

    @property
    def columns(self) -> list[Column]:
        return [column for group in self.groups for column in group.columns]

    @property
    def lines(self) -> list[list[Cell]]:
        """The cells of every line, its head first."""
        return [
            [Cell(cell) if isinstance(cell, str) else cell for cell in line]
            for line in zip(*(column.cells for column in self.columns), strict=True)
        ]

    @property
    def starts(self) -> list[int]:
        """The columns, counted from 0, that begin a group, but the first."""
        return list(accumulate(len(group.columns) for group in self.groups[:-1]))

    @property
    def spans(self) -> list[tuple[int, int]]:
        """The first and the last column of every group that has a title, counted from 1."""
        ends = [*self.starts, len(self.columns)]
        return [
            (end - len(group.columns) + 1, end)
            for group, end in zip(self.groups, ends, strict=True)
            if group.title
        ]


@dataclass(frozen=True)
class Table:
    """A table: one panel or several below one another.

    ``anchor`` is its caption's or, where it has none, that of the heading above it. In print, a
    ``long`` one is broken over pages, and ``paged`` adds the page to which a line's head leads.
    """

    anchor: str
    panels: Sequence[Panel]
    label: str = ""
    caption: str = ""
    shared: str = ""
    notes: Sequence[Cell] = ()
    long: bool = False
    paged: bool = False


def alone(*columns: Column) -> list[Group]:
    """Columns that stand apart from one another."""
    return [Group([column]) for column in columns]


def markdown(
    titles: Sequence[str], lines: Iterable[Sequence[object]], numbers: int = 0
) -> Iterator[str]:
    """The lines of a table in Markdown, whose last columns are so many of ``numbers``."""
    yield f"|{'|'.join(f' {title} ' if title else ' ' for title in titles)}|"
    yield f"|{'---|' * (len(titles) - numbers)}{'---:|' * numbers}"
    for line in lines:
        yield f"| {' | '.join(map(str, line))} |"
