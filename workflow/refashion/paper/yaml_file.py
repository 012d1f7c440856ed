"""YAML files read as plain data, and where in them everything stands."""

from __future__ import annotations

# PyYAML has no types.
# pyright: standard
import re
from pathlib import Path
from typing import Any

import yaml

from refashion.errors import UserError
from refashion.paper.problems import show


class _Loader(yaml.CSafeLoader):
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


def line_of(path: Path, at: str) -> int | None:
    """The line in which a key such as ``rows[3].dropout`` stands, or what it is missing from."""
    try:
        node = yaml.compose(path.read_text(encoding="utf-8"), Loader=_Loader)
    except (OSError, yaml.YAMLError):
        return None
    line = None
    for key in re.findall(r"[^.\[\]]+", at):
        parts = {}
        if isinstance(node, yaml.SequenceNode):
            parts = {str(index): (part, part) for index, part in enumerate(node.value)}
        elif isinstance(node, yaml.MappingNode):
            parts = {name.value: (name, part) for name, part in node.value}
        if key not in parts:
            break
        name, node = parts[key]
        line = name.start_mark.line + 1
    return line
