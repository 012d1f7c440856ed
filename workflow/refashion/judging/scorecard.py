"""The scorecard: how many numbers, claims and findings of each paper came out how, and in all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anybadge

from refashion.errors import UserError
from refashion.judging.claims import verdicts
from refashion.judging.diagnosis import findings
from refashion.judging.numbers import VERDICTS, published_numbers
from refashion.results.files import read_json
from refashion.results.paths import Kept, scorecard_file
from refashion.results.reference import WAY_OUT, Environment
from refashion.results.summary import load_summaries
from refashion.text import NONE, listed

if TYPE_CHECKING:
    from refashion.paper.config import Margins

MARKERS = ("<!-- scorecard -->", "<!-- end of scorecard -->")
BADGE_COLOR = "#14507f"


def grade(
    numbers: Sequence[Mapping[str, Any]],
    claims: Sequence[Mapping[str, Any]],
    found: Sequence[findings.Finding],
) -> dict[str, list[dict[str, Any]]]:
    """All verdicts on one paper, in its order, small enough for git.

    Args:
        numbers: from :func:`refashion.judging.numbers.published_numbers`.
        claims: results of :func:`refashion.judging.claims.verdicts.evaluate_claim`.
        found: by the diagnosis.

    Returns:
        ``numbers``: table, row, metric, at, published, mean, n, verdict, and ``within_margin``,
        whether the mean is as near as ``close`` asks for, which is all that a single run can say,
        and what a reproduced number may owe to the runs' spread alone;
        ``claims``: id, verdict, seeds and those it holds in; ``findings``: kind, tables, rows.
    """
    return {
        "numbers": [
            {
                "table": number["table"].id,
                "row": number["row"].id,
                "metric": number["metric"].metric,
                "at": number["metric"].at,
                **{key: number[key] for key in ("published", "mean", "n", "verdict")},
                "within_margin": number["within_margin"],
            }
            for number in numbers
        ],
        "claims": [
            {key: claim[key] for key in ("id", "verdict", "seeds", "holds_in")} for claim in claims
        ],
        "findings": [
            {"kind": finding.kind, "tables": finding.tables, "rows": finding.rows}
            for finding in found
        ],
    }


def grade_paper(
    paper: Any, results_root: Path, margins: Margins
) -> dict[str, list[dict[str, Any]]]:
    """:func:`grade` from what a run left under ``results_root``, ``results/<scale>``.

    Raises:
        UserError: the paper was not diagnosed, or its claims not tested.
    """
    summaries = load_summaries(paper, results_root)
    judged = verdicts.load(paper, results_root)
    return grade(
        published_numbers(paper, summaries, margins),
        [judged[claim.id] for claim in paper.claims],
        findings.load(paper, results_root),
    )


def count(grades: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """How many of each verdict there are in some papers' grades, in the order of the verdicts.

    Returns:
        ``numbers`` and ``claims``, verdict to count; ``within_margin``, how many of the numbers
        ``reproduced`` and of those beside a ``single run`` are within the margin;
        ``undecided_in_favour``, how many of the undecided claims hold in every run;
        ``claims_of_one_run``, of how many claims there is one run, and how many of them ``hold`` in
        it; ``findings``, a count.
    """
    numbers = [number for graded in grades for number in graded["numbers"]]
    claims = [claim for graded in grades for claim in graded["claims"]]
    undecided = [claim for claim in claims if claim["verdict"] == verdicts.UNDECIDED]
    in_favour = [claim for claim in undecided if claim["holds_in"] == claim["seeds"]]
    return {
        "numbers": _by_verdict(numbers, VERDICTS),
        "within_margin": {
            verdict: sum(n["within_margin"] for n in numbers if n["verdict"] == verdict)
            for verdict in ("reproduced", "single run")
        },
        "claims": _by_verdict(claims, verdicts.VERDICTS),
        "undecided_in_favour": len(in_favour),
        "claims_of_one_run": {
            "all": sum(len(claim["seeds"]) == 1 for claim in undecided),
            "hold": sum(len(claim["seeds"]) == 1 for claim in in_favour),
        },
        "findings": sum(len(graded["findings"]) for graded in grades),
    }


def _by_verdict(judged: Sequence[Mapping[str, Any]], known: Sequence[str]) -> dict[str, int]:
    each = [item["verdict"] for item in judged]
    return {verdict: each.count(verdict) for verdict in known}


def make_card(
    grades: Mapping[str, Mapping[str, Any]], scale: str, seeds: Mapping[str, Sequence[int]]
) -> dict[str, Any]:
    """The scorecard, as ``scorecard.json`` has it.

    Args:
        grades: by the papers' keys.
        scale: ``paper`` or ``smoke``.
        seeds: of each paper's runs.

    Returns:
        ``scale``; ``all``, the :func:`count` over all papers; ``papers``, for each its ``seeds``,
        its count and its ``verdicts``, the grade.
    """
    return {
        "scale": scale,
        "all": count(list(grades.values())),
        "papers": {
            key: {"seeds": list(seeds[key]), **count([graded]), "verdicts": graded}
            for key, graded in grades.items()
        },
    }


def badge(card: Mapping[str, Any]) -> str:
    """The scorecard as one line of SVG. At smoke scale it says that it is no evidence."""
    smoke = card["scale"] == "smoke"
    made = anybadge.Badge(
        "refashion" + (", smoke run: no evidence" if smoke else ""),
        in_short(card["all"]),
        default_color=BADGE_COLOR,
    )
    made.mask_str = "rounded"  # the library counts its badges; the same card gives the same bytes
    return made.badge_svg_text


def in_short(counts: Mapping[str, Any]) -> str:
    """What the runs support, of all that they can judge; for single runs, how near they come."""
    numbers, claims, found = counts["numbers"], counts["claims"], counts["findings"]
    parts = []
    good = numbers["reproduced"] + numbers["close"]
    if total := good + numbers["differs"]:
        near = counts["within_margin"]["reproduced"] + numbers["close"]
        parts.append(f"{good} of {total} numbers reproduced or close ({near} within the margin)")
    if single := numbers["single run"]:
        near = counts["within_margin"]["single run"]
        parts.append(f"{near} of {single} single runs within the margin")
    one_run = counts["claims_of_one_run"]
    if total := sum(claims.values()) - claims[verdicts.NOT_TESTED] - one_run["all"]:
        parts.append(f"{claims[verdicts.HOLDS]} of {total} claims hold")
    if one_run["all"]:
        parts.append(f"{one_run['hold']} of {one_run['all']} claims hold in a single run")
    return " · ".join([*parts, f"{found} finding{'' if found == 1 else 's'}"])


def lines(card: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A line a paper and, of several, one for all: ``paper``, ``seeds`` and counts as strings.

    A count of 0 is a dash, so that what is there stands out, and so are the seeds of all papers
    where they are not the same.
    """
    counted = dict(card["papers"])
    if len(counted) > 1:
        seeds = [paper["seeds"] for paper in card["papers"].values()]
        counted["all"] = card["all"] | {
            "seeds": seeds[0] if seeds.count(seeds[0]) == len(seeds) else []
        }
    return [
        {
            "paper": key,
            "seeds": listed(of["seeds"]) or NONE,
            "numbers": _cells(
                of["numbers"],
                {verdict: f"{n} within the margin" for verdict, n in of["within_margin"].items()},
            ),
            "claims": _cells(
                of["claims"],
                {verdicts.UNDECIDED: f"{of['undecided_in_favour']} hold in every run"},
            ),
            "findings": str(of["findings"] or NONE),
        }
        for key, of in counted.items()
    ]


def _cells(counts: Mapping[str, int], of_them: Mapping[str, str]) -> list[str]:
    """The counts, and behind some of them what part of it says more."""
    cells = {verdict: str(number or NONE) for verdict, number in counts.items()}
    for verdict, said in of_them.items():
        if counts[verdict]:
            cells[verdict] += f" ({said})"
    return list(cells.values())


def load(results_root: Path) -> dict[str, Any]:
    """What the verb ``scorecard`` wrote under ``results/<scale>``.

    Raises:
        UserError: it has not been written.
    """
    return read_json(scorecard_file(results_root), "make the scorecard before the report")


# ---- in the README ------------------------------------------------------------------------------


def load_reference(folder: Path) -> dict[str, Any]:
    """The scorecard of what is kept in ``results/reference/<scale>``, papers by name.

    Raises:
        UserError: nothing is kept there.
    """
    grades, seeds = {}, {}
    for kept in Kept.graded(folder):
        grades[kept.paper] = read_json(kept.verdicts, WAY_OUT)
        seeds[kept.paper] = Environment.read(kept.environment).seeds
    if not grades:
        raise UserError(f"{folder}: no paper's verdicts.json there; {WAY_OUT}")
    return make_card(grades, folder.name, seeds)


def in_readme(readme: str, card: Mapping[str, Any], picture: str) -> str:
    """The README's text with the scorecard between its markers.

    Args:
        readme: the whole text.
        card: from :func:`load_reference`.
        picture: the badge's path, from the README.

    Raises:
        UserError: the markers are not there, once each and in their order.
    """
    before, first, rest = readme.partition(MARKERS[0])
    _, last, after = rest.partition(MARKERS[1])
    if not (first and last) or MARKERS[0] in rest:
        raise UserError(f"README.md: needs a line {MARKERS[0]} and below it one {MARKERS[1]}")
    said = "\n".join([f"![{in_short(card['all'])}]({picture})", "", *_markdown(card)])
    return f"{before}{first}\n{said}\n{last}{after}"


def _markdown(card: Mapping[str, Any]) -> list[str]:
    columns = ["seeds", *(f"numbers: {verdict}" for verdict in card["all"]["numbers"])]
    columns += [*(f"claims: {verdict}" for verdict in card["all"]["claims"]), "findings"]
    table = [
        f"| | {' | '.join(columns)} |",
        f"|---|---|{'---:|' * (len(columns) - 1)}",
    ]
    for line in lines(card):
        name = "**all**" if line["paper"] == "all" else f"`{line['paper']}`"
        cells = [line["seeds"], *line["numbers"], *line["claims"], line["findings"]]
        table.append(f"| {name} | {' | '.join(cells)} |")
    return table
