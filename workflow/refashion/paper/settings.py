"""A row's settings as a table shows them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from refashion.paper.spec import Row
from refashion.text import NONE, general, listed

SETTINGS = {
    "latent": "latent size",
    "hidden": "hidden neurons",
    "n1": "n₁",
    "n2": "n₂",
    "final": "last activation",
    "output": "output activation",
    "optimizer": "optimiser",
    "split": "trained and validated on",
    "keep": "weights of",
    "validation_dropout": "dropout in validation",
    "snapshots": "pictures after epochs",
}

CHOICES = {"adam": "Adam", "sgd": "SGD", "relu": "ReLU"}


def setting_label(key: str) -> str:
    """The name of a key of a row's spec, or of its architecture's parameters."""
    return SETTINGS.get(key, key.replace("_", " "))


def setting(row: Row, key: str) -> str:
    """One entry of a row's spec, or of its architecture's parameters, as a table shows it."""
    value: Any = row.settings.get(key)
    if key == "architecture":
        name = str(value).removeprefix(f"{row.paper}_").replace("_", " ")
        return re.sub(r"(?<=[a-z])(?=\d)", " ", name)
    if key == "encoder":
        if not value:
            return "untrained"
        return f"{value['row']}, {'frozen' if value['frozen'] else 'trained on'}"
    if key == "normalisation":
        return f"mean {value['mean']:g}, standard deviation {value['std']:g}"
    if key == "early_stopping":
        return _early_stopping(value)
    if key == "keep":
        named = {"last": "the last epoch", "best": "the lowest validation loss"}
        return named.get(str(value), f"epoch {value}")
    if key == "split":
        held_out = f"{value['validation']:,} images" if value["validation"] else "the test images"
        return f"{value['train']:,} and {held_out}"
    if key == "validation_dropout":
        return "off and on" if value else "off"
    if key == "snapshots":
        return listed(value) or "none"
    if value is None:
        return NONE
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return CHOICES.get(value, value.replace("_", " "))
    return general(value)


def _early_stopping(value: Mapping[str, Any] | None) -> str:
    if value is None:
        return "none"
    fall = f", least fall {general(value['min_delta'])}" if value["min_delta"] else ""
    return f"patience {value['patience']}{fall}"
