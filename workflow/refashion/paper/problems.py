"""What is wrong with a file, in plain words: file, line, key, value, and what is allowed.

All mistakes are said at once, a line each. What a model of :mod:`refashion.paper.record` does not
allow is explained from the schema that the model exports.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from functools import cache
from typing import Any, TypeVar, cast

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from refashion.errors import UserError

Key = str | int
Node = Mapping[str, Any]
# (key, what is wrong and what is allowed), the key from where the check stands.
Misfits = Iterator[tuple[str, str]]
K = TypeVar("K", bound=Hashable)
P = TypeVar("P")
M = TypeVar("M", bound=BaseModel)


class Problems:
    """What is wrong with one file; ``line_of`` finds the line that a path of keys stands in."""

    def __init__(self, file: str, line_of: Callable[[str], int | None] | None = None) -> None:
        self.file, self.line_of = file, line_of
        self.lines: list[str] = []

    def add(self, at: str, text: str) -> None:
        line = self.line_of(at) if self.line_of else None
        file = self.file if line is None else f"{self.file}:{line}"
        self.lines.append(": ".join(filter(None, (file, at, text))))

    def add_all(self, misfits: Misfits) -> None:
        for at, text in misfits:
            self.add(at, text)

    def raise_if_any(self) -> None:
        if self.lines:
            raise UserError("\n".join(dict.fromkeys(self.lines)))

    def validate(self, model: type[M], data: Any) -> M:
        """``data`` as a record, or a UserError with a line for every problem."""
        try:
            return model.model_validate(data)
        except ValidationError as error:
            explain(model, data, error, self)
            self.raise_if_any()
            raise


def under(at: str, misfits: Misfits) -> Misfits:
    """The same, by keys that begin further out."""
    for key, text in misfits:
        yield f"{at}.{key}", text


def repeated(items: Iterable[tuple[K, P]]) -> Iterator[tuple[K, P, P]]:
    """Of (key, place) those whose key stands at another place before, each with that one."""
    first: dict[K, P] = {}
    for key, place in items:
        other = first.setdefault(key, place)
        if other != place:
            yield key, place, other


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


def inside(data: Any) -> Mapping[Any, Any]:
    """What stands in a list or mapping, by index or key; nothing in anything else."""
    if isinstance(data, list):
        return dict(enumerate(cast("list[Any]", data)))
    return cast("Mapping[Any, Any]", data) if isinstance(data, Mapping) else {}


# ---- what a model does not allow ----------------------------------------------------------------


def explain(
    model: type[BaseModel], data: Any, error: ValidationError, problems: Problems
) -> set[tuple[Key, ...]]:
    """Note what a model does not allow in ``data``.

    Returns:
        The sections, as (section,), and their entries, as (section, index), with a problem.
    """
    found: dict[tuple[Key, ...], str] = {}
    for each in error.errors(include_url=False):
        limits = each.get("ctx", {})
        if each["type"] == "too_short" and len(each["input"]) >= limits["min_length"]:
            continue  # pydantic counts the entries that are right
        path, node, parent = _place(_schema(model), data, each)
        if path not in found:  # each side of an alternative has an error of its own
            found[path] = _explain(each, node, parent)
    for path, text in found.items():
        written = (f"[{key}]" if isinstance(key, int) else f".{key}" for key in path)
        problems.add("".join(written).lstrip("."), text)
    return {path[:depth] for path in found for depth in (1, 2)}


@cache
def _schema(model: type[BaseModel]) -> Node:
    return model.model_json_schema()


def _place(root: Node, data: Any, error: ErrorDetails) -> tuple[tuple[Key, ...], Node, Node]:
    """The keys that lead to an error, the schema there, and that of what it stands in.

    pydantic gives names to the sides of an alternative, which are no keys.
    """
    keys, kind = [*error["loc"]], error["type"]
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        keys.append(error.get("ctx", {})["discriminator"].strip("'"))  # the key that chooses
    path: list[Key] = []
    parent = node = _chosen(root, root, data)
    for index, key in enumerate(keys, 1):
        is_missing = index == len(keys) and kind in ("missing", "union_tag_not_found")
        if key not in inside(data) and not is_missing:
            continue
        parent, data = node, inside(data).get(key)
        other: Node = node.get("additionalProperties") or {}
        if isinstance(key, int):
            sides: list[Node] = [node, *node.get("anyOf", ())]
            node = next((side["items"] for side in sides if "items" in side), other)
        else:
            node = node.get("properties", {}).get(key, other)
        node = _chosen(root, node, data)
        path.append(key)
    return tuple(path), node, parent


def _chosen(root: Node, node: Node, data: Any) -> Node:
    """A node without references, and of a record that may be null or of several kinds, its own."""
    while "$ref" in node:
        rest = {key: value for key, value in node.items() if key != "$ref"}
        node = root["$defs"][node["$ref"].rpartition("/")[2]] | rest
    if "discriminator" in node:
        choice = node["discriminator"]
        side = choice["mapping"].get(str(inside(data).get(choice["propertyName"])))
        return _chosen(root, {"$ref": side}, data) if side else {"type": "object"}
    if "anyOf" not in node:
        return node
    sides = [_chosen(root, side, data) for side in node["anyOf"]]
    records = [side for side in sides if side.get("type") == "object"]
    return records[0] if records and isinstance(data, Mapping) else {**node, "anyOf": sides}


def _explain(error: ErrorDetails, node: Node, parent: Node) -> str:
    """What is wrong and what is allowed, from the schema there and that of what it stands in."""
    kind, value, said = error["type"], error["input"], error.get("ctx", {})
    tag = said.get("discriminator", "").strip("'")
    if kind == "extra_forbidden":
        return unknown(error["loc"][-1], parent["properties"], "key here")
    if kind == "union_tag_invalid":
        tags = said["expected_tags"].replace("'", "").split(", ")
        return unknown(said["tag"], tags, tag)
    if kind in ("missing", "union_tag_not_found"):
        return f"is missing; needed here: {tag or ', '.join(parent['required'])}"
    if kind == "too_short" and not value:
        return f"{show(value)} is empty; at least one entry is needed"
    if kind == "twice":
        return f"{', '.join(map(show, said['twice']))} stands twice; allowed: once each"
    if kind in OUT_OF_RANGE and (interval := _interval(node)):
        return f"{show(value)} is not in {interval}"
    return f"{show(value)} is not {_allowed(node)}"


OUT_OF_RANGE = {"greater_than", "greater_than_equal", "less_than", "less_than_equal"}
NOUNS = {
    "string": "text",
    "boolean": "true or false",
    "null": "null",
    "array": "a list",
    "object": "a mapping of keys to values",
    "number": "a number",
    "integer": "a whole number",
}
BOUNDS = {
    "minimum": "[{}, ",
    "exclusiveMinimum": "({}, ",
    "maximum": "{}]",
    "exclusiveMaximum": "{})",
}


def _allowed(node: Node) -> str:
    """What a part of a schema allows, in words."""
    if "allowed" in node:
        return node["allowed"]
    if "enum" in node:
        return f"one of {', '.join(map(str, node['enum']))}"
    if "const" in node:
        return str(node["const"])
    if "anyOf" in node:
        return " or ".join(_allowed(side) for side in node["anyOf"] if side != {"type": "null"})
    noun = f"a multiple of {node['multipleOf']}" if "multipleOf" in node else NOUNS[node["type"]]
    interval = _interval(node)
    return f"{noun} in {interval}" if interval else noun


def _interval(node: Node) -> str:
    """``[0, 1)``, or nothing where there are no bounds."""
    bounded = [side for side in (node, *node.get("anyOf", ())) if {*side} & {*BOUNDS}]
    if not bounded or ("allowed" in node and "anyOf" in node):
        return ""
    ends = [write.format(bounded[0][key]) for key, write in BOUNDS.items() if key in bounded[0]]
    low = [end for end in ends if end.endswith(", ")] or ["(−∞, "]
    high = [end for end in ends if not end.endswith(", ")] or ["∞)"]
    return low[0] + high[0]
