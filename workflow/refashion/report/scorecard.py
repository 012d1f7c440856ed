"""The scorecard in words: as a badge, as a table, and in the README."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

import anybadge  # pyright: ignore[reportMissingTypeStubs]

from refashion.errors import UserError
from refashion.judging.claims import ClaimVerdict
from refashion.judging.numbers import NumberVerdict
from refashion.report.table import Cell, Column, Group, Panel, Table, alone
from refashion.text import NONE, capital, count, listed

if TYPE_CHECKING:
    from refashion.judging.scorecard import Card, Counts

V = TypeVar("V", bound=str)

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
    if total := sum(claims.values()) - claims[ClaimVerdict.NOT_TESTED] - one_run["all"]:
        parts.append(f"{claims[ClaimVerdict.HOLDS]} of {total} claims hold")
    if one_run["all"]:
        parts.append(f"{one_run['hold']} of {one_run['all']} claims hold in a single run")
    return " · ".join([*parts, count(counts.findings, "finding")])


def tabulate(card: Card) -> Table:
    """All verdicts, counted: a line a paper and, of several, one for all.

    A count of 0 is a dash, so that what is there stands out, and so are the seeds of all papers
    where they are not the same.
    """
    lines = [(Cell(key, link=key), of.seeds, of.counts) for key, of in card.papers.items()]
    if len(lines) > 1:
        seeds = {tuple(of.seeds) for of in card.papers.values()}
        lines.append((Cell("All", total=True), seeds.pop() if len(seeds) == 1 else (), card.all))
    found = [
        Cell(str(of.findings or NONE), link="" if paper.total else f"{paper.text}-findings")
        for paper, _, of in lines
    ]
    numbers = [
        (of.numbers, {v: f"{n} within the margin" for v, n in of.within_margin.items()})
        for *_, of in lines
    ]
    claims = [
        (of.claims, {ClaimVerdict.UNDECIDED: f"{of.undecided_in_favour} hold in every run"})
        for *_, of in lines
    ]
    groups = [
        *alone(
            Column("Paper", [paper for paper, *_ in lines], "code"),
            Column("Seeds", [listed(seeds) or NONE for _, seeds, _ in lines]),
        ),
        Group(_columns(NumberVerdict, numbers), "Published numbers"),
        Group(_columns(ClaimVerdict, claims), "Claims"),
        *alone(Column("Findings", found, "number")),
    ]
    return Table("verdicts", [Panel(groups)])


def _columns(
    verdicts: Iterable[V], counted: Sequence[tuple[Mapping[V, int], Mapping[V, str]]]
) -> list[Column]:
    """The counts, and behind some of them what part of it says more."""

    def cell(number: int, of_them: str | None) -> str:
        return f"{number} ({of_them})" if number and of_them else str(number or NONE)

    return [
        Column(
            capital(verdict),
            [cell(of[verdict], more.get(verdict)) for of, more in counted],
            "number",
        )
        for verdict in verdicts
    ]


# ---- in the README ------------------------------------------------------------------------------


def in_readme(readme: str, card: Card, picture: str) -> str:
    """The README's whole text with the scorecard of the reference between its markers.

    ``picture`` is the badge's path, from the README.

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
    columns = ["seeds", *(f"numbers: {verdict}" for verdict in NumberVerdict)]
    columns += [*(f"claims: {verdict}" for verdict in ClaimVerdict), "findings"]
    yield f"| | {' | '.join(columns)} |"
    yield f"|---|---|{'---:|' * (len(columns) - 1)}"
    for paper, *cells in tabulate(card).panels[0].lines:
        name = "**all**" if paper.total else f"`{paper.text}`"
        yield f"| {name} | {' | '.join(cell.text for cell in cells)} |"
