"""What several papers say: statements of ours, each with the papers' claims that say it too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from refashion.paper.papers import PAPERS_FOLDER, Paper, available_papers
from refashion.paper.problems import Problems, explain, unknown
from refashion.paper.record import Distinct, Many, Record, Text
from refashion.paper.yaml_file import line_of, read_yaml

FILE = Path("workflow/across.yaml")

ClaimIds = Annotated[Distinct[str], Field(min_length=1)]
ByPaper = Annotated[dict[str, ClaimIds], Field(min_length=1)]


class Entry(Record):
    """A statement of the file, and by paper the claims that say it, or speak against it."""

    text: Text
    claims: ByPaper
    against: ByPaper = Field(default_factory=dict)


class AcrossFile(Record):
    """What several papers say."""

    statements: Annotated[Many[Entry], Field(min_length=1)]


@dataclass(frozen=True)
class Said:
    """A paper's claim; ``against``: that it holds speaks against the statement."""

    paper: str
    claim: str
    against: bool


@dataclass(frozen=True)
class Statement:
    """What several papers say, and the claims in which they do, in the papers' order."""

    text: str
    claims: tuple[Said, ...]


def load(root: Path, papers: Sequence[Paper]) -> list[Statement]:
    """The statements of ``workflow/across.yaml`` that two or more of these papers are about.

    Args:
        root: the repository.
        papers: those that are run; claims of others are left out.

    Raises:
        UserError: the file cannot be read, or has a paper or a claim that there is not.
    """
    file = Path(root) / FILE
    problems, data = Problems(str(FILE), partial(line_of, file)), read_yaml(file)
    try:
        entries = AcrossFile.model_validate(data).statements
    except ValidationError as error:
        explain(AcrossFile, data, error, problems)
        entries = ()
    problems.raise_if_any()
    files = available_papers(root)
    loaded = {paper.key: [claim.id for claim in paper.claims] for paper in papers}
    for index, entry in enumerate(entries):
        for side, named in (("claims", entry.claims), ("against", entry.against)):
            _check(named, f"statements[{index}].{side}", files, loaded, problems)
    problems.raise_if_any()
    statements = [Statement(entry.text, _said(entry, list(loaded))) for entry in entries]
    return [each for each in statements if len({said.paper for said in each.claims}) > 1]


def _said(entry: Entry, papers: Sequence[str]) -> tuple[Said, ...]:
    return tuple(
        Said(key, name, against)
        for key in papers
        for against, named in ((False, entry.claims), (True, entry.against))
        for name in named.get(key, ())
    )


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
