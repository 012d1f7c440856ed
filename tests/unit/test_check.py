"""The check: what is within tolerance passes, and everything else is named."""

import copy
import itertools
import json
import math
import re
from dataclasses import replace

import pytest
import synthetic
from checkout import ROOT
from hypothesis import given
from hypothesis import strategies as st
from refashion.errors import UserError
from refashion.judging import check
from refashion.judging import drift as drift_of
from refashion.judging import numbers as evidence
from refashion.judging.claims import ClaimVerdict
from refashion.judging.diagnosis import findings
from refashion.judging.scorecard import (
    Grade,
    GradedClaim,
    GradedFinding,
    GradedNumber,
    grade_paper,
)
from refashion.paper.config import Tolerance, validate_config
from refashion.paper.metric import AT
from refashion.paper.yaml_file import read_yaml
from refashion.report.check import to_markdown
from refashion.results.files import write_record
from refashion.results.paths import Kept
from refashion.results.reference import write_reference

TOLERANCES = Tolerance(loss=0.01, accuracy=0.005, epochs=1, verdict="changed")
CONFIG = synthetic.configured(
    papers=["made2020"],
    scale="smoke",
    seeds=[0, 1],
    margins=synthetic.margins().model_dump(),
    tolerances=dict.fromkeys(("paper", "smoke"), TOLERANCES.model_dump()),
)
MADE = synthetic.MADE
SAME = check.Repeated("t1_small, seed 0", differ=[])


@pytest.fixture
def paper():
    return synthetic.paper(note="plain")


@pytest.fixture
def run(paper):
    return synthetic.metrics(paper.rows[3], 0)


def compare_runs(reference, measured):
    """Both as a metrics.json has them."""
    return drift_of.compare_run(*map(synthetic.unchecked, (reference, measured)), TOLERANCES)


@pytest.fixture
def kept(paper, tmp_path):
    """(results, reference) of the same runs."""
    results, reference = tmp_path / "smoke", tmp_path / "reference"
    synthetic.write_results(paper, results, [0, 1])
    reference.mkdir()
    of_paper = Kept(reference, paper.key)
    write_reference(paper, results, [0, 1], MADE, of_paper)
    write_record(grade_paper(paper, results, CONFIG.margins), of_paper.verdicts)
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
    assert drift_of.deviation(metric, reference, measured) == pytest.approx(deviation)


def test_the_same_run_has_not_drifted_and_all_its_numbers_were_compared(run):
    compared, drift = compare_runs(run, copy.deepcopy(run))
    assert drift == []
    assert all(line.deviation == 0 for line in compared)
    entries = sum(len(run[at]) for at in AT)
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
    _, drift = compare_runs(run, moved)
    out = abs(after - before) / before > TOLERANCES.loss
    assert [line.what for line in drift] == ([f"val_loss, {at}"] if out else [])


def test_a_loss_that_is_not_a_number_has_drifted(run):
    moved = copy.deepcopy(run)
    moved["final"]["val_loss"] = math.nan
    _, drift = compare_runs(run, moved)
    assert [line.what for line in drift] == ["val_loss, final"]


def test_changed_settings_are_told_before_the_metrics_that_they_change(run):
    moved = copy.deepcopy(run)
    moved["spec"]["learning_rate"] = 0.01
    moved["spec"]["normalisation"] = {"mean": 0.0, "std": 0.5}
    moved["final"]["val_accuracy"] -= 0.1
    _, drift = compare_runs(run, moved)
    assert [(line.what, line.reference, line.measured) for line in drift[:2]] == [
        ("settings: learning_rate", "0.001", "0.01"),
        ("settings: normalisation.mean", "0.5", "0"),
    ]
    assert drift[2].what == "val_accuracy, final"
    assert drift[2].deviation == pytest.approx(0.1)


def test_a_run_that_diverges_now_is_named_with_what_is_missing(paper, run):
    diverged = synthetic.metrics(paper.rows[3], 0, diverged_at=3)
    _, drift = compare_runs(run, diverged)
    assert {"status", "epochs"} <= {line.what for line in drift}


def test_other_images_are_named(run):
    moved = run | {"dataset_sha256": "1" * 64}
    _, drift = compare_runs(run, moved)
    assert [(line.what, line.measured) for line in drift] == [("images", "1" * 12)]


def test_a_metric_that_is_gone_and_one_that_is_new_are_named(run):
    moved = copy.deepcopy(run)
    moved["final"]["new_loss"] = moved["final"].pop("val_loss")
    _, drift = compare_runs(run, moved)
    assert [line.what for line in drift] == ["val_loss, final", "new_loss, final"]


# ---- verdicts -----------------------------------------------------------------------------------


def grade_of(verdict="reproduced", claim="holds", findings=("trivial",), of_runs=None):
    """``of_runs`` maps a kind of finding that names no table to its rows."""
    place = ("t1", "r1", "val_loss", "best", 0.6, 0.6, 2)
    number = GradedNumber(*place, evidence.NumberVerdict(verdict), within_margin=True)
    printed = [GradedFinding(kind, ("t1",), ("r1",)) for kind in findings]
    measured = [GradedFinding(kind, (), tuple(rows)) for kind, rows in (of_runs or {}).items()]
    claims = (GradedClaim("c-P01", claim, (0, 1), (0, 1)),)
    return Grade((number,), claims, (*printed, *measured))


def compare(reference, measured, drifts="changed", same_metrics=False):
    return drift_of.compare_verdicts(reference, measured, drifts, same_metrics)


@pytest.mark.parametrize("drifts", ["changed", "reversed"])
def test_equal_verdicts_have_not_drifted(drifts):
    assert compare(grade_of(), grade_of(), drifts) == ([], [])


def test_every_changed_verdict_is_named_with_its_row_or_claim():
    before = grade_of(of_runs={"stripes": ["r1", "r2"]})
    after = grade_of("close", "undecided", (), {"stripes": ["r2", "r3"]})
    drift, allowed = compare(before, after)
    assert [(d.row, d.what, d.reference, d.measured) for d in drift] == [
        ("r1", "number: t1, val_loss, best", "reproduced", "close"),
        (None, "claim: c-P01", "holds", "undecided"),
        ("r1", "finding: trivial, t1", "found", "not there"),
        ("r1", "finding of runs: stripes", "found", "not there"),
        ("r3", "finding of runs: stripes", "not there", "found"),
    ]
    assert allowed == []


@pytest.mark.parametrize(
    ("kind", "known", "neighbours"),
    [
        (
            "verdict",
            evidence.NumberVerdict,
            {("reproduced", "close"), ("close", "differs"), ("reproduced", "differs")},
        ),
        (
            "claim",
            [*ClaimVerdict],
            {("holds", "undecided"), ("does not hold", "undecided")},
        ),
    ],
)
def test_reversed_lets_pass_what_rounding_can_change_and_nothing_else(kind, known, neighbours):
    for before, after in itertools.permutations(known, 2):
        drift, allowed = compare(grade_of(**{kind: before}), grade_of(**{kind: after}), "reversed")
        passes = bool({(before, after), (after, before)} & neighbours)
        assert (len(drift), len(allowed)) == (0, 1) if passes else (1, 0), (before, after)


def test_a_number_or_claim_that_is_gone_has_drifted_however_verdicts_are_compared():
    gone = replace(grade_of(), numbers=(), claims=())
    for before, after in itertools.permutations([grade_of(), gone]):
        drift, allowed = compare(before, after, "reversed")
        assert len(drift) == 2 and allowed == []


def test_reversed_lets_a_row_join_or_leave_a_finding_of_runs_that_stays():
    before = grade_of(of_runs={"stripes": ["r1", "r2"], "dead_outputs": ["r1"]})
    after = grade_of(of_runs={"stripes": ["r2", "r3"], "collapsed": ["r1"]})
    drift, allowed = compare(before, after, "reversed")
    assert [(d.row, d.what, d.measured) for d in allowed] == [
        ("r1", "finding of runs: stripes", "not there"),
        ("r3", "finding of runs: stripes", "found"),
    ]
    assert [(d.row, d.what, d.measured) for d in drift] == [
        ("r1", "finding of runs: dead_outputs", "not there"),
        ("r1", "finding of runs: collapsed", "found"),
    ]


@pytest.mark.parametrize("kind", sorted({*findings.KINDS} - {*drift_of.KINDS_OF_RUNS}))
def test_what_the_printed_numbers_give_away_drifts_with_any_row(kind):
    before, after = (grade_of(of_runs={kind: rows}) for rows in (["r1", "r2"], ["r1", "r3"]))
    drift, allowed = compare(before, after, "reversed")
    assert len(drift) == 2 and allowed == []


def test_of_the_same_metrics_every_changed_verdict_has_drifted():
    before = grade_of(of_runs={"stripes": ["r1"]})
    after = grade_of("close", "undecided", of_runs={"stripes": ["r1", "r2"]})
    drift, allowed = compare(before, after, "reversed", same_metrics=True)
    assert [d.what for d in drift] == [
        "number: t1, val_loss, best, of the same metrics",
        "claim: c-P01, of the same metrics",
        "finding of runs: stripes, of the same metrics",
    ]
    assert allowed == []


def change_a_verdict(reference):
    """A claim that is undecided held when the reference was kept."""

    def change(graded):
        claim = next(c for c in graded["claims"] if c["id"] == "made-P01")
        assert claim["verdict"] == "undecided"
        claim["verdict"] = "holds"

    edit(Kept(reference, "made2020").verdicts, change)


def reversed_at_smoke():
    smoke = CONFIG.tolerance.model_copy(update={"verdict": "reversed"})
    both = CONFIG.tolerances.model_copy(update={"smoke": smoke})
    return CONFIG.model_copy(update={"tolerances": both})


@pytest.mark.parametrize(("config", "passes"), [(reversed_at_smoke(), True), (CONFIG, False)])
def test_a_verdict_on_metrics_that_moved_may_change_as_the_configuration_says(
    paper, kept, config, passes
):
    results, reference = kept
    change_a_verdict(reference)
    file = results / paper.key / "t1-wide-sgd/seed-1/metrics.json"
    edit(file, lambda run: run["final"].update(val_loss=run["final"]["val_loss"] * (1 + 1e-9)))
    compared = check.compare_paper(paper, *kept, config)
    found = check.make_check([compared], SAME, "smoke", MADE)
    text = to_markdown(found)
    (line,) = compared.allowed if passes else compared.drift
    assert (line.reference, line.measured) == ("holds", "undecided")
    assert found.passed == passes
    assert ("within what is allowed (`tolerances.smoke.verdict`)" in text) == passes
    assert "| made2020 | claim: made-P01 | holds | undecided |" in text


def test_a_verdict_on_the_reference_s_own_metrics_may_not_change(paper, kept):
    change_a_verdict(kept[1])
    found = check.make_check(
        [check.compare_paper(paper, *kept, reversed_at_smoke())], SAME, "smoke", MADE
    )
    with pytest.raises(UserError, match="drifted: made2020 claim: made-P01, of the same metrics"):
        check.raise_if_drifted(found)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda of: of.update(verdict="equal"), "'equal' is not one of changed, reversed"),
        (lambda of: of.pop("verdict"), "is missing; needed here: loss, accuracy, epochs, verdict"),
    ],
)
def test_the_configuration_states_which_change_of_a_verdict_has_drifted(change, said):
    config = read_yaml(ROOT / "config.yaml")
    assert validate_config(config).tolerances.paper.verdict == "reversed"
    change(config["tolerances"]["paper"])
    with pytest.raises(UserError) as caught:
        validate_config(config)
    assert str(caught.value) == f"config.yaml: tolerances.paper.verdict: {said}"


# ---- a paper ------------------------------------------------------------------------------------


def test_the_run_that_is_the_reference_passes(paper, kept):
    compared = check.compare_paper(paper, *kept, CONFIG)
    assert compared.drift == []
    assert compared.runs == len(paper.rows) * 2
    assert compared.verdicts > 0
    found = check.make_check([compared], SAME, "smoke", MADE)
    assert found.passed
    check.raise_if_drifted(found)
    assert "# Check at smoke scale: passed" in to_markdown(found)


def test_a_drifted_row_is_named_in_the_error_and_in_the_table(paper, kept):
    results, _ = kept
    file = results / paper.key / "t1-wide/seed-1/metrics.json"
    edit(file, lambda run: run["final"].update(val_loss=0.9))
    found = check.make_check([check.compare_paper(paper, *kept, CONFIG)], SAME, "smoke", MADE)
    assert not found.passed
    with pytest.raises(UserError, match=r"drifted: made2020 t1-wide; .*make accept"):
        check.raise_if_drifted(found)
    text = to_markdown(found)
    assert "| made2020 t1-wide seed 1 | val_loss, final | " in text


def test_rows_without_a_reference_and_references_without_a_row_have_drifted(paper, kept):
    _, reference = kept
    (reference / paper.key / "t1-small").rename(reference / paper.key / "gone")
    drift = check.compare_paper(paper, *kept, CONFIG).drift
    assert [(line.row, line.what, line.reference) for line in drift] == [
        ("t1-small", "row", "not there"),
        ("gone", "row", "there"),
    ]


def test_other_seeds_than_the_reference_has_are_refused_with_a_call_that_fits(paper, kept):
    with pytest.raises(UserError) as caught:
        check.compare_paper(paper, *kept, CONFIG.model_copy(update={"seeds": (0,)}))
    assert str(caught.value) == (
        f"{kept[1]}/made2020.json: seeds: 0,1, and this run has 0; "
        "check it by snakemake --cores all --config papers=made2020 seeds=0,1 scale=smoke "
        "-- check, "
        "or keep this run by `make accept`"
    )


def test_of_papers_with_other_seeds_each_is_named_with_its_own(paper, kept):
    _, reference = kept
    seeds = {"made2020": [0], "made2021": [0, 1, 2], "made2022": [0, 1], "made2023": [1, 0]}
    made = json.loads(Kept(reference, paper.key).environment.read_text())
    for key, of in seeds.items():
        Kept(reference, key).environment.write_text(json.dumps(made | {"seeds": of}))
    config = CONFIG.model_copy(update={"papers": (*seeds, "made2024")})
    with pytest.raises(UserError) as caught:
        check.compare_paper(paper, *kept, config)
    first, second, missing, others = str(caught.value).splitlines()
    assert "made2020.json: seeds: 0, and this run has 0,1; " in first
    assert "--config papers=made2020 seeds=0 scale=smoke -- check, or " in first
    assert "--config papers=made2021 seeds=0,1,2 scale=smoke -- check, or " in second
    assert "made2024.json: not there; " in missing
    assert others.endswith("--config papers=made2022,made2023 seeds=0,1 scale=smoke -- check")


def test_the_call_that_the_refusal_names_checks_the_paper(paper, kept):
    (kept[1] / "made2021.json").write_text(json.dumps({"seeds": [0]}))
    every = CONFIG.model_copy(update={"papers": (paper.key, "made2021"), "seeds": (0,)})
    with pytest.raises(UserError) as caught:
        check.compare_paper(paper, *kept, every)
    call = re.search(r"--config papers=(made2020) seeds=(\S+) scale=(\w+)", str(caught.value))
    named = zip(("papers", "seeds", "scale"), call.groups(), strict=True)
    config = validate_config(read_yaml(ROOT / "config.yaml") | dict(named))
    assert check.compare_paper(paper, *kept, config).drift == []


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
    found = check.make_check([], check.Repeated("t1_small, seed 0", differ), "smoke", MADE)
    assert not found.passed
    with pytest.raises(UserError, match=r"drifted: t1_small, seed 0 \(trained twice\)"):
        check.raise_if_drifted(found)
    assert "trained twice: model.safetensors differ" in to_markdown(found)
