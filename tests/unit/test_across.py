"""What several papers say: statements refer to claims that are there, and show their verdicts."""

import re
from pathlib import Path

import pytest
import synthetic
from refashion.errors import UserError
from refashion.paper import across, papers

ROOT = Path(__file__).parents[2]


def claiming(key, *ids):
    """A paper with these claims."""
    claims = [{"id": id, "place": "III", "text": "So", "untestable": "A judgement."} for id in ids]
    return synthetic.load(synthetic.made([synthetic.row("a")], key=key, claims=claims))


ONE = claiming("one2020", "one-P01", "one-P02")
TWO = claiming("two2021", "two-P01")


@pytest.fixture
def write(tmp_path):
    """Write the file beside three papers, of which a run may have some."""

    def written(text):
        for key in ("one2020", "two2021", "three2022"):
            file = tmp_path / "workflow/papers" / f"{key}.yaml"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
        (tmp_path / across.FILE).write_text(f"statements:\n{text}")
        return tmp_path

    return written


def test_a_statement_has_the_claims_of_the_papers_that_are_run_in_their_order(write):
    root = write(
        "  - text: So it is\n"
        "    claims: {three2022: [three-P07], one2020: [one-P02]}\n"
        "    against: {two2021: [two-P01]}\n"
    )
    (statement,) = across.load(root, [TWO, ONE])
    said = (across.Said("two2021", "two-P01", True), across.Said("one2020", "one-P02", False))
    assert statement == across.Statement("So it is", said)


def test_what_one_paper_alone_says_is_none_of_several(write):
    root = write("  - {text: So, claims: {one2020: [one-P01, one-P02], two2021: [two-P01]}}\n")
    assert across.load(root, [ONE]) == []
    assert len(across.load(root, [ONE, TWO])) == 1


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            "  - {text: So, claims: {one202: [one-P01]}}\n",
            "statements[0].claims.one202: 'one202' is no paper in workflow/papers; did you mean "
            "'one2020'? allowed: one2020, three2022, two2021",
        ),
        (
            "  - {text: So, claims: {one2020: [one-P01]}, against: {two2021: [two-P02]}}\n",
            "statements[0].against.two2021[0]: 'two-P02' is no claim of two2021; did you mean "
            "'two-P01'? allowed: two-P01",
        ),
        ("  - {claims: {one2020: [one-P01]}}\n", "statements[0].text: is missing"),
        ("  - {text: So, claims: {one2020: []}}\n", "statements[0].claims.one2020: [] is empty"),
    ],
)
def test_a_mistake_is_said_with_file_key_and_way_out(write, text, complaint):
    with pytest.raises(UserError) as error:
        across.load(write(text), [ONE, TWO])
    assert re.fullmatch(rf"workflow/across\.yaml:2: {re.escape(complaint)}.*", str(error.value))


def test_every_statement_is_about_claims_that_are_tested():
    folder = ROOT / "workflow/papers"
    every = [papers.load_paper(file) for file in sorted(folder.glob("*.yaml"))]
    statements = across.load(ROOT, every)
    assert len(statements) == (ROOT / across.FILE).read_text().count("  - text:")
    tested = {(paper.key, claim.id) for paper in every for claim in paper.claims if claim.test}
    for statement in statements:
        assert {(said.paper, said.claim) for said in statement.claims} <= tested
