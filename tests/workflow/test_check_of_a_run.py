"""The reproducibility check on the real Snakefile, and the scorecard beside the report."""

import json
import re
import shutil

import pytest
from checkout import ROOT

RESULTS = "results/smoke"
KEPT = "results/reference/smoke"


def test_the_smoke_run_is_the_one_kept_in_git(copy_of_finished):
    """What CI checks on every commit: no drift from the committed reference, on any machine."""
    shutil.copytree(ROOT / KEPT, copy_of_finished.path(KEPT))
    printed = copy_of_finished.snakemake("--cores", "2", "--", "check")
    assert "# Check at smoke scale: passed" in printed
    assert "caprari2025_t4_arch1_linear, seed 0, trained twice: the same bits." in printed
    found = json.loads(copy_of_finished.path(f"{RESULTS}/check.json").read_text())
    assert found["passed"] and all(paper["metrics"] for paper in found["papers"])
    assert copy_of_finished.path(f"{RESULTS}/check.md").read_text() in printed


def test_a_changed_learning_rate_fails_the_check_and_the_row_is_named(copy_of_finished):
    copy_of_finished.snakemake("--cores", "2", "--", "reference")
    row = "{id: t5-p04, "
    copy_of_finished.edit(
        "workflow/papers/caprari2025.yaml",
        lambda text: text.replace(row, row + "learning_rate: 0.01, "),
    )
    printed = copy_of_finished.snakemake("--cores", "2", "--", "check", fails=True)
    assert "drifted: caprari2025 t5-p04" in printed
    assert "| caprari2025 t5-p04 seed 0 | settings: learning_rate" in printed
    found = json.loads(copy_of_finished.path(f"{RESULTS}/check.json").read_text())
    drifted = {line["row"] for paper in found["papers"] for line in paper["drift"] if line["seed"]}
    assert drifted == {"t5-p04"}
    copy_of_finished.snakemake("--cores", "2", "--", "reference")
    assert "passed" in copy_of_finished.snakemake("--cores", "2", "--", "check")


def test_without_a_reference_the_check_says_how_to_make_one(copy_of_finished):
    printed = copy_of_finished.snakemake("--cores", "2", "--", "check", fails=True)
    assert f"{KEPT}/caprari2025.json: not there" in printed and "make accept" in printed
    assert not copy_of_finished.path(KEPT).exists()


def test_other_seeds_than_the_reference_has_are_answered_with_a_call_that_passes(copy_of_finished):
    copy_of_finished.snakemake("--cores", "2", "--", "reference_borgnino2023")
    one_seed = ("--config", "scale=smoke", "papers=borgnino2023", "seeds=0")
    printed = copy_of_finished.snakemake("--cores", "2", *one_seed, "--", "check", fails=True)
    assert f"{KEPT}/borgnino2023.json: seeds: 0,1, and this run has 0; " in printed
    (call,) = set(re.findall(r"--config (papers=\S+ seeds=\S+ scale=\w+)", printed))
    passing = copy_of_finished.snakemake("--cores", "2", "--config", *call.split(), "--", "check")
    assert "# Check at smoke scale: passed" in passing


def test_the_scorecard_comes_with_the_report(finished):
    card = json.loads(finished.path(f"{RESULTS}/scorecard.json").read_text())
    assert card["all"]["numbers"].keys() == card["papers"]["caprari2025"]["numbers"].keys()
    assert sum(card["papers"]["caprari2025"]["numbers"].values()) == 46
    assert sum(card["papers"]["palacio2025"]["numbers"].values()) == 2  # two matrices
    assert sum(card["all"]["claims"].values()) == sum(
        len(paper["verdicts"]["claims"]) for paper in card["papers"].values()
    )
    assert "smoke run: no evidence" in finished.path(f"{RESULTS}/scorecard.svg").read_text()


@pytest.mark.parametrize("target", ["reference_borgnino2023", "reference"])
def test_keeping_a_reference_trains_nothing_anew(finished, target):
    assert not any(rule.startswith("train_") for rule in finished.planned(target))
