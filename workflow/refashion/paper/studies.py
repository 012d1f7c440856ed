"""Studies: from a paper's file to the rows that their readings train.

A study varies one assumption. Each of its readings sets other values in the rows that are varied,
which are then trained once more, or measures the same runs otherwise. Free of torch.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from refashion.paper.claims import Claim
from refashion.paper.metric import AT, Measurable, Metric
from refashion.paper.problems import show, unknown
from refashion.paper.record import Distinct, Id, Many, Record, Text, allowed
from refashion.paper.rows import Entry, Origin, build_row, encoder_misfit
from refashion.paper.sheet import Sheet
from refashion.paper.spec import Parameter, Row, Settings, canonical, target_name
from refashion.paper.tables import Table

if TYPE_CHECKING:
    from refashion.paper.papers import Paper

DEFAULT = "default"  # the reading that the paper's own rows have
# What an entry of a row says about the entry itself, and not about its training.
NAMES = ("id", "aliases", "variant_of", "note")


class Changes(Settings):
    """What a reading sets in the rows that are varied."""

    architecture: Text | None = None
    parameters: dict[str, Parameter] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _not_empty(self) -> Changes:
        if not self.model_fields_set:
            raise PydanticCustomError("too_short", "empty", {"min_length": 1})
        return self


class ReadingEntry(Record):
    """A reading in the file: what it sets, or what it measures in place of what."""

    id: Id
    reading: Text
    set: Changes | None = None
    measure: Annotated[
        dict[Measurable, Measurable],
        Field(min_length=1),
        allowed("metrics, or moments, with what is measured in place of each"),
    ] = Field(default_factory=dict)


class StudyEntry(Record):
    """A study in the file: rows varied for an assumption, and those that reuse their encoders."""

    assumption: Annotated[
        str, Field(pattern=r"^A[1-9][0-9]*$"), allowed("the id of an assumption, as A1")
    ]
    aim: Text
    rows: Annotated[Distinct[Id], Field(min_length=1)]
    reusing: Annotated[Distinct[Id], Field(min_length=1)] = ()
    readings: Annotated[Many[ReadingEntry], Field(min_length=1)]


@dataclass(frozen=True)
class Reading:
    """One way to read what is open.

    ``rows`` are its own trainings, each the ``reading_of`` one of the paper; ``measure`` says which
    metric or moment stands in place of which.
    """

    id: str
    text: str
    rows: tuple[Row, ...] = ()
    measure: Mapping[str, str] = field(default_factory=dict[str, str])

    def named(self, name: Any) -> Any:
        """What is measured in place of a metric or a moment."""
        return self.measure.get(name, name)


@dataclass(frozen=True)
class Study:
    """An assumption, the paper's rows that are varied for it (by their ids), and the readings."""

    assumption: str
    aim: str
    rows: tuple[str, ...]
    readings: tuple[Reading, ...]

    @property
    def trained(self) -> tuple[Row, ...]:
        """The rows that its readings train."""
        return tuple(row for reading in self.readings for row in reading.rows)


def claims_about(rows: Sequence[str], paper: Paper) -> list[Claim]:
    """The paper's claims with a test that names one of these rows, by whatever name."""
    return [
        claim
        for claim in paper.claims
        if any(paper.row(name).id in rows for name in _named_in(claim))
    ]


def needed_rows(paper: Paper) -> list[Row]:
    """All that a paper's studies compare: their rows, and those of the claims about them."""
    needed: dict[str, Row] = {}
    for study in paper.studies:
        names = [*study.rows]
        names += [name for claim in claims_about(study.rows, paper) for name in _named_in(claim)]
        needed |= {row.id: row for row in (*map(paper.row, names), *study.trained)}
    return list(needed.values())


def _named_in(claim: Claim) -> Iterator[str]:
    yield from (name for part in claim.test for _, name in part.names())


# ---- from the file ------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Workshop:
    """What studies are made of: the paper's entries and rows, and what its rows share."""

    entries: Mapping[int, Entry]
    measured_in: tuple[Mapping[int, Table], Mapping[int, Claim]]
    origin: Origin
    sheet: Sheet


def build_studies(
    studies: Mapping[int, StudyEntry],
    assumptions: Collection[str],
    entries: Mapping[int, Entry],
    measured_in: tuple[Mapping[int, Table], Mapping[int, Claim]],
    origin: Origin,
    sheet: Sheet,
) -> tuple[Study, ...]:
    """The studies of a paper's file; what is wrong with them is noted in ``sheet``.

    Args:
        studies: the entries of the right form, with their indices.
        assumptions: the ids that there are.
        entries: the rows' entries.
        measured_in: the tables and claims of the right form.
        origin: what the rows share.
        sheet: the paper's rows that are right; reused encoders by their rows' ids.
    """
    shop = _Workshop(entries, measured_in, origin, sheet)
    targets = {target_name("", name): f"rows[{index}]" for name, index in sheet.names.items()}
    settings = {
        canonical(row.spec.as_json()): f"rows[{index}] {show(row.id)}"
        for index, row in sheet.rows.items()
    }
    first: dict[str, int] = {}
    built: list[Study] = []
    for index, entry in studies.items():
        at = f"studies[{index}]"
        if entry.assumption not in assumptions:
            said = unknown(entry.assumption, assumptions, "assumption of this paper")
            sheet.problems.add(f"{at}.assumption", said)
        elif (other := first.setdefault(entry.assumption, index)) != index:
            said = f"{show(entry.assumption)} is that of studies[{other}] too"
            sheet.problems.add(f"{at}.assumption", f"{said}; allowed: one study an assumption")
        study = _build_study(shop, entry, at)
        for position, reading in enumerate(study.readings):
            _check_unique(reading, f"{at}.readings[{position}]", targets, settings, sheet)
        built.append(study)
    return tuple(built)


def _build_study(shop: _Workshop, entry: StudyEntry, at: str) -> Study:
    sheet = shop.sheet
    varied = _indices(sheet, entry.rows, f"{at}.rows")
    reusing = _indices(sheet, entry.reusing, f"{at}.reusing")
    _check_reusing(sheet, varied, reusing, f"{at}.reusing")
    readings: list[Reading] = []
    seen = {DEFAULT: "the reading that the paper's rows have"}
    for position, reading in enumerate(entry.readings):
        at_reading = f"{at}.readings[{position}]"
        other = seen.setdefault(reading.id, at_reading)
        if other != at_reading:
            said = f"{show(reading.id)} is {other}; allowed: an id of its own"
            sheet.problems.add(f"{at_reading}.id", said)
        if reading.set is None and not reading.measure:
            sheet.problems.add(at_reading, "has neither set nor measure; one of them is needed")
        trained = _train_otherwise(shop, reading, varied, reusing, at_reading)
        _check_measure(shop, reading.measure, [*varied, *reusing], f"{at_reading}.measure")
        readings.append(Reading(reading.id, reading.reading, trained, reading.measure))
    ids = tuple(sheet.rows[index].id for index in (*varied, *reusing) if index in sheet.rows)
    return Study(entry.assumption, entry.aim, ids, tuple(readings))


def _check_reusing(sheet: Sheet, varied: Sequence[int], reusing: Sequence[int], at: str) -> None:
    """Rows that are said to reuse the encoder of a varied one do."""
    if not all(index in sheet.rows for index in varied):
        return  # said already
    sources = [sheet.rows[index].id for index in varied]
    for position, row in enumerate(map(sheet.rows.get, reusing)):
        if row and not (row.encoder and row.encoder.row in sources):
            said = f"{show(row.id)} reuses the encoder of none of {', '.join(sources)}"
            sheet.problems.add(f"{at}[{position}]", f"{said}; allowed: a row that does")


def _indices(sheet: Sheet, given: Sequence[str], at: str) -> list[int]:
    """The rows that are named, once each."""
    found: list[int] = []
    for position, name in enumerate(given):
        index = sheet.index(name, f"{at}[{position}]")
        if index is not None and index in found:
            said = f"{show(name)} stands twice, under another name; allowed: once"
            sheet.problems.add(f"{at}[{position}]", said)
        elif index is not None:
            found.append(index)
    return found


def _train_otherwise(
    shop: _Workshop,
    reading: ReadingEntry,
    varied: Sequence[int],
    reusing: Sequence[int],
    at: str,
) -> tuple[Row, ...]:
    """A reading's rows: the varied ones with what it sets, and those that reuse their encoders."""
    if reading.set is None:
        return ()
    sheet = shop.sheet
    made: dict[str, Row] = {}
    known = [index for index in (*varied, *reusing) if index in sheet.rows]
    # An autoencoder comes before whatever starts from its encoder.
    for index in sorted(known, key=lambda index: bool(sheet.rows[index].encoder)):
        base = sheet.rows[index]
        donor = _encoder_of(sheet, base, made)
        if base.encoder and donor is None:
            continue  # said already
        changes = reading.set if index in varied else None
        entry = _changed(shop.entries[index], changes, donor, f"{base.id}-{reading.id}")
        row = build_row(shop.origin, entry, f"{at}.set", sheet.problems)
        if row is None:
            continue
        if row.task != base.task:
            said = f"{show(row.id)} is a {row.task}; allowed: a {base.task}, as {base.id}"
            sheet.problems.add(f"{at}.set", said)
            continue
        if donor and (misfit := encoder_misfit(row, donor)):
            said = f"{misfit}; allowed: settings that leave it as it is"
            sheet.problems.add(f"{at}.set", said)
        sha256 = donor.spec_sha256 if donor else None
        made[base.id] = replace(row, reading_of=base.id, donor_sha256=sha256)
    return tuple(made.values())


def _changed(entry: Entry, changes: Changes | None, donor: Row | None, name: str) -> Entry:
    """A row's entry with what a reading sets, and with the encoder that it then starts from."""
    given = {key: value for key, value in entry.given().items() if key not in NAMES}
    if changes:
        given |= changes.given() | {"parameters": entry.parameters | changes.parameters}
    if donor and entry.encoder:
        given["encoder"] = entry.encoder.model_copy(update={"row": donor.id})
    return Entry(**given, id=name)


def _encoder_of(sheet: Sheet, base: Row, made: Mapping[str, Row]) -> Row | None:
    """The row whose encoder a reading of ``base`` starts from, itself of the reading if it can."""
    if not base.encoder:
        return None
    return made.get(base.encoder.row) or sheet.row(base.encoder.row)


def _check_unique(
    reading: Reading, at: str, targets: dict[str, str], settings: dict[str, str], sheet: Sheet
) -> None:
    """No row of a reading has the target or the settings of another, of the paper or a study."""
    for row in reading.rows:
        other = targets.setdefault(target_name("", row.id), at)
        if other != at:
            said = f"{show(row.id)} has the target of {other}; allowed: one of its own"
            sheet.problems.add(f"{at}.id", said)
        own = f"{at} {show(row.id)}"
        other = settings.setdefault(canonical(row.spec.as_json()), own)
        if other != own:
            said = f"{show(row.id)} has the settings of {other}: one training"
            sheet.problems.add(f"{at}.set", f"{said}; allowed: settings of its own")


def _check_measure(
    shop: _Workshop, measure: Mapping[str, str], indices: Sequence[int], at: str
) -> None:
    """Like is measured in place of like, the rows have it, and it changes a number or a claim."""
    problems = shop.sheet.problems
    for old, new in measure.items():
        moment = old in AT
        if moment != (new in AT) or (not moment and Metric.of(old).unit != Metric.of(new).unit):
            kind = f"one of {', '.join(AT)}" if moment else f"a metric in {Metric.of(old).unit}"
            problems.add(f"{at}.{old}", f"{show(new)} is not {kind}")
            continue
        for row in (shop.sheet.rows[index] for index in indices if index in shop.sheet.rows):
            if moment or any(Metric.of(old).lacking(row)):
                continue
            for reason in Metric.of(new).lacking(row):
                problems.add(f"{at}.{old}", f"{show(row.id)} {reason}")
        measured = _measured(shop, indices)
        if old not in measured:
            said = "is in no table and no claim with these rows; allowed: what one of them has"
            problems.add(f"{at}.{old}", said)
        if new == "best" and "epoch" in measured:
            problems.add(f"{at}.{old}", "best is not for epochs; allowed: final, kept, lowest")


def _measured(shop: _Workshop, indices: Sequence[int]) -> set[Any]:
    """Metrics and moments of the tables and claims that have one of these rows."""
    tables, claims = shop.measured_in
    index_of = shop.sheet.names.get
    found: set[Any] = set()
    for table in tables.values():
        if any(index_of(line.row) in indices for line in table.lines):
            for column in table.metrics.values():
                found |= {column.metric, column.at}
    for part in (part for claim in claims.values() for part in claim.test):
        if any(index_of(name) in indices for _, name in part.names()):
            found |= part.measured()
    return found
