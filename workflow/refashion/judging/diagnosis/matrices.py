"""What printed confusion matrices give away: whether they add up, and what share they get right."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from refashion.judging.diagnosis.findings import Finding, about_rows
from refashion.judging.diagnosis.published import Line, as_printed
from refashion.paper.images import CLASS_NAMES
from refashion.results.summary import distinct
from refashion.text import listed

if TYPE_CHECKING:
    from refashion.judging.levels import Levels
    from refashion.paper.papers import Paper
    from refashion.paper.spec import Row


def matrices(paper: Paper, lines: Sequence[Line], levels: Levels) -> Iterator[Finding]:
    """Sums of printed confusion matrices, accuracies in them, and classes never predicted."""
    found: dict[str, dict[str, str]] = {}
    for matrix in paper.confusion_matrices:
        row, counts = paper.row(matrix.row), np.array(matrix.published)
        wrong = _wrong_sums(row, counts, levels)
        for kind, said in (
            ("matrix_sums", listed(wrong)),
            ("matrix_accuracy", _accuracy(row, counts, lines, adds_up=not wrong)),
            ("never_predicted", listed([CLASS_NAMES[c] for c in np.flatnonzero(~counts.any(0))])),
        ):
            if said:
                of_kind = found.setdefault(kind, {})
                of_kind[matrix.row] = f"{matrix.label}, {matrix.row}: {said}."
    for kind, of_kind in found.items():
        yield from about_rows(kind, of_kind)


def _wrong_sums(row: Row, counts: NDArray[np.int64], levels: Levels) -> list[str]:
    """The classes of which a matrix has not as many images as there are."""
    # Which images are held out is drawn: of those the number in each class is not known.
    if row.spec.split.validation:
        return []
    images_of_class = zip(CLASS_NAMES, counts.sum(1), levels.classes["test"], strict=True)
    return [
        f"{total:,} of {name}, where there are {images:,}"
        for name, total, images in images_of_class
        if total != images
    ]


def _accuracy(
    row: Row, counts: NDArray[np.int64], lines: Sequence[Line], adds_up: bool
) -> str | None:
    """The share on the diagonal, if no table prints it, or one prints another."""
    share = 100 * np.trace(counts) / counts.sum()
    printed = [
        number
        for line in lines
        for number in line
        if number.row.id == row.id
        and (number.column.measures.series, number.column.measures.quantity) == ("val", "accuracy")
    ]
    if printed and all(abs(n.value - share) <= n.half_unit + 1e-9 for n in printed):
        return None
    said = f"{np.trace(counts):,} of {counts.sum():,} images are on the diagonal, "
    said += f"an accuracy of {share:.2f} %; "
    said += f"the tables print {as_printed(printed)}" if printed else "no table prints it"
    if adds_up:
        said += f". Each row adds up to {listed(distinct(f'{n:,}' for n in counts.sum(1)))} images"
    return said
