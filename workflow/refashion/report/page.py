"""The report: one context with every number already a string, rendered as HTML and as LaTeX.

Templates hold prose and layout only. What they print was counted and rounded before, so both
formats say the same, and an undefined name or a None fails the render.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2

from refashion.errors import UserError
from refashion.judging import levels
from refashion.judging.claims import verdicts
from refashion.judging.diagnosis import findings
from refashion.judging.numbers import (
    Number,
    NumberVerdict,
    Ranking,
    largest_differences,
    published_numbers,
)
from refashion.judging.scorecard import Card
from refashion.report import latex, scorecard
from refashion.report.claims import count_verdicts, present
from refashion.report.tables import tabulate, tabulate_confusion, tabulate_excess
from refashion.results.summary import Summary, distinct, load_summaries
from refashion.text import (
    NONE,
    capital,
    count,
    day,
    duration,
    listed,
    rounded,
    sentence,
    span,
    tally,
)

if TYPE_CHECKING:
    from refashion.paper.across import Statement
    from refashion.paper.config import Config
    from refashion.results.provenance import Provenance

TITLE = "Fashion-MNIST papers, rerun"
BANNER = (
    "Smoke run: a few thousand images and two epochs. It shows that the workflow works; "
    "it is no evidence about the papers."
)
# (task, unit) of a number: what it is called over a table of its kind, and over a column.
KINDS = {
    ("reconstruction", "loss"): ("Reconstruction errors (autoencoders)", "error"),
    ("reconstruction", "epochs"): ("Numbers of epochs (autoencoders)", "epochs, autoencoders"),
    ("classification", "loss"): ("Cross entropies (classifiers)", "cross entropy"),
    ("classification", "percent"): ("Accuracies (classifiers), in percent", "accuracy, %"),
    ("classification", "epochs"): ("Numbers of epochs (classifiers)", "epochs, classifiers"),
}
EVIDENCE = {
    "stated": "stated in the paper",
    "inferred": "inferred from the paper",
    "default": "a default, as the paper is silent",
}
SERIES = {
    "running": "training images during the epoch, dropout on",
    "train": "training images",
    "val": "validation images",
    "val_dropout": "validation images with dropout on",
    "test": "test images",
}


# ---- figures ------------------------------------------------------------------------------------


def _figure(
    paper: Any,
    figure: Mapping[str, Any],
    summaries: Mapping[str, Summary],
    results_root: Path,
    seeds: Sequence[int],
) -> dict[str, str]:
    caption = sentence(figure.caption)
    measured = _what_is_drawn(paper, figure, summaries, seeds)
    return {
        "anchor": f"{paper.key}-{figure.id}",
        "label": figure.label,
        "caption": caption,
        "measured": measured,
        "shows": sentence(figure.shows),
        "alt": f"{figure.label}: {caption} {measured} Rows: {listed(figure.rows)}.",
        "kind": figure.kind,
        **drawn(Path(results_root), f"{paper.key}/{figure.id}"),
    }


def drawn(results_root: Path, name: str) -> dict[str, str]:
    """A figure for both formats: its SVG as data, and where its PDF is.

    Raises:
        UserError: it has not been drawn.
    """
    stem = Path("figures") / name
    svg = results_root / stem.with_suffix(".svg")
    if not svg.exists():
        raise UserError(f"{svg}: not there; draw the figures before the report")
    return {
        # An image of its own: the ids inside one SVG cannot meet those of another.
        "src": "data:image/svg+xml;base64," + base64.b64encode(svg.read_bytes()).decode("ascii"),
        "pdf": stem.with_suffix(".pdf").as_posix(),
    }


def _what_is_drawn(
    paper: Any, figure: Mapping[str, Any], summaries: Mapping[str, Summary], seeds: Sequence[int]
) -> str:
    """Which images, of which epoch and over which seeds, and how to read it."""
    rows = [paper.row(row) for row in figure.rows]
    # A run that diverged is no part of a mean, and a row without another is not drawn.
    completed = [summaries[row.id].completed if row.id in summaries else len(seeds) for row in rows]
    runs = [number for number in completed if number] or [0]
    several = max(runs) > 1
    over = f"mean over {span(runs)} seeds" if several else "one run alone"
    if runs == [0]:
        over = "no completed run"
    elif len(seeds) == 1:
        over = f"seed {seeds[0]} alone"
    held_out = any(row.spec.split.validation for row in rows)
    image, at = "validation image" if held_out else "test image", _kept_at(rows)
    series = capital(listed([SERIES[name] for name in figure.series]))
    band = "; the band spans from the least to the greatest" if several else ", so no band"
    line = ", with a line from the least to the greatest" if several else ", so no spread"
    return {
        "curves": f"{series}, {over}{band}."
        + (" The vertical axis is logarithmic." if figure.scale == "log" else ""),
        "bars": f"{series} {at}, {over}{line}.",
        "confusion": f"{capital(image)}s {at}, {over}"
        + (", in percent of each true class" if figure.normalised else "")
        + "; the colours are scaled to the errors, the diagonal is grey.",
        "confusion_difference": f"Published counts, ours ({image}s {at}, {over}) and ours minus "
        f"the published ones; beside them the share of each class that is recognised{line}.",
        "reconstructions": f"The first {image} of each class and what each network makes of it "
        f"{at}, seed {seeds[0]}, on the grey scale of the normalised data.",
        "snapshots": f"The first {image}s of some classes and what is made of them before and in "
        f"the course of training, seed {seeds[0]}.",
        "examples": f"The first two {image}s of each class and what the network takes them for "
        f"{at}, seed {seeds[0]}.",
    }[figure.kind]


def _kept_at(rows: Sequence[Any]) -> str:
    keeps = {row.spec.keep for row in rows}
    if keeps == {"last"}:
        return "after the last epoch"
    if keeps == {"best"}:
        return "at the epoch of the lowest validation loss"
    if len(keeps) == 1:
        return f"after epoch {keeps.pop()} or the last one before it"
    return "at the epoch whose weights were kept"


# ---- the other parts of a paper -----------------------------------------------------------------


def _assumption(paper: Any, assumption: Mapping[str, Any]) -> dict[str, str]:
    readings = {study.assumption: len(study.readings) for study in paper.studies}
    varied = readings.get(assumption.id)
    return {
        "id": assumption.id,
        "question": sentence(assumption.question),
        "taken": sentence(assumption.taken),
        "why": sentence(assumption.why),
        "alternatives": sentence(assumption.alternatives),
        "evidence": sentence(capital(EVIDENCE[assumption.evidence])),
        "varied": f"Varied in the sensitivity studies: {count(varied, 'other reading')}."
        if varied
        else "",
    }


def _finding(paper: Any, finding: findings.Finding) -> dict[str, Any]:
    labels = {table.id: table.label for table in paper.tables}
    return {
        "title": findings.KINDS[finding.kind],
        "tables": [
            {"label": labels[table], "anchor": f"{paper.key}-{table}"} for table in finding.tables
        ],
        # Where it is about most of a paper its rows are named in the evidence, if they matter.
        "rows": listed(finding.rows) if len(finding.rows) <= 4 else f"{len(finding.rows)} rows",
        "evidence": finding.evidence,
        "consequence": finding.consequence,
    }


def _claims(paper: Any, summaries: Mapping[str, Summary], results_root: Path) -> dict[str, Any]:
    judged = {
        id: replace(result, note=" ".join([result.note, *_collapses(result, summaries)]).strip())
        for id, result in verdicts.load(paper, results_root).items()
    }
    return {
        "claims": [
            present(claim, judged[claim.id]) | {"anchor": f"{paper.key}-{claim.id}"}
            for claim in paper.claims
        ],
        "claims_counted": count_verdicts(list(judged.values())),
    }


def _collapses(result: verdicts.ClaimResult, summaries: Mapping[str, Summary]) -> list[str]:
    """Which of the runs that a claim was tested on collapsed."""
    named = {row for part in result.parts for row in part.rows}
    together: dict[tuple[int, ...], list[str]] = {}
    for row, summary in summaries.items():
        if row in named and (collapsed := summary.collapsed):
            together.setdefault(tuple(collapsed), []).append(row)
    return [f"{listed(rows)} collapsed (seed {listed(seeds)})." for seeds, rows in together.items()]


def _citation(citation: Mapping[str, Any]) -> dict[str, Any]:
    place = [getattr(citation, key) for key in ("journal", "course", "institution", "place")]
    doi = citation.doi and f"https://doi.org/{citation.doi.removeprefix('https://doi.org/')}"
    return {
        "authors": listed(citation.authors),
        "title": " ".join(citation.title.split()),
        "date": day(citation.date),
        "place": capital(", ".join(part for part in place if part)),
        "links": [url for url in (doi, citation.url, citation.code) if url],
    }


def _inventory(paper: Any, summaries: Mapping[str, Summary]) -> list[dict[str, Any]]:
    """Every row with its target, size and cost."""
    lines = []
    for row in paper.rows:
        line = {"target": row.name, "ours": row.variant_of is not None}
        line |= dict.fromkeys(("parameters", "epochs", "kept", "time"), NONE) | {"runs": "not run"}
        if summary := summaries.get(row.id):
            kept = summary.at("kept", "epoch")
            seconds = summary.seconds
            line |= {
                "parameters": f"{summary.parameters:,}",
                "epochs": span(summary.epochs),
                "kept": span([round(epoch) for epoch in kept.values]) if kept else NONE,
                "runs": f"{summary.completed} of {len(summary.seeds)}",
                "time": duration(sum(seconds) / len(seconds)),
            }
        lines.append(line)
    return lines


def seeds_run(seeds: Sequence[int]) -> str:
    """Which seeds the measured numbers are of."""
    if len(seeds) == 1:
        return f"One seed was run ({seeds[0]}), so no spread can be given."
    return (
        f"Measured numbers are the mean ± sample standard deviation over {len(seeds)} seeds "
        f"({listed(seeds)})."
    )


def _ranking(ranked: Ranking) -> str:
    if ranked.count == 1:
        return "The one number of this kind."
    shown = f"The {len(ranked.largest)} largest of {ranked.count} differences"
    if len(ranked.largest) == ranked.count:
        shown = f"All {ranked.count} differences"
    return f"{shown}; the median absolute difference is {rounded(ranked.median, ranked.digits)}."


def _count_of_verdicts(numbers: Sequence[Number]) -> str:
    """``Of 46 published numbers: 30 reproduced, 6 close and 10 different.``, or nothing."""
    words = {verdict: verdict.counted for verdict in NumberVerdict}
    return tally([number.verdict for number in numbers], "published number", words)


def _verdict(paper: Any, number: Number) -> dict[str, str]:
    """A line of the table of all published numbers."""
    bounds = [rounded(bound, number.digits) for bound in number.interval or ()]
    return {
        "row": number.row.id,
        "table": number.place.label,
        "anchor": f"{paper.key}-{number.place.id}",
        "metric": number.column.label + (", %" if number.unit == "percent" else ""),
        "published": number.as_printed,
        "measured": number.as_measured,
        "n": str(number.measured.n),
        "interval": f"{bounds[0]} to {bounds[1]}" if bounds else NONE,
        "verdict": number.says,
        "sign": number.verdict.sign,
    }


def _margins(config: Config) -> str:
    """What close means for each kind of number, and why."""
    return "; ".join(
        f"{key.replace('_', ' ')} within {entry.margin:g} ({entry.reason})"
        for key, entry in config.margins.given().items()
    )


def _highlights(
    paper: Any, numbers: list[Number], summaries: Mapping[str, Summary], seeds: Sequence[int]
) -> dict[str, Any]:
    """A paper in a few numbers, and where it and the runs are furthest apart."""
    groups = [
        {
            "label": KINDS[ranked.kind][0],
            "says": _ranking(ranked),
            "largest": [
                {
                    "table": number.place.label,
                    "anchor": f"{paper.key}-{number.place.id}",
                    "row": number.row.id,
                    "metric": number.column.label,
                    "published": number.as_printed,
                    "measured": number.as_measured,
                    "difference": number.off,
                }
                for number in ranked.largest
            ],
        }
        for ranked in largest_differences(numbers)
    ]
    return {
        "facts": [
            ("Rows trained", _rows_trained(paper, summaries)),
            ("Seeds per row", f"{len(seeds)} ({listed(seeds)})"),
            ("Numbers compared", _numbers_compared(numbers)),
            ("Diverged runs", _diverged_runs(summaries)),
        ],
        "verdicts": _count_of_verdicts(numbers),
        "groups": groups,
        "without": "No published number has a measured one yet."
        if numbers
        else "The paper prints no number that ours could be set beside; its figures are redrawn.",
    }


def _numbers_compared(numbers: Sequence[Number]) -> str:
    measured = sum(number.difference is not None for number in numbers)
    return f"{measured} of {len(numbers)}" if numbers else "none printed"


def _rows_trained(paper: Any, summaries: Mapping[str, Summary]) -> str:
    trained = sum(bool(summary.completed) for summary in summaries.values())
    return f"{trained} of {len(paper.rows)}"


def _diverged_runs(summaries: Mapping[str, Summary]) -> str:
    return str(sum(summary.diverged for summary in summaries.values()))


def _paper(
    paper: Any,
    numbers: list[Number],
    found: Sequence[findings.Finding],
    summaries: Mapping[str, Summary],
    results_root: Path,
    seeds: Sequence[int],
) -> dict[str, Any]:
    return {
        "key": paper.key,
        "citation": _citation(paper.citation),
        "protocol": [
            (capital(key.replace("_", " ")), sentence(text))
            for key, text in paper.protocol.given().items()
        ],
        "highlights": _highlights(paper, numbers, summaries, seeds),
        "prints_numbers": bool(numbers),
        "verdicts": [_verdict(paper, number) for number in numbers],
        "verdicts_drawn": drawn(results_root, f"{paper.key}-verdicts") if numbers else None,
        "tables": [tabulate(paper, table, summaries) for table in paper.tables]
        + [tabulate_confusion(paper, matrix, summaries) for matrix in paper.confusion_matrices],
        "figures": [
            _figure(paper, figure, summaries, results_root, seeds) for figure in paper.figures
        ],
        "findings": [_finding(paper, finding) for finding in found],
        "excess": tabulate_excess(paper, levels.load(paper, results_root), summaries),
        "assumptions": [_assumption(paper, assumption) for assumption in paper.assumptions],
        **_claims(paper, summaries, results_root),
        "rows": _inventory(paper, summaries),
    }


# ---- all papers ---------------------------------------------------------------------------------


def _overview(
    papers: Sequence[Any],
    numbers: Mapping[str, list[Number]],
    summaries: Mapping[str, Mapping[str, Summary]],
) -> dict[str, Any]:
    """A line a paper; the kinds of number that any of them prints are columns."""
    kinds = {key: largest_differences(of_paper) for key, of_paper in numbers.items()}
    columns = [
        kind
        for kind in KINDS
        if any(kind == ranked.kind for of_paper in kinds.values() for ranked in of_paper)
    ]
    lines = []
    for paper in papers:
        medians = {
            ranked.kind: rounded(ranked.median, ranked.digits) for ranked in kinds[paper.key]
        }
        of_rows = summaries[paper.key]
        lines.append(
            {
                "key": paper.key,
                "rows": _rows_trained(paper, of_rows),
                "numbers": _numbers_compared(numbers[paper.key]),
                "medians": [medians.get(kind, NONE) for kind in columns],
                "figures": str(len(paper.figures)),
                "diverged": _diverged_runs(of_rows),
                "time": duration(sum(sum(summary.seconds) for summary in of_rows.values())),
            }
        )
    return {"kinds": [capital(KINDS[kind][1]) for kind in columns], "lines": lines}


def _scorecard(results_root: Path) -> dict[str, Any]:
    """The first page: all verdicts as a picture and as a table."""
    card = Card.read(results_root)
    counted = card.all
    return {
        "numbers": [capital(verdict) for verdict in counted.numbers],
        "claims": [capital(verdict) for verdict in counted.claims],
        "lines": scorecard.lines(card),
        "alt": f"Bars of verdicts, a paper a line. In all: {scorecard.in_short(counted)}.",
        **drawn(results_root, "scorecard"),
    }


def _across(
    statements: Sequence[Statement], papers: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """What several of the papers say: their claims, as they are shown there."""
    shown = {(paper["key"], claim["id"]): claim for paper in papers for claim in paper["claims"]}
    return [
        {
            "text": sentence(statement.text),
            "claims": [
                shown[said.paper, said.claim] | {"against": said.against}
                for said in statement.claims
            ],
        }
        for statement in statements
    ]


def how_it_was_run(
    run: Provenance,
    config: Config,
    scale: str,
    papers: Sequence[Any],
    summaries: Mapping[str, Mapping[str, Summary]],
) -> list[tuple[str, str]]:
    """How it was run, as (label, value)."""
    every = [summary for of_rows in summaries.values() for summary in of_rows.values()]
    seconds = [second for summary in every for second in summary.seconds]
    images = distinct(
        _images(row, summaries[paper.key][row.id])
        for paper in papers
        for row in paper.rows
        if row.id in summaries[paper.key]
    )
    trained = {
        key: distinct(value for summary in every for value in getattr(summary, key))
        for key in ("devices", "torch", "kernels")
    }
    commit = run.commit or "not in a git checkout"
    if run.commit and run.dirty:
        commit += ", with uncommitted changes"
    epochs = config.chosen.epochs
    return [
        ("Scale", scale),
        ("Images", "; ".join(images) or NONE),
        ("Epochs", "as published" if epochs is None else str(epochs)),
        ("Seeds", listed(config.seeds)),
        (
            "Training",
            f"{duration(sum(seconds))} in {count(len(seconds), 'run')}" if seconds else NONE,
        ),
        ("Trained on", "; ".join(trained["devices"]) or NONE),
        ("Trained with", "; ".join(f"torch {version}" for version in trained["torch"]) or NONE),
        ("Kernels", ", ".join(trained["kernels"]) or NONE),
        (
            "Images' SHA-256",
            ", ".join(distinct(s.dataset_sha256[:16] for s in every)) or NONE,
        ),
        ("Called close", sentence(_margins(config))),
        ("Commit", commit),
        (
            "Report made with",
            ", ".join(f"{name} {version}" for name, version in run.versions.items()),
        ),
        ("Platform", f"{run.platform}, {count(run.cores, 'core')}"),
        ("Date", run.date),
    ]


def _images(row: Any, summary: Summary) -> str:
    sets = ["train", "validation", "test"] if row.spec.split.validation else ["train", "test"]
    names = {"train": "training"}
    counts = {name: getattr(summary, f"{name}_images") for name in sets}
    return ", ".join(f"{number:,} {names.get(name, name)}" for name, number in counts.items())


# ---- the whole ----------------------------------------------------------------------------------


def build_context(
    config: Config,
    papers: Sequence[Any],
    results_root: Path,
    scale: str,
    run: Provenance,
    statements: Sequence[Statement] = (),
) -> dict[str, Any]:
    """All that the templates print, every number a string.

    ``papers`` may be all of the configuration's or one alone: then there is no table of papers.
    ``results_root`` is ``results/<scale>``, with each row's ``summary.json`` and the figures;
    ``run`` comes from :func:`refashion.results.provenance.describe_run`, ``statements`` about
    several papers from :func:`refashion.paper.across.load`. A row without a summary is shown as
    not run.

    Raises:
        UserError: a figure has not been drawn, or a paper not diagnosed.
    """
    root, seeds = Path(results_root), config.seeds
    found = {paper.key: findings.load(paper, root) for paper in papers}
    summaries = {
        paper.key: findings.with_collapsed(load_summaries(paper, root), found[paper.key])
        for paper in papers
    }
    numbers = {
        paper.key: published_numbers(paper, summaries[paper.key], config.margins)
        for paper in papers
    }
    shown = [
        _paper(paper, numbers[paper.key], found[paper.key], summaries[paper.key], root, seeds)
        for paper in papers
    ]
    return {
        "title": TITLE if len(papers) > 1 else f"{papers[0].key}, rerun",
        "smoke": scale == "smoke",
        "banner": BANNER if scale == "smoke" else "",
        "date": run.date,
        "spread": seeds_run(seeds),
        # Of one paper it would be a second account of the same counts.
        "scorecard": _scorecard(root) if len(papers) > 1 else None,
        "overview": _overview(papers, numbers, summaries),
        "across": _across(statements, shown),
        "papers": shown,
        "run": how_it_was_run(run, config, scale, papers, summaries),
    }


def render(
    context: Mapping[str, Any],
    template_dir: Path,
    out_html: Path,
    out_tex: Path,
    document: str = "report",
) -> None:
    """Write a document as HTML and as LaTeX, from ``report.html.j2`` and ``report.tex.j2`` or so.

    ``out_tex`` must lie in ``results/<scale>``, as it names the figures relative to itself.

    Raises:
        jinja2.UndefinedError: a template uses a name that the context does not have.
        ValueError: a template prints None.
    """
    loader = jinja2.FileSystemLoader(template_dir)
    layout = {"undefined": jinja2.StrictUndefined, "trim_blocks": True, "lstrip_blocks": True}
    html = jinja2.Environment(loader=loader, autoescape=True, finalize=_printable, **layout)
    tex = jinja2.Environment(
        loader=loader,
        autoescape=False,
        finalize=lambda value: latex.escape(_printable(value)),
        block_start_string="\\BLOCK{",
        block_end_string="}",
        variable_start_string="\\VAR{",
        variable_end_string="}",
        comment_start_string="\\COMMENT{",
        comment_end_string="}",
        **layout,
    )
    # An anchor is no text: its letters, digits, - and _ go into LaTeX as they are.
    tex.filters |= {"href": latex.link, "anchor": latex.Latex}
    for environment, template, out in (
        (html, f"{document}.html.j2", out_html),
        (tex, f"{document}.tex.j2", out_tex),
    ):
        text = environment.get_template(template).render(context)
        Path(out).parent.mkdir(parents=True, exist_ok=True)
        Path(out).write_text(text, encoding="utf-8")


def _printable(value: Any) -> Any:
    if value is None:
        raise ValueError("a template prints None: say in the context what should stand there")
    return value
