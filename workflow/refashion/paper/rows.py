"""A paper's rows: from entries of its file to checked, complete settings of a training."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from refashion.paper.layers import Layer, Network, ShapeError
from refashion.paper.problems import Misfits, Problems, inside, show, under, unknown
from refashion.paper.sheet import Sheet
from refashion.paper.spec import TRAINING_IMAGES, Encoder, Entry, Row, Spec, target_name


def names_of(data: Mapping[str, Any], problems: Problems) -> dict[str, int]:
    """Every id and alias, also of rows that are wrong otherwise, with its row's index."""
    names: dict[str, int] = {}
    targets: dict[str, tuple[str, str]] = {}
    for index, entry in enumerate(map(inside, inside(data.get("rows")).values())):
        aliases = inside(entry.get("aliases")).items()
        places = [("id", entry.get("id")), *((f"aliases[{i}]", alias) for i, alias in aliases)]
        for key, name in places:
            if not isinstance(name, str):
                continue
            at = f"rows[{index}].{key}"
            where, other = targets.setdefault(target_name("", name), (at, name))
            if where == at:
                names[name] = index
                continue
            both = f" {show(other)}: both give one target" if other != name else ""
            said = f"{show(name)} is taken by {where}{both}"
            problems.add(at, f"{said}; allowed: a name of its own")
    return names


def build_rows(sheet: Sheet) -> None:
    """Write the rows that are right into the sheet; where one is wrong, note why."""
    for index, entry in sheet.entries.items():
        if row := build_row(sheet, entry, f"rows[{index}]"):
            sheet.rows[index] = row
    for index, row in sheet.rows.items():
        if row.encoder and (donor := sheet.row(row.encoder.row)):
            sheet.rows[index] = reusing(row, donor)


def build_row(sheet: Sheet, entry: Entry, at: str) -> Row | None:
    """The row of an entry and the paper's defaults; None, and problems at ``at``, if wrong."""
    if sheet.defaults is None:
        return None
    given = {**sheet.defaults.given(), **entry.given()}
    spec = Spec(**{key: value for key, value in given.items() if key in Spec.model_fields})
    sheet.problems.add_all(under(at, _idle(entry, spec)))
    if spec.architecture not in sheet.architectures:
        said = unknown(spec.architecture, sheet.architectures, "architecture of this file")
        sheet.problems.add(f"{at}.architecture", said)
    architecture = sheet.architectures.get(spec.architecture)
    if architecture is None:
        return None
    misfits = list(architecture.misfits(spec.architecture, spec.parameters))
    sheet.problems.add_all(under(f"{at}.parameters", iter(misfits)))
    if misfits:
        return None
    try:
        network = architecture.build(spec.parameters, spec.dropout)
    except ShapeError as error:
        said = f"{show(spec.parameters)} do not fit: {error}"
        sheet.problems.add(f"{at}.parameters", said)
        return None
    if spec.dropout and not architecture.has_dropout:
        said = f"{spec.dropout:g} does nothing in {spec.architecture}; allowed: 0"
        sheet.problems.add(f"{at}.dropout", said)
    sheet.problems.add_all(under(at, _contradictions(spec, network)))
    named = {key: getattr(entry, key) for key in ("id", "aliases", "variant_of", "note")}
    return Row(paper=sheet.key, file=sheet.file, spec=spec, network=network, **named)


def _idle(entry: Entry, spec: Spec) -> Misfits:
    key, owner = ("momentum", "sgd") if spec.optimizer == "adam" else ("epsilon", "adam")
    if key in entry.model_fields_set:
        said = f"does nothing with {spec.optimizer}; allowed with optimizer: {owner}"
        yield key, f"{show(getattr(entry, key))} {said}"


def _contradictions(spec: Spec, network: Network) -> Misfits:
    """Settings that are allowed each by itself, and not together."""
    epochs, split = spec.epochs, spec.split
    if spec.validation_dropout and not spec.dropout:
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


# ---- rows that name rows ------------------------------------------------------------------------


def reusing(row: Row, donor: Row) -> Row:
    """A row that starts from the encoder of ``donor``, named by id, with the hash of its spec."""
    assert row.encoder is not None
    encoder = row.encoder.model_copy(update={"row": donor.id})
    spec = row.spec.model_copy(update={"encoder": encoder})
    return replace(row, spec=spec, donor_sha256=donor.spec_sha256)


def misfits(entry: Entry, row: Row | None, sheet: Sheet) -> Misfits:
    """What is wrong with the rows that an entry names; ``row`` is its own, if that is right."""
    if entry.encoder:
        yield from sheet.misfits("encoder.row", entry.encoder.row)
        if row and (donor := sheet.row(entry.encoder.row)):
            yield from _encoder_misfits(entry.encoder, row, donor, sheet)
    if entry.variant_of:
        yield from sheet.misfits("variant_of", entry.variant_of, partial(_no_base, row))


def _encoder_misfits(encoder: Encoder, row: Row, donor: Row, sheet: Sheet) -> Misfits:
    """A reused encoder is that of a reconstruction, for a classifier with the same encoder."""
    if row.task == "reconstruction":
        said = "on a reconstruction; allowed: on a classification"
        yield "encoder", f"{show(encoder.model_dump())} {said}"
    elif donor.task == "classification":
        others = [row.id for row in sheet.rows.values() if row.task == "reconstruction"]
        said = f"is a classification; allowed is a reconstruction: {', '.join(others) or 'none'}"
        yield "encoder.row", f"{show(encoder.row)} {said}"
    elif misfit := encoder_misfit(row, donor):
        yield "encoder.row", f"{misfit}; allowed: a row with the same encoder, layer by layer"


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


def _no_base(row: Row | None, base: Row) -> Iterator[str]:
    """Why ``base`` is no row of the paper that this row, of the same task, can vary, if so."""
    if row and (base.variant_of or base is row):
        yield "is itself a variant; allowed: a row of the paper"
    elif row and base.task != row.task:
        yield f"is a {base.task}; allowed: a {row.task}, as the row"
