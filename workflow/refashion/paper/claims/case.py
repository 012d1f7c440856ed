"""What a form of claim asks of what was measured, however it is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

from refashion.paper.metric import At

Moment = At | int  # of a metric: one that has a name, or the number of an epoch
Level = Literal["zero", "mean_image"]
Over = Literal["mean", "median", "max"]
Output = Literal["output_std", "pixel_loss"]


class Case(Protocol):
    """What was measured of some rows, by their ids: say, the runs of one seed.

    All but ``diverged`` and ``level`` raise ``NotTestedError`` where a row was not run, diverged,
    or lacks what is asked for.
    """

    def diverged(self, row: str) -> bool: ...

    def at(self, row: str, metric: str, moment: Moment) -> float:
        """A metric of a history; ``best`` is its own best epoch."""
        ...

    def course(self, row: str, metric: str) -> Sequence[float]:
        """A metric after each epoch."""
        ...

    def epochs_saved(self, row: str) -> int:
        """Epochs that early stopping left out."""
        ...

    def confusion(self, row: str) -> Sequence[Sequence[int]]:
        """[10, 10] images, true classes down, predicted across."""
        ...

    def image_losses(self, row: str) -> Sequence[float]:
        """The loss of each validation image."""
        ...

    def snapshot_loss(self, row: str, epoch: int) -> float:
        """Mean squared error of the example images as rebuilt after an epoch."""
        ...

    def pixels(self, row: str, output: Output, over: Over, edge: int | None) -> float:
        """Mean, median or maximum of a map of pixels, or of its last ``edge`` rows and columns."""
        ...

    def level(self, row: str, metric: str, name: Level) -> float:
        """The error of a trivial output on a row's images."""
        ...
