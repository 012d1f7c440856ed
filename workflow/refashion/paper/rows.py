"""A paper's rows: from entries in YAML to checked, complete settings of a training."""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args, get_origin, get_type_hints

from refashion.paper.architectures import ARCHITECTURES
from refashion.paper.checked_yaml import Problems, show, unknown
from refashion.paper.layers import Layer, Network, ShapeError

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
    ``reading_of`` is the id of the row that a sensitivity study varies with this one.
    """

    paper: str
    file: str
    id: str
    spec: dict[str, Any]
    aliases: tuple[str, ...] = ()
    variant_of: str | None = None
    note: str | None = None
    donor_sha256: str | None = None
    reading_of: str | None = None

    @property
    def name(self) -> str:
        """The row's target in the workflow."""
        return target_name(self.paper, self.id)

    @property
    def alias_names(self) -> tuple[str, ...]:
        """Targets that stand for this row too."""
        return tuple(target_name(self.paper, alias) for alias in self.aliases)

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
    def settings(self) -> str:
        """The spec as text, the same for the same settings."""
        return _canonical(self.spec)

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


def build_rows(
    data: Mapping[str, Any], entries: list[tuple[int, dict]], file: str, problems: Problems
) -> dict[int, Row]:
    """Rows by their index; one with a problem is left out."""
    built = {
        index: build_row(data, entry, file, f"rows[{index}]", problems) for index, entry in entries
    }
    return {index: row for index, row in built.items() if row is not None}


def build_row(
    data: Mapping[str, Any], entry: Mapping[str, Any], file: str, at: str, problems: Problems
) -> Row | None:
    """The row of an entry and the defaults in ``data``; None, and problems at ``at``, if wrong."""
    usual = USUAL | data["defaults"]
    spec = {key: entry.get(key, default) for key, default in usual.items()}
    spec |= {key: entry.get(key) for key in ("architecture", "parameters", "encoder")}
    idle, owner = ("momentum", "sgd") if spec["optimizer"] == "adam" else ("epsilon", "adam")
    if idle in entry:
        problems.add(
            f"{at}.{idle}",
            f"{show(entry[idle])} does nothing with {spec['optimizer']}; allowed with "
            f"optimizer: {owner}",
        )
    spec[idle] = None
    misfits = list(_misfits(spec["architecture"], spec["parameters"]))
    for key, text in misfits:
        problems.add(f"{at}.{key}", text)
    if misfits:
        return None
    spec = _plain(spec)
    try:
        _network(spec)
    except ShapeError as error:
        problems.add(f"{at}.parameters", f"{show(spec['parameters'])} do not fit: {error}")
        return None
    for key, text in _contradictions(spec):
        problems.add(f"{at}.{key}", text)
    return Row(
        paper=str(data.get("key")),
        file=file,
        id=entry["id"],
        spec=spec,
        aliases=tuple(entry.get("aliases", ())),
        variant_of=entry.get("variant_of"),
        note=entry.get("note"),
    )


def _misfits(architecture: str, parameters: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(key, what is wrong) of parameters that the architecture's function does not take."""
    if architecture not in ARCHITECTURES:
        yield "architecture", unknown(architecture, ARCHITECTURES, "architecture")
        return
    function = ARCHITECTURES[architecture]
    hints = get_type_hints(function)
    defaults = {
        name: parameter.default
        for name, parameter in inspect.signature(function).parameters.items()
        if name != "dropout"
    }
    wanted = [name for name, default in defaults.items() if default is inspect.Parameter.empty]
    for name, value in parameters.items():
        if name not in defaults:
            yield f"parameters.{name}", unknown(name, defaults, f"parameter of {architecture}")
        elif value == defaults[name]:
            # One way of writing each training: its hash decides what is trained again.
            yield f"parameters.{name}", f"{show(value)} is the default; allowed: leave it out"
        elif get_origin(hints[name]) is Literal:
            if value not in get_args(hints[name]):
                yield f"parameters.{name}", unknown(value, get_args(hints[name]), "choice here")
        elif not isinstance(value, hints[name]):
            or_null = " or null" if type(None) in get_args(hints[name]) else ""
            yield f"parameters.{name}", f"{show(value)} is not a whole number in [1, ∞){or_null}"
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
        yield "split", f"{show(split)} are more than {TRAINING_IMAGES:,} images"
    late = [epoch for epoch in spec["snapshots"] if epoch > epochs]
    if late:
        yield "snapshots", f"{show(late)} are not in [0, {epochs}], the row's epochs"
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


def target_name(paper: str, row: str) -> str:
    """What a row of this id or alias is called in the workflow."""
    return f"{paper}_{row}".replace("-", "_")


def check_names(data: Mapping[str, Any], problems: Problems) -> dict[str, int]:
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
            at, target = f"rows[{index}].{key}", target_name("", name)
            if target in targets:
                where, other = targets[target]
                problems.add(
                    at,
                    f"{show(name)} is taken by {where}"
                    + (f" {show(other)}: both give one target" if other != name else "")
                    + "; allowed: a name of its own",
                )
                continue
            targets[target] = (at, name)
            names[name] = index
    return names


def check_encoders(
    entries: list[tuple[int, dict]],
    rows: Mapping[int, Row],
    names: Mapping[str, int],
    problems: Problems,
) -> None:
    """Each reused encoder is that of a reconstruction, for a classifier with the same encoder."""
    for index, entry in entries:
        if "encoder" not in entry:
            continue
        name = entry["encoder"]["row"]
        at = f"rows[{index}].encoder.row"
        if name not in names:
            problems.add(at, unknown(name, names, "row of this paper"))
            continue
        row, donor = rows.get(index), rows.get(names[name])
        if row is None or donor is None:
            continue  # said already
        row.spec["encoder"]["row"] = donor.id  # whatever alias it was called by
        if row.task == "reconstruction":
            problems.add(
                f"rows[{index}].encoder",
                f"{show(entry['encoder'])} on a reconstruction; allowed: on a classification",
            )
        elif donor.task == "classification":
            reconstructions = [r.id for r in rows.values() if r.task == "reconstruction"]
            problems.add(
                at,
                f"{show(name)} is a classification; allowed is a reconstruction: "
                f"{', '.join(reconstructions) or 'none'}",
            )
        elif misfit := encoder_misfit(row, donor):
            problems.add(at, f"{misfit}; allowed: a row with the same encoder, layer by layer")


def encoder_misfit(row: Row, donor: Row) -> str | None:
    """Why ``row`` cannot start from the trained encoder of ``donor``, if it cannot."""
    if _without_dropout(donor.network.encoder) == _without_dropout(row.network.encoder):
        return None
    return (
        f"the encoder of {show(donor.id)} gives a code of shape {donor.network.code_shape}, "
        f"{row.spec['architecture']} needs its own layers with a code of shape "
        f"{row.network.code_shape}"
    )


def _without_dropout(layers: Iterable[Layer]) -> list[Layer]:
    return [replace(layer, dropout=0.0) if hasattr(layer, "dropout") else layer for layer in layers]


def with_donors(rows: Mapping[int, Row], names: Mapping[str, int]) -> tuple[Row, ...]:
    """Rows in their order, each that reuses an encoder with the hash of the spec behind it."""
    return tuple(
        replace(row, donor_sha256=rows[names[row.encoder["row"]]].spec_sha256)
        if row.encoder
        else row
        for row in rows.values()
    )


def check_same_settings(rows: Mapping[int, Row], problems: Problems) -> None:
    """No two rows are one training."""
    first: dict[str, int] = {}
    for index, row in rows.items():
        other = first.setdefault(row.settings, index)
        if other != index:
            problems.add(
                f"rows[{index}]",
                f"{show(row.id)} has the settings of rows[{other}] {show(rows[other].id)}: "
                "one training; allowed: make it an alias of that row",
            )


def check_variants(
    entries: list[tuple[int, dict]],
    rows: Mapping[int, Row],
    names: Mapping[str, int],
    problems: Problems,
) -> None:
    """A variant of ours varies a row of the paper, of its own task."""
    for index, entry in entries:
        name = entry.get("variant_of")
        if name is None:
            continue
        at = f"rows[{index}].variant_of"
        if name not in names:
            problems.add(at, unknown(name, names, "row of this paper"))
            continue
        row, base = rows.get(index), rows.get(names[name])
        if row is None or base is None:
            continue
        if base.variant_of is not None or base is row:
            problems.add(at, f"{show(name)} is itself a variant; allowed: a row of the paper")
        elif base.task != row.task:
            problems.add(at, f"{show(name)} is a {base.task}; allowed: a {row.task}, as the row")
