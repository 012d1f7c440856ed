"""Numbers that assumptions quote about the data are those of the data."""

from pathlib import Path

import numpy as np
import pytest
from refashion.paper import papers
from refashion.training import dataset

FOLDER = Path(__file__).parents[2] / "workflow/papers"


@pytest.fixture(scope="module")
def pixels(whole):
    """Training and test pixels in [0, 1]."""
    images = dataset.load(whole)
    return [part.astype(np.float64) / 255 for part in (images.train_images, images.test_images)]


def _said(assumption: str, paper: str = "caprari2025") -> str:
    assumptions = papers.load_paper(FOLDER / f"{paper}.yaml").assumptions
    entry = next(entry for entry in assumptions if entry.id == assumption)
    return " ".join(f"{entry.why} {entry.alternatives}".split())


def _claim(name: str) -> dict:
    keys = {"cap": "caprari2025", "och": "ochotorena2023", "bor": "borgnino2023"}
    claims = papers.load_paper(FOLDER / f"{keys[name[:3]]}.yaml").claims
    return next(claim for claim in claims if claim.id == name)


def _why(claim: str) -> str:
    return " ".join(_claim(claim).why.split())


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


def test_a14_and_cap_p01_quote_what_the_floors_differ_by_in_the_order_of_the_data_set(pixels):
    """In batches the distance is less: the last 16 test images are dark, and weigh as 128 do."""
    assert pixels[1][-16:].mean() < pixels[1].mean()
    targets = [(part - 0.5) / 0.5 for part in pixels]
    floors = [np.square(part - part.clip(0, 1)).mean(axis=(1, 2)) for part in targets]
    differences = {}
    for size in (128, 256):
        train, test = (
            np.mean([part[start : start + size].mean() for start in range(0, len(part), size)])
            for part in floors
        )
        differences[size] = f"{train - test:.4f}"
        assert f"{differences[size]} with batches of {size}" in _said("A14")
    assert f"{differences[128]} apart with batches of 128" in _why("cap-P01")


def test_a14_and_cap_p02_quote_what_the_printed_errors_differ_by():
    tables = papers.load_paper(FOLDER / "caprari2025.yaml").tables[:3]
    lines = [line.published for table in tables for line in table.lines]
    differences = [line["train_error"] - line["val_error"] for line in lines]
    assert f"differ by {np.mean(differences):.4f} on average" in _said("A14")
    furthest = max(abs(difference - 0.0025) for difference in differences)
    assert f"within {furthest:.4f} of it" in _why("cap-P02")


def test_ochotorena_a5_quotes_the_floor_of_a_sigmoid_on_other_data(pixels):
    assert f"{_floor_of_sigmoid(pixels[1], 0.5, 0.5):.4f}" in _said("A5", "ochotorena2023")


def test_palacio_a1_and_och_p05_quote_what_stripes_cost(pixels):
    """Three rows and columns that are alike for all images leave at least their variance."""
    variance = pixels[1].var(axis=0)
    variance[:25, :25] = 0
    for text in (_said("A1", "palacio2025"), _claim("och-P05").text):
        assert f"{variance.mean():.4f}" in text


def test_bor_p07_takes_a_quarter_of_the_error_of_the_mean_image(pixels):
    train, test = pixels
    quarter = np.square(test - train.mean(axis=0)).mean() / 4
    levels = [part.level for part in _claim("bor-P07").test if "level" in part.model_fields_set]
    assert levels[-1] == pytest.approx(quarter, abs=5e-5)
    assert str(levels[-1]) in _why("bor-P07")


def test_palacio_a19_quotes_the_error_of_a_zero_output(pixels):
    assert f"{_zero_output(pixels[1], 0, 1):.4f}" in _said("A19", "palacio2025")
