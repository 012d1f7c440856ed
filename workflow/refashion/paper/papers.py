"""A paper's file as checked records, from YAML to rows that can be trained.

Everything that is wrong is said at once, a line a problem: file, line, key, value and what is
allowed. Free of torch, so that a whole workflow is checked before its first job starts.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, ValidationError

from refashion.errors import UserError
from refashion.paper.architectures import Architecture
from refashion.paper.claims import Claim
from refashion.paper.config import CONFIG_FILE, Config, PaperKey
from refashion.paper.figures import Figure
from refashion.paper.problems import (
    Key,
    Misfits,
    Problems,
    explain,
    inside,
    repeated,
    show,
    under,
    unknown,
)
from refashion.paper.record import AssumptionId, Many, Record, Some, Text, Url, allowed
from refashion.paper.rows import build_rows, names_of
from refashion.paper.rows import misfits as misfits_of_row
from refashion.paper.sheet import Sheet
from refashion.paper.spec import Defaults, Entry, Row, canonical
from refashion.paper.studies import DEFAULT, Study, StudyEntry, build_studies
from refashion.paper.tables import ConfusionMatrix, Table
from refashion.paper.yaml_file import line_of, read_yaml

PAPERS_FOLDER = Path("workflow/papers")


class Citation(Record):
    """Who wrote what, when and where."""

    authors: Some[Text]
    title: Text
    date: Annotated[
        str,
        allowed("a date: 2025, 2025-02 or 2025-02-12", pattern=r"^[0-9]{4}(-[0-9]{2}){0,2}$"),
    ]
    journal: Text | None = None
    course: Text | None = None
    institution: Text | None = None
    place: Text | None = None
    url: Url | None = None
    doi: Text | None = None
    code: Url | None = None


class Protocol(Record):
    """How every row was trained and measured, in prose."""

    data: Text | None = None
    normalisation: Text
    loss: Text
    optimiser: Text | None = None
    epochs: Text
    training_error: Text
    averaging: Text
    seeds: Text | None = None


class Assumption(Record):
    """A choice that the paper leaves open."""

    id: Annotated[AssumptionId, allowed("A and a number, as A1")]
    question: Text
    taken: Text
    why: Text
    alternatives: Text
    evidence: Literal["stated", "inferred", "default"]


class PaperFile(Record):
    """A paper as data."""

    key: Annotated[
        PaperKey,
        allowed(
            "the name of the file without .yaml; lower-case letters, digits and _, a letter first"
        ),
    ]
    citation: Citation
    protocol: Protocol
    defaults: Defaults
    architectures: Annotated[dict[str, Architecture], Field(min_length=1)]
    rows: Some[Entry]
    tables: Many[Table]
    confusion_matrices: Many[ConfusionMatrix] = ()
    assumptions: Many[Assumption]
    figures: Many[Figure]
    claims: Many[Claim]
    studies: Many[StudyEntry] = ()


@dataclass(frozen=True)
class Paper:
    """A paper's file, checked. What is neither row nor study is as in the file.

    ``rows`` are all that a report needs; the readings of the studies train ``study_rows``.
    """

    key: str
    file: str
    citation: Citation
    protocol: Protocol
    rows: tuple[Row, ...]
    tables: tuple[Table, ...]
    confusion_matrices: tuple[ConfusionMatrix, ...]
    figures: tuple[Figure, ...]
    assumptions: tuple[Assumption, ...]
    claims: tuple[Claim, ...]
    studies: tuple[Study, ...] = ()

    @property
    def names(self) -> list[tuple[Any, ...]]:
        """Which row is meant by which name, and which of them the paper does not have."""
        return [(row.id, row.aliases, row.variant_of) for row in self.rows]

    @property
    def trained(self) -> list[tuple[Any, ...]]:
        """What decides the numbers of each row and of those of the studies: settings and layers."""
        rows = (*self.rows, *self.study_rows)
        return [(row.id, row.spec.as_json(), repr(row.network)) for row in rows]

    @property
    def tested(self) -> list[dict[str, Any]]:
        """The claims without place, text and reason, which are prose for the report."""
        decide = {"id", "test", "needs", "untestable"}
        return [claim.model_dump(mode="json", include=decide) for claim in self.claims]

    def fingerprint(self, *parts: str) -> str:
        """A short hash of some attributes, by their names, or of all data: equal if they are."""
        data = {part: getattr(self, part) for part in parts or vars(self)}
        text = json.dumps(data, sort_keys=True, default=repr)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @property
    def prints_numbers(self) -> bool:
        """Whether a measured number can be set beside a published one."""
        lines = [line for table in self.tables for line in table.lines]
        return bool(self.confusion_matrices) or any(line.published for line in lines)

    @property
    def study_rows(self) -> tuple[Row, ...]:
        """The rows that the studies' readings train."""
        return tuple(row for study in self.studies for row in study.trained)

    def row(self, name: str) -> Row:
        """The row with this id or alias, also one of a study.

        Raises:
            UserError: there is none.
        """
        rows = {n: row for row in (*self.rows, *self.study_rows) for n in (row.id, *row.aliases)}
        if name not in rows:
            raise UserError(f"{self.file}: rows: {unknown(name, rows, 'row')}")
        return rows[name]


# ---- one file -----------------------------------------------------------------------------------

R = TypeVar("R", bound=Record)


def load_paper(path: Path | str) -> Paper:
    """Read and check one paper's file.

    Raises:
        UserError: the file cannot be read or anything in it is wrong; a line for every problem.
    """
    path = Path(path)
    problems = Problems(str(path), partial(line_of, path))
    data = read_yaml(path)
    broken: set[tuple[Key, ...]] = set()
    file = None
    try:
        file = PaperFile.model_validate(data)
    except ValidationError as error:
        broken = explain(PaperFile, data, error, problems)
    if isinstance(data.get("key"), str) and data["key"] != path.stem:
        problems.add("key", f"{show(data['key'])} is not the file's name, {path.stem!r}")
    sheet = _sheet(data, broken, problems)
    build_rows(sheet)
    problems.add_all(_misfits(sheet))
    studies = build_studies(sheet)
    problems.raise_if_any()
    assert file is not None  # else there are problems
    sections = ("key", "citation", "protocol", "tables", "confusion_matrices", "figures")
    as_written = {name: getattr(file, name) for name in (*sections, "assumptions", "claims")}
    rows = tuple(sheet.rows.values())
    return Paper(file=str(path), rows=rows, studies=studies, **as_written)


def _sheet(data: Mapping[str, Any], broken: set[tuple[Key, ...]], problems: Problems) -> Sheet:
    """The parts of a file that have the right form: later checks meet no others."""

    def entries(section: str, model: type[R]) -> dict[int, R]:
        written = inside(data.get(section)).values()
        return {
            index: model.model_validate(entry)
            for index, entry in enumerate(written)
            if (section, index) not in broken
        }

    has_defaults = "defaults" in data and ("defaults",) not in broken
    return Sheet(
        key=str(data.get("key")),
        file=problems.file,
        problems=problems,
        names=names_of(data, problems),
        defaults=Defaults.model_validate(data["defaults"]) if has_defaults else None,
        architectures=_architectures(data, broken, problems),
        entries=entries("rows", Entry),
        tables=entries("tables", Table),
        confusion_matrices=entries("confusion_matrices", ConfusionMatrix),
        assumptions=entries("assumptions", Assumption),
        figures=entries("figures", Figure),
        claims=entries("claims", Claim),
        studies=entries("studies", StudyEntry),
    )


def _architectures(
    data: Mapping[str, Any], broken: set[tuple[Key, ...]], problems: Problems
) -> dict[str, Architecture | None]:
    """The architectures by name; None for one that is wrong."""
    found: dict[str, Architecture | None] = {}
    for name, written in inside(data.get("architectures")).items():
        found[name] = None
        if ("architectures", name) not in broken:
            architecture = Architecture.model_validate(written)
            mistakes = list(architecture.mistakes())
            problems.add_all(under(f"architectures.{name}", iter(mistakes)))
            found[name] = None if mistakes else architecture
    return found


def _misfits(sheet: Sheet) -> Misfits:
    """What does not fit together in a file whose parts have the right form."""
    for index, entry in sheet.entries.items():
        yield from under(f"rows[{index}]", misfits_of_row(entry, sheet.rows.get(index), sheet))
    for section in ("tables", "confusion_matrices", "figures", "claims", "studies"):
        for index, entry in getattr(sheet, section).items():
            yield from under(f"{section}[{index}]", entry.misfits(sheet))
    yield from _repeated(sheet)


def _repeated(sheet: Sheet) -> Misfits:
    """What is there once more."""
    rows, matrices = sheet.rows, sheet.confusion_matrices
    settings = ((canonical(row.spec.as_json()), index) for index, row in rows.items())
    for _, index, other in repeated(settings):
        said = f"has the settings of rows[{other}] {show(rows[other].id)}: one training"
        way_out = "allowed: make it an alias of that row"
        yield f"rows[{index}]", f"{show(rows[index].id)} {said}; {way_out}"
    for index, other in sheet.twice((index, matrix.row) for index, matrix in matrices.items()):
        said = f"is the row of confusion_matrices[{other}] too; allowed: one matrix a row"
        yield f"confusion_matrices[{index}].row", f"{show(matrices[index].row)} {said}"
    for sections in (("tables", "figures"), ("assumptions",), ("claims",)):
        # Tables and figures share the anchors of one report.
        ids = (
            (entry.id, f"{section}[{index}].id")
            for section in sections
            for index, entry in getattr(sheet, section).items()
        )
        for name, at, other in repeated(ids):
            yield at, f"{show(name)} is taken by {other}; allowed: an id of its own"
    for name, index, other in repeated((s.assumption, index) for index, s in sheet.studies.items()):
        said = f"{show(name)} is that of studies[{other}] too; allowed: one study an assumption"
        yield f"studies[{index}].assumption", said
    for index, study in sheet.studies.items():
        readings = enumerate(study.readings)
        places = ((reading.id, f"studies[{index}].readings[{i}]") for i, reading in readings)
        taken = (DEFAULT, "the reading that the paper's rows have")
        for name, at, other in repeated((taken, *places)):
            yield f"{at}.id", f"{show(name)} is {other}; allowed: an id of its own"


# ---- all of them --------------------------------------------------------------------------------


def available_papers(root: Path) -> list[str]:
    """The keys of all papers that have a file in the repository ``root``."""
    return sorted(file.stem for file in (Path(root) / PAPERS_FOLDER).glob("*.yaml"))


def load_papers(config: Config, root: Path) -> list[Paper]:
    """Read and check the papers that a configuration names, in its order.

    ``root`` is the repository. Paths are kept relative to the working directory where it lies above
    them, so that they are the same on every machine.

    Raises:
        UserError: as :func:`load_paper`, for all papers together; or there is no such paper.
    """
    folder, available = Path(root) / PAPERS_FOLDER, available_papers(root)
    papers: list[Paper] = []
    problems: list[str] = []
    for index, key in enumerate(config.papers):
        if key not in available:
            said = unknown(key, available, f"paper in {PAPERS_FOLDER}")
            problems.append(f"{CONFIG_FILE}: papers[{index}]: {said}")
            continue
        try:
            papers.append(load_paper(_relative(folder / f"{key}.yaml")))
        except UserError as error:
            problems.append(str(error))
    rows = [row for paper in papers for row in (*paper.rows, *paper.study_rows)]
    targets = ((name, row) for row in rows for name in (row.name, *row.alias_names))
    for name, row, other in repeated(targets):
        said = f"{row.id!r} gives the target {name}, which a row of {other.file} has already"
        problems.append(f"{row.file}: rows: {said}")
    if problems:
        raise UserError("\n".join(problems))
    return papers


def _relative(path: Path) -> Path:
    """``path`` from the working directory, if that lies above it."""
    path, here = path.absolute(), Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
