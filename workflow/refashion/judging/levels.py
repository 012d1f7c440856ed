"""Reference levels: what an error is before anything is learnt, and what no learning can remove.

For each protocol of a paper, that is normalisation, range of the network's outputs and batch size,
the errors of outputs that do not depend on the image, and the floor: the error of the best output
in the network's range, pixel by pixel. Computed from the images alone, with numpy.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from math import inf, isinf
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from refashion.errors import UserError
from refashion.results.files import read_json
from refashion.results.paths import evidence_file

if TYPE_CHECKING:
    from refashion.training.dataset import Dataset

CHUNK = 5_000  # images at a time: 31 MB of float64
SETS = ("train", "test")

Output = Callable[[np.ndarray], np.ndarray | float]


def describe(paper: Any, dataset: Dataset) -> dict[str, Any]:
    """The levels of every protocol that the rows of ``paper`` and its studies have, for JSON.

    Returns:
        ``dataset_sha256``, ``classes`` (per set the number of images of each class), ``unreached``
        (by reconstruction, :meth:`~refashion.paper.layers.Network.unreached_rows`, where it has
        any) and ``protocols``. A protocol has ``rows`` (their ids), ``normalisation``,
        ``output_range`` (None: no bound on that side), ``batch_size``, ``levels`` and
        ``pixel_floor`` (per set the floor of every pixel, [28][28], or None where it is zero
        everywhere). ``levels`` has per set and level ``mean`` (over images), ``batch_mean`` (over
        the means of batches in the data set's order) and ``order_sd`` (the standard deviation of
        that mean over random orders).

        Levels of a reconstruction, in squares of normalised units: ``zero`` (an output of 0
        everywhere), ``constant`` (the best constant in the range), ``mean_image`` (of the training
        set), ``mean_image_in_range`` (the same cut off at the range) and ``floor``. Of a
        classification, in nats: ``constant`` (every image given the classes' frequencies) and
        ``floor`` (0). What is fitted is fitted to all training images: held-out ones, drawn from
        them, count as such.
    """
    protocols: dict[str, dict[str, Any]] = {}
    for row in (*paper.rows, *paper.study_rows):
        what = {
            "task": row.task,
            "normalisation": row.spec.normalisation.model_dump(),
            "output_range": [_bound(end) for end in row.network.output_range],
            "batch_size": row.spec.batch_size,
        }
        same = protocols.setdefault(json.dumps(what, sort_keys=True), what | {"rows": []})
        same["rows"].append(row.id)
    images = {name: getattr(dataset, f"{name}_images") for name in SETS}
    labels = {name: getattr(dataset, f"{name}_labels") for name in SETS}
    # Batches are only another way to average: protocols that differ in nothing else share errors.
    errors: dict[str, dict] = {}
    for protocol in protocols.values():
        key = json.dumps({k: protocol[k] for k in ("task", "normalisation", "output_range")})
        if key not in errors:
            errors[key] = (
                _reconstruction_errors(images, protocol["normalisation"], protocol["output_range"])
                if protocol["task"] == "reconstruction"
                else _classification_errors(labels)
            )
        protocol["levels"] = {
            name: {
                level: _averages(values, protocol["batch_size"])
                for level, values in errors[key]["by_image"][name].items()
            }
            for name in SETS
        }
        protocol["pixel_floor"] = errors[key]["pixel_floor"]
    return {
        "dataset_sha256": dataset.sha256,
        "classes": {name: np.bincount(labels[name], minlength=10).tolist() for name in SETS},
        "unreached": {
            row.id: unreached
            for row in paper.rows
            if row.task == "reconstruction" and (unreached := row.network.unreached_rows())
        },
        "protocols": list(protocols.values()),
    }


def _bound(end: float) -> float | None:
    return None if isinf(end) else end


def limits(output_range: list[float | None]) -> tuple[float, float]:
    """The two ends of an ``output_range``, infinite where it has None."""
    low, high = output_range
    return (-inf if low is None else low), (inf if high is None else high)


def _reconstruction_errors(
    images: Mapping[str, np.ndarray], normalisation: Mapping[str, float], output_range: list
) -> dict[str, Any]:
    low, high = limits(output_range)
    mean_image = sum(chunk.sum(0) for chunk in _chunks(images["train"], normalisation))
    mean_image = mean_image / len(images["train"])
    # A squared error is least at the mean; within a range, at the mean's nearest value in it.
    outputs: dict[str, Output] = {
        "zero": lambda targets: 0.0,
        "constant": lambda targets: np.clip(mean_image.mean(), low, high),
        "mean_image": lambda targets: mean_image,
        "mean_image_in_range": lambda targets: np.clip(mean_image, low, high),
        "floor": lambda targets: np.clip(targets, low, high),
    }
    by_image = {
        name: {
            level: np.concatenate(
                [
                    np.square(output(targets) - targets).mean((1, 2))
                    for targets in _chunks(images[name], normalisation)
                ]
            )
            for level, output in outputs.items()
        }
        for name in SETS
    }
    by_pixel = {
        name: sum(
            np.square(outputs["floor"](targets) - targets).sum(0)
            for targets in _chunks(images[name], normalisation)
        )
        / len(images[name])
        for name in SETS
    }
    return {
        "by_image": by_image,
        "pixel_floor": {
            name: floor.round(6).tolist() if floor.any() else None
            for name, floor in by_pixel.items()
        },
    }


def _chunks(images: np.ndarray, normalisation: Mapping[str, float]):
    """float64 [at most CHUNK, 28, 28] of the images, normalised, in their order."""
    values = (np.arange(256) / 255 - normalisation["mean"]) / normalisation["std"]
    for start in range(0, len(images), CHUNK):
        yield values[images[start : start + CHUNK]]


def _classification_errors(labels: Mapping[str, np.ndarray]) -> dict[str, Any]:
    frequencies = np.bincount(labels["train"], minlength=10) / len(labels["train"])
    return {
        "by_image": {
            name: {
                "constant": -np.log(frequencies[labels[name]]),
                "floor": np.zeros(len(labels[name])),
            }
            for name in SETS
        },
        "pixel_floor": dict.fromkeys(SETS),
    }


def _averages(values: np.ndarray, batch_size: int) -> dict[str, float]:
    """A level as the papers average errors: over images, and over the means of batches.

    In the mean of batches' means an image weighs 1 / (batches × size of its batch); for weights w
    and n values x in random order its variance is the sum of (w − 1/n)² times that of x.
    """
    starts = np.arange(0, len(values), batch_size)
    sizes = np.diff(np.append(starts, len(values)))
    batch_mean = float((np.add.reduceat(values, starts) / sizes).mean())
    spread = (1 / (len(sizes) ** 2 * sizes)).sum() - 1 / len(values)
    return {
        "mean": float(values.mean()),
        "batch_mean": batch_mean,
        "order_sd": float(np.sqrt(max(spread, 0) * values.var(ddof=1))),
    }


# ---- looking levels up --------------------------------------------------------------------------


def load(paper: Any, results_root: Path) -> dict[str, Any]:
    """What the verb ``levels`` wrote.

    ``published`` and ``measured``: :func:`describe` of the whole data set and of the runs' images.

    Raises:
        UserError: it has not been written.
    """
    file = evidence_file(results_root, paper.key, "levels")
    return read_json(file, "compute the levels first")


def protocol_of(levels: Mapping[str, Any], row: Any) -> dict[str, Any]:
    """The protocol of ``row`` in what :func:`describe` returned.

    Raises:
        UserError: it has none, as the levels were computed before the row was written.
    """
    for protocol in levels["protocols"]:
        if row.id in protocol["rows"]:
            return protocol
    raise UserError(f"levels.json: no protocol of row {row.id}; compute the levels again")


def images_of(row: Any, metric: str) -> str:
    """``train`` or ``test``: the images that a row's ``metric`` is measured on, or drawn from."""
    if metric.startswith(("train", "running")):
        return "train"
    if metric.startswith("test") or not row.spec.split.validation:
        return "test"
    return "train"


def level_of(levels: Mapping[str, Any], row: Any, metric: str, name: str) -> dict[str, float]:
    """One level for one of ``row``'s losses: ``mean``, ``batch_mean`` and ``order_sd``.

    For a loss that is a plain mean over images ``batch_mean`` is the mean, and ``order_sd`` 0.
    """
    level = protocol_of(levels, row)["levels"][images_of(row, metric)][name]
    if not metric.endswith("batch_mean"):
        return {"mean": level["mean"], "batch_mean": level["mean"], "order_sd": 0.0}
    return level
