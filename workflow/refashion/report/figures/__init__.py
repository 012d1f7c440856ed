"""The papers' figures, redrawn from what was measured.

Every figure is drawn on a Figure object of its own and written twice, as SVG and as PDF, with
neither a date nor random ids in it, so that the same results give the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from refashion.errors import UserError
from refashion.report.figures import charts, images, matrices, readings, scorecard, verdicts
from refashion.report.figures.shared import FAINT, STYLE

SMOKE_MARK = "smoke run: no evidence"
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
    paper: Any,
    figure: Mapping[str, Any],
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

    Raises:
        UserError: the figure's kind is none of :data:`KINDS`.
    """
    if figure.kind not in KINDS:
        raise UserError(
            f"{paper.file}: figures: {figure.id}: kind: {figure.kind} is none of {', '.join(KINDS)}"
        )
    _write(
        lambda: KINDS[figure.kind](paper, figure, Path(results_root), list(seeds)),
        f"{paper.key}/{figure.id}",
        scale,
        (out_svg, out_pdf),
    )


def draw_scorecard(card: Mapping[str, Any], out_svg: Path, out_pdf: Path) -> None:
    """Draw the scorecard of :func:`refashion.judging.scorecard.make_card` as SVG and as PDF."""
    _write(lambda: scorecard.bars(card), "scorecard", card["scale"], (out_svg, out_pdf))


def draw_verdicts(
    paper: str, numbers: Sequence[Mapping[str, Any]], scale: str, out_svg: Path, out_pdf: Path
) -> None:
    """Draw a paper's ``numbers``, from :func:`refashion.judging.numbers.published_numbers`."""
    name = f"{paper}-verdicts"
    _write(lambda: verdicts.strips(numbers), name, scale, (out_svg, out_pdf))


def draw_study(
    paper: str, study: Mapping[str, Any], scale: str, out_svg: Path, out_pdf: Path
) -> None:
    """Draw a study, as :func:`refashion.judging.studies.compare` has it, as SVG and as PDF."""
    name = f"{paper}/{study['assumption']}"
    _write(lambda: readings.dots(study), name, scale, (out_svg, out_pdf))


def _write(make: Callable[[], Figure], name: str, scale: str, outs: tuple[Path, Path]) -> None:
    # The ids in an SVG come from this salt: two figures inlined in one page must not share any.
    with mpl.rc_context({"svg.hashsalt": name}):
        mpl.rcParams.update(STYLE)
        drawn = make()
        if scale == "smoke":
            _mark_as_smoke(drawn)
        for out, date in zip(map(Path, outs), ("Date", "CreationDate"), strict=True):
            out.parent.mkdir(parents=True, exist_ok=True)
            drawn.savefig(out, metadata={date: None, "Creator": "refashion"})


def _mark_as_smoke(drawn: Figure) -> None:
    """Say at the top of a figure, on a strip added for it, that it is no evidence."""
    width, height = drawn.get_size_inches()
    taller = height + 0.18
    share = height / taller
    drawn.set_size_inches(width, taller)
    engine = drawn.get_layout_engine()
    if engine:
        engine.set(rect=(0, 0, 1, share))
    else:
        for axes in drawn.axes:
            left, bottom, across, up = axes.get_position().bounds
            axes.set_position((left, bottom * share, across, up * share))
    style = {"ha": "right", "va": "top", "color": FAINT, "size": 6.5, "style": "italic"}
    drawn.text(0.99, 1 - 0.04 / taller, SMOKE_MARK, **style)
