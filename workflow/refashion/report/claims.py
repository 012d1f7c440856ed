"""Claims and their verdicts as the report shows them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from refashion.text import NONE, count, listed, rounded

if TYPE_CHECKING:
    from refashion.judging.claims import ClaimResult, PartResult
    from refashion.paper.claims import Claim
    from refashion.paper.claims.measures import Unit
    from refashion.results.summary import Summary

# By the unit of an effect: what it is multiplied by to be shown, and what is written behind it.
UNITS: dict[Unit, tuple[int, str]] = {
    "loss": (1, ""),
    "share": (100, " points"),
    "relative": (100, " %"),
    "epochs": (1, " epochs"),
    "output": (1, ""),
}


@dataclass(frozen=True)
class Tested:
    """A paper's claim, and what came of it; ``summaries`` are of the paper's rows."""

    paper: str
    claim: Claim
    result: ClaimResult
    summaries: Mapping[str, Summary]

    @property
    def anchor(self) -> str:
        return f"{self.paper}-{self.claim.id}"

    @property
    def verdict(self) -> str:
        """``✓ holds``"""
        return f"{self.result.verdict.sign} {self.result.verdict}"

    @property
    def seeds(self) -> str:
        """``2 of 3 seeds for it``, or nothing where none could be tested."""
        seeds, holds_in = self.result.seeds, self.result.holds_in
        return f"{len(holds_in)} of {count(len(seeds), 'seed')} for it" if seeds else ""

    @property
    def needs(self) -> str:
        needs, parts = self.result.needs, len(self.result.parts)
        return f"{needs} of these {parts} are needed:" if needs < parts else ""

    @property
    def note(self) -> str:
        return " ".join([self.result.note, *collapses(self.result, self.summaries)]).strip()


def collapses(result: ClaimResult, summaries: Mapping[str, Summary]) -> list[str]:
    """Which of the runs that a claim was tested on collapsed."""
    named = {row for part in result.parts for row in part.rows}
    together: dict[tuple[int, ...], list[str]] = {}
    for row, summary in summaries.items():
        if row in named and (collapsed := summary.collapsed):
            together.setdefault(tuple(collapsed), []).append(row)
    return [f"{listed(rows)} collapsed (seed {listed(seeds)})." for seeds, rows in together.items()]


def effect(part: PartResult) -> str:
    """``+0.0123 [+0.0100, +0.0146]``: the deciding effect's mean and interval, and its name."""
    if part.mean is None:
        return NONE
    factor, unit = UNITS[part.unit]
    numbers = [factor * value for value in (part.mean, *(part.interval or ()))]
    largest = max(map(abs, numbers))
    # Three digits of the largest number, and of all of them the same decimals.
    decimals = max(2 - math.floor(math.log10(largest)), 0) if largest else 0
    if min(numbers) * max(numbers) > 0:  # what decides is not printed as 0
        decimals = max(decimals, -math.floor(math.log10(min(map(abs, numbers)))))
    decimals = min(decimals, 9)
    mean, *ends = (rounded(number, decimals, sign=True) for number in numbers)
    interval = f" [{', '.join(ends)}]" if ends else ""
    of = f" ({part.decides})" if len(part.effects) > 1 else ""
    return f"{mean}{interval}{unit}{of}"
