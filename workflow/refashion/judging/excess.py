"""What of an error weights can change: its excess over the floor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from refashion.judging.numbers import ComparedLine, compare_table

if TYPE_CHECKING:
    from refashion.judging.levels import PaperLevels
    from refashion.paper.papers import Paper
    from refashion.paper.tables import Column, Table
    from refashion.results.summary import Summary


@dataclass(frozen=True)
class Over:
    """An error, and the floor under it."""

    error: float
    floor: float

    @property
    def excess(self) -> float:
        return self.error - self.floor


@dataclass(frozen=True)
class Excess:
    """A table's reconstruction error; ``order_sd`` says how far batches move a published floor.

    A published mean of batches' means is held against the floor's mean over images, as the order
    of its batches is not known; a measured one against the floor averaged in its own order.
    """

    row: str
    ours: bool
    table: Table
    column: Column
    published: Over | None
    measured: Over | None
    order_sd: float

    def of(self, whose: str) -> Over | None:
        """``published`` or ``measured``."""
        return self.published if whose == "published" else self.measured


def excess_over_floor(
    paper: Paper, levels: PaperLevels, summaries: Mapping[str, Summary]
) -> list[Excess]:
    """Every reconstruction error of every table whose floor is above zero.

    A number that several tables print alike is given once.
    """
    once: dict[tuple[str, str, str, float | None], Excess] = {}
    for table in paper.tables:
        for line in compare_table(paper, table, summaries):
            for each in _of_line(table, line, levels):
                error = each.published and each.published.error
                once.setdefault((each.row, each.column.metric, each.column.at, error), each)
    return list(once.values())


def _of_line(table: Table, line: ComparedLine, levels: PaperLevels) -> Iterator[Excess]:
    row = line.row
    for key, number in line.numbers.items():
        column = table.metrics[key]
        if row.task != "reconstruction" or column.unit != "loss":
            continue
        floor = levels.published.level(row, column.metric, "floor")
        of_ours = levels.measured.level(row, column.metric, "floor")
        if floor.mean > 0 and (number.published or number.mean):
            yield Excess(
                row.id,
                line.ours,
                table,
                column,
                _over(number.published, floor.mean),
                _over(number.mean, of_ours.batch_mean),
                floor.order_sd,
            )


def _over(error: float | None, floor: float) -> Over | None:
    return None if error is None else Over(error, floor)
