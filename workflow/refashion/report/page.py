"""The report of all papers, or of one: everything that its document prints."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from refashion.judging.diagnosis import findings
from refashion.judging.numbers import largest_differences
from refashion.judging.scorecard import Card
from refashion.report import scorecard
from refashion.report.frame import frame
from refashion.report.paper import PaperPart, load_part
from refashion.report.pictures import load_picture
from refashion.report.table import Cell, Column, Group, Panel, Table, alone
from refashion.report.tables import KINDS
from refashion.text import NONE, capital, duration, rounded, sentence

if TYPE_CHECKING:
    from refashion.paper.across import Statement
    from refashion.paper.config import Config
    from refashion.paper.papers import Paper
    from refashion.results.provenance import Provenance

TITLE = "Fashion-MNIST papers, rerun"
AGAINST = "If it holds, it speaks against the statement."


def build_context(
    config: Config,
    papers: Sequence[Paper],
    results_root: Path,
    run: Provenance,
    statements: Sequence[Statement] = (),
) -> dict[str, Any]:
    """All that ``report.j2`` prints.

    ``papers`` may be all of the configuration's or one alone: then there is no table of papers.
    ``results_root`` is ``results/<scale>``, with each row's ``summary.json`` and the figures;
    ``run`` comes from :func:`refashion.results.provenance.describe_run`, ``statements`` about
    several papers from :func:`refashion.paper.across.load`. A row without a summary is shown as
    not run.

    Raises:
        UserError: a figure has not been drawn, or a paper not diagnosed.
    """
    parts = [load_part(paper, results_root, config) for paper in papers]
    summaries = {part.paper.key: part.summaries for part in parts}
    card = drawn = None
    title = f"{papers[0].key}, rerun"
    if len(papers) > 1:  # of one paper a card would be a second account of the same counts
        card, title = Card.read(results_root), TITLE
        counted = scorecard.in_short(card.all)
        alt = f"Bars of verdicts, a paper a line. In all: {counted}."
        drawn = load_picture(results_root, "scorecard", alt)
    return frame(title, config, run, papers, summaries) | {
        "scorecard": card and scorecard.tabulate(card),
        "scorecard_drawn": drawn,
        "overview": _tabulate_papers(parts),
        "across": _tabulate_statements(statements, parts),
        "papers": parts,
        "kinds_of_finding": findings.KINDS,
    }


def _tabulate_papers(parts: Sequence[PaperPart]) -> Table:
    """A line a paper; the kinds of number that any of them prints are columns."""
    medians = [
        {each.kind: rounded(each.median, each.digits) for each in largest_differences(part.numbers)}
        for part in parts
    ]
    kinds = [
        Column(capital(name), [of_paper.get(kind, NONE) for of_paper in medians], "number")
        for kind, (_, name) in KINDS.items()
        if any(kind in of_paper for of_paper in medians)
    ]

    def fact(name: str) -> Column:
        return Column(name, [part.facts[name] for part in parts], "number")

    seconds = [sum(sum(each.seconds) for each in part.summaries.values()) for part in parts]
    names = [Cell(part.paper.key, link=part.paper.key) for part in parts]
    figures = [str(len(part.figures)) for part in parts]
    groups = [
        *alone(
            Column("Paper", names, "code"),
            fact("Rows trained"),
            fact("Numbers compared"),
        ),
        *([Group(kinds, "Median difference")] if kinds else []),
        *alone(
            Column("Figures", figures, "number"),
            fact("Diverged runs"),
            Column("Time of training", [duration(each) for each in seconds], "number"),
        ),
    ]
    return Table("papers", [Panel(groups)], paged=True)


def _tabulate_statements(
    statements: Sequence[Statement], parts: Sequence[PaperPart]
) -> list[Table]:
    """What several of the papers say: a table of their claims for each statement."""
    by_name = {(each.paper, each.claim.id): each for part in parts for each in part.claims}
    tables: list[Table] = []
    for index, statement in enumerate(statements, start=1):
        claims = [by_name[said.paper, said.claim] for said in statement.claims]
        remarks = [AGAINST if said.against else "" for said in statement.claims]
        texts = [
            Cell(sentence(each.claim.text), remark=remark)
            for each, remark in zip(claims, remarks, strict=True)
        ]
        verdicts = [" · ".join(filter(None, (each.verdict, each.seeds))) for each in claims]
        names = [Cell(each.claim.id, link=each.anchor) for each in claims]
        columns = [
            Column("Claim", names, "code", width=0.12),
            Column("What the paper says", texts, width=0.62),
            Column("Verdict", verdicts, "verdict", width=0.26),
        ]
        caption = sentence(statement.text)
        tables.append(Table(f"across-{index}", [Panel([Group(columns)])], caption=caption))
    return tables
