"""Papers and configuration as checked data: from YAML to rows that can be trained.

Everything that is wrong is said at once, a line a problem: file, key, value and what is allowed.
Free of torch, so that a whole workflow is checked before its first job starts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from refashion.errors import UserError
from refashion.paper.checked_yaml import Problems, check_schema, read_yaml, show, unknown
from refashion.paper.claims import check_claims
from refashion.paper.exhibits import (
    check_confusion_matrices,
    check_figures,
    check_tables,
    check_unique_ids,
)
from refashion.paper.rows import (
    Row,
    build_rows,
    check_encoders,
    check_names,
    check_same_settings,
    check_variants,
    with_donors,
)
from refashion.paper.studies import Study, build_studies

CONFIG_FILE = "config.yaml"
PAPERS_FOLDER = Path("workflow/papers")


@dataclass(frozen=True)
class Paper:
    """A paper's file, checked. What is neither row, study, citation nor protocol is as in the YAML.

    ``rows`` are all that a report needs; the readings of the studies train ``study_rows``.
    """

    key: str
    file: str
    citation: dict[str, Any]
    protocol: dict[str, str]
    rows: tuple[Row, ...]
    tables: list[dict[str, Any]]
    confusion_matrices: list[dict[str, Any]]
    figures: list[dict[str, Any]]
    assumptions: list[dict[str, str]]
    claims: list[dict[str, Any]]
    studies: tuple[Study, ...] = ()

    @property
    def prints_numbers(self) -> bool:
        """Whether a measured number can be set beside a published one."""
        lines = [line for table in self.tables for line in table["lines"]]
        return bool(self.confusion_matrices) or any(line["published"] for line in lines)

    @property
    def study_rows(self) -> tuple[Row, ...]:
        """The rows that the studies' readings train."""
        return tuple(row for study in self.studies for row in study.trained)

    def row(self, name: str) -> Row:
        """The row with this id or alias, also one of a study.

        Raises:
            UserError: there is none.
        """
        rows = (*self.rows, *self.study_rows)
        for row in rows:
            if name == row.id or name in row.aliases:
                return row
        names = [name for row in rows for name in (row.id, *row.aliases)]
        raise UserError(f"{self.file}: rows: {unknown(name, names, 'row')}")


def load_paper(path: Path | str) -> Paper:
    """Read and check one paper's file.

    Raises:
        UserError: the file cannot be read or anything in it is wrong; a line for every problem.
    """
    path = Path(path)
    problems = Problems(str(path))
    data = read_yaml(path)
    broken = check_schema(data, "paper", problems)

    def sound(section: str) -> list[tuple[int, dict]]:
        """(index, entry) of the entries that have the right form: later checks meet no others."""
        entries = data.get(section)
        entries = enumerate(entries if isinstance(entries, list) else [])
        return [(i, entry) for i, entry in entries if (section, i) not in broken]

    if isinstance(data.get("key"), str) and data["key"] != path.stem:
        problems.add("key", f"{show(data['key'])} is not the file's name, {path.stem!r}")
    entries = [] if ("defaults",) in broken else sound("rows")
    rows = build_rows(data, entries, str(path), problems)
    names = check_names(data, problems)
    check_encoders(sound("rows"), rows, names, problems)
    check_same_settings(rows, problems)
    check_variants(sound("rows"), rows, names, problems)
    tables, figures = sound("tables"), sound("figures")
    check_tables(tables, rows, names, problems)
    matrices = sound("confusion_matrices")
    check_confusion_matrices(matrices, rows, names, problems)
    printed = {names.get(matrix["row"]) for _, matrix in matrices}
    check_figures(figures, rows, names, printed, problems)
    check_claims(sound("claims"), rows, names, problems)
    # Tables and figures share the anchors of one report.
    check_unique_ids({"tables": tables, "figures": figures}, problems)
    for section in ("assumptions", "claims"):
        check_unique_ids({section: sound(section)}, problems)
    right = {
        section: [entry for _, entry in sound(section)]
        for section in ("tables", "assumptions", "claims")
    }
    studies = build_studies(data | right, sound("studies"), rows, names, str(path), problems)
    problems.raise_if_any()
    return Paper(
        key=data["key"],
        file=str(path),
        citation=data["citation"],
        protocol=data["protocol"],
        rows=with_donors(rows, names),
        tables=data["tables"],
        confusion_matrices=data.get("confusion_matrices", []),
        figures=data["figures"],
        assumptions=data["assumptions"],
        claims=data["claims"],
        studies=studies,
    )


def available_papers(root: Path) -> list[str]:
    """The keys of all papers that have a file in the repository ``root``."""
    return sorted(file.stem for file in (Path(root) / PAPERS_FOLDER).glob("*.yaml"))


def load_papers(config: Mapping[str, Any], root: Path) -> list[Paper]:
    """Read and check the papers that a checked configuration names, in its order.

    Args:
        config: as :func:`validate_config` returns it.
        root: the repository. Paths are kept relative to the working directory where it lies
            above them, so that they are the same on every machine.

    Raises:
        UserError: as :func:`load_paper`, for all papers together; or there is no such paper.
    """
    folder, available = Path(root) / PAPERS_FOLDER, available_papers(root)
    papers, problems = [], []
    for index, key in enumerate(config["papers"]):
        if key not in available:
            said = unknown(key, available, f"paper in {PAPERS_FOLDER}")
            problems.append(f"{CONFIG_FILE}: papers[{index}]: {said}")
            continue
        try:
            papers.append(load_paper(_relative(folder / f"{key}.yaml")))
        except UserError as error:
            problems.append(str(error))
    targets: dict[str, Row] = {}
    for row in (row for paper in papers for row in (*paper.rows, *paper.study_rows)):
        for name in (row.name, *row.alias_names):
            other = targets.setdefault(name, row)
            if other.paper != row.paper:
                problems.append(
                    f"{row.file}: rows: {row.id!r} gives the target {name}, "
                    f"which a row of {other.file} has already"
                )
    if problems:
        raise UserError("\n".join(problems))
    return papers


def validate_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """Check a configuration, and return it as plain data of its own.

    Of ``seeds`` it has as many as the scale takes.

    ``papers`` and ``seeds`` may also be as they come from a command line: ``--config seeds=0``,
    ``papers=one,two``, ``seeds=[0,1]`` (whose items Snakemake hands over as text).

    Raises:
        UserError: a line for every problem.
    """
    problems = Problems(CONFIG_FILE)
    config = dict(config)
    for key, kind in (("papers", str), ("seeds", int)):
        if key in config:
            config[key] = [_as(kind, item) for item in _items(config[key])]
    check_schema(config, "config", problems)
    problems.raise_if_any()
    config = json.loads(json.dumps(config))
    return config | {"seeds": config["seeds"][: config["scales"][config["scale"]]["seeds"]]}


def _items(value: Any) -> list:
    if isinstance(value, str):
        return [part.strip() for part in value.split(",")]
    return value if isinstance(value, list) else [value]


def _as(kind: type, item: Any) -> Any:
    """A whole number out of its text; anything else unchanged, for the schema to judge."""
    return int(item) if kind is int and isinstance(item, str) and item.isdecimal() else item


def _relative(path: Path) -> Path:
    """``path`` from the working directory, if that lies above it."""
    path, here = path.absolute(), Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
