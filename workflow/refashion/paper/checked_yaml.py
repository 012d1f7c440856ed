"""YAML files read as plain data and held against a schema, every mistake in plain words.

A mistake is said as file, key, value and what is allowed, a line each, all of them at once.
"""

from __future__ import annotations

import difflib
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator, ValidationError, validators

from refashion.errors import UserError

SCHEMAS_FOLDER = Path(__file__).parents[2] / "schemas"


class Problems:
    """What is wrong with one file."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.lines: list[str] = []

    def add(self, at: str, text: str) -> None:
        self.lines.append(": ".join(filter(None, (self.file, at, text))))

    def raise_if_any(self) -> None:
        if self.lines:
            raise UserError("\n".join(dict.fromkeys(self.lines)))


def _at(keys: Iterable[str | int]) -> str:
    """``rows[3].dropout``"""
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys).lstrip(".")


def show(value: Any) -> str:
    """A value as YAML writes it, shortened."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def unknown(name: Any, known: Iterable[str], what: str) -> str:
    """``'x' is no row; did you mean 'y'? allowed: y, z``"""
    known = list(known)
    close = difflib.get_close_matches(str(name), known, n=1)
    meant = f"did you mean {close[0]!r}? " if close else ""
    return f"{show(name)} is no {what}; {meant}allowed: {', '.join(known) or 'none'}"


# ---- reading ------------------------------------------------------------------------------------


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """Plain data; notes keys that stand twice or are no text, which YAML lets pass."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self.problems: list[str] = []

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        first: dict[str, int] = {}
        for key, _ in node.value:
            line = key.start_mark.line + 1
            if key.tag not in ("tag:yaml.org,2002:str", "tag:yaml.org,2002:merge"):
                written = getattr(key, "value", "")
                shown = show(written) if isinstance(written, str) else "a list or mapping"
                self.problems.append(f"line {line}: the key {shown} is not text; quote it")
            elif key.value in first:
                self.problems.append(
                    f"line {line}: the key {key.value!r} stands twice, first in line "
                    f"{first[key.value]}; allowed: once"
                )
            else:
                first[key.value] = line
        return super().construct_mapping(node, deep)


# As in YAML 1.2: a date is text, and 1e-3 is a number.
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
    for first, resolvers in _Loader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"),
    list("-+0123456789"),
)


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML file that holds one mapping."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; it must be a readable YAML file") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text: {error.reason} at byte {error.start}") from error
    try:
        loader = _Loader(text)
        data = loader.get_single_data()
    except (yaml.YAMLError, ValueError) as error:  # ValueError: as from `!!int three`
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}: " if mark else ""
        reason = getattr(error, "problem", None) or str(error)
        raise UserError(f"{path}: {line}not YAML: {reason}") from error
    if loader.problems:
        raise UserError("\n".join(f"{path}: {problem}" for problem in loader.problems))
    if not isinstance(data, dict):
        raise UserError(f"{path}: {show(data)} is not a mapping of keys to values")
    return data


# ---- the schema ---------------------------------------------------------------------------------


def _is_number(_checker: Any, value: Any) -> bool:
    return type(value) in (int, float) and abs(value) <= sys.float_info.max


def _is_integer(_checker: Any, value: Any) -> bool:
    return type(value) is int


# JSON knows no NaN and no infinity, and takes 30.0 for an integer; YAML is another matter.
_Validator = validators.extend(
    Draft202012Validator,
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine_many(
        {"number": _is_number, "integer": _is_integer}
    ),
)


@cache
def _validator(name: str) -> Draft202012Validator:
    return _Validator(read_yaml(SCHEMAS_FOLDER / f"{name}.schema.yaml"))


def check_schema(data: Mapping[str, Any], name: str, problems: Problems) -> set[tuple]:
    """Note what the schema does not allow.

    Returns:
        The sections, as (section,), and their entries, as (section, index), with a problem.
    """
    broken: set[tuple] = set()
    errors = _validator(name).iter_errors(data)
    for error in sorted(errors, key=lambda error: [f"{key:>6}" for key in error.absolute_path]):
        keys = tuple(error.absolute_path)
        broken |= {keys[:1], keys[:2]}
        for extra, text in _explain(error):
            problems.add(_at((*keys, *extra)), text)
    return broken


def _explain(error: ValidationError) -> Iterator[tuple[tuple, str]]:
    """(keys below the error's path, what is wrong and what is allowed there)."""
    schema, value = error.schema, error.instance
    if error.validator == "additionalProperties":
        known = schema.get("properties", {})
        for key in sorted(set(value) - set(known)):
            yield (key,), unknown(key, known, "key here")
    elif error.validator == "required":
        for key in schema["required"]:
            if key not in value:
                yield (key,), f"is missing; needed here: {', '.join(schema['required'])}"
    elif error.validator in ("minItems", "minProperties") and not value:
        yield (), f"{show(value)} is empty; at least one entry is needed"
    elif error.validator == "uniqueItems":
        twice = [show(entry) for i, entry in enumerate(value) if entry in value[:i]]
        yield (), f"{', '.join(twice)} stands twice; allowed: once each"
    elif error.validator in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"):
        yield (), f"{show(value)} is not in {_interval(schema)}"
    else:
        yield (), f"{show(value)} is not {_allowed(schema)}"


def _allowed(schema: Mapping[str, Any]) -> str:
    """What a schema allows, in words."""
    if "description" in schema:
        return schema["description"]
    if "enum" in schema:
        return f"one of {', '.join(map(str, schema['enum']))}"
    if "const" in schema:
        return str(schema["const"])
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return " or ".join(_kind(kind, schema) for kind in kinds)


def _kind(kind: str, schema: Mapping[str, Any]) -> str:
    if kind in ("number", "integer"):
        noun = "a number" if kind == "number" else "a whole number"
        if "multipleOf" in schema:
            noun = f"a multiple of {schema['multipleOf']}"
        interval = _interval(schema)
        return noun if interval == "(−∞, ∞)" else f"{noun} in {interval}"
    return {
        "string": "text",
        "boolean": "true or false",
        "null": "null",
        "array": "a list",
        "object": "a mapping of keys to values",
    }[kind]


def _interval(schema: Mapping[str, Any]) -> str:
    """``[0, 1)``"""
    low, high = "(−∞", "∞)"
    if "minimum" in schema:
        low = f"[{schema['minimum']}"
    if "exclusiveMinimum" in schema:
        low = f"({schema['exclusiveMinimum']}"
    if "maximum" in schema:
        high = f"{schema['maximum']}]"
    if "exclusiveMaximum" in schema:
        high = f"{schema['exclusiveMaximum']})"
    return f"{low}, {high}"
