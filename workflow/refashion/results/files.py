"""Files that one step leaves for the next."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_jsonable_python

from refashion.errors import UserError

T = TypeVar("T")


def read_json(file: Path | str, if_missing: str, if_broken: str = "remove it") -> Any:
    """What is in a JSON file.

    Each of the other two is a way out, such as ``train the row first``.

    Raises:
        UserError: it is not there, or not JSON.
    """
    try:
        return json.loads(Path(file).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{file}: not there; {if_missing}") from None
    except ValueError as error:
        raise UserError(f"{file}: not JSON ({error}); {if_broken}") from None


def as_record(kind: type[T], found: Any, file: Path, if_broken: str) -> T:
    """What was found in a JSON file, as a record, or as several.

    Raises:
        UserError: it is none; it names the first key that is wrong.
    """
    try:
        return TypeAdapter(kind).validate_python(found)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        said = ": ".join(filter(None, (str(file), where, first["msg"])))
        raise UserError(f"{said}; {if_broken}") from None


def read_record(kind: type[T], file: Path, if_missing: str, if_broken: str = "remove it") -> T:
    """What is in a JSON file, as a record, or as several.

    Raises:
        UserError: as :func:`read_json` and :func:`as_record`.
    """
    return as_record(kind, read_json(file, if_missing, if_broken), file, if_broken)


def write_record(record: Any, file: Path, indent: int | None = None) -> None:
    """Write a record, or several, as JSON."""
    plain = to_jsonable_python(record)
    file.write_text(json.dumps(plain, indent=indent) + "\n", encoding="utf-8")
