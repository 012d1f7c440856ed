"""Files that one step leaves for the next."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from refashion.errors import UserError
from refashion.paper.record import Record

R = TypeVar("R", bound=Record)


def read_json(file: Path | str, if_missing: str, if_broken: str = "remove it") -> Any:
    """What is in a JSON file.

    Args:
        file: its path.
        if_missing: the way out where there is none: ``train the row first``.
        if_broken: the way out where it is not JSON.

    Raises:
        UserError: it is not there, or not JSON.
    """
    try:
        return json.loads(Path(file).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{file}: not there; {if_missing}") from None
    except ValueError as error:
        raise UserError(f"{file}: not JSON ({error}); {if_broken}") from None


def as_record(model: type[R], found: Any, file: Path, if_broken: str) -> R:
    """What was found in a JSON file, as a record.

    Raises:
        UserError: it is none; it names the first key that is wrong.
    """
    try:
        return model.model_validate(found)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        said = ": ".join(filter(None, (str(file), where, first["msg"])))
        raise UserError(f"{said}; {if_broken}") from None


def check_belongs(record: Record, file: Path, wanted: dict[str, Any], if_not: str) -> None:
    """A record has the values that it is asked for with.

    Raises:
        UserError: it has another; it names both.
    """
    for key, value in wanted.items():
        if (found := getattr(record, key)) != value:
            raise UserError(f"{file}: {key}: {found}, and {value} is asked for; {if_not}")
