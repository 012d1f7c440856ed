"""A paper's rows: from entries of its file to checked, complete settings of a training."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from pydantic import Field

from refashion.paper.architectures import ARCHITECTURES
from refashion.paper.layers import Layer, Network, ShapeError
from refashion.paper.problems import Problems, inside, show, unknown
from refashion.paper.record import Distinct, Id, Text
from refashion.paper.sheet import Sheet
from refashion.paper.spec import (
    TRAINING_IMAGES,
    BatchSize,
    Encoder,
    Epochs,
    Normalisation,
    Parameter,
    Positive,
    Row,
    Settings,
    Share,
    Spec,
    canonical,
    target_name,
)


class Defaults(Settings):
    """The settings of every row that says nothing else."""

    dropout: Share = Field(default=...)
    optimizer: Literal["adam", "sgd"] = Field(default=...)
    learning_rate: Positive = Field(default=...)
    momentum: Share = Field(default=...)
    batch_size: BatchSize = Field(default=...)
    epochs: Epochs = Field(default=...)
    normalisation: Normalisation = Field(default=...)


class Entry(Settings):
    """A row of the file, one training; what several tables print is one row with aliases."""

    id: Id
    architecture: Text
    parameters: dict[str, Parameter]
    encoder: Encoder | None = None
    aliases: Annotated[Distinct[Id], Field(min_length=1)] = ()
    variant_of: Id | None = None
    """The row of the paper that this one, of ours, varies."""
    note: Text | None = None


@dataclass(frozen=True)
class Origin:
    """The paper's key, its file, and the settings that its rows share."""

    key: str
    file: str
    defaults: Defaults


def build_rows(origin: Origin, entries: Mapping[int, Entry], problems: Problems) -> dict[int, Row]:
    """Rows by their index; one with a problem is left out."""
    built = {
        index: build_row(origin, entry, f"rows[{index}]", problems)
        for index, entry in entries.items()
    }
    return {index: row for index, row in built.items() if row is not None}


def build_row(origin: Origin, entry: Entry, at: str, problems: Problems) -> Row | None:
    """The row of an entry and the paper's defaults; None, and problems at ``at``, if wrong."""
    given = {**origin.defaults.given(), **entry.given()}
    spec = Spec(**{key: value for key, value in given.items() if key in Spec.model_fields})
    idle, owner = ("momentum", "sgd") if spec.optimizer == "adam" else ("epsilon", "adam")
    if idle in entry.model_fields_set:
        said = f"does nothing with {spec.optimizer}; allowed with optimizer: {owner}"
        problems.add(f"{at}.{idle}", f"{show(getattr(entry, idle))} {said}")
    misfits = list(_misfits(spec.architecture, spec.parameters))
    for key, text in misfits:
        problems.add(f"{at}.{key}", text)
    if misfits:
        return None
    try:
        network = build_network(spec)
    except ShapeError as error:
        problems.add(f"{at}.parameters", f"{show(spec.parameters)} do not fit: {error}")
        return None
    for key, text in _contradictions(spec, network):
        problems.add(f"{at}.{key}", text)
    named = {key: getattr(entry, key) for key in ("id", "aliases", "variant_of", "note")}
    return Row(paper=origin.key, file=origin.file, spec=spec, network=network, **named)


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


def _contradictions(spec: Spec, network: Network) -> Iterator[tuple[str, str]]:
    """(key, what is wrong) of settings that are allowed each by itself, and not together."""
    dropout, epochs, split = spec.dropout, spec.epochs, spec.split
    if dropout and not _has_dropout(spec.architecture):
        yield "dropout", f"{dropout:g} does nothing in {spec.architecture}; allowed: 0"
    if spec.validation_dropout and not dropout:
        yield "validation_dropout", "true does nothing with dropout 0; allowed: false"
    if isinstance(spec.keep, int) and spec.keep > epochs:
        yield "keep", f"{spec.keep} is not in [1, {epochs}], the row's epochs"
    if split.train + split.validation > TRAINING_IMAGES:
        yield "split", f"{show(split.model_dump())} are more than {TRAINING_IMAGES:,} images"
    late = [epoch for epoch in spec.snapshots if epoch > epochs]
    if late:
        yield "snapshots", f"{show(late)} are not in [0, {epochs}], the row's epochs"
    if spec.snapshots and network.task == "classification":
        yield "snapshots", "on a classification; allowed: on a reconstruction"


def _has_dropout(architecture: str) -> bool:
    return "dropout" in inspect.signature(ARCHITECTURES[architecture]).parameters


def build_network(spec: Spec) -> Network:
    """The layer table of a spec's architecture, with its parameters and dropout filled in.

    Raises:
        ShapeError: the layers do not fit one another.
    """
    dropout = {"dropout": spec.dropout} if _has_dropout(spec.architecture) else {}
    return ARCHITECTURES[spec.architecture](**spec.parameters, **dropout)


def check_names(data: Mapping[str, Any], problems: Problems) -> dict[str, int]:
    """Every id and alias, also of rows that are wrong otherwise, with its row's index."""
    names: dict[str, int] = {}
    targets: dict[str, tuple[str, str]] = {}
    for index, entry in enumerate(map(inside, inside(data.get("rows")).values())):
        aliases = inside(entry.get("aliases")).items()
        places = [("id", entry.get("id")), *((f"aliases[{i}]", alias) for i, alias in aliases)]
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


def check_encoders(entries: Mapping[int, Entry], sheet: Sheet) -> dict[int, Row]:
    """Each reused encoder is that of a reconstruction, for a classifier with the same encoder.

    Returns:
        The rows, each that reuses an encoder naming its row by id, whatever alias it was called by.
    """
    rows = dict(sheet.rows)
    for index, entry in entries.items():
        if entry.encoder is None:
            continue
        at = f"rows[{index}].encoder"
        donor_index = sheet.index(entry.encoder.row, f"{at}.row")
        row, donor = rows.get(index), sheet.row(entry.encoder.row)
        if donor_index is None or row is None or donor is None:
            continue  # said already
        by_id = entry.encoder.model_copy(update={"row": donor.id})
        rows[index] = replace(row, spec=row.spec.model_copy(update={"encoder": by_id}))
        if row.task == "reconstruction":
            given = show(entry.encoder.model_dump())
            said = f"{given} on a reconstruction; allowed: on a classification"
            sheet.problems.add(at, said)
        elif donor.task == "classification":
            others = [r.id for r in rows.values() if r.task == "reconstruction"]
            said = (
                f"is a classification; allowed is a reconstruction: {', '.join(others) or 'none'}"
            )
            sheet.problems.add(f"{at}.row", f"{show(entry.encoder.row)} {said}")
        elif misfit := encoder_misfit(row, donor):
            said = f"{misfit}; allowed: a row with the same encoder, layer by layer"
            sheet.problems.add(f"{at}.row", said)
    return rows


def encoder_misfit(row: Row, donor: Row) -> str | None:
    """Why ``row`` cannot start from the trained encoder of ``donor``, if it cannot."""
    if _without_dropout(donor.network.encoder) == _without_dropout(row.network.encoder):
        return None
    return (
        f"the encoder of {show(donor.id)} gives a code of shape {donor.network.code_shape}, "
        f"{row.spec.architecture} needs its own layers with a code of shape "
        f"{row.network.code_shape}"
    )


def _without_dropout(layers: Iterable[Layer]) -> list[Layer]:
    return [replace(layer, dropout=0.0) if hasattr(layer, "dropout") else layer for layer in layers]


def with_donors(sheet: Sheet) -> tuple[Row, ...]:
    """Rows in their order, each that reuses an encoder with the hash of the spec behind it."""
    return tuple(
        replace(row, donor_sha256=donor.spec_sha256)
        if row.encoder and (donor := sheet.row(row.encoder.row))
        else row
        for row in sheet.rows.values()
    )


def check_same_settings(sheet: Sheet) -> None:
    """No two rows are one training."""
    first: dict[str, int] = {}
    for index, row in sheet.rows.items():
        other = first.setdefault(canonical(row.spec.as_json()), index)
        if other != index:
            said = f"has the settings of rows[{other}] {show(sheet.rows[other].id)}: one training"
            way_out = "allowed: make it an alias of that row"
            sheet.problems.add(f"rows[{index}]", f"{show(row.id)} {said}; {way_out}")


def check_variants(entries: Mapping[int, Entry], sheet: Sheet) -> None:
    """A variant of ours varies a row of the paper, of its own task."""
    for index, entry in entries.items():
        if entry.variant_of is None:
            continue
        at, name = f"rows[{index}].variant_of", entry.variant_of
        base_index = sheet.index(name, at)
        row, base = sheet.rows.get(index), sheet.row(name)
        if base_index is None or row is None or base is None:
            continue
        if base.variant_of is not None or base is row:
            said = f"{show(name)} is itself a variant; allowed: a row of the paper"
            sheet.problems.add(at, said)
        elif base.task != row.task:
            said = f"{show(name)} is a {base.task}; allowed: a {row.task}, as the row"
            sheet.problems.add(at, said)
