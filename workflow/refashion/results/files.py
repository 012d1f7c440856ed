"""Files that one step leaves for the next."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_jsonable_python

from refashion.errors import UserError

T = TypeVar("T")


def read_record(kind: type[T], file: Path, if_missing: str, if_broken: str = "remove it") -> T:
    """What is in a JSON file, as a record, or as several.

    Each of the other two is a way out, such as ``train the row first``.

    Raises:
        UserError: it is not there, not JSON, or none; it names the first key that is wrong.
    """
    try:
        return TypeAdapter(kind).validate_python(json.loads(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise UserError(f"{file}: not there; {if_missing}") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        said = ": ".join(filter(None, (str(file), where, first["msg"])))
        raise UserError(f"{said}; {if_broken}") from None
    except ValueError as error:
        raise UserError(f"{file}: not JSON ({error}); {if_broken}") from None


def write_record(record: Any, file: Path, indent: int | None = None) -> None:
    """Write a record, or several, as JSON."""
    plain = to_jsonable_python(record)
    file.write_text(json.dumps(plain, indent=indent) + "\n", encoding="utf-8")
