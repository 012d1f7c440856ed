"""The report: one context with every number already a string, rendered as HTML and as LaTeX.

Templates hold prose and layout only. What they print was counted and rounded here, so both
formats say the same, and an undefined name or a None fails the render.
"""

from __future__ import annotations

import base64
import datetime
import importlib.metadata
import os
import platform
import re
import string
import subprocess
import tomllib
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
from pylatexenc.latexencode import UnicodeToLatexEncoder

from refashion import evidence
from refashion.errors import UserError

TITLE = "Fashion-MNIST papers, rerun"
BANNER = (
    "Smoke run: a few thousand images and two epochs. It shows that the workflow works; "
    "it is no evidence about the papers."
)
NONE = "–"
KINDS = {
    ("reconstruction", "loss"): "Reconstruction errors (autoencoders)",
    ("classification", "loss"): "Cross entropies (classifiers)",
    ("classification", "percent"): "Accuracies (classifiers), in percent",
}
SETTINGS = {
    "architecture": "architecture",
    "latent": "latent size",
    "n1": "n₁",
    "n2": "n₂",
    "optimizer": "optimiser",
    "learning_rate": "learning rate",
    "momentum": "momentum",
    "batch_size": "batch size",
    "dropout": "dropout",
    "epochs": "epochs",
    "encoder": "encoder",
    "normalisation": "normalisation",
}
EVIDENCE = {
    "stated": "stated in the paper",
    "inferred": "inferred from the paper",
    "default": "a default, as the paper is silent",
}


# ---- numbers as text ----------------------------------------------------------------------------


def _number(value: float | None, decimals: int, sign: bool = False) -> str:
    """A number with a true minus; ``sign`` writes the plus too; None is a dash."""
    if value is None:
        return NONE
    text = f"{value:{'+' if sign else ''}.{decimals}f}"
    if float(text) == 0:
        text = text.lstrip("+-")  # neither +0.0000 nor -0.0000 says anything
    return text.replace("-", "−")


def _measured(number: Mapping[str, Any]) -> str:
    mean = _number(number["mean"], number["digits"])
    return mean if number["sd"] is None else f"{mean} ± {_number(number['sd'], number['digits'])}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def _listed(items: Sequence[Any]) -> str:
    """``a, b and c``."""
    items = [str(item) for item in items]
    return " and ".join(filter(None, (", ".join(items[:-1]), *items[-1:])))


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def _sentence(text: str) -> str:
    """Prose from YAML on one line, with printers' quotation marks, ended by a full stop."""
    text = " ".join(text.split())
    for straight, curly in (
        (r"(?<!\w)'(?=\w)", "‘"),
        ("'", "’"),
        (r'(?<!\w)"(?=\w)', "“"),
        ('"', "”"),
    ):
        text = re.sub(straight, curly, text)
    return text if not text or text[-1] in ".!?:" else f"{text}."


def _capital(text: str) -> str:
    """A capital first letter, except in symbols such as n₁."""
    return text if text[1:2] in tuple("₀₁₂₃₄₅₆₇₈₉") else text[:1].upper() + text[1:]


# ---- a row's settings ---------------------------------------------------------------------------


def _setting(row: Any, key: str) -> str:
    """One entry of a row's spec, or of its architecture's parameters, as a table shows it."""
    spec = row.spec
    if key not in spec and key not in spec["parameters"]:
        return NONE
    value = spec[key] if key in spec else spec["parameters"][key]
    if key == "architecture":
        name = str(value).removeprefix(f"{row.paper}_").replace("_", " ")
        return re.sub(r"(?<=[a-z])(?=\d)", " ", name)
    if key == "encoder":
        if not value:
            return "untrained"
        return f"{value['row']}, {'frozen' if value.get('frozen') else 'trained on'}"
    if key == "normalisation":
        return f"mean {value['mean']:g}, standard deviation {value['std']:g}"
    if value is None:
        return NONE
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return f"{value:g}"
    return {"adam": "Adam", "sgd": "SGD"}.get(value, str(value))


def _setting_label(key: str) -> str:
    return SETTINGS.get(key, key.replace("_", " "))


# ---- the parts of a paper -----------------------------------------------------------------------


def _divergence(summary: Mapping[str, Any]) -> str:
    """``diverged at epoch 7 (1 of 3 seeds)``, or nothing."""
    if not summary["diverged"]:
        return ""
    epochs = sorted({epoch for epoch in summary["diverged_at_epoch"] if epoch is not None})
    at = f" at epoch {' or '.join(map(str, epochs))}" if epochs else ""
    return f"diverged{at} ({summary['diverged']} of {_count(len(summary['seeds']), 'seed')})"


def _tables_of(paper: Any) -> dict[str, list[str]]:
    """Row id to the labels of all tables that print it."""
    tables: dict[str, list[str]] = {}
    for table in paper.tables:
        for line in table["lines"]:
            tables.setdefault(paper.row(line["row"]).id, []).append(table["label"])
    return tables


def _table(paper: Any, table: Mapping[str, Any], summaries: Mapping[str, dict]) -> dict[str, Any]:
    """A table's lines and notes; settings that all lines share are said once, above it."""
    compared = evidence.compare_table(paper, table, summaries)
    printed_in = _tables_of(paper)
    values = {key: [_setting(line["row"], key) for line in compared] for key in table["settings"]}
    shared = {key for key in values if len(compared) > 1 and len(set(values[key])) == 1}
    columns = [key for key in table["settings"] if key not in shared]
    notes: list[dict[str, str]] = []
    lines = []
    for index, line in enumerate(compared):
        row, summary = line["row"], line["summary"]
        remarks = []
        if line["ours"]:
            remarks.append(f"Ours, not in the paper: a variant of {row.variant_of}.")
        if row.note:
            remarks.append(_sentence(row.note))
        others = [label for label in printed_in.get(row.id, ()) if label != table["label"]]
        if others:
            remarks.append(f"The same runs as in {_listed(others)}.")
        if summary is None:
            remarks.append("Not run.")
        elif _divergence(summary):
            remarks.append(_sentence(_capital(_divergence(summary))))
        mark = ""
        if remarks:
            mark = _mark(len(notes))
            notes.append({"mark": mark, "text": " ".join(remarks)})
        lines.append(
            {
                "row": row.id,
                "target": row.name,
                "ours": line["ours"],
                "mark": mark,
                "settings": [values[key][index] for key in columns],
                "n": str(summary["completed"]) if summary else NONE,
                "cells": [
                    {
                        "published": _number(number["published"], number["digits"]),
                        "measured": _missing(summary) or _measured(number),
                        "difference": _number(number["difference"], number["digits"], sign=True),
                    }
                    for number in line["numbers"].values()
                ],
            }
        )
    metrics = [
        metric["label"] + (", %" if metric["unit"] == "percent" else "")
        for metric in table["metrics"].values()
    ]
    # What fills the width of a page: further metrics are set below, as panels of one table.
    width = 2 if len(columns) <= 4 else 1
    indices = range(len(metrics))
    panels = [list(indices[start : start + width]) for start in indices[::width]]
    return {
        "id": table["id"],
        "anchor": f"{paper.key}-{table['id']}",
        "label": table["label"],
        "caption": _sentence(table["caption"]),
        "shared": ", ".join(
            f"{_setting_label(key)} {values[key][0]}" for key in table["settings"] if key in shared
        ),
        "settings": [_capital(_setting_label(key)) for key in columns],
        "metrics": metrics,
        "panels": panels,
        # The columns below each metric's name, counted from 1 in its own panel.
        "rules": [_span(2 + len(columns) + 3 * panel.index(i)) for panel in panels for i in panel],
        "lines": lines,
        "notes": notes,
        "has_variants": any(line["ours"] for line in compared),
    }


def _missing(summary: Mapping[str, Any] | None) -> str:
    """What stands in a cell that cannot have a number."""
    if summary is None:
        return "not run"
    return "" if summary["completed"] else "diverged"


def _span(first: int) -> str:
    return f"{first}-{first + 2}"


def _mark(index: int) -> str:
    """a, b, … z, aa, bb, …"""
    letters = string.ascii_lowercase
    return letters[index % len(letters)] * (index // len(letters) + 1)


def _figure(
    paper: Any, figure: Mapping[str, Any], results_root: Path, seeds: Sequence[int]
) -> dict:
    over = f"mean over {len(seeds)} seeds" if len(seeds) > 1 else f"seed {seeds[0]} alone"
    measured = {
        "curves": f"{_capital(over)}"
        + (
            "; the band spans from the least to the greatest."
            if len(seeds) > 1
            else ", so no band."
        ),
        "confusion": f"Test images after the last epoch, {over}; "
        "the colours are scaled to the errors, the diagonal is grey.",
        "reconstructions": "The first test image of each class and what each network makes of it, "
        f"seed {seeds[0]}, on the grey scale of the normalised data.",
    }[figure["kind"]]
    stem = Path("figures") / paper.key / figure["id"]
    svg = Path(results_root) / stem.with_suffix(".svg")
    if not svg.exists():
        raise UserError(f"{svg}: not there; draw the figures before the report")
    caption = _sentence(figure["caption"])
    return {
        "id": figure["id"],
        "anchor": f"{paper.key}-{figure['id']}",
        "label": figure["label"],
        "caption": caption,
        "measured": measured,
        "shows": _sentence(figure["shows"]),
        "alt": f"{figure['label']}: {caption} {measured} Rows: {_listed(figure['rows'])}.",
        "kind": figure["kind"],
        # An image of its own: the ids inside one SVG cannot meet those of another.
        "src": "data:image/svg+xml;base64," + base64.b64encode(svg.read_bytes()).decode("ascii"),
        "pdf": stem.with_suffix(".pdf").as_posix(),
    }


def _assumption(assumption: Mapping[str, Any]) -> dict[str, str]:
    return {
        "id": assumption["id"],
        "question": _sentence(assumption["question"]),
        "taken": _sentence(assumption["taken"]),
        "why": _sentence(assumption["why"]),
        "alternatives": _sentence(assumption["alternatives"]),
        "evidence": _sentence(_capital(EVIDENCE[assumption["evidence"]])),
    }


def _citation(citation: Mapping[str, Any]) -> dict[str, Any]:
    place = [citation.get(key) for key in ("journal", "course", "institution", "place")]
    doi = (
        citation.get("doi")
        and f"https://doi.org/{citation['doi'].removeprefix('https://doi.org/')}"
    )
    return {
        "authors": _listed(citation["authors"]),
        "title": " ".join(citation["title"].split()),
        "date": _date(citation["date"]),
        "place": _capital(", ".join(part for part in place if part)),
        "links": [url for url in (doi, citation.get("url"), citation.get("code")) if url],
    }


def _date(date: str) -> str:
    """``2025-02-12`` as 12 February 2025; a year, or a year and month, likewise."""
    layouts = {4: ("%Y", "%Y"), 7: ("%Y-%m", "%B %Y"), 10: ("%Y-%m-%d", "%d %B %Y")}
    read, write = layouts[len(date)]
    return datetime.datetime.strptime(date, read).strftime(write).lstrip("0")


def _inventory(paper: Any, summaries: Mapping[str, dict]) -> list[dict[str, str]]:
    """Every row with its target, size and cost."""
    lines = []
    for row in paper.rows:
        summary = summaries.get(row.id)
        seconds = summary["seconds"] if summary else []
        lines.append(
            {
                "row": row.id,
                "target": row.name,
                "ours": row.variant_of is not None,
                "parameters": f"{summary['parameters']:,}" if summary else NONE,
                "epochs": str(summary["epochs"]) if summary else NONE,
                "runs": f"{summary['completed']} of {len(summary['seeds'])}"
                if summary
                else "not run",
                "time": _duration(sum(seconds) / len(seconds)) if seconds else NONE,
            }
        )
    return lines


def _spread(seeds: Sequence[int]) -> str:
    if len(seeds) == 1:
        return f"One seed was run ({seeds[0]}), so no spread can be given."
    return (
        f"Measured numbers are the mean ± sample standard deviation over {len(seeds)} seeds "
        f"({_listed(seeds)})."
    )


def _ranking(kind: Mapping[str, Any]) -> str:
    if kind["count"] == 1:
        return "The one number of this kind."
    shown = f"The {len(kind['largest'])} largest of {kind['count']} differences"
    return f"{shown}; the median absolute difference is {_number(kind['median'], kind['digits'])}."


def _overview(
    paper: Any, numbers: list[dict], summaries: Mapping[str, dict], seeds: Sequence[int]
) -> dict[str, Any]:
    published = sum(len(line["published"]) for table in paper.tables for line in table["lines"])
    trained = [summary for summary in summaries.values() if summary["completed"]]
    groups = [
        {
            "label": KINDS.get((kind["task"], kind["unit"]), f"{kind['task']}, {kind['unit']}"),
            "says": _ranking(kind),
            "largest": [
                {
                    "table": number["table"]["label"],
                    "anchor": f"{paper.key}-{number['table']['id']}",
                    "row": number["row"].id,
                    "metric": number["metric"]["label"],
                    "published": _number(number["published"], number["digits"]),
                    "measured": _measured(number),
                    "difference": _number(number["difference"], number["digits"], sign=True),
                }
                for number in kind["largest"]
            ],
        }
        for kind in evidence.largest_differences(numbers)
    ]
    return {
        "facts": [
            ("Rows trained", f"{len(trained)} of {len(paper.rows)}"),
            ("Seeds per row", f"{len(seeds)} ({_listed(seeds)})"),
            ("Numbers compared", f"{len(numbers)} of {published}"),
            ("Diverged runs", str(sum(summary["diverged"] for summary in summaries.values()))),
        ],
        "groups": groups,
    }


def _paper(paper: Any, results_root: Path, seeds: Sequence[int]) -> dict[str, Any]:
    summaries = evidence.load_summaries(paper, results_root)
    numbers = evidence.compared_numbers(paper, summaries)
    return {
        "key": paper.key,
        "citation": _citation(paper.citation),
        "protocol": [
            (_capital(key.replace("_", " ")), _sentence(text))
            for key, text in paper.protocol.items()
        ],
        "spread": _spread(seeds),
        "overview": _overview(paper, numbers, summaries, seeds),
        "tables": [_table(paper, table, summaries) for table in paper.tables],
        "figures": [_figure(paper, figure, results_root, seeds) for figure in paper.figures],
        "assumptions": [_assumption(assumption) for assumption in paper.assumptions],
        "claims": [
            {"id": claim["id"], "place": claim["place"], "text": _sentence(claim["text"])}
            for claim in paper.claims
        ],
        "rows": _inventory(paper, summaries),
        "summaries": summaries,
    }


# ---- how it was run -----------------------------------------------------------------------------


def _version(distribution: str, root: Path) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        pyproject = root / "pyproject.toml"
        if distribution == "refashion" and pyproject.exists():
            project = tomllib.loads(pyproject.read_text(encoding="utf-8")).get("project", {})
            return str(project.get("version", "unknown"))
        return "not installed"


def _git(root: Path, *arguments: str) -> str | None:
    try:
        command = ["git", "-C", str(root), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def describe_run(root: Path, date: str | None = None) -> dict[str, Any]:
    """What the metrics cannot say about a run: commit, versions, platform, cores, date.

    ``root`` is the repository. ``date`` is as given, or today's in UTC, or that of
    SOURCE_DATE_EPOCH if set. Versions come from the installed distributions' metadata: torch is
    not imported.
    """
    root = Path(root)
    if date is None:
        epoch = os.environ.get("SOURCE_DATE_EPOCH")
        now = datetime.datetime.now(datetime.UTC)
        date = (
            (datetime.datetime.fromtimestamp(int(epoch), datetime.UTC) if epoch else now)
            .date()
            .isoformat()
        )
    return {
        "commit": _git(root, "rev-parse", "--short=12", "HEAD"),
        "dirty": bool(_git(root, "status", "--porcelain")),
        "versions": {
            "python": platform.python_version(),
            **{name: _version(name, root) for name in ("torch", "numpy", "snakemake", "refashion")},
        },
        "platform": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count() or 0,
        "date": date,
    }


def _run(run: Mapping[str, Any], config: Mapping[str, Any], scale: str, papers: list[dict]) -> list:
    """How it was run, as (label, value)."""
    summaries = [summary for paper in papers for summary in paper["summaries"].values()]
    seconds = [second for summary in summaries for second in summary["seconds"]]
    distinct = {
        key: list(dict.fromkeys(value for summary in summaries for value in summary[key]))
        for key in ("devices", "torch", "kernels")
    }
    images = sorted({(summary["train_images"], summary["test_images"]) for summary in summaries})
    commit = run["commit"] or "not in a git checkout"
    if run["commit"] and run["dirty"]:
        commit += ", with uncommitted changes"
    epochs = config["scales"][scale].get("epochs")
    return [
        ("Scale", scale),
        (
            "Images",
            "; ".join(f"{train:,} training, {test:,} test" for train, test in images) or NONE,
        ),
        ("Epochs", "as published" if epochs is None else str(epochs)),
        ("Seeds", _listed(config["seeds"])),
        (
            "Training",
            f"{_duration(sum(seconds))} in {_count(len(seconds), 'run')}" if seconds else NONE,
        ),
        ("Trained on", "; ".join(distinct["devices"]) or NONE),
        ("Trained with", "; ".join(f"torch {version}" for version in distinct["torch"]) or NONE),
        ("Kernels", ", ".join(distinct["kernels"]) or NONE),
        (
            "Images' SHA-256",
            ", ".join(sorted({s["dataset_sha256"][:16] for s in summaries})) or NONE,
        ),
        ("Commit", commit),
        (
            "Report made with",
            ", ".join(f"{name} {version}" for name, version in run["versions"].items()),
        ),
        ("Platform", f"{run['platform']}, {_count(run['cores'], 'core')}"),
        ("Date", run["date"]),
    ]


# ---- the whole ----------------------------------------------------------------------------------


def build_context(
    config: Mapping[str, Any],
    papers: Sequence[Any],
    results_root: Path,
    scale: str,
    run: Mapping[str, Any],
) -> dict[str, Any]:
    """All that the templates print, every number a string.

    ``results_root`` is ``results/<scale>``, with each row's ``summary.json`` and the figures;
    ``run`` comes from :func:`describe_run`. A row without a summary is shown as not run.

    Raises:
        UserError: a figure has not been drawn.
    """
    shown = [_paper(paper, Path(results_root), config["seeds"]) for paper in papers]
    context = {
        "title": TITLE,
        "smoke": scale == "smoke",
        "banner": BANNER if scale == "smoke" else "",
        "date": run["date"],
        "papers": shown,
        "run": _run(run, config, scale, shown),
    }
    for paper in shown:
        del paper["summaries"]
    return context


def render(context: Mapping[str, Any], template_dir: Path, out_html: Path, out_tex: Path) -> None:
    """Write the report as HTML and as LaTeX from ``report.html.j2`` and ``report.tex.j2``.

    ``out_tex`` must lie in ``results/<scale>``, as it names the figures relative to itself.

    Raises:
        jinja2.UndefinedError: a template uses a name that the context does not have.
        ValueError: a template prints None.
    """
    loader = jinja2.FileSystemLoader(template_dir)
    layout = {"undefined": jinja2.StrictUndefined, "trim_blocks": True, "lstrip_blocks": True}
    html = jinja2.Environment(loader=loader, autoescape=True, finalize=_printable, **layout)
    latex = jinja2.Environment(
        loader=loader,
        autoescape=False,
        finalize=lambda value: escape_latex(_printable(value)),
        block_start_string="\\BLOCK{",
        block_end_string="}",
        variable_start_string="\\VAR{",
        variable_end_string="}",
        comment_start_string="\\COMMENT{",
        comment_end_string="}",
        **layout,
    )
    latex.filters["href"] = _latex_href
    for environment, template, out in (
        (html, "report.html.j2", out_html),
        (latex, "report.tex.j2", out_tex),
    ):
        text = environment.get_template(template).render(context)
        Path(out).parent.mkdir(parents=True, exist_ok=True)
        Path(out).write_text(text, encoding="utf-8")


def _printable(value: Any) -> Any:
    if value is None:
        raise ValueError("a template prints None: say in the context what should stand there")
    return value


# ---- LaTeX --------------------------------------------------------------------------------------


class Latex(str):
    """Text that is LaTeX already and must not be escaped."""


_ENCODER = UnicodeToLatexEncoder(
    unknown_char_policy=lambda character: f"[U+{ord(character):04X}]",
    unknown_char_warning=False,
    replacement_latex_protection="braces-all",
)


def escape_latex(value: Any) -> Latex:
    """``value`` as LaTeX text that prints as it reads, whatever it holds; white space is one space.

    A character that LaTeX lacks becomes ``[U+2603]``.
    """
    if isinstance(value, Latex):
        return value
    text = "".join(c for c in " ".join(str(value).split()) if c.isprintable())
    text = re.sub(r"([-,'`])(?=\1)", "\\1\u200b", unicodedata.normalize("NFC", text))
    # A bracket would be an argument of a line break before it; -- is no dash here.
    parts = (_ENCODER.unicode_to_latex(part) for part in text.split("\u200b"))
    return Latex("{}".join(parts).replace("[", "{[}").replace("]", "{]}"))


def _latex_href(url: str) -> Latex:
    """A link that shows its address and may break anywhere."""
    address = quote(url, safe=":/?=&.,;+-_~%")
    for character in "%&_#":
        address = address.replace(character, f"\\{character}")
    return Latex(
        rf"\href{{{address}}}{{{escape_latex(url).replace('/', '/' + chr(92) + 'allowbreak{}')}}}"
    )
