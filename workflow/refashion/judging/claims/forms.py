"""What the part of a claim's test says of the runs of one seed.

A part is a form, such as ``best`` or ``below``, over named rows and a metric. From one seed's runs
a form computes *effects*, one for every row, competitor, step or class that the part is about: by
how much the part holds there, in the metric's own unit; above 0 it holds, below 0 it does not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, pairwise
from typing import Any

import numpy as np

from refashion.paper.claims import METRICS, WITHOUT_BETTER
from refashion.paper.images import CLASS_NAMES
from refashion.results.run import NotTestedError, Run
from refashion.results.summary import recall
from refashion.text import count

# (row id, metric, name of a level) to the level.
Levels = Callable[[str, str, str], float]


@dataclass(frozen=True)
class Case:
    """One part of a test, with one metric and rows by their ids, and one seed's runs by row id."""

    part: Mapping[str, Any]
    runs: Mapping[str, Run]
    levels: Levels | None = None

    def run(self, row: str) -> Run:
        """A completed run."""
        if row not in self.runs:
            raise NotTestedError(f"{row} was not run")
        if self.runs[row].diverged:
            raise NotTestedError(f"{row} diverged")
        return self.runs[row]

    def completed(self, rows: str = "rows") -> dict[str, Run]:
        return {row: self.run(row) for row in self.part[rows]}

    def after(self, epoch: int) -> Case:
        """The same part after an epoch."""
        return replace(self, part=self.part | {"at": epoch})

    def value(self, row: str) -> float:
        """The part's metric of one row."""
        part, run = self.part, self.run(row)
        if part["metric"] in METRICS:
            return float(OTHER_METRICS[part["metric"]](run, part))
        value = self._curve(run, part["at"])
        if "since" in part:
            before = self._curve(run, part["since"])
            return (value - before) / (before if "relative" in part else 1)
        return value / run.at(part["minus"], part["at"]) if "relative" in part else value

    def _curve(self, run: Run, moment: str | int) -> float:
        minus = run.at(self.part["minus"], moment) if "minus" in self.part else 0
        return run.at(self.part["metric"], moment) - minus

    def values(self, rows: str = "rows") -> dict[str, float]:
        return {row: self.value(row) for row in self.part[rows]}

    def level(self, row: str) -> float:
        """What a row's metric is held against; 0 if the part does not say."""
        level = self.part.get("level", 0)
        if isinstance(level, str):
            level = self.levels(row, self.part["metric"], level)
        return self.part.get("factor", 1) * level

    @property
    def better(self) -> int:
        """1 if more of the metric is better, as of an accuracy; -1 if less is."""
        metric = self.part["metric"]
        more = metric == "recall" or "accuracy" in metric
        return 1 if more and "minus" not in self.part else -1


# ---- metrics that are no column of a history ----------------------------------------------------


def _epochs_saved(run: Run, _part: Mapping) -> int:
    """Epochs that early stopping left out."""
    return run.metrics.spec["epochs"] - run.metrics.epochs


def _snapshot_loss(run: Run, part: Mapping) -> float:
    """Mean squared error of the example images as rebuilt after an epoch."""
    epochs = run.output("snapshot_epochs").tolist()
    if part["at"] not in epochs:
        raise NotTestedError(f"{run.row} has no pictures of epoch {part['at']}")
    pictures = run.output("snapshots")[epochs.index(part["at"])]
    return np.square(pictures - run.output("targets"), dtype=np.float64).mean()


def _recall(run: Run, part: Mapping) -> float:
    """Share of a class's images that are recognised."""
    return recall(run.confusion)[CLASS_NAMES.index(part["class"])]


def _errors_within(run: Run, part: Mapping) -> float:
    """Share of the errors whose true and predicted class belong to one of the sets."""
    errors = np.where(np.eye(10, dtype=bool), 0, run.confusion)
    if not errors.sum():
        raise NotTestedError(f"{run.row} makes no errors")
    return errors[_within(part["sets"])].sum() / errors.sum()


def _within(sets: Sequence[Sequence[str]]) -> np.ndarray:
    """bool [10, 10]: both classes belong to one of the sets."""
    members = [np.isin(CLASS_NAMES, names) for names in sets]
    return np.any([np.outer(one, one) for one in members], axis=0)


def _pixels(run: Run, part: Mapping) -> float:
    """Mean, median or maximum of a map of pixels, or of its last ``edge`` rows and columns."""
    pixels = run.output(part["metric"]).astype(np.float64)
    counted = np.ones_like(pixels, dtype=bool)
    if "edge" in part:
        counted[: -part["edge"], : -part["edge"]] = False
    return {"mean": np.mean, "median": np.median, "max": np.max}[part["over"]](pixels[counted])


OTHER_METRICS = {
    "epochs_saved": _epochs_saved,
    "snapshot_loss": _snapshot_loss,
    "recall": _recall,
    "errors_within": _errors_within,
    "output_std": _pixels,
    "pixel_loss": _pixels,
}


# ---- forms: the effects in one seed, by what they are of ----------------------------------------


def _best(case: Case) -> dict[str, float]:
    """A row is better than each of ``among``, times ``factor``, by more than ``margin``."""
    factor, margin = case.part.get("factor", 1), case.part.get("margin", 0)
    value = case.value(case.part["row"])
    return {
        row: case.better * (value - factor * other) - margin
        for row, other in case.values("among").items()
    }


def _worst(case: Case) -> dict[str, float]:
    """A row is worse than each of ``among``, times ``factor``, by more than ``margin``."""
    factor, margin = case.part.get("factor", 1), case.part.get("margin", 0)
    value = case.value(case.part["row"])
    return {
        row: case.better * (factor * other - value) - margin
        for row, other in case.values("among").items()
    }


def _ranked(case: Case) -> dict[str, float]:
    """Each row is better than the next."""
    return {
        f"{row}, {following}": case.better * (value - next_value)
        for (row, value), (following, next_value) in pairwise(case.values().items())
    }


def _alike(case: Case) -> dict[str, float]:
    """The rows' range is below a level, or below the range of ``among``."""
    allowed = _range(case.values("among")) if "among" in case.part else case.part["level"]
    return {"range": allowed - _range(case.values())}


def _range(values: Mapping[str, float]) -> float:
    return max(values.values()) - min(values.values())


def _below(case: Case) -> dict[str, float]:
    return {row: case.level(row) - value for row, value in case.values().items()}


def _above(case: Case) -> dict[str, float]:
    return {row: value - case.level(row) for row, value in case.values().items()}


def _near(case: Case) -> dict[str, float]:
    """Each row is less than ``by`` away from the level, which is 0 if none is given."""
    return {
        row: case.part["by"] - abs(value - case.level(row)) for row, value in case.values().items()
    }


def _fails(case: Case) -> dict[str, float]:
    """Each row ends above the level, by how much as a share of it; or diverges, without a limit."""
    effects = {}
    for row in case.part["rows"]:
        diverged = row in case.runs and case.runs[row].diverged
        effects[row] = math.inf if diverged else case.value(row) / case.level(row) - 1
    return effects


def _flattens(case: Case) -> dict[str, float]:
    """The last ``share`` of the epochs changes it by less than ``factor`` of what the first brings.

    The first share counts from the first epoch on, after which a run is measured first. What rises
    in the last share is no flatter than what falls.
    """
    effects = {}
    for row, run in case.completed().items():
        values = [line[case.part["metric"]] for line in run.history]
        span = round(case.part["share"] * len(values))
        if span < 2:
            raise NotTestedError(f"{row} was trained for {count(len(values), 'epoch')} only")
        first, last = values[0] - values[span - 1], abs(values[-1 - span] - values[-1])
        effects[row] = case.part["factor"] * first - last
    return effects


def _falls(case: Case) -> dict[str, float]:
    """The metric falls from each of the epochs to the next."""
    course = [(epoch, case.after(epoch).values()) for epoch in case.part["epochs"]]
    return {
        f"{row}, {earlier} to {later}": before[row] - after[row]
        for (earlier, before), (later, after) in pairwise(course)
        for row in case.part["rows"]
    }


def _best_recalled(case: Case) -> dict[str, float]:
    """Each of the classes is recognised more often than each other one."""
    return {
        f"{row}, {name} and {other}": shares[name] - shares[other]
        for row, run in case.completed().items()
        for shares in [dict(zip(CLASS_NAMES, recall(run.confusion), strict=True))]
        for name in case.part["classes"]
        for other in CLASS_NAMES
        if other not in case.part["classes"]
    }


def _worst_recalled(case: Case) -> dict[str, float]:
    """Each of the classes is recognised less often than each other one."""
    return {name: -value for name, value in _best_recalled(case).items()}


def _taken_for(case: Case) -> dict[str, float]:
    """A class is taken for ``as`` more often than for each other one, in shares of its images."""
    true, predicted = case.part["class"], case.part["as"]
    effects = {}
    for row, run in case.completed().items():
        counts = run.confusion[CLASS_NAMES.index(true)]
        shares = dict(zip(CLASS_NAMES, counts / counts.sum(), strict=True))
        effects |= {
            f"{row}, {predicted} and {other}": shares[predicted] - shares[other]
            for other in CLASS_NAMES
            if other not in (true, predicted)
        }
    return effects


def _largest_confusions(case: Case) -> dict[str, float]:
    """The ``count`` largest confusions are inside the sets, in shares of all images.

    A confusion is of two classes, in either direction. The last of those that are asked for is held
    against the largest that is of no one set.
    """
    inside = _within(case.part["sets"])
    effects = {}
    for row, run in case.completed().items():
        found = {True: [], False: []}
        for one, other in combinations(range(10), 2):
            images = run.confusion[one, other] + run.confusion[other, one]
            found[bool(inside[one, other])].append(images)
        last = sorted(found[True], reverse=True)[case.part["count"] - 1]
        effects[row] = (last - max(found[False])) / run.confusion.sum()
    return effects


def _images_improved(case: Case) -> dict[str, float]:
    """More than ``share`` of the images have a lower loss with a row than with each other."""
    losses = case.run(case.part["row"]).output("image_loss")
    return {
        row: float(np.mean(losses < other.output("image_loss"))) - case.part["share"]
        for row, other in case.completed("among").items()
    }


FORMS: dict[str, Callable[[Case], dict[str, float]]] = {
    "best": _best,
    "worst": _worst,
    "ranked": _ranked,
    "alike": _alike,
    "below": _below,
    "above": _above,
    "near": _near,
    "fails": _fails,
    "flattens": _flattens,
    "falls": _falls,
    "best_recalled": _best_recalled,
    "worst_recalled": _worst_recalled,
    "taken_for": _taken_for,
    "largest_confusions": _largest_confusions,
    "images_improved": _images_improved,
}


def effects(
    part: Mapping[str, Any], runs: Mapping[str, Run], levels: Levels | None = None
) -> dict[str, float]:
    """By how much a part holds in one seed, for each that it is about: above 0 it holds.

    Args:
        part: of a claim's test, with one metric, and rows by their ids.
        runs: the seed's runs by row id.
        levels: gives the reference level of a row id, a metric and a level's name.

    Raises:
        NotTestedError: a row was not run, diverged, or lacks what the part asks for.
    """
    sign = -1 if "not" in part else 1
    found = FORMS[part["form"]](Case(part, runs, levels))
    return {name: sign * float(value) for name, value in found.items()}


def unit(part: Mapping[str, Any]) -> str:
    """``loss``, ``share``, ``relative``, ``epochs`` or ``output``: what an effect is counted in."""
    form, metric = part["form"], part.get("metric", "")
    if form == "fails" or "relative" in part:
        return "relative"
    if metric in WITHOUT_BETTER and metric != "errors_within":
        return "epochs"
    if metric == "output_std":
        return "output"
    return "loss" if "loss" in metric else "share"
