"""Pictures of the first seed: what autoencoders make of images, and classifiers take them for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from refashion.paper.images import CLASS_NAMES
from refashion.report.figures.shared import FAINT, INK, VERMILION, WIDTH, Trained

if TYPE_CHECKING:
    from refashion.paper.figures import Figure as Exhibit

# Of the ten images: a plain shape, one full of gaps, a dark and heavy one.
SNAPSHOT_CLASSES = ("T-shirt/top", "Sandal", "Ankle boot")
LARGEST = 0.75  # inches: an image of 28 pixels is no better for being larger
HEAD = 0.22  # inches above the images, for the names of columns


def reconstructions(_: Exhibit, rows: Sequence[Trained]) -> Figure:
    """First image of each class, above what each network makes of it."""
    found = [(row, _outputs(row)) for row in rows]
    lines = [(row.name, outputs.get("outputs"), row.notes) for row, outputs in found]
    classes = np.arange(len(CLASS_NAMES))
    if complete := next((outputs for _, outputs in found if outputs), None):
        lines.insert(0, ("original", complete["targets"], ()))
        classes = complete["labels"]

    left = _width_of_labels([label for label, *_ in lines])
    side = (WIDTH - left) / len(classes)
    drawn, page = _page(HEAD + side * len(lines))
    for column, label in enumerate(classes):
        _head(page, CLASS_NAMES[label], left + column * side, side)
    for index, (label, images, notes) in enumerate(lines):
        top = HEAD + index * side
        _label(page, label, left, top + side / 2)
        if images is None:
            _say(page, notes, (left + WIDTH) / 2, top + side / 2)
            continue
        for column, image in enumerate(images):
            _show(page, image, left + column * side, top, side)
    return drawn


def snapshots(_: Exhibit, rows: Sequence[Trained]) -> Figure:
    """What each network makes of some images, untrained and after ever more epochs."""
    found = [(row, _outputs(row)) for row in rows]
    epochs = sorted({epoch for _, outputs in found for epoch in _by_epoch(outputs)})
    left, gap = _width_of_labels([row.name for row in rows]), 0.12
    side = min((WIDTH - left - gap) / (len(epochs) + 1), LARGEST)
    column_of = {epoch: left + column * side for column, epoch in enumerate(epochs)}
    last = left + len(epochs) * side + gap
    height = len(SNAPSHOT_CLASSES) * side
    drawn, page = _page(HEAD + (height + gap) * len(rows) - gap)
    for epoch, x in column_of.items():
        _head(page, f"epoch {epoch}" if epoch else "untrained", x, side)
    if any(outputs for _, outputs in found):
        _head(page, "original", last, side)
    for index, (row, outputs) in enumerate(found):
        top = HEAD + index * (height + gap)
        _label(page, row.name, left, top + height / 2)
        if not outputs:
            _say(page, row.notes, (left + WIDTH) / 2, top + height / 2)
            continue
        labels = [CLASS_NAMES[label] for label in outputs["labels"]]
        for which in [labels.index(shown) for shown in SNAPSHOT_CLASSES if shown in labels]:
            for epoch, images in _by_epoch(outputs).items():
                _show(page, images[which], column_of[epoch], top, side)
            _show(page, outputs["targets"][which], last, top, side)
            top += side
    return drawn


def _by_epoch(outputs: Mapping[str, np.ndarray]) -> dict[int, np.ndarray]:
    """Snapshots by epoch; a short run comes to fewer epochs than its row names, or to none."""
    taken = zip(outputs.get("snapshot_epochs", ()), outputs.get("snapshots", ()), strict=True)
    return {int(epoch): images for epoch, images in taken}


def examples(_: Exhibit, rows: Sequence[Trained]) -> Figure:
    """First images of each class with their true and their predicted class.

    Five classes side by side, the images of a class one below the other. A wrong one is marked by
    a sign and a frame besides a colour.
    """
    across, side, gap, line = 5, 0.84, 0.1, 0.13
    cell, step = WIDTH / across, side + 2 * line + gap
    height = HEAD + 4 * step
    drawn, page = _page(height * len(rows))
    for index, row in enumerate(rows):
        outputs, top = _outputs(row), index * height
        if not outputs:
            _say(page, row.notes, WIDTH / 2, top + height / 2)
            continue
        explained = f"{row.name}: below each image its true class, then the predicted one"
        page.text(0.05, top + 0.13, f"{explained} (✓ right, ✗ wrong)")
        seen = [0] * len(CLASS_NAMES)
        for image, true, predicted in zip(
            outputs["targets"], outputs["labels"], outputs["predictions"], strict=True
        ):
            x = (true % across + 0.5) * cell
            y = top + HEAD + (2 * (true // across) + seen[true]) * step
            seen[true] += 1
            _show(page, image, x - side / 2, y, side)
            sign, color = ("✓", INK) if predicted == true else ("✗", VERMILION)
            if predicted != true:
                frame = {"fill": False, "edgecolor": VERMILION, "linewidth": 1.6}
                page.add_patch(Rectangle((x - side / 2, y), side, side, **frame))
            page.text(x, y + side + line, CLASS_NAMES[true], ha="center")
            said = f"{sign} {CLASS_NAMES[predicted]}"
            page.text(x, y + side + 2 * line, said, ha="center", color=color)
    return drawn


KINDS = {"reconstructions": reconstructions, "snapshots": snapshots, "examples": examples}


def _outputs(row: Trained) -> dict[str, np.ndarray]:
    """What outputs.safetensors holds of a row's one run, or nothing if it was not completed.

    Its images are not in normalised units but shades, from 0 to 1 in the data.
    """
    outputs = {name: array for run in row.runs for name, array in run.outputs.items()}
    normalisation = row.row.spec.normalisation
    for images in {"targets", "outputs", "snapshots"} & set(outputs):
        outputs[images] = outputs[images] * normalisation.std + normalisation.mean
    return outputs


def _page(height: float) -> tuple[Figure, Axes]:
    """A figure and an axes over all of it whose coordinates are inches from the top left."""
    drawn = Figure(figsize=(WIDTH, height))
    page = drawn.add_axes((0, 0, 1, 1))
    page.set(xlim=(0, WIDTH), ylim=(height, 0))
    page.axis("off")
    return drawn, page


def _width_of_labels(labels: Sequence[str]) -> float:
    return 0.15 + 0.06 * max(len(label) for label in labels)


def _label(page: Axes, text: str, right: float, middle: float) -> None:
    """The name of a line of images, to their left."""
    page.text(right - 0.07, middle, text, ha="right", va="center", size=7)


def _head(page: Axes, text: str, left: float, side: float) -> None:
    """The name of a column of images, above them."""
    page.text(left + side / 2, HEAD - 0.05, text, ha="center", size=6.5)


def _say(page: Axes, notes: Sequence[str], x: float, y: float) -> None:
    """Why there are no images, where they would be."""
    page.text(x, y, "\n".join(notes), ha="center", va="center", color=FAINT)


def _show(page: Axes, image: np.ndarray, left: float, top: float, side: float) -> None:
    """Draw an image [28, 28] of shades from 0, black, to 1, white."""
    # Enlarged here, as viewers blur small images that they enlarge themselves.
    pixels = np.kron(np.nan_to_num(image), np.ones((4, 4)))
    margin = 0.03 * side
    at = (left + margin, left + side - margin, top + side - margin, top + margin)
    style = {"cmap": "gray", "vmin": 0, "vmax": 1, "interpolation": "none"}
    page.imshow(pixels, extent=at, aspect="auto", **style)
