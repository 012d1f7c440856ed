"""Numbers that assumptions quote about the data are those of the data."""

from pathlib import Path

import numpy as np
import pytest
from refashion import dataset, papers

FOLDER = Path(__file__).parents[2] / "workflow/papers"


@pytest.fixture(scope="module")
def pixels(whole):
    """Training and test pixels in [0, 1]."""
    images = dataset.load(whole)
    return [part.astype(np.float64) / 255 for part in (images.train_images, images.test_images)]


def _said(assumption: str, paper: str = "caprari2025") -> str:
    assumptions = papers.load_paper(FOLDER / f"{paper}.yaml").assumptions
    entry = next(entry for entry in assumptions if entry["id"] == assumption)
    return f"{entry['why']} {entry['alternatives']}"


def _zero_output(pixels, mean, std):
    return np.square((pixels - mean) / std).mean()


def _floor_of_sigmoid(pixels, mean, std):
    """What is left of the error when every pixel has the best output in [0, 1]."""
    targets = (pixels - mean) / std
    return np.square(targets - targets.clip(0, 1)).mean()


def test_a8_quotes_the_errors_of_a_zero_output_and_the_floors_of_a_sigmoid(pixels):
    train, test = pixels
    quoted = [_zero_output(part, 0.5, 0.5) for part in (train, test)]
    quoted += [_floor_of_sigmoid(part, 0.5, 0.5) for part in (train, test)]
    quoted += [_floor_of_sigmoid(train, 0.2860, 0.3530), _zero_output(train, 0.2860, 0.3530)]
    quoted += [_zero_output(train, 0.1307, 0.3081), _zero_output(train, 0, 1)]
    for number in quoted:
        assert f"{number:.4f}" in _said("A8")


def test_a13_and_a21_quote_the_difference_of_the_two_floors(pixels):
    train, test = (_floor_of_sigmoid(part, 0.5, 0.5) for part in pixels)
    for assumption in ("A13", "A21"):
        assert f"{train - test:.4f}" in _said(assumption)


def test_a14_quotes_what_a_short_last_batch_changes(pixels):
    errors = np.square((pixels[1] - 0.5) / 0.5).mean(axis=(1, 2))
    batches = [errors[start : start + 128].mean() for start in range(0, len(errors), 128)]
    assert f"{abs(np.mean(batches) - errors.mean()):.4f}" in _said("A14")


def test_ochotorena_a5_quotes_the_floor_of_a_sigmoid_on_other_data(pixels):
    assert f"{_floor_of_sigmoid(pixels[1], 0.5, 0.5):.4f}" in _said("A5", "ochotorena2023")


def test_palacio_a1_and_och_p05_quote_what_stripes_cost(pixels):
    """Three rows and columns that are alike for all images leave at least their variance."""
    variance = pixels[1].var(axis=0)
    variance[:25, :25] = 0
    claims = papers.load_paper(FOLDER / "ochotorena2023.yaml").claims
    claim = next(claim["text"] for claim in claims if claim["id"] == "och-P05")
    for text in (_said("A1", "palacio2025"), claim):
        assert f"{variance.mean():.4f}" in text


def test_palacio_a19_quotes_the_error_of_a_zero_output(pixels):
    assert f"{_zero_output(pixels[1], 0, 1):.4f}" in _said("A19", "palacio2025")
