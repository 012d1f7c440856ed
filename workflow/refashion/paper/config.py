"""What is run: ``config.yaml`` and what a command line puts in place of it, checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, cast

from pydantic import Field

from refashion.paper.problems import Problems
from refashion.paper.record import Record, SomeDistinct, Text, allowed
from refashion.paper.spec import Epochs

CONFIG_FILE = "config.yaml"

ScaleName = Literal["paper", "smoke"]
PaperKey = Annotated[
    str,
    allowed("the name of a file in workflow/papers without .yaml", pattern=r"^[a-z][a-z0-9_]*$"),
]
SeedCount = Annotated[int, Field(ge=1)]


class PaperScale(Record):
    """The published protocol; null: as many epochs as the rows' papers had, all seeds."""

    epochs: Epochs | None
    seeds: SeedCount | None
    train_images: Literal[60_000]
    test_images: Literal[10_000]


class SmokeScale(Record):
    """A first look, of as many images of each class; null as at the other scale."""

    epochs: Epochs | None
    seeds: SeedCount | None
    train_images: Annotated[int, Field(ge=10, le=60_000, multiple_of=10)]
    test_images: Annotated[int, Field(ge=10, le=10_000, multiple_of=10)]


class Scales(Record):
    """The scales by name."""

    paper: PaperScale
    smoke: SmokeScale


class Images(Record):
    """Where the images come from."""

    folder: Annotated[Text | None, allowed("a path, or null")]
    sources: SomeDistinct[Literal["folder", "system", "torchvision", "debian"]]


class Margin(Record):
    """How far from the measured mean a published number is still close, in its own unit."""

    margin: Annotated[float, Field(ge=0)]
    reason: Text


class Margins(Record):
    """By kind of number."""

    reconstruction_error: Margin
    cross_entropy: Margin
    accuracy: Margin
    epochs: Margin


class Tolerance(Record):
    """How far a metric may be from the reference, and which change of a verdict is drift."""

    loss: Annotated[float, Field(ge=0)]
    accuracy: Annotated[float, Field(ge=0, le=1)]
    epochs: Annotated[int, Field(ge=0)]
    verdict: Literal["changed", "reversed"]


class Tolerances(Record):
    """By scale."""

    paper: Tolerance
    smoke: Tolerance


class Config(Record):
    """The configuration of the workflow."""

    papers: SomeDistinct[PaperKey]
    seeds: SomeDistinct[Annotated[int, Field(ge=0, le=4_294_967_295)]]
    scale: ScaleName
    scales: Scales
    dataset: Images
    margins: Margins
    tolerances: Tolerances

    @property
    def chosen(self) -> PaperScale | SmokeScale:
        """The scale that is run."""
        return self.scales.paper if self.scale == "paper" else self.scales.smoke

    @property
    def tolerance(self) -> Tolerance:
        """The tolerance at the scale that is run."""
        return self.tolerances.paper if self.scale == "paper" else self.tolerances.smoke


def validate_config(config: Mapping[str, Any]) -> Config:
    """Check a configuration; of ``seeds`` it then has as many as the scale takes.

    ``papers`` and ``seeds`` may also be as they come from a command line: ``--config seeds=0``,
    ``papers=one,two``, ``seeds=[0,1]`` (whose items Snakemake hands over as text).

    Raises:
        UserError: a line for every problem.
    """
    given = {**config, **{key: _items(config[key]) for key in ("papers", "seeds") if key in config}}
    if "seeds" in given:
        given["seeds"] = [_whole(item) for item in given["seeds"]]
    checked = Problems(CONFIG_FILE).validate(Config, given)
    return checked.model_copy(update={"seeds": checked.seeds[: checked.chosen.seeds]})


def _items(value: Any) -> list[Any]:
    if isinstance(value, str):
        return [part.strip() for part in value.split(",")]
    return cast("list[Any]", value) if isinstance(value, list) else [value]


def _whole(item: Any) -> Any:
    """A whole number out of its text; anything else unchanged, for the model to judge."""
    return int(item) if isinstance(item, str) and item.isdecimal() else item
