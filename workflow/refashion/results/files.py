"""Files that one step leaves for the next."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from refashion.errors import UserError


def run_folder(results_root: Path | str, row: Any, seed: int) -> Path:
    """Where a row's training with a seed leaves its files; ``results_root`` is results/<scale>."""
    return Path(results_root) / row.paper / row.id / f"seed-{seed}"


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
    except json.JSONDecodeError as error:
        raise UserError(f"{file}: not JSON ({error}); {if_broken}") from None
