"""What a paper prints of its rows: tables and confusion matrices, checked against them.

Each check takes a section's records with their indices, and notes what is wrong in ``sheet``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from refashion.paper.metric import At, Curve, Metric, Unit
from refashion.paper.problems import show, unknown
from refashion.paper.record import Distinct, Id, Many, Record, Text, allowed
from refashion.paper.sheet import Sheet


class Column(Record):
    """A metric of a table: of which epoch it is, and how it is printed."""

    label: Text
    metric: Curve
    at: At
    """Each metric's own best epoch; the last; the one whose weights were kept; the one of the
    lowest validation loss."""
    unit: Unit
    digits: Annotated[int, Field(ge=0, le=8)]

    @property
    def measures(self) -> Metric:
        return Metric.of(self.metric)


class Line(Record):
    """A row, by id or alias, and the numbers that are printed for it, by the metrics' keys."""

    row: Id
    published: dict[str, Annotated[float, Field(ge=0)]]


class Table(Record):
    """A table of the paper; the only place where published numbers live, as printed."""

    id: Id
    label: Text
    caption: Text
    settings: Distinct[Text]
    """The settings of the rows that the table shows."""
    metrics: Annotated[dict[str, Column], Field(min_length=1)]
    lines: Annotated[Many[Line], Field(min_length=1)]


Count = Annotated[int, Field(ge=0), allowed("a count, a whole number from 0")]
Counts = Annotated[Many[Count], Field(min_length=10, max_length=10), allowed("a list of 10 counts")]


class ConfusionMatrix(Record):
    """A confusion matrix as printed: true classes down, predicted classes across."""

    row: Id
    label: Text
    published: Annotated[
        Many[Counts],
        Field(min_length=10, max_length=10),
        allowed("a list of 10 lists of 10 counts"),
    ]


def check_tables(tables: Mapping[int, Table], sheet: Sheet) -> None:
    """Metrics and units fit the rows, rows are there and once a table, numbers are as printed."""
    for index, table in tables.items():
        _check_columns(table, f"tables[{index}].metrics", sheet)
        seen: dict[int, int] = {}
        for position, line in enumerate(table.lines):
            at = f"tables[{index}].lines[{position}]"
            _check_published(line, table.metrics, f"{at}.published", sheet)
            row_index = sheet.index(line.row, f"{at}.row")
            if row_index is None:
                continue
            other = seen.setdefault(row_index, position)
            if other != position:
                said = f"{show(line.row)} is the row of lines[{other}] too; allowed: once a table"
                sheet.problems.add(f"{at}.row", said)
            if row := sheet.rows.get(row_index):
                for column in table.metrics.values():
                    for reason in column.measures.lacking(row):
                        sheet.problems.add(f"{at}.row", f"{show(line.row)} {reason}")
        _check_settings(table, f"tables[{index}].settings", sheet)


def _check_columns(table: Table, at: str, sheet: Sheet) -> None:
    for key, column in table.metrics.items():
        unit = column.measures.unit
        if column.unit != unit:
            said = f"{show(column.unit)} does not fit {column.metric}; allowed: {unit}"
            sheet.problems.add(f"{at}.{key}.unit", said)
        if unit == "epochs" and column.at == "best":
            said = "best is not for epochs; allowed: final, kept, lowest"
            sheet.problems.add(f"{at}.{key}.at", said)


def _check_settings(table: Table, at: str, sheet: Sheet) -> None:
    rows = [sheet.row(line.row) for line in table.lines]
    known = {setting for row in rows if row for setting in row.settings}
    for position, setting in enumerate(table.settings):
        if known and setting not in known:
            said = unknown(setting, sorted(known), "setting of these rows")
            sheet.problems.add(f"{at}[{position}]", said)


def _check_published(line: Line, columns: Mapping[str, Column], at: str, sheet: Sheet) -> None:
    for key, value in line.published.items():
        if key not in columns:
            sheet.problems.add(f"{at}.{key}", unknown(key, columns, "metric of this table"))
        elif columns[key].unit == "percent" and value > 100:
            sheet.problems.add(f"{at}.{key}", f"{show(value)} is not in [0, 100]")
        elif round(value, columns[key].digits) != value:
            said = f"has more than {columns[key].digits} decimals; allowed: as many as the metric's"
            sheet.problems.add(f"{at}.{key}", f"{show(value)} {said} digits")


def check_confusion_matrices(matrices: Mapping[int, ConfusionMatrix], sheet: Sheet) -> None:
    """Each matrix is of a classification, and the only one of its row."""
    first: dict[int, int] = {}
    for index, matrix in matrices.items():
        at = f"confusion_matrices[{index}].row"
        row_index = sheet.index(matrix.row, at)
        if row_index is None:
            continue
        other = first.setdefault(row_index, index)
        if other != index:
            said = f"is the row of confusion_matrices[{other}] too; allowed: one matrix a row"
            sheet.problems.add(at, f"{show(matrix.row)} {said}")
        row = sheet.rows.get(row_index)
        if row and row.task != "classification":
            said = f"{show(matrix.row)} is a {row.task}; allowed: a classification"
            sheet.problems.add(at, said)
