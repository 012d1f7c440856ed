"""What of an error weights can change: its excess over the floor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from refashion.judging.numbers import Statement, compare_table

if TYPE_CHECKING:
    from refashion.judging.levels import PaperLevels
    from refashion.paper.papers import Paper
    from refashion.paper.tables import Column, Table
    from refashion.results.summary import Summary

Whose: TypeAlias = Literal["published", "measured"]
WHOSE: tuple[Whose, ...] = ("published", "measured")


class Over(NamedTuple):
    """An error, the floor under it, and what is between them."""

    error: float
    floor: float
    excess: float


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
    over: Mapping[Whose, Over]
    order_sd: float


def excess_over_floor(
    paper: Paper, levels: PaperLevels, summaries: Mapping[str, Summary]
) -> dict[Statement, Excess]:
    """Every reconstruction error of every table whose floor is above zero.

    A number that several tables print alike is given once.
    """
    found: dict[Statement, Excess] = {}
    for table in paper.tables:
        for line in compare_table(paper, table, summaries):
            for key, number in line.numbers.items():
                row, column = line.row, table.metrics[key]
                if row.task != "reconstruction" or column.unit != "loss":
                    continue
                floor = levels.published.level(row, column.metric, "floor")
                of_ours = levels.measured.level(row, column.metric, "floor")
                errors = (number.published, floor.mean), (number.mean, of_ours.batch_mean)
                over: dict[Whose, Over] = {
                    whose: Over(error, at, error - at)
                    for whose, (error, at) in zip(WHOSE, errors, strict=True)
                    if error is not None
                }
                if over and floor.mean > 0:
                    each = Excess(row.id, line.ours, table, column, over, floor.order_sd)
                    statement = row.id, column.metric, column.at, number.published
                    found.setdefault(statement, each)
    return found
