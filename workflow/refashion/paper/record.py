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
        return {
            key: getattr(self, key)
            for key in type(self).model_fields
            if key in self.model_fields_set
        }


def allowed(words: str) -> Any:
    """What a message says is allowed, where a pattern or a type would not be read easily."""
    return Field(json_schema_extra={"allowed": words})


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


# A list of the file, and one in which nothing stands twice.
Many = Annotated[tuple[T, ...], Strict(False)]
Distinct = Annotated[
    tuple[T, ...],
    Strict(False),
    AfterValidator(_distinct),
    Field(json_schema_extra={"uniqueItems": True}),
]

Text = Annotated[str, Field(pattern=r"\S"), allowed("some text")]
Url = Annotated[
    str,
    Field(pattern=r"^https?://\S+$"),
    allowed("an address that starts with https:// or http://"),
]
Id = Annotated[
    str,
    Field(pattern=r"^[a-z0-9][a-z0-9_-]*$"),
    allowed("lower-case letters, digits, - and _, a letter or digit first"),
]
