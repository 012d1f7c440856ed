"""Figures as the report shows them: the drawn file, and a caption that says what was drawn."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from refashion.errors import UserError
from refashion.text import capital, listed, sentence, span

if TYPE_CHECKING:
    from refashion.paper.figures import Figure
    from refashion.paper.papers import Paper
    from refashion.paper.spec import Row
    from refashion.results.summary import Summary

SERIES = {
    "running": "training images during the epoch, dropout on",
    "train": "training images",
    "val": "validation images",
    "val_dropout": "validation images with dropout on",
    "test": "test images",
}


@dataclass(frozen=True)
class Picture:
    """A drawn file for both formats.

    An SVG as a ``data:`` address and the PDF's path from ``results/<scale>``; ``width`` and
    ``height`` are the most that it may take of a printed page, as shares of the text's.
    """

    src: str
    pdf: str
    alt: str
    width: float = 1.0
    height: float = 0.72


def load_picture(results_root: Path, name: str, alt: str, **size: float) -> Picture:
    """A picture from ``results/<scale>/figures``, without its suffix.

    Raises:
        UserError: it has not been drawn.
    """
    stem = Path("figures") / name
    svg = Path(results_root) / stem.with_suffix(".svg")
    if not svg.exists():
        raise UserError(f"{svg}: not there; draw the figures before the report")
    # An image of its own: the ids inside one SVG cannot meet those of another.
    src = "data:image/svg+xml;base64," + base64.b64encode(svg.read_bytes()).decode("ascii")
    return Picture(src, stem.with_suffix(".pdf").as_posix(), alt, **size)


def show_figure(
    paper: Paper,
    figure: Figure,
    summaries: Mapping[str, Summary],
    results_root: Path,
    seeds: Sequence[int],
) -> tuple[Figure, str, Picture]:
    """A figure of a paper, and what was drawn of it; ``summaries`` maps row id to summary.

    Raises:
        UserError: it has not been drawn.
    """
    measured = what_is_drawn(paper, figure, summaries, seeds)
    said = f"{figure.label}: {sentence(figure.caption)} {measured} Rows: {listed(figure.rows)}."
    width = 0.85 if figure.kind == "confusion" else 1.0
    picture = load_picture(results_root, f"{paper.key}/{figure.id}", said, width=width)
    return figure, measured, picture


def what_is_drawn(
    paper: Paper, figure: Figure, summaries: Mapping[str, Summary], seeds: Sequence[int]
) -> str:
    """Which images, of which epoch and over which seeds, and how to read it."""
    rows = [paper.row(row) for row in figure.rows]
    over, several = _runs_drawn(rows, summaries, seeds)
    held_out = any(row.spec.split.validation for row in rows)
    image, at = "validation image" if held_out else "test image", _kept_at(rows)
    series = capital(listed([SERIES[name] for name in figure.series]))
    band = "; the band spans from the least to the greatest" if several else ", so no band"
    line = ", with a line from the least to the greatest" if several else ", so no spread"
    return {
        "curves": f"{series}, {over}{band}."
        + (" The vertical axis is logarithmic." if figure.scale == "log" else ""),
        "bars": f"{series} {at}, {over}{line}.",
        "confusion": f"{capital(image)}s {at}, {over}"
        + (", in percent of each true class" if figure.normalised else "")
        + "; the colours are scaled to the errors, the diagonal is grey.",
        "confusion_difference": f"Published counts, ours ({image}s {at}, {over}) and ours minus "
        f"the published ones; beside them the share of each class that is recognised{line}.",
        "reconstructions": f"The first {image} of each class and what each network makes of it "
        f"{at}, seed {seeds[0]}, on the grey scale of the normalised data.",
        "snapshots": f"The first {image}s of some classes and what is made of them before and in "
        f"the course of training, seed {seeds[0]}.",
        "examples": f"The first two {image}s of each class and what the network takes them for "
        f"{at}, seed {seeds[0]}.",
    }[figure.kind]


def _runs_drawn(
    rows: Sequence[Row], summaries: Mapping[str, Summary], seeds: Sequence[int]
) -> tuple[str, bool]:
    """Over which runs the rows are drawn, and whether any has several."""
    # A run that diverged is no part of a mean, and a row without another is not drawn.
    completed = [summaries[row.id].completed if row.id in summaries else len(seeds) for row in rows]
    runs = [number for number in completed if number]
    if not runs:
        return "no completed run", False
    several = max(runs) > 1
    over = f"mean over {span(runs)} seeds" if several else "one run alone"
    return f"seed {seeds[0]} alone" if len(seeds) == 1 else over, several


def _kept_at(rows: Sequence[Row]) -> str:
    keep, *others = {row.spec.keep for row in rows}
    if others:
        return "at the epoch whose weights were kept"
    words = {"last": "after the last epoch", "best": "at the epoch of the lowest validation loss"}
    return words.get(str(keep), f"after epoch {keep} or the last one before it")
