"""The form of a file as JSON schema: editors complete and check YAML by it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from refashion.paper.across import AcrossFile
from refashion.paper.config import Config
from refashion.paper.papers import PaperFile

FILES: dict[str, type[BaseModel]] = {"paper": PaperFile, "config": Config, "across": AcrossFile}


def write_schemas(folder: Path) -> None:
    """Write the schema of each kind of file, with what is allowed as the text that editors show."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, model in FILES.items():
        schema = json.loads(json.dumps(model.model_json_schema()), object_hook=_for_editors)
        text = json.dumps(schema, ensure_ascii=False)
        (folder / f"{name}.schema.json").write_text(f"{text}\n", encoding="utf-8")


def _for_editors(node: dict[str, Any]) -> dict[str, Any]:
    """A part of a schema without the defaults of keys that a paper's defaults stand for."""
    words = ". ".join(filter(None, (node.get("description"), node.get("allowed"))))
    idle = {"allowed", "default"}
    if isinstance(node.get("title"), str):  # else the form of a key of this name
        idle.add("title")
    kept = {key: value for key, value in node.items() if key not in idle}
    return kept | ({"description": words} if words else {})
