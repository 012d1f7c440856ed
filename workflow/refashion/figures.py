"""The papers' figures, redrawn from what was measured: curves, confusion, reconstructions.

Every figure is drawn on a Figure object of its own and written twice, as SVG and as PDF, with
neither a date nor random ids in it, so that the same results give the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from safetensors.numpy import load_file

from refashion.errors import UserError

CLASS_NAMES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)

WIDTH = 6.3  # inches: the text width of a printed page
INK = "#222222"
FAINT = "#8a8a8a"
HAIRLINE = "#e3e3e3"
# Okabe and Ito's palette, which colour-blind readers tell apart, less its yellow, faint on white.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
CONFUSED = LinearSegmentedColormap.from_list(
    "confused", ["#ffffff", "#f8d5bb", "#ea9a5e", "#c44e00"]
)
SMOKE_MARK = "smoke run: no evidence"

STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 7.5,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "axes.linewidth": 0.6,
    "axes.labelsize": 7.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
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
    "legend.handlelength": 2.2,
    "lines.linewidth": 1.3,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "svg.fonttype": "path",
    "pdf.fonttype": 42,
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
        UserError: the figure's kind is none of curves, confusion, reconstructions.
    """
    kinds = {"curves": _curves, "confusion": _confusion, "reconstructions": _reconstructions}
    if figure["kind"] not in kinds:
        raise UserError(
            f"{paper.file}: figures: {figure['id']}: kind: {figure['kind']} is none of "
            f"{', '.join(kinds)}"
        )
    # The ids in an SVG come from this salt: two figures inlined in one page must not share any.
    salt = f"{paper.key}/{figure['id']}"
    with mpl.rc_context({"svg.hashsalt": salt}):
        mpl.rcParams.update(STYLE)
        drawn = kinds[figure["kind"]](paper, figure, Path(results_root), list(seeds))
        if scale == "smoke":
            _mark_as_smoke(drawn)
        for out in (Path(out_svg), Path(out_pdf)):
            out.parent.mkdir(parents=True, exist_ok=True)
        drawn.savefig(out_svg, format="svg", metadata={"Date": None, "Creator": "refashion"})
        drawn.savefig(
            out_pdf, format="pdf", metadata={"CreationDate": None, "Creator": "refashion"}
        )


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


def _runs(
    paper: Any, row: Any, results_root: Path, seeds: list[int]
) -> tuple[list[dict], list[str]]:
    """A row's completed runs (metrics and ``folder``) and a note for every other seed."""
    runs, notes = [], []
    for seed in seeds:
        folder = results_root / paper.key / row.id / f"seed-{seed}"
        file = folder / "metrics.json"
        if not file.exists():
            notes.append(f"{row.id}, seed {seed}: not run")
            continue
        metrics = json.loads(file.read_text(encoding="utf-8"))
        if metrics["status"] == "completed":
            runs.append(metrics | {"folder": folder})
        else:
            epoch = metrics.get("diverged_at_epoch")
            at = "" if epoch is None else f" at epoch {epoch}"
            notes.append(f"{row.id}, seed {seed}: diverged{at}, left out")
    return runs, notes


def _note(axes, notes: list[str], empty: bool) -> None:
    """Notes below an axes, or in its middle if nothing else is in it."""
    if empty:
        text = "\n".join(["No completed run to draw", *notes])
        axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color=FAINT)
    elif notes:
        text = "\n".join(notes)
        axes.annotate(
            text,
            (0, 0),
            (0, -30),
            "axes fraction",
            "offset points",
            va="top",
            color=FAINT,
            size=6.5,
        )


def _curves(paper: Any, figure: Mapping, results_root: Path, seeds: list[int]) -> Figure:
    """Training and validation against epoch: mean over seeds, band from least to greatest."""
    metric = "_accuracy" if figure["metric"] == "accuracy" else "_loss"
    factor = 100.0 if figure["metric"] == "accuracy" else 1.0
    rows = [paper.row(row) for row in figure["rows"]]
    drawn = Figure(figsize=(WIDTH, 3.1), layout="constrained")
    axes = drawn.add_subplot()
    notes, handles, last_epoch = [], [], 1
    for index, row in enumerate(rows):
        runs, missing = _runs(paper, row, results_root, seeds)
        notes += missing
        if not runs:
            continue
        histories = [pd.read_csv(run["folder"] / "history.csv").set_index("epoch") for run in runs]
        for which, name in enumerate(("train", "val")):
            column = f"{name}{metric}_batch_mean"
            over_seeds = factor * pd.concat([history[column] for history in histories], axis=1)
            mean = over_seeds.mean(axis=1)
            # One row: a colour for each curve. Several: a colour for each row, training dashed.
            color = PALETTE[(which if len(rows) == 1 else index) % len(PALETTE)]
            line = "--" if which == 0 and len(rows) > 1 else "-"
            # A line through one or two epochs is hard to see: points show what was measured.
            marker = "o" if len(mean) < 6 else None
            axes.plot(mean.index, mean, line, color=color, marker=marker, markersize=3)
            if len(runs) > 1:
                low, high = over_seeds.min(axis=1), over_seeds.max(axis=1)
                axes.fill_between(mean.index, low, high, color=color, alpha=0.18, linewidth=0)
            last_epoch = max(last_epoch, int(mean.index.max()))
        handles.append(Line2D([], [], color=PALETTE[index % len(PALETTE)], label=row.id))
    if len(rows) == 1 and handles:
        handles = [
            Line2D([], [], color=PALETTE[which], label=f"{row.id}, {label}")
            for which, label in enumerate(("training", "validation"))
        ]
    elif handles:
        handles += [
            Line2D([], [], color=INK, linestyle=line, label=label)
            for line, label in (("--", "training"), ("-", "validation"))
        ]
    axes.set_xlabel("Epoch")
    axes.set_ylabel("Accuracy (%), mean of batches" if factor == 100.0 else "Loss, mean of batches")
    axes.set_xlim(0 if last_epoch > 5 else 0.8, last_epoch + (0.4 if last_epoch > 5 else 0.2))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=8, steps=[1, 2, 2.5, 5, 10]))
    axes.grid(axis="y", color=HAIRLINE, linewidth=0.5)
    axes.set_axisbelow(True)
    if len(rows) > 1 and handles:
        drawn.legend(handles=handles, loc="outside right upper")
    elif handles:
        axes.legend(handles=handles, loc="best")
    else:
        axes.set_yticks([])
    _note(axes, notes, empty=not handles)
    return drawn


def _confusion(paper: Any, figure: Mapping, results_root: Path, seeds: list[int]) -> Figure:
    """Mean counts over seeds; the errors have the colours to themselves, the diagonal is grey."""
    rows = [paper.row(row) for row in figure["rows"]]
    drawn = Figure(figsize=(WIDTH, 4.9 * len(rows)), layout="constrained")
    for axes, row in zip(drawn.subplots(len(rows), squeeze=False)[:, 0], rows, strict=True):
        runs, notes = _runs(paper, row, results_root, seeds)
        counts = [np.array(run["confusion"]) for run in runs if run.get("confusion")]
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
        if not counts:
            axes.set(xticks=[], yticks=[])
            _note(axes, notes, empty=True)
            continue
        mean = np.mean(counts, axis=0)
        diagonal = np.eye(len(mean), dtype=bool)
        errors = np.ma.array(mean, mask=diagonal)
        ceiling = max(float(errors.max()), 1.0)
        axes.pcolormesh(errors, cmap=CONFUSED, vmin=0, vmax=ceiling, edgecolor="white", linewidth=1)
        axes.pcolormesh(
            np.ma.array(np.ones_like(mean), mask=~diagonal),
            cmap="Greys",
            vmin=0,
            vmax=8,
            edgecolor="white",
            linewidth=1,
        )
        for (true, predicted), count in np.ndenumerate(mean):
            dark = true != predicted and count > 0.8 * ceiling
            axes.text(
                predicted + 0.5,
                true + 0.5,
                f"{round(count)}",
                ha="center",
                va="center",
                size=7.5,
                color="white" if dark else INK if count >= 0.5 else "#bdbdbd",
                weight="bold" if true == predicted else "normal",
            )
        axes.set_aspect("equal")
        axes.invert_yaxis()
        axes.set_xticks(
            np.arange(10) + 0.5, CLASS_NAMES, rotation=40, ha="right", rotation_mode="anchor"
        )
        axes.set_yticks(np.arange(10) + 0.5, CLASS_NAMES)
        axes.set_xlabel("Predicted")
        axes.set_ylabel("True")
        over = f"mean of {len(counts)} seeds" if len(counts) > 1 else "one seed"
        axes.set_title(f"{row.id}: test images, {over}", loc="left", size=7.5, pad=6)
        if notes:
            axes.set_xlabel("Predicted\n" + "; ".join(notes))
    return drawn


def _reconstructions(paper: Any, figure: Mapping, results_root: Path, seeds: list[int]) -> Figure:
    """First test image of each class, above what each network makes of it; the first seed."""
    rows = [paper.row(row) for row in figure["rows"]]
    examples = []
    for row in rows:
        runs, notes = _runs(paper, row, results_root, seeds[:1])
        file = runs[0]["folder"] / "examples.safetensors" if runs else None
        found = load_file(file) if file and file.exists() else None
        examples.append((row, found, "; ".join(notes) or f"{row.id}: no examples"))
    lines = [(row.id, row, found and found["outputs"], note) for row, found, note in examples]
    original = next(((row, found) for row, found, _ in examples if found is not None), None)
    if original:
        lines.insert(0, ("original", original[0], original[1]["targets"], ""))

    # In inches: as wide as the longest label, and then ten squares across.
    left, top = 0.15 + 0.06 * max(len(label) for label, *_ in lines), 0.22
    side = (WIDTH - left) / 10
    height = top + side * len(lines)
    drawn = Figure(figsize=(WIDTH, height))
    axes = drawn.add_axes((left / WIDTH, 0, 1 - left / WIDTH, 1 - top / height))
    for index, (label, row, images, note) in enumerate(lines):
        axes.text(-0.1, index + 0.5, label, ha="right", va="center", size=7)
        if images is None:
            axes.text(5, index + 0.5, note, ha="center", va="center", color=FAINT)
            continue
        mean, std = (row.spec["normalisation"][key] for key in ("mean", "std"))
        black, white = (0 - mean) / std, (1 - mean) / std
        for column, image in enumerate(images):
            # Enlarged here, as viewers blur small images that they enlarge themselves.
            pixels = np.kron(np.nan_to_num(image), np.ones((4, 4)))
            place = (column + 0.03, column + 0.97, index + 0.97, index + 0.03)
            axes.imshow(
                pixels, cmap="gray", vmin=black, vmax=white, extent=place, interpolation="none"
            )
    names = _example_names(original[1]) if original else CLASS_NAMES
    for column, name in enumerate(names):
        axes.text(column + 0.5, -0.08, name, ha="center", va="bottom", size=6.5)
    axes.set(xlim=(0, 10), ylim=(len(lines), 0), aspect="equal")
    axes.axis("off")
    return drawn


def _example_names(examples: Mapping[str, np.ndarray]) -> list[str]:
    """Class names of a run's examples, in their order."""
    return [CLASS_NAMES[int(label)] for label in examples["labels"]]
