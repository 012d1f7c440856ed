"""What all figures share: colours and type, names of the classes, a row's runs, notes, files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from refashion.results.paths import METRICS, run_folder
from refashion.results.run import Run

if TYPE_CHECKING:
    from refashion.paper.papers import Paper
    from refashion.paper.spec import Row
    from refashion.paper.tables import ConfusionMatrix

SMOKE_MARK = "smoke run: no evidence"
WIDTH = 6.3  # inches: the text width of a printed page
INK = "#222222"
FAINT = "#8a8a8a"
HAIRLINE = "#e3e3e3"
# Okabe and Ito's palette, which colour-blind readers tell apart, less its yellow, faint on white.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
BLUE, VERMILION, *_ = PALETTE

STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 7.5,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "axes.linewidth": 0.6,
    "axes.labelsize": 7.5,
    "axes.titlesize": 7.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": HAIRLINE,
    "grid.linewidth": 0.5,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 3,
    "ytick.major.size": 3,
    "legend.frameon": False,
    "legend.fontsize": 7,
    "legend.handlelength": 2.4,
    "lines.linewidth": 1.2,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "svg.fonttype": "path",
    "pdf.fonttype": 42,
}


@dataclass(frozen=True)
class Trained:
    """A row of a figure: its completed runs, and a note for every other seed.

    ``name`` is the row's id or alias, whichever the figure has: notes call it as the figure does.
    ``printed`` is the confusion matrix that the paper has of it, if any.
    """

    name: str
    row: Row
    printed: ConfusionMatrix | None
    runs: Sequence[Run]
    notes: Sequence[str]


def load_trained(paper: Paper, name: str, results_root: Path, seeds: Sequence[int]) -> Trained:
    """What the trainings of a row left."""
    row = paper.row(name)
    printed = [each for each in paper.confusion_matrices if paper.row(each.row) is row]
    runs, notes = [], []
    for seed in seeds:
        folder = run_folder(results_root, row, seed)
        if not (folder / METRICS).exists():
            notes.append(f"{name}, seed {seed}: not run")
            continue
        run = Run.read(folder, row, seed)
        if run.diverged:
            epoch = run.metrics.diverged_at_epoch
            at = "" if epoch is None else f" at epoch {epoch}"
            notes.append(f"{name}, seed {seed}: diverged{at}, left out")
        else:
            runs.append(run)
    return Trained(name, row, next(iter(printed), None), runs, notes)


def over_seeds(runs: int) -> str:
    """What a number that is taken over so many runs is."""
    return f"mean of {runs} seeds" if runs > 1 else "one seed"


def add_notes(drawn: Figure, notes: Sequence[str]) -> None:
    """Notes at the foot of a figure of constrained layout, which becomes as much taller."""
    if notes:
        width, height = drawn.get_size_inches()
        drawn.set_size_inches(width, height + 0.12 * (len(notes) + 1))
        drawn.supxlabel("\n".join(notes), x=0.01, ha="left", color=FAINT, size=6.5)


def leave_empty(axes: Axes, *rows: Trained) -> None:
    """Nothing in an axes but a line that says why."""
    text = f"no completed run of {', '.join(row.name for row in rows)}"
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", color=FAINT)
    axes.axis("off")


def write(make: Callable[[], Figure], name: str, scale: str, out_svg: Path, out_pdf: Path) -> None:
    """Write a figure as SVG and as PDF; at scale ``smoke`` it is marked as no evidence.

    ``make`` draws it, in the style of all figures, on a Figure object of its own. It has neither a
    date nor random ids in it, so that the same results give the same bytes: ids in the SVG come
    from ``name``, as two figures inlined in one page must not share any.
    """
    with mpl.rc_context({"svg.hashsalt": name}):
        mpl.rcParams.update(STYLE)
        drawn = make()
        if scale == "smoke":
            _mark_as_smoke(drawn)
        for out, date in ((out_svg, "Date"), (out_pdf, "CreationDate")):
            out.parent.mkdir(parents=True, exist_ok=True)
            drawn.savefig(out, metadata={date: None, "Creator": "refashion"})


def _mark_as_smoke(drawn: Figure) -> None:
    """Say at the top of a figure, on a strip added for it, that it is no evidence."""
    width, height = drawn.get_size_inches()
    taller = height + 0.18
    share = height / taller
    drawn.set_size_inches(width, taller)
    engine: Any = drawn.get_layout_engine()
    if engine:
        engine.set(rect=(0, 0, 1, share))
    else:
        for axes in drawn.axes:
            left, bottom, across, up = axes.get_position().bounds
            axes.set_position((left, bottom * share, across, up * share))
    style = {"ha": "right", "va": "top", "color": FAINT, "size": 6.5, "style": "italic"}
    drawn.text(0.99, 1 - 0.04 / taller, SMOKE_MARK, **style)
