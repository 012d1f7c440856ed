"""The scorecard: every verdict is counted once, and the README's is that of the reference."""

import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import pytest
import synthetic
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_hex
from pydantic_core import to_jsonable_python
from refashion.errors import UserError
from refashion.judging import numbers as evidence
from refashion.judging.claims import ClaimResult, ClaimVerdict
from refashion.judging.diagnosis.findings import Finding
from refashion.judging.scorecard import (
    Card,
    Grade,
    GradedClaim,
    GradedFinding,
    GradedNumber,
    OfPaper,
)
from refashion.paper import papers
from refashion.report import scorecard
from refashion.report.figures import verdicts as drawn
from refashion.results.paths import Kept
from refashion.results.reference import read_kept
from refashion.results.summary import statistics

ROOT = Path(__file__).parents[2]


def graded(numbers=(), claims=(), findings=0, within=True, holds_in=(0,), seeds=(0,)):
    """A grade with these verdicts, of one seed if nothing is said."""
    place = {"table": "t1", "row": "r1", "metric": "val_loss", "at": "best"}
    measured = {"published": 0.6, "mean": 0.6, "n": 1, "within_margin": within}
    tested = {"id": "c", "seeds": seeds, "holds_in": holds_in}
    return Grade(
        numbers=[GradedNumber(**place, **measured, verdict=verdict) for verdict in numbers],
        claims=[GradedClaim(**tested, verdict=verdict) for verdict in claims],
        findings=[GradedFinding(kind="trivial", tables=(), rows=())] * findings,
    )


@pytest.fixture(scope="module")
def all_papers():
    return [papers.load_paper(file) for file in sorted((ROOT / "workflow/papers").glob("*.yaml"))]


@pytest.fixture
def card():
    grades = {
        "one2020": graded(
            ["reproduced", "close", "differs", "reproduced", "not comparable"],
            ["holds", "undecided", "does not hold"],
            findings=2,
            holds_in=(0, 1),
            seeds=(0, 1),
        ),
        "two2021": graded(["single run"] * 2, ["undecided", "undecided"], findings=1),
    }
    one = grades["one2020"]
    far = one.numbers[0].model_copy(update={"within_margin": False})
    grades["one2020"] = one.model_copy(update={"numbers": (far, *one.numbers[1:])})
    seeds = {"one2020": [0, 1], "two2021": [0]}
    return Card("paper", {key: OfPaper(seeds[key], grade) for key, grade in grades.items()})


def test_a_grade_keeps_every_verdict_with_what_it_is_about():
    paper = synthetic.silent_paper()
    (table,) = paper.tables
    column = table.metrics["val"]
    compared = evidence.compare(0.6, statistics([0.61]), column.unit, column.digits)
    number = evidence.Number(
        **vars(compared),
        row="h64",
        table=table.label,
        label=column.label,
        metric=column.metric,
        at=column.at,
        task=paper.row("h64").task,
        verdict=compared.judge(0.003),
        place=table.id,
        margin=0.003,
    )
    claim = ClaimResult("c-P01", ClaimVerdict.HOLDS, "", seeds=(0, 1), holds_in=(1,))
    finding = Finding("trivial", ["r1"], ["It is."], "So it is.", ["t1"], ["val_loss"])
    of_each = {"numbers": [number], "claims": [claim], "findings": [finding]}
    assert to_jsonable_python(Grade.model_validate(of_each)) == {
        "numbers": [
            {
                "table": "final-losses",
                "row": "h64",
                "metric": "val_loss",
                "at": "final",
                "published": 0.6,
                "mean": 0.61,
                "n": 1,
                "verdict": "single run",
                "within_margin": False,
            }
        ],
        "claims": [{"id": "c-P01", "verdict": "holds", "seeds": [0, 1], "holds_in": [1]}],
        "findings": [{"kind": "trivial", "tables": ["t1"], "rows": ["r1"]}],
    }


def test_counts_are_per_paper_and_in_all(card):
    assert card.papers["one2020"].counts.numbers == {
        "reproduced": 2,
        "close": 1,
        "differs": 1,
        "single run": 0,
        "not comparable": 1,
    }
    assert card.all.claims == {
        "holds": 1,
        "does not hold": 1,
        "undecided": 3,
        "not tested": 0,
    }
    assert card.all.findings == 3
    assert card.all.within_margin == {"reproduced": 1, "single run": 2}
    assert card.all.undecided_in_favour == 3
    assert card.all.claims_of_one_run == {"all": 2, "hold": 2}


@given(
    st.lists(
        st.tuples(
            st.lists(st.sampled_from(evidence.NumberVerdict)),
            st.lists(st.sampled_from(ClaimVerdict)),
            st.integers(0, 5),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_nothing_is_lost_or_counted_twice(some):
    grades = {f"p{i}": graded(*paper) for i, paper in enumerate(some)}
    card = Card("paper", {key: OfPaper([0], of) for key, of in grades.items()}).as_json()
    for key in ("numbers", "claims"):
        for verdict, number in card["all"][key].items():
            assert number == sum(of[key][verdict] for of in card["papers"].values())
        of_papers = (getattr(of, key) for of in grades.values())
        assert sum(card["all"][key].values()) == sum(map(len, of_papers))
    assert card["all"]["findings"] == sum(found for *_, found in some)


def test_a_line_for_each_paper_and_one_for_all(card):
    (panel,) = scorecard.tabulate(card).panels
    one, two, total = ([cell.text for cell in line] for line in panel.lines)
    assert [group.title for group in panel.groups if group.title] == ["Published numbers", "Claims"]
    assert one == [
        "one2020",
        "0 and 1",
        *("2 (1 within the margin)", "1", "1", "–", "1"),
        *("1", "1", "1 (1 hold in every run)", "–"),
        "2",
    ]
    assert two[5] == "2 (2 within the margin)"
    # Not all papers have the same seeds, and so none are said.
    assert (total[0], total[1], total[-1]) == ("All", "–", "3")
    alike = {key: replace(of, seeds=[0, 1]) for key, of in card.papers.items()}
    card = replace(card, papers=alike)
    assert scorecard.tabulate(card).panels[0].lines[-1][1].text == "0 and 1"


def test_what_is_reproduced_by_spread_alone_is_a_piece_of_its_own(card):
    numbers, _ = drawn.bars(card).axes
    pieces = {}  # by the paper's place, the counts and colours of its pieces from left to right
    for bar, text in zip(numbers.patches, numbers.texts, strict=True):
        color = to_hex(bar.get_facecolor()).upper()
        pieces.setdefault(round(text.get_position()[1]), []).append((int(text.get_text()), color))
    names = ("reproduced", "close", drawn.SPREAD_ALONE, "differs", "not comparable")
    one = [(1, drawn.COLORS[name]) for name in names]
    assert pieces[0] == one
    assert pieces[2] == [*one[:4], (2, drawn.COLORS["single run"]), one[4]]


def test_a_badge_says_what_is_supported_and_is_the_same_each_time(card):
    badge = scorecard.badge(card)
    text = " ".join(ElementTree.fromstring(badge).itertext())
    assert "3 of 4 numbers reproduced or close (2 within the margin)" in text
    assert "· 2 of 2 single runs within the margin · 1 of 3 claims hold ·" in text
    assert "· 2 of 2 claims hold in a single run · 3 findings" in text
    assert scorecard.badge(card) == badge


def test_of_single_runs_alone_a_badge_does_not_say_that_nothing_holds():
    grade = graded(["single run"], ["undecided"] * 2, within=False, holds_in=())
    card = Card("paper", {"one2020": OfPaper([0], grade)})
    assert scorecard.in_short(card.all) == (
        "0 of 1 single runs within the margin · 0 of 2 claims hold in a single run · 0 findings"
    )


def test_a_badge_of_a_smoke_run_says_that_it_is_no_evidence(card):
    assert "smoke run: no evidence" in scorecard.badge(replace(card, scale="smoke"))


def test_the_scorecard_stands_between_the_markers_and_nothing_else_changes(card):
    first, last = scorecard.MARKERS
    text = f"# Title\n\n{first}\nearlier\n{last}\n\nMore.\n"
    once = scorecard.in_readme(text, card, "card.svg")
    assert once.startswith(f"# Title\n\n{first}\n![") and once.endswith(f"\n{last}\n\nMore.\n")
    assert "earlier" not in once and "](card.svg)" in once
    assert (
        "| `one2020` | 0 and 1 | 2 (1 within the margin) | 1 | 1 | – | 1 | 1 | 1 | "
        "1 (1 hold in every run) | – | 2 |" in once
    )
    assert scorecard.in_readme(once, card, "card.svg") == once


@pytest.mark.parametrize("text", ["", "{0}", "{1} {0}", "{0} {0} {1}"])
def test_a_readme_without_its_markers_is_refused(card, text):
    with pytest.raises(UserError, match=r"README\.md: needs a line <!-- scorecard -->"):
        scorecard.in_readme(text.format(*scorecard.MARKERS), card, "card.svg")


def test_a_folder_without_a_reference_is_named(tmp_path):
    with pytest.raises(UserError, match="make accept"):
        Card.of_reference(tmp_path)


def test_the_readme_shows_the_scorecard_of_the_reference():
    folder = ROOT / "results/reference/paper"
    card = Card.of_reference(folder)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    badge = folder / "scorecard.svg"
    shown = scorecard.in_readme(readme, card, badge.relative_to(ROOT).as_posix())
    assert shown == readme, "run `make readme`"
    assert badge.read_text() == scorecard.badge(card), "run `make readme`"


def test_the_reference_has_every_row_of_every_paper(all_papers):
    for paper in all_papers:
        kept = ROOT / "results/reference/paper" / paper.key
        rows = {folder.parent.name for folder in kept.glob("*/seed-*")}
        assert rows == {row.id for row in paper.rows}, paper.key


@pytest.mark.parametrize("scale", ["paper", "smoke"])
def test_every_verdict_in_the_reference_is_about_something_that_is_there(all_papers, scale):
    by_key = {paper.key: paper for paper in all_papers}
    every = Kept.graded(ROOT / "results/reference" / scale)
    assert every
    for kept in every:
        paper, of_paper = by_key[kept.paper], read_kept(Grade, kept.verdicts)
        assert {number.row for number in of_paper.numbers} <= {row.id for row in paper.rows}
        assert [claim.id for claim in of_paper.claims] == [claim.id for claim in paper.claims]
