"""Where files lie under results/<scale>, and those kept of them under results/reference/<scale>.

Both roots have the same folders, so that a kept run is found as any other is.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from refashion.paper.spec import Row

METRICS, HISTORY, OUTPUTS = "metrics.json", "history.csv", "outputs.safetensors"


def run_folder(root: Path, row: Row, seed: int) -> Path:
    """Where a row's training with a seed leaves its files."""
    return root / row.paper / row.id / f"seed-{seed}"


def summary_file(root: Path, row: Row) -> Path:
    """A row over its seeds."""
    return root / row.paper / row.id / "summary.json"


def evidence_file(
    root: Path, paper: str, name: Literal["levels", "findings", "claims", "studies"]
) -> Path:
    """What a paper, by its key, is judged by, and how."""
    return root / "evidence" / paper / f"{name}.json"


def scorecard_file(root: Path) -> Path:
    """Every verdict on every paper."""
    return root / "scorecard.json"


@dataclass(frozen=True)
class Kept:
    """The files of a paper's reference, by its key; its runs lie where ``run_folder`` says."""

    root: Path
    paper: str

    @classmethod
    def graded(cls, root: Path) -> list[Kept]:
        """The references that have verdicts, of papers in their alphabetical order."""
        return [cls(root, file.parent.name) for file in sorted(root.glob("*/verdicts.json"))]

    @property
    def table(self) -> Path:
        """Every metric of every row, beside the number that the paper prints."""
        return self.root / f"{self.paper}.csv"

    @property
    def environment(self) -> Path:
        """Where, and with what, it was made."""
        return self.root / f"{self.paper}.json"

    @property
    def verdicts(self) -> Path:
        """Numbers, claims and findings."""
        return self.root / self.paper / "verdicts.json"

    @property
    def rows(self) -> list[str]:
        """The ids of the rows that a run is kept of."""
        runs = self.root.glob(f"{self.paper}/*/*/{METRICS}")
        return sorted({file.parents[1].name for file in runs})
