"""What one training left."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf, isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypeVar

import numpy as np
from pydantic import Field, Strict, model_validator
from pydantic_core import PydanticCustomError
from safetensors import SafetensorError
from safetensors.numpy import load_file  # pyright: ignore[reportUnknownVariableType]

from refashion.errors import NotTestedError, UserError
from refashion.paper.metric import AT, At
from refashion.paper.record import Many, Record
from refashion.paper.spec import Row, Task
from refashion.results.files import read_record
from refashion.results.paths import HISTORY, METRICS, OUTPUTS, run_folder

if TYPE_CHECKING:
    from refashion.paper.papers import Paper

T = TypeVar("T")

MISSING = "train the row first"
BROKEN = "remove it and train the row again"


class OfRow(Record):
    """A file that says which row it is of, by ``paper``, ``row`` and ``spec_sha256``."""

    @classmethod
    def read(cls, file: Path, row: Row, seed: int | None = None) -> Self:
        """A row's own, and of its run with this ``seed`` if it is of one.

        Raises:
            UserError: it is not there, of another form, or of another row, seed or settings.
        """
        found = read_record(cls, file, MISSING, BROKEN)
        wanted = {"paper": row.paper, "row": row.id, "spec_sha256": row.spec_sha256}
        for key, value in (wanted if seed is None else wanted | {"seed": seed}).items():
            if (said := getattr(found, key)) != value:
                raise UserError(f"{file}: {key}: {said}, and {value} is asked for; {BROKEN}")
        return found


# ---- metrics.json -------------------------------------------------------------------------------

Number = float | int
Count = Annotated[int, Field(ge=0)]
# Every metric of an epoch by name, and its number as ``epoch``: losses as they are, accuracies as
# shares. Nothing, if no epoch was completed.
Epoch = dict[str, Number]
Ten = Annotated[tuple[T, ...], Strict(False), Field(min_length=10, max_length=10)]


class Best(Record):
    """A metric's best value, and the epoch of it."""

    value: float
    epoch: Annotated[int, Field(ge=1)]


class Metrics(OfRow, serialize_by_alias=True):
    """How a training ended, what it was, and how well it did: what metrics.json holds."""

    form: Literal[2] = Field(alias="schema")
    """Another number is another form, which is not read here."""
    status: Literal["completed", "diverged"]
    paper: str
    row: str
    task: Task
    spec: dict[str, Any]
    """The settings, with as many epochs as this training was given."""
    layers: Many[str]
    seed: int
    dataset_sha256: str
    encoder_sha256: str | None
    code_sha256: str
    torch: str
    device: str
    kernels: str
    spec_sha256: str
    """Of the row, whatever epochs this training was given."""
    train_images: Count
    validation_images: Count
    test_images: Count
    epochs: Count
    """Completed."""
    stopped_early: bool
    diverged_at_epoch: int | None
    parameters: Count
    final: Epoch
    kept: Epoch
    """Of the weights that are kept."""
    lowest: Epoch
    """Of the lowest validation loss."""
    best: dict[str, Best]
    confusion: Ten[Ten[Count]] | None
    """True classes down, predicted across."""
    seconds: float
    device_name: str

    @model_validator(mode="after")
    def _possible(self) -> Self:
        for at in AT:
            numbers = self.at(at)
            if self.completed and not numbers:
                raise PydanticCustomError("empty", "completed, and without a number")
            for name, value in numbers.items():
                low, high = int(name == "epoch"), 1 if "accuracy" in name else inf
                if not low <= value <= high:
                    said = {"of": f"{at}: {name}", "value": value, "low": low, "high": high}
                    raise PydanticCustomError(
                        "range", "{of}: {value} is not in [{low}, {high}]", said
                    )
        return self

    @property
    def completed(self) -> bool:
        """It came to its end, early or not; else its loss was not finite."""
        return self.status == "completed"

    def at(self, moment: At) -> Mapping[str, float]:
        """The numbers of one of ``best``, ``final``, ``kept`` and ``lowest``, by metric."""
        if moment == "best":
            return {name: best.value for name, best in self.best.items()}
        return getattr(self, moment)


# ---- a run --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Run:
    """What a training left: metrics.json, the lines of history.csv, outputs.safetensors."""

    metrics: Metrics
    history: Sequence[Mapping[str, float]] = ()
    outputs: Mapping[str, np.ndarray] = field(default_factory=dict[str, np.ndarray])

    @classmethod
    def read(
        cls, folder: Path, row: Row, seed: int, *, history: bool = True, outputs: bool = True
    ) -> Run:
        """A row's run with a seed, with its history and its outputs, if they are asked for.

        Outputs that are not there, as in a reference, are none.

        Raises:
            UserError: a file is not there, broken, or of another row, seed or settings.
        """
        metrics = Metrics.read(folder / METRICS, row, seed)
        return cls(
            metrics,
            _read_history(folder / HISTORY, metrics.epochs) if history else (),
            _read_outputs(folder / OUTPUTS) if outputs else {},
        )

    @property
    def row(self) -> str:
        """The row's id."""
        return self.metrics.row

    @property
    def diverged(self) -> bool:
        """Its loss was not finite at some point."""
        return not self.metrics.completed

    @property
    def epochs_saved(self) -> int:
        """Epochs that early stopping left out."""
        return self.metrics.spec["epochs"] - self.metrics.epochs

    @property
    def confusion(self) -> np.ndarray:
        """int [10, 10], true classes down, predicted across."""
        if not self.metrics.confusion:
            raise NotTestedError(f"{self.row} has no confusion matrix")
        return np.array(self.metrics.confusion)

    def at(self, metric: str, moment: At | int) -> float:
        """A column of the history at an epoch; ``best`` is the metric's own best."""
        try:
            if not isinstance(moment, int):
                return self.metrics.at(moment)[metric]
            return next(line[metric] for line in self.history if line["epoch"] == moment)
        except (KeyError, StopIteration):
            when = f"after epoch {moment}" if isinstance(moment, int) else f"({moment})"
            raise NotTestedError(f"{self.row} has no {metric} {when}") from None

    def output(self, name: str) -> np.ndarray:
        """One of the arrays in outputs.safetensors."""
        if name not in self.outputs:
            raise NotTestedError(f"{self.row} has no {name} in outputs.safetensors")
        return self.outputs[name]


def _read_history(file: Path, epochs: int) -> list[dict[str, float]]:
    """A line for each of so many epochs, from the first."""
    try:
        with file.open(encoding="utf-8", newline="") as lines:
            history = [{k: float(v) for k, v in line.items()} for line in csv.DictReader(lines)]
    except FileNotFoundError:
        raise UserError(f"{file}: not there; {MISSING}") from None
    except (TypeError, ValueError) as error:
        raise UserError(f"{file}: not a table of numbers ({error}); {BROKEN}") from None
    if [line.get("epoch") for line in history] != list(range(1, epochs + 1)):
        raise UserError(f"{file}: not a line for each of {epochs} epochs; {BROKEN}")
    if not all(isfinite(value) for line in history for value in line.values()):
        raise UserError(f"{file}: has a value that is no number; {BROKEN}")
    return history


def _read_outputs(file: Path) -> dict[str, np.ndarray]:
    try:
        return load_file(file)
    except FileNotFoundError:
        return {}
    except SafetensorError as error:
        raise UserError(f"{file}: not safetensors ({error}); {BROKEN}") from None


# ---- a paper ------------------------------------------------------------------------------------


def read_runs(paper: Paper, root: Path, seeds: Iterable[int]) -> dict[int, dict[str, Run]]:
    """By seed and row id, every run that is there under ``results/<scale>``."""
    return {
        seed: {
            row.id: Run.read(folder, row, seed)
            for row in paper.rows
            if ((folder := run_folder(root, row, seed)) / METRICS).exists()
        }
        for seed in seeds
    }
