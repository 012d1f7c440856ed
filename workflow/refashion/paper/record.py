"""What every part of a paper's file is: a frozen record that knows which keys it may have.

The models here and in the modules beside it are the one source for the form of a file: types,
ranges and meaning. Messages about mistakes and the schema for editors are made from them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, Strict
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

T = TypeVar("T")


class Record(BaseModel):
    """Checked data: no unknown keys, nothing converted, nothing written to."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )

    def given(self) -> dict[str, Any]:
        """The keys that the file has, with their values."""
        return {key: value for key, value in vars(self).items() if key in self.model_fields_set}


def allowed(words: str, **limits: Any) -> Any:
    """What a message says is allowed, where a pattern or a type would not be read easily."""
    return Field(json_schema_extra={"allowed": words}, **limits)


@dataclass(frozen=True)
class OneOf:
    """Makes a text one of these names, where they are not known before the program runs."""

    names: tuple[str, ...]

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        return core_schema.literal_schema([*self.names])


def _distinct(items: tuple[T, ...]) -> tuple[T, ...]:
    if twice := [item for index, item in enumerate(items) if item in items[:index]]:
        raise PydanticCustomError("twice", "stands twice", {"twice": twice})
    return items


# Lists of the file; in some, nothing stands twice.
Many = Annotated[tuple[T, ...], Strict(False)]
Some = Annotated[Many[T], Field(min_length=1)]
Distinct = Annotated[
    Many[T], AfterValidator(_distinct), Field(json_schema_extra={"uniqueItems": True})
]
SomeDistinct = Annotated[Distinct[T], Field(min_length=1)]

Text = Annotated[str, allowed("some text", pattern=r"\S")]
Url = Annotated[
    str, allowed("an address that starts with https:// or http://", pattern=r"^https?://\S+$")
]
Id = Annotated[
    str,
    allowed(
        "lower-case letters, digits, - and _, a letter or digit first",
        pattern=r"^[a-z0-9][a-z0-9_-]*$",
    ),
]
AssumptionId = Annotated[str, Field(pattern=r"^A[1-9][0-9]*$")]
