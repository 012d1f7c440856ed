"""What several papers say: statements of ours, each with the papers' claims that say it too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

from pydantic import Field

from refashion.paper.papers import PAPERS_FOLDER, Paper, available_papers
from refashion.paper.problems import Misfits, Problems, under, unknown
from refashion.paper.record import Record, Some, SomeDistinct, Text
from refashion.paper.yaml_file import line_of, read_yaml

FILE = Path("workflow/across.yaml")

ByPaper = Annotated[dict[str, SomeDistinct[str]], Field(min_length=1)]


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


class Entry(Record):
    """A statement of the file, and by paper the claims that say it, or speak against it."""

    text: Text
    claims: ByPaper
    against: ByPaper = Field(default_factory=dict)

    def misfits(self, files: Sequence[str], claims: Mapping[str, Sequence[str]]) -> Misfits:
        """A paper without a file, or a claim that one of those loaded does not have."""
        for side, named in (("claims", self.claims), ("against", self.against)):
            for key, names in named.items():
                if key not in files:
                    yield f"{side}.{key}", unknown(key, files, f"paper in {PAPERS_FOLDER}")
                for index, name in enumerate(names):
                    if key in claims and name not in claims[key]:
                        said = unknown(name, claims[key], f"claim of {key}")
                        yield f"{side}.{key}[{index}]", said

    def statement(self, papers: Sequence[str]) -> Statement:
        """What it says of these papers, in their order."""
        said = (
            Said(key, name, against)
            for key in papers
            for against, named in ((False, self.claims), (True, self.against))
            for name in named.get(key, ())
        )
        return Statement(self.text, tuple(said))


class AcrossFile(Record):
    """What several papers say."""

    statements: Some[Entry]


def load(root: Path, papers: Sequence[Paper]) -> list[Statement]:
    """The statements of ``workflow/across.yaml`` that two or more of these papers are about.

    Args:
        root: the repository.
        papers: those that are run; claims of others are left out.

    Raises:
        UserError: the file cannot be read, or has a paper or a claim that there is not.
    """
    file = Path(root) / FILE
    problems = Problems(str(FILE), partial(line_of, file))
    entries = problems.validate(AcrossFile, read_yaml(file)).statements
    files = available_papers(root)
    claims = {paper.key: [claim.id for claim in paper.claims] for paper in papers}
    for index, entry in enumerate(entries):
        problems.add_all(under(f"statements[{index}]", entry.misfits(files, claims)))
    problems.raise_if_any()
    statements = [entry.statement([*claims]) for entry in entries]
    return [each for each in statements if len({said.paper for said in each.claims}) > 1]
