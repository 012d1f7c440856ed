"""Figures: the same bytes twice, what they say, and what they say when runs are missing."""

import json
import re
import shutil
import xml.etree.ElementTree as ElementTree
from functools import partial

import numpy as np
import pandas as pd
import pytest
import synthetic
from refashion.report.figures import charts, kinds, matrices, shared
from safetensors.numpy import load_file, save_file

SEEDS = (0, 1)


def _data():
    """Rows of every task, and a figure of every kind; row ``early`` stops at its seed's epoch."""
    split = {"train": 50000, "validation": 10000}
    autoencoder = {
        "architecture": "ochotorena2023_autoencoder",
        "parameters": {"latent": 64, "upsampling": "padded"},
        "split": split,
        "snapshots": [0, 1, 30],
    }
    stops = {"early_stopping": {"patience": 5, "min_delta": 0}, "keep": "best"}
    reused = {"encoder": {"row": "wide", "frozen": True}}
    rows = [
        synthetic.row("wide", **autoencoder, aliases=["latent-256"]),
        synthetic.row("narrow", **autoencoder, validation_dropout=True),
        synthetic.row("early", **stops),
        synthetic.row("clf", synthetic.CLASSIFIER),
        synthetic.row("clf-frozen", synthetic.CLASSIFIER, **reused),
    ]
    both = {"rows": ["narrow", "latent-256"]}
    entries = {
        "curves": {"kind": "curves", "metric": "loss", "rows": ["wide"]},
        "many": both | {"kind": "curves", "metric": "loss", "scale": "log"},
        "bars": both | {"kind": "bars", "metric": "loss", "series": ["test"]},
        "confusion": {"kind": "confusion", "rows": ["clf"]},
        "shares": {"kind": "confusion", "rows": ["clf", "clf-frozen"], "normalised": True},
        "difference": {"kind": "confusion_difference", "rows": ["clf"]},
        "reconstructions": both | {"kind": "reconstructions"},
        "snapshots": both | {"kind": "snapshots"},
        "examples": {"kind": "examples", "rows": ["clf"]},
    }
    prose = {"label": "Figure", "caption": "Caption.", "shows": "It falls."}
    printed = {"row": "clf", "label": "Figure 9a", "published": synthetic.PUBLISHED_CONFUSION}
    return synthetic.made(
        rows,
        key="made",
        figures=[{"id": id} | prose | entry for id, entry in entries.items()],
        confusion_matrices=[printed],
    )


DATA = _data()
PAPER = synthetic.load(DATA)
FIGURES = {figure.id: figure for figure in PAPER.figures}


def varied(id, **changes):
    """A figure of the paper, with other values in its entry."""
    paper = synthetic.load(synthetic.changed(DATA, "figures", id, **changes))
    return next(figure for figure in paper.figures if figure.id == id)


def with_row(id, **changes):
    """The paper without its figures, and with other settings in a row."""
    return synthetic.load(synthetic.changed(DATA, "rows", id, **changes) | {"figures": []})


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    root = tmp_path_factory.mktemp("results")
    for row in PAPER.rows:
        for seed in SEEDS:
            synthetic.write_run(row, root, seed)
    return root


def draw(figure, results, out, seeds=SEEDS, scale="paper", paper=PAPER):
    make, name = partial(kinds.make, paper, figure, results, seeds), f"{paper.key}/{figure.id}"
    shared.write(make, name, scale, out / "f.svg", out / "f.pdf")
    return (out / "f.svg").read_bytes(), (out / "f.pdf").read_bytes()


def texts(svg: bytes) -> list[str]:
    """The texts of an SVG: Matplotlib leaves each in a comment above its outlines."""
    return [found.decode() for found in re.findall(rb"<!-- (.*?) -->", svg, re.DOTALL)]


def said(figure, results, out, **how) -> str:
    return " | ".join(texts(draw(figure, results, out, **how)[0]))


# ---- every kind ----------------------------------------------------------------------------------


def test_there_is_a_figure_of_every_kind_here():
    assert {figure.kind for figure in PAPER.figures} == set(kinds.KINDS)


@pytest.mark.parametrize("figure", PAPER.figures, ids=list(FIGURES))
def test_same_results_give_the_same_bytes(figure, results, tmp_path):
    first = draw(figure, results, tmp_path / "a")
    second = draw(figure, results, tmp_path / "b")
    assert first == second
    ElementTree.fromstring(first[0])
    assert first[1].startswith(b"%PDF") and b"CreationDate" not in first[1]


@pytest.mark.parametrize("figure", PAPER.figures, ids=list(FIGURES))
def test_a_missing_run_is_noted_by_the_name_that_the_figure_has_for_it(figure, results, tmp_path):
    words = said(figure, results, tmp_path, seeds=[5])
    for row in figure.rows:
        assert f"{row}, seed 5: not run" in words


@pytest.mark.parametrize("figure", PAPER.figures, ids=list(FIGURES))
def test_smoke_runs_are_marked(figure, results, tmp_path):
    assert shared.SMOKE_MARK in said(figure, results, tmp_path, scale="smoke")


def test_figures_share_no_ids(results, tmp_path):
    own = [
        set(re.findall(rb'id="([mp][0-9a-f]{10})"', draw(figure, results, tmp_path)[0]))
        for figure in (FIGURES["curves"], FIGURES["confusion"])
    ]
    assert own[0] and not own[0] & own[1]


def test_drawing_leaves_matplotlibs_settings_alone(results, tmp_path):
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    draw(FIGURES["curves"], results, tmp_path)
    assert dict(mpl.rcParams) == before


# ---- curves --------------------------------------------------------------------------------------


def axes_of(figure, results, seeds=SEEDS, paper=PAPER):
    drawn = kinds.make(paper, figure, results, list(seeds))
    return drawn.axes[0]


def test_curves_of_one_row_have_a_colour_for_each_series(results, tmp_path):
    words = said(FIGURES["curves"], results, tmp_path)
    assert "wide, training" in words and "wide, validation" in words
    assert "Epoch" in words and "Loss, mean of batches" in words
    assert shared.SMOKE_MARK not in words
    training, validation = axes_of(FIGURES["curves"], results).lines
    assert training.get_color() != validation.get_color()
    assert training.get_linestyle() == validation.get_linestyle() == "-"


def test_curves_of_several_rows_have_a_colour_a_row_and_a_line_a_series(results, tmp_path):
    words = said(FIGURES["many"], results, tmp_path)
    assert all(label in words for label in ("narrow", "latent-256", "training", "validation"))
    (a_train, a_val, b_train, b_val) = axes_of(FIGURES["many"], results).lines
    assert a_train.get_color() == a_val.get_color() != b_train.get_color() == b_val.get_color()
    assert a_train.get_linestyle() == b_train.get_linestyle() == "--"
    assert a_val.get_linestyle() == b_val.get_linestyle() == "-"


def test_curves_are_the_means_of_the_series_asked_for(results):
    figure = varied("curves", rows=["narrow"], series=["running", "val_dropout", "test"])
    runs = [
        pd.read_csv(results / "made" / "narrow" / f"seed-{seed}" / "history.csv") for seed in SEEDS
    ]
    columns = ("running_loss", "val_dropout_loss_batch_mean", "test_loss_batch_mean")
    for line, column in zip(axes_of(figure, results).lines, columns, strict=True):
        np.testing.assert_allclose(line.get_ydata(), np.mean([run[column] for run in runs], axis=0))


def test_a_single_series_of_several_rows_is_named_on_the_axis(results, tmp_path):
    figure = varied("many", series=["train"])
    assert "Loss, training, mean of batches" in said(figure, results, tmp_path)
    assert {line.get_linestyle() for line in axes_of(figure, results).lines} == {"-"}


def test_accuracy_curves_are_in_percent(results, tmp_path):
    accuracy = varied("curves", rows=["clf"], metric="accuracy")
    words = said(accuracy, results, tmp_path)
    assert "Accuracy (%), mean of batches" in words and "90" in words


def test_no_two_of_many_rows_share_a_colour():
    for count in (1, 7, 8, 20):
        assert len({tuple(np.atleast_1d(color)) for color in charts._colors(count)}) >= count


def test_seeds_that_go_on_after_another_stopped_are_drawn_by_themselves(results):
    figure = varied("curves", rows=["early"], series=["val"])
    mean, *alone = axes_of(figure, results).lines
    drawn = np.asarray(mean.get_xdata())[np.isfinite(mean.get_ydata())]
    # Seed 0 trains for 30 epochs, seed 1 for 29.
    assert drawn.max() == 29
    assert [list(line.get_xdata()) for line in alone] == [[29, 30]]


def test_rows_of_different_lengths_share_an_axis(results, tmp_path):
    synthetic.write_run(PAPER.row("wide"), tmp_path, 0)
    synthetic.write_run(PAPER.row("narrow"), tmp_path, 0, epochs=7)
    axes = axes_of(FIGURES["many"], tmp_path, seeds=[0])
    assert [len(line.get_xdata()) for line in axes.lines] == [7, 7, 30, 30]
    assert axes.get_xlim()[1] >= 30


def test_a_logarithmic_axis_is_marked_in_plain_numbers_and_notes_what_has_no_place(tmp_path):
    for name in ("wide", "narrow"):
        synthetic.write_run(PAPER.row(name), tmp_path, 0)
    file = tmp_path / "made" / "narrow" / "seed-0" / "history.csv"
    history = pd.read_csv(file)
    history.loc[3, "val_loss_batch_mean"] = 0
    history.to_csv(file, index=False)
    words = said(FIGURES["many"], tmp_path, tmp_path, seeds=[0])
    assert "narrow, validation: zero has no place on a logarithmic axis" in words
    assert "0.6" in words.split(" | ")
    axes = axes_of(FIGURES["many"], tmp_path, seeds=[0])
    assert axes.get_yscale() == "log"
    assert np.isnan(axes.lines[1].get_ydata()[3]) and axes.get_ylim()[0] > 0.1


def test_a_diverged_run_is_noted_and_left_out(tmp_path):
    synthetic.write_run(PAPER.row("wide"), tmp_path, 0)
    synthetic.write_run(PAPER.row("wide"), tmp_path, 1, diverged_at=4)
    words = said(FIGURES["curves"], tmp_path, tmp_path)
    assert "wide, seed 1: diverged at epoch 4, left out" in words
    assert "wide, training" in words


# ---- bars ----------------------------------------------------------------------------------------


def test_bars_are_as_long_as_the_means_of_the_kept_epochs(results, tmp_path):
    axes = axes_of(FIGURES["bars"], results)
    kept = [
        np.mean(
            [
                synthetic.metrics(PAPER.row(name), seed)["kept"]["test_loss_batch_mean"]
                for seed in SEEDS
            ]
        )
        for name in FIGURES["bars"].rows
    ]
    np.testing.assert_allclose([bar.get_width() for bar in axes.patches], kept)
    words = said(FIGURES["bars"], results, tmp_path)
    assert "Loss, test, mean of batches" in words
    assert all(f"{value:#.4g}" in words for value in kept)
    assert "narrow" in words and "latent-256" in words


def test_a_row_without_a_run_keeps_its_place_among_the_bars(results, tmp_path):
    synthetic.write_run(PAPER.row("wide"), tmp_path, 0)
    words = said(FIGURES["bars"], tmp_path, tmp_path, seeds=[0])
    assert "no completed run" in words and "narrow" in words


# ---- confusion -----------------------------------------------------------------------------------


def mean_confusion(name: str) -> np.ndarray:
    return np.mean([synthetic.metrics(PAPER.row(name), seed)["confusion"] for seed in SEEDS], 0)


def cells(svg: bytes) -> list[str]:
    """Texts of the cells, matrix by matrix and row by row."""
    return [text for text in texts(svg) if re.fullmatch(r"[+−]?\d+(\.\d)?", text)]


def test_confusion_counts_are_means_over_seeds(results, tmp_path):
    svg = draw(FIGURES["confusion"], results, tmp_path)[0]
    assert [int(cell) for cell in cells(svg)] == np.rint(mean_confusion("clf")).ravel().tolist()
    words = texts(svg)
    assert "Ankle boot" in words and "clf: test images, mean of 2 seeds" in words


def test_normalised_confusion_is_in_percent_of_each_true_class(results, tmp_path):
    shown = [float(cell) for cell in cells(draw(FIGURES["shares"], results, tmp_path)[0])]
    expected = [mean_confusion(name) / 10 for name in FIGURES["shares"].rows]
    np.testing.assert_allclose(np.reshape(shown, (2, 10, 10)), expected, atol=0.051)


def test_the_difference_is_measured_minus_published(results, tmp_path):
    svg = draw(FIGURES["difference"], results, tmp_path)[0]
    numbers = [int(cell.replace("−", "-")) for cell in cells(svg)[:300]]
    published, measured, difference = np.reshape(numbers, (3, 10, 10))
    assert published.tolist() == synthetic.PUBLISHED_CONFUSION
    assert measured.tolist() == np.rint(mean_confusion("clf")).tolist()
    assert (difference == measured - published).all() and (difference < 0).any()
    words = texts(svg)
    assert "clf: published, Figure 9a" in words and "clf: measured, mean of 2 seeds" in words


def test_counts_of_fewer_images_are_scaled_to_those_of_the_paper(results, tmp_path):
    fewer = tmp_path / "fewer"
    shutil.copytree(results, fewer)
    for file in fewer.glob("*/clf/seed-*/metrics.json"):
        metrics = json.loads(file.read_text())
        metrics["confusion"] = (np.array(metrics["confusion"]) * 2).tolist()
        file.write_text(json.dumps(metrics))
    as_they_are, twice = (draw(FIGURES["difference"], r, tmp_path)[0] for r in (results, fewer))
    assert cells(twice)[:300] == cells(as_they_are)[:300]


def test_the_published_matrix_is_shown_without_a_run(results, tmp_path):
    svg = draw(FIGURES["difference"], results, tmp_path, seeds=[5])[0]
    assert [int(cell) for cell in cells(svg)] == np.ravel(synthetic.PUBLISHED_CONFUSION).tolist()
    assert "no completed run of clf" in texts(svg)


def test_what_rounds_to_zero_is_a_bare_zero():
    shown = matrices._as_text(np.array([0.04, 0.06, 12.34]), "%.1f").tolist()
    assert shown == ["0", "0.1", "12.3"]
    assert matrices._as_text(np.array([-3, 0, 3]), "%+d").tolist() == ["−3", "0", "+3"]


# ---- images --------------------------------------------------------------------------------------


def pictures(figure, results, paper=PAPER):
    return axes_of(figure, results, [0], paper).images


def test_reconstructions_stand_below_the_originals_in_shades_of_the_data(results, tmp_path):
    words = said(FIGURES["reconstructions"], results, tmp_path)
    assert all(label in words for label in ("original", "narrow", "latent-256", "Ankle boot"))
    drawn = pictures(FIGURES["reconstructions"], results)
    assert len(drawn) == 30
    outputs = synthetic.outputs(PAPER.row("wide"))
    shown = {0: outputs["targets"][0], 29: outputs["outputs"][9]}
    for index, normalised in shown.items():
        shades = drawn[index].get_array()[::4, ::4]
        np.testing.assert_allclose(shades, normalised / 2 + 0.5, atol=1e-6)
        assert drawn[index].get_clim() == (0, 1)


def test_snapshots_show_three_classes_after_the_epochs_that_were_reached(tmp_path):
    # A paper that trains for longer, and the runs of a smaller scale.
    longer = with_row("narrow", epochs=100, snapshots=[0, 1, 30, 100])
    for row in longer.rows:
        synthetic.write_run(row, tmp_path, 0, epochs=30)
    how = {"paper": longer, "seeds": [0]}
    words = said(FIGURES["snapshots"], tmp_path, tmp_path, **how).split(" | ")
    heads = [word for word in words if word.startswith(("untrained", "epoch", "original"))]
    assert heads == ["untrained", "epoch 1", "epoch 30", "original"]
    assert len(pictures(FIGURES["snapshots"], tmp_path, longer)) == 2 * 3 * (3 + 1)


def test_a_run_too_short_for_any_snapshot_shows_the_originals(tmp_path):
    late = with_row("wide", snapshots=[30])
    synthetic.write_run(late.row("wide"), tmp_path, 0, epochs=7)
    assert len(pictures(varied("snapshots", rows=["wide"]), tmp_path, late)) == 3


def test_a_run_without_an_image_of_a_class_shows_the_others(tmp_path):
    file = synthetic.write_run(PAPER.row("wide"), tmp_path, 0).parent / "outputs.safetensors"
    outputs = load_file(file)
    outputs["labels"] = outputs["labels"][:9].copy()
    for images in ("targets", "outputs"):
        outputs[images] = outputs[images][:9].copy()
    outputs["snapshots"] = outputs["snapshots"][:, :9].copy()
    save_file(outputs, file)
    snapshots, pairs = (varied(id, rows=["wide"]) for id in ("snapshots", "reconstructions"))
    assert len(axes_of(snapshots, tmp_path, seeds=[0]).images) == 2 * (3 + 1)
    assert len(axes_of(pairs, tmp_path, seeds=[0]).images) == 2 * 9


def test_wrong_examples_have_a_sign_and_a_frame(results, tmp_path):
    words = said(FIGURES["examples"], results, tmp_path).split(" | ")
    assert len(pictures(FIGURES["examples"], results)) == 20
    assert [word for word in words if word.startswith("✗")] == ["✗ Shirt", "✗ T-shirt/top"]
    assert sum(word.startswith("✓ ") for word in words) == 18
    assert words.count("Shirt") == words.count("Bag") == 2
    assert len(axes_of(FIGURES["examples"], results).patches) == 2
