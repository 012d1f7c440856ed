"""What the workflow promises: the report, single rows, and what reruns when something changes."""

import csv
import html
import json
import os
import re
import statistics
import subprocess
import time

import pytest
import yaml
from checkout import SEEDS
from refashion.paper import papers

RESULTS = "results/smoke"
PAPER = "workflow/papers/caprari2025.yaml"


@pytest.fixture(scope="module")
def all_papers(finished):
    """Every paper, as config.yaml names them."""
    config = yaml.safe_load(finished.path("config.yaml").read_text(encoding="utf-8"))
    return [papers.load_paper(finished.path(f"workflow/papers/{k}.yaml")) for k in config["papers"]]


@pytest.fixture(scope="module")
def rows(all_papers):
    return [row for paper in all_papers for row in paper.rows]


@pytest.fixture(scope="module")
def paper(all_papers):
    return all_papers[0]


def visible_text(file) -> str:
    """The text of an HTML file, tags replaced by spaces."""
    source = file.read_text(encoding="utf-8")
    source = re.sub(r"<style.*?</style>", " ", source, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", source)).split())


@pytest.fixture(scope="module")
def page(finished) -> str:
    return visible_text(finished.path(f"{RESULTS}/report.html"))


def _runs(finished, row) -> list[dict]:
    folder = f"{RESULTS}/{row.paper}/{row.id}"
    return [
        json.loads(finished.path(f"{folder}/seed-{seed}/metrics.json").read_text())
        for seed in SEEDS
    ]


def _value(run, metric, at) -> float:
    """A metric of a run at its own best, or of an epoch."""
    return run[at][metric]["value"] if at == "best" else run[at][metric]


def test_report_sets_every_published_number_beside_the_mean_of_what_was_measured(
    finished, all_papers, page
):
    compared = 0
    for paper in all_papers:
        for table in paper.tables:
            for line in table.lines:
                row = paper.row(line.row)
                runs = _runs(finished, row)
                for key, published in line.published.items():
                    column = table.metrics[key]
                    factor = 100 if column.unit == "percent" else 1
                    values = [factor * _value(run, column.metric, column.at) for run in runs]
                    mean, spread = statistics.mean(values), statistics.stdev(values)
                    digits = column.digits
                    cell = f"{published:.{digits}f} {mean:.{digits}f} ± {spread:.{digits}f}"
                    assert cell in page, f"{row.name}, {table['label']}, {key}: {cell}"
                    compared += 1
    assert compared == 46 + 24  # caprari2025's tables and ochotorena2023's


def test_report_sets_published_matrices_beside_the_measured_ones(finished, all_papers, page):
    paper = next(paper for paper in all_papers if paper.key == "palacio2025")
    for row, accuracy in (("clf-scratch", 92.37), ("clf-pre", 82.03)):  # counted on the diagonals
        measured = [100 * run["kept"]["val_accuracy"] for run in _runs(finished, paper.row(row))]
        mean, spread = statistics.mean(measured), statistics.stdev(measured)
        assert f"All: accuracy {accuracy:.2f} {mean:.2f} ± {spread:.2f}" in page


def test_report_has_assumptions_figures_and_how_it_was_run(all_papers, page):
    straight = page.translate(str.maketrans("‘’“”", "''\"\""))
    for paper in all_papers:
        for figure in paper.figures:
            assert figure.label in page
        for assumption in paper.assumptions:
            assert assumption.question in straight
        assert f"{len(paper.rows)} of {len(paper.rows)}" in page
    for label in ("Commit", "Seeds", "Trained on", "Trained with", "Images' SHA-256", "Date"):
        assert label in straight


def test_one_paper_by_name_trains_that_paper_alone(fresh, rows):
    planned = fresh.planned("palacio2025")
    trained = {rule.removeprefix("train_") for rule in planned if rule.startswith("train_")}
    assert trained == {row.name for row in rows if row.paper == "palacio2025"}
    assert {"palacio2025", "report_palacio2025", "pdf_palacio2025"} <= planned
    assert not {"report", "pdf"} & planned


def test_one_paper_has_a_document_of_its_own(copy_of_finished, all_papers):
    copy_of_finished.snakemake("--cores", "2", "--", "magallanes2022")
    for ending in ("html", "tex", "pdf"):
        assert copy_of_finished.path(f"{RESULTS}/magallanes2022.{ending}").exists()
    page = visible_text(copy_of_finished.path(f"{RESULTS}/magallanes2022.html"))
    for paper in all_papers:
        assert (paper.citation.title in page) == (paper.key == "magallanes2022")


def test_reference_keeps_what_a_reader_needs_to_check_it(copy_of_finished, all_papers):
    copy_of_finished.snakemake("--cores", "2", "--", "reference_borgnino2023")
    kept = copy_of_finished.path("results/reference/smoke")
    with (kept / "borgnino2023.csv").open() as file:
        lines = list(csv.DictReader(file))
    paper = next(paper for paper in all_papers if paper.key == "borgnino2023")
    assert {line["row"] for line in lines} == {row.id for row in paper.rows}
    environment = json.loads((kept / "borgnino2023.json").read_text())
    assert environment["seeds"] == list(SEEDS)
    for line in lines:
        folders = [kept / "borgnino2023" / line["row"] / f"seed-{seed}" for seed in SEEDS]
        runs = [json.loads((folder / "metrics.json").read_text()) for folder in folders]
        values = [_value(run, line["metric"], line["at"]) for run in runs]
        assert float(line["mean"]) == pytest.approx(statistics.mean(values))
        assert all((folder / "history.csv").exists() for folder in folders)


def test_smoke_report_says_on_every_page_that_it_is_no_evidence(finished, page):
    assert "it is no evidence" in page
    pdf = finished.path(f"{RESULTS}/report.pdf")
    text = subprocess.run(
        ["pdftotext", "-layout", str(pdf), "-"], capture_output=True, text=True, check=True
    ).stdout
    pages = text.rstrip("\f").split("\f")
    assert len(pages) > 5
    assert all("no evidence" in " ".join(one.split()) for one in pages)


def test_report_is_one_file_that_loads_nothing(finished):
    source = finished.path(f"{RESULTS}/report.html").read_text(encoding="utf-8")
    assert not re.findall(r'(?:src|href)="(?!data:|#|https://)', source)
    assert "<script" not in source
    assert "<link" not in source


def test_all_rows_of_the_first_seed_are_trained_before_those_of_the_second(finished, rows):
    def finish_times(seed):
        return sorted(
            finished.path(f"{RESULTS}/{row.paper}/{row.id}/seed-{seed}/metrics.json")
            .stat()
            .st_mtime
            for row in rows
        )

    # Two cores: when the first run of the second seed ends, one of the first may still be going.
    assert finish_times(1)[0] >= finish_times(0)[-2]


def test_a_row_in_two_tables_is_trained_once(finished, paper):
    folders = {path.name for path in finished.path(f"{RESULTS}/{paper.key}").iterdir()}
    assert folders == {row.id for row in paper.rows}
    assert paper.row("t5-base") is paper.row("t4-arch2-nolinear")
    assert finished.planned("caprari2025_t5_base") == set()


def test_every_history_has_a_line_per_epoch_and_metrics_name_their_extremes(finished, rows):
    for row in rows:
        folder = finished.path(f"{RESULTS}/{row.paper}/{row.id}/seed-0")
        with (folder / "history.csv").open() as file:
            history = list(csv.DictReader(file))
        metrics = json.loads((folder / "metrics.json").read_text())
        assert [int(line["epoch"]) for line in history] == [1, 2]
        for name, best in metrics["best"].items():
            column = [float(line[name]) for line in history]
            assert best["value"] == (max if "accuracy" in name else min)(column)
            assert metrics["final"][name] == column[-1]


def test_classifier_reuses_exactly_the_encoder_of_its_seed_and_leaves_it_frozen(finished):
    from safetensors.numpy import load_file

    for seed in SEEDS:
        folder = f"{RESULTS}/caprari2025/{{}}/seed-{seed}"
        exported = load_file(
            finished.path(folder.format("t4-arch2-nolinear")) / "encoder.safetensors"
        )
        classifier = load_file(finished.path(folder.format("t8-pretrained")) / "model.safetensors")
        assert set(exported) == {"0.0.weight", "0.0.bias", "2.0.weight", "2.0.bias"}
        for name, weights in exported.items():
            assert (classifier[f"encoder.{name}"] == weights).all()


def test_second_run_has_nothing_to_do(finished):
    assert finished.planned() == set()


def test_touching_files_reruns_nothing(finished):
    now = time.time()
    touched = [
        "training/loop.py",
        "training/networks.py",
        "results/summary.py",
        "report/figures/charts.py",
        "report/page.py",
    ]
    for file in [f"workflow/refashion/{name}" for name in touched] + [
        PAPER,
        "report/templates/report.j2",
        "config.yaml",
        "results/dataset/smoke.safetensors",
        "results/dataset/smoke.sha256",
    ]:
        os.utime(finished.path(file), (now, now))
    assert finished.planned() == set()


def test_editing_the_trainer_retrains_every_row(copy_of_finished, rows):
    copy_of_finished.edit("workflow/refashion/training/loop.py", lambda text: text + "\n# edited\n")
    assert {f"train_{row.name}" for row in rows} <= copy_of_finished.planned()


def test_editing_a_template_remakes_only_the_report(copy_of_finished):
    copy_of_finished.edit("report/templates/style.css.j2", lambda text: text + "\n/* edited */\n")
    assert copy_of_finished.planned() - {"all"} == {"report", "pdf"}


def test_editing_the_figures_module_redraws_and_retrains_nothing(copy_of_finished, all_papers):
    copy_of_finished.edit(
        "workflow/refashion/report/figures/charts.py", lambda text: text + "\n# edited\n"
    )
    planned = copy_of_finished.planned()
    assert not any(rule.startswith("train_") for rule in planned)
    drawn = sum(len(paper.figures) for paper in all_papers)
    assert sum(rule.startswith("draw_") for rule in planned) == drawn


def test_correcting_a_published_number_remakes_only_what_judges_it(copy_of_finished):
    copy_of_finished.edit(PAPER, lambda text: text.replace("0.6102", "0.6103"))
    judging = {
        "diagnose_caprari2025",
        "draw_verdicts_caprari2025",
        "scorecard",
        "report",
        "pdf",
    }
    assert copy_of_finished.planned() - {"all"} == judging


def test_correcting_a_published_matrix_redraws_its_figure_and_remakes_the_report(copy_of_finished):
    copy_of_finished.edit(
        "workflow/papers/palacio2025.yaml",
        lambda text: text.replace("[875, 0, 21,", "[874, 0, 22,"),
    )
    assert copy_of_finished.planned() - {"all"} == {
        "diagnose_palacio2025",
        "draw_palacio2025_figure_9a",
        "draw_verdicts_palacio2025",
        "scorecard",
        "report",
        "pdf",
    }


def test_changing_a_learning_rate_retrains_that_row_alone(copy_of_finished):
    row = "{id: t5-p04, "
    copy_of_finished.edit(PAPER, lambda text: text.replace(row, row + "learning_rate: 0.002, "))
    planned = copy_of_finished.planned()
    assert {rule for rule in planned if rule.startswith("train_")} == {"train_caprari2025_t5_p04"}


def test_a_row_by_name_trains_that_row_and_the_encoder_it_needs(fresh):
    fresh.snakemake("--cores", "2", "--", "caprari2025_t8_pretrained")
    folders = {path.name for path in fresh.path(f"{RESULTS}/caprari2025").iterdir()}
    assert folders == {"t8-pretrained", "t4-arch2-nolinear"}
    summary = fresh.path(f"{RESULTS}/caprari2025/t8-pretrained/summary.json")
    assert json.loads(summary.read_text())["completed"] == len(SEEDS)


def test_one_core_gives_the_same_bits_as_two(finished, fresh):
    fresh.snakemake("--cores", "1", "--", "caprari2025_t9_b256")
    for seed in SEEDS:
        model = f"{RESULTS}/caprari2025/t9-b256/seed-{seed}/model.safetensors"
        assert fresh.path(model).read_bytes() == finished.path(model).read_bytes()


def test_a_diverging_row_is_reported_and_the_others_go_on(copy_of_finished):
    row = "{id: t9-n2_128-sgd, "
    copy_of_finished.edit(PAPER, lambda text: text.replace(row, row + "learning_rate: 1.0e+30, "))
    copy_of_finished.snakemake("--cores", "2")
    folder = f"{RESULTS}/caprari2025/t9-n2_128-sgd"
    metrics = json.loads(copy_of_finished.path(f"{folder}/seed-0/metrics.json").read_text())
    assert (metrics["status"], metrics["diverged_at_epoch"]) == ("diverged", 1)
    report = copy_of_finished.path(f"{RESULTS}/report.html").read_text(encoding="utf-8")
    assert "Diverged at epoch 1 (2 of 2 seeds)" in report


def test_bad_input_stops_before_any_job_and_names_file_key_and_way_out(fresh):
    fresh.edit(PAPER, lambda text: text.replace("dropout: 0.4}", "dropout: 1.4}", 1))
    printed = fresh.snakemake("--cores", "1", fails=True)
    said = r"caprari2025\.yaml:\d+: rows\[\d+\]\.dropout: 1\.4 is not in \[0, 1\)"
    assert re.search(said, printed)
    assert "Traceback" not in printed
    assert not fresh.path(RESULTS).exists()


def test_images_that_are_not_fashion_mnist_stop_the_run_and_leave_nothing(fresh, tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for name in (
        "train-images-idx3-ubyte",
        "train-labels-idx1-ubyte",
        "t10k-images-idx3-ubyte",
        "t10k-labels-idx1-ubyte",
    ):
        (folder / name).write_bytes(b"no images")
    fresh.edit("config.yaml", lambda text: text.replace("folder: null", f"folder: {folder}"))
    printed = fresh.snakemake("--cores", "1", "--", "caprari2025_t9_b256", fails=True)
    assert "train-images-idx3-ubyte" in printed
    assert "sha256" in printed.lower()
    assert not list(fresh.path("results/dataset").glob("*.safetensors"))
