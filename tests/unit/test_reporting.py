"""The report in both formats: what it says, what it escapes, and that LaTeX takes it."""

import re
import shutil
import subprocess
from dataclasses import fields
from html.parser import HTMLParser
from pathlib import Path

import jinja2
import pytest
import synthetic
from refashion import text as wording
from refashion.errors import UserError
from refashion.judging.claims import ClaimResult, ClaimVerdict, PartResult
from refashion.paper.across import Said, Statement
from refashion.paper.settings import setting
from refashion.report import latex
from refashion.report.claims import collapses, effect
from refashion.report.frame import BANNER
from refashion.report.page import build_context
from refashion.report.pictures import what_is_drawn
from refashion.report.render import LATEX_TAGS, render
from refashion.results import provenance

TEMPLATES = Path(__file__).parents[2] / "report" / "templates"
RUN = provenance.Provenance(
    commit="0123456789ab",
    dirty=True,
    versions={"python": "3.11.2", "torch": "2.14.1"},
    platform="Linux x86_64",
    cores=2,
    date="2026-01-02",
)


def config(seeds, scale="paper"):
    margins = synthetic.margins().model_dump()
    return synthetic.configured(seeds=[*seeds], margins=margins).model_copy(update={"scale": scale})


def write(papers, root, seeds, scale="paper", diverged=None, statements=()):
    """Results, context and both reports under ``root``."""
    for paper in papers:
        synthetic.write_results(paper, root, seeds, diverged)
    synthetic.write_scorecard(papers, root, config(seeds, scale), scale)
    context = build_context(config(seeds, scale), papers, root, RUN, statements)
    render(context, TEMPLATES, root / "report.html", root / "report.tex")
    return context, (root / "report.html").read_text(), (root / "report.tex").read_text()


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("results") / "smoke"


@pytest.fixture(scope="module")
def smoke(root):
    """A smoke report of three papers and three seeds, one diverged, with a note full of markup."""
    papers = [synthetic.paper(), synthetic.stopping_paper(), synthetic.silent_paper()]
    said = tuple(
        Said(papers[0].key, claim.id, against=position == 1)
        for position, claim in enumerate(papers[0].claims[:2])
    )
    statements = [Statement("All of them say so", said)]
    return write(papers, root, [0, 1, 2], "smoke", {("t1-small", 0): 3}, statements)


@pytest.fixture(scope="module")
def single(tmp_path_factory):
    """A report at paper scale of one paper and one seed, in which one row diverged."""
    paper = synthetic.paper(note="plain")
    return write([paper], tmp_path_factory.mktemp("results"), [4], diverged={("t1-wide", 4): 7})


def text_of(html: str) -> str:
    class Text(HTMLParser):
        parts: list

        def handle_data(self, data):
            self.parts.append(data)

    parser = Text()
    parser.parts = []
    parser.feed(html)
    return " ".join(" ".join(parser.parts).split())


def cells(table, name) -> dict[str, str]:
    """A line of a table by the titles of its columns, those of a group behind the group's."""
    columns = [
        ": ".join(filter(None, (group.title, column.title)))
        for panel in table.panels
        for group in panel.groups
        for column in group.columns
    ]
    line = [cell.text for panel in table.panels for cell in line_of(panel, name)]
    return dict(zip(columns, line, strict=True))


def line_of(panel, name):
    return next(line for line in panel.lines if line[0].text == name)


def texts(line) -> list[str]:
    return [cell.text for cell in line]


def of_row(context, table, row, paper=0) -> dict[str, str]:
    return cells(context["papers"][paper].tables[table], row)


def titles(group) -> list[str]:
    return [column.title for column in group.columns]


def test_numbers_are_signed_and_rounded_strings(smoke):
    row, metric = of_row(smoke[0], 0, "t1-wide"), "Min. error, validation"
    assert row[f"{metric}: Published"] == "0.5900"
    assert re.fullmatch(r"0\.\d{4} ± 0\.\d{4}", row[f"{metric}: Measured"])
    assert re.fullmatch(r"[+−]0\.\d{4}|0\.0000", row[f"{metric}: Difference"])
    assert "92.53" in text_of(smoke[1])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.00123, "+0.0012"),
        (-0.00123, "−0.0012"),
        (0.00001, "0.0000"),
        (-0.00001, "0.0000"),
        (None, "–"),
    ],
)
def test_differences_have_a_sign_unless_they_round_to_nothing(value, text):
    assert wording.rounded(value, 4, sign=True) == text


def test_settings_that_all_rows_share_are_said_once(smoke):
    table = smoke[0]["papers"][0].tables[0]
    assert table.shared == "dropout 0.2"
    assert titles(table.panels[0].groups[1]) == ["Latent size", "Optimiser"]
    assert texts(line_of(table.panels[0], "t1-wide-sgd"))[1:3] == ["256", "SGD"]
    assert smoke[0]["papers"][1].tables[0].shared == (
        "early stopping patience 5, weights of the lowest validation loss, "
        "trained and validated on 60,000 and the test images"
    )
    stopping = smoke[0]["papers"][1].tables[0].panels[0]
    assert texts(line_of(stopping, "m6"))[1:3] == ["ReLU", "10⁻⁷"]


UPSAMPLED = {
    "architecture": "ochotorena2023_autoencoder",
    "parameters": {"latent": 8, "upsampling": "larger_kernel"},
}
REUSED = {
    "architecture": "ochotorena2023_classifier",
    "parameters": {"latent": 8, "final": "relu"},
    "encoder": {"row": "m1", "frozen": False},
}


@pytest.mark.parametrize(
    ("key", "settings", "text"),
    [
        ("learning_rate", {}, "0.001"),
        ("learning_rate", {"learning_rate": 2.5e-5}, "2.5 × 10⁻⁵"),
        ("momentum", {}, "–"),
        ("early_stopping", {}, "none"),
        (
            "early_stopping",
            {"early_stopping": {"patience": 5, "min_delta": 0.001}},
            "patience 5, least fall 0.001",
        ),
        ("keep", {}, "the last epoch"),
        ("keep", {"keep": 15}, "epoch 15"),
        ("split", {"split": {"train": 50000, "validation": 10000}}, "50,000 and 10,000 images"),
        ("validation_dropout", {"validation_dropout": True}, "off and on"),
        ("snapshots", {"snapshots": [0, 1, 20]}, "0, 1 and 20"),
        ("encoder", REUSED, "m1, trained on"),
        ("optimizer", {"optimizer": "sgd"}, "SGD"),
        ("upsampling", UPSAMPLED, "larger kernel"),
        ("latent", {}, "–"),
    ],
)
def test_settings_are_worded(key, settings, text):
    rows = [synthetic.row("m1", dropout=0.1, **UPSAMPLED), synthetic.row("row", **settings)]
    assert setting(synthetic.load(synthetic.made(rows)).row("row"), key) == text


def test_what_a_paper_does_not_print_has_no_column_for_it(smoke):
    context, html, tex = smoke
    (panel,) = context["papers"][2].tables[0].panels
    assert panel.spans == []
    assert [titles(group) for group in panel.groups[2:]] == [
        ["Error, train"],
        ["Error, val"],
        ["Error, test"],
        ["n"],
    ]
    assert re.fullmatch(r"0\.\d{5} ± 0\.\d{5}", of_row(context, 0, "h64", paper=2)["Error, train"])
    for report, start in ((text_of(html), "Final losses. "), (tex, "Final losses")):
        table = report[report.index(start) :]
        assert "Published" not in table and "Difference" not in table
    # Of one table, the accuracy and the last epoch are printed, the epoch of the lowest loss not.
    first, second = context["papers"][1].tables[0].panels
    compared = ["Published", "Measured", "Difference"]
    settings = ["Last activation", "Epsilon"]
    assert [titles(group) for group in first.groups] == [
        ["Row"],
        settings,
        compared,
        ["Lowest loss"],
        ["n"],
    ]
    assert [titles(group) for group in second.groups] == [["Row"], compared, ["n"]]


def test_epochs_are_whole_numbers_and_rows_say_how_many_they_ran(smoke):
    row = of_row(smoke[0], 0, "m5", paper=1)
    stop = [row[f"Last epoch: {which}"] for which in ("Published", "Measured", "Difference")]
    assert stop == ["28", "29 ± 1", "+1"]
    assert cells(smoke[0]["papers"][1].rows, "made2021_m5")["Epochs"] == "28 to 30"


def test_a_confusion_matrix_gives_accuracy_recall_and_precision(smoke):
    table = smoke[0]["papers"][1].tables[1]
    assert table.label == "Figure 2"
    names = [line[0].text for line in table.panels[0].lines]
    assert (names[0], names[1], len(names)) == ("All: accuracy", "T-shirt/top", 11)
    accuracy, shirt = (cells(table, name) for name in (names[0], names[7]))
    assert accuracy["Recall, %: Published"] == "91.00"
    assert re.fullmatch(r"\d\d\.\d\d ± \d\.\d\d", accuracy["Recall, %: Measured"])
    assert shirt["Recall, %: Published"] == shirt["Precision, %: Published"] == "91.0"
    assert "The confusion that differs most is that of" in text_of(smoke[1])
    assert "Recall, {\\%}" in smoke[2]


def test_overview_has_a_line_for_every_paper(smoke, single):
    context, html, _ = smoke
    first, second, third = (
        cells(context["overview"], part.paper.key) for part in context["papers"]
    )
    (medians,) = [group for group in context["overview"].panels[0].groups if group.title]
    assert titles(medians) == ["Error", "Accuracy, %", "Epochs, classifiers"]
    assert second["Numbers compared"] == "5 of 5"
    assert second["Median difference: Error"] == "–"
    assert second["Median difference: Epochs, classifiers"] == "1"
    assert (third["Numbers compared"], third["Figures"]) == ("none printed", "1")
    assert first["Diverged runs"] == "1"
    assert "The paper prints no number that ours could be set beside" in text_of(html)
    assert "All papers." in html and "All papers." not in single[1]


def verdicts(paper) -> list[str]:
    return [line[-1].text for line in paper.verdicts.panels[0].lines] if paper.verdicts else []


def verdict_in(said: str) -> str:
    """``single run``, of ``· single run: …``"""
    return said.split(maxsplit=1)[1].split(":")[0]


def test_the_first_page_counts_all_verdicts_of_all_papers(smoke, single):
    context, html, tex = smoke
    parts = context["papers"]

    def first(line, group):
        return [cell.split()[0] for title, cell in line.items() if title.startswith(group)]

    groups = {group.title: group for group in context["scorecard"].panels[0].groups}
    for part in parts:
        line = cells(context["scorecard"], part.paper.key)
        told = [verdict_in(verdict) for verdict in verdicts(part)]
        names = [name.lower() for name in titles(groups["Published numbers"])]
        assert first(line, "Published") == [str(told.count(name) or "–") for name in names]
        told = [tested.result.verdict for tested in part.claims]
        names = [name.lower() for name in titles(groups["Claims"])]
        assert first(line, "Claims") == [str(told.count(name) or "–") for name in names]
    *lines, total = context["scorecard"].panels[0].lines
    assert [line[0].text for line in lines] == [part.paper.key for part in parts]
    assert total[0].total
    every = sum(len(verdicts(part)) for part in parts)
    counted = first(cells(context["scorecard"], "All"), "Published")
    assert sum(int(cell) for cell in counted if cell != "–") == every
    assert html.index('id="scorecard"') < html.index('id="papers"')
    assert tex.index("figures/scorecard.pdf") < tex.index("All papers")
    assert single[0]["scorecard"] is None and 'id="scorecard"' not in single[1]


def test_a_paper_by_itself_has_a_report_of_its_own(smoke, root):
    paper = synthetic.stopping_paper()
    context = build_context(config([0, 1, 2], "smoke"), [paper], root, RUN)
    assert context["title"] == "made2021, rerun"
    assert context["papers"] == smoke[0]["papers"][1:2]
    render(context, TEMPLATES, root / "made2021.html", root / "made2021.tex")
    html = (root / "made2021.html").read_text()
    # Its figures, and that of its verdicts.
    assert html.count('src="data:image/svg+xml;base64,') == len(paper.figures) + 1
    assert "made2020" not in html


def drawn(data, figure, summaries, seeds):
    """What the caption of a figure says, of a paper that shows no other."""
    figure = {"id": "f", "label": "Figure", "caption": "Made up", "shows": "So"} | figure
    paper = synthetic.load(data | {"figures": [figure]})
    return what_is_drawn(paper, paper.figures[0], summaries, seeds)


def test_captions_say_which_images_and_epochs_are_drawn(smoke):
    said = [measured for paper in smoke[0]["papers"] for _, measured, _ in paper.figures]
    assert said[1].startswith("Test images after the last epoch, mean over 3 seeds; ")
    assert said[-1] == (
        "Training images and test images, mean over 3 seeds; the band spans from the least to "
        "the greatest. The vertical axis is logarithmic."
    )
    bars = {"kind": "bars", "metric": "loss", "rows": ["h64"], "series": ["test"]}
    assert drawn(synthetic.silent_data(), bars, {}, [3]) == (
        "Test images after the last epoch, seed 3 alone, so no spread."
    )
    matrix = {"kind": "confusion", "rows": ["m5"], "normalised": True}
    assert drawn(synthetic.stopping_data(), matrix, {}, [0, 1]).startswith(
        "Test images at the epoch of the lowest validation loss, mean over 2 seeds, "
        "in percent of each true class"
    )


def test_what_several_papers_say_is_set_side_by_side_with_its_verdicts(smoke):
    context, html, tex = smoke
    (statement,) = context["across"]
    claims = context["papers"][0].claims
    marked = "If it holds, it speaks against the statement."
    for line, said, remark in zip(statement.panels[0].lines, claims, ("", marked), strict=True):
        name, text, verdict = line
        assert (name.text, name.link) == (said.claim.id, said.anchor)
        assert (text.text, text.remark) == (wording.sentence(said.claim.text), remark)
        assert verdict.text.startswith(f"{said.result.verdict.sign} {said.result.verdict}")
        assert verdict.text.endswith(said.seeds)
        assert f'href="#{said.anchor}"' in html and f'id="{said.anchor}"' in html
        assert f"\\hyperlink{{{said.anchor}}}" in tex
        assert f"\\hypertarget{{{said.anchor}}}" in tex
    assert html.count(marked) == tex.count(marked) == 1
    assert text_of(html).index("All of them say so") < text_of(html).index("Largest differences")


def test_a_report_of_one_paper_has_nothing_that_several_say(single):
    context, html, tex = single
    assert context["across"] == []
    assert "What several papers say" not in html + tex


def test_captions_count_the_runs_that_were_completed():
    rows = ["h64", "h512"]
    figure = {"kind": "bars", "metric": "loss", "rows": rows, "series": ["test"]}
    for completed, said in (
        ((1, 3), "mean over 1 to 3 seeds, with a"),
        ((0, 3), "mean over 3 seeds, with a"),
        ((0, 1), "one run alone, so no spread"),
        ((0, 0), "no completed run"),
    ):
        summaries = {
            row: synthetic.known_summary(completed=n)
            for row, n in zip(rows, completed, strict=True)
        }
        assert said in drawn(synthetic.silent_data(), figure, summaries, [0, 1, 2])


def test_a_claim_names_the_runs_that_collapsed():
    tests = [{"row": "a", "among": ["b", "c"]}, {"rows": ["d"]}]
    keys = {field.name: None for field in fields(PartResult)}
    parts = tuple(PartResult(**keys | {"test": test}) for test in tests)
    result = ClaimResult("m", ClaimVerdict.HOLDS, "", parts=parts)
    seeds = {"a": [], "b": [0, 2], "c": [1], "d": [0, 2], "e": [0]}
    summaries = {
        row: synthetic.known_summary(collapsed=tuple(collapsed)) for row, collapsed in seeds.items()
    }
    assert collapses(result, summaries) == [
        "b and d collapsed (seed 0 and 2).",
        "c collapsed (seed 1).",
    ]


def test_variants_are_marked_as_ours(smoke):
    context, html, _ = smoke
    line = context["papers"][0].tables[0].panels[0].lines[2]
    assert line[0].text == "t1-wide-sgd" and line[0].ours
    assert of_row(context, 0, "t1-wide-sgd")["Min. error, train: Published"] == "–"
    assert "Ours, not in the paper: a variant of t1-wide." in text_of(html)


def test_diverged_seeds_are_told(smoke, single):
    assert "Diverged at epoch 3 (1 of 3 seeds)." in text_of(smoke[1])
    assert of_row(smoke[0], 0, "t1-small")["n"] == "2"
    assert "Diverged at epoch 7 (1 of 1 seed)." in text_of(single[1])
    assert of_row(single[0], 0, "t1-wide")["Min. error, train: Measured"] == "diverged"


def test_one_seed_says_that_no_spread_can_be_given(single):
    context, html, tex = single
    for report in (text_of(html), " ".join(tex.split())):
        assert "One seed was run (4), so no spread can be given." in report
        assert "standard deviation" not in report
    assert "±" not in of_row(context, 0, "t1-small")["Min. error, train: Measured"]


def test_smoke_reports_say_so_everywhere_and_others_nowhere(smoke, single):
    assert BANNER in text_of(smoke[1])
    assert BANNER in " ".join(smoke[2].split())
    assert "fancyhead" in smoke[2]
    for report in single[1:]:
        assert "smoke" not in report.lower()


def test_claims_have_a_verdict_its_evidence_and_a_count(smoke):
    context, html, tex = smoke
    tested, untestable = context["papers"][0].claims
    assert (tested.verdict, tested.seeds) == ("✓ holds", "2 of 2 seeds for it")
    assert untestable.result.verdict == "not tested" and untestable.note == "A judgement."
    (part,) = tested.result.parts
    assert part.tested == (
        "Validation loss at its best epoch is lower for t1-wide than 0.999 times that of t1-small."
    )
    assert re.fullmatch(r"\+0\.\d+ \[\+0\.\d+, \+0\.\d+\]", effect(part))
    assert tested.note == "t1-small diverged (seed 0)."
    counted = "Of 2 claims: 1 holds and 1 is not tested."
    for report in (text_of(html), " ".join(tex.split())):
        assert counted in report and "A thousandth is ours." in report
    assert effect(part) in text_of(html)
    assert r"{\ensuremath{\checkmark}} \textbf{holds} \(\cdot\) 2 of 2 seeds for it" in tex


def test_html_is_one_file_without_scripts(smoke):
    html = smoke[1]
    assert (
        html.count('src="data:image/svg+xml;base64,') == 8
    )  # five figures, two of verdicts, the scorecard
    assert all(source.startswith("data:") for source in re.findall(r'src="([^"]*)', html))
    assert "<script" not in html and "<link" not in html and "@import" not in html
    assert all(re.findall(r'<img src="[^"]*" alt="([^"]*)"', html))
    ids = re.findall(r' id="([^"]*)"', html)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]*)"', html)) <= set(ids)


def test_html_escapes_what_papers_hold(smoke):
    assert "&lt;script&gt;alert(1)&lt;/script&gt; %_&amp;$#{}~^\\ ∀ ☃" in smoke[1]
    assert synthetic.NASTY in text_of(smoke[1])


def test_latex_escapes_what_papers_hold():
    assert latex.escape(synthetic.NASTY) == (
        r"{\ensuremath{<}}script{\ensuremath{>}}alert(1){\ensuremath{<}}/script{\ensuremath{>}} "
        r"{\%}{\_}{\&}{\$}{\#}{\{}{\}}{\textasciitilde}{\textasciicircum}{\textbackslash} "
        r"{\ensuremath{\forall}} {[}U+2603{]}"
    )
    assert latex.escape("−0.1 ± 2 × 3 ≤ n₁, --x--") == (
        r"{\ensuremath{-}}0.1 {\ensuremath{\pm}} 2 {\texttimes} 3 {\ensuremath{\leq}} "
        r"n{\ensuremath{_1}}, -{}-x-{}-"
    )
    assert latex.escape("a\n\n b\x00") == "a b"
    assert latex.escape("Núñez") == r"N{\'u}{\~n}ez"


@pytest.mark.parametrize("name", ["report.j2", "page.html.j2", "page.tex.j2"])
def test_an_undefined_name_fails_the_render(smoke, tmp_path, name):
    shutil.copytree(TEMPLATES, tmp_path / "templates")
    template = tmp_path / "templates" / name
    missing = r"\VAR{no_such_name}" if ".tex" in name else "{{ no_such_name }}"
    start = r"\BLOCK{block main}" if ".tex" in name else "{% block main %}"
    before = template.read_text()
    template.write_text(
        before.replace(start, missing + start if "page" in name else start + missing)
    )
    with pytest.raises(jinja2.UndefinedError, match="no_such_name"):
        render(smoke[0], tmp_path / "templates", tmp_path / "r.html", tmp_path / "r.tex")


def test_none_is_never_printed(smoke, tmp_path):
    with pytest.raises(ValueError, match="prints None"):
        render(smoke[0] | {"title": None}, TEMPLATES, tmp_path / "r.html", tmp_path / "r.tex")


def said_in(*templates: str) -> set[str]:
    """Every four words that follow one another in templates, in their text or strings in tags."""
    said = set()
    for template in templates:
        tags = LATEX_TAGS if ".tex" in template else {}
        markup = r"\\[A-Za-z]+" if ".tex" in template else "<[^>]*>"
        for _, kind, text in jinja2.Environment(**tags).lex((TEMPLATES / template).read_text()):
            if kind in ("data", "string"):
                words = re.findall(r"[^\W\d_]+", re.sub(markup, " ", text))
                said |= {" ".join(words[i : i + 4]) for i in range(len(words) - 3)}
    return said


def test_no_sentence_stands_in_templates_of_both_formats():
    documents = said_in("report.j2", "studies.j2")
    html = said_in("page.html.j2", "blocks.html.j2", "style.css.j2")
    tex = said_in("page.tex.j2", "blocks.tex.j2")
    assert {"No result in this", "default is the one"} <= documents
    assert {path.name for path in TEMPLATES.iterdir()} == {
        *("report.j2", "studies.j2", "style.css.j2"),
        *(f"{name}.{form}.j2" for name in ("page", "blocks") for form in ("html", "tex")),
    }
    assert not html & tex and not documents & (html | tex)


def test_a_figure_that_was_not_drawn_is_named(tmp_path):
    paper = synthetic.paper(note="plain")
    synthetic.write_results(paper, tmp_path, [0])
    (tmp_path / "figures/made2020/figure-1.svg").unlink()
    with pytest.raises(UserError, match=r"figures/made2020/figure-1\.svg: not there"):
        build_context(config([0]), [paper], tmp_path, RUN)


def test_a_paper_that_was_not_diagnosed_is_named(tmp_path):
    paper = synthetic.paper(note="plain")
    synthetic.write_results(paper, tmp_path, [0])
    (tmp_path / "evidence/made2020/findings.json").unlink()
    with pytest.raises(UserError, match=r"made2020/findings\.json: not there; diagnose the paper"):
        build_context(config([0]), [paper], tmp_path, RUN)


def test_findings_are_told_and_counted_in_both_formats(smoke):
    context, html, tex = smoke
    part = context["papers"][0]
    (finding,) = part.findings
    title = "Errors that are mostly floor"
    assert context["kinds_of_finding"][finding.kind] == title
    assert part.tables_of(finding) == [("Table I", "made2020-table-1")]
    assert "Table I , t1-small and t1-wide" in text_of(html)
    assert cells(context["scorecard"], part.paper.key)["Findings"] == "1"
    for report in (text_of(html), " ".join(tex.split())):
        assert title in report and finding.consequence in report
        assert "an excess of 0.0200 to 0.0300 over a floor of 0.5700" in report
        assert "anything found that does not fit" in report  # of the other papers
    assert 'href="#made2020-findings"' in html and 'id="made2020-findings"' in html


def test_excess_over_the_floor_stands_beside_errors_that_have_one(smoke):
    made, stopping, silent = (paper.excess for paper in smoke[0]["papers"])
    train, val = made.panels
    assert titles(val.groups[0]) == ["Min. error, validation"]
    assert [group.title for group in val.groups[2:]] == ["Published", "Measured"]
    assert texts(val.lines[1])[2:5] == ["0.5900", "0.5700", "0.0200"]
    error, floor, excess = (float(number) for number in texts(val.lines[1])[5:])
    assert floor == 0.571 and excess == pytest.approx(error - floor, abs=1.1e-4)
    assert train.lines[2][0].ours and texts(train.lines[2])[2:5] == ["–"] * 3
    assert "by about 0.0004" in made.notes[0].text
    assert stopping is None
    # Of a paper that prints no number there are ours alone.
    for panel in silent.panels:
        assert [group.title for group in panel.groups[2:]] == ["Measured"]
    assert not silent.notes


def test_rows_that_were_not_trained_are_told(tmp_path):
    paper = synthetic.paper(note="plain")
    synthetic.write_results(paper, tmp_path, [0])
    shutil.rmtree(tmp_path / paper.key / "t1-small")
    context = build_context(config([0]), [paper], tmp_path, RUN)
    assert of_row(context, 0, "t1-small")["Min. error, train: Measured"] == "not run"
    assert context["papers"][0].facts["Rows trained"] == "3 of 4"


def test_run_is_described_without_importing_torch(tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1767312000")
    run = provenance.describe_run(tmp_path)
    assert run.commit is None and run.date == "2026-01-02"
    assert {"python", "torch", "numpy", "snakemake", "refashion"} <= set(run.versions)


def test_run_says_which_commit_and_whether_it_was_changed(tmp_path):
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for arguments in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "first"]):
        subprocess.run([*git, *arguments], check=True)
    results = tmp_path / "results/reference"
    results.mkdir(parents=True)
    (results / "made.csv").write_text("what a run writes is no change of the project\n")
    clean = provenance.describe_run(tmp_path)
    assert re.fullmatch(r"[0-9a-f]{12}", clean.commit) and clean.dirty is False
    (tmp_path / "new").touch()
    assert provenance.describe_run(tmp_path).dirty is True


def test_latex_takes_the_report(smoke, root):
    done = subprocess.run(
        ["latexmk", "-pdf", "-interaction=nonstopmode", "-halt-on-error", "report.tex"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    log = (root / "report.log").read_text(errors="replace")
    too_wide = [float(points) for points in re.findall(r"Overfull \\hbox \(([\d.]+)pt", log)]
    assert not [points for points in too_wide if points > 10]
    shown = subprocess.run(
        ["pdftotext", "-layout", "report.pdf", "-"],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "<script>alert(1)</script> %_&$#{}~^\\" in shown
    pages = [page for page in shown.split("\f") if page.strip()]
    assert all("Smoke run: a few thousand images" in page for page in pages)
    # The overview has its own pages, and every paper begins on a new one.
    heads = [" ".join(page.split(BANNER[-30:])[-1].split()) for page in pages]
    for title in ("Made up", "Stopping", "Silence"):
        assert any(head.startswith(title) for head in heads[1:])
