"""The form of a file as JSON schema: editors complete and check YAML by it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from refashion.paper.across import AcrossFile
from refashion.paper.config import Config
from refashion.paper.papers import PaperFile
from refashion.paper.problems import inside

FILES: dict[str, type[BaseModel]] = {"paper": PaperFile, "config": Config, "across": AcrossFile}


def write_schemas(folder: Path) -> None:
    """Write the schema of each kind of file, with what is allowed as the text that editors show."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, model in FILES.items():
        text = json.dumps(_for_editors(model.model_json_schema()), ensure_ascii=False)
        (folder / f"{name}.schema.json").write_text(f"{text}\n", encoding="utf-8")


def _for_editors(node: Any) -> Any:
    """A schema without the defaults of keys that a paper's defaults stand for."""
    if isinstance(node, list):
        return [_for_editors(each) for each in inside(node).values()]
    if not isinstance(node, dict):
        return node
    node = inside(node)
    if "properties" in node:  # the names there are keys of the file, whatever they are
        named = {key: _for_editors(value) for key, value in node["properties"].items()}
        rest = {key: value for key, value in node.items() if key != "properties"}
        return _for_editors(rest) | {"properties": named}
    words = ". ".join(filter(None, (node.get("description"), node.get("allowed"))))
    kept = {k: _for_editors(v) for k, v in node.items() if k not in ("allowed", "default", "title")}
    return kept | ({"description": words} if words else {})
