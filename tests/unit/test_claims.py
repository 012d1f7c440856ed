"""Claims: every form on hand-made runs, verdicts over seeds, and what all forms must keep to."""

import inspect
import json
import math
from dataclasses import MISSING, asdict, fields
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import synthetic
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import TypeAdapter
from refashion.errors import NotTestedError, UserError
from refashion.imports import PACKAGE, closure
from refashion.judging import claims
from refashion.judging.claims import ClaimResult, ClaimVerdict, PartResult
from refashion.judging.statistics import mean_interval
from refashion.paper import papers
from refashion.paper.claims.forms import Form
from refashion.paper.claims.measures import MEASURES
from refashion.paper.claims.part import Case, Measured, Part
from refashion.paper.metric import CURVES
from refashion.report.claims import effect
from refashion.results.run import Run, read_runs

ROOT = Path(__file__).parents[2]
PAPERS = sorted((ROOT / "workflow/papers").glob("*.yaml"))
LOSS = {"metric": "val_loss", "at": "final"}
ACCURACY = {"metric": "val_accuracy", "at": "final"}


def run(row="a", status="completed", confusion=None, outputs=None, epochs=None, **columns) -> Run:
    """A run with these columns: a number is that of its one epoch, a list has one for every."""
    columns = {name: np.atleast_1d(values).tolist() for name, values in columns.items()}
    length = max(map(len, columns.values()), default=1)
    history = [
        {"epoch": float(index + 1)} | {name: values[index] for name, values in columns.items()}
        for index in range(length)
    ]
    lowest = min(history, key=lambda line: line.get("val_loss", 0))
    pick = {name: max if "accuracy" in name else min for name in columns}
    metrics = synthetic.known_metrics(
        row,
        status=status,
        confusion=confusion,
        epochs=length,
        spec={"epochs": epochs or length},
        final=history[-1],
        kept=history[0],
        lowest=lowest,
        best={name: pick[name](values) for name, values in columns.items()},
    )
    return Run(metrics, history, outputs or {})


def paper_of(*parts, **keys):
    """A paper with rows a to d, which have all that these parts of its claim's test ask for."""
    metrics = {metric for part in parts for metric in np.atleast_1d(part.get("metric", []))}
    of_classes = {"best_recalled", "worst_recalled", "taken_for", "largest_confusions"}
    classified = {part["form"] for part in parts} & of_classes or any(
        "accuracy" in metric or metric in ("recall", "errors_within") for metric in metrics
    )
    architecture, other = (
        (synthetic.CLASSIFIER, {"final": "none"}) if classified else (synthetic.AUTOENCODER, {})
    )
    rows = [
        synthetic.row(id, architecture, parameters={"latent": size} | other, aliases=[f"{id}2"])
        for size, id in enumerate("abcd", start=8)
    ]
    usual = {"epochs": 200, "validation_dropout": True, "snapshots": [] if classified else [0, 5]}
    test = {"test": list(parts), "why": "Made up."} if parts else {}
    claim = {"id": "made-P01", "place": "III", "text": "So"} | test | keys
    return synthetic.load(synthetic.made(rows, defaults=synthetic.DEFAULTS | usual, claims=[claim]))


def loaded(part) -> Part:
    """A part of a claim's test as it comes out of a paper's file."""
    return paper_of(part).claims[0].test[0]


def effects(part: Part, runs, levels=None) -> dict[str, float]:
    return part.tested(Case(runs, levels))


def losses(**values) -> dict[str, Run]:
    """One run a row, with this validation loss."""
    return {row: run(row, val_loss=value) for row, value in values.items()}


def counts(**cells) -> list[list[int]]:
    """A confusion matrix of 100 images a class; ``t6_0=30``: 30 of class 6 are taken for 0."""
    matrix = 100 * np.eye(10, dtype=int)
    for cell, images in cells.items():
        true, predicted = map(int, cell[1:].split("_"))
        matrix[true, predicted] += images
        matrix[true, true] -= images
    return matrix.tolist()


def level(row, metric, name):
    return {"zero": 0.2, "mean_image": 0.08}[name]


# ---- forms --------------------------------------------------------------------------------------

SHIRT = counts(t6_0=30, t6_2=10, t0_6=20, t5_7=5)
STRIPE = np.zeros((28, 28))
STRIPE[-3:] = 0.5  # 84 pixels of the 159 in the last three rows and columns

CASES = [
    # (part, runs, effects)
    (
        {"form": "best", "row": "a", "among": ["b", "c"]} | LOSS,
        losses(a=1, b=3, c=2),
        {"b": 2, "c": 1},
    ),
    ({"form": "best", "row": "a", "among": ["b"]} | LOSS, losses(a=3, b=2), {"b": -1}),
    (
        {"form": "best", "row": "a", "among": ["b"]} | ACCURACY,
        {row: run(row, val_accuracy=v) for row, v in {"a": 0.75, "b": 0.5}.items()},
        {"b": 0.25},
    ),
    (
        {"form": "best", "row": "a", "among": ["b"], "factor": 0.5} | LOSS,
        losses(a=1, b=3),
        {"b": 0.5},
    ),
    ({"form": "best", "row": "a", "among": ["b"], "margin": 3} | LOSS, losses(a=1, b=3), {"b": -1}),
    (
        {"form": "worst", "row": "a", "among": ["b", "c"]} | LOSS,
        losses(a=3, b=1, c=2),
        {"b": 2, "c": 1},
    ),
    ({"form": "worst", "row": "a", "among": ["b"], "factor": 2} | LOSS, losses(a=3, b=1), {"b": 1}),
    (
        {"form": "worst", "row": "a", "among": ["b"], "margin": 0.125} | ACCURACY,
        {row: run(row, val_accuracy=v) for row, v in {"a": 0.5, "b": 0.75}.items()},
        {"b": 0.125},
    ),
    # Under minus, less is better, of accuracies too: a gap.
    (
        {"form": "worst", "row": "a", "among": ["b"], "minus": "val_accuracy"}
        | {"metric": "train_accuracy", "at": "final"},
        {
            "a": run("a", train_accuracy=1, val_accuracy=0.5),
            "b": run("b", train_accuracy=0.75, val_accuracy=0.5),
        },
        {"b": 0.25},
    ),
    (
        {"form": "ranked", "rows": ["a", "b", "c"]} | LOSS,
        losses(a=1, b=4, c=2),
        {"a, b": 3, "b, c": -2},
    ),
    ({"form": "alike", "rows": ["a", "b"], "level": 3} | LOSS, losses(a=1, b=3), {"range": 1}),
    (
        {"form": "alike", "rows": ["a", "b"], "among": ["b", "c"]} | LOSS,
        losses(a=1, b=3, c=8),
        {"range": 3},
    ),
    ({"form": "below", "rows": ["a", "b"], "level": 2} | LOSS, losses(a=1, b=3), {"a": 1, "b": -1}),
    ({"form": "above", "rows": ["a", "b"], "level": 2} | LOSS, losses(a=1, b=3), {"a": -1, "b": 1}),
    (
        {"form": "below", "rows": ["a"], "level": "mean_image", "factor": 0.5} | LOSS,
        losses(a=0.03),
        {"a": 0.01},
    ),
    ({"form": "near", "rows": ["a"], "level": "zero", "by": 0.5} | LOSS, losses(a=0.3), {"a": 0.4}),
    (
        {"form": "near", "rows": ["a"], "by": 0.5, "minus": "train_loss"} | LOSS,
        {"a": run(val_loss=1, train_loss=3)},
        {"a": -1.5},
    ),
    (
        {"form": "near", "rows": ["a"], "by": 1, "minus": "train_loss", "relative": True} | LOSS,
        {"a": run(val_loss=3, train_loss=2)},
        {"a": 0.5},
    ),
    (
        {"form": "below", "rows": ["a"], "level": 0, "since": 2, "relative": True} | LOSS,
        {"a": run(val_loss=[9, 4, 3])},
        {"a": 0.25},
    ),
    (
        {"form": "above", "rows": ["a"], "level": 0, "since": "kept", "minus": "train_loss"} | LOSS,
        {"a": run(val_loss=[2, 5], train_loss=[1, 1])},
        {"a": 3},
    ),
    (
        {
            "form": "near",
            "rows": ["a"],
            "metric": "epoch",
            "at": "final",
            "since": "lowest",
            "by": 0.5,
        },
        {"a": run(val_loss=[3, 1, 2])},
        {"a": -0.5},
    ),
    (
        {"form": "above", "rows": ["a"], "metric": "epochs_saved", "level": 0.5},
        {"a": run(val_loss=[3, 1, 2], epochs=5)},
        {"a": 1.5},
    ),
    (
        {"form": "fails", "rows": ["a", "b", "c", "d"], "level": "mean_image"} | LOSS,
        losses(a=0.1, b=0.06, c=5) | {"d": run("d", status="diverged")},
        {"a": 0.25, "b": -0.25, "c": 61.5, "d": math.inf},
    ),
    (
        {"form": "flattens", "rows": ["a"], "metric": "val_loss", "share": 0.4, "factor": 0.25},
        {"a": run(val_loss=[9, 5, 4, 3.5, 3.25])},  # the first 4, the last 0.75
        {"a": 0.25},
    ),
    (
        {"form": "flattens", "rows": ["a"], "metric": "val_loss", "share": 0.4, "factor": 0.25},
        {"a": run(val_loss=[9, 5, 4, 3.5, 6])},  # it rises again, by 2
        {"a": -1},
    ),
    (
        {"form": "falls", "rows": ["a"], "metric": "val_loss", "epochs": [1, 2, 3]},
        {"a": run(val_loss=[3, 1, 2])},
        {"a, 1 to 2": 2, "a, 2 to 3": -1},
    ),
    (
        {"form": "falls", "rows": ["a"], "metric": "snapshot_loss", "epochs": [0, 5]},
        {
            "a": run(
                outputs={
                    "snapshot_epochs": np.array([0, 5]),
                    "snapshots": np.stack([np.full((10, 28, 28), 3.0), np.ones((10, 28, 28))]),
                    "targets": np.zeros((10, 28, 28)),
                }
            )
        },
        {"a, 0 to 5": 8},
    ),
    (
        {"form": "above", "rows": ["a"], "metric": "recall", "class": "Shirt", "level": 0.5},
        {"a": run(confusion=SHIRT)},
        {"a": 0.1},
    ),
    (
        {
            "form": "above",
            "rows": ["a"],
            "metric": "errors_within",
            "sets": [["T-shirt/top", "Shirt"], ["Sandal", "Sneaker"]],
            "level": 0.5,
        },
        {"a": run(confusion=SHIRT)},  # 55 of 65
        {"a": 55 / 65 - 0.5},
    ),
    *(
        (
            {"form": "above", "rows": ["a"], "metric": "output_std", "over": over, "edge": 3}
            | {"level": 0},
            {"a": run(outputs={"output_std": STRIPE})},
            {"a": value},
        )
        for over, value in (("mean", 0.5 * 84 / 159), ("median", 0.5), ("max", 0.5))
    ),
    (
        {"form": "below", "rows": ["a"], "metric": "output_std", "over": "mean", "level": 1},
        {"a": run(outputs={"output_std": STRIPE})},
        {"a": 1 - 0.5 * 84 / 784},
    ),
    # Of the 1,000 images 50 are shirts and T-shirts, 10 shirts and pullovers, 5 sandals and
    # sneakers that are taken for each other.
    *(
        (
            {"form": "largest_confusions", "rows": ["a"], "sets": sets, "count": number},
            {"a": run(confusion=SHIRT)},
            {"a": effect},
        )
        for sets, number, effect in (
            ([["T-shirt/top", "Shirt"]], 1, 0.04),
            ([["T-shirt/top", "Pullover", "Shirt"]], 2, 0.005),
            ([["T-shirt/top", "Pullover", "Shirt"]], 3, -0.005),
            ([["T-shirt/top", "Shirt"], ["Sandal", "Sneaker"]], 2, -0.005),
        )
    ),
    (
        {"form": "images_improved", "row": "a", "among": ["b"], "share": 0.5},
        {
            "a": run("a", outputs={"image_loss": np.array([1, 1, 1, 9])}),
            "b": run("b", outputs={"image_loss": np.array([2, 2, 2, 2])}),
        },
        {"b": 0.25},
    ),
]


@pytest.mark.parametrize(
    ("part", "runs", "expected"), CASES, ids=[f"{i}-{c[0]['form']}" for i, c in enumerate(CASES)]
)
def test_a_form_gives_what_can_be_counted_by_hand(part, runs, expected):
    assert effects(loaded(part), runs, level) == pytest.approx(expected)
    assert effects(loaded(part | {"not": True}), runs, level) == pytest.approx(
        {name: -value for name, value in expected.items()}
    )


def test_classes_are_held_against_each_other_class():
    runs = {"a": run(confusion=SHIRT)}

    def found(form, **keys):
        return effects(loaded({"form": form, "rows": ["a"]} | keys), runs)

    worst = found("worst_recalled", classes=["Shirt"])
    assert len(worst) == 9 and worst["a, Shirt and T-shirt/top"] == pytest.approx(0.2)
    best = found("best_recalled", classes=["Bag", "Sandal"])
    assert len(best) == 2 * 8 and min(best.values()) == pytest.approx(-0.05)
    taken = found("taken_for", **{"class": "Shirt", "as": "Pullover"})
    assert len(taken) == 8 and taken["a, Pullover and T-shirt/top"] == pytest.approx(-0.2)


BELOW = {"form": "below", "rows": ["a"], "level": 0}


@pytest.mark.parametrize(
    ("part", "runs", "said"),
    [
        (BELOW | LOSS, {}, "a was not run"),
        (BELOW | LOSS, {"a": run(status="diverged")}, "a diverged"),
        (BELOW | LOSS | {"at": 180}, losses(a=1), "a has no val_loss after epoch 180"),
        (BELOW | {"metric": "recall", "class": "Bag"}, losses(a=1), "a has no confusion"),
        (
            BELOW | {"metric": "output_std", "over": "max", "edge": 3},
            losses(a=1),
            "a has no output_std in outputs.safetensors",
        ),
        (
            BELOW | {"metric": "errors_within", "sets": [["Bag"]]},
            {"a": run(confusion=counts())},
            "a makes no errors",
        ),
        (
            {"form": "flattens", "rows": ["a"], "metric": "val_loss", "share": 0.1, "factor": 1},
            losses(a=1),
            "a was trained for 1 epoch only",
        ),
    ],
)
def test_what_a_run_lacks_is_told(part, runs, said):
    with pytest.raises(NotTestedError, match=said):
        effects(loaded(part), runs)


# ---- verdicts -----------------------------------------------------------------------------------


def test_the_interval_is_that_of_student():
    # Mean 2, standard deviation 1, n = 3: t of 2 degrees of freedom at 97.5 % is 4.30265.
    assert mean_interval([1, 2, 3]) == pytest.approx(
        [2 - 4.30265 / math.sqrt(3), 2 + 4.30265 / math.sqrt(3)], rel=1e-5
    )
    assert mean_interval([1]) is None


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ([1, 1.1, 1.2], "holds"),
        ([-1, -1.1, -1.2], "does not hold"),
        ([1, 2, -1], "undecided"),
        ([1, 5], "undecided"),  # both above 0, and the interval is not
        ([0.5, 0.5], "holds"),  # the same with every seed
        ([0, 0], "undecided"),
        ([7], "undecided"),
    ],
)
def test_an_effect_is_judged_by_its_interval(values, verdict):
    assert claims.judge(values) == verdict


YES, NO, OPEN, UNTESTED = ClaimVerdict


@pytest.mark.parametrize(
    ("verdicts", "needs", "verdict"),
    [
        ([YES, YES], 2, YES),
        ([YES, NO], 2, NO),
        ([YES, OPEN], 2, OPEN),
        ([NO, UNTESTED], 2, NO),
        ([YES, UNTESTED], 2, UNTESTED),
        ([YES, NO, YES], 2, YES),
        ([NO, NO, YES], 2, NO),
        ([OPEN, NO, YES], 2, OPEN),
        ([NO, UNTESTED, YES], 1, YES),
    ],
)
def test_a_claim_holds_if_as_many_parts_do_as_it_needs(verdicts, needs, verdict):
    assert claims.combine(verdicts, needs) == verdict


def evaluated(test, runs, **keys):
    paper = paper_of(*test, **keys)
    return claims.evaluate_claim(paper.claims[0], paper, runs, level)


BEST = {"form": "best", "row": "a", "among": ["b2", "c"]} | LOSS


def test_seeds_are_pairs_and_the_least_effect_decides():
    runs = {
        0: losses(a=1.0, b=2.0, c=1.1),
        1: losses(a=5.0, b=6.01, c=5.1),  # far from the other seed, and the differences are not
    }
    result = evaluated([BEST], runs)
    (part,) = result.parts
    assert result.verdict == part.verdict == "holds"
    assert result.holds_in == result.seeds == (0, 1)
    assert part.effects == {"b": pytest.approx([1, 1.01]), "c": pytest.approx([0.1, 0.1])}
    assert part.decides == "c" and part.interval == pytest.approx([0.1, 0.1])
    plain = json.loads(json.dumps(asdict(result)))
    assert TypeAdapter(ClaimResult).validate_python(plain) == result


def test_what_decides_bears_out_the_verdict():
    # Against b the mean is the lower, and its interval holds 0; against c it does not hold.
    runs = {
        seed: losses(a=0.0, b=b, c=c)
        for seed, (b, c) in enumerate([(-9, -1), (5, -1.1), (-8, -1.2)])
    }
    (part,) = evaluated([BEST], runs).parts
    assert (part.verdict, part.decides) == ("does not hold", "c")
    assert part.interval[1] < 0
    (part,) = evaluated([BEST | {"not": True}], runs).parts
    assert (part.verdict, part.decides) == ("holds", "c")
    assert part.interval[0] > 0 and part.holds_in == (0, 1, 2)


def test_one_seed_decides_nothing_and_is_counted():
    result = evaluated([BEST], {4: losses(a=1, b=2, c=3)})
    assert (result.verdict, result.note) == ("undecided", "One seed was run.")
    assert (result.seeds, result.holds_in) == ((4,), (4,))
    assert result.parts[0].interval is None


def test_seeds_that_differ_leave_it_undecided():
    runs = {0: losses(a=1, b=2, c=3), 1: losses(a=3, b=2, c=1), 2: losses(a=1, b=3, c=2)}
    result = evaluated([BEST], runs)
    assert (result.verdict, result.holds_in) == ("undecided", (0, 2))


def test_a_row_that_diverged_or_was_not_run_leaves_its_seed_out():
    runs = {
        0: losses(a=1, b=2, c=3),
        1: losses(a=1, b=2) | {"c": run("c", status="diverged")},
        2: losses(a=1, b=2.1, c=3),
    }
    result = evaluated([BEST], runs)
    assert (result.verdict, result.seeds) == ("holds", (0, 2))
    assert result.note == "c diverged (seed 1)."
    result = evaluated([BEST], {seed: losses(a=1, b=2) for seed in (0, 1)})
    assert (result.verdict, result.note) == ("not tested", "c was not run.")
    assert result.parts[0].mean is None


def test_a_seed_that_alone_can_be_tested_is_named():
    runs = {0: losses(a=1, b=2, c=3), 1: losses(a=1, b=2) | {"c": run("c", status="diverged")}}
    result = evaluated([BEST], runs)
    assert result.note == "c diverged (seed 1). Seed 0 alone can be tested."


def test_parts_are_judged_on_the_seeds_that_all_of_them_have():
    parts = [BEST | {"among": [row]} for row in ("b", "c")]
    gone = {row: run(row, status="diverged") for row in ("b", "c")}
    every = losses(a=1, b=2, c=3)
    result = evaluated(parts, {0: every | {"b": gone["b"]}, 1: every, 2: every | {"c": gone["c"]}})
    assert [part.seeds for part in result.parts] == [(1,), (1,)]
    assert (result.verdict, result.seeds, result.holds_in) == ("undecided", (1,), (1,))
    result = evaluated(parts, {0: every | {"b": gone["b"]}, 2: every | {"c": gone["c"]}})
    assert (result.verdict, result.seeds) == ("not tested", ())


def test_of_an_undecided_part_that_is_shown_which_fails_most_often():
    runs = {
        seed: losses(a=0.0, b=b, c=c)
        for seed, (b, c) in enumerate([(0.03, -0.001), (0.1, 0.0005), (0.03, -0.0005)])
    }
    (part,) = evaluated([BEST], runs).parts
    assert (part.verdict, part.decides) == ("undecided", "c")
    assert part.holds_in == (1,)


def test_of_an_undecided_part_none_is_shown_that_is_decided():
    """Against b it holds, by little; against c by more, and so differently that it is open."""
    runs = {
        seed: losses(a=0.0, b=b, c=c)
        for seed, (b, c) in enumerate([(0.001, 0.05), (0.0011, 0.2), (0.0009, 0.01)])
    }
    (part,) = evaluated([BEST], runs).parts
    assert (part.verdict, part.decides) == ("undecided", "c")
    assert part.interval[0] < 0 < part.interval[1]


def test_losses_that_differ_by_rounding_alone_are_the_same():
    runs = {seed: losses(a=0.6791, b=0.6791 + 3e-8, c=0.7) for seed in range(3)}
    result = evaluated([BEST], runs)
    assert (result.verdict, result.holds_in) == ("undecided", ())


def test_a_diverged_run_fails_as_far_as_the_furthest_that_was_measured():
    fails = {"form": "fails", "rows": ["a"], "level": 1.0} | LOSS
    runs = {0: {"a": run("a", status="diverged")}, 1: losses(a=1.02), 2: losses(a=1.03)}
    (part,) = evaluated([fails], runs).parts
    assert part.effects == {"a": pytest.approx([0.03, 0.02, 0.03])}
    assert part.verdict == "holds"
    assert part.note == "a diverged (seed 0): as far off as any other run."
    (part,) = evaluated([fails], dict.fromkeys(range(2), runs[0])).parts
    assert (part.verdict, part.effects) == ("holds", {"a": (1.0, 1.0)})


def test_several_metrics_are_several_parts():
    rows = {"a": (1, 0.9), "b": (2, 0.8), "c": (3, 0.95)}
    runs = {
        seed: {row: run(row, val_loss=loss, val_accuracy=acc) for row, (loss, acc) in rows.items()}
        for seed in (0, 1)
    }
    test = [BEST | {"metric": ["val_loss", "val_accuracy"]}]
    result = evaluated(test, runs)
    assert [part.verdict for part in result.parts] == ["holds", "does not hold"]
    assert (result.verdict, result.holds_in) == ("does not hold", ())


def test_at_least_one_of_two_parts_may_be_enough():
    runs = {seed: losses(a=1, b=2, c=0) for seed in (0, 1)}
    parts = [BEST | {"among": [row]} for row in ("b", "c")]
    assert evaluated(parts, runs).verdict == "does not hold"
    result = evaluated(parts, runs, needs=1)
    assert (result.verdict, result.holds_in) == ("holds", (0, 1))


def test_without_a_test_a_claim_says_why():
    assert evaluated([], {}, untestable="A judgement.").note == "A judgement."
    result = evaluated([], {})
    assert (result.verdict, result.note) == ("not tested", "No test of it is written.")


# ---- what holds for all numbers -----------------------------------------------------------------

# Few digits, so that sums and differences are exact.
numbers = st.integers(-1000, 1000).map(lambda number: number / 8)


@given(st.lists(numbers, min_size=2, max_size=6), st.randoms(use_true_random=False))
def test_the_order_of_seeds_changes_no_interval(values, random):
    shuffled = random.sample(values, len(values))
    assert mean_interval(shuffled) == pytest.approx(mean_interval(values), abs=1e-9)


@given(st.lists(numbers, min_size=2, max_size=6), numbers)
def test_an_interval_holds_its_mean_and_moves_with_it(values, shift):
    low, high = mean_interval(values)
    assert low <= np.mean(values) <= high
    moved = mean_interval([value + shift for value in values])
    assert moved == pytest.approx([low + shift, high + shift], abs=1e-9)


@given(st.lists(numbers, max_size=6))
def test_the_opposite_has_the_opposite_verdict(values):
    opposite = {YES: NO, NO: YES, OPEN: OPEN}
    assert claims.judge([-value for value in values]) == opposite[claims.judge(values)]


three = st.tuples(numbers, numbers, numbers)


ORDERS = [
    loaded(part | LOSS)
    for part in (
        {"form": "best", "row": "a", "among": ["b", "c"]},
        {"form": "worst", "row": "a", "among": ["b", "c"]},
        {"form": "ranked", "rows": ["a", "b", "c"]},
        {"form": "alike", "rows": ["a", "b", "c"], "level": 1},
    )
]


@given(three, numbers)
def test_a_constant_added_to_all_losses_changes_no_order(values, shift):
    rows = dict(zip("abc", values, strict=True))
    moved = {row: value + shift for row, value in rows.items()}
    for part in ORDERS:
        before, after = (effects(part, losses(**each)) for each in (rows, moved))
        assert after == pytest.approx(before, abs=1e-9)


@given(st.sets(numbers, min_size=3, max_size=3))
def test_the_first_of_a_ranking_is_the_best_and_the_last_the_worst(values):
    runs = losses(**dict(zip("abc", sorted(values), strict=True)))
    for part in (
        {"form": "ranked", "rows": ["a", "b", "c"]},
        {"form": "best", "row": "a", "among": ["b", "c"]},
        {"form": "worst", "row": "c", "among": ["a", "b"]},
    ):
        assert min(effects(loaded(part | LOSS), runs).values()) > 0


@given(st.lists(three, min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_the_order_of_seeds_changes_no_verdict(seeds, random):
    runs = [losses(**dict(zip("abc", values, strict=True))) for values in seeds]
    shuffled = random.sample(runs, len(runs))
    first, second = (evaluated([BEST], dict(enumerate(each))) for each in (runs, shuffled))
    # An interval that ends at 0 may be on either side of it, by the rounding of a sum.
    assume(all(abs(end) > 1e-9 for end in first.parts[0].interval or ()))
    assert first.verdict == second.verdict
    assert len(first.holds_in) == len(second.holds_in)


@given(st.lists(st.sampled_from(ClaimVerdict), min_size=1, max_size=5))
def test_needing_more_parts_is_never_easier(verdicts):
    rank = [NO, UNTESTED, OPEN, YES]
    given_by_needs = [claims.combine(verdicts, needs) for needs in range(1, len(verdicts) + 1)]
    decided = [rank.index(verdict) for verdict in given_by_needs if verdict in (YES, NO)]
    assert decided == sorted(decided, reverse=True)


# ---- the papers' claims -------------------------------------------------------------------------


# The names of every form, and its class.
FORMS = {get_args(form.model_fields["form"].annotation): form for form in get_args(Form)}


def told(names: tuple, keys: list[str], optional: list[str], kind: type) -> str:
    """A line of a table in the papers' README."""
    said = [", ".join(key if key == "metric" else f"`{key.rstrip('_')}`" for key in keys)]
    said += [", ".join(f"`{key}`" for key in optional)] if optional else []
    meaning = inspect.getdoc(kind).splitlines()[0].replace("``", "`")
    return f"| {', '.join(f'`{name}`' for name in names)} | {'; '.join(said)} | {meaning} |"


def test_the_readme_tells_every_form_and_metric_with_its_keys():
    lines = []
    for names, form in FORMS.items():
        own = {key: field for key, field in form.model_fields.items() if key not in ("form", "no")}
        needed = [key for key, field in own.items() if field.is_required()]
        beside_metric = Measured.model_fields if issubclass(form, Measured) else ()
        lines.append(
            told(names, needed, [k for k in own if k not in (*needed, *beside_metric)], form)
        )
    for name, kind in MEASURES.items():
        if name not in CURVES:
            own = [field for field in fields(kind) if field.name != "metric"]
            needed = [field.name for field in own if field.default is MISSING]
            lines.append(told((name,), needed, [f.name for f in own if f.name not in needed], kind))
    readme = (ROOT / "workflow/papers/README.md").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line not in readme] == []


def test_a_form_is_an_input_of_whatever_tests_claims():
    files = {str(file.relative_to(PACKAGE)) for file in closure("judging.claims")}
    assert {f"paper/claims/{name}.py" for name in ("forms", "measures", "part")} <= files


def test_every_form_is_tried():
    classes = {"best_recalled", "worst_recalled", "taken_for"}  # in a test of their own
    assert {name for names in FORMS for name in names} == {
        part["form"] for part, _, _ in CASES
    } | classes


@pytest.mark.parametrize("file", PAPERS, ids=[file.stem for file in PAPERS])
def test_every_claim_is_tested_and_described(file):
    paper = papers.load_paper(file)
    for claim in paper.claims:
        result = claims.evaluate_claim(claim, paper, {0: {}}, level)
        assert result.parts and result.verdict == "not tested"
        assert all(part.tested.endswith(".") and effect(part) == "–" for part in result.parts)


@pytest.mark.parametrize(
    ("part", "said"),
    [
        (
            {"form": "best", "row": "a", "among": ["b"], "metric": "recall", "class": "Bag"}
            | {"margin": 0.01},
            "Recall of Bag is higher for a than for b, by more than 1 percentage point.",
        ),
        (
            {"form": "worst", "row": "a", "among": ["b", "c"], "factor": 2} | LOSS,
            "Validation loss after the last epoch is higher for a than 2 times that of each of b "
            "and c.",
        ),
        (
            {"not": True, "form": "ranked", "rows": ["a", "b"]} | ACCURACY | {"at": 5},
            "Not so: validation accuracy after epoch 5 falls in the order a, b.",
        ),
        (
            {"form": "above", "rows": ["a"], "metric": "val_dropout_loss_batch_mean", "at": "best"}
            | {"minus": "val_loss_batch_mean", "since": 5, "level": 0},
            "Change of validation loss with dropout on minus validation loss from epoch 5 to its "
            "best epoch is above 0 for a.",
        ),
        (
            {"form": "near", "rows": ["a"], "by": 0.5, "minus": "train_loss", "relative": True}
            | LOSS,
            "Relative excess of validation loss over training loss after the last epoch is within "
            "50 % of 0 for a.",
        ),
        (
            {"form": "fails", "rows": ["a"], "level": "mean_image", "factor": 0.9} | LOSS,
            "Validation loss after the last epoch is above 0.9 times the error of the mean image "
            "for a, or the training diverges.",
        ),
        (
            {"form": "above", "rows": ["a"], "metric": "recall", "class": "Bag", "level": 0.904},
            "Recall of Bag is above 90.4 % for a.",
        ),
        (
            {"form": "above", "rows": ["a"], "minus": "train_accuracy", "level": 0.02} | ACCURACY,
            "Validation accuracy minus training accuracy after the last epoch is above 2 "
            "percentage points for a.",
        ),
        (
            {"form": "alike", "rows": ["a", "b"], "level": 0.01} | ACCURACY,
            "Validation accuracy after the last epoch spans less than 1 percentage point over a "
            "and b.",
        ),
        (
            {"form": "flattens", "rows": ["a"], "metric": "val_loss", "share": 0.1, "factor": 0.05},
            "Validation loss changes over the last 10 % of the epochs by less than 5 % of its fall "
            "over the first, for a.",
        ),
        (
            {"form": "below", "rows": ["a"], "metric": "output_std", "over": "mean", "level": 0.1},
            "Mean standard deviation over images of all pixels is below 0.1 for a.",
        ),
        (
            {"form": "largest_confusions", "rows": ["a", "b"], "count": 2}
            | {"sets": [["Coat", "Shirt"], ["Sandal", "Sneaker"]]},
            "The 2 pairs of classes that are most often confused are within Coat and Shirt or "
            "within Sandal and Sneaker, for each of a and b.",
        ),
        (
            {"form": "largest_confusions", "rows": ["a"], "count": 1, "sets": [["Coat", "Shirt"]]},
            "The pair of classes that is most often confused is within Coat and Shirt, for a.",
        ),
    ],
)
def test_a_part_is_said_in_words(part, said):
    assert loaded(part).sentence() == said


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({}, "+0.0123 [+0.0011, +0.0235]"),
        ({"interval": None}, "+0.0123"),
        ({"unit": "share"}, "+1.23 [+0.11, +2.35] points"),
        ({"unit": "relative", "effects": {"a": [], "b": []}}, "+1.23 [+0.11, +2.35] % (b)"),
        ({"unit": "epochs", "mean": -2, "interval": [-14.31, 10.31]}, "−2.0 [−14.3, +10.3] epochs"),
        ({"unit": "output", "mean": 1e-6, "interval": None}, "+0.00000100"),
        ({"mean": 0, "interval": [0, 0]}, "0 [0, 0]"),
        ({"mean": None}, "–"),
    ],
)
def test_an_effect_is_shown_with_its_interval_unit_and_name(changes, shown):
    part = {"test": {}, "tested": "So.", "verdict": YES, "note": "", "unit": "loss"}
    part |= {"seeds": (), "holds_in": (), "decides": "b", "sd": None, "n": 0, "values": ()}
    part |= {"mean": 0.0123, "interval": (0.0011, 0.0235), "effects": {"b": ()}} | changes
    assert effect(PartResult(**part)) == shown


def test_verdicts_are_counted_in_words():
    assert ClaimVerdict.tally([YES, NO, NO, OPEN, UNTESTED, UNTESTED], "claim") == (
        "Of 6 claims: 1 holds, 2 do not hold, 1 is undecided and 2 are not tested."
    )
    assert ClaimVerdict.tally([], "claim") == ""


def test_runs_are_read_as_training_wrote_them(tmp_path):
    paper = synthetic.paper(note="plain")
    synthetic.write_results(paper, tmp_path, [0, 1])
    (result, _) = claims.evaluate(paper, read_runs(paper, tmp_path, [0, 1]), {})
    assert claims.load(paper, tmp_path)["made-P01"] == result
    row = read_runs(paper, tmp_path, [1, 7])[1]["t1-small"]
    assert row.at("val_loss", 3) == row.history[2]["val_loss"]
    assert read_runs(paper, tmp_path, [7]) == {7: {}}
    (tmp_path / "evidence/made2020/claims.json").unlink()
    with pytest.raises(UserError, match=r"claims\.json: not there; test the claims"):
        claims.load(paper, tmp_path)
