"""The claims of a paper and the tests of them, checked against the rows that they name.

What a form means is in :mod:`refashion.judging.claims.forms`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field, PrivateAttr, model_validator

from refashion.paper.images import CLASS_NAMES
from refashion.paper.metric import CURVES, Curve, Metric, Moment
from refashion.paper.problems import show, unknown
from refashion.paper.record import Distinct, Id, Many, OneOf, Record, Text, allowed
from refashion.paper.sheet import Sheet
from refashion.paper.spec import Row


class Keys(NamedTuple):
    """What must and what may stand beside the name of a form or a metric."""

    needed: tuple[str, ...]
    allowed: tuple[str, ...] = ()


FORMS = {
    "best": Keys(("row", "among", "metric"), ("factor", "margin")),
    "worst": Keys(("row", "among", "metric"), ("factor", "margin")),
    "ranked": Keys(("rows", "metric")),
    "alike": Keys(("rows", "metric"), ("level", "among")),
    "below": Keys(("rows", "metric", "level"), ("factor",)),
    "above": Keys(("rows", "metric", "level"), ("factor",)),
    "near": Keys(("rows", "metric", "by"), ("level", "factor")),
    "fails": Keys(("rows", "metric", "level"), ("factor",)),
    "flattens": Keys(("rows", "metric", "share", "factor")),
    "falls": Keys(("rows", "metric", "epochs")),
    "best_recalled": Keys(("rows", "classes")),
    "worst_recalled": Keys(("rows", "classes")),
    "taken_for": Keys(("rows", "class", "as")),
    "largest_confusions": Keys(("rows", "sets", "count")),
    "images_improved": Keys(("row", "among", "share")),
}
# Metrics that are no column of a history; all that are take CURVE's keys.
METRICS = {
    "epochs_saved": Keys(()),
    "snapshot_loss": Keys(("at",)),
    "recall": Keys(("class",)),
    "errors_within": Keys(("sets",)),
    "output_std": Keys(("over",), ("edge",)),
    "pixel_loss": Keys(("over",), ("edge",)),
}
CURVE = Keys(("at",), ("minus", "since", "relative"))
# These forms look at all epochs, or say which.
OVER_EPOCHS = ("flattens", "falls")
WITHOUT_BETTER = ("epoch", "epochs_saved", "errors_within")
OF_CLASSES = ("best_recalled", "worst_recalled", "taken_for", "largest_confusions")
# Numbers that nobody but us has chosen, unless a claim says why.
THRESHOLDS = ("level", "factor", "margin", "by", "share", "count")


# What a claim may be about: also numbers of the classes, of the outputs and of the training.
Measure = Annotated[str, OneOf((*CURVES, *METRICS)), allowed("the name of a metric")]
Ids = Annotated[Distinct[Id], Field(min_length=1)]
ClassName = Annotated[str, OneOf(CLASS_NAMES)]
Classes = Annotated[Distinct[ClassName], Field(min_length=1)]
Threshold = Annotated[float, Field(gt=0)]
Yes = Annotated[Literal[True], allowed("true")]


class Part(Record):
    """A part of a claim's test: a form over named rows and a metric."""

    form: Annotated[str, OneOf(tuple(FORMS))]
    no: Annotated[Yes | None, Field(alias="not")] = None
    row: Id | None = None
    rows: Ids = ()
    among: Ids = ()
    metric: Annotated[
        Measure | Annotated[Distinct[Measure], Field(min_length=2)],
        allowed("the name of a metric, or a list of them"),
    ] = ""
    at: Moment = "best"
    since: Moment = "best"
    minus: Curve = ""
    relative: Yes | None = None
    epochs: Annotated[
        Distinct[Annotated[int, Field(ge=0)]],
        Field(min_length=2),
        allowed("a list of two epochs or more"),
    ] = ()
    class_: Annotated[ClassName, Field(alias="class")] = ""
    as_: Annotated[ClassName, Field(alias="as")] = ""
    classes: Classes = ()
    sets: Annotated[Many[Classes], Field(min_length=1)] = ()
    count: Annotated[int, Field(ge=1)] = 1
    over: Literal["mean", "median", "max"] = "mean"
    edge: Annotated[int, Field(ge=1, le=14)] = 1
    level: Annotated[
        float | Literal["zero", "mean_image"], allowed("a number, zero or mean_image")
    ] = 0.0
    factor: Threshold = 1.0
    margin: Threshold = 1.0
    by: Threshold = 1.0
    share: Annotated[float, Field(gt=0, lt=1)] = 0.5

    _written: dict[str, Any] = PrivateAttr(default_factory=dict)

    @model_validator(mode="wrap")
    @classmethod
    def _keep(cls, data: Any, handler: Any) -> Part:
        part = handler(data)
        if isinstance(data, dict):
            part._written = data
        return part

    def plain(self) -> dict[str, Any]:
        """As it is written."""
        return dict(self._written)


class Claim(Record):
    """What a paper says: tested by its parts, or said to be untestable."""

    id: Annotated[
        str,
        Field(pattern=r"^[a-z]+-P[0-9]{2}$"),
        allowed("lower-case letters, -P and two digits, as cap-P01"),
    ]
    place: Text
    text: Text
    test: Annotated[Many[Part], Field(min_length=1)] = ()
    needs: Annotated[int, Field(ge=1)] | None = None
    """How many of the parts must hold, if not all."""
    why: Text | None = None
    """Why the thresholds are what they are."""
    untestable: Text | None = None


def metrics_of(part: Mapping[str, Any]) -> list[str]:
    """The metrics that a part is about; it says the same of each."""
    metric = part.get("metric", [])
    return [metric] if isinstance(metric, str) else list(metric)


def check_claims(claims: Mapping[int, Claim], sheet: Sheet) -> None:
    """Every part's keys fit its form and metric, and its rows have what it asks for."""
    for index, claim in claims.items():
        at, problems = f"claims[{index}]", sheet.problems
        for key in ("needs", "why"):
            if (given := getattr(claim, key)) is not None and not claim.test:
                problems.add(f"{at}.{key}", f"{show(given)} without test; allowed: beside it")
        if claim.test and claim.untestable:
            problems.add(f"{at}.untestable", "stands beside test; allowed: one of the two")
        _check_needs(claim, at, sheet)
        _check_reason(claim, at, sheet)
        for position, part in enumerate(claim.test):
            for key, text in _misfits(part.plain(), sheet.rows, sheet.names):
                problems.add(f"{at}.test[{position}].{key}", text)


def _check_needs(claim: Claim, at: str, sheet: Sheet) -> None:
    if claim.needs is None or not claim.test:
        return
    for position, part in enumerate(claim.test):
        if len(metrics_of(part.plain())) > 1:
            said = f"{show(list(part.metric))} are several parts; allowed beside needs: one metric"
            sheet.problems.add(f"{at}.test[{position}].metric", said)
    if claim.needs >= len(claim.test):
        said = f"{claim.needs} of {len(claim.test)} parts; allowed: fewer than there are"
        sheet.problems.add(f"{at}.needs", f"{said} (all of them are needed if it is left out)")


def _check_reason(claim: Claim, at: str, sheet: Sheet) -> None:
    parts = [part.plain() for part in claim.test]
    numbers = [
        key
        for part in parts
        for key in THRESHOLDS
        if part.get(key) and not isinstance(part[key], str)
    ]
    if numbers and claim.why is None:
        said = ", ".join(dict.fromkeys(numbers))
        sheet.problems.add(f"{at}.why", f"is missing; needed here, beside a threshold: {said}")


def _misfits(
    part: Mapping[str, Any], rows: Mapping[int, Row], names: Mapping[str, int]
) -> Iterator[tuple[str, str]]:
    """(key, what is wrong and what is allowed) of one part."""
    wrong_keys = list(_wrong_keys(part))
    yield from wrong_keys
    if wrong_keys:
        return
    found, seen = [], set()
    for key, name in _named(part):
        # Two ranges may share a row; nothing is held against itself.
        side = key.partition("[")[0] if part["form"] == "alike" else ""
        if name not in names:
            yield key, unknown(name, names, "row of this paper")
        elif (side, names[name]) in seen:
            yield key, f"{show(name)} stands twice, or under another name; allowed: once"
        else:
            seen.add((side, names[name]))
            found.append((names[name], key, name))
    if part["form"] == "ranked" and len(part["rows"]) < 2:
        yield "rows", f"{show(part['rows'])} has one row; allowed: two or more"
    tasks = {rows[index].task for index, _, _ in found if index in rows}
    for index, key, name in found:
        if index in rows:
            for reason in _unfit(part, rows[index]):
                yield key, f"{show(name)} {reason}"
            if len(tasks) > 1:
                yield key, f"{show(name)} is a {rows[index].task}; allowed: rows of one task"


def _named(part: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(key, name) of every row that a part names."""
    if "row" in part:
        yield "row", part["row"]
    for key in ("rows", "among"):
        for position, name in enumerate(part.get(key, ())):
            yield f"{key}[{position}]", name


def _wrong_keys(part: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    form = part["form"]
    keys = [FORMS[form]]
    if form not in OVER_EPOCHS:
        keys += [METRICS.get(metric, CURVE) for metric in metrics_of(part)]
    needed = [key for of in keys for key in of.needed]
    allowed = {"form", "not", *needed, *(key for of in keys for key in of.allowed)}
    for key in needed:
        if key not in part:
            yield key, f"is missing; needed here: {', '.join(dict.fromkeys(needed))}"
    for key in part:
        if key not in allowed:
            yield key, f"{show(part[key])} does nothing here; allowed: {', '.join(sorted(allowed))}"
    if form == "alike" and ("level" in part) == ("among" in part):
        yield "level", "or among: one of the two is needed"
    if form == "alike" and isinstance(part.get("level"), str):
        yield "level", f"{show(part['level'])} is no width of a range; allowed: a number"
    if "factor" in part and "level" not in part and form == "near":
        yield "factor", f"{show(part['factor'])} without level; allowed: beside it"
    if "relative" in part and not {"minus", "since"} & set(part):
        yield "relative", "true without minus or since; allowed: beside one of them"
    if form == "largest_confusions" and {"sets", "count"} <= set(part):
        yield from _wrong_sets(part)
    for metric in metrics_of(part):
        yield from _wrong_metric(part, metric)


def _wrong_sets(part: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """There are as many pairs of classes inside the sets as are counted, and one outside."""
    inside = len({pair for names in part["sets"] for pair in combinations(sorted(names), 2)})
    if part["count"] > inside:
        yield (
            "count",
            f"{part['count']} is more than the pairs of classes inside the sets, {inside}; "
            f"allowed: {inside} at most",
        )
    if inside == len(list(combinations(CLASS_NAMES, 2))):
        yield "sets", "leave no pair of classes outside; allowed: sets that do"


def _wrong_metric(part: Mapping[str, Any], metric: str) -> Iterator[tuple[str, str]]:
    form, moment = part["form"], part.get("at")
    if form in ("best", "worst", "ranked") and metric in WITHOUT_BETTER:
        yield "metric", f"{metric} knows no better and worse; allowed: a loss, accuracy or recall"
    if form in OVER_EPOCHS and metric in {"epoch", *METRICS} - {"snapshot_loss"}:
        yield "metric", f"{metric} has no value in every epoch; allowed: a loss or an accuracy"
    if form == "flattens" and metric == "snapshot_loss":
        yield "metric", "snapshot_loss is of some epochs alone; allowed: a loss or an accuracy"
    if metric == "snapshot_loss" and form not in OVER_EPOCHS and not isinstance(moment, int):
        yield "at", f"{show(moment)} is no epoch; allowed for snapshot_loss: the number of an epoch"
    for key in ("at", "since"):
        if metric == "epoch" and part.get(key) == "best":
            yield key, "best is not for epochs; allowed: final, kept, lowest"
    if "minus" in part and _kind(part["minus"]) != _kind(metric):
        yield "minus", f"{show(part['minus'])} is no {_kind(metric)}; allowed: one, as {metric}"
    if isinstance(part.get("level"), str) and (
        _kind(metric) != "loss" or {"minus", "since", "class"} & set(part)
    ):
        yield "level", f"{show(part['level'])} is an error; allowed beside a loss alone"


def _kind(metric: str) -> str:
    """``loss``, ``accuracy``, or the metric's own name."""
    kinds = [kind for kind in ("loss", "accuracy") if f"_{kind}" in metric]
    return kinds[0] if kinds and metric not in METRICS else metric


def _unfit(part: Mapping[str, Any], row: Row) -> Iterator[str]:
    """Why a row does not have what a part asks for."""
    metrics = metrics_of(part)
    if (part["form"] in OF_CLASSES or {"recall", "errors_within"} & set(metrics)) and (
        row.task != "classification"
    ):
        yield f"is a {row.task}; allowed: a classification"
    if {"output_std", "pixel_loss"} & set(metrics) and row.task != "reconstruction":
        yield f"is a {row.task}; allowed: a reconstruction"
    for metric in (*metrics, *([part["minus"]] if "minus" in part else [])):
        if metric not in METRICS:
            yield from Metric.of(metric).lacking(row)
    epochs = [part.get("at"), part.get("since"), *part.get("epochs", ())]
    known = [*row.spec.snapshots] if "snapshot_loss" in metrics else range(1, row.spec.epochs + 1)
    for epoch in epochs:
        if isinstance(epoch, int) and epoch not in known:
            allowed = f"1 to {row.spec.epochs}" if isinstance(known, range) else show(known)
            yield f"has no {metrics[0]} of epoch {epoch}; allowed: {allowed}"
    if isinstance(part.get("level"), str) and row.task != "reconstruction":
        yield f"is a {row.task}; allowed beside {part['level']}: a reconstruction"
