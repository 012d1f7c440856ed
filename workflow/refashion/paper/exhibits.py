"""What a paper shows of its rows, tables, confusion matrices and figures, checked against them.

Each check takes a section's entries of the right form with their indices, the rows that are right
by index, the index of every row's name (wrong rows too), and notes what is wrong in ``problems``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from refashion.paper.checked_yaml import Problems, show, unknown
from refashion.paper.rows import Row


def check_tables(
    tables: list[tuple[int, dict]],
    rows: Mapping[int, Row],
    names: Mapping[str, int],
    problems: Problems,
) -> None:
    """Metrics and units fit the rows, rows are there and once a table, numbers are as printed."""
    for index, table in tables:
        at = f"tables[{index}]"
        metrics = table["metrics"]
        for key, metric in metrics.items():
            unit = unit_of(metric["metric"])
            if metric["unit"] != unit:
                problems.add(
                    f"{at}.metrics.{key}.unit",
                    f"{show(metric['unit'])} does not fit {metric['metric']}; allowed: {unit}",
                )
            if unit == "epochs" and metric["at"] == "best":
                problems.add(
                    f"{at}.metrics.{key}.at",
                    "best is not for epochs; allowed: final, kept, lowest",
                )
        seen: dict[int, int] = {}
        known_settings: set[str] = set()
        for position, line in enumerate(table["lines"]):
            at_line = f"{at}.lines[{position}]"
            _check_published(line["published"], metrics, f"{at_line}.published", problems)
            if line["row"] not in names:
                problems.add(f"{at_line}.row", unknown(line["row"], names, "row of this paper"))
                continue
            other = seen.setdefault(names[line["row"]], position)
            if other != position:
                problems.add(
                    f"{at_line}.row",
                    f"{show(line['row'])} is the row of lines[{other}] too; allowed: once a table",
                )
            row = rows.get(names[line["row"]])
            if row is None:
                continue
            known_settings |= ({*row.spec} - {"parameters"}) | {*row.spec["parameters"]}
            for metric in metrics.values():
                for reason in unmeasured(row, metric["metric"]):
                    problems.add(f"{at_line}.row", f"{show(line['row'])} {reason}")
        for position, setting in enumerate(table["settings"]):
            if known_settings and setting not in known_settings:
                problems.add(
                    f"{at}.settings[{position}]",
                    unknown(setting, sorted(known_settings), "setting of these rows"),
                )


def _check_published(
    published: Mapping[str, float], metrics: Mapping[str, Any], at: str, problems: Problems
) -> None:
    for key, value in published.items():
        if key not in metrics:
            problems.add(f"{at}.{key}", unknown(key, metrics, "metric of this table"))
        elif metrics[key]["unit"] == "percent" and value > 100:
            problems.add(f"{at}.{key}", f"{show(value)} is not in [0, 100]")
        elif round(value, metrics[key]["digits"]) != value:
            problems.add(
                f"{at}.{key}",
                f"{show(value)} has more than {metrics[key]['digits']} decimals; "
                "allowed: as many as the metric's digits",
            )


def unit_of(metric: str) -> str:
    """``epochs``, ``percent`` or ``loss``: what a metric is given in."""
    if metric == "epoch":
        return "epochs"
    return "percent" if "accuracy" in metric else "loss"


def unmeasured(row: Row, metric: str) -> Iterator[str]:
    """Why a row has no such metric; ``metric`` may be a series (``test``) or a column of it."""
    if "accuracy" in metric and row.task == "reconstruction":
        yield f"is a reconstruction and has no {metric}; allowed: a classification"
    if metric.startswith("test") and not row.spec["split"]["validation"]:
        yield (
            f"has no {metric}: its test images are its validation set; "
            "allowed: a row with split.validation above 0"
        )
    if metric.startswith("val_dropout") and not row.spec["validation_dropout"]:
        yield f"has no {metric}; allowed: a row with validation_dropout: true"


def check_confusion_matrices(
    matrices: list[tuple[int, dict]],
    rows: Mapping[int, Row],
    names: Mapping[str, int],
    problems: Problems,
) -> None:
    """Each matrix is of a classification, and the only one of its row."""
    first: dict[int, int] = {}
    for index, matrix in matrices:
        at = f"confusion_matrices[{index}].row"
        if matrix["row"] not in names:
            problems.add(at, unknown(matrix["row"], names, "row of this paper"))
            continue
        other = first.setdefault(names[matrix["row"]], index)
        if other != index:
            problems.add(
                at,
                f"{show(matrix['row'])} is the row of confusion_matrices[{other}] too; "
                "allowed: one matrix a row",
            )
        row = rows.get(names[matrix["row"]])
        if row is not None and row.task != "classification":
            problems.add(at, f"{show(matrix['row'])} is a {row.task}; allowed: a classification")


# The keys that a kind of figure takes besides id, label, caption, rows and shows.
FIGURE_KEYS = {
    "curves": {"metric", "series", "scale"},
    "bars": {"metric", "series"},
    "confusion": {"normalised"},
    "confusion_difference": set(),
    "reconstructions": set(),
    "snapshots": set(),
    "examples": set(),
}
FIGURE_TASKS = {
    "confusion": "classification",
    "confusion_difference": "classification",
    "examples": "classification",
    "reconstructions": "reconstruction",
    "snapshots": "reconstruction",
}


def check_figures(
    figures: list[tuple[int, dict]],
    rows: Mapping[int, Row],
    names: Mapping[str, int],
    printed: set[int | None],
    problems: Problems,
) -> None:
    """Keys and rows fit the kind; ``printed``: rows whose confusion matrix the paper prints."""
    for index, figure in figures:
        at, kind, metric = f"figures[{index}]", figure["kind"], figure.get("metric")
        takes = FIGURE_KEYS[kind]
        if "metric" in takes and metric is None:
            problems.add(f"{at}.metric", f"is missing; {kind} need one of loss, accuracy")
        for key in ("metric", "series", "scale", "normalised"):
            if key in figure and key not in takes:
                kinds = [other for other, keys in FIGURE_KEYS.items() if key in keys]
                problems.add(
                    f"{at}.{key}", f"{show(figure[key])} on {kind}; allowed: on {', '.join(kinds)}"
                )
        needed = "classification" if metric == "accuracy" else FIGURE_TASKS.get(kind)
        for position, name in enumerate(figure["rows"]):
            at_row = f"{at}.rows[{position}]"
            if name not in names:
                problems.add(at_row, unknown(name, names, "row of this paper"))
                continue
            row = rows.get(names[name])
            if row is None:
                continue
            if needed not in (None, row.task):
                what = f"{metric} {kind}" if "metric" in takes else kind
                problems.add(
                    at_row, f"{show(name)} is a {row.task}; allowed for {what}: a {needed}"
                )
            for series in figure.get("series", ()):
                for reason in unmeasured(row, series):
                    problems.add(at_row, f"{show(name)} {reason}")
            if kind == "snapshots" and not row.spec["snapshots"]:
                problems.add(at_row, f"{show(name)} has none; allowed: a row with snapshots")
            if kind == "confusion_difference" and names[name] not in printed:
                problems.add(
                    at_row,
                    f"{show(name)} has no published matrix; allowed: a row of confusion_matrices",
                )


def check_unique_ids(sections: Mapping[str, list[tuple[int, dict]]], problems: Problems) -> None:
    """No id stands twice, over all sections that are given."""
    first: dict[str, str] = {}
    for section, entries in sections.items():
        for index, entry in entries:
            at = f"{section}[{index}].id"
            other = first.setdefault(entry["id"], at)
            if other != at:
                problems.add(
                    at, f"{show(entry['id'])} is taken by {other}; allowed: an id of its own"
                )
