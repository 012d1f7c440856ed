"""A trained encoder as a file of its own, for other rows to start from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors.torch import load_file, save_file

if TYPE_CHECKING:
    from refashion.paper.spec import Row


def export_encoder(row: Row, model: Path, out: Path) -> None:
    """Write the encoder of a row's trained model, and beside it what it is.

    ``out`` is a safetensors file, of names without ``encoder.``; with the ending .json it gets the
    row, its layer table and the shape of the code.
    """
    weights = {
        name.removeprefix("encoder."): tensor
        for name, tensor in load_file(model).items()
        if name.startswith("encoder.")
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    save_file(weights, out)
    description = {
        "paper": row.paper,
        "row": row.id,
        "spec_sha256": row.spec_sha256,
        "layers": [repr(layer) for layer in row.network.encoder],
        "code_shape": list(row.network.code_shape),
    }
    out.with_suffix(".json").write_text(json.dumps(description, indent=2) + "\n")
