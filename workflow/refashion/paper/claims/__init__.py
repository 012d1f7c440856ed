"""The claims of a paper and the tests of them, checked against the rows that they name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated

from pydantic import Field

from refashion.paper.claims.forms import Form
from refashion.paper.claims.part import THRESHOLDS, Part
from refashion.paper.problems import show
from refashion.paper.record import Many, Record, Text, allowed
from refashion.paper.sheet import Sheet


class Claim(Record):
    """What a paper says: tested by its parts, or said to be untestable."""

    id: Annotated[
        str,
        Field(pattern=r"^[a-z]+-P[0-9]{2}$"),
        allowed("lower-case letters, -P and two digits, as cap-P01"),
    ]
    place: Text
    text: Text
    test: Annotated[Many[Annotated[Form, Field(discriminator="form")]], Field(min_length=1)] = ()
    needs: Annotated[int, Field(ge=1)] | None = None
    """How many of the parts must hold, if not all."""
    why: Text | None = None
    """Why the thresholds are what they are."""
    untestable: Text | None = None

    def parts(self, id_of: Callable[[str], str]) -> list[Part]:
        """The parts of its test, each with one metric, and with rows by their ids."""
        return [part for each in self.test for part in each.split(id_of)]


def check_claims(claims: Mapping[int, Claim], sheet: Sheet) -> None:
    """Every part's keys fit its form and metric, and its rows have what it asks for."""
    for index, claim in claims.items():
        at, problems = f"claims[{index}]", sheet.problems
        for key, given in (("needs", claim.needs), ("why", claim.why)):
            if given is not None and not claim.test:
                problems.add(f"{at}.{key}", f"{show(given)} without test; allowed: beside it")
        if claim.test and claim.untestable:
            problems.add(f"{at}.untestable", "stands beside test; allowed: one of the two")
        _check_needs(claim, at, sheet)
        _check_reason(claim, at, sheet)
        for position, part in enumerate(claim.test):
            for key, text in part.misfits(sheet):
                problems.add(f"{at}.test[{position}].{key}", text)


def _check_needs(claim: Claim, at: str, sheet: Sheet) -> None:
    if claim.needs is None or not claim.test:
        return
    for position, part in enumerate(claim.test):
        if len(part.metrics) > 1:
            said = f"{show([*part.metrics])} are several parts; allowed beside needs: one metric"
            sheet.problems.add(f"{at}.test[{position}].metric", said)
    if claim.needs >= len(claim.test):
        said = f"{claim.needs} of {len(claim.test)} parts; allowed: fewer than there are"
        sheet.problems.add(f"{at}.needs", f"{said} (all of them are needed if it is left out)")


def _check_reason(claim: Claim, at: str, sheet: Sheet) -> None:
    given = [part.given() for part in claim.test]
    chosen = [
        key for of in given for key in THRESHOLDS if of.get(key) and not isinstance(of[key], str)
    ]
    if chosen and claim.why is None:
        said = ", ".join(dict.fromkeys(chosen))
        sheet.problems.add(f"{at}.why", f"is missing; needed here, beside a threshold: {said}")
