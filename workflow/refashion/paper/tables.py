"""What a paper prints of its rows: tables and confusion matrices, checked against them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated

from pydantic import Field

from refashion.paper.metric import At, Curve, Metric, Unit
from refashion.paper.problems import Misfits, show, under, unknown
from refashion.paper.record import Distinct, Id, Many, Record, Some, Text, allowed
from refashion.paper.sheet import Sheet
from refashion.paper.spec import Row


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

    def misfits(self) -> Misfits:
        """The unit, or the epoch, is not for the metric."""
        unit = self.measures.unit
        if self.unit != unit:
            yield "unit", f"{show(self.unit)} does not fit {self.metric}; allowed: {unit}"
        if unit == "epochs" and self.at == "best":
            yield "at", "best is not for epochs; allowed: final, kept, lowest"


class Line(Record):
    """A row, by id or alias, and the numbers that are printed for it, by the metrics' keys."""

    row: Id
    published: dict[str, Annotated[float, Field(ge=0)]]

    def misfits(self, columns: Mapping[str, Column], sheet: Sheet) -> Misfits:
        """A number is not as the columns print it, or the row has none of their metrics."""
        for key, value in self.published.items():
            if key not in columns:
                yield f"published.{key}", unknown(key, columns, "metric of this table")
            elif columns[key].unit == "percent" and value > 100:
                yield f"published.{key}", f"{show(value)} is not in [0, 100]"
            elif round(value, (digits := columns[key].digits)) != value:
                said = f"{show(value)} has more than {digits} decimals"
                yield f"published.{key}", f"{said}; allowed: as many as the metric's digits"
        metrics = [column.measures for column in columns.values()]
        yield from sheet.misfits("row", self.row, *(metric.lacking for metric in metrics))


class Table(Record):
    """A table of the paper; the only place where published numbers live, as printed."""

    id: Id
    label: Text
    caption: Text
    settings: Distinct[Text]
    """The settings of the rows that the table shows."""
    metrics: Annotated[dict[str, Column], Field(min_length=1)]
    lines: Some[Line]

    def misfits(self, sheet: Sheet) -> Misfits:
        """What does not fit together, or fits no row."""
        for key, column in self.metrics.items():
            yield from under(f"metrics.{key}", column.misfits())
        for index, line in enumerate(self.lines):
            yield from under(f"lines[{index}]", line.misfits(self.metrics, sheet))
        names = [line.row for line in self.lines]
        for index, other in sheet.twice(enumerate(names)):
            said = f"{show(names[index])} is the row of lines[{other}] too"
            yield f"lines[{index}].row", f"{said}; allowed: once a table"
        rows = filter(None, map(sheet.row, names))
        known = sorted({setting for row in rows for setting in row.settings})
        for index, setting in enumerate(self.settings):
            if known and setting not in known:
                yield f"settings[{index}]", unknown(setting, known, "setting of these rows")


Count = Annotated[int, allowed("a count, a whole number from 0", ge=0)]
Counts = Annotated[Many[Count], allowed("a list of 10 counts", min_length=10, max_length=10)]


class ConfusionMatrix(Record):
    """A confusion matrix as printed: true classes down, predicted classes across."""

    row: Id
    label: Text
    published: Annotated[
        Many[Counts], allowed("a list of 10 lists of 10 counts", min_length=10, max_length=10)
    ]

    def misfits(self, sheet: Sheet) -> Misfits:
        """The row is none that has classes."""
        yield from sheet.misfits("row", self.row, _no_classes)


def _no_classes(row: Row) -> Iterator[str]:
    if row.task != "classification":
        yield f"is a {row.task}; allowed: a classification"
