"""Statistics over seeds and comparison with published numbers, against hand computation."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import synthetic
from hypothesis import given
from hypothesis import strategies as st
from refashion.errors import UserError
from refashion.judging import numbers as evidence
from refashion.judging.statistics import prediction_interval
from refashion.paper.metric import AT
from refashion.report.figures import verdicts
from refashion.results.files import write_record
from refashion.results.paths import Kept
from refashion.results.reference import (
    REFERENCE_COLUMNS,
    RUN_FILES,
    reference_table,
    write_reference,
)
from refashion.results.run import Metrics
from refashion.results.summary import Statistics, Summary, precision, recall, statistics

VAL = "val_loss_batch_mean"
MARGINS = synthetic.margins(reconstruction_error=0.003, cross_entropy=0.01, accuracy=0.5, epochs=2)


@pytest.fixture
def paper():
    return synthetic.paper(note="plain")


@pytest.fixture
def stopping():
    return synthetic.stopping_paper()


def write(paper, root, row, values, metric=VAL, diverged=()):
    """Runs of ``row`` whose best values are ``values``; final ones are 0.01 higher."""
    files = []
    for seed, value in enumerate(values):
        file = synthetic.write_run(paper.row(row), root, seed, 7 if seed in diverged else None)
        metrics = json.loads(file.read_text())
        metrics["best"][metric] = {"value": value, "epoch": 1}
        metrics["final"][metric] = value + 0.01
        file.write_text(json.dumps(metrics))
        files.append(file)
    return files


def test_spread_is_the_sample_standard_deviation(paper, tmp_path):
    summary = synthetic.summarised(paper, write(paper, tmp_path, "t1-small", [0.58, 0.59, 0.62]))
    # mean 0.596667; squared deviations 2.7778e-4 + 4.4444e-5 + 5.4444e-4 = 8.6667e-4; / 2; root
    assert summary.at("best", VAL).mean == pytest.approx(0.5966666667)
    assert summary.at("best", VAL).sd == pytest.approx(0.0208166600)
    assert summary.at("best", VAL).n == 3
    assert summary.at("best", VAL).values == (0.58, 0.59, 0.62)
    assert summary.at("final", VAL).mean == pytest.approx(0.6066666667)
    assert (summary.seeds, summary.completed, summary.diverged) == ((0, 1, 2), 3, 0)
    assert summary.devices == ("Some CPU @ 2.00GHz",)
    file = tmp_path / "summary.json"
    write_record(summary, file)
    assert Summary.read(file, paper.row("t1-small")) == summary


def test_one_seed_has_no_spread(paper, tmp_path):
    summary = synthetic.summarised(paper, write(paper, tmp_path, "t1-small", [0.58]))
    assert summary.at("best", VAL) == Statistics(mean=0.58, sd=None, n=1, values=(0.58,))


def test_diverged_runs_are_counted_but_left_out(paper, tmp_path):
    summary = synthetic.summarised(
        paper, write(paper, tmp_path, "t1-small", [0.5, 9.0, 0.6], diverged=[1])
    )
    assert summary.at("best", VAL).values == (0.5, 0.6)
    assert (summary.completed, summary.diverged) == (2, 1)
    assert summary.diverged_at_epoch == (7,)


def test_seeds_may_stop_after_different_epochs(stopping, tmp_path):
    row = stopping.row("m5")  # stops as many epochs early as the seed says
    runs = {seed: synthetic.write_run(row, tmp_path, seed) for seed in (2, 0, 1)}
    lowest = json.loads(runs[1].read_text())
    lowest["lowest"] = lowest["kept"] = {"epoch": 20, "val_loss": 0.3}
    runs[1].write_text(json.dumps(lowest))
    summary = synthetic.summarised(stopping, list(runs.values()))
    assert summary.epochs == (30, 29, 28)
    assert summary.stopped_early == 2
    assert summary.at("final", "epoch").values == (30, 29, 28)
    assert summary.at("lowest", "epoch").mean == pytest.approx((30 + 20 + 28) / 3)
    assert summary.at("kept", "val_loss").values[1] == 0.3
    assert "epoch" not in summary.best


def test_confusion_matrices_are_averaged_and_recall_has_a_spread(paper, tmp_path):
    # Of the ten images of each class the first run takes all, the second half, for the next class.
    files = [synthetic.write_run(paper.row("t2-classifier"), tmp_path, seed) for seed in (0, 1)]
    shifted = np.roll(np.eye(10, dtype=int), 1, axis=1)
    for file, matrix in zip(
        files, (10 * shifted, 5 * np.eye(10, dtype=int) + 5 * shifted), strict=True
    ):
        file.write_text(json.dumps(json.loads(file.read_text()) | {"confusion": matrix.tolist()}))
    summary = synthetic.summarised(paper, files)
    assert summary.confusion[0][:3] == (2.5, 7.5, 0.0)
    assert summary.recall[3] == statistics([0, 0.5])
    assert summary.precision[3] == statistics([0, 0.5])
    files = [synthetic.write_run(paper.row("t1-small"), tmp_path, seed) for seed in (0, 1)]
    reconstruction = synthetic.summarised(paper, files)
    assert all(getattr(reconstruction, key) is None for key in ("confusion", "recall", "precision"))


def test_recall_and_precision_of_a_matrix():
    matrix = np.diag(np.full(10, 8.0))
    matrix[0, :2], matrix[2, :3] = (6, 2), (2, 6, 0)  # class 2 is never predicted
    assert recall(matrix)[:3] == pytest.approx([0.75, 1, 0])
    assert precision(matrix)[:3] == pytest.approx([6 / 8, 8 / 16, 0])


def test_a_row_that_always_diverges_has_no_numbers(paper, tmp_path):
    summary = synthetic.summarised(paper, write(paper, tmp_path, "t1-small", [9.0], diverged=[0]))
    assert all(summary.of(at) == {} for at in AT)
    line = evidence.compare_table(paper, paper.tables[0], {"t1-small": summary})[0]
    assert line.numbers["val"].mean is None
    assert line.numbers["val"].difference is None


def test_order_of_files_does_not_matter(paper, tmp_path):
    files = write(paper, tmp_path, "t1-small", [0.58, 0.59, 0.62])
    assert synthetic.summarised(paper, files[::-1]) == synthetic.summarised(paper, files)


def test_runs_of_different_specs_are_refused(paper, tmp_path):
    files = write(paper, tmp_path, "t1-small", [0.58, 0.59])
    metrics = json.loads(files[1].read_text()) | {"spec_sha256": "f" * 64}
    files[1].write_text(json.dumps(metrics))
    with pytest.raises(UserError, match=r"seed-1/metrics\.json: spec_sha256: ffff"):
        synthetic.summarised(paper, files)


def test_a_seed_given_twice_is_refused(paper, tmp_path):
    (file,) = write(paper, tmp_path, "t1-small", [0.58])
    with pytest.raises(UserError, match="only once"):
        synthetic.summarised(paper, [file, file])


def test_a_missing_or_broken_file_is_named(paper, tmp_path):
    row = paper.row("t1-small")
    with pytest.raises(UserError, match=r"gone\.json: not there"):
        Metrics.read(tmp_path / "gone.json", row, 0)
    (tmp_path / "half.json").write_text('{"row":')
    with pytest.raises(UserError, match=r"half\.json: not JSON"):
        Metrics.read(tmp_path / "half.json", row, 0)


def test_comparison_follows_the_table_and_puts_variants_under_their_row(paper, tmp_path):
    summaries = {
        row: synthetic.summarised(paper, write(paper, tmp_path, row, values))
        for row, values in {"t1-small": [0.601, 0.603], "t1-wide-sgd": [0.7, 0.7]}.items()
    }
    lines = evidence.compare_table(paper, paper.tables[0], summaries)
    assert [line.row.id for line in lines] == ["t1-small", "t1-wide", "t1-wide-sgd"]
    assert [line.ours for line in lines] == [False, False, True]
    small, untrained, variant = (line.numbers["val"] for line in lines)
    assert small.difference == pytest.approx(0.602 - 0.6)
    assert (small.n, small.published) == (2, 0.6)
    assert untrained.mean is None and untrained.published == 0.59
    assert variant.published is None
    assert variant.difference == pytest.approx(0.7 - 0.59)  # from the row that it varies


def test_percentages_are_compared_as_percentages(paper, tmp_path):
    metric = "val_accuracy_batch_mean"
    files = write(paper, tmp_path, "t2-classifier", [0.92, 0.93], metric=metric)
    summaries = {"t2-classifier": synthetic.summarised(paper, files)}
    number = evidence.compare_table(paper, paper.tables[1], summaries)[0].numbers["accuracy"]
    assert number.mean == pytest.approx(92.5)
    assert number.sd == pytest.approx(0.70710678)
    assert number.difference == pytest.approx(92.5 - 92.53)


def test_prediction_interval_is_that_of_a_table_of_students_t():
    """Three values: t of 0.975 with 2 degrees of freedom is 4.303 in every printed table."""
    low, high = prediction_interval([1.0, 2.0, 3.0])
    half = 4.303 * 1.0 * np.sqrt(1 + 1 / 3)
    assert (low, high) == (pytest.approx(2 - half, abs=1e-3), pytest.approx(2 + half, abs=1e-3))
    assert prediction_interval([1.0]) is None
    assert prediction_interval([]) is None


VALUES = st.lists(st.floats(-1000, 1000), min_size=2, max_size=8)


@given(VALUES, st.floats(-1000, 1000), st.floats(0.01, 100))
def test_prediction_interval_moves_and_stretches_with_its_values(values, shift, factor):
    low, high = prediction_interval(values)
    assert low <= np.mean(values) <= high
    moved = prediction_interval([factor * value + shift for value in values])
    expected = (factor * low + shift, factor * high + shift)
    assert moved == pytest.approx(expected, rel=1e-6, abs=1e-6)


@given(VALUES, st.permutations(range(8)))
def test_prediction_interval_does_not_depend_on_the_order_of_seeds(values, order):
    shuffled = [values[index] for index in order if index < len(values)]
    expected = prediction_interval(values)
    assert prediction_interval(shuffled) == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_intervals_hold_the_next_run_as_often_as_they_say():
    """Of 4,000 next runs 95 % lie inside, within five standard errors of that share."""
    draws = np.random.default_rng(0).normal(size=(4000, 4))
    held = 0
    for *values, following in draws:
        low, high = prediction_interval(values)
        held += low <= following <= high
    assert abs(held / 4000 - 0.95) < 5 * np.sqrt(0.95 * 0.05 / 4000)


@pytest.mark.parametrize(
    ("published", "values", "verdict"),
    [
        # Mean 0.600, sd 0.001: the interval is 0.600 ± 4.303 · 0.001 · √(4/3) = ± 0.00497.
        (0.600, [0.599, 0.600, 0.601], "reproduced"),
        (0.605, [0.599, 0.600, 0.601], "reproduced"),
        (0.6054, [0.599, 0.600, 0.601], "close"),  # 0.00043 outside, printed to 0.0001
        (0.608, [0.599, 0.600, 0.601], "close"),
        (0.6101, [0.599, 0.600, 0.601], "differs"),
        (0.591, [0.600, 0.600, 0.600], "close"),
        (0.600, [0.600], "single run"),
        (0.600, [], "not comparable"),
    ],
)
def test_verdict_on_a_published_number(published, values, verdict):
    number = evidence.compare(published, statistics(values), "loss", digits=4)
    assert number.judge(margin=0.01) == verdict


def test_verdict_allows_for_the_printed_precision():
    """Equal runs have an interval of no width: half a unit of the last digit is what is left."""
    for published, verdict in ((90.05, "reproduced"), (90.06, "differs")):
        number = evidence.compare(published, statistics([0.9, 0.9]), "percent", digits=1)
        assert number.judge(margin=0) == verdict


def test_an_epoch_that_a_row_is_told_to_keep_is_no_number_found_again(stopping, tmp_path):
    row = stopping.row("m5")
    summaries = {"m5": synthetic.summarised(stopping, [synthetic.write_run(row, tmp_path, 0)])}
    metric = {"metric": "epoch", "at": "kept", "label": "Epoch", "unit": "epochs", "digits": 0}
    lines = [{"row": "m5", "published": {"kept": 15}}]
    table = {"id": "t", "label": "T", "caption": "Epochs", "settings": []}
    table |= {"metrics": {"kept": metric}, "lines": lines}
    alone = synthetic.stopping_data() | {"tables": [table], "confusion_matrices": []}
    for keep, verdict in (
        (15, "not comparable"),
        ("last", "not comparable"),
        ("best", "single run"),
    ):
        paper = synthetic.load(synthetic.changed(alone, "rows", "m5", keep=keep))
        (number,) = evidence.published_numbers(paper, summaries, MARGINS)
        assert number.verdict == verdict
        assert (number.reason == "the row is told this epoch") == (verdict == "not comparable")


def test_every_published_number_has_a_verdict(paper, tmp_path):
    summaries = {
        "t1-small": synthetic.summarised(paper, write(paper, tmp_path, "t1-small", [0.60, 0.60]))
    }
    numbers = evidence.published_numbers(paper, summaries, MARGINS)
    assert {number.verdict for number in numbers} <= {*evidence.NumberVerdict}
    untrained = [number for number in numbers if number.row != "t1-small"]
    assert {number.verdict for number in untrained} == {"not comparable"}


def test_a_verdict_is_qualified_by_what_its_runs_went_through(paper, tmp_path):
    """0.60 is printed: 0.62 ± 0.02 has it in its interval, far from the margin of 0.003."""

    def of(values, diverged=(), collapsed=()):
        files = write(paper, tmp_path / str(values), "t1-small", values, diverged=diverged)
        summaries = {
            "t1-small": synthetic.summarised(paper, files).model_copy(
                update={"collapsed": collapsed}
            )
        }
        numbers = evidence.published_numbers(paper, summaries, MARGINS)
        (number,) = (n for n in numbers if (n.row, n.metric) == ("t1-small", VAL))
        return number.verdict, number.reason

    printed = 0.6
    spread = [printed + 0.02, printed + 0.04, printed + 0.0]
    assert of(spread) == ("reproduced", "by the runs’ spread alone")
    near = [printed + 0.002, printed, printed - 0.001]
    assert of(near) == ("reproduced", "")
    assert of(near, diverged=[1]) == ("reproduced", "1 of 3 runs diverged")
    assert of(near, diverged=[1, 2]) == ("single run", "2 of 3 runs diverged")
    collapsed = of(spread, collapsed=[1])
    assert collapsed == ("reproduced", "1 of 3 runs collapsed; by the runs’ spread alone")


def test_each_published_number_has_a_line_with_its_runs_in_margins(paper, tmp_path):
    """0.6 is printed, the margin 0.003: runs at 0.6015 and 0.609 are half and three margins off."""
    summaries = {
        "t1-small": synthetic.summarised(paper, write(paper, tmp_path, "t1-small", [0.6015, 0.609]))
    }
    numbers = evidence.published_numbers(paper, summaries, MARGINS)
    (axes,) = verdicts.strips(numbers).axes
    named = dict(zip(axes.get_yticks(), axes.get_yticklabels(), strict=True))
    runs = {
        named[line.get_ydata()[0]].get_text(): sorted(line.get_xdata())
        for line in axes.lines
        if line.get_marker() == "o"
    }
    labels = {number.metric: number.label for number in numbers}
    assert runs[f"t1-small: {labels[VAL]}"] == pytest.approx([0.5, 3])
    # What was not measured has its line too, and the reason.
    assert len(named) == len(numbers) + len({number.place for number in numbers})
    said = [text.get_text().strip() for text in axes.texts]
    assert said == [number.reason for number in numbers if number.difference is None]


def test_no_interval_goes_beyond_what_a_number_can_be():
    number = evidence.compare(90.0, statistics([0.92, 0.92, 0.10]), "percent", digits=1)
    assert number.interval == (0.0, 100.0)
    number = evidence.compare(0.1, statistics([0.1, 0.3]), "loss", digits=1)
    assert number.interval[0] == 0 and number.interval[1] > 1


def test_largest_differences_rank_like_with_like(paper, tmp_path):
    summaries = {
        row: synthetic.summarised(paper, write(paper, tmp_path, row, values, metric=metric))
        for row, values, metric in (
            ("t1-small", [0.605], VAL),
            ("t1-wide", [0.5], VAL),
            ("t2-classifier", [0.9], "val_accuracy_batch_mean"),
        )
    }
    numbers = evidence.published_numbers(paper, summaries, MARGINS)
    assert sum(number.difference is not None for number in numbers) == 5
    errors, accuracies = evidence.largest_differences(numbers, count=1)
    assert (*errors.kind, errors.count) == ("reconstruction", "loss", 4)
    assert errors.largest[0].row == "t1-wide"
    assert errors.largest[0].difference == pytest.approx(-0.09)
    assert accuracies.largest[0].difference == pytest.approx(-2.53)
    assert accuracies.median == pytest.approx(2.53)


def test_epochs_are_compared_as_they_are_and_what_is_not_printed_has_no_difference(
    stopping, tmp_path
):
    row = stopping.row("m5")
    files = [synthetic.write_run(row, tmp_path, seed) for seed in (0, 2)]
    summaries = {"m5": synthetic.summarised(stopping, files)}
    numbers = evidence.compare_table(stopping, stopping.tables[0], summaries)[0].numbers
    assert (numbers["stop"].published, numbers["stop"].mean) == (28, 29)
    assert numbers["stop"].difference == 1
    assert numbers["optimum"].published is numbers["optimum"].difference is None
    assert numbers["optimum"].mean == 29


def test_a_published_confusion_matrix_is_compared_by_class_and_by_cell(stopping, tmp_path):
    # Published: 910 of 1000 are right, 10 taken for each other class. Ours, 100 a class: 95 right
    # in one run, 93 in the other, and all others taken for the next class.
    row = stopping.row("m5")
    files = [synthetic.write_run(row, tmp_path, seed) for seed in (0, 1)]
    for file, right in zip(files, (95, 93), strict=True):
        matrix = np.diag(np.full(10, right)) + (100 - right) * np.roll(np.eye(10, dtype=int), 1, 1)
        kept = {"epoch": 30, "val_accuracy": right / 100}
        metrics = json.loads(file.read_text()) | {"confusion": matrix.tolist(), "kept": kept}
        file.write_text(json.dumps(metrics))
    summaries = {"m5": synthetic.summarised(stopping, files)}
    compared = evidence.compare_confusion(stopping, stopping.confusion_matrices[0], summaries)
    assert compared.accuracy.published == pytest.approx(91)
    assert compared.accuracy.difference == pytest.approx(94 - 91)
    for shares in (compared.recall, compared.precision):
        assert len(shares) == 10
        assert shares[4].published == pytest.approx(91)
        assert (shares[4].mean, shares[4].n) == (pytest.approx(94), 2)
        assert shares[4].sd == pytest.approx(np.std([95, 93], ddof=1))
    difference = compared.measured - compared.published
    assert difference[2, 2] == pytest.approx(940 - 910)
    assert difference[2, 3] == pytest.approx(60 - 10)
    assert difference[2, 7] == pytest.approx(-10)

    untrained = evidence.compare_confusion(stopping, stopping.confusion_matrices[0], {})
    assert untrained.measured is None and untrained.recall[0].mean is None


def test_a_published_confusion_matrix_counts_as_one_number_its_accuracy(stopping, tmp_path):
    file = synthetic.write_run(stopping.row("m5"), tmp_path, 0)
    metrics = json.loads(file.read_text())
    metrics["kept"]["val_accuracy"] = 0.93
    file.write_text(json.dumps(metrics))
    summaries = {"m5": synthetic.summarised(stopping, [file])}
    numbers = evidence.published_numbers(stopping, summaries, MARGINS)
    assert len(numbers) == 5
    measured = [number for number in numbers if number.difference is not None]
    assert [number.table for number in measured] == ["Table 1", "Table 1", "Figure 2"]
    assert measured[2].difference == pytest.approx(93 - 91)


def test_reference_table_has_every_metric_and_what_the_paper_prints_for_it(paper, tmp_path):
    metric = "val_accuracy_batch_mean"
    files = write(paper, tmp_path, "t2-classifier", [0.92, 0.93], metric=metric)
    summary = synthetic.summarised(paper, files)
    lines = reference_table(paper, {"t2-classifier": summary})
    table = pd.DataFrame(lines, columns=REFERENCE_COLUMNS)
    assert [*lines[0]] == REFERENCE_COLUMNS
    assert len(table) == sum(len(summary.of(at)) for at in AT)
    assert set(table["at"]) == {"best", "final", "kept", "lowest"}
    line = table[(table["metric"] == metric) & (table["at"] == "best")].iloc[0]
    assert (line.row, line.n) == ("t2-classifier", 2)
    assert line["mean"] == pytest.approx(0.925)
    assert line.published == pytest.approx(0.9253)  # shares, as in metrics.json
    assert table.published.notna().sum() == 1


def test_reference_keeps_the_runs_and_says_where_they_were_made(stopping, tmp_path):
    results, out = tmp_path / "results", tmp_path / "kept" / "made2021.csv"
    out.parent.mkdir()
    synthetic.write_results(stopping, results, [0, 1])
    write_reference(stopping, results, [0, 1], synthetic.MADE, Kept(out.parent, "made2021"))
    environment = json.loads(out.with_suffix(".json").read_text())
    assert environment["commit"] == synthetic.MADE.commit
    assert environment["seeds"] == [0, 1]
    assert environment["torch"] == ["2.14.1"]
    assert out.read_text().startswith("paper,row,metric,at,n,mean,sd,published\n")
    assert "made2021,m5,val_accuracy,kept,2," in out.read_text()
    kept = {path.relative_to(out.parent).as_posix() for path in out.parent.rglob("*.*")}
    assert "made2021/m6-none/seed-1/history.csv" in kept
    assert len([path for path in kept if path.endswith("metrics.json")]) == 3 * 2
    assert not [path for path in kept if path.endswith(".safetensors")]
    for name in RUN_FILES:
        there = f"made2021/m5/seed-0/{name}"
        assert (out.parent / there).read_bytes() == (results / there).read_bytes()


def test_reference_names_a_run_that_is_missing(stopping, tmp_path):
    with pytest.raises(UserError, match=r"made2021/m5/seed-0/metrics\.json: not there; train"):
        write_reference(stopping, tmp_path, [0], synthetic.MADE, Kept(tmp_path, "made2021"))


def test_report_does_not_need_torch():
    code = (
        "import sys; from refashion.judging import numbers; "
        "from refashion.report import page; "
        "from refashion.report.figures import kinds, readings, verdicts; "
        "assert 'torch' not in sys.modules"
    )
    workflow = Path(evidence.__file__).parents[2]
    subprocess.run([sys.executable, "-c", code], check=True, cwd=workflow)
