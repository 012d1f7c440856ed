"""A paper's figures: which function draws which kind."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from refashion.report.figures import charts, images, matrices
from refashion.report.figures.shared import load_trained

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from refashion.paper.figures import Figure as Exhibit
    from refashion.paper.papers import Paper

# Each makes a Figure from an entry of a paper's figures and the trainings of its rows.
KINDS = {
    "curves": charts.curves,
    "bars": charts.bars,
    "confusion": matrices.confusion,
    "confusion_difference": matrices.confusion_difference,
    **images.KINDS,
}


def make(paper: Paper, figure: Exhibit, results_root: Path, seeds: Sequence[int]) -> Figure:
    """One figure of ``paper``, from its rows' results; pictures are of the first seed alone.

    ``results_root`` is ``results/<scale>``, with ``<paper>/<row>/seed-<n>/`` in it. A run that
    diverged or is missing leaves a note in the figure.
    """
    shown = seeds[:1] if figure.kind in images.KINDS else seeds
    rows = [load_trained(paper, name, results_root, shown) for name in figure.rows]
    return KINDS[figure.kind](figure, rows)
