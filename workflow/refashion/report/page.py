"""The report of all papers, or of one: everything that its document prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from refashion.judging.numbers import largest_differences
from refashion.judging.scorecard import Card
from refashion.report import scorecard
from refashion.report.compared import KINDS
from refashion.report.frame import frame
from refashion.report.paper import Evidence, PaperPart, load_evidence, show_paper
from refashion.report.pictures import Picture, load_picture
from refashion.report.table import Cell, Column, Group, Panel, Table, alone
from refashion.text import NONE, capital, rounded, sentence

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
    """All that ``report.j2`` prints, every number a string.

    ``papers`` may be all of the configuration's or one alone: then there is no table of papers.
    ``results_root`` is ``results/<scale>``, with each row's ``summary.json`` and the figures;
    ``run`` comes from :func:`refashion.results.provenance.describe_run`, ``statements`` about
    several papers from :func:`refashion.paper.across.load`. A row without a summary is shown as
    not run.

    Raises:
        UserError: a figure has not been drawn, or a paper not diagnosed.
    """
    root = Path(results_root)
    evidence = {paper.key: load_evidence(paper, root, config.margins) for paper in papers}
    summaries = {key: of_paper.summaries for key, of_paper in evidence.items()}
    shown = [show_paper(paper, evidence[paper.key], root, config.seeds) for paper in papers]
    several = len(papers) > 1
    title = TITLE if several else f"{papers[0].key}, rerun"
    return frame(title, config, run, papers, summaries) | {
        # Of one paper it would be a second account of the same counts.
        "scorecard": scorecard.tabulate(Card.read(root)) if several else None,
        "scorecard_drawn": _draw_scorecard(root) if several else None,
        "overview": _tabulate_papers(papers, evidence),
        "across": _tabulate_statements(statements, shown),
        "papers": shown,
    }


def _draw_scorecard(results_root: Path) -> Picture:
    counted = scorecard.in_short(Card.read(results_root).all)
    alt = f"Bars of verdicts, a paper a line. In all: {counted}."
    return load_picture(results_root, "scorecard", alt)


def _tabulate_papers(papers: Sequence[Paper], evidence: Mapping[str, Evidence]) -> Table:
    """A line a paper; the kinds of number that any of them prints are columns."""
    found = [evidence[paper.key] for paper in papers]
    medians = [
        {
            ranked.kind: rounded(ranked.median, ranked.digits)
            for ranked in largest_differences(of_paper.numbers)
        }
        for of_paper in found
    ]
    kinds = [
        Column(capital(name), [of_paper.get(kind, NONE) for of_paper in medians], "number")
        for kind, (_, name) in KINDS.items()
        if any(kind in of_paper for of_paper in medians)
    ]
    trained = [each.rows_trained(paper) for each, paper in zip(found, papers, strict=True)]
    groups = [
        *alone(
            Column("Paper", [Cell(paper.key, link=paper.key) for paper in papers], "code"),
            Column("Rows trained", trained, "number"),
            Column("Numbers compared", [each.numbers_compared for each in found], "number"),
        ),
        *([Group(kinds, "Median difference")] if kinds else []),
        *alone(
            Column("Figures", [str(len(paper.figures)) for paper in papers], "number"),
            Column("Diverged runs", [each.diverged_runs for each in found], "number"),
            Column("Time of training", [each.time_of_training for each in found], "number"),
        ),
    ]
    return Table("papers", [Panel(groups)], paged=True)


def _tabulate_statements(
    statements: Sequence[Statement], papers: Sequence[PaperPart]
) -> list[Table]:
    """What several of the papers say: a table of their claims for each statement."""
    shown = {(paper.key, claim["id"]): claim for paper in papers for claim in paper.claims}
    return [
        Table(
            f"across-{index}",
            [Panel([Group(_claims(statement, shown))])],
            caption=sentence(statement.text),
        )
        for index, statement in enumerate(statements, start=1)
    ]


def _claims(
    statement: Statement, shown: Mapping[tuple[str, str], Mapping[str, Any]]
) -> list[Column]:
    claims = [shown[said.paper, said.claim] for said in statement.claims]
    remarks = [AGAINST if said.against else "" for said in statement.claims]
    texts = [
        Cell(claim["text"], remark=remark) for claim, remark in zip(claims, remarks, strict=True)
    ]
    verdicts = [
        " · ".join(filter(None, (f"{claim['sign']} {claim['verdict']}", claim["seeds"])))
        for claim in claims
    ]
    names = [Cell(claim["id"], link=claim["anchor"]) for claim in claims]
    return [
        Column("Claim", names, "code", width=0.12),
        Column("What the paper says", texts, width=0.62),
        Column("Verdict", verdicts, "verdict", width=0.26),
    ]
