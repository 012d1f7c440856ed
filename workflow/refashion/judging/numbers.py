"""Statistics over seeds, and measured numbers beside published ones.

Numpy and pandas only: a report can be made where torch is not installed. Everything that is
computed for tables and report is computed here; templates and figures only show it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from refashion.judging.statistics import prediction_interval
from refashion.paper.tables import Column
from refashion.results.summary import Statistics, Summary, precision, recall, statistics
from refashion.text import rounded

if TYPE_CHECKING:
    from refashion.paper.config import Margins

VERDICTS = ("reproduced", "close", "differs", "single run", "not comparable")
# Kind of number, as (task, unit), to its margin's key in config.yaml.
MARGINS = {
    ("reconstruction", "loss"): "reconstruction_error",
    ("classification", "loss"): "cross_entropy",
    ("classification", "percent"): "accuracy",
    ("reconstruction", "epochs"): "epochs",
    ("classification", "epochs"): "epochs",
}
# The one number that is taken from a confusion matrix.
OF_A_MATRIX = Column(
    label="Accuracy of the matrix", metric="val_accuracy", at="kept", unit="percent", digits=2
)
# What a number can be, by its unit: no interval goes beyond it.
POSSIBLE = {"loss": (0.0, np.inf), "percent": (0.0, 100.0), "epochs": (0.0, np.inf)}


@dataclass(frozen=True)
class Place:
    """Where a number is printed, if not in a table."""

    id: str
    label: str


def judge(number: Mapping[str, Any], margin: float) -> str:
    """One of ``VERDICTS`` for a published number beside what was measured.

    ``reproduced``: inside the prediction interval widened by the printed precision, half a unit of
    the last digit. ``close``: outside it, and at most ``margin``, in the number's unit, from the
    mean. ``differs``: further. ``single run``: one run has no interval. ``not comparable``: no run
    was completed, or the row is told the number.
    """
    if number["difference"] is None:
        return "not comparable"
    if number["interval"] is None:
        return "single run"
    low, high = number["interval"]
    precision = 0.5 * 10.0 ** -number["digits"]
    if low - precision <= number["published"] <= high + precision:
        return "reproduced"
    return "close" if abs(number["difference"]) <= margin else "differs"


def compare_table(
    paper: Any, table: Mapping[str, Any], summaries: Mapping[str, Summary]
) -> list[dict[str, Any]]:
    """A table's lines with what was measured, in the table's order.

    Each line holds ``row`` (a Row), ``ours`` (a variant the paper does not print), ``summary``
    (None if the row was not trained) and ``numbers``: per metric key ``published``, ``mean``,
    ``sd``, ``n``, ``values`` (one a run), ``interval`` (see :func:`prediction_interval`; no further
    than is ``POSSIBLE``), ``difference`` (mean minus published), ``unit`` and ``digits``; losses as
    they are, percentages as 0 to 100. A variant stands under the line of the row it varies, and its
    difference is taken from that line's published number, while its own ``published`` is None.
    """
    lines = []
    for line in table.lines:
        row = paper.row(line.row)
        variants = [
            other
            for other in paper.rows
            if other.variant_of and paper.row(other.variant_of).id == row.id
        ]
        lines += [
            _compare(each, table, summaries, line.published, row) for each in (row, *variants)
        ]
    return lines


def _compare(
    row: Any, table: Mapping, summaries: Mapping[str, Summary], published: Mapping, printed: Any
) -> dict:
    """``row`` against the numbers that the table prints for the row ``printed``."""
    ours = row is not printed
    summary = summaries.get(row.id)
    numbers = {}
    for key, metric in table.metrics.items():
        measured = summary and summary.at(metric.at, metric.metric)
        number = _beside(published.get(key), measured, metric.unit, metric.digits)
        if _is_told(row, metric):
            number["difference"] = None
        numbers[key] = number | {"published": None} if ours else number
    return {"row": row, "ours": ours, "summary": summary, "numbers": numbers}


def _is_told(row: Any, metric: Mapping[str, Any]) -> bool:
    """Whether a row is told the number, so that to find it says nothing: the epoch to keep."""
    return (metric.metric, metric.at) == ("epoch", "kept") and row.spec.keep != "best"


def _beside(
    published: float | None, measured: Statistics | None, unit: str, digits: int
) -> dict[str, Any]:
    """A published number, as printed, with the statistics of what was measured, if it was."""
    factor = 100.0 if unit == "percent" else 1.0
    measured = measured or statistics([])
    mean, sd = (each and factor * each for each in (measured.mean, measured.sd))
    values = [factor * value for value in measured.values]
    interval = prediction_interval(values)
    if interval:
        interval = tuple(float(end) for end in np.clip(interval, *POSSIBLE[unit]))
    return {
        "published": published,
        "mean": mean,
        "sd": sd,
        "n": measured.n,
        "values": values,
        "interval": interval,
        "difference": None if mean is None or published is None else mean - published,
        "unit": unit,
        "digits": digits,
    }


def compare_confusion(
    paper: Any, matrix: Mapping[str, Any], summaries: Mapping[str, Summary]
) -> dict[str, Any]:
    """A published confusion matrix, and the shares that follow from it, with what was measured.

    Returns:
        ``id``, ``label``, ``row`` (a Row) and ``summary`` (None if the row was not trained);
        ``accuracy``, and lists of 10 by class ``recall`` and ``precision``, each a comparison in
        percent as in :func:`compare_table`; ``published`` and ``measured``, float [10, 10] counts,
        the mean over seeds for as many images of each class as the paper has, and ``difference``,
        measured minus published (both None if nothing was measured).
    """
    row = paper.row(matrix.row)
    summary = summaries.get(row.id)
    published = np.array(matrix.published, float)
    shares = {"recall": recall(published), "precision": precision(published)}
    ours = {name: summary and getattr(summary, name) for name in shares}
    measured = difference = None
    if summary and summary.confusion:
        measured = np.array(summary.confusion)
        measured *= published.sum(axis=1, keepdims=True) / measured.sum(axis=1, keepdims=True)
        difference = measured - published
    return {
        "id": f"confusion-{row.id}",
        "label": matrix.label,
        "row": row,
        "summary": summary,
        "accuracy": _beside(
            float(100 * np.trace(published) / published.sum()),
            summary and summary.at("kept", "val_accuracy"),
            "percent",
            digits=2,
        ),
        **{
            name: [
                _beside(100 * share, over, "percent", digits=1)
                for share, over in zip(by_class, ours[name] or [None] * 10, strict=True)
            ]
            for name, by_class in shares.items()
        },
        "published": published,
        "measured": measured,
        "difference": difference,
    }


def published_numbers(
    paper: Any, summaries: Mapping[str, Summary], margins: Margins
) -> list[dict[str, Any]]:
    """Every published number: table, row, metric, comparison, margin, verdict and reason.

    ``within_margin`` says whether the mean is as near as ``close`` asks for, whatever the verdict;
    ``reason`` what a reader should know beside the verdict, or nothing. A number printed in two
    tables counts twice: each is a statement of the paper. A confusion matrix counts as one, its
    accuracy. ``margins`` are the configuration's; ``summaries`` may have the seeds that
    ``collapsed``, see :func:`refashion.judging.diagnosis.findings.with_collapsed`.
    """
    numbers = [
        number | {"table": table, "row": line["row"], "metric": table.metrics[key]}
        for table in paper.tables
        for line in compare_table(paper, table, summaries)
        for key, number in line["numbers"].items()
        if number["published"] is not None
    ]
    for matrix in paper.confusion_matrices:
        compared = compare_confusion(paper, matrix, summaries)
        metric = OF_A_MATRIX
        table = Place(compared["id"], compared["label"])
        numbers.append(
            compared["accuracy"] | {"table": table, "row": compared["row"], "metric": metric}
        )
    for number in numbers:
        margin = getattr(margins, MARGINS[number["row"].task, number["unit"]]).margin
        difference = number["difference"]
        number["margin"] = margin
        number["verdict"] = judge(number, margin)
        number["within_margin"] = difference is not None and bool(abs(difference) <= margin)
        number["reason"] = "; ".join(_reasons(number, summaries.get(number["row"].id)))
    return numbers


def _reasons(number: Mapping[str, Any], summary: Summary | None) -> Iterable[str]:
    """Why a number has no verdict, and what its runs went through that makes one say less."""
    if summary is None or not number["n"]:
        yield "no run was completed"
        return
    if number["verdict"] == "not comparable":
        yield "the row is told this epoch"
    runs, completed = len(summary.seeds), summary.completed
    if completed < runs:
        yield f"{runs - completed} of {runs} runs diverged"
    if summary.collapsed:
        yield f"{len(summary.collapsed)} of {completed} runs collapsed"
    if number["verdict"] == "reproduced" and not number["within_margin"]:
        yield "by the runs’ spread alone"


def largest_differences(numbers: list[dict[str, Any]], count: int = 3) -> list[dict[str, Any]]:
    """Per kind of number (task and unit) the count, the median and the largest differences.

    ``numbers`` are as from :func:`published_numbers`; what was not measured is left out.
    Only like is ranked with like: a reconstruction error, a cross entropy and an accuracy have
    no common measure. Differences are absolute; ``largest`` holds entries of ``numbers``.
    """
    kinds: dict[tuple[str, str], list[dict]] = {}
    for number in (number for number in numbers if number["difference"] is not None):
        kinds.setdefault((number["row"].task, number["unit"]), []).append(number)
    return [
        {
            "task": task,
            "unit": unit,
            "digits": max(member["digits"] for member in members),
            "count": len(members),
            "median": float(np.median([abs(member["difference"]) for member in members])),
            "largest": _largest(members, count),
        }
        for (task, unit), members in kinds.items()
    ]


def _largest(members: list[dict], count: int) -> list[dict]:
    """The largest first, and a number that two tables print alike only once."""
    seen, largest = set(), []
    for member in sorted(members, key=lambda member: -abs(member["difference"])):
        what = (member["row"].id, member["metric"].metric, member["metric"].at)
        if (*what, member["published"]) not in seen:
            seen.add((*what, member["published"]))
            largest.append(member)
    return largest[:count]


# ---- in words -----------------------------------------------------------------------------------


def printed(compared: Mapping[str, Any]) -> str:
    """``0.5726``: what the paper prints, of a comparison as evidence makes it."""
    return rounded(compared["published"], compared["digits"])


def difference(compared: Mapping[str, Any]) -> str:
    """``+0.0005``: measured minus published."""
    return rounded(compared["difference"], compared["digits"], sign=True)


def mean_and_spread(compared: Mapping[str, Any]) -> str:
    """``0.5731 ± 0.0004``: what was measured; one run has no spread."""
    mean = rounded(compared["mean"], compared["digits"])
    if compared["sd"] is None:
        return mean
    return f"{mean} ± {rounded(compared['sd'], compared['digits'])}"
