"""The files of the four later papers against what the papers print."""

from pathlib import Path

import numpy as np
import pytest
import synthetic
from refashion.paper import papers
from refashion.paper.claims.part import Case
from refashion.paper.layers import Linear
from refashion.paper.spec import EarlyStopping, Encoder, Normalisation, Split
from refashion.results.run import Run

FOLDER = Path(__file__).parents[2] / "workflow/papers"


def load(key: str) -> papers.Paper:
    return papers.load_paper(FOLDER / f"{key}.yaml")


# ---- ochotorena2023 -----------------------------------------------------------------------------

# Tables I and II, a column a model: n, p, batch size, optimiser, learning rate.
OCHOTORENA_SETTINGS = {
    "m1": (64, 0.2, 100, "adam", 0.001),
    "m2": (256, 0.3, 1000, "adam", 0.001),
    "m3": (64, 0.3, 1000, "sgd", 0.01),
    "m4": (128, 0.3, 1000, "adam", 0.001),
    "m5": (64, 0.2, 100, "adam", 0.001),
    "m6": (256, 0.3, 1000, "adam", 0.001),
    "m7": (128, 0.3, 100, "adam", 0.001),
    "m8": (128, 0.3, 1000, "adam", 0.001),
}

# Section III: the epoch that ended the training and the one called optimal; Table III.
OCHOTORENA_RESULTS = """
    m5 38 15 0.236 0.283 91.8 90.0
    m6 40 40 0.242 0.290 93.1 90.4
    m7 38 19 0.237 0.285 92.5 90.2
    m8 40 40 0.641 0.657 80.6 79.3
"""


def test_ochotorenas_models_have_the_printed_settings():
    paper = load("ochotorena2023")
    assert [row.id for row in paper.rows] == list(OCHOTORENA_SETTINGS)
    for row in paper.rows:
        spec = row.spec
        settings = (spec.parameters["latent"], spec.dropout, spec.batch_size)
        settings += (spec.optimizer, spec.learning_rate)
        assert settings == OCHOTORENA_SETTINGS[row.id]
        assert spec.as_json()["epsilon"] == (1e-8 if spec.optimizer == "adam" else None)
        assert spec.early_stopping == EarlyStopping(patience=5, min_delta=0.0)
        assert spec.epochs == 40


def test_ochotorenas_classifiers_reuse_the_printed_encoders_and_only_model_8_freezes_it():
    paper = load("ochotorena2023")
    assert {row.id: (row.encoder, row.spec.parameters["final"]) for row in paper.rows[4:]} == {
        "m5": (Encoder(row="m1", frozen=False), "relu"),
        "m6": (Encoder(row="m2", frozen=False), "relu"),
        "m7": (Encoder(row="m4", frozen=False), "relu"),
        "m8": (Encoder(row="m4", frozen=True), "none"),
    }


def test_ochotorenas_numbers_are_the_printed_ones():
    paper = load("ochotorena2023")
    table = next(table for table in paper.tables if table.id == "table-3")
    lines = [
        " ".join(
            [line.row]
            + [f"{line.published[key]:.{metric.digits}f}" for key, metric in metrics.items()]
        )
        for metrics in [table.metrics]
        for line in table.lines
    ]
    assert lines == [line.strip() for line in OCHOTORENA_RESULTS.strip().splitlines()]
    others = [line for other in paper.tables if other is not table for line in other.lines]
    assert all(line.published == {} for line in others)


# ---- palacio2025 --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "right", "recalls"),
    [
        ("clf-scratch", 9237, [875, 983, 913, 938, 863, 989, 748, 979, 983, 966]),
        ("clf-pre", 8203, [816, 932, 690, 869, 684, 907, 517, 950, 936, 902]),
    ],
)
def test_palacios_matrices_are_the_printed_ones(row, right, recalls):
    """Figure 9: every line has the 1,000 test images of a class."""
    matrices = {matrix.row: matrix for matrix in load("palacio2025").confusion_matrices}
    counts = np.array(matrices[row].published)
    assert counts.sum(1).tolist() == [1000] * 10
    assert np.diag(counts).tolist() == recalls
    assert np.trace(counts) == right


@pytest.mark.parametrize("name", ["pal-P08", "pal-P09", "pal-P10", "pal-P18"])
def test_what_palacio_says_of_the_matrices_holds_in_the_printed_ones(name):
    paper = load("palacio2025")
    claim = next(claim for claim in paper.claims if claim.id == name)
    runs = {}
    for matrix in paper.confusion_matrices:
        counts = np.array(matrix.published)
        kept = {"val_accuracy": np.trace(counts) / counts.sum()}
        runs[matrix.row] = Run(
            synthetic.known_metrics(matrix.row, kept=kept, confusion=counts.tolist())
        )
    for part in claim.parts(lambda name: paper.row(name).id):
        assert min(part.tested(Case(runs, {})).values()) > 0


def test_palacios_classifiers_are_studied_without_the_relu_on_their_scores():
    paper = load("palacio2025")
    study = next(study for study in paper.studies if study.assumption == "A3")
    classifiers = [row for row in paper.rows if row.task == "classification"]
    assert {row.reading_of for row in study.trained} == {row.id for row in classifiers}
    assert {row.network.head for row in classifiers} == {(Linear(10, relu=True),)}
    assert {row.network.head for row in study.trained} == {(Linear(10),)}


def test_palacios_curves_are_studied_with_dropout_on_but_for_the_base():
    """Figure 1's curve was drawn so by the paper's own note, which is a claim of its own."""
    paper = load("palacio2025")
    study = next(study for study in paper.studies if study.assumption == "A13")
    assert {row.id for row in paper.rows} - set(study.rows) == {"ae-base"} and not study.trained


def test_palacios_rows_differ_from_their_base_in_one_setting():
    """Sections 3.1.1 and 3.2.2: one setting is varied at a time."""
    paper = load("palacio2025")
    for row in paper.rows:
        base = paper.row("ae-base" if row.task == "reconstruction" else "clf-pre")
        plain, of_base = row.spec.as_json(), base.spec.as_json()
        changed = [
            key
            for key in plain
            if plain[key] != of_base[key] and key not in ("momentum", "epsilon")
        ]
        if row is base:
            assert changed == []
        elif row.id == "clf-scratch":
            assert changed == ["encoder"]
        elif row.id.startswith("clf-pre-n"):  # with the encoder of that size
            assert changed == ["encoder", "parameters"]
        else:
            assert len(changed) == 1, row.id
    base = paper.row("ae-base").spec
    assert (base.parameters["latent"], base.dropout, base.batch_size) == (64, 0.2, 100)
    assert (base.optimizer, base.learning_rate, base.epochs) == ("adam", 0.001, 30)
    assert base.split == Split(train=50_000, validation=0)
    assert all(row.encoder.frozen for row in paper.rows if row.encoder)
    assert all(row.spec.epochs == 20 for row in paper.rows if row.task == "classification")


# ---- borgnino2023 and magallanes2022 ------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "epochs", "optimizer", "batch_size", "dropout"),
    [("borgnino2023", 200, "sgd", 100, 0.0), ("magallanes2022", 400, "adam", 1000, 0.1)],
)
def test_fully_connected_networks_differ_in_their_hidden_layer_alone(
    key, epochs, optimizer, batch_size, dropout
):
    rows = [row for row in load(key).rows if not row.variant_of]
    assert [row.spec.parameters["hidden"] for row in rows] == [64, 128, 256, 512]
    for row in rows:
        spec = row.spec
        assert (spec.epochs, spec.optimizer, spec.batch_size, spec.dropout) == (
            epochs,
            optimizer,
            batch_size,
            dropout,
        )
        assert spec.normalisation == Normalisation(mean=0.0, std=1.0)


def test_borgnino_holds_out_validation_images_and_tests_on_others():
    spec = load("borgnino2023").row("h64").spec
    assert spec.split == Split(train=50_000, validation=10_000)
