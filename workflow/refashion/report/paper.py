"""One paper's part of the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from refashion.judging import claims as verdicts
from refashion.judging import levels
from refashion.judging.diagnosis import findings
from refashion.judging.numbers import Number, published_numbers
from refashion.report import claims
from refashion.report.compared import count_numbers, tabulate_largest, tabulate_verdicts
from refashion.report.pictures import Picture, Redrawn, load_picture, show_figure
from refashion.report.table import Cell, Column, Group, Panel, Table
from refashion.report.tables import tabulate, tabulate_confusion, tabulate_excess
from refashion.results.summary import Summary, load_summaries
from refashion.text import NONE, capital, count, duration, listed, span

if TYPE_CHECKING:
    from refashion.judging.claims import ClaimResult
    from refashion.paper import papers
    from refashion.paper.claims import Claim
    from refashion.paper.config import Margins


@dataclass(frozen=True)
class Evidence:
    """What is known of a paper: summaries by row id, its published numbers, and findings."""

    summaries: Mapping[str, Summary]
    numbers: list[Number]
    findings: Sequence[findings.Finding]

    @property
    def numbers_compared(self) -> str:
        """``40 of 46``: how many of the published numbers were measured."""
        measured = sum(number.difference is not None for number in self.numbers)
        return f"{measured} of {len(self.numbers)}" if self.numbers else "none printed"

    @property
    def diverged_runs(self) -> str:
        return str(sum(summary.diverged for summary in self.summaries.values()))

    @property
    def time_of_training(self) -> str:
        return duration(sum(sum(summary.seconds) for summary in self.summaries.values()))

    def rows_trained(self, paper: papers.Paper) -> str:
        """``18 of 19``: rows of which a run was completed."""
        trained = sum(bool(summary.completed) for summary in self.summaries.values())
        return f"{trained} of {len(paper.rows)}"


@dataclass(frozen=True)
class Finding:
    """What numbers give away; ``tables`` are the labels and anchors of those it is about."""

    title: str
    tables: list[tuple[str, str]]
    rows: str
    evidence: Sequence[str]
    consequence: str


@dataclass(frozen=True)
class PaperPart:
    """A paper in the order in which the report shows it."""

    key: str
    citation: papers.Citation
    place: str
    links: list[str]
    facts: list[tuple[str, str]]
    verdicts_counted: str
    claims_counted: str
    largest: list[Table]
    prints_numbers: bool
    protocol: dict[str, str]
    tables: list[Table]
    verdicts: Table | None
    verdicts_drawn: Picture | None
    figures: list[Redrawn]
    findings: list[Finding]
    excess: Table | None
    assumptions: list[tuple[papers.Assumption, str]]
    claims: list[dict[str, Any]]
    rows: Table


def load_evidence(paper: papers.Paper, results_root: Path, margins: Margins) -> Evidence:
    """What runs and diagnosis left under ``results/<scale>``; ``margins`` of the configuration.

    Raises:
        UserError: the paper was not diagnosed.
    """
    found = findings.load(paper, results_root)
    summaries = findings.with_collapsed(load_summaries(paper, results_root), found)
    return Evidence(summaries, published_numbers(paper, summaries, margins), found)


def show_paper(
    paper: papers.Paper, evidence: Evidence, results_root: Path, seeds: Sequence[int]
) -> PaperPart:
    """A paper as the report shows it.

    Raises:
        UserError: a figure has not been drawn, or the claims not tested.
    """
    summaries, numbers = evidence.summaries, evidence.numbers
    judged = verdicts.load(paper, results_root)
    return PaperPart(
        key=paper.key,
        citation=paper.citation,
        place=_place(paper.citation),
        links=_links(paper.citation),
        facts=[
            ("Rows trained", evidence.rows_trained(paper)),
            ("Seeds per row", f"{len(seeds)} ({listed(seeds)})"),
            ("Numbers compared", evidence.numbers_compared),
            ("Diverged runs", evidence.diverged_runs),
        ],
        verdicts_counted=count_numbers(numbers),
        claims_counted=claims.count_verdicts(list(judged.values())),
        largest=tabulate_largest(paper, numbers),
        prints_numbers=bool(numbers),
        protocol=paper.protocol.given(),
        tables=[tabulate(paper, table, summaries) for table in paper.tables]
        + [tabulate_confusion(paper, matrix, summaries) for matrix in paper.confusion_matrices],
        verdicts=tabulate_verdicts(paper, numbers),
        verdicts_drawn=_load_strip(paper, results_root) if numbers else None,
        figures=[
            show_figure(paper, figure, summaries, results_root, seeds) for figure in paper.figures
        ],
        findings=[_show_finding(paper, finding) for finding in evidence.findings],
        excess=tabulate_excess(paper, levels.load(paper, results_root), summaries),
        assumptions=[(each, say_varied(paper, each)) for each in paper.assumptions],
        claims=[_show_claim(paper, claim, judged[claim.id], summaries) for claim in paper.claims],
        rows=_tabulate_rows(paper, summaries),
    )


def _place(citation: papers.Citation) -> str:
    place = citation.journal, citation.course, citation.institution, citation.place
    return capital(", ".join(part for part in place if part))


def _links(citation: papers.Citation) -> list[str]:
    doi = citation.doi and f"https://doi.org/{citation.doi.removeprefix('https://doi.org/')}"
    return [url for url in (doi, citation.url, citation.code) if url]


def _load_strip(paper: papers.Paper, results_root: Path) -> Picture:
    return load_picture(
        results_root,
        f"{paper.key}-verdicts",
        f"Every published number of {paper.key} beside the runs, on one scale. "
        "The table below has the same numbers.",
        height=0.85,
    )


def say_varied(paper: papers.Paper, assumption: papers.Assumption) -> str:
    """Where other readings of it are studied, if they are."""
    readings = [study.readings for study in paper.studies if study.assumption == assumption.id]
    return " ".join(
        f"Varied in the sensitivity studies: {count(len(each), 'other reading')}."
        for each in readings
    )


def _show_finding(paper: papers.Paper, finding: findings.Finding) -> Finding:
    labels = {table.id: table.label for table in paper.tables}
    return Finding(
        title=findings.KINDS[finding.kind],
        tables=[(labels[table], f"{paper.key}-{table}") for table in finding.tables],
        # Where it is about most of a paper its rows are named in the evidence, if they matter.
        rows=listed(finding.rows) if len(finding.rows) <= 4 else f"{len(finding.rows)} rows",
        evidence=finding.evidence,
        consequence=finding.consequence,
    )


def _show_claim(
    paper: papers.Paper, claim: Claim, result: ClaimResult, summaries: Mapping[str, Summary]
) -> dict[str, Any]:
    note = " ".join([result.note, *collapses(result, summaries)]).strip()
    shown = claims.present(claim, replace(result, note=note))
    return shown | {"anchor": f"{paper.key}-{claim.id}"}


def collapses(result: ClaimResult, summaries: Mapping[str, Summary]) -> list[str]:
    """Which of the runs that a claim was tested on collapsed."""
    named = {row for part in result.parts for row in part.rows}
    together: dict[tuple[int, ...], list[str]] = {}
    for row, summary in summaries.items():
        if row in named and (collapsed := summary.collapsed):
            together.setdefault(tuple(collapsed), []).append(row)
    return [f"{listed(rows)} collapsed (seed {listed(seeds)})." for seeds, rows in together.items()]


def _tabulate_rows(paper: papers.Paper, summaries: Mapping[str, Summary]) -> Table:
    """Every row with its target, size and cost."""
    targets = [Cell(row.name, ours=row.variant_of is not None) for row in paper.rows]
    titles = ("Parameters", "Epochs", "Weights of epoch", "Runs completed", "Time of a run")
    costs = zip(*(_cost(summaries.get(row.id)) for row in paper.rows), strict=True)
    columns = [
        Column("Target", targets, "code"),
        *(Column(title, cells, "number") for title, cells in zip(titles, costs, strict=True)),
    ]
    return Table(f"{paper.key}-targets", [Panel([Group(columns)])], long=True)


def _cost(summary: Summary | None) -> tuple[str, ...]:
    if not summary:
        return NONE, NONE, NONE, "not run", NONE
    kept = summary.at("kept", "epoch")
    return (
        f"{summary.parameters:,}",
        span(summary.epochs),
        span([round(epoch) for epoch in kept.values]) if kept else NONE,
        f"{summary.completed} of {len(summary.seeds)}",
        duration(sum(summary.seconds) / len(summary.seconds)),
    )
