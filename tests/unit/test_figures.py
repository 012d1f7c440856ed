"""Figures: the same bytes twice, what they say, and what they say when runs are missing."""

import re
import xml.etree.ElementTree as ElementTree

import pytest
import synthetic
from refashion import figures
from refashion.errors import UserError


@pytest.fixture(scope="module")
def paper():
    return synthetic.paper(note="plain")


@pytest.fixture(scope="module")
def results(paper, tmp_path_factory):
    root = tmp_path_factory.mktemp("results")
    for row in paper.rows:
        for seed in (0, 1):
            synthetic.write_run(row, root, seed)
    return root


def draw(paper, figure, results, out, seeds=(0, 1), scale="paper"):
    figures.draw(paper, figure, results, seeds, out / "f.svg", out / "f.pdf", scale)
    return (out / "f.svg").read_bytes(), (out / "f.pdf").read_bytes()


def words(svg: bytes) -> str:
    """The texts of an SVG: Matplotlib leaves each in a comment above its outlines."""
    return " | ".join(found.decode() for found in re.findall(rb"<!-- (.*?) -->", svg, re.DOTALL))


@pytest.mark.parametrize("index", range(3))
def test_same_results_give_the_same_bytes(paper, results, tmp_path, index):
    first = draw(paper, paper.figures[index], results, tmp_path / "a")
    second = draw(paper, paper.figures[index], results, tmp_path / "b")
    assert first == second
    ElementTree.fromstring(first[0])
    assert first[1].startswith(b"%PDF") and b"CreationDate" not in first[1]


def test_figures_share_no_ids(paper, results, tmp_path):
    ids = [
        set(
            re.findall(rb'id="(m[0-9a-f]{10}|p[0-9a-f]{10})"', draw(paper, f, results, tmp_path)[0])
        )
        for f in paper.figures[:2]
    ]
    assert ids[0] and not ids[0] & ids[1]


def test_curves_label_the_row_and_both_sets(paper, results, tmp_path):
    said = words(draw(paper, paper.figures[0], results, tmp_path)[0])
    assert "t1-wide, training" in said and "t1-wide, validation" in said
    assert "Epoch" in said and "Loss, mean of batches" in said
    assert "smoke" not in said


def test_curves_of_several_rows_label_each(paper, results, tmp_path):
    several = paper.figures[0] | {"rows": ["t1-small", "t1-wide"], "metric": "loss"}
    said = words(draw(paper, several, results, tmp_path)[0])
    assert all(label in said for label in ("t1-small", "t1-wide", "training", "validation"))


def test_accuracy_curves_are_in_percent(paper, results, tmp_path):
    accuracy = paper.figures[0] | {"rows": ["t2-classifier"], "metric": "accuracy"}
    said = words(draw(paper, accuracy, results, tmp_path)[0])
    assert "Accuracy (%), mean of batches" in said and "90" in said


def test_confusion_counts_are_means_over_seeds(paper, results, tmp_path):
    runs = [synthetic.metrics(paper.row("t2-classifier"), seed)["confusion"] for seed in (0, 1)]
    mean = round((runs[0][0][6] + runs[1][0][6]) / 2)
    svg = draw(paper, paper.figures[1], results, tmp_path)[0]
    # Cells are written row by row: the seventh is T-shirts taken for shirts.
    cells = [word for word in words(svg).split(" | ") if word.isdigit()]
    assert len(cells) == 100 and int(cells[6]) == mean
    assert "Ankle boot" in words(svg) and "mean of 2 seeds" in words(svg)


def test_a_missing_run_is_noted(paper, results, tmp_path):
    for figure in paper.figures:
        said = words(draw(paper, figure, results, tmp_path, seeds=[5])[0])
        assert "seed 5: not run" in said


def test_a_diverged_run_is_noted_and_left_out(paper, tmp_path):
    synthetic.write_run(paper.row("t1-wide"), tmp_path, 0)
    synthetic.write_run(paper.row("t1-wide"), tmp_path, 1, diverged_at=4)
    said = words(draw(paper, paper.figures[0], tmp_path, tmp_path)[0])
    assert "t1-wide, seed 1: diverged at epoch 4, left out" in said
    assert "t1-wide, training" in said


def test_smoke_runs_are_marked(paper, results, tmp_path):
    for figure in paper.figures:
        assert figures.SMOKE_MARK in words(draw(paper, figure, results, tmp_path, scale="smoke")[0])


def test_an_unknown_kind_is_named(paper, results, tmp_path):
    with pytest.raises(UserError, match=r"figure-1: kind: pie is none of curves, confusion"):
        draw(paper, paper.figures[0] | {"kind": "pie"}, results, tmp_path)


def test_drawing_leaves_matplotlibs_settings_alone(paper, results, tmp_path):
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    draw(paper, paper.figures[0], results, tmp_path)
    assert dict(mpl.rcParams) == before
