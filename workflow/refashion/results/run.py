"""What one training left."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file

from refashion.results.files import run_folder


class NotTestedError(Exception):
    """A run lacks what a part asks for; the message says what."""


# ---- one run, and one seed's runs ---------------------------------------------------------------


@dataclass(frozen=True)
class Run:
    """What a training left: metrics.json, the lines of history.csv, outputs.safetensors."""

    metrics: Mapping[str, Any]
    history: Sequence[Mapping[str, float]] = ()
    outputs: Mapping[str, np.ndarray] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> Run:
        with (folder / "history.csv").open(encoding="utf-8", newline="") as file:
            history = [{k: float(v) for k, v in line.items()} for line in csv.DictReader(file)]
        outputs = folder / "outputs.safetensors"
        return cls(
            json.loads((folder / "metrics.json").read_text(encoding="utf-8")),
            history,
            load_file(outputs) if outputs.exists() else {},
        )

    @property
    def row(self) -> str:
        return self.metrics["row"]

    @property
    def diverged(self) -> bool:
        return self.metrics["status"] != "completed"

    @property
    def confusion(self) -> np.ndarray:
        """int [10, 10], true classes down, predicted across."""
        if not self.metrics["confusion"]:
            raise NotTestedError(f"{self.row} has no confusion matrix")
        return np.array(self.metrics["confusion"])

    def at(self, metric: str, moment: str | int) -> float:
        """A column of the history at an epoch; ``best`` is the metric's own best."""
        try:
            if moment == "best":
                return self.metrics["best"][metric]["value"]
            if isinstance(moment, str):
                return self.metrics[moment][metric]
            return next(line[metric] for line in self.history if line["epoch"] == moment)
        except (KeyError, StopIteration):
            when = f"after epoch {moment}" if isinstance(moment, int) else f"({moment})"
            raise NotTestedError(f"{self.row} has no {metric} {when}") from None

    def output(self, name: str) -> np.ndarray:
        if name not in self.outputs:
            raise NotTestedError(f"{self.row} has no {name} in outputs.safetensors")
        return self.outputs[name]


# ---- a paper ------------------------------------------------------------------------------------


def read_runs(paper: Any, results_root: Path, seeds: Sequence[int]) -> dict[int, dict[str, Run]]:
    """By seed and row id, every run that is there."""
    runs: dict[int, dict[str, Run]] = {seed: {} for seed in seeds}
    for seed in seeds:
        for row in paper.rows:
            folder = run_folder(results_root, row, seed)
            if (folder / "metrics.json").exists():
                runs[seed][row.id] = Run.read(folder)
    return runs
