"""Papers and configuration as checked data: from YAML to rows that can be trained.

Everything that is wrong is said at once, a line a problem: file, key, value and what is allowed.
Free of torch, so that a whole workflow is checked before its first job starts.
"""

from __future__ import annotations

import difflib
import hashlib
import inspect
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import yaml
from jsonschema import Draft202012Validator, ValidationError, validators

from refashion.architectures import ARCHITECTURES
from refashion.errors import UserError
from refashion.layers import Layer, Network, ShapeError

CONFIG_FILE = "config.yaml"
PAPERS_FOLDER = Path("workflow/papers")
SCHEMAS_FOLDER = Path(__file__).parents[1] / "schemas"
TRAINING_IMAGES = 60_000

# What a row takes for a key that its paper's defaults leave out too.
USUAL: dict[str, Any] = {
    "epsilon": 1e-8,
    "early_stopping": None,
    "keep": "last",
    "split": {"train": TRAINING_IMAGES, "validation": 0},
    "validation_dropout": False,
    "snapshots": [],
}


@dataclass(frozen=True)
class Row:
    """One training of a paper: its settings, and the names that the paper's tables give it.

    ``spec`` is all that decides the row's number besides images, seed and code, complete and
    sorted: architecture, parameters, dropout, optimizer, learning_rate, momentum (None for Adam),
    epsilon (None for SGD), batch_size, epochs, normalisation, encoder (None or {row, frozen}),
    early_stopping (None or {patience, min_delta}), keep, split, validation_dropout, snapshots.
    """

    paper: str
    file: str
    id: str
    spec: dict[str, Any]
    aliases: tuple[str, ...] = ()
    variant_of: str | None = None
    note: str | None = None
    donor_sha256: str | None = None

    @property
    def name(self) -> str:
        """The row's target in the workflow."""
        return _target(self.paper, self.id)

    @property
    def alias_names(self) -> tuple[str, ...]:
        """Targets that stand for this row too."""
        return tuple(_target(self.paper, alias) for alias in self.aliases)

    @property
    def network(self) -> Network:
        """The layer table with this row's parameters and dropout filled in."""
        return _network(self.spec)

    @property
    def task(self) -> str:
        """``reconstruction`` or ``classification``."""
        return self.network.task

    @property
    def encoder(self) -> dict[str, Any] | None:
        """{row, frozen}: the row whose trained encoder this one starts from, if any."""
        return self.spec["encoder"]

    @property
    def spec_sha256(self) -> str:
        """Hash of the spec; a reused encoder counts in it with its own row's spec, not its id."""
        decides = dict(self.spec)
        if self.encoder:
            decides["encoder"] = {
                "frozen": self.encoder["frozen"],
                "spec_sha256": self.donor_sha256,
            }
        return hashlib.sha256(_canonical(decides).encode()).hexdigest()


@dataclass(frozen=True)
class Paper:
    """A paper's file, checked. What is neither citation, protocol nor row is as in the YAML."""

    key: str
    file: str
    citation: dict[str, Any]
    protocol: dict[str, str]
    rows: tuple[Row, ...]
    tables: list[dict[str, Any]]
    confusion_matrices: list[dict[str, Any]]
    figures: list[dict[str, Any]]
    assumptions: list[dict[str, str]]
    claims: list[dict[str, str]]

    def row(self, name: str) -> Row:
        """The row with this id or alias.

        Raises:
            UserError: there is none.
        """
        for row in self.rows:
            if name == row.id or name in row.aliases:
                return row
        names = [name for row in self.rows for name in (row.id, *row.aliases)]
        raise UserError(f"{self.file}: rows: {_unknown(name, names, 'row')}")


def load_paper(path: Path | str) -> Paper:
    """Read and check one paper's file.

    Raises:
        UserError: the file cannot be read or anything in it is wrong; a line for every problem.
    """
    path = Path(path)
    problems = _Problems(str(path))
    data = _read_yaml(path)
    broken = _check_schema(data, "paper", problems)

    def sound(section: str) -> list[tuple[int, dict]]:
        """(index, entry) of the entries that have the right form: later checks meet no others."""
        entries = data.get(section)
        entries = enumerate(entries if isinstance(entries, list) else [])
        return [(i, entry) for i, entry in entries if (section, i) not in broken]

    if isinstance(data.get("key"), str) and data["key"] != path.stem:
        problems.add("key", f"{_show(data['key'])} is not the file's name, {path.stem!r}")
    entries = [] if ("defaults",) in broken else sound("rows")
    rows = _build_rows(data, entries, str(path), problems)
    names = _check_names(data, problems)
    _check_encoders(sound("rows"), rows, names, problems)
    _check_same_settings(rows, problems)
    _check_variants(sound("rows"), rows, names, problems)
    tables, figures = sound("tables"), sound("figures")
    _check_tables(tables, rows, names, problems)
    matrices = sound("confusion_matrices")
    _check_confusion_matrices(matrices, rows, names, problems)
    printed = {names.get(matrix["row"]) for _, matrix in matrices}
    _check_figures(figures, rows, names, printed, problems)
    # Tables and figures share the anchors of one report.
    _check_unique_ids({"tables": tables, "figures": figures}, problems)
    for section in ("assumptions", "claims"):
        _check_unique_ids({section: sound(section)}, problems)
    problems.raise_if_any()
    return Paper(
        key=data["key"],
        file=str(path),
        citation=data["citation"],
        protocol=data["protocol"],
        rows=_with_donors(rows, names),
        tables=data["tables"],
        confusion_matrices=data.get("confusion_matrices", []),
        figures=data["figures"],
        assumptions=data["assumptions"],
        claims=data["claims"],
    )


def load_papers(config: Mapping[str, Any], root: Path) -> list[Paper]:
    """Read and check the papers that a checked configuration names, in its order.

    Args:
        config: as :func:`validate_config` returns it.
        root: the repository. Paths are kept relative to the working directory where it lies
            above them, so that they are the same on every machine.

    Raises:
        UserError: as :func:`load_paper`, for all papers together; or there is no such paper.
    """
    folder = Path(root) / PAPERS_FOLDER
    available = sorted(file.stem for file in folder.glob("*.yaml"))
    papers, problems = [], []
    for index, key in enumerate(config["papers"]):
        if key not in available:
            unknown = _unknown(key, available, f"paper in {PAPERS_FOLDER}")
            problems.append(f"{CONFIG_FILE}: papers[{index}]: {unknown}")
            continue
        try:
            papers.append(load_paper(_relative(folder / f"{key}.yaml")))
        except UserError as error:
            problems.append(str(error))
    targets: dict[str, Row] = {}
    for row in (row for paper in papers for row in paper.rows):
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

    ``papers`` and ``seeds`` may also be as they come from a command line: ``--config seeds=0``,
    ``papers=one,two``, ``seeds=[0,1]`` (whose items Snakemake hands over as text).

    Raises:
        UserError: a line for every problem.
    """
    problems = _Problems(CONFIG_FILE)
    config = dict(config)
    for key, kind in (("papers", str), ("seeds", int)):
        if key in config:
            config[key] = [_as(kind, item) for item in _items(config[key])]
    _check_schema(config, "config", problems)
    problems.raise_if_any()
    return json.loads(json.dumps(config))


def _items(value: Any) -> list:
    if isinstance(value, str):
        return [part.strip() for part in value.split(",")]
    return value if isinstance(value, list) else [value]


def _as(kind: type, item: Any) -> Any:
    """A whole number out of its text; anything else unchanged, for the schema to judge."""
    return int(item) if kind is int and isinstance(item, str) and item.isdecimal() else item


# ---- problems and how they are said -------------------------------------------------------------


class _Problems:
    """What is wrong with one file."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.lines: list[str] = []

    def add(self, at: str, text: str) -> None:
        self.lines.append(": ".join(filter(None, (self.file, at, text))))

    def raise_if_any(self) -> None:
        if self.lines:
            raise UserError("\n".join(dict.fromkeys(self.lines)))


def _at(keys: Iterable[str | int]) -> str:
    """``rows[3].dropout``"""
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys).lstrip(".")


def _show(value: Any) -> str:
    """A value as YAML writes it, shortened."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _unknown(name: Any, known: Iterable[str], what: str) -> str:
    """``'x' is no row; did you mean 'y'? allowed: y, z``"""
    known = list(known)
    close = difflib.get_close_matches(str(name), known, n=1)
    meant = f"did you mean {close[0]!r}? " if close else ""
    return f"{_show(name)} is no {what}; {meant}allowed: {', '.join(known) or 'none'}"


# ---- reading ------------------------------------------------------------------------------------


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
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
                shown = _show(written) if isinstance(written, str) else "a list or mapping"
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


def _read_yaml(path: Path) -> dict[str, Any]:
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
        raise UserError(f"{path}: {_show(data)} is not a mapping of keys to values")
    return data


def _relative(path: Path) -> Path:
    """``path`` from the working directory, if that lies above it."""
    path, here = path.absolute(), Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


# ---- the schema, and its errors in plain words --------------------------------------------------


def _is_number(_checker: Any, value: Any) -> bool:
    return type(value) in (int, float) and abs(value) <= sys.float_info.max


def _is_integer(_checker: Any, value: Any) -> bool:
    return type(value) is int


# JSON knows no NaN and no infinity, and takes 30.0 for an integer; YAML is another matter.
_Validator = validators.extend(
    Draft202012Validator,
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine_many(
        {"number": _is_number, "integer": _is_integer}
    ),
)


@cache
def _validator(name: str) -> Draft202012Validator:
    return _Validator(_read_yaml(SCHEMAS_FOLDER / f"{name}.schema.yaml"))


def _check_schema(data: Mapping[str, Any], name: str, problems: _Problems) -> set[tuple]:
    """Note what the schema does not allow.

    Returns:
        The sections, as (section,), and their entries, as (section, index), with a problem.
    """
    broken: set[tuple] = set()
    errors = _validator(name).iter_errors(data)
    for error in sorted(errors, key=lambda error: [f"{key:>6}" for key in error.absolute_path]):
        keys = tuple(error.absolute_path)
        broken |= {keys[:1], keys[:2]}
        for extra, text in _explain(error):
            problems.add(_at((*keys, *extra)), text)
    return broken


def _explain(error: ValidationError) -> Iterator[tuple[tuple, str]]:
    """(keys below the error's path, what is wrong and what is allowed there)."""
    schema, value = error.schema, error.instance
    if error.validator == "additionalProperties":
        known = schema.get("properties", {})
        for key in sorted(set(value) - set(known)):
            yield (key,), _unknown(key, known, "key here")
    elif error.validator == "required":
        for key in schema["required"]:
            if key not in value:
                yield (key,), f"is missing; needed here: {', '.join(schema['required'])}"
    elif error.validator in ("minItems", "minProperties") and not value:
        yield (), f"{_show(value)} is empty; at least one entry is needed"
    elif error.validator == "uniqueItems":
        twice = [_show(entry) for i, entry in enumerate(value) if entry in value[:i]]
        yield (), f"{', '.join(twice)} stands twice; allowed: once each"
    elif error.validator in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"):
        yield (), f"{_show(value)} is not in {_interval(schema)}"
    else:
        yield (), f"{_show(value)} is not {_allowed(schema)}"


def _allowed(schema: Mapping[str, Any]) -> str:
    """What a schema allows, in words."""
    if "description" in schema:
        return schema["description"]
    if "enum" in schema:
        return f"one of {', '.join(map(str, schema['enum']))}"
    if "const" in schema:
        return str(schema["const"])
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return " or ".join(_kind(kind, schema) for kind in kinds)


def _kind(kind: str, schema: Mapping[str, Any]) -> str:
    if kind in ("number", "integer"):
        noun = "a number" if kind == "number" else "a whole number"
        if "multipleOf" in schema:
            noun = f"a multiple of {schema['multipleOf']}"
        interval = _interval(schema)
        return noun if interval == "(−∞, ∞)" else f"{noun} in {interval}"
    return {
        "string": "text",
        "boolean": "true or false",
        "null": "null",
        "array": "a list",
        "object": "a mapping of keys to values",
    }[kind]


def _interval(schema: Mapping[str, Any]) -> str:
    """``[0, 1)``"""
    low, high = "(−∞", "∞)"
    if "minimum" in schema:
        low = f"[{schema['minimum']}"
    if "exclusiveMinimum" in schema:
        low = f"({schema['exclusiveMinimum']}"
    if "maximum" in schema:
        high = f"{schema['maximum']}]"
    if "exclusiveMaximum" in schema:
        high = f"{schema['exclusiveMaximum']})"
    return f"{low}, {high}"


# ---- rows ---------------------------------------------------------------------------------------


def _build_rows(
    data: Mapping[str, Any], entries: list[tuple[int, dict]], file: str, problems: _Problems
) -> dict[int, Row]:
    """Rows by their index; one with a problem is left out."""
    rows = {}
    for index, entry in entries:
        at = f"rows[{index}]"
        usual = USUAL | data["defaults"]
        spec = {key: entry.get(key, default) for key, default in usual.items()}
        spec |= {key: entry.get(key) for key in ("architecture", "parameters", "encoder")}
        idle, owner = ("momentum", "sgd") if spec["optimizer"] == "adam" else ("epsilon", "adam")
        if idle in entry:
            problems.add(
                f"{at}.{idle}",
                f"{_show(entry[idle])} does nothing with {spec['optimizer']}; allowed with "
                f"optimizer: {owner}",
            )
        spec[idle] = None
        misfits = list(_misfits(spec["architecture"], spec["parameters"]))
        for key, text in misfits:
            problems.add(f"{at}.{key}", text)
        if misfits:
            continue
        spec = _plain(spec)
        try:
            _network(spec)
        except ShapeError as error:
            problems.add(f"{at}.parameters", f"{_show(spec['parameters'])} do not fit: {error}")
            continue
        for key, text in _contradictions(spec):
            problems.add(f"{at}.{key}", text)
        rows[index] = Row(
            paper=str(data.get("key")),
            file=file,
            id=entry["id"],
            spec=spec,
            aliases=tuple(entry.get("aliases", ())),
            variant_of=entry.get("variant_of"),
            note=entry.get("note"),
        )
    return rows


def _misfits(architecture: str, parameters: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(key, what is wrong) of parameters that the architecture's function does not take."""
    if architecture not in ARCHITECTURES:
        yield "architecture", _unknown(architecture, ARCHITECTURES, "architecture")
        return
    function = ARCHITECTURES[architecture]
    hints = get_type_hints(function)
    wanted = [name for name in inspect.signature(function).parameters if name != "dropout"]
    for name, value in parameters.items():
        if name not in wanted:
            yield f"parameters.{name}", _unknown(name, wanted, f"parameter of {architecture}")
        elif get_origin(hints[name]) is Literal:
            if value not in get_args(hints[name]):
                yield f"parameters.{name}", _unknown(value, get_args(hints[name]), "choice here")
        elif not isinstance(value, hints[name]):
            or_null = " or null" if type(None) in get_args(hints[name]) else ""
            yield f"parameters.{name}", f"{_show(value)} is not a whole number in [1, ∞){or_null}"
    for name in wanted:
        if name not in parameters:
            yield f"parameters.{name}", f"is missing; {architecture} takes {', '.join(wanted)}"


def _contradictions(spec: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(key, what is wrong) of settings that are allowed each by itself, and not together."""
    dropout, epochs, split = spec["dropout"], spec["epochs"], spec["split"]
    if dropout and not _has_dropout(spec["architecture"]):
        yield "dropout", f"{dropout:g} does nothing in {spec['architecture']}; allowed: 0"
    if spec["validation_dropout"] and not dropout:
        yield "validation_dropout", "true does nothing with dropout 0; allowed: false"
    if isinstance(spec["keep"], int) and spec["keep"] > epochs:
        yield "keep", f"{spec['keep']} is not in [1, {epochs}], the row's epochs"
    if split["train"] + split["validation"] > TRAINING_IMAGES:
        yield "split", f"{_show(split)} are more than {TRAINING_IMAGES:,} images"
    late = [epoch for epoch in spec["snapshots"] if epoch > epochs]
    if late:
        yield "snapshots", f"{_show(late)} are not in [0, {epochs}], the row's epochs"
    if spec["snapshots"] and _network(spec).task == "classification":
        yield "snapshots", "on a classification; allowed: on a reconstruction"


def _has_dropout(architecture: str) -> bool:
    return "dropout" in inspect.signature(ARCHITECTURES[architecture]).parameters


def _plain(spec: Mapping[str, Any]) -> dict[str, Any]:
    """A spec with sorted keys and one way of writing each number: 0 and 0.0 are one dropout."""
    plain = dict(spec)
    for key in ("dropout", "learning_rate", "momentum", "epsilon"):
        plain[key] = None if spec[key] is None else float(spec[key])
    if spec["early_stopping"]:
        min_delta = float(spec["early_stopping"]["min_delta"])
        plain["early_stopping"] = spec["early_stopping"] | {"min_delta": min_delta}
    plain["snapshots"] = sorted(spec["snapshots"])
    plain["normalisation"] = {key: float(value) for key, value in spec["normalisation"].items()}
    return json.loads(_canonical(plain))


def _canonical(spec: Mapping[str, Any]) -> str:
    return json.dumps(spec, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _network(spec: Mapping[str, Any]) -> Network:
    architecture = spec["architecture"]
    dropout = {"dropout": spec["dropout"]} if _has_dropout(architecture) else {}
    return ARCHITECTURES[architecture](**spec["parameters"], **dropout)


def _target(paper: str, row: str) -> str:
    return f"{paper}_{row}".replace("-", "_")


def _check_names(data: Mapping[str, Any], problems: _Problems) -> dict[str, int]:
    """Every id and alias, also of rows that are wrong otherwise, with its row's index."""
    names: dict[str, int] = {}
    targets: dict[str, tuple[str, str]] = {}
    rows = data.get("rows")
    for index, entry in enumerate(rows if isinstance(rows, list) else []):
        if not isinstance(entry, dict):
            continue
        aliases = entry.get("aliases")
        places = [("id", entry.get("id"))]
        places += [
            (f"aliases[{i}]", alias)
            for i, alias in enumerate(aliases if isinstance(aliases, list) else [])
        ]
        for key, name in places:
            if not isinstance(name, str):
                continue
            at, target = f"rows[{index}].{key}", _target("", name)
            if target in targets:
                where, other = targets[target]
                problems.add(
                    at,
                    f"{_show(name)} is taken by {where}"
                    + (f" {_show(other)}: both give one target" if other != name else "")
                    + "; allowed: a name of its own",
                )
                continue
            targets[target] = (at, name)
            names[name] = index
    return names


def _check_encoders(
    entries: list[tuple[int, dict]],
    rows: Mapping[int, Row],
    names: Mapping[str, int],
    problems: _Problems,
) -> None:
    """Each reused encoder is that of a reconstruction, for a classifier with the same encoder."""
    for index, entry in entries:
        if "encoder" not in entry:
            continue
        name = entry["encoder"]["row"]
        at = f"rows[{index}].encoder.row"
        if name not in names:
            problems.add(at, _unknown(name, names, "row of this paper"))
            continue
        row, donor = rows.get(index), rows.get(names[name])
        if row is None or donor is None:
            continue  # said already
        row.spec["encoder"]["row"] = donor.id  # whatever alias it was called by
        if row.task == "reconstruction":
            problems.add(
                f"rows[{index}].encoder",
                f"{_show(entry['encoder'])} on a reconstruction; allowed: on a classification",
            )
        elif donor.task == "classification":
            reconstructions = [r.id for r in rows.values() if r.task == "reconstruction"]
            problems.add(
                at,
                f"{_show(name)} is a classification; allowed is a reconstruction: "
                f"{', '.join(reconstructions) or 'none'}",
            )
        elif _without_dropout(donor.network.encoder) != _without_dropout(row.network.encoder):
            problems.add(
                at,
                f"the encoder of {_show(name)} gives a code of shape {donor.network.code_shape}, "
                f"{row.spec['architecture']} needs its own layers with a code of shape "
                f"{row.network.code_shape}; allowed: a row with the same encoder, layer by layer",
            )


def _without_dropout(layers: Iterable[Layer]) -> list[Layer]:
    return [replace(layer, dropout=0.0) if hasattr(layer, "dropout") else layer for layer in layers]


def _with_donors(rows: Mapping[int, Row], names: Mapping[str, int]) -> tuple[Row, ...]:
    """Rows in their order, each that reuses an encoder with the hash of the spec behind it."""
    return tuple(
        replace(row, donor_sha256=rows[names[row.encoder["row"]]].spec_sha256)
        if row.encoder
        else row
        for row in rows.values()
    )


def _check_same_settings(rows: Mapping[int, Row], problems: _Problems) -> None:
    first: dict[str, int] = {}
    for index, row in rows.items():
        other = first.setdefault(_canonical(row.spec), index)
        if other != index:
            problems.add(
                f"rows[{index}]",
                f"{_show(row.id)} has the settings of rows[{other}] {_show(rows[other].id)}: "
                "one training; allowed: make it an alias of that row",
            )


def _check_variants(
    entries: list[tuple[int, dict]],
    rows: Mapping[int, Row],
    names: Mapping[str, int],
    problems: _Problems,
) -> None:
    for index, entry in entries:
        name = entry.get("variant_of")
        if name is None:
            continue
        at = f"rows[{index}].variant_of"
        if name not in names:
            problems.add(at, _unknown(name, names, "row of this paper"))
            continue
        row, base = rows.get(index), rows.get(names[name])
        if row is None or base is None:
            continue
        if base.variant_of is not None or base is row:
            problems.add(at, f"{_show(name)} is itself a variant; allowed: a row of the paper")
        elif base.task != row.task:
            problems.add(at, f"{_show(name)} is a {base.task}; allowed: a {row.task}, as the row")


# ---- tables and figures -------------------------------------------------------------------------


def _check_tables(
    tables: list[tuple[int, dict]],
    rows: Mapping[int, Row],
    names: Mapping[str, int],
    problems: _Problems,
) -> None:
    for index, table in tables:
        at = f"tables[{index}]"
        metrics = table["metrics"]
        for key, metric in metrics.items():
            unit = _unit(metric["metric"])
            if metric["unit"] != unit:
                problems.add(
                    f"{at}.metrics.{key}.unit",
                    f"{_show(metric['unit'])} does not fit {metric['metric']}; allowed: {unit}",
                )
            if unit == "epochs" and metric["at"] == "best":
                problems.add(
                    f"{at}.metrics.{key}.at",
                    "best is not for epochs; allowed: final, kept, lowest",
                )
        seen: dict[int, int] = {}
        known_settings: set[str] = set()
        for position, line in enumerate(table["lines"]):
            at_line = f"{at}.lines[{position}]"
            _check_published(line["published"], metrics, f"{at_line}.published", problems)
            if line["row"] not in names:
                problems.add(f"{at_line}.row", _unknown(line["row"], names, "row of this paper"))
                continue
            other = seen.setdefault(names[line["row"]], position)
            if other != position:
                problems.add(
                    f"{at_line}.row",
                    f"{_show(line['row'])} is the row of lines[{other}] too; allowed: once a table",
                )
            row = rows.get(names[line["row"]])
            if row is None:
                continue
            known_settings |= ({*row.spec} - {"parameters"}) | {*row.spec["parameters"]}
            for metric in metrics.values():
                for reason in _unmeasured(row, metric["metric"]):
                    problems.add(f"{at_line}.row", f"{_show(line['row'])} {reason}")
        for position, setting in enumerate(table["settings"]):
            if known_settings and setting not in known_settings:
                problems.add(
                    f"{at}.settings[{position}]",
                    _unknown(setting, sorted(known_settings), "setting of these rows"),
                )


def _check_published(
    published: Mapping[str, float], metrics: Mapping[str, Any], at: str, problems: _Problems
) -> None:
    for key, value in published.items():
        if key not in metrics:
            problems.add(f"{at}.{key}", _unknown(key, metrics, "metric of this table"))
        elif metrics[key]["unit"] == "percent" and value > 100:
            problems.add(f"{at}.{key}", f"{_show(value)} is not in [0, 100]")
        elif round(value, metrics[key]["digits"]) != value:
            problems.add(
                f"{at}.{key}",
                f"{_show(value)} has more than {metrics[key]['digits']} decimals; "
                "allowed: as many as the metric's digits",
            )


def _unit(metric: str) -> str:
    if metric == "epoch":
        return "epochs"
    return "percent" if "accuracy" in metric else "loss"


def _unmeasured(row: Row, metric: str) -> Iterator[str]:
    """Why a row has no such metric; ``metric`` may be a series (``test``) or a column of it."""
    if "accuracy" in metric and row.task == "reconstruction":
        yield f"is a reconstruction and has no {metric}; allowed: a classification"
    if metric.startswith("test") and not row.spec["split"]["validation"]:
        yield (
            f"has no {metric}: its test images are its validation set; "
            "allowed: a row with split.validation above 0"
        )
    if metric.startswith("val_dropout") and not row.spec["validation_dropout"]:
        yield f"has no {metric}; allowed: a row with validation_dropout: true"


def _check_confusion_matrices(
    matrices: list[tuple[int, dict]],
    rows: Mapping[int, Row],
    names: Mapping[str, int],
    problems: _Problems,
) -> None:
    first: dict[int, int] = {}
    for index, matrix in matrices:
        at = f"confusion_matrices[{index}].row"
        if matrix["row"] not in names:
            problems.add(at, _unknown(matrix["row"], names, "row of this paper"))
            continue
        other = first.setdefault(names[matrix["row"]], index)
        if other != index:
            problems.add(
                at,
                f"{_show(matrix['row'])} is the row of confusion_matrices[{other}] too; "
                "allowed: one matrix a row",
            )
        row = rows.get(names[matrix["row"]])
        if row is not None and row.task != "classification":
            problems.add(at, f"{_show(matrix['row'])} is a {row.task}; allowed: a classification")


# The keys that a kind of figure takes besides id, label, caption, rows and shows.
FIGURE_KEYS = {
    "curves": {"metric", "series", "scale"},
    "bars": {"metric", "series"},
    "confusion": {"normalised"},
    "confusion_difference": set(),
    "reconstructions": set(),
    "snapshots": set(),
    "examples": set(),
}
FIGURE_TASKS = {
    "confusion": "classification",
    "confusion_difference": "classification",
    "examples": "classification",
    "reconstructions": "reconstruction",
    "snapshots": "reconstruction",
}


def _check_figures(
    figures: list[tuple[int, dict]],
    rows: Mapping[int, Row],
    names: Mapping[str, int],
    printed: set[int | None],
    problems: _Problems,
) -> None:
    """``printed``: indices of the rows whose confusion matrix the paper prints."""
    for index, figure in figures:
        at, kind, metric = f"figures[{index}]", figure["kind"], figure.get("metric")
        takes = FIGURE_KEYS[kind]
        if "metric" in takes and metric is None:
            problems.add(f"{at}.metric", f"is missing; {kind} need one of loss, accuracy")
        for key in ("metric", "series", "scale", "normalised"):
            if key in figure and key not in takes:
                kinds = [other for other, keys in FIGURE_KEYS.items() if key in keys]
                problems.add(
                    f"{at}.{key}", f"{_show(figure[key])} on {kind}; allowed: on {', '.join(kinds)}"
                )
        needed = "classification" if metric == "accuracy" else FIGURE_TASKS.get(kind)
        for position, name in enumerate(figure["rows"]):
            at_row = f"{at}.rows[{position}]"
            if name not in names:
                problems.add(at_row, _unknown(name, names, "row of this paper"))
                continue
            row = rows.get(names[name])
            if row is None:
                continue
            if needed not in (None, row.task):
                what = f"{metric} {kind}" if "metric" in takes else kind
                problems.add(
                    at_row, f"{_show(name)} is a {row.task}; allowed for {what}: a {needed}"
                )
            for series in figure.get("series", ()):
                for reason in _unmeasured(row, series):
                    problems.add(at_row, f"{_show(name)} {reason}")
            if kind == "snapshots" and not row.spec["snapshots"]:
                problems.add(at_row, f"{_show(name)} has none; allowed: a row with snapshots")
            if kind == "confusion_difference" and names[name] not in printed:
                problems.add(
                    at_row,
                    f"{_show(name)} has no published matrix; allowed: a row of confusion_matrices",
                )


def _check_unique_ids(sections: Mapping[str, list[tuple[int, dict]]], problems: _Problems) -> None:
    first: dict[str, str] = {}
    for section, entries in sections.items():
        for index, entry in entries:
            at = f"{section}[{index}].id"
            other = first.setdefault(entry["id"], at)
            if other != at:
                problems.add(
                    at, f"{_show(entry['id'])} is taken by {other}; allowed: an id of its own"
                )
