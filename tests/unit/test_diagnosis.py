"""Levels against hand computation and the real images; each kind of finding on small cases."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import synthetic
from refashion.errors import UserError
from refashion.judging import levels
from refashion.judging.diagnosis import findings
from refashion.judging.diagnosis import runs as diagnosis
from refashion.judging.excess import excess_over_floor
from refashion.paper import layers, papers
from refashion.results.summary import statistics
from refashion.training import dataset

FOLDER = Path(__file__).parents[2] / "workflow/papers"
PIXELS = (28, 28)


# ---- levels -------------------------------------------------------------------------------------


def of_images(train: list[int], test: list[int]) -> dataset.Dataset:
    """Images of one grey each, all of class 0."""
    images = [
        np.full((len(g), *PIXELS), np.array(g)[:, None, None], np.uint8) for g in (train, test)
    ]
    labels = [np.zeros(len(greys), np.uint8) for greys in (train, test)]
    return dataset.Dataset(images[0], labels[0], images[1], labels[1], "0" * 64)


def test_levels_of_three_grey_images_are_those_of_hand_computation():
    # Pixels 0, 51, 255 are 0, 0.2, 1 and with mean .5 and std .5 targets -1, -0.6, 1.
    paper = synthetic.load(synthetic.made([synthetic.row("a", batch_size=2)]))
    found = levels.describe(paper, of_images([0, 51, 255], [0, 51, 255]))
    (protocol,) = found.protocols
    assert protocol.output_range == (0, 1)
    test = protocol.levels["test"]
    assert test["zero"].mean == pytest.approx((1 + 0.36 + 1) / 3)
    assert test["floor"].mean == pytest.approx((1 + 0.36 + 0) / 3)
    # The mean target is -0.2; in the range the nearest value to it is 0.
    assert test["mean_image"].mean == pytest.approx((0.64 + 0.16 + 1.44) / 3)
    assert test["constant"].mean == test["mean_image_in_range"].mean == test["zero"].mean
    # Batches of two and of one: the last image counts as much as the first two together.
    assert test["floor"].batch_mean == pytest.approx(((1 + 0.36) / 2 + 0) / 2)
    # Six orders: the last image is either of the three, twice.
    orders = [((1 + 0.36) / 2 + 0) / 2, ((1 + 0) / 2 + 0.36) / 2, ((0.36 + 0) / 2 + 1) / 2]
    assert test["floor"].order_sd == pytest.approx(np.std(orders))
    assert np.array(protocol.pixel_floor["test"]) == pytest.approx(np.full(PIXELS, 1.36 / 3), 1e-5)
    assert found.classes["train"] == (3, *(9 * [0]))


def test_batches_of_one_size_average_alike_in_any_order():
    averages = levels._average(np.array([0.1, 0.2, 0.6, 0.7]), 2)
    assert asdict(averages) == pytest.approx(
        {"mean": 0.4, "batch_mean": 0.4, "order_sd": 0}, abs=1e-9
    )


@pytest.fixture(scope="module")
def real(whole):
    """Of every paper, the levels of the real images."""
    images = dataset.load(whole)
    described = {}
    for file in sorted(FOLDER.glob("*.yaml")):
        of_paper = levels.describe(papers.load_paper(file), images)
        described[file.stem] = levels.PaperLevels(of_paper, of_paper)
    return described


# Of train and test images; the last digits are of numpy in float64.
REAL_LEVELS = {
    ("caprari2025", "t4-arch2-nolinear"): {
        "zero": (0.68162, 0.67860),
        "constant": (0.68162, 0.67860),
        "mean_image_in_range": (0.67789, 0.67494),
        "floor": (0.56922, 0.56675),
    },
    ("ochotorena2023", "m1"): {
        "zero": (0.20645, 0.20650),
        "constant": (0.12463, 0.12422),
        "mean_image": (0.08701, 0.08664),
        "mean_image_in_range": (0.08701, 0.08664),
        "floor": (0, 0),
    },
    ("palacio2025", "ae-relu-out"): {"zero": (0.20645, 0.20650), "floor": (0, 0)},
    ("caprari2025", "t9-b256"): {"constant": (np.log(10), np.log(10)), "floor": (0, 0)},
}


@pytest.mark.parametrize(("paper", "row"), REAL_LEVELS)
def test_levels_of_the_real_images(real, paper, row):
    row_of = papers.load_paper(FOLDER / f"{paper}.yaml").row(row)
    protocol = real[paper].measured.protocol(row_of)
    for name, expected in REAL_LEVELS[paper, row].items():
        means = [protocol.levels[images][name].mean for images in ("train", "test")]
        assert means == pytest.approx(expected, abs=6e-6), name


@pytest.mark.parametrize(("row", "in_order"), [("t5-base", 0.67912), ("t5-lr1e4-b256", 0.67971)])
def test_a_smaller_last_batch_moves_the_zero_output_error(real, row, in_order):
    row = papers.load_paper(FOLDER / "caprari2025.yaml").row(row)
    zero = real["caprari2025"].measured.level(row, "val_loss_batch_mean", "zero")
    assert zero.batch_mean == pytest.approx(in_order, abs=6e-6)
    assert 0.0003 < zero.order_sd < 0.0009
    exact = real["caprari2025"].measured.level(row, "val_loss", "zero")
    assert exact == levels.Level(mean=zero.mean, batch_mean=zero.mean, order_sd=0)


@pytest.mark.parametrize(
    ("ending", "output_range"),
    [
        ((layers.Linear(784), layers.Sigmoid()), (0, 1)),
        ((layers.Linear(784, relu=True),), (0, np.inf)),
        ((layers.Linear(784), layers.LeakyReLU()), (-np.inf, np.inf)),
        ((layers.Linear(784),), (-np.inf, np.inf)),
    ],
)
def test_output_range_is_that_of_the_last_activation(ending, output_range):
    head = (*ending, layers.Unflatten(1, 28, 28))
    network = layers.Network((layers.Flatten(), layers.Linear(8, relu=True)), head)
    assert network.output_range == output_range
    narrower = replace(network, head=(*head, layers.Sigmoid()))
    assert narrower.output_range == (0, 1)


def test_output_padding_leaves_rows_behind_that_nothing_reaches():
    reaching = {
        "ochotorena2023_autoencoder": [25, 26, 27],
        "palacio2025_autoencoder": [25, 26, 27],
        "caprari2025_autoencoder1": [],
        "caprari2025_autoencoder3": [],
        "magallanes2022_autoencoder": [],
    }
    parameters = {
        "ochotorena2023_autoencoder": {"latent": 64, "upsampling": "output_padding"},
        "palacio2025_autoencoder": {"latent": 64, "output": "sigmoid"},
        "caprari2025_autoencoder1": {"latent": None},
        "caprari2025_autoencoder3": {"latent": 256},
        "magallanes2022_autoencoder": {"hidden": 64},
    }
    for name, rows in reaching.items():
        network = synthetic.network(name, **parameters[name])
        assert network.unreached_rows() == rows, name
    larger = synthetic.network("ochotorena2023_autoencoder", latent=64, upsampling="larger_kernel")
    assert larger.unreached_rows() == []
    # A convolution behind such rows draws the row before them into the first of them.
    behind = layers.Network(
        (layers.MaxPool(2), layers.ConvTranspose(1, kernel=1, stride=2, output_padding=1)),
        (layers.Conv(1, kernel=3, padding=1),),
    )
    assert replace(behind, head=(layers.Sigmoid(),)).unreached_rows() == list(range(1, 28, 2))
    assert behind.unreached_rows() == []


def test_levels_that_are_missing_or_of_an_older_file_are_named(tmp_path):
    paper = synthetic.paper()
    with pytest.raises(UserError, match=r"made2020/levels\.json: not there; compute the levels"):
        levels.load(paper, tmp_path)
    with pytest.raises(UserError, match=r"made2020/findings\.json: not there; diagnose"):
        findings.load(paper, tmp_path)
    with pytest.raises(UserError, match="no protocol of row t1-small; compute the levels again"):
        levels.Levels("0" * 64, {}, {}, ()).protocol(paper.rows[0])
    with pytest.raises(UserError, match=r"t1-small/seed-3/metrics\.json: not there; train"):
        diagnosis.load_runs(paper, tmp_path, [3])


# ---- findings from published numbers ------------------------------------------------------------

ROWS = [
    synthetic.row("a", aliases=["a-again"]),
    synthetic.row("b", dropout=0.4),
    synthetic.row("c", parameters={"latent": 8}),
]
PLAIN = {"normalisation": {"mean": 0, "std": 1}}
CLASSIFIERS = [
    synthetic.row(name, synthetic.CLASSIFIER, dropout=dropout)
    for name, dropout in (("k", 0.1), ("l", 0.2))
]
TRAIN = {
    "metric": "train_loss_batch_mean",
    "at": "best",
    "unit": "loss",
    "digits": 4,
    "label": "Train",
}
VAL = TRAIN | {"metric": "val_loss_batch_mean", "label": "Val"}


def table(lines, metrics=None, id="one"):
    """A table of these (row, {key: published})."""
    return {
        "id": id,
        "label": f"Table {id}",
        "caption": "Made up",
        "settings": ["dropout", "latent", "optimizer"],
        "metrics": metrics or {"train": TRAIN, "val": VAL},
        "lines": [{"row": row, "published": published} for row, published in lines],
    }


def printing(*tables, rows=ROWS, **more):
    """A paper with these tables, each a dictionary or its lines."""
    tables = [of if isinstance(of, dict) else table(of) for of in tables]
    return synthetic.load(synthetic.made(rows, tables=tables, **more))


def found(paper, kind, runs=None, at=None):
    """The findings of one kind; the levels are those of :func:`synthetic.levels`."""
    seeded = {
        row: [replace(run, seed=seed) for seed, run in enumerate(of)]
        for row, of in (runs or {}).items()
    }
    every = diagnosis.diagnose(paper, at or synthetic.levels(paper), seeded)
    assert all(finding.evidence and finding.consequence for finding in every)
    json.dumps([finding.__dict__ for finding in every], allow_nan=False)
    return [finding for finding in every if finding.kind == kind]


def test_nothing_is_found_where_nothing_is_wrong():
    rows = [row | PLAIN for row in ROWS]
    lines = [("a", {"train": 0.011, "val": 0.012}), ("b", {"train": 0.013, "val": 0.015})]
    paper = printing(lines, rows=rows)
    runs = {row.id: [run(0.02)] for row in paper.rows}
    assert diagnosis.diagnose(paper, synthetic.levels(paper), runs) == []


def test_errors_below_the_floor_are_found_and_those_that_rounding_and_order_explain_are_not():
    # The floor is 0.57; half a unit is 0.00005, three standard deviations of the order 0.0012.
    paper = printing([("a", {"val": 0.5687}), ("b", {"val": 0.5689})])
    (finding,) = found(paper, "below_floor")
    assert (finding.rows, finding.tables, finding.metrics) == (["a"], ["one"], ["Val"])
    assert "0.5687 (val); the least that can be is 0.5700" in finding.evidence[0]
    assert found(printing([("a", {"val": 0.57})]), "below_floor") == []


def test_errors_that_are_mostly_floor_are_told_with_their_excess():
    (finding,) = found(printing([("a", {"val": 0.58}), ("b", {"val": 0.6})]), "mostly_floor")
    assert finding.rows == ["a", "b"]
    assert "from −1.00 to 1.00, the outputs from 0 to 1: 95 % to 98 %" in finding.evidence[0]
    assert "an excess of 0.0100 to 0.0300 over a floor of 0.5700" in finding.evidence[1]
    assert "1.03 times the smallest, the largest excess 3 times" in finding.evidence[1]
    assert found(printing([("a", {"val": 1.2}), ("b", {"val": 1.3})]), "mostly_floor") == []


def test_a_line_with_all_errors_of_a_trivial_output_is_a_collapsed_network():
    paper = printing([("a", {"train": 0.68, "val": 0.6803}), ("b", {"train": 0.6, "val": 0.6})])
    runs = {"a": [run(0.68, spread=0), run(0.6)]}
    (finding,) = found(paper, "trivial", runs)
    assert finding.rows == ["a"]
    assert "An output of zero everywhere has 0.6800 and 0.6800" in finding.evidence[0]
    assert "0.6810 in the data set’s order, 0.6800 ± 0.0004" in finding.evidence[0]
    assert finding.evidence[1] == "Of our runs of this row 1 of 2 collapsed."
    # Of the settings it names those that the table varies.
    assert finding.consequence.endswith("Dropout in Table one cannot be judged by this row.")
    only_one = printing([("a", {"train": 0.68, "val": 0.6})])
    assert found(only_one, "trivial") == []
    guess = printing([("k", {"val": 2.3026})], rows=CLASSIFIERS)
    assert (
        "The same prediction for every image has 2.3026" in found(guess, "trivial")[0].evidence[0]
    )


def test_errors_above_the_best_trivial_output_are_no_better():
    # The mean image in the range has 0.66.
    paper = printing([("a", {"val": 0.67}), ("b", {"val": 0.661}), ("c", {"val": 0.68})])
    # b lies within the tolerance, and c, like a, is a trivial output's: that is said already.
    assert found(paper, "no_better") == []
    (finding,) = found(printing([("a", {"val": 0.9})]), "no_better")
    assert (
        "0.9000 (val), against 0.6600 for the mean image of the training set" in finding.evidence[0]
    )


def test_validation_below_training_is_explained_by_floors_that_differ_by_as_much():
    paper = printing([("a", {"train": 0.6, "val": 0.597}), ("b", {"train": 0.6, "val": 0.58})])
    at = synthetic.levels(paper)
    assert found(paper, "order_of_floors", at=at) == []
    for protocol in at.published.protocols:
        floor = replace(protocol.levels["test"]["floor"], mean=0.568)
        protocol.levels["test"] = protocol.levels["test"] | {"floor": floor}
    # Floors 0.002 apart: they account for 0.003, and not for 0.02.
    (finding,) = found(paper, "order_of_floors", at=at)
    assert finding.rows == ["a"]
    assert "In 1 of 2 lines the validation error is lower, by 0.0030" in finding.evidence[0]
    assert "its floor is lower by 0.0020" in finding.evidence[0]
    assert "at most 0.0010 apart, and in 0 of these lines" in finding.evidence[1]


def test_lines_of_different_rows_with_the_same_numbers_are_found():
    same = {"train": 0.61, "val": 0.6}
    (finding,) = found(
        printing([("a", same), ("b", same), ("c", same | {"val": 0.599})]), "repeated"
    )
    assert finding.rows == ["a", "b"]
    assert "0.6100 (train) and 0.6000 (val) in both" in finding.evidence[0]
    assert "The rows differ in dropout (0.2 and 0.4)." in finding.evidence[0]


def test_one_number_that_repeats_and_epochs_that_repeat_are_no_finding():
    assert found(printing([("a", {"val": 0.6}), ("b", {"val": 0.6})]), "repeated") == []
    epochs = {
        at: {"metric": "epoch", "at": at, "unit": "epochs", "digits": 0, "label": at}
        for at in ("final", "kept")
    }
    lines = [(row, {"final": 40, "kept": 40}) for row in ("a", "b")]
    assert found(printing(table(lines, epochs)), "repeated") == []


def test_one_row_with_two_results_is_found_with_what_they_say_of_the_spread():
    one = table([("a", {"val": 0.6}), ("b", {"val": 0.602}), ("c", {"val": 0.61})])
    two = table([("a-again", {"val": 0.603})], id="two")
    (finding,) = found(printing(one, two), "two_results")
    assert (finding.rows, finding.tables) == (["a", "a-again"], ["one", "two"])
    # Between the lines of table one: 0.002, 0.01 and 0.008.
    assert "0.0030 apart. 1 of the 3 pairs of lines" in finding.evidence[0]


@pytest.mark.parametrize(
    ("value", "digits", "differs"), [(0.6, 4, False), (0.6, 1, False), (0.7, 1, True)]
)
def test_one_row_printed_twice_alike_or_rounded_is_no_finding(value, digits, differs):
    two = table([("a-again", {"val": value})], {"val": VAL | {"digits": digits}}, id="two")
    paper = printing([("a", {"val": 0.6})], two)
    assert bool(found(paper, "two_results")) is differs


@pytest.mark.parametrize(
    ("last", "optimum", "min_delta", "ruled_out"),
    [
        (38, 15, 0, "lowest error at 33 (38 − 5); with the lowest at 15 it would have ended at 20"),
        (38, 15, 0.1, "needs patience 23 (38 − 15)"),
        (38, 36, 0, "needs patience 2 (38 − 36)"),
        (40, 20, 0, "that reaches epoch 40 has its lowest error no earlier than at 35"),
        (38, 33, 0, None),
        (38, 36, 0.1, None),  # what fell by less than 0.1 after epoch 33 does not count
        (40, 40, 0, None),
        (40, 35, 0, None),
    ],
)  # fmt: skip
def test_optimal_epochs_that_a_stopper_rules_out(last, optimum, min_delta, ruled_out):
    stopping = {"patience": 5, "min_delta": min_delta}
    row = synthetic.row("a", epochs=40)
    epochs = {
        at: {"metric": "epoch", "at": at, "unit": "epochs", "digits": 0, "label": at}
        for at in ("final", "kept")
    }
    printed = table([("a", {"final": last, "kept": optimum})], epochs)
    paper = printing(printed, rows=[row | {"early_stopping": stopping}])
    said = [" ".join(finding.evidence) for finding in found(paper, "patience")]
    assert len(said) == (ruled_out is not None)
    assert all(ruled_out in text for text in said)
    assert found(printing(printed, rows=[row]), "patience") == []


def of_matrix(counts, lines=None, rows=CLASSIFIERS):
    metrics = {"accuracy": VAL | {"metric": "val_accuracy", "unit": "percent", "digits": 2}}
    matrix = {"row": "k", "label": "Figure 9", "published": counts.tolist()}
    tables = [table(lines, metrics)] if lines else []
    return printing(*tables, rows=rows, confusion_matrices=[matrix])


def test_the_accuracy_of_a_matrix_is_told_where_no_table_prints_it_or_another():
    counts = 900 * np.eye(10, dtype=int) + 10
    (finding,) = found(of_matrix(counts), "matrix_accuracy")
    assert finding.rows == ["k"]
    assert (
        "9,100 of 10,000 images are on the diagonal, an accuracy of 91.00 %" in finding.evidence[0]
    )
    assert "Each row adds up to 1,000 images" in finding.evidence[0]
    assert found(of_matrix(counts, [("k", {"accuracy": 91.0})]), "matrix_accuracy") == []
    (finding,) = found(of_matrix(counts, [("k", {"accuracy": 91.01})]), "matrix_accuracy")
    assert "the tables print 91.01 (val)" in finding.evidence[0]
    assert (
        found(of_matrix(counts), "matrix_sums") == found(of_matrix(counts), "never_predicted") == []
    )


def test_a_matrix_that_does_not_add_up_or_never_predicts_a_class_is_found():
    counts = 900 * np.eye(10, dtype=int) + 10
    counts[3, 3] -= 7
    (finding,) = found(of_matrix(counts), "matrix_sums")
    assert finding.evidence == ["Figure 9, k: 993 of Dress, where there are 1,000."]
    counts[:, 4] = 0
    (finding,) = found(of_matrix(counts), "never_predicted")
    assert finding.evidence == ["Figure 9, k: Coat."]


def test_row_sums_of_held_out_images_are_not_judged():
    held_out = [CLASSIFIERS[0] | {"split": {"train": 50000, "validation": 10000}}]
    counts = 900 * np.eye(10, dtype=int) + 11
    assert found(of_matrix(counts), "matrix_sums")
    assert found(of_matrix(counts, rows=held_out), "matrix_sums") == []


# ---- findings from runs -------------------------------------------------------------------------


def run(loss, spread=0.3, dead=(), cost=0.02):
    """A run whose outputs all have a standard deviation but ``dead`` ones, indices of pixels."""
    std = np.full(PIXELS, spread, np.float32)
    for index in dead:
        std[index] = 0
    return diagnosis.Trained(0, loss, std, np.full(PIXELS, cost, np.float32))


def logits(loss, spread=1.0, dead=()):
    std = np.full(10, spread, np.float32)
    std[list(dead)] = 0
    return diagnosis.Trained(0, loss, std)


def test_runs_whose_output_does_not_depend_on_the_image_collapsed():
    # The images' variance is 0.35: with a standard deviation of 0.01 outputs have 0.03 % of it.
    runs = {"a": [run(0.6801, spread=0.01), run(0.58)], "b": [run(0.6801, spread=0.3)]}
    (finding,) = found(printing(), "collapsed", runs)
    assert finding.rows == ["a"]
    assert finding.evidence == [
        "a, 1 of 2 runs: outputs vary over images with 0.029 % of the images’ variance. The error "
        "is 0.6801; an output of zero everywhere has 0.6800."
    ]
    # A picture of its own, the same for all images, has no known output's error.
    (finding,) = found(printing(), "collapsed", {"a": [run(0.5, spread=0)]})
    assert finding.evidence[0].endswith(
        "less than 0.001 % of the images’ variance. The error is 0.5000."
    )


def test_classifiers_with_constant_logits_collapsed():
    paper = printing(rows=CLASSIFIERS)
    runs = {"k": [logits(0.4), logits(2.3026, spread=0)], "l": [logits(2.3026, spread=0.02)]}
    (finding,) = found(paper, "collapsed", runs)
    assert finding.rows == ["k"]
    assert finding.seeds == {"k": [1]}
    known = {row: synthetic.known_summary() for row in ("k", "l")}
    assert findings.with_collapsed(known, [finding]) == {
        "k": synthetic.known_summary(collapsed=(1,)),
        "l": synthetic.known_summary(collapsed=()),
    }
    assert "1 of 2 runs" in finding.evidence[0]
    assert "the same prediction for every image has 2.3026" in finding.evidence[0]


def test_runs_no_better_than_the_mean_image_are_found_unless_they_collapsed():
    runs = {"a": [run(0.9), run(0.7), run(0.6)], "b": [run(0.68, spread=0)], "c": [run(0.6)]}
    (finding,) = found(printing(), "no_better", runs)
    assert finding.evidence == [
        "a, 2 of 3 runs: 0.7000 to 0.9000 on validation images, against 0.6600 for the mean image "
        "of the training set."
    ]


def test_stripes_are_told_with_their_share_of_the_error_and_whether_the_layers_make_them():
    stripes = run(0.6, dead=[np.s_[25:], np.s_[:, 25:]])
    paper = printing()
    (finding,) = found(paper, "stripes", {"a": [stripes, run(0.6)], "b": [stripes]})
    assert finding.rows == ["a", "b"]
    assert finding.evidence == [
        "Rows 25 to 27 and columns 25 to 27 (from 0), 159 of 784 pixels. Their share of the error "
        "over the floor: a (1 of 2 runs, 20 %) and b (1 of 1 run, 20 %)."
    ]
    at = synthetic.levels(paper)
    at.measured.unreached["a"] = (25, 26, 27)
    (finding,) = found(paper, "stripes", {"a": [stripes], "b": [stripes]}, at)
    assert "which nothing of the image reaches through these layers" in finding.evidence[0]
    assert "layers" not in finding.evidence[1]
    assert found(paper, "stripes", {"a": [run(0.6, dead=[np.s_[3, 4:20]])]}) == []


def test_dead_pixels_count_by_what_they_cost_over_the_floor():
    spots = run(0.6, dead=[np.s_[3, 4:20]])
    paper = printing()
    (finding,) = found(paper, "dead_outputs", {"a": [spots]})
    assert finding.evidence == [
        "a, 1 of 1 run: 16 of 784 pixels, with 2 % of the error over the floor."
    ]
    # Where their whole error is floor they cost nothing.
    at = synthetic.levels(paper)
    floor = np.zeros(PIXELS)
    floor[3, 4:20] = 0.02
    for protocol in at.measured.protocols:
        protocol.pixel_floor["test"] = tuple(map(tuple, floor.tolist()))
    assert found(paper, "dead_outputs", {"a": [spots]}, at) == []


def test_logits_that_never_move_are_named_by_class():
    paper = printing(rows=CLASSIFIERS)
    runs = {"k": [logits(0.5, dead=[4]), logits(0.5, dead=[4, 6]), logits(0.3)], "l": [logits(0.3)]}
    (finding,) = found(paper, "dead_logits", runs)
    assert finding.rows == ["k"]
    assert finding.evidence == ["k, of 3 runs: Coat in 2 and Shirt in 1."]
    assert "ReLU" not in finding.consequence
    at = synthetic.levels(paper)
    held = tuple(replace(of, output_range=(0, None)) for of in at.measured.protocols)
    at = replace(at, measured=replace(at.measured, protocols=held))
    assert "A ReLU on the logits" in found(paper, "dead_logits", runs, at)[0].consequence
    # All of them: that run collapsed.
    assert found(paper, "dead_logits", {"k": [logits(2.3, dead=range(10))]}) == []


def test_runs_are_read_from_their_files_and_diverged_ones_are_left_out(tmp_path):
    paper = synthetic.paper()
    for row in paper.rows:
        for seed in (0, 1):
            synthetic.write_run(row, tmp_path, seed, diverged_at=3 if seed else None)
    runs = diagnosis.load_runs(paper, tmp_path, [0, 1])
    assert {row: len(of_row) for row, of_row in runs.items()} == dict.fromkeys(runs, 1)
    assert runs["t1-small"][0].pixel_loss.shape == PIXELS
    assert runs["t2-classifier"][0].output_std.shape == (10,)
    kept = json.loads((tmp_path / "made2020/t1-small/seed-0/metrics.json").read_text())["kept"]
    assert runs["t1-small"][0].val_loss == kept["val_loss"]


# ---- excess over the floor ----------------------------------------------------------------------


def test_excess_is_taken_from_a_floor_averaged_like_the_error():
    paper = printing([("a", {"val": 0.58})])
    summary = synthetic.known_summary(best={"val_loss_batch_mean": statistics([0.591])})
    (line,) = excess_over_floor(paper, synthetic.levels(paper), {"a": summary})
    for over, expected in (
        (line.published, (0.58, 0.57, 0.01)),
        (line.measured, (0.591, 0.571, 0.02)),
    ):
        assert (over.error, over.floor, over.excess) == pytest.approx(expected)


def test_there_is_no_excess_without_a_floor_and_none_of_a_cross_entropy():
    for paper in (
        printing([("a", {"val": 0.02})], rows=[row | PLAIN for row in ROWS]),
        printing([("k", {"val": 0.3})], rows=CLASSIFIERS),
    ):
        assert excess_over_floor(paper, synthetic.levels(paper), {}) == []


def test_a_number_that_two_tables_print_alike_has_one_excess():
    paper = printing([("a", {"val": 0.58})], table([("a-again", {"val": 0.58})], id="two"))
    (line,) = excess_over_floor(paper, synthetic.levels(paper), {})
    assert (line.table.id, line.measured) == ("one", None)


# ---- the papers, from their published numbers alone ---------------------------------------------


def of_paper(real, key) -> dict[str, findings.Finding]:
    paper = papers.load_paper(FOLDER / f"{key}.yaml")
    found = diagnosis.diagnose(paper, real[key], {})
    assert len({finding.kind for finding in found}) == len(found)
    return {finding.kind: finding for finding in found}


def test_what_caprari2025_gives_away(real):
    found = of_paper(real, "caprari2025")
    assert list(found) == ["mostly_floor", "trivial", "order_of_floors", "repeated", "two_results"]
    floor = " ".join(found["mostly_floor"].evidence)
    assert "an excess of 0.0064 to 0.1124 over a floor of 0.5692" in floor
    assert "an excess of 0.0059 to 0.1122 over a floor of 0.5667" in floor
    assert found["trivial"].rows == ["t4-arch3-linear"]
    assert "An output of zero everywhere has 0.6816 and 0.6786" in found["trivial"].evidence[0]
    assert "0.6791 in the data set’s order" in found["trivial"].evidence[0]
    assert "In 14 of 14 lines" in found["order_of_floors"].evidence[0]
    assert "its floor is lower by 0.0025" in found["order_of_floors"].evidence[0]
    assert found["repeated"].rows == ["t4-arch1-linear", "t6-n784"]
    assert found["two_results"].rows == ["t4-arch2-linear", "t6-n256"]
    assert "0.0033 apart" in found["two_results"].evidence[0]
    assert "0.0028 apart" in found["two_results"].evidence[1]


def test_what_palacio2025_gives_away(real):
    found = of_paper(real, "palacio2025")
    assert list(found) == ["matrix_accuracy"]
    whole, pretrained = found["matrix_accuracy"].evidence
    assert "clf-scratch: 9,237 of 10,000 images" in whole and "92.37 %" in whole
    assert "clf-pre: 8,203 of 10,000 images" in pretrained and "82.03 %" in pretrained
    assert all("Each row adds up to 1,000 images" in said for said in (whole, pretrained))


def test_what_ochotorena2023_gives_away(real):
    found = of_paper(real, "ochotorena2023")
    assert list(found) == ["patience"]
    assert found["patience"].rows == ["m5", "m7"]
    assert "Epoch 15 is called optimal, which needs patience 23" in found["patience"].evidence[0]
    assert "they need 19 and 23" in found["patience"].evidence[2]


@pytest.mark.parametrize("key", ["borgnino2023", "magallanes2022"])
def test_papers_without_numbers_give_nothing_away(real, key):
    assert of_paper(real, key) == {}
