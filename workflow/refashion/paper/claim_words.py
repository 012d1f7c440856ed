"""What a claim's test asks and what came of it, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from refashion.text import listed, sentence

SETS = {
    "running": "running training",
    "train": "training",
    "val_dropout": "validation",
    "val": "validation",
    "test": "test",
}
MOMENTS = {
    "best": "its best epoch",
    "final": "the last epoch",
    "kept": "the epoch whose weights are kept",
    "lowest": "the epoch of the lowest validation loss",
}
LEVELS = {
    "zero": "the error of an all-zero output",
    "mean_image": "the error of the mean image",
}
OVER = {"mean": "mean", "median": "median", "max": "largest"}


def describe(part: Mapping[str, Any]) -> str:
    """A sentence; ``part`` has one metric, and rows by their ids."""
    said = {
        "best": _compared,
        "worst": _compared,
        "ranked": _ranked,
        "alike": _alike,
        "below": _against_level,
        "above": _against_level,
        "near": _near,
        "fails": _fails,
        "flattens": _flattens,
        "falls": _falls,
        "best_recalled": _recalled,
        "worst_recalled": _recalled,
        "taken_for": _taken_for,
        "largest_confusions": _largest_confusions,
        "images_improved": _images_improved,
    }[part["form"]](part)
    return sentence(f"Not so: {said}" if "not" in part else said[0].upper() + said[1:])


def measure(part: Mapping[str, Any]) -> str:
    """``validation loss after the last epoch``, and its like of every metric."""
    metric = part["metric"]
    if metric == "epochs_saved":
        return "number of epochs saved by early stopping"
    if metric == "snapshot_loss":
        moment = f" {_moment(part['at'])}" if "at" in part else ""
        return f"mean error of the pictures kept{moment}"
    if metric == "recall":
        return f"recall of {part['class']}"
    if metric == "errors_within":
        return f"share of errors {_sets(part)}"
    if metric in ("output_std", "pixel_loss"):
        what = "error" if metric == "pixel_loss" else "standard deviation over images"
        edge = part.get("edge")
        where = f"in the last {edge} rows and columns of pixels" if edge else "of all pixels"
        return f"{OVER[part['over']]} {what} {where}"
    name = _curve(metric)
    if "minus" in part:
        name = f"{name} minus {_curve(part['minus'])}"
        if "relative" in part:
            name = f"relative excess of {_curve(metric)} over {_curve(part['minus'])}"
    if "since" in part:
        change = "relative change" if "relative" in part else "change"
        return f"{change} of {name} from {_epoch(part['since'])} to {_epoch(part['at'])}"
    return f"{name} {_moment(part['at'])}" if "at" in part else name


def _curve(metric: str) -> str:
    for name, words in SETS.items():
        if metric.startswith(f"{name}_"):
            kind = metric.removeprefix(f"{name}_").removesuffix("_batch_mean")
            return f"{words} {kind}" + (" with dropout on" if name == "val_dropout" else "")
    return metric


def _epoch(moment: str | int) -> str:
    return MOMENTS[moment] if isinstance(moment, str) else f"epoch {moment}"


def _moment(moment: str | int) -> str:
    passed = moment == "final" or isinstance(moment, int)
    return f"{'after' if passed else 'at'} {_epoch(moment)}"


def _more_is_better(part: Mapping[str, Any]) -> bool:
    metric = part["metric"]
    return "minus" not in part and (metric == "recall" or "accuracy" in metric)


def _sets(part: Mapping[str, Any]) -> str:
    return f"within {' or within '.join(map(listed, part['sets']))}"


def _each(rows: Sequence[str]) -> str:
    return rows[0] if len(rows) == 1 else f"each of {listed(rows)}"


def _number(part: Mapping[str, Any], value: float) -> str:
    """A difference in the unit of the part's metric."""
    metric = part.get("metric", "")
    if not value:
        return "0"
    if metric == "errors_within" or "relative" in part:
        return f"{100 * value:g} %"
    if metric == "recall" or "accuracy" in metric:
        return f"{100 * value:g} percentage point{'' if value == 0.01 else 's'}"
    return f"{value:g}"


def _level(part: Mapping[str, Any]) -> str:
    level, factor = part.get("level", 0), part.get("factor", 1)
    if not isinstance(level, str):
        metric = part.get("metric", "")
        if metric == "recall" or ("accuracy" in metric and not {"minus", "since"} & set(part)):
            return f"{100 * factor * level:g} %"
        return _number(part, factor * level)
    return LEVELS[level] if factor == 1 else f"{factor:g} times {LEVELS[level]}"


def _compared(part: Mapping[str, Any]) -> str:
    higher = _more_is_better(part) == (part["form"] == "best")
    factor = f"{part['factor']:g} times that of " if "factor" in part else ""
    margin = f", by more than {_number(part, part['margin'])}" if "margin" in part else ""
    return (
        f"{measure(part)} is {'higher' if higher else 'lower'} for {part['row']} than {factor}"
        f"{'' if factor else 'for '}{_each(part['among'])}{margin}"
    )


def _ranked(part: Mapping[str, Any]) -> str:
    way = "falls" if _more_is_better(part) else "rises"
    return f"{measure(part)} {way} in the order {', '.join(part['rows'])}"


def _alike(part: Mapping[str, Any]) -> str:
    rows = listed(part["rows"])
    if "among" in part:
        return f"{measure(part)} spans less over {rows} than over {listed(part['among'])}"
    return f"{measure(part)} spans less than {_number(part, part['level'])} over {rows}"


def _against_level(part: Mapping[str, Any]) -> str:
    return f"{measure(part)} is {part['form']} {_level(part)} for {_each(part['rows'])}"


def _near(part: Mapping[str, Any]) -> str:
    within = _number(part, part["by"])
    return f"{measure(part)} is within {within} of {_level(part)} for {_each(part['rows'])}"


def _fails(part: Mapping[str, Any]) -> str:
    return (
        f"{measure(part)} is above {_level(part)} for {_each(part['rows'])}, "
        "or the training diverges"
    )


def _flattens(part: Mapping[str, Any]) -> str:
    return (
        f"{measure(part)} changes over the last {100 * part['share']:g} % of the epochs by less "
        f"than {100 * part['factor']:g} % of its fall over the first, for {_each(part['rows'])}"
    )


def _falls(part: Mapping[str, Any]) -> str:
    epochs = listed(part["epochs"])
    return (
        f"{measure(part)} falls from each of the epochs {epochs} to the next, "
        f"for {_each(part['rows'])}"
    )


def _recalled(part: Mapping[str, Any]) -> str:
    often = "more" if part["form"] == "best_recalled" else "less"
    verb = "is" if len(part["classes"]) == 1 else "are each"
    return (
        f"{listed(part['classes'])} {verb} recognised {often} often than any other class, "
        f"by {_each(part['rows'])}"
    )


def _taken_for(part: Mapping[str, Any]) -> str:
    return (
        f"{part['class']} is taken for {part['as']} more often than for any other class, "
        f"by {_each(part['rows'])}"
    )


def _largest_confusions(part: Mapping[str, Any]) -> str:
    number = part["count"]
    pairs = "pair of classes that is" if number == 1 else f"{number} pairs of classes that are"
    verb = "is" if number == 1 else "are"
    return f"the {pairs} most often confused {verb} {_sets(part)}, for {_each(part['rows'])}"


def _images_improved(part: Mapping[str, Any]) -> str:
    return (
        f"more than {100 * part['share']:g} % of the validation images have a lower loss with "
        f"{part['row']} than with {_each(part['among'])}"
    )
