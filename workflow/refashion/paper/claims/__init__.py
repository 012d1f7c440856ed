"""The claims of a paper and the tests of them, checked against the rows that they name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from pydantic import Field

from refashion.paper.claims.forms import Form
from refashion.paper.claims.part import THRESHOLDS, Misfits, Part
from refashion.paper.problems import show, under
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

    def misfits(self, sheet: Sheet) -> Misfits:
        """What does not fit together, or does not fit the rows that its test names."""
        for key, given in (("needs", self.needs), ("why", self.why)):
            if given is not None and not self.test:
                yield key, f"{show(given)} without test; allowed: beside it"
        if self.test and self.untestable:
            yield "untestable", "stands beside test; allowed: one of the two"
        if self.test and self.needs is not None:
            yield from self._wrong_needs(self.needs)
        numbers = [(key, part.given().get(key)) for part in self.test for key in THRESHOLDS]
        chosen = [key for key, number in numbers if number and not isinstance(number, str)]
        if chosen and self.why is None:
            said = ", ".join(dict.fromkeys(chosen))
            yield "why", f"is missing; needed here, beside a threshold: {said}"
        for position, part in enumerate(self.test):
            yield from under(f"test[{position}]", part.misfits(sheet))

    def _wrong_needs(self, needs: int) -> Misfits:
        for position, part in enumerate(self.test):
            if len(part.metrics) > 1:
                said = f"{show([*part.metrics])} are several parts"
                yield f"test[{position}].metric", f"{said}; allowed beside needs: one metric"
        if needs >= len(self.test):
            said = f"{needs} of {len(self.test)} parts; allowed: fewer than there are"
            yield "needs", f"{said} (all of them are needed if it is left out)"
