"""The figures of a paper that are drawn again, checked against its rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Literal

from refashion.paper.metric import Series, series_lacking
from refashion.paper.problems import Misfits, show
from refashion.paper.record import Id, Record, SomeDistinct, Text
from refashion.paper.sheet import Sheet
from refashion.paper.spec import Row, Task

Kind = Literal[
    "curves",
    "bars",
    "confusion",
    "confusion_difference",
    "reconstructions",
    "snapshots",
    "examples",
]


class Figure(Record):
    """A figure: of which rows it is, and what it shows of them."""

    id: Id
    label: Text
    caption: Text
    kind: Kind
    rows: SomeDistinct[Id]
    metric: Literal["loss", "accuracy"] | None = None
    """Of curves and bars."""
    series: SomeDistinct[Series] = ("train", "val")
    """The images of curves and bars."""
    scale: Literal["linear", "log"] = "linear"
    """Of the vertical axis of curves."""
    normalised: bool = False
    """Whether a confusion matrix is in percent of each true class."""
    shows: Text
    """What the paper says that one sees."""

    def misfits(self, sheet: Sheet) -> Misfits:
        """A key or a row is not for this kind of figure."""
        _, takes = KINDS[self.kind]
        if "metric" in takes and self.metric is None:
            yield "metric", f"is missing; {self.kind} need one of loss, accuracy"
        for key in ("metric", "series", "scale", "normalised"):
            if key in self.model_fields_set and key not in takes:
                kinds = ", ".join(kind for kind, (_, keys) in KINDS.items() if key in keys)
                value = self.model_dump(mode="json")[key]
                yield key, f"{show(value)} on {self.kind}; allowed: on {kinds}"
        for index, name in enumerate(self.rows):
            yield from sheet.misfits(f"rows[{index}]", name, partial(self._lacking, sheet))

    def _lacking(self, sheet: Sheet, row: Row) -> Iterator[str]:
        """Why a figure cannot show a row, if so."""
        task, takes = KINDS[self.kind]
        needed = "classification" if self.metric == "accuracy" else task
        if needed not in (None, row.task):
            what = f"{self.metric} {self.kind}" if "metric" in takes else self.kind
            yield f"is a {row.task}; allowed for {what}: a {needed}"
        if "series" in self.model_fields_set:
            for series in self.series:
                yield from series_lacking(row, series, series)
        if self.kind == "snapshots" and not row.spec.snapshots:
            yield "has none; allowed: a row with snapshots"
        printed = (sheet.row(matrix.row) for matrix in sheet.confusion_matrices.values())
        if self.kind == "confusion_difference" and row not in printed:
            yield "has no published matrix; allowed: a row of confusion_matrices"


# Of which rows a kind of figure is, and its keys besides id, label, caption, rows and shows.
KINDS: Mapping[Kind, tuple[Task | None, tuple[str, ...]]] = {
    "curves": (None, ("metric", "series", "scale")),
    "bars": (None, ("metric", "series")),
    "confusion": ("classification", ("normalised",)),
    "confusion_difference": ("classification", ()),
    "reconstructions": ("reconstruction", ()),
    "snapshots": ("reconstruction", ()),
    "examples": ("classification", ()),
}
