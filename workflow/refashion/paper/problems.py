"""What is wrong with a file, in plain words: file, line, key, value, and what is allowed.

All mistakes are said at once, a line each. What a model of :mod:`refashion.paper.record` does not
allow is explained from the schema that the model exports.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, cast

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from refashion.errors import UserError

Key = str | int
Node = Mapping[str, Any]


class Problems:
    """What is wrong with one file; ``line_of`` finds the line that a path of keys stands in."""

    def __init__(self, file: str, line_of: Callable[[str], int | None] | None = None) -> None:
        self.file, self.line_of = file, line_of
        self.lines: list[str] = []

    def add(self, at: str, text: str) -> None:
        line = self.line_of(at) if self.line_of else None
        file = self.file if line is None else f"{self.file}:{line}"
        self.lines.append(": ".join(filter(None, (file, at, text))))

    def raise_if_any(self) -> None:
        if self.lines:
            raise UserError("\n".join(dict.fromkeys(self.lines)))


def path_of(keys: Iterable[Key]) -> str:
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


# ---- what a model does not allow ----------------------------------------------------------------


def explain(
    model: type[BaseModel], data: Mapping[str, Any], error: ValidationError, problems: Problems
) -> set[tuple[Key, ...]]:
    """Note what a model does not allow in ``data``.

    Returns:
        The sections, as (section,), and their entries, as (section, index), with a problem.
    """
    broken: set[tuple[Key, ...]] = set()
    said: set[tuple[Key, ...]] = set()
    for each in error.errors(include_url=False):
        limits = each.get("ctx", {})
        if each["type"] == "too_short" and len(each["input"]) >= limits["min_length"]:
            continue  # pydantic counts the entries that are right
        path = _path_in(data, each["loc"])
        if tag := _tag(each):
            path = (*path, tag)
        broken |= {path[:1], path[:2]}
        if path not in said:  # each side of an alternative has an error of its own
            said.add(path)
            node, parent = (_node_at(_schema(model), keys, data) for keys in (path, path[:-1]))
            problems.add(path_of(path), _explain(each, node, parent))
    return broken


def _path_in(data: Any, loc: Sequence[Key]) -> tuple[Key, ...]:
    """An error's place without the names that pydantic gives to the sides of an alternative."""
    path: list[Key] = []
    for index, key in enumerate(loc):
        if _has(data, key):
            data = data[key]
            path.append(key)
        elif index + 1 == len(loc) and _has_keys(data):
            path.append(key)  # a key that is missing
    return tuple(path)


def _has(data: Any, key: Key) -> bool:
    if isinstance(key, int):
        return isinstance(data, list) and key < len(cast("list[Any]", data))
    return _has_keys(data) and key in data


def _has_keys(data: Any) -> bool:
    return isinstance(data, Mapping)


def _tag(error: ErrorDetails) -> str | None:
    """The key that chooses among several records, if it is wrong or missing."""
    if error["type"] in ("union_tag_invalid", "union_tag_not_found"):
        return error.get("ctx", {})["discriminator"].strip("'")
    return None


@cache
def _schema(model: type[BaseModel]) -> Node:
    return model.model_json_schema()


def _node_at(root: Node, path: Sequence[Key], data: Any) -> Node:
    """The part of a schema that a path of keys leads to."""
    node = root
    for key in path:
        node = _chosen(root, node, data)
        data = data[key] if _has(data, key) else None
        if isinstance(key, int):
            node = node.get("items", {})
        else:
            other: Node = node.get("additionalProperties") or {}
            node = node.get("properties", {}).get(key, other)
    return _chosen(root, node, data)


def _chosen(root: Node, node: Node, data: Any) -> Node:
    """A node without references, and of a record that may be null or of several kinds, its own."""
    while "$ref" in node:
        rest = {key: value for key, value in node.items() if key != "$ref"}
        node = root["$defs"][node["$ref"].rpartition("/")[2]] | rest
    if "discriminator" in node:
        return _side(root, node["discriminator"], data)
    for sides in ("anyOf", "oneOf"):
        records = [_chosen(root, side, data) for side in node.get(sides, ())]
        records = [side for side in records if side.get("type") == "object"]
        if records and isinstance(data, Mapping):
            return records[0]
    return node


def _side(root: Node, choice: Node, data: Any) -> Node:
    """The record that a key of ``data`` chooses; one that has this key alone if it chooses none."""
    tag, sides = choice["propertyName"], choice["mapping"]
    chosen = data[tag] if _has(data, tag) else None
    if isinstance(chosen, str) and chosen in sides:
        return _chosen(root, {"$ref": sides[chosen]}, data)
    return {"type": "object", "properties": {tag: {}}, "required": [tag]}


def _explain(error: ErrorDetails, node: Node, parent: Node) -> str:
    """What is wrong and what is allowed, from the schema there and that of what it stands in."""
    kind, value, said = error["type"], error["input"], error.get("ctx", {})
    if kind == "extra_forbidden":
        return unknown(error["loc"][-1], parent["properties"], "key here")
    if kind == "union_tag_invalid":
        tags = said["expected_tags"].replace("'", "").split(", ")
        return unknown(said["tag"], tags, said["discriminator"].strip("'"))
    if kind in ("missing", "union_tag_not_found"):
        return f"is missing; needed here: {', '.join(parent['required'])}"
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
    low, high = "(−∞", "∞)"
    for bound, write in BOUNDS.items():
        if bound in bounded[0]:
            end = write.format(bounded[0][bound])
            low, high = (end, high) if end[0] in "[(" else (low, end)
    return f"{low}, {high}"


BOUNDS = {
    "minimum": "[{}",
    "exclusiveMinimum": "({}",
    "maximum": "{}]",
    "exclusiveMaximum": "{})",
}
