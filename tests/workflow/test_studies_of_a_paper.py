"""Sensitivity studies in the real workflow: what `studies` runs, and that nothing else runs it.

The paper is the example of workflow/papers/README.md: one study, with a reading that is trained, on
an autoencoder and on the classifier that reuses its encoder, and one that is measured otherwise.
"""

import html
import json
import re

import pytest
from checkout import EXAMPLE as KEY
from refashion.paper import papers
from refashion.paper.studies import Study
from safetensors.numpy import load_file

RESULTS = "results/smoke"
TRAINED = {"autoencoder-no-dropout", "reused-no-dropout"}


@pytest.fixture(scope="module")
def study(studied) -> Study:
    (study,) = papers.load_paper(studied.path(f"workflow/papers/{KEY}.yaml")).studies
    return study


def test_the_document_names_each_reading_and_says_it_is_no_evidence(studied, study):
    source = studied.path(f"{RESULTS}/studies.html").read_text(encoding="utf-8")
    page = " ".join(html.unescape(re.sub(r"<[^>]+>", " ", source)).split())
    assert study.aim in page
    for reading in study.readings:
        assert f"{reading.id} {reading.text}" in page
    assert "it is no evidence" in page
    assert not re.findall(r'(?:src|href)="(?!data:|#|https://)', source)
    assert studied.path(f"{RESULTS}/studies.pdf").exists()


def test_every_reading_is_held_against_the_published_numbers(studied, study):
    found = json.loads(studied.path(f"{RESULTS}/evidence/{KEY}/studies.json").read_text())
    default, trained, measured = found[0]["readings"]
    assert [r["id"] for r in found[0]["readings"]] == ["default", "no-dropout", "lowest-error"]
    assert [n["published"] for n in default["numbers"]] == [83.1, 0.456]
    for reading, row in ((default, "reused"), (trained, "reused-no-dropout"), (measured, "reused")):
        run = json.loads(
            studied.path(f"{RESULTS}/{KEY}/{row}/seed-0/metrics.json").read_text(encoding="utf-8")
        )
        at = "lowest" if reading is measured else "final"
        accuracy, error = reading["numbers"]
        assert accuracy["mean"] == pytest.approx(100 * run["best"]["val_accuracy"]["value"])
        assert error["mean"] == pytest.approx(run[at]["val_loss"])


def test_what_reuses_an_encoder_is_trained_on_that_of_the_reading(studied):
    folder = f"{RESULTS}/{KEY}/{{}}/seed-0"
    encoder = load_file(
        studied.path(folder.format("autoencoder-no-dropout")) / "encoder.safetensors"
    )
    classifier = load_file(studied.path(folder.format("reused-no-dropout")) / "model.safetensors")
    assert encoder
    for name, weights in encoder.items():
        assert (classifier[f"encoder.{name}"] == weights).all()


def test_the_report_runs_no_row_of_a_study(studied):
    for target in ("all", KEY, "reference"):
        printed = studied.snakemake("--dry-run", "--forceall", "--", target)
        assert f"train_{KEY}_reused" in printed
        assert not re.search(r"no_dropout|no-dropout|stud(y|ies)", printed), target


def test_a_second_run_has_nothing_to_do_and_prose_retrains_nothing(studied):
    printed = studied.snakemake("--dry-run", "--", "studies")
    assert "Nothing to be done" in printed
    file = f"workflow/papers/{KEY}.yaml"
    before = studied.path(file).read_text(encoding="utf-8")
    studied.edit(file, lambda text: text.replace("Would a classifier be", "Is a classifier"))
    printed = studied.snakemake("--dry-run", "--", "studies")
    studied.path(file).write_text(before, encoding="utf-8")
    assert f"studies_{KEY}" in printed
    assert "train_" not in printed


def test_what_the_studies_found_can_be_kept_in_git(studied):
    studied.snakemake("--cores", "2", "--", "reference_studies")
    kept = studied.path("results/reference/smoke/studies")
    for file in (
        f"evidence/{KEY}/studies.json",
        *(f"{KEY}/{r}/seed-0/history.csv" for r in TRAINED),
    ):
        assert (kept / file).read_bytes() == studied.path(f"{RESULTS}/{file}").read_bytes()
