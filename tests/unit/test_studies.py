"""Sensitivity studies: the rows they make, what they refuse, and how readings are compared."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import synthetic
from hypothesis import given
from hypothesis import strategies as st
from refashion.errors import UserError
from refashion.judging import studies as comparison
from refashion.judging.claims import ClaimResult, ClaimVerdict
from refashion.judging.numbers import Number
from refashion.judging.studies import (
    Closest,
    Distance,
    Fate,
    Flip,
    Measured,
    Outcome,
    ReadingResult,
    StudyResult,
    closest,
    compare,
    distances,
    flips,
)
from refashion.paper import papers
from refashion.paper import studies as readings
from refashion.paper.spec import Encoder
from refashion.report import studies as document
from refashion.report.figures import readings as drawn_readings
from refashion.report.figures.shared import write
from refashion.report.page import say_varied
from refashion.report.render import render
from refashion.results.files import write_record
from refashion.results.provenance import Provenance
from refashion.results.run import Run
from refashion.results.summary import statistics

ROOT = Path(__file__).parents[2]
TEMPLATES = ROOT / "report" / "templates"
RUN = Provenance(
    commit=None, dirty=False, versions={}, platform="Linux", cores=2, date="2026-01-02"
)
MARGINS = synthetic.margins(reconstruction_error=0.003, cross_entropy=0.01, accuracy=0.5, epochs=2)
ERROR = {"metric": "val_loss_batch_mean", "at": "best", "unit": "loss", "digits": 4}
ACCURACY = {"metric": "val_accuracy", "at": "final", "unit": "percent", "digits": 1}
# Two autoencoders, the classifier on the encoder of one, and the same from scratch.
PAPER = {
    "key": "made2026",
    "citation": {"authors": ["Di Made"], "title": "Open choices", "date": "2026"},
    "protocol": dict.fromkeys(
        ("loss", "normalisation", "training_error", "averaging", "epochs"), "So."
    ),
    "defaults": {
        "dropout": 0.2,
        "optimizer": "adam",
        "learning_rate": 0.001,
        "momentum": 0,
        "batch_size": 128,
        "epochs": 3,
        "normalisation": {"mean": 0.5, "std": 0.5},
    },
    "architectures": synthetic.ARCHITECTURES,
    "rows": [
        {
            "id": "ae",
            "architecture": "caprari2025_autoencoder2",
            "parameters": {"latent": None},
            "aliases": ["base"],
            "note": "The base",
        },
        {
            "id": "wide",
            "architecture": "caprari2025_autoencoder2",
            "parameters": {"latent": 784},
        },
        {
            "id": "reused",
            "architecture": "caprari2025_classifier",
            "parameters": {"n1": 8, "n2": 8},
            "encoder": {"row": "base", "frozen": True},
        },
        {
            "id": "scratch",
            "architecture": "caprari2025_classifier",
            "parameters": {"n1": 8, "n2": 8},
            "optimizer": "sgd",
        },
    ],
    "tables": [
        {
            "id": "table-1",
            "label": "Table 1",
            "caption": "Errors",
            "settings": [],
            "metrics": {"error": ERROR | {"label": "Error"}},
            "lines": [
                {"row": "ae", "published": {"error": 0.58}},
                {"row": "wide", "published": {"error": 0.6}},
            ],
        },
        {
            "id": "table-2",
            "label": "Table 2",
            "caption": "Errors again, and accuracies",
            "settings": [],
            "metrics": {"error": ERROR | {"label": "Least error"}},
            "lines": [{"row": "base", "published": {"error": 0.58}}],
        },
        {
            "id": "table-3",
            "label": "Table 3",
            "caption": "Accuracies",
            "settings": [],
            "metrics": {"accuracy": ACCURACY | {"label": "Accuracy"}},
            "lines": [{"row": "reused", "published": {"accuracy": 90.0}}],
        },
    ],
    "figures": [],
    "assumptions": [
        {
            "id": f"A{n}",
            "question": f"Question {n}?",
            "taken": "One.",
            "why": "So.",
            "alternatives": "Another.",
            "evidence": "default",
        }
        for n in (1, 2, 3)
    ],
    "claims": [
        {
            "id": "mad-P01",
            "place": "Section 1",
            "text": "The base is the best.",
            "test": [
                {"form": "best", "row": "base", "among": ["wide"]}
                | {"metric": "val_loss_batch_mean", "at": "best"}
            ],
        },
        {
            "id": "mad-P02",
            "place": "Section 2",
            "text": "From scratch is better.",
            "test": [
                {"form": "best", "row": "scratch", "among": ["reused"]}
                | {"metric": "val_accuracy", "at": "final"}
            ],
        },
        {
            "id": "mad-P03",
            "place": "Section 3",
            "text": "Nice.",
            "untestable": "A matter of taste.",
        },
    ],
    "studies": [
        {
            "assumption": "A1",
            "aim": "Is it dropout?",
            "rows": ["base"],
            "reusing": ["reused"],
            "readings": [
                {
                    "id": "encoder",
                    "reading": "In the encoder.",
                    "set": {"parameters": {"dropout_in": "encoder"}},
                },
                {"id": "none", "reading": "None.", "set": {"dropout": 0}},
            ],
        },
        {
            "assumption": "A2",
            "aim": "Is it the mean?",
            "rows": ["ae", "wide"],
            "readings": [
                {
                    "id": "images",
                    "reading": "Over images.",
                    "measure": {"val_loss_batch_mean": "val_loss"},
                },
            ],
        },
    ],
}


@pytest.fixture(scope="module")
def paper() -> papers.Paper:
    return synthetic.load(PAPER)


@pytest.fixture
def load() -> Callable:
    """Load the paper after a change to its data."""

    def load(change: Callable[[dict], object]) -> papers.Paper:
        data = deepcopy(PAPER)
        change(data)
        return synthetic.load(data)

    return load


# ---- rows ---------------------------------------------------------------------------------------


def test_a_reading_trains_its_rows_once_more_and_what_reuses_their_encoders(paper):
    study = paper.studies[0]
    assert study.rows == ("ae", "reused")
    made = [(row.id, row.reading_of) for row in study.trained]
    assert made == [
        ("ae-encoder", "ae"),
        ("reused-encoder", "reused"),
        ("ae-none", "ae"),
        ("reused-none", "reused"),
    ]
    base, reused = paper.row("ae"), paper.row("reused")
    encoder, none = paper.row("ae-encoder"), paper.row("ae-none")
    assert encoder.spec == base.spec.model_copy(
        update={"parameters": {"latent": None, "dropout_in": "encoder"}}
    )
    assert none.spec == base.spec.model_copy(update={"dropout": 0.0})
    follower = paper.row("reused-none")
    assert follower.spec == reused.spec.model_copy(
        update={"encoder": Encoder(row="ae-none", frozen=True)}
    )
    assert follower.donor_sha256 == none.spec_sha256 != base.spec_sha256
    assert follower.name == "made2026_reused_none"


def test_rows_of_a_study_are_none_of_the_paper(paper, load):
    assert [row.id for row in paper.rows] == ["ae", "wide", "reused", "scratch"]
    assert {row.id for row in paper.study_rows} & {row.id for row in paper.rows} == set()
    without = load(lambda data: data.pop("studies"))
    assert [row.spec_sha256 for row in without.rows] == [row.spec_sha256 for row in paper.rows]
    assert without.study_rows == ()


def test_a_reading_that_measures_otherwise_trains_nothing(paper):
    assert paper.studies[1].trained == ()


def test_what_is_compared_includes_the_rows_of_the_claims(paper):
    assert [row.id for row in readings.needed_rows(paper)] == [
        *("ae", "reused", "wide", "scratch"),
        *("ae-encoder", "reused-encoder", "ae-none", "reused-none"),
    ]


def test_the_readings_of_caprari2025_put_dropout_where_they_say():
    paper = papers.load_paper(ROOT / "workflow/papers/caprari2025.yaml")
    # After the first and the second convolution, and the first transposed one.
    placed = {
        row.id: [layer.dropout for layer in row.network.layers if getattr(layer, "relu", False)]
        for row in paper.study_rows
        if row.reading_of == "t4-arch2-nolinear"
    }
    assert placed == {
        "t4-arch2-nolinear-encoder-dropout": [0.2, 0.2, 0],
        "t4-arch2-nolinear-first-dropout": [0.2, 0, 0],
        "t4-arch2-nolinear-dropout-01": [0.1, 0.1, 0.1],
        "t4-arch2-nolinear-no-dropout": [0, 0, 0],
    }


def test_the_readings_of_ochotorena2023_leave_no_stripe():
    paper = papers.load_paper(ROOT / "workflow/papers/ochotorena2023.yaml")
    assert paper.row("m1").network.unreached_rows() == [25, 26, 27]
    for row in ("m1-larger-kernel", "m1-padded"):
        assert paper.row(row).network.unreached_rows() == []


# ---- what is refused ----------------------------------------------------------------------------


def change(*keys, value) -> Callable[[dict], None]:
    def write(data: dict) -> None:
        for key in keys[:-1]:
            data = data[key]
        data[keys[-1]] = value

    return write


def reading(*keys, value, study: int = 0) -> Callable[[dict], None]:
    return change("studies", study, "readings", 0, *keys, value=value)


AT = "studies[0].readings[0]"
REFUSED = [
    (
        change("studies", 0, "assumption", value="A9"),
        "studies[0].assumption",
        "'A9' is no assumption of this paper; allowed: A1, A2, A3",
    ),
    (
        change("studies", 0, "assumption", value="B"),
        "studies[0].assumption",
        "'B' is not the id of an assumption, as A1",
    ),
    (
        change("studies", 1, "assumption", value="A1"),
        "studies[1].assumption",
        "'A1' is that of studies[0] too; allowed: one study an assumption",
    ),
    (
        change("studies", 0, "rows", value=["bas"]),
        "studies[0].rows[0]",
        "'bas' is no row of this paper; did you mean 'base'?",
    ),
    (
        change("studies", 1, "rows", value=["ae", "base"]),
        "studies[1].rows[1]",
        "'base' stands twice, under another name; allowed: once",
    ),
    (
        change("studies", 0, "reusing", value=["scratch"]),
        "studies[0].reusing[0]",
        "'scratch' reuses the encoder of none of ae; allowed: a row that does",
    ),
    (
        change("studies", 0, "reusing", value=["base"]),
        "studies[0].reusing[0]",
        "'ae' reuses the encoder of none of ae",
    ),
    (reading("id", value="None"), f"{AT}.id", "'None' is not lower-case letters"),
    (
        reading("id", value="none"),
        "studies[0].readings[1].id",
        "'none' is studies[0].readings[0]; allowed: an id of its own",
    ),
    (
        reading("id", value="default"),
        f"{AT}.id",
        "'default' is the reading that the paper's rows have; allowed: an id of its own",
    ),
    (
        reading(value={"id": "no", "reading": "None."}),
        AT,
        "has neither set nor measure; one of them is needed",
    ),
    (reading("set", value={}), f"{AT}.set", "{} is empty; at least one entry is needed"),
    (
        reading("set", value={"droput": 0}),
        f"{AT}.set.droput",
        "'droput' is no key here; did you mean 'dropout'?",
    ),
    (reading("set", value={"dropout": 1}), f"{AT}.set.dropout", "1 is not in [0, 1)"),
    (
        reading("set", value={"momentum": 0.9}),
        f"{AT}.set.momentum",
        "0.9 does nothing with adam; allowed with optimizer: sgd",
    ),
    (reading("set", value={"keep": 4}), f"{AT}.set.keep", "4 is not in [1, 3], the row's epochs"),
    (
        reading("set", value={"parameters": {"dropout_in": "al"}}),
        f"{AT}.set.parameters.dropout_in",
        "'al' is no choice here; did you mean 'all'?",
    ),
    (
        reading("set", value={"parameters": {"dropout_in": "all"}}),
        f"{AT}.set.parameters.dropout_in",
        "'all' is the default; allowed: leave it out",
    ),
    (
        reading("set", value={"parameters": {"dropout_at": 1}}),
        f"{AT}.set.parameters.dropout_at",
        "is no parameter of caprari2025_autoencoder2; did you mean 'dropout_in'? allowed: latent,",
    ),
    (
        reading("set", value={"dropout": 0.2}),
        f"{AT}.set",
        "'ae-encoder' has the settings of rows[0] 'ae': one training",
    ),
    (
        reading("set", value={"dropout": 0}),
        "studies[0].readings[1].set",
        "'ae-none' has the settings of studies[0].readings[0] 'ae-encoder'",
    ),
    (
        reading("set", value={"architecture": "caprari2025_autoencoder1"}),
        f"{AT}.set",
        "the encoder of 'ae-encoder' gives a code of shape (16, 14, 14), caprari2025_classifier",
    ),
    (
        reading(
            "set", value={"architecture": "palacio2025_classifier", "parameters": {"latent": 8}}
        ),
        f"{AT}.set",
        "'ae-encoder' is a classification; allowed: a reconstruction, as ae",
    ),
    (
        change("rows", 1, "id", value="ae_none"),
        "studies[0].readings[1].id",
        "'ae-none' has the target of rows[1]; allowed: one of its own",
    ),
    (
        reading("measure", value={"val_loss_batch_mean": "vall"}, study=1),
        "studies[1].readings[0].measure.val_loss_batch_mean",
        "'vall' is not the name of a metric, or one of best",
    ),
    (
        reading("measure", value={"val_los": "val_loss"}, study=1),
        "studies[1].readings[0].measure.val_los",
        "'val_los' is not the name of a metric, or one of best",
    ),
    (
        reading("measure", value={"val_loss_batch_mean": "final"}, study=1),
        "studies[1].readings[0].measure.val_loss_batch_mean",
        "'final' is not a metric in loss",
    ),
    (
        reading("measure", value={"best": "val_loss"}, study=1),
        "studies[1].readings[0].measure.best",
        "'val_loss' is not one of best, final, kept, lowest",
    ),
    (
        reading("measure", value={"val_loss_batch_mean": "val_accuracy"}, study=1),
        "studies[1].readings[0].measure.val_loss_batch_mean",
        "'val_accuracy' is not a metric in loss",
    ),
    (
        reading("measure", value={"val_loss_batch_mean": "test_loss"}, study=1),
        "studies[1].readings[0].measure.val_loss_batch_mean",
        "'ae' has no test_loss: its test images are its validation set",
    ),
    (
        reading("measure", value={"train_loss": "running_loss"}, study=1),
        "studies[1].readings[0].measure.train_loss",
        "is in no table and no claim with these rows",
    ),
    (
        change("tables", 0, "lines", 0, "row", value="ae-none"),
        "tables[0].lines[0].row",
        "'ae-none' is no row of this paper",
    ),
    (
        change("claims", 0, "test", 0, "row", value="ae-none"),
        "claims[0].test[0].row",
        "'ae-none' is no row of this paper",
    ),
    (
        change("rows", 2, "encoder", "row", value="ae-none"),
        "rows[2].encoder.row",
        "'ae-none' is no row of this paper",
    ),
]


@pytest.mark.parametrize(("wrong", "key", "said"), REFUSED, ids=[said[:40] for *_, said in REFUSED])
def test_a_mistake_is_named_by_file_key_value_and_what_is_allowed(load, wrong, key, said):
    with pytest.raises(UserError) as caught:
        load(wrong)
    lines = [line.partition(": ")[2] for line in str(caught.value).splitlines()]
    assert any(line.startswith(f"{key}: ") and said in line for line in lines), lines


def test_a_row_that_is_wrong_does_not_make_its_study_wrong(load):
    with pytest.raises(UserError) as caught:
        load(change("rows", 0, "epochs", value=0))
    (line,) = str(caught.value).splitlines()
    assert "rows[0].epochs: 0 is not in [1, 10000]" in line


def test_a_study_is_checked_where_the_defaults_are_wrong_too(load):
    def wrong(data):
        data["defaults"]["epochs"] = 0
        data["studies"][0]["rows"] = ["nobody"]

    with pytest.raises(UserError) as caught:
        load(wrong)
    epochs, rows = str(caught.value).splitlines()
    assert "defaults.epochs: 0 is not in [1, 10000]" in epochs
    assert "studies[0].rows[0]: 'nobody' is no row of this paper" in rows


# ---- comparing ----------------------------------------------------------------------------------


def make_run(row: str, value: float | None, images: float | None = None) -> Run:
    """A run of a reconstruction or a classification; None is one that diverged."""
    if value is None:
        return Run(synthetic.known_metrics(row, status="diverged"))
    epoch = {
        "val_loss_batch_mean": value,
        "val_loss": value if images is None else images,
        "val_accuracy": value,
    }
    return Run(synthetic.known_metrics(row, best=epoch, final=epoch))


def measure(paper, **values: list[float | None]) -> Measured:
    """The paper with runs that measured these values, one a seed; ``_`` stands for ``-``.

    ``images`` has the mean over images of a row ae, where it differs.
    """
    images = values.pop("images", None)
    by_row = {name.replace("_", "-"): of_row for name, of_row in values.items()}
    runs: dict[int, dict[str, Run]] = {}
    summaries = {}
    for row, of_row in by_row.items():
        for seed, value in enumerate(of_row):
            own = images[seed] if images and row == "ae" else None
            runs.setdefault(seed, {})[row] = make_run(row, value, own)
        known = [value for value in of_row if value is not None]
        over = {
            "val_loss_batch_mean": statistics(known),
            "val_loss": statistics(images if images and row == "ae" else known),
            "val_accuracy": statistics(known),
        }
        summaries[row] = synthetic.known_summary(
            completed=len(known),
            seeds=tuple(range(len(of_row))),
            diverged_at_epoch=(2,) * (len(of_row) - len(known)),
            best=over,
            final=over,
        )
    return Measured(paper, summaries, runs, synthetic.levels(paper))


SEED_0 = {
    "ae": [0.585],
    "wide": [0.583],
    "reused": [0.88],
    "scratch": [0.91],
    "ae_encoder": [0.582],
    "reused_encoder": [0.92],
    "ae_none": [0.57],
    "reused_none": [0.89],
}


def by_id(compared: StudyResult) -> dict[str, ReadingResult]:
    return {reading.id: reading for reading in compared.readings}


def number(row: str, difference: float | None, **keys) -> Number:
    """A published number, measured so far from what is printed."""
    kind = {"task": "reconstruction", "unit": "loss", "digits": 4, "table": "T", "label": "E"}
    usual = dict.fromkeys(("published", "mean", "sd", "interval", "excess"))
    usual |= {"row": row, "metric": "val_loss", "at": "best", "verdict": "not comparable"}
    return Number(**usual | kind | {"n": 0, "values": (), "difference": difference} | keys)


def test_every_published_number_is_compared_under_every_reading(paper):
    compared = compare(paper.studies[0], measure(paper, **SEED_0), MARGINS)
    assert list(by_id(compared)) == ["default", "encoder", "none"]
    # Table 2 prints the number of Table 1 again, and no reading is about the row wide.
    for name, error, accuracy in (
        ("default", 0.585, 88),
        ("encoder", 0.582, 92),
        ("none", 0.57, 89),
    ):
        numbers = by_id(compared)[name].numbers
        assert [(n.row, n.table, n.published) for n in numbers] == [
            ("ae", "Table 1", 0.58),
            ("reused", "Table 3", 90.0),
        ]
        assert [n.mean for n in numbers] == pytest.approx([error, accuracy])
        assert numbers[0].difference == pytest.approx(error - 0.58)
        assert {n.verdict for n in numbers} == {"single run"}


def test_excess_is_over_the_published_and_the_measured_floor(paper):
    compared = compare(paper.studies[0], measure(paper, **SEED_0), MARGINS)
    error, accuracy = by_id(compared)["encoder"].numbers
    # The floor is 0.57 over images, and 0.571 over batches' means in the data set's order.
    assert error.excess == pytest.approx({"published": 0.01, "measured": 0.011})
    assert accuracy.excess is None


def test_the_closest_reading_has_the_least_mean_absolute_difference(paper):
    compared = compare(paper.studies[0], measure(paper, **SEED_0), MARGINS)
    off = {
        name: [kind.distance for kind in of_reading.distances]
        for name, of_reading in by_id(compared).items()
    }
    assert off["default"] == pytest.approx([0.005, 2])
    assert off["encoder"] == pytest.approx([0.002, 2])
    assert off["none"] == pytest.approx([0.01, 1])
    assert compared.closest == [
        Closest("reconstruction", "loss", "encoder"),
        Closest("classification", "percent", "none"),
    ]


def test_of_equally_close_readings_the_default_is_the_closest():
    far, near, lacking = (
        [Distance("reconstruction", "loss", 4, 1, distance)] for distance in (0.2, 0.1, None)
    )

    def nearest(default: list[Distance], other: list[Distance]) -> str | None:
        read = (("default", default), ("other", other))
        return closest([ReadingResult(name, [], [], off, [], {}) for name, off in read])[0].reading

    assert nearest(near, near) == "default"
    assert nearest(far, near) == "other"
    assert nearest(far, lacking) is None


def test_a_reading_that_lacks_a_number_has_no_distance(paper):
    measured = measure(paper, **SEED_0 | {"ae_none": [None]})
    none = by_id(compare(paper.studies[0], measured, MARGINS))["none"]
    assert [kind.distance for kind in none.distances] == [None, pytest.approx(1)]
    assert none.runs[0] == Fate("ae-none", completed=0, seeds=1, diverged_at_epoch=(2,))
    assert none.untested == {"mad-P01": "ae diverged."}
    assert none.flips == []


def test_readings_are_compared_over_the_numbers_that_the_default_has():
    default = [number("a", -0.2), number("b", None)]
    read = [number("a", 0.1), number("b", 5)]
    (kind,) = distances(read, default)
    assert (kind.distance, kind.count) == (0.1, 1)


def test_with_one_seed_a_claim_flips_where_it_holds_in_the_other_reading_alone(paper):
    compared = by_id(compare(paper.studies[0], measure(paper, **SEED_0), MARGINS))
    assert compared["default"].flips == []
    # The base has 0.585 and wide 0.583; under both readings the base is the better one. From
    # scratch 0.91 is better than 0.88 and 0.89, and not than 0.92.
    holds, fails = (Outcome(ClaimVerdict.UNDECIDED, (0,), seeds) for seeds in ((0,), ()))
    assert compared["none"].flips == [Flip("mad-P01", fails, holds)]
    assert compared["encoder"].flips == [
        Flip("mad-P01", fails, holds),
        Flip("mad-P02", holds, fails),
    ]


def test_with_several_seeds_a_claim_flips_where_it_holds_in_all_or_some_or_none(paper):
    values = {
        "wide": [0.583, 0.5831, 0.5829],
        "ae": [0.585, 0.5851, 0.5849],
        "ae_encoder": [0.580, 0.5799, 0.5801],  # better in every seed
        "ae_none": [0.585, 0.5848, 0.5851],  # still worse
        "scratch": [0.91] * 3,
        "reused": [0.88] * 3,
        "reused_encoder": [0.89] * 3,
        "reused_none": [0.90, 0.92, 0.93],  # no interval leaves out 0
    }
    compared = by_id(compare(paper.studies[0], measure(paper, **values), MARGINS))
    flipped = {
        name: [
            (flip.claim, flip.default.verdict, flip.reading.verdict) for flip in of_reading.flips
        ]
        for name, of_reading in compared.items()
    }
    assert flipped == {
        "default": [],
        "encoder": [("mad-P01", "does not hold", "holds")],
        "none": [("mad-P02", "holds", "undecided")],
    }
    assert compared["encoder"].numbers[0].verdict == "reproduced"


def test_the_accuracy_of_a_printed_matrix_is_not_measured_otherwise_by_another_metric():
    paper = papers.load_paper(ROOT / "workflow/papers/palacio2025.yaml")
    study = next(study for study in paper.studies if not study.trained)
    taken, read = (
        number("clf-pre", None, at="kept", metric=name)
        for name in ("val_accuracy", "val_dropout_accuracy")
    )
    assert comparison._varied(study, [[taken], [taken]]) == []
    assert comparison._varied(study, [[taken], [read]]) == [(taken, read)]


def test_what_an_interval_alone_decides_is_no_flip():
    def judged(verdict, *holds_in):
        return {"m": ClaimResult("m", ClaimVerdict(verdict), "", (0, 1, 2), holds_in)}

    always, never = judged("holds", 0, 1, 2), judged("undecided")
    assert flips(always, judged("undecided", 0, 1, 2)) == []
    assert [flip.claim for flip in flips(judged("undecided", 0, 1, 2), never)] == ["m"]
    assert [flip.claim for flip in flips(always, judged("undecided", 0, 2))] == ["m"]


def test_another_mean_is_taken_of_the_same_runs_in_numbers_and_claims(paper):
    measured = measure(paper, **SEED_0, images=[0.581])
    compared = compare(paper.studies[1], measured, MARGINS)
    default, images = by_id(compared)["default"], by_id(compared)["images"]
    # Both rows are compared, as both numbers are measured otherwise.
    assert [n.mean for n in default.numbers] == pytest.approx([0.585, 0.583])
    assert [n.mean for n in images.numbers] == pytest.approx([0.581, 0.583])
    assert images.distances[0].distance == pytest.approx((0.001 + 0.017) / 2)
    # The base's 0.581 is below wide's 0.583.
    assert [flip.claim for flip in images.flips] == ["mad-P01"]
    assert images.runs == default.runs


ERRORS = st.lists(st.floats(0.4, 0.8), min_size=1, max_size=4)


@given(ERRORS)
def test_the_same_runs_under_another_name_change_nothing(paper, errors):
    rows = {"wide": [0.6] * len(errors), "scratch": [0.9] * len(errors)}
    same = {
        f"{row}{name}": errors for row in ("ae", "reused") for name in ("", "_encoder", "_none")
    }
    compared = compare(paper.studies[0], measure(paper, **rows, **same), MARGINS)
    default, *others = compared.readings
    for other in others:
        assert other.numbers == default.numbers
        assert other.distances == default.distances
        assert other.flips == [] and other.untested == {}
    assert {kind.reading for kind in compared.closest} == {"default"}


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=6), st.floats(-1, 1))
def test_a_distance_is_no_less_than_the_mean_difference_and_reached_if_signs_agree(off, shift):
    numbers = [number(str(index), each) for index, each in enumerate(off)]
    (kind,) = distances(numbers, numbers)
    assert kind.distance >= abs(sum(off) / len(off)) - 1e-12
    (shifted,) = distances([replace(each, difference=shift) for each in numbers], numbers)
    assert shifted.distance == pytest.approx(abs(shift))


# ---- the document -------------------------------------------------------------------------------


@pytest.fixture
def rendered(paper, tmp_path) -> tuple[str, str]:
    """The document of runs on disk: two seeds, in one of which a reading diverged."""
    root, seeds = tmp_path / "paper", [0, 1]
    synthetic.write_results(paper, root, seeds, {("ae-none", 1): 2})
    config = synthetic.configured(seeds=[*seeds])
    compared = comparison.evaluate(paper, root, seeds, synthetic.levels(paper), MARGINS)
    file = root / "evidence" / paper.key / "studies.json"
    write_record(compared, file)
    written = file.read_text()
    compared = [*comparison.load(file).values()]
    write_record(compared, file)
    assert file.read_text() == written
    for study in compared:
        stem = root / "figures" / paper.key / study.assumption
        outs = stem.with_suffix(".svg"), stem.with_suffix(".pdf")
        draw = partial(drawn_readings.dots, study)
        write(draw, f"{paper.key}/{study.assumption}", "paper", *outs)
        before = outs[0].read_bytes()
        write(draw, f"{paper.key}/{study.assumption}", "paper", *outs)
        assert outs[0].read_bytes() == before
    context = document.build_context(config, [paper], root, synthetic.MADE)
    html, tex = root / "studies.html", root / "studies.tex"
    render(context, TEMPLATES, html, tex, document="studies")
    return html.read_text(), tex.read_text()


def test_the_document_names_every_reading_and_what_became_of_its_runs(rendered):
    for text in rendered:
        for said in (
            "Question 1?",
            "Is it dropout?",
            "In the encoder.",
            "Over images.",
            "As taken.",
        ):
            assert said in text
        for name in ("default", "encoder", "none", "images"):
            assert name in text
        assert "3 of 4; ae-none diverged at epoch 2 (1 of 2)" in text


def test_papers_without_a_study_give_a_document_that_says_so(load, tmp_path):
    paper = load(lambda data: data.pop("studies"))
    config = synthetic.configured(seeds=[0])
    context = document.build_context(config, [paper], tmp_path, synthetic.MADE)
    outs = tmp_path / "studies.html", tmp_path / "studies.tex"
    render(context, TEMPLATES, *outs, document="studies")
    assert all("None of these papers has a study." in out.read_text() for out in outs)


def test_the_report_says_which_assumptions_are_varied(paper):
    said = [say_varied(paper, each) for each in paper.assumptions]
    assert said == [
        "Varied in the sensitivity studies: 2 other readings.",
        "Varied in the sensitivity studies: 1 other reading.",
        "",
    ]
