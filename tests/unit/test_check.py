"""The check: what is within tolerance passes, and everything else is named."""

import copy
import json
import math

import pytest
import synthetic
from hypothesis import given
from hypothesis import strategies as st
from refashion import check, evidence, scorecard
from refashion.errors import UserError

TOLERANCES = {"loss": 0.01, "accuracy": 0.005, "epochs": 1}
CONFIG = {
    "scale": "smoke",
    "seeds": [0, 1],
    "margins": {
        key: {"margin": 0.01, "reason": "made up"}
        for key in ("reconstruction_error", "cross_entropy", "accuracy", "epochs")
    },
    "tolerances": {"smoke": TOLERANCES},
}
MADE = {
    "commit": "0123456789ab",
    "dirty": False,
    "versions": {"torch": "2.14.1"},
    "platform": "Linux x86_64",
    "date": "2026-01-02",
}
SAME = {"run": "t1_small, seed 0", "differ": []}


@pytest.fixture
def paper():
    return synthetic.paper(note="plain")


@pytest.fixture
def run(paper):
    return synthetic.metrics(paper.rows[3], 0)


@pytest.fixture
def kept(paper, tmp_path):
    """(results, reference) of the same runs."""
    results, reference = tmp_path / "smoke", tmp_path / "reference"
    synthetic.write_results(paper, results, [0, 1])
    reference.mkdir()
    out = reference / f"{paper.key}.csv"
    evidence.write_reference(paper, results, [0, 1], MADE, out)
    graded = scorecard.grade_paper(paper, results, CONFIG["margins"])
    (reference / paper.key / scorecard.KEPT_AS).write_text(json.dumps(graded))
    return results, reference


def edit(file, change):
    data = json.loads(file.read_text())
    change(data)
    file.write_text(json.dumps(data))


@pytest.mark.parametrize(
    ("metric", "reference", "measured", "deviation"),
    [
        ("val_loss", 0.5, 0.505, 0.01),
        ("val_loss", 0.0, 0.0, 0.0),
        ("val_loss", 0.0, 0.1, math.inf),
        ("val_accuracy_batch_mean", 0.9, 0.91, 0.01),
        ("epoch", 10, 8, 2),
        ("epochs", 40, 38, 2),
    ],
)
def test_losses_deviate_relatively_and_the_rest_as_it_is(metric, reference, measured, deviation):
    assert check.deviation(metric, reference, measured) == pytest.approx(deviation)


def test_the_same_run_has_not_drifted_and_all_its_numbers_were_compared(run):
    compared, drift = check.compare_run(run, copy.deepcopy(run), TOLERANCES)
    assert drift == []
    assert all(line["deviation"] == 0 for line in compared)
    entries = sum(len(run[at]) for at in evidence.EPOCHS)
    assert len(compared) == entries + 1  # and the number of epochs


@given(st.floats(0, 0.02), st.sampled_from(("final", "kept", "lowest", "best")))
def test_a_loss_drifts_exactly_when_it_is_out_of_tolerance(share, at):
    run = synthetic.metrics(synthetic.paper(note="plain").rows[0], 0)
    moved = copy.deepcopy(run)
    if at == "best":
        moved[at]["val_loss"]["value"] *= 1 + share
        before, after = run[at]["val_loss"]["value"], moved[at]["val_loss"]["value"]
    else:
        moved[at]["val_loss"] *= 1 + share
        before, after = run[at]["val_loss"], moved[at]["val_loss"]
    _, drift = check.compare_run(run, moved, TOLERANCES)
    out = abs(after - before) / before > TOLERANCES["loss"]
    assert [line["what"] for line in drift] == ([f"val_loss, {at}"] if out else [])


def test_a_loss_that_is_not_a_number_has_drifted(run):
    moved = copy.deepcopy(run)
    moved["final"]["val_loss"] = math.nan
    _, drift = check.compare_run(run, moved, TOLERANCES)
    assert [line["what"] for line in drift] == ["val_loss, final"]


def test_changed_settings_are_told_before_the_metrics_that_they_change(run):
    moved = copy.deepcopy(run)
    moved["spec"]["learning_rate"] = 0.01
    moved["spec"]["normalisation"] = {"mean": 0.0, "std": 0.5}
    moved["final"]["val_accuracy"] -= 0.1
    _, drift = check.compare_run(run, moved, TOLERANCES)
    assert [(line["what"], line["reference"], line["measured"]) for line in drift[:2]] == [
        ("settings: learning_rate", "0.001", "0.01"),
        ("settings: normalisation.mean", "0.5", "0"),
    ]
    assert drift[2]["what"] == "val_accuracy, final"
    assert drift[2]["deviation"] == pytest.approx(0.1)


def test_a_run_that_diverges_now_is_named_with_what_is_missing(paper, run):
    diverged = synthetic.metrics(paper.rows[3], 0, diverged_at=3)
    _, drift = check.compare_run(run, diverged, TOLERANCES)
    assert {"status", "epochs"} <= {line["what"] for line in drift}


def test_other_images_are_named(run):
    moved = run | {"dataset_sha256": "1" * 64}
    _, drift = check.compare_run(run, moved, TOLERANCES)
    assert [(line["what"], line["measured"]) for line in drift] == [("images", "1" * 12)]


def test_a_metric_that_is_gone_and_one_that_is_new_are_named(run):
    moved = copy.deepcopy(run)
    moved["final"]["new_loss"] = moved["final"].pop("val_loss")
    _, drift = check.compare_run(run, moved, TOLERANCES)
    assert [line["what"] for line in drift] == ["val_loss, final", "new_loss, final"]


def grade_of(verdict="reproduced", claim="holds", findings=("trivial",)):
    number = {"row": "r1", "table": "t1", "metric": "val_loss", "at": "best", "verdict": verdict}
    return {
        "numbers": [number],
        "claims": [{"id": "c-P01", "verdict": claim}],
        "findings": [{"kind": kind, "tables": ["t1"], "rows": ["r1"]} for kind in findings],
    }


def test_equal_verdicts_have_not_drifted():
    assert check.compare_verdicts(grade_of(), grade_of()) == []


def test_every_changed_verdict_is_named_with_its_row_or_claim():
    changed = grade_of(verdict="close", claim="undecided", findings=())
    drift = check.compare_verdicts(grade_of(), changed)
    assert [(d["row"], d["what"], d["reference"], d["measured"]) for d in drift] == [
        ("r1", "number: t1, val_loss, best", "reproduced", "close"),
        (None, "claim: c-P01", "holds", "undecided"),
        ("r1", "finding: trivial, t1", "found", "not there"),
    ]


def test_the_run_that_is_the_reference_passes(paper, kept):
    compared = check.compare_paper(paper, *kept, CONFIG)
    assert compared["drift"] == []
    assert compared["runs"] == len(paper.rows) * 2
    assert compared["verdicts"] > 0
    found = check.make_check([compared], SAME, "smoke", MADE)
    assert found["passed"]
    check.raise_if_drifted(found)
    assert "# Check at smoke scale: passed" in check.to_markdown(found)


def test_a_drifted_row_is_named_in_the_error_and_in_the_table(paper, kept):
    results, _ = kept
    file = results / paper.key / "t1-wide/seed-1/metrics.json"
    edit(file, lambda run: run["final"].update(val_loss=0.9))
    found = check.make_check([check.compare_paper(paper, *kept, CONFIG)], SAME, "smoke", MADE)
    assert not found["passed"]
    with pytest.raises(UserError, match=r"drifted: made2020 t1-wide; .*make accept"):
        check.raise_if_drifted(found)
    text = check.to_markdown(found)
    assert "| made2020 t1-wide seed 1 | val_loss, final | " in text


def test_rows_without_a_reference_and_references_without_a_row_have_drifted(paper, kept):
    _, reference = kept
    (reference / paper.key / "t1-small").rename(reference / paper.key / "gone")
    drift = check.compare_paper(paper, *kept, CONFIG)["drift"]
    assert [(line["row"], line["what"], line["reference"]) for line in drift] == [
        ("t1-small", "row", "not there"),
        ("gone", "row", "there"),
    ]


def test_other_seeds_than_the_reference_has_are_refused_with_the_way_out(paper, kept):
    message = r"made2020\.json: seeds: 0,1, and this run has 0; check with --config seeds=0,1"
    with pytest.raises(UserError, match=message):
        check.compare_paper(paper, *kept, CONFIG | {"seeds": [0]})


def test_a_paper_without_a_reference_is_named(paper, kept, tmp_path):
    with pytest.raises(UserError, match=r"made2020\.json: not there; .*make accept"):
        check.compare_paper(paper, kept[0], tmp_path / "nowhere", CONFIG)


def test_two_trainings_that_differ_in_one_bit_fail_the_check(tmp_path):
    for folder in ("first", "again"):
        (tmp_path / folder).mkdir()
        for name in check.SAME_BITS:
            (tmp_path / folder / name).write_bytes(b"\x00\x01")
    assert check.compare_bits(tmp_path / "first", tmp_path / "again") == []
    (tmp_path / "again/model.safetensors").write_bytes(b"\x00\x00")
    differ = check.compare_bits(tmp_path / "first", tmp_path / "again")
    assert differ == ["model.safetensors"]
    found = check.make_check([], {"run": "t1_small, seed 0", "differ": differ}, "smoke", MADE)
    assert not found["passed"]
    with pytest.raises(UserError, match=r"drifted: t1_small, seed 0 \(trained twice\)"):
        check.raise_if_drifted(found)
    assert "trained twice: model.safetensors differ" in check.to_markdown(found)
