"""What is measured: the columns of a training's history, and when a number is taken from them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal, get_args

from pydantic import Field

from refashion.paper.record import OneOf, allowed
from refashion.paper.spec import Row

# Of which epoch a number is: each metric's own best; the last one; the one whose weights were
# kept; the one of the lowest validation loss.
At = Literal["best", "final", "kept", "lowest"]
AT: tuple[At, ...] = get_args(At)
Unit = Literal["loss", "percent", "epochs"]
Series = Literal["running", "train", "val", "val_dropout", "test"]

SETS: dict[Series, str] = {
    "running": "running training",
    "train": "training",
    "val": "validation",
    "val_dropout": "validation",
    "test": "test",
}


@dataclass(frozen=True)
class Metric:
    """A column of a history, or the number of an epoch: ``val_loss_batch_mean``, ``epoch``.

    ``series`` are the images, None for an epoch; ``batch_mean`` says that it is the mean of
    batches' means, and not that over images.
    """

    series: Series | None
    quantity: Literal["loss", "accuracy", "epoch"]
    batch_mean: bool = False

    @classmethod
    def of(cls, name: str) -> Metric:
        """The metric of this name, one of ``CURVES``."""
        return CURVES[name]

    @property
    def name(self) -> str:
        """As in a history and a paper's file."""
        mean = "batch_mean" if self.batch_mean else None
        return "_".join(filter(None, (self.series, self.quantity, mean)))

    @property
    def unit(self) -> Unit:
        """What it is given in."""
        if self.quantity == "epoch":
            return "epochs"
        return "percent" if self.quantity == "accuracy" else "loss"

    @property
    def more_is_better(self) -> bool:
        return self.quantity == "accuracy"

    @property
    def words(self) -> str:
        """``validation loss``"""
        if self.series is None:
            return self.quantity
        on = " with dropout on" if self.series == "val_dropout" else ""
        return f"{SETS[self.series]} {self.quantity}{on}"

    def lacking(self, row: Row) -> Iterator[str]:
        """Why a row has no such metric, if so."""
        if self.quantity == "accuracy" and row.task == "reconstruction":
            yield f"is a reconstruction and has no {self.name}; allowed: a classification"
        if self.series:
            yield from series_lacking(row, self.series, self.name)


def series_lacking(row: Row, series: Series, name: str) -> Iterator[str]:
    """Why a row has no such images, if so; ``name`` is what is asked for."""
    if series == "test" and not row.spec.split.validation:
        yield (
            f"has no {name}: its test images are its validation set; "
            "allowed: a row with split.validation above 0"
        )
    if series == "val_dropout" and not row.spec.validation_dropout:
        yield f"has no {name}; allowed: a row with validation_dropout: true"


# What a history has a column for, and the number of the epoch.
CURVES = {
    metric.name: metric
    for metric in (
        Metric(None, "epoch"),
        *(
            Metric(series, quantity, batch_mean)
            for quantity in ("loss", "accuracy")
            for batch_mean in (False, True)
            for series in SETS
            # The running metrics are means of batches' means already.
            if not (batch_mean and series == "running")
        ),
    )
}


Curve = Annotated[str, OneOf(tuple(CURVES))]
Measurable = Annotated[
    str, OneOf((*CURVES, *AT)), allowed("the name of a metric, or one of best, final, kept, lowest")
]
Moment = Annotated[
    At | Annotated[int, Field(ge=0)],
    allowed("best, final, kept, lowest or the number of an epoch"),
]
