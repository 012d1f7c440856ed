"""The scorecard in words: as a badge, as a table, and in the README."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import anybadge  # pyright: ignore[reportMissingTypeStubs]

from refashion.errors import UserError
from refashion.judging.claims import ClaimVerdict
from refashion.judging.numbers import NumberVerdict
from refashion.text import NONE, count, listed

if TYPE_CHECKING:
    from refashion.judging.scorecard import Card, Counts

V = TypeVar("V")

MARKERS = ("<!-- scorecard -->", "<!-- end of scorecard -->")
BADGE_COLOR = "#14507f"


def badge(card: Card) -> str:
    """The scorecard as one line of SVG. At smoke scale it says that it is no evidence."""
    smoke = card.scale == "smoke"
    made = anybadge.Badge(
        "refashion" + (", smoke run: no evidence" if smoke else ""),
        in_short(card.all),
        default_color=BADGE_COLOR,
    )
    made.mask_str = "rounded"  # the library counts its badges; the same card gives the same bytes
    return made.badge_svg_text


def in_short(counts: Counts) -> str:
    """What the runs support, of all that they can judge; for single runs, how near they come."""
    numbers, claims, within = counts.numbers, counts.claims, counts.within_margin
    parts: list[str] = []
    good = numbers[NumberVerdict.REPRODUCED] + numbers[NumberVerdict.CLOSE]
    if total := good + numbers[NumberVerdict.DIFFERS]:
        near = within[NumberVerdict.REPRODUCED] + numbers[NumberVerdict.CLOSE]
        parts.append(f"{good} of {total} numbers reproduced or close ({near} within the margin)")
    if single := numbers[NumberVerdict.SINGLE_RUN]:
        near = within[NumberVerdict.SINGLE_RUN]
        parts.append(f"{near} of {single} single runs within the margin")
    one_run = counts.claims_of_one_run
    if total := sum(claims.values()) - claims[ClaimVerdict.NOT_TESTED] - one_run.all:
        parts.append(f"{claims[ClaimVerdict.HOLDS]} of {total} claims hold")
    if one_run.all:
        parts.append(f"{one_run.hold} of {one_run.all} claims hold in a single run")
    return " · ".join([*parts, count(counts.findings, "finding")])


@dataclass(frozen=True)
class CardLine:
    """A paper's line in the table of the scorecard: counts by verdict, in the verdicts' order."""

    paper: str
    seeds: str
    numbers: list[str]
    claims: list[str]
    findings: str


def lines(card: Card) -> list[CardLine]:
    """A line a paper and, of several, one for all.

    A count of 0 is a dash, so that what is there stands out, and so are the seeds of all papers
    where they are not the same.
    """
    counted = [(key, card.seeds[key], counts) for key, counts in card.papers.items()]
    if len(counted) > 1:
        seeds = [tuple(of) for of in card.seeds.values()]
        counted.append(("all", seeds[0] if len(set(seeds)) == 1 else (), card.all))
    return [
        CardLine(
            key,
            listed(seeds) or NONE,
            _cells(of.numbers, {v: f"{n} within the margin" for v, n in of.within_margin.items()}),
            _cells(
                of.claims, {ClaimVerdict.UNDECIDED: f"{of.undecided_in_favour} hold in every run"}
            ),
            str(of.findings or NONE),
        )
        for key, seeds, of in counted
    ]


def _cells(counts: Mapping[V, int], of_them: Mapping[V, str]) -> list[str]:
    """The counts, and behind some of them what part of it says more."""
    return [
        f"{number} ({of_them[verdict]})" if number and verdict in of_them else str(number or NONE)
        for verdict, number in counts.items()
    ]


# ---- in the README ------------------------------------------------------------------------------


def in_readme(readme: str, card: Card, picture: str) -> str:
    """The README's text with the scorecard between its markers.

    Args:
        readme: the whole text.
        card: of the reference.
        picture: the badge's path, from the README.

    Raises:
        UserError: the markers are not there, once each and in their order.
    """
    before, first, rest = readme.partition(MARKERS[0])
    _, last, after = rest.partition(MARKERS[1])
    if not (first and last) or MARKERS[0] in rest:
        raise UserError(f"README.md: needs a line {MARKERS[0]} and below it one {MARKERS[1]}")
    said = "\n".join([f"![{in_short(card.all)}]({picture})", "", *_markdown(card)])
    return f"{before}{first}\n{said}\n{last}{after}"


def _markdown(card: Card) -> Iterable[str]:
    counted = card.all
    columns = ["seeds", *(f"numbers: {verdict}" for verdict in counted.numbers)]
    columns += [*(f"claims: {verdict}" for verdict in counted.claims), "findings"]
    yield f"| | {' | '.join(columns)} |"
    yield f"|---|---|{'---:|' * (len(columns) - 1)}"
    for line in lines(card):
        name = "**all**" if line.paper == "all" else f"`{line.paper}`"
        cells = [line.seeds, *line.numbers, *line.claims, line.findings]
        yield f"| {name} | {' | '.join(cells)} |"
