"""A training's settings, and the row of a paper that they belong to."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from refashion.paper.layers import Network, Task
from refashion.paper.record import Distinct, Id, Record, SomeDistinct, Text, allowed

TRAINING_IMAGES = 60_000

Epochs = Annotated[int, Field(ge=1, le=10_000)]
Share = Annotated[float, Field(ge=0, lt=1)]
BatchSize = Annotated[int, Field(ge=1, le=TRAINING_IMAGES)]
Positive = Annotated[float, Field(gt=0)]
Parameter = Annotated[int, Field(ge=1)] | str | None


class Normalisation(Record):
    """(x − mean) / std of pixels in [0, 1]."""

    mean: float
    std: Positive


class EarlyStopping(Record):
    """A training ends when the validation loss has not fallen for ``patience`` epochs."""

    patience: Annotated[int, Field(ge=1)]
    min_delta: Annotated[float, Field(ge=0)]
    """By how much it must fall to count as fallen."""


class Split(Record):
    """How many of the 60,000 training images are trained on, and how many held out."""

    train: Annotated[int, Field(ge=10, le=TRAINING_IMAGES)] = TRAINING_IMAGES
    validation: Annotated[int, Field(ge=0, le=TRAINING_IMAGES - 10)] = 0
    """0: the test images are the validation set."""


class Settings(Record):
    """What can be said of a training; a default is what is taken where a paper is silent."""

    dropout: Share = 0.0
    optimizer: Literal["adam", "sgd"] = "adam"
    learning_rate: Positive = 0.001
    momentum: Share = 0.0
    """Of SGD."""
    epsilon: Positive = 1e-8
    """Of Adam."""
    batch_size: BatchSize = 128
    epochs: Epochs = 1
    normalisation: Normalisation = Normalisation(mean=0.0, std=1.0)
    early_stopping: Annotated[EarlyStopping | None, allowed("null or {patience, min_delta}")] = None
    keep: Annotated[
        Literal["last", "best"] | Annotated[int, Field(ge=1)],
        allowed("last, best or the number of an epoch"),
    ] = "last"
    """The epoch whose weights are kept."""
    split: Annotated[
        Split, allowed("{train, validation}: how many of the 60,000 training images")
    ] = Split()
    validation_dropout: bool = False
    """Whether the validation set is measured with dropout too."""
    snapshots: Distinct[Annotated[int, Field(ge=0)]] = ()
    """Epochs after which example images are kept; 0 is before training."""


class Defaults(Settings):
    """The settings of every row that says nothing else."""

    dropout: Share = Field(default=...)
    optimizer: Literal["adam", "sgd"] = Field(default=...)
    learning_rate: Positive = Field(default=...)
    momentum: Share = Field(default=...)
    batch_size: BatchSize = Field(default=...)
    epochs: Epochs = Field(default=...)
    normalisation: Normalisation = Field(default=...)


class Encoder(Record):
    """The row whose trained encoder a classifier starts from."""

    row: Annotated[
        Id,
        allowed(
            "a row of this paper: lower-case letters, digits, - and _, a letter or digit first"
        ),
    ]
    frozen: bool
    """Whether its weights stay as they are."""


class Entry(Settings):
    """A row of the file, one training; what several tables print is one row with aliases."""

    id: Id
    architecture: Text
    parameters: dict[str, Parameter]
    encoder: Encoder | None = None
    aliases: SomeDistinct[Id] = ()
    variant_of: Id | None = None
    """The row of the paper that this one, of ours, varies."""
    note: Text | None = None


class Spec(Settings):
    """All that decides a row's numbers besides images, seed and code: its settings, complete."""

    architecture: str
    parameters: dict[str, Parameter]
    """Of the architecture."""
    encoder: Encoder | None = None

    def as_json(self) -> dict[str, Any]:
        """Plain data with sorted keys, the same for the same training; None for what is idle."""
        plain = self.model_dump(mode="json")
        plain["snapshots"] = sorted(self.snapshots)
        plain["momentum" if self.optimizer == "adam" else "epsilon"] = None
        return json.loads(canonical(plain))


@dataclass(frozen=True)
class Row:
    """One training of a paper: its settings, and the names that the paper's tables give it.

    ``reading_of`` is the id of the row that a sensitivity study varies with this one;
    ``donor_sha256`` the hash of the spec behind a reused encoder.
    """

    paper: str
    file: str
    id: str
    spec: Spec
    network: Network
    aliases: tuple[str, ...] = ()
    variant_of: str | None = None
    note: str | None = None
    donor_sha256: str | None = None
    reading_of: str | None = None

    @property
    def name(self) -> str:
        """The row's target in the workflow."""
        return target_name(self.paper, self.id)

    @property
    def alias_names(self) -> tuple[str, ...]:
        """Targets that stand for this row too."""
        return tuple(target_name(self.paper, alias) for alias in self.aliases)

    @property
    def task(self) -> Task:
        """``reconstruction`` or ``classification``."""
        return self.network.task

    @property
    def encoder(self) -> Encoder | None:
        """The row whose trained encoder this one starts from, if any."""
        return self.spec.encoder

    @property
    def settings(self) -> Mapping[str, Any]:
        """The spec as plain data, with the architecture's parameters beside the rest."""
        plain = self.spec.as_json()
        return plain.pop("parameters") | plain

    @property
    def spec_sha256(self) -> str:
        """Hash of the spec; a reused encoder counts in it with its own row's spec, not its id."""
        decides = self.spec.as_json()
        if self.spec.encoder:
            frozen = self.spec.encoder.frozen
            decides["encoder"] = {"frozen": frozen, "spec_sha256": self.donor_sha256}
        return hashlib.sha256(canonical(decides).encode()).hexdigest()


def target_name(paper: str, row: str) -> str:
    """What a row of this id or alias is called in the workflow."""
    return f"{paper}_{row}".replace("-", "_")


def canonical(data: Any) -> str:
    """JSON that is the same for the same data."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)
