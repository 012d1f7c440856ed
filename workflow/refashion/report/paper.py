"""One paper's part of the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from refashion.judging import claims as verdicts
from refashion.judging import levels
from refashion.judging.diagnosis import findings
from refashion.judging.numbers import Number, NumberVerdict, published_numbers
from refashion.report import claims
from refashion.report import tables as printed
from refashion.report.pictures import Picture, Redrawn, load_picture, show_figure
from refashion.report.table import Cell, Column, Group, Panel, Table
from refashion.results.summary import Summary, load_summaries
from refashion.text import NONE, capital, count, duration, listed, span, tally

if TYPE_CHECKING:
    from refashion.paper import papers
    from refashion.paper.config import Config


@dataclass(frozen=True)
class PaperPart:
    """A paper, what is known of it, and the tables and pictures that show it.

    ``summaries`` are by row id; a row that was not run has none.
    """

    paper: papers.Paper
    seeds: Sequence[int]
    summaries: Mapping[str, Summary]
    numbers: list[Number]
    largest: list[Table]
    tables: list[Table]
    verdicts: Table | None
    verdicts_drawn: Picture | None
    figures: list[Redrawn]
    findings: Sequence[findings.Finding]
    excess: Table | None
    claims: list[claims.Tested]
    rows: Table

    @property
    def facts(self) -> dict[str, str]:
        """How much of it was run, and with what end."""
        trained = sum(bool(summary.completed) for summary in self.summaries.values())
        measured = sum(number.difference is not None for number in self.numbers)
        compared = f"{measured} of {len(self.numbers)}" if self.numbers else "none printed"
        return {
            "Rows trained": f"{trained} of {len(self.paper.rows)}",
            "Seeds per row": f"{len(self.seeds)} ({listed(self.seeds)})",
            "Numbers compared": compared,
            "Diverged runs": str(sum(summary.diverged for summary in self.summaries.values())),
        }

    @property
    def numbers_counted(self) -> str:
        """``Of 46 published numbers: 30 reproduced, 6 close and 10 different.``, or nothing."""
        words = {str(verdict): verdict.counted for verdict in NumberVerdict}
        return tally([number.verdict for number in self.numbers], "published number", words)

    @property
    def claims_counted(self) -> str:
        return claims.count_verdicts([tested.result.verdict for tested in self.claims])

    @property
    def links(self) -> list[str]:
        """Where the paper and its code are."""
        cited = self.paper.citation
        doi = cited.doi and f"https://doi.org/{cited.doi.removeprefix('https://doi.org/')}"
        return [url for url in (doi, cited.url, cited.code) if url]

    @property
    def place(self) -> str:
        cited = self.paper.citation
        place = cited.journal, cited.course, cited.institution, cited.place
        return capital(", ".join(filter(None, place)))

    def tables_of(self, finding: findings.Finding) -> list[tuple[str, str]]:
        """The labels and the anchors of the tables that it is about."""
        labels = {table.id: table.label for table in self.paper.tables}
        return [(labels[table], f"{self.paper.key}-{table}") for table in finding.tables]

    @property
    def assumptions(self) -> list[tuple[papers.Assumption, str]]:
        """Each with where it is varied, if it is."""
        return [(each, say_varied(self.paper, each)) for each in self.paper.assumptions]


def load_part(paper: papers.Paper, results_root: Path, config: Config) -> PaperPart:
    """What runs and judging left of a paper under ``results/<scale>``.

    Raises:
        UserError: a figure has not been drawn, the paper not diagnosed, or its claims not tested.
    """
    found = findings.load(paper, results_root)
    summaries = findings.with_collapsed(load_summaries(paper, results_root), found)
    numbers = published_numbers(paper, summaries, config.margins)
    judged = verdicts.load(paper, results_root)
    matrices, strip = paper.confusion_matrices, None
    if numbers:
        alt = f"Every published number of {paper.key} beside the runs, on one scale. "
        alt += "The table below has the same numbers."
        strip = load_picture(results_root, f"{paper.key}-verdicts", alt, height=0.85)
    return PaperPart(
        paper=paper,
        seeds=config.seeds,
        summaries=summaries,
        numbers=numbers,
        largest=printed.tabulate_largest(paper, numbers),
        tables=[
            *(printed.tabulate(paper, table, summaries) for table in paper.tables),
            *(printed.tabulate_confusion(paper, each, summaries) for each in matrices),
        ],
        verdicts=printed.tabulate_verdicts(paper, numbers) if numbers else None,
        verdicts_drawn=strip,
        figures=[
            show_figure(paper, figure, summaries, results_root, config.seeds)
            for figure in paper.figures
        ],
        findings=found,
        excess=printed.tabulate_excess(paper, levels.load(paper, results_root), summaries),
        claims=[
            claims.Tested(paper.key, claim, judged[claim.id], summaries) for claim in paper.claims
        ],
        rows=_tabulate_rows(paper, summaries),
    )


def say_varied(paper: papers.Paper, assumption: papers.Assumption) -> str:
    """Where other readings of it are studied, if they are."""
    readings = [study.readings for study in paper.studies if study.assumption == assumption.id]
    return " ".join(
        f"Varied in the sensitivity studies: {count(len(each), 'other reading')}."
        for each in readings
    )


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
