"""A run's files are read as their row's, or refused by name."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import synthetic
from checkout import ROOT
from refashion import __main__ as verbs
from refashion.errors import UserError
from refashion.judging import claims as verdicts
from refashion.judging.diagnosis import runs as diagnosis
from refashion.paper import papers
from refashion.report.figures import kinds
from refashion.results.files import write_record
from refashion.results.paths import Kept, run_folder, summary_file
from refashion.results.reference import write_reference
from refashion.results.run import Metrics, Run, read_runs
from refashion.results.summary import Summary, load_summaries

PAPER = synthetic.paper(note="plain")
ROW, OTHER = PAPER.row("t1-small"), PAPER.row("t1-wide")
PAPERS = sorted((ROOT / "workflow/papers").glob("*.yaml"))
DRAWN = PAPER.figures[0].model_copy(update={"rows": (ROW.id,)})


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    root = tmp_path_factory.mktemp("results")
    for row in PAPER.rows:
        files = [synthetic.write_run(row, root, seed) for seed in (0, 1)]
        write_record(synthetic.summarised(PAPER, files), summary_file(root, row))
    return root


@pytest.fixture
def root(finished, tmp_path):
    return Path(shutil.copytree(finished, tmp_path / "results"))


def edit(file, **changes):
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def with_rate(row, learning_rate):
    return replace(row, spec=row.spec.model_copy(update={"learning_rate": learning_rate}))


def summarise(root, seeds=(0, 1)):
    verbs.summarise(
        paper=PAPER,
        row=ROW.id,
        seeds=seeds,
        metrics=[run_folder(root, ROW, seed) / "metrics.json" for seed in seeds],
        out=summary_file(root, ROW),
    )


READERS = {
    "summarise": summarise,
    "claims": lambda root: verdicts.evaluate(PAPER, read_runs(PAPER, root, [0, 1]), {}),
    "diagnose": lambda root: diagnosis.load_runs(PAPER, root, [0, 1]),
    "figure": lambda root: kinds.make(PAPER, DRAWN, root, [0, 1]),
    "reference": lambda root: write_reference(
        PAPER, root, [0, 1], synthetic.MADE, Kept(root / "kept", PAPER.key)
    ),
}


def from_another_row(folder, root):
    shutil.copy(run_folder(root, OTHER, 1) / "metrics.json", folder)


def from_another_seed(folder, root):
    shutil.copy(run_folder(root, ROW, 0) / "metrics.json", folder)


def from_before_the_row_was_changed(folder, root):
    synthetic.write_run(with_rate(ROW, 0.01), root, 1)


MISTAKES = {
    from_another_row: r"row: t1-wide, and t1-small is asked for",
    from_another_seed: r"seed: 0, and 1 is asked for",
    from_before_the_row_was_changed: r"spec_sha256: \w+, and \w+ is asked for",
    lambda folder, _: edit(folder / "metrics.json", paper="made2021"): r"paper: made2021, and",
    lambda folder, _: edit(folder / "metrics.json", schema=1): r"schema: Input should be 2",
    lambda folder, _: edit(folder / "metrics.json", final={}): r"completed, and without a number",
}


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
@pytest.mark.parametrize(("spoil", "said"), MISTAKES.items(), ids=range(len(MISTAKES)))
def test_a_run_that_is_not_the_row_s_is_refused_by_all_who_read_it(root, read, spoil, said):
    spoil(run_folder(root, ROW, 1), root)
    with pytest.raises(UserError, match=rf"seed-1/metrics\.json: .*{said}.*; remove it and train"):
        read(root)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"final": {"val_loss": float("nan")}}, r"final\.val_loss.*finite number"),
        ({"final": {"val_accuracy": 7}}, r"final: val_accuracy: 7 is not in \[0, 1\]"),
        ({"kept": {"val_loss": -0.5}}, r"kept: val_loss: -0.5 is not in \[0, inf\]"),
        ({"best": {"val_loss": {"value": -1.0, "epoch": 3}}}, r"best: val_loss: -1.0 is not in"),
        ({"confusion": [[0] * 10] * 9}, "confusion: .*at least 10"),
        ({"epochs": "30"}, "epochs: .*valid integer"),
        ({"unheard": 1}, "unheard: Extra"),
    ],
)
def test_what_no_training_can_have_measured_is_refused(root, changes, said):
    file = run_folder(root, ROW, 0) / "metrics.json"
    edit(file, **changes)
    with pytest.raises(UserError, match=rf"metrics\.json: {said}.*; remove it"):
        Metrics.read(file, ROW, 0)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda lines: lines[:3] + lines[4:], "not a line for each of 30 epochs"),
        (lambda lines: lines[:-1], "not a line for each of 30 epochs"),
        (lambda lines: [lines[0].replace("epoch", "step"), *lines[1:]], "not a line for each of"),
        (lambda lines: [*lines[:-1], "30,x\n"], "not a table of numbers"),
        (lambda lines: [*lines[:-1], "30" + ",nan" * lines[0].count(",")], "no number"),
    ],
)
def test_a_history_with_gaps_is_refused(root, spoil, said):
    file = run_folder(root, ROW, 0) / "history.csv"
    file.write_text("".join(spoil(file.read_text().splitlines(keepends=True))))
    with pytest.raises(UserError, match=rf"history\.csv: .*{said}.*; remove it"):
        Run.read(file.parent, ROW, 0)
    assert Run.read(file.parent, ROW, 0, history=False).history == ()


def test_outputs_that_are_no_safetensors_are_refused_and_missing_ones_are_none(root):
    file = run_folder(root, ROW, 0) / "outputs.safetensors"
    file.write_bytes(b"half")
    with pytest.raises(UserError, match=r"outputs\.safetensors: not safetensors"):
        Run.read(file.parent, ROW, 0)
    assert Run.read(file.parent, ROW, 0, outputs=False).outputs == {}
    file.unlink()
    assert Run.read(file.parent, ROW, 0).outputs == {}


def test_a_run_of_fewer_epochs_is_still_the_row_s(root):
    file = synthetic.write_run(ROW, root, 0, epochs=2)
    run = Run.read(file.parent, ROW, 0)
    assert (run.metrics.epochs, run.metrics.spec["epochs"], len(run.history)) == (2, 2, 2)
    assert ROW.spec.epochs == 30


def test_a_summary_of_other_settings_is_refused(root):
    changed = replace(PAPER, rows=(with_rate(ROW, 0.01), *PAPER.rows[1:]))
    with pytest.raises(UserError, match=r"t1-small/summary\.json: spec_sha256: .*; remove it"):
        load_summaries(changed, root)
    summary_file(root, OTHER).replace(summary_file(root, ROW))
    with pytest.raises(UserError, match=r"t1-small/summary\.json: row: t1-wide, and t1-small"):
        load_summaries(PAPER, root)


def test_a_summary_comes_back_as_it_was_written(root):
    files = [run_folder(root, ROW, seed) / "metrics.json" for seed in (0, 1)]
    summary = synthetic.summarised(PAPER, files)
    assert Summary.read(summary_file(root, ROW), ROW) == summary
    collapsed = summary.model_copy(update={"collapsed": (1,)})
    write_record(collapsed, summary_file(root, ROW))
    assert "collapsed" not in json.loads(summary_file(root, ROW).read_text())


@pytest.mark.parametrize("file", PAPERS, ids=lambda file: file.stem)
def test_what_is_kept_of_a_paper_is_what_its_rows_leave_byte_by_byte(file):
    paper, found = papers.load_paper(file), 0
    for scale in ("smoke", "paper", "paper/studies"):
        root = ROOT / "results/reference" / scale
        for row in (*paper.rows, *paper.study_rows):
            for folder in (root / paper.key / row.id).glob("seed-*"):
                run = Run.read(folder, row, int(folder.name.removeprefix("seed-")))
                written = json.dumps(run.metrics.model_dump(mode="json"), indent=2) + "\n"
                assert written == (folder / "metrics.json").read_text(encoding="utf-8")
                found += 1
    assert found
