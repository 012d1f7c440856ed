"""The scorecard in words: as a badge, as a table, and in the README."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import anybadge  # pyright: ignore[reportMissingTypeStubs]

from refashion.errors import UserError
from refashion.judging.claims import ClaimVerdict
from refashion.judging.numbers import NumberVerdict
from refashion.report.table import Cell, Column, Group, Panel, Table, alone, markdown
from refashion.results.summary import distinct
from refashion.text import NONE, capital, count, listed

if TYPE_CHECKING:
    from refashion.judging.scorecard import Card, Counts

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
    """All verdicts, counted by paper, and of several papers in all.

    A count of 0 is a dash, so that what is there stands out, and so are the seeds of all papers
    where they are not the same.
    """
    papers = {key: of.counts for key, of in card.papers.items()}
    seeds = {key: of.seeds for key, of in card.papers.items()}
    names = [Cell(key, link=key) for key in papers]
    found = [Cell(str(of.findings or NONE), link=f"{key}-findings") for key, of in papers.items()]
    if len(papers) > 1:
        papers["all"] = card.all
        alike = distinct(tuple(of) for of in seeds.values())
        seeds["all"] = alike[0] if len(alike) == 1 else ()
        names.append(Cell("All", total=True))
        found.append(Cell(str(card.all.findings or NONE)))
    of_seeds = [listed(seeds[key]) or NONE for key in papers]
    numbers = [_column(verdict, papers.values()) for verdict in NumberVerdict]
    claims = [_column(verdict, papers.values()) for verdict in ClaimVerdict]
    groups = [
        *alone(Column("Paper", names, "code"), Column("Seeds", of_seeds)),
        Group(numbers, "Published numbers"),
        Group(claims, "Claims"),
        *alone(Column("Findings", found, "number")),
    ]
    return Table("verdicts", [Panel(groups)])


def _column(verdict: str, papers: Iterable[Counts]) -> Column:
    """The counts of a verdict, and behind some of them what part of it says more."""
    cells: list[str] = []
    for of in papers:
        counts: Mapping[str, int] = {**of.numbers, **of.claims}
        number = counts[verdict]
        more = {str(v): f" ({near} within the margin)" for v, near in of.within_margin.items()}
        more[ClaimVerdict.UNDECIDED] = f" ({of.undecided_in_favour} hold in every run)"
        cells.append(f"{number}{more.get(verdict, '')}" if number else NONE)
    return Column(capital(verdict), cells, "number")


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
    titles = ["", "seeds", *(f"numbers: {verdict}" for verdict in NumberVerdict)]
    titles += [*(f"claims: {verdict}" for verdict in ClaimVerdict), "findings"]
    lines = [
        ["**all**" if paper.total else f"`{paper.text}`", *(cell.text for cell in cells)]
        for paper, *cells in tabulate(card).panels[0].lines
    ]
    said = [f"![{in_short(card.all)}]({picture})", "", *markdown(titles, lines, len(titles) - 2)]
    return "\n".join([before + first, *said, last + after])
