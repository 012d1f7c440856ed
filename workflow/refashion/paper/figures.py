"""The figures of a paper that are drawn again, checked against its rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import Field

from refashion.paper.metric import Series, series_lacking
from refashion.paper.problems import show
from refashion.paper.record import Distinct, Id, Record, Text
from refashion.paper.sheet import Sheet
from refashion.paper.spec import Row

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
    rows: Annotated[Distinct[Id], Field(min_length=1)]
    metric: Literal["loss", "accuracy"] | None = None
    """Of curves and bars."""
    series: Annotated[Distinct[Series], Field(min_length=1)] = ("train", "val")
    """The images of curves and bars."""
    scale: Literal["linear", "log"] = "linear"
    """Of the vertical axis of curves."""
    normalised: bool = False
    """Whether a confusion matrix is in percent of each true class."""
    shows: Text
    """What the paper says that one sees."""


# The keys that a kind of figure takes besides id, label, caption, rows and shows.
KEYS: Mapping[Kind, tuple[str, ...]] = {
    "curves": ("metric", "series", "scale"),
    "bars": ("metric", "series"),
    "confusion": ("normalised",),
    "confusion_difference": (),
    "reconstructions": (),
    "snapshots": (),
    "examples": (),
}
TASKS = {
    "confusion": "classification",
    "confusion_difference": "classification",
    "examples": "classification",
    "reconstructions": "reconstruction",
    "snapshots": "reconstruction",
}


def check_figures(figures: Mapping[int, Figure], printed: set[int | None], sheet: Sheet) -> None:
    """Keys and rows fit the kind; ``printed``: rows whose confusion matrix the paper prints."""
    for index, figure in figures.items():
        at = f"figures[{index}]"
        takes = KEYS[figure.kind]
        if "metric" in takes and figure.metric is None:
            said = f"is missing; {figure.kind} need one of loss, accuracy"
            sheet.problems.add(f"{at}.metric", said)
        for key in ("metric", "series", "scale", "normalised"):
            if key in figure.model_fields_set and key not in takes:
                kinds = [kind for kind, keys in KEYS.items() if key in keys]
                value = figure.model_dump(mode="json")[key]
                said = f"{show(value)} on {figure.kind}; allowed: on {', '.join(kinds)}"
                sheet.problems.add(f"{at}.{key}", said)
        for position, name in enumerate(figure.rows):
            at_row = f"{at}.rows[{position}]"
            row_index = sheet.index(name, at_row)
            if row_index is not None and row_index in sheet.rows:
                for reason in _unfit(figure, sheet.rows[row_index], row_index in printed):
                    sheet.problems.add(at_row, f"{show(name)} {reason}")


def _unfit(figure: Figure, row: Row, printed: bool) -> Iterator[str]:
    """Why a figure cannot show a row."""
    needed = "classification" if figure.metric == "accuracy" else TASKS.get(figure.kind)
    if needed not in (None, row.task):
        what = f"{figure.metric} {figure.kind}" if "metric" in KEYS[figure.kind] else figure.kind
        yield f"is a {row.task}; allowed for {what}: a {needed}"
    if "series" in figure.model_fields_set:
        for series in figure.series:
            yield from series_lacking(row, series, series)
    if figure.kind == "snapshots" and not row.spec.snapshots:
        yield "has none; allowed: a row with snapshots"
    if figure.kind == "confusion_difference" and not printed:
        yield "has no published matrix; allowed: a row of confusion_matrices"
