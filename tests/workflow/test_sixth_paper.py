"""A paper that nobody has put here yet: one file of data gives a report, without a line of code.

The file is the example of workflow/papers/README.md, whose YAML blocks are one whole paper.
"""

import base64
import html
import json
import re

import pytest
from checkout import EXAMPLE as KEY
from checkout import SEEDS, Checkout, new_example
from refashion.paper import papers
from safetensors.numpy import load_file

SEED = SEEDS[0]
RESULTS = "results/smoke"


@pytest.fixture(scope="module")
def sixth(tmp_path_factory) -> Checkout:
    """A checkout with this one paper run, at smoke scale and with one seed."""
    checkout = new_example(tmp_path_factory.mktemp("sixth") / "refashion")
    checkout.snakemake("--cores", "2")
    return checkout


@pytest.fixture(scope="module")
def paper(sixth):
    return papers.load_paper(sixth.path(f"workflow/papers/{KEY}.yaml"))


@pytest.fixture(scope="module")
def source(sixth) -> str:
    return sixth.path(f"{RESULTS}/report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(source) -> str:
    """The report's visible text, tags replaced by spaces."""
    source = re.sub(r"<style.*?</style>", " ", source, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", source)).split())


def _summary(sixth, row) -> dict:
    return json.loads(sixth.path(f"{RESULTS}/{KEY}/{row.id}/summary.json").read_text())


def test_every_row_of_the_new_paper_is_trained_and_no_other(sixth, paper):
    assert {folder.name for folder in sixth.path(f"{RESULTS}/{KEY}").iterdir()} == {
        row.id for row in paper.rows
    }
    assert not sixth.path(f"{RESULTS}/caprari2025").exists()
    for row in paper.rows:
        summary = _summary(sixth, row)
        assert (summary["completed"], summary["seeds"]) == (1, [SEED])


def test_its_classifier_keeps_the_encoder_of_its_autoencoder(sixth):
    folder = f"{RESULTS}/{KEY}/{{}}/seed-{SEED}"
    exported = load_file(sixth.path(folder.format("autoencoder")) / "encoder.safetensors")
    classifier = load_file(sixth.path(folder.format("reused")) / "model.safetensors")
    assert exported
    for name, weights in exported.items():
        assert (classifier[f"encoder.{name}"] == weights).all()


def test_the_report_has_its_rows_with_published_and_measured_numbers(sixth, paper, page):
    (table,) = paper.tables
    for line in table.lines:
        row = paper.row(line.row)
        assert row.name in page
        for key, published in line.published.items():
            metric = table.metrics[key]
            factor = 100 if metric.unit == "percent" else 1
            mean = factor * _summary(sixth, row)[metric.at][metric.metric]["mean"]
            digits = metric.digits
            assert f"{published:.{digits}f} {mean:.{digits}f}" in page


def test_the_report_has_its_figure_assumptions_and_claims(sixth, paper, source, page):
    (figure,) = paper.figures
    drawn = sixth.path(f"{RESULTS}/figures/{KEY}/{figure.id}.svg").read_bytes()
    assert base64.b64encode(drawn).decode("ascii") in source
    assert figure.caption in page
    assert all(assumption.question in page for assumption in paper.assumptions)
    assert all(claim.text in page for claim in paper.claims)
