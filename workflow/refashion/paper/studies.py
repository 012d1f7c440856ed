"""Studies as checked data: from a paper's YAML to the rows that its readings train.

A study varies one assumption. Each of its readings sets other values in the rows that are varied,
which are then trained once more, or measures the same runs otherwise. Free of torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from refashion.paper.checked_yaml import Problems, show, unknown
from refashion.paper.exhibits import unit_of, unmeasured
from refashion.paper.rows import Row, build_row, encoder_misfit, target_name

DEFAULT = "default"  # the reading that the paper's own rows have
MOMENTS = ("best", "final", "kept", "lowest")
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
    measure: Mapping[str, str] = field(default_factory=dict)

    def named(self, name: str | int | None) -> Any:
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


def claims_about(rows: Sequence[str], paper: Any) -> list[Mapping[str, Any]]:
    """The paper's claims with a test that names one of these rows, by whatever name."""
    return [
        claim
        for claim in paper.claims
        if any(paper.row(name).id in rows for name in _named_in(claim))
    ]


def needed_rows(paper: Any) -> list[Row]:
    """All that a paper's studies compare: their rows, and those of the claims about them."""
    needed: dict[str, Row] = {}
    for study in paper.studies:
        names = [*study.rows]
        names += [name for claim in claims_about(study.rows, paper) for name in _named_in(claim)]
        needed |= {row.id: row for row in (*map(paper.row, names), *study.trained)}
    return list(needed.values())


def _named_in(claim: Mapping[str, Any]) -> Iterator[str]:
    for part in claim.get("test", ()):
        yield from [part["row"]] if "row" in part else []
        yield from (*part.get("rows", ()), *part.get("among", ()))


# ---- from YAML ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Sheet:
    """A paper's file as far as it is checked, and where what is wrong with it is noted."""

    data: Mapping[str, Any]
    rows: Mapping[int, Row]
    names: Mapping[str, int]
    file: str
    problems: Problems


def build_studies(
    data: Mapping[str, Any],
    entries: list[tuple[int, dict]],
    rows: Mapping[int, Row],
    names: Mapping[str, int],
    file: str,
    problems: Problems,
) -> tuple[Study, ...]:
    """The studies of a paper's file, and what is wrong with them in ``problems``.

    Args:
        data: the whole file; of tables, claims and assumptions the entries of the right form.
        entries: its studies of the right form, with their indices.
        rows: the paper's rows that are right, by index; reused encoders by their rows' ids.
        names: the index of every id and alias.
        file: its path.
        problems: where what is wrong is noted, at the study's keys.
    """
    sheet = _Sheet(data, rows, names, file, problems)
    assumptions = [entry["id"] for entry in data["assumptions"]]
    targets = {target_name("", name): f"rows[{index}]" for name, index in names.items()}
    settings = {row.settings: f"rows[{index}] {show(row.id)}" for index, row in rows.items()}
    first: dict[str, int] = {}
    studies = []
    for index, entry in entries:
        at = f"studies[{index}]"
        if entry["assumption"] not in assumptions:
            said = unknown(entry["assumption"], assumptions, "assumption of this paper")
            problems.add(f"{at}.assumption", said)
        elif (other := first.setdefault(entry["assumption"], index)) != index:
            problems.add(
                f"{at}.assumption",
                f"{show(entry['assumption'])} is that of studies[{other}] too; "
                "allowed: one study an assumption",
            )
        study = _build_study(sheet, entry, at)
        for position, reading in enumerate(study.readings):
            _check_unique(reading, f"{at}.readings[{position}]", targets, settings, problems)
        studies.append(study)
    return tuple(studies)


def _build_study(sheet: _Sheet, entry: Mapping[str, Any], at: str) -> Study:
    varied = _indices(sheet, entry["rows"], f"{at}.rows")
    reusing = _indices(sheet, entry.get("reusing", []), f"{at}.reusing")
    _check_reusing(sheet, varied, reusing, f"{at}.reusing")
    readings, seen = [], {DEFAULT: "the reading that the paper's rows have"}
    for position, reading in enumerate(entry["readings"]):
        at_reading = f"{at}.readings[{position}]"
        other = seen.setdefault(reading["id"], at_reading)
        if other != at_reading:
            sheet.problems.add(
                f"{at_reading}.id", f"{show(reading['id'])} is {other}; allowed: an id of its own"
            )
        if "set" not in reading and "measure" not in reading:
            sheet.problems.add(at_reading, "has neither set nor measure; one of them is needed")
        trained = _train_otherwise(sheet, reading, varied, reusing, at_reading)
        measure = reading.get("measure", {})
        _check_measure(sheet, measure, [*varied, *reusing], f"{at_reading}.measure")
        readings.append(Reading(reading["id"], reading["reading"], trained, measure))
    ids = tuple(sheet.rows[index].id for index in (*varied, *reusing) if index in sheet.rows)
    return Study(entry["assumption"], entry["aim"], ids, tuple(readings))


def _check_reusing(sheet: _Sheet, varied: Sequence[int], reusing: Sequence[int], at: str) -> None:
    """Rows that are said to reuse the encoder of a varied one do."""
    if not all(index in sheet.rows for index in varied):
        return  # said already
    sources = [sheet.rows[index].id for index in varied]
    for position, row in enumerate(map(sheet.rows.get, reusing)):
        if row and not (row.encoder and row.encoder["row"] in sources):
            sheet.problems.add(
                f"{at}[{position}]",
                f"{show(row.id)} reuses the encoder of none of {', '.join(sources)}; "
                "allowed: a row that does",
            )


def _indices(sheet: _Sheet, given: Sequence[str], at: str) -> list[int]:
    """The rows that are named, once each."""
    found: list[int] = []
    for position, name in enumerate(given):
        if name not in sheet.names:
            sheet.problems.add(f"{at}[{position}]", unknown(name, sheet.names, "row of this paper"))
        elif sheet.names[name] in found:
            sheet.problems.add(
                f"{at}[{position}]", f"{show(name)} stands twice, under another name; allowed: once"
            )
        else:
            found.append(sheet.names[name])
    return found


def _train_otherwise(
    sheet: _Sheet,
    reading: Mapping[str, Any],
    varied: Sequence[int],
    reusing: Sequence[int],
    at: str,
) -> tuple[Row, ...]:
    """A reading's rows: the varied ones with what it sets, and those that reuse their encoders."""
    if "set" not in reading:
        return ()
    made: dict[str, Row] = {}
    known = [index for index in (*varied, *reusing) if index in sheet.rows]
    # An autoencoder comes before whatever starts from its encoder.
    for index in sorted(known, key=lambda index: bool(sheet.rows[index].encoder)):
        base = sheet.rows[index]
        entry = {k: v for k, v in sheet.data["rows"][index].items() if k not in NAMES}
        if index in varied:
            parameters = entry["parameters"] | reading["set"].get("parameters", {})
            entry |= reading["set"] | {"parameters": parameters}
        donor = _encoder_of(sheet, base, made)
        if base.encoder and donor is None:
            continue  # said already
        if donor:
            entry["encoder"] = entry["encoder"] | {"row": donor.id}
        name = f"{base.id}-{reading['id']}"
        row = build_row(sheet.data, entry | {"id": name}, sheet.file, f"{at}.set", sheet.problems)
        if row is None:
            continue
        if row.task != base.task:
            sheet.problems.add(
                f"{at}.set", f"{show(name)} is a {row.task}; allowed: a {base.task}, as {base.id}"
            )
            continue
        if donor and (misfit := encoder_misfit(row, donor)):
            sheet.problems.add(f"{at}.set", f"{misfit}; allowed: settings that leave it as it is")
        sha256 = donor.spec_sha256 if donor else None
        made[base.id] = replace(row, reading_of=base.id, donor_sha256=sha256)
    return tuple(made.values())


def _encoder_of(sheet: _Sheet, base: Row, made: Mapping[str, Row]) -> Row | None:
    """The row whose encoder a reading of ``base`` starts from, itself of the reading if it can."""
    if not base.encoder:
        return None
    name = base.encoder["row"]
    return made.get(name) or sheet.rows.get(sheet.names.get(name, -1))


def _check_unique(
    reading: Reading,
    at: str,
    targets: dict[str, str],
    settings: dict[str, str],
    problems: Problems,
) -> None:
    """No row of a reading has the target or the settings of another, of the paper or a study."""
    for row in reading.rows:
        other = targets.setdefault(target_name("", row.id), at)
        if other != at:
            problems.add(
                f"{at}.id", f"{show(row.id)} has the target of {other}; allowed: one of its own"
            )
        own = f"{at} {show(row.id)}"
        other = settings.setdefault(row.settings, own)
        if other != own:
            problems.add(
                f"{at}.set",
                f"{show(row.id)} has the settings of {other}: one training; "
                "allowed: settings of its own",
            )


def _check_measure(
    sheet: _Sheet, measure: Mapping[str, str], indices: Sequence[int], at: str
) -> None:
    """Like is measured in place of like, the rows have it, and it changes a number or a claim."""
    for old, new in measure.items():
        moment = old in MOMENTS
        if moment != (new in MOMENTS) or (not moment and unit_of(old) != unit_of(new)):
            kind = f"one of {', '.join(MOMENTS)}" if moment else f"a metric in {unit_of(old)}"
            sheet.problems.add(f"{at}.{old}", f"{show(new)} is not {kind}")
            continue
        for row in (sheet.rows[index] for index in indices if index in sheet.rows):
            if moment or any(unmeasured(row, old)):
                continue
            for reason in unmeasured(row, new):
                sheet.problems.add(f"{at}.{old}", f"{show(row.id)} {reason}")
        measured = _measured(sheet, indices)
        if old not in measured:
            sheet.problems.add(
                f"{at}.{old}",
                "is in no table and no claim with these rows; allowed: what one of them has",
            )
        if new == "best" and "epoch" in measured:
            sheet.problems.add(
                f"{at}.{old}", "best is not for epochs; allowed: final, kept, lowest"
            )


def _measured(sheet: _Sheet, indices: Sequence[int]) -> set[str]:
    """Metrics and moments of the tables and claims that have one of these rows."""
    found: set[Any] = set()
    for table in sheet.data["tables"]:
        if any(sheet.names.get(line["row"]) in indices for line in table["lines"]):
            for metric in table["metrics"].values():
                found |= {metric["metric"], metric["at"]}
    for claim in sheet.data["claims"]:
        for part in claim.get("test", ()):
            if any(sheet.names.get(name) in indices for name in _named_in({"test": [part]})):
                metric = part.get("metric", [])
                found |= {metric} if isinstance(metric, str) else {*metric}
                found |= {part.get(key) for key in ("at", "since", "minus")}
    return found
