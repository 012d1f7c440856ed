"""What several papers say: statements of ours, each with the papers' claims that say it too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from refashion.paper.checked_yaml import Problems, check_schema, read_yaml, unknown
from refashion.paper.papers import PAPERS_FOLDER, available_papers

FILE = Path("workflow/across.yaml")


def load(root: Path, papers: Sequence[Any]) -> list[dict[str, Any]]:
    """The statements of ``workflow/across.yaml`` that two or more of these papers are about.

    Args:
        root: the repository.
        papers: those that are run; claims of others are left out.

    Returns:
        For each its ``text`` and ``claims``, in the order of ``papers``: ``paper`` and ``claim``,
        the key and the id; and ``against``, whether that the claim holds speaks against the
        statement.

    Raises:
        UserError: the file cannot be read, or has a paper or a claim that there is not.
    """
    problems = Problems(str(FILE))
    data = read_yaml(Path(root) / FILE)
    check_schema(data, "across", problems)
    problems.raise_if_any()
    files = available_papers(root)
    loaded = {paper.key: [claim["id"] for claim in paper.claims] for paper in papers}
    statements = []
    for index, entry in enumerate(data["statements"]):
        for side in ("claims", "against"):
            _check(entry.get(side, {}), f"statements[{index}].{side}", files, loaded, problems)
        claims = [
            {"paper": key, "claim": name, "against": side == "against"}
            for key in loaded
            for side in ("claims", "against")
            for name in entry.get(side, {}).get(key, ())
        ]
        if len({claim["paper"] for claim in claims}) > 1:
            statements.append({"text": entry["text"], "claims": claims})
    problems.raise_if_any()
    return statements


def _check(
    side: Mapping[str, Sequence[str]],
    at: str,
    files: Sequence[str],
    loaded: Mapping[str, Sequence[str]],
    problems: Problems,
) -> None:
    for key, names in side.items():
        if key not in files:
            problems.add(f"{at}.{key}", unknown(key, files, f"paper in {PAPERS_FOLDER}"))
        for position, name in enumerate(names):
            if key in loaded and name not in loaded[key]:
                said = unknown(name, loaded[key], f"claim of {key}")
                problems.add(f"{at}.{key}[{position}]", said)
