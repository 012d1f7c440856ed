"""The report of all papers, or of one: everything that its document prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from refashion.judging import claims as verdicts
from refashion.judging import levels
from refashion.judging.diagnosis import findings
from refashion.judging.numbers import Number, NumberVerdict, largest_differences, published_numbers
from refashion.judging.scorecard import Card
from refashion.report import claims, scorecard
from refashion.report import tables as printed
from refashion.report.frame import frame
from refashion.report.pictures import Picture, load_picture, show_figure
from refashion.report.table import Cell, Column, Group, Panel, Table, alone
from refashion.results.summary import Summary, load_summaries
from refashion.text import NONE, capital, count, duration, listed, rounded, sentence, span

if TYPE_CHECKING:
    from refashion.paper.across import Statement
    from refashion.paper.config import Config
    from refashion.paper.figures import Figure
    from refashion.paper.papers import Assumption, Paper
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
    ``results_root`` is ``results/<scale>``, with each row's ``summary.json`` and the figures. A row
    without a summary is shown as not run.

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
    medians: list[dict[tuple[str, str], str]] = [
        {each.kind: rounded(each.median, each.digits) for each in largest_differences(part.numbers)}
        for part in parts
    ]
    kinds = [
        Column(capital(name), [of_paper.get(kind, NONE) for of_paper in medians], "number")
        for kind, (_, name) in printed.KINDS.items()
        if any(kind in of_paper for of_paper in medians)
    ]

    def fact(name: str) -> Column:
        return Column(name, [part.facts[name] for part in parts], "number")

    seconds = [sum(sum(each.seconds) for each in part.summaries.values()) for part in parts]
    names = [Cell(part.paper.key, link=part.paper.key) for part in parts]
    figures = [str(len(part.figures)) for part in parts]
    groups = [
        *alone(Column("Paper", names, "code"), fact("Rows trained"), fact("Numbers compared")),
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


# ---- one paper ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class PaperPart:
    """A paper, what is known of it, and the tables and pictures that show it.

    ``summaries`` are by row id; a row that was not run has none. Beside a figure stands what was
    drawn of it, in words and as a picture.
    """

    paper: Paper
    seeds: Sequence[int]
    summaries: Mapping[str, Summary]
    numbers: list[Number]
    largest: list[Table]
    tables: list[Table]
    verdicts: Table | None
    verdicts_drawn: Picture | None
    figures: list[tuple[Figure, str, Picture]]
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
        return NumberVerdict.tally([number.verdict for number in self.numbers], "published number")

    @property
    def claims_counted(self) -> str:
        judged = [tested.result.verdict for tested in self.claims]
        return verdicts.ClaimVerdict.tally(judged, "claim")

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
    def assumptions(self) -> list[tuple[Assumption, str]]:
        """Each with where it is varied, if it is."""
        return [(each, say_varied(self.paper, each)) for each in self.paper.assumptions]


def load_part(paper: Paper, results_root: Path, config: Config) -> PaperPart:
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


def say_varied(paper: Paper, assumption: Assumption) -> str:
    """Where other readings of it are studied, if they are."""
    readings = [study.readings for study in paper.studies if study.assumption == assumption.id]
    return " ".join(
        f"Varied in the sensitivity studies: {count(len(each), 'other reading')}."
        for each in readings
    )


def _tabulate_rows(paper: Paper, summaries: Mapping[str, Summary]) -> Table:
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
