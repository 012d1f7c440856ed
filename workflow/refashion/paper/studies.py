"""Studies: from a paper's file to the rows that their readings train.

A study varies one assumption. Each of its readings sets other values in the rows that are varied,
which are then trained once more, or measures the same runs otherwise. Free of torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from refashion.paper.claims import Claim
from refashion.paper.metric import AT, Measurable, Metric
from refashion.paper.problems import Misfits, show, under, unknown
from refashion.paper.record import AssumptionId, Id, Record, Some, SomeDistinct, Text, allowed
from refashion.paper.rows import build_row, encoder_misfit, reusing
from refashion.paper.sheet import Sheet
from refashion.paper.spec import Entry, Parameter, Row, Settings, canonical, target_name

if TYPE_CHECKING:
    from refashion.paper.papers import Paper

DEFAULT = "default"  # the reading that the paper's own rows have
# What an entry of a row says about the entry itself, and not about its training.
NAMES = ("id", "aliases", "variant_of", "note")


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


# ---- in the file --------------------------------------------------------------------------------


class Changes(Settings):
    """What a reading sets in the rows that are varied."""

    architecture: Text | None = None
    parameters: dict[str, Parameter] = Field(default_factory=dict)


class ReadingEntry(Record):
    """A reading in the file: what it sets, or what it measures in place of what."""

    id: Id
    reading: Text
    set: Changes | None = None
    measure: Annotated[
        dict[Measurable, Measurable],
        allowed("metrics, or moments, with what is measured in place of each", min_length=1),
    ] = Field(default_factory=dict)

    def misfits(self, rows: Sequence[Row], measured: set[Any]) -> Misfits:
        """What it says nothing with, of these rows, of which that is measured."""
        if self.set and not self.set.model_fields_set:
            yield "set", "{} is empty; at least one entry is needed"
        for old, new in self.measure.items():
            moment = old in AT
            if moment != (new in AT) or (not moment and Metric.of(old).unit != Metric.of(new).unit):
                kind = f"one of {', '.join(AT)}" if moment else f"a metric in {Metric.of(old).unit}"
                yield f"measure.{old}", f"{show(new)} is not {kind}"
                continue
            for row in () if moment else rows:
                for reason in (
                    () if any(Metric.of(old).lacking(row)) else Metric.of(new).lacking(row)
                ):
                    yield f"measure.{old}", f"{show(row.id)} {reason}"
            if old not in measured:
                said = "is in no table and no claim with these rows; allowed: what one of them has"
                yield f"measure.{old}", said
            if new == "best" and "epoch" in measured:
                yield f"measure.{old}", "best is not for epochs; allowed: final, kept, lowest"


class StudyEntry(Record):
    """A study in the file: rows varied for an assumption, and those that reuse their encoders."""

    assumption: Annotated[AssumptionId, allowed("the id of an assumption, as A1")]
    aim: Text
    rows: SomeDistinct[Id]
    reusing: SomeDistinct[Id] = ()
    readings: Some[ReadingEntry]

    def misfits(self, sheet: Sheet) -> Misfits:
        """What is wrong with it, but for the rows that its readings train."""
        known = [assumption.id for assumption in sheet.assumptions.values()]
        if self.assumption not in known:
            yield "assumption", unknown(self.assumption, known, "assumption of this paper")
        for key, names in (("rows", self.rows), ("reusing", self.reusing)):
            for index, name in enumerate(names):
                yield from sheet.misfits(f"{key}[{index}]", name)
            for index, _ in sheet.twice(enumerate(names)):
                said = "stands twice, under another name; allowed: once"
                yield f"{key}[{index}]", f"{show(names[index])} {said}"
        yield from self._not_reusing(sheet)
        rows = sheet.rows_of((*self.rows, *self.reusing))
        measured = self._measured(sheet)
        for index, reading in enumerate(self.readings):
            if reading.set is None and not reading.measure:
                said = "has neither set nor measure; one of them is needed"
                yield f"readings[{index}]", said
            yield from under(f"readings[{index}]", reading.misfits([*rows.values()], measured))

    def _not_reusing(self, sheet: Sheet) -> Misfits:
        """Rows that are said to reuse the encoder of a varied one do not."""
        if not all(sheet.row(name) for name in self.rows if name in sheet.names):
            return  # said already
        sources = [row.id for row in sheet.rows_of(self.rows).values()]
        for index, row in enumerate(map(sheet.row, self.reusing)):
            if row and not (row.encoder and row.encoder.row in sources):
                said = f"{show(row.id)} reuses the encoder of none of {', '.join(sources)}"
                yield f"reusing[{index}]", f"{said}; allowed: a row that does"

    def _measured(self, sheet: Sheet) -> set[Any]:
        """Metrics and moments of the tables and claims that have one of its rows."""
        rows = {sheet.names.get(name) for name in (*self.rows, *self.reusing)} - {None}
        found: set[Any] = set()
        for table in sheet.tables.values():
            if any(sheet.names.get(line.row) in rows for line in table.lines):
                for column in table.metrics.values():
                    found |= {column.metric, column.at}
        for part in (part for claim in sheet.claims.values() for part in claim.test):
            if any(sheet.names.get(name) in rows for _, name in part.names()):
                found |= part.measured()
        return found


# ---- from the file ------------------------------------------------------------------------------


def build_studies(sheet: Sheet) -> tuple[Study, ...]:
    """The studies of a paper's file; what is wrong with their rows is noted."""
    studies: list[Study] = []
    trained: list[tuple[str, Row]] = []
    for index, entry in sheet.studies.items():
        readings: list[Reading] = []
        for position, reading in enumerate(entry.readings):
            at = f"studies[{index}].readings[{position}]"
            rows = _train(sheet, entry, reading, at)
            trained += [(at, row) for row in rows]
            readings.append(Reading(reading.id, reading.reading, rows, reading.measure))
        ids = [row.id for row in sheet.rows_of((*entry.rows, *entry.reusing)).values()]
        studies.append(Study(entry.assumption, entry.aim, tuple(ids), tuple(readings)))
    sheet.problems.add_all(_taken(sheet, trained))
    return tuple(studies)


def _train(sheet: Sheet, study: StudyEntry, reading: ReadingEntry, at: str) -> tuple[Row, ...]:
    """A reading's rows: the varied ones with what it sets, and those that reuse their encoders."""
    sets = reading.set.given() if reading.set else {}
    varied = sheet.rows_of(study.rows)
    every = varied | sheet.rows_of(study.reusing) if sets else {}
    made: dict[str, Row] = {}
    # An autoencoder comes before whatever starts from its encoder.
    for index, base in sorted(every.items(), key=lambda item: bool(item[1].encoder)):
        donor = None
        if base.encoder:
            donor = made.get(base.encoder.row) or sheet.row(base.encoder.row)
            if donor is None:
                continue  # said already
        changes = sets if index in varied else {}
        entry = _changed(sheet.entries[index], changes, f"{base.id}-{reading.id}")
        row = build_row(sheet, entry, f"{at}.set")
        if row is None:
            continue
        if row.task != base.task:
            said = f"{show(row.id)} is a {row.task}; allowed: a {base.task}, as {base.id}"
            sheet.problems.add(f"{at}.set", said)
            continue
        if donor:
            row = reusing(row, donor)
            if misfit := encoder_misfit(row, donor):
                said = f"{misfit}; allowed: settings that leave it as it is"
                sheet.problems.add(f"{at}.set", said)
        made[base.id] = replace(row, reading_of=base.id)
    return tuple(made.values())


def _changed(entry: Entry, changes: Mapping[str, Any], name: str) -> Entry:
    """A row's entry with what a reading sets, under another name."""
    given = {key: value for key, value in entry.given().items() if key not in NAMES}
    parameters = entry.parameters | changes.get("parameters", {})
    return Entry(**{**given, **changes, "parameters": parameters}, id=name)


def _taken(sheet: Sheet, trained: Sequence[tuple[str, Row]]) -> Misfits:
    """Rows of readings with the target or the settings of another, of the paper or a study."""
    targets = {target_name("", name): f"rows[{index}]" for name, index in sheet.names.items()}
    settings = {
        canonical(row.spec.as_json()): f"rows[{index}] {show(row.id)}"
        for index, row in sheet.rows.items()
    }
    for at, row in trained:
        other = targets.setdefault(target_name("", row.id), at)
        if other != at:
            said = f"{show(row.id)} has the target of {other}; allowed: one of its own"
            yield f"{at}.id", said
        own = f"{at} {show(row.id)}"
        other = settings.setdefault(canonical(row.spec.as_json()), own)
        if other != own:
            said = f"{show(row.id)} has the settings of {other}: one training"
            yield f"{at}.set", f"{said}; allowed: settings of its own"
