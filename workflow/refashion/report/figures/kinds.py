"""A paper's figures: which function draws which kind."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from refashion.report.figures import charts, images, matrices
from refashion.report.figures.shared import write

if TYPE_CHECKING:
    from refashion.paper.figures import Figure as Exhibit
    from refashion.paper.papers import Paper

# Each makes a Figure from a paper, an entry of its figures, the folder of results and the seeds.
KINDS = {
    "curves": charts.curves,
    "bars": charts.bars,
    "confusion": matrices.confusion,
    "confusion_difference": matrices.confusion_difference,
    "reconstructions": images.reconstructions,
    "snapshots": images.snapshots,
    "examples": images.examples,
}


def draw(
    paper: Paper,
    figure: Exhibit,
    results_root: Path,
    seeds: Sequence[int],
    out_svg: Path,
    out_pdf: Path,
    scale: str = "paper",
) -> None:
    """Draw one figure of ``paper`` from its rows' results and write it as SVG and as PDF.

    ``results_root`` is ``results/<scale>``, with ``<paper>/<row>/seed-<n>/`` in it. A run that
    diverged or is missing leaves a note in the figure; at scale ``smoke`` the figure is marked as
    no evidence.
    """
    write(
        lambda: KINDS[figure.kind](paper, figure, Path(results_root), list(seeds)),
        f"{paper.key}/{figure.id}",
        scale,
        (out_svg, out_pdf),
    )
