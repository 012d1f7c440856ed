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
from refashion.judging.claims.verdicts import ClaimResult, ClaimVerdict, PartResult
from refashion.paper.settings import setting
from refashion.report import latex
from refashion.report import page as reporting
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


def config(seeds):
    return synthetic.configured(seeds=[*seeds], margins=synthetic.margins().model_dump())


def write(papers, root, seeds, scale="paper", diverged=None, statements=()):
    """Results, context and both reports under ``root``."""
    for paper in papers:
        synthetic.write_results(paper, root, seeds, diverged)
    synthetic.write_scorecard(papers, root, config(seeds), scale)
    context = reporting.build_context(config(seeds), papers, root, scale, RUN, statements)
    reporting.render(context, TEMPLATES, root / "report.html", root / "report.tex")
    return context, (root / "report.html").read_text(), (root / "report.tex").read_text()


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("results") / "smoke"


@pytest.fixture(scope="module")
def smoke(root):
    """A smoke report of three papers and three seeds, one diverged, with a note full of markup."""
    papers = [synthetic.paper(), synthetic.stopping_paper(), synthetic.silent_paper()]
    said = [
        {"paper": papers[0].key, "claim": claim["id"], "against": position == 1}
        for position, claim in enumerate(papers[0].claims[:2])
    ]
    statements = [{"text": "All of them say so", "claims": said}]
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


def line(context, table, row, paper=0):
    table = context["papers"][paper]["tables"][table]
    return next(line for line in table["lines"] if line["row"] == row)


def test_numbers_are_signed_and_rounded_strings(smoke):
    cell = line(smoke[0], 0, "t1-wide")["cells"][1]
    assert cell["published"] == "0.5900"
    assert re.fullmatch(r"0\.\d{4} ± 0\.\d{4}", cell["measured"])
    assert re.fullmatch(r"[+−]0\.\d{4}|0\.0000", cell["difference"])
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
    table = smoke[0]["papers"][0]["tables"][0]
    assert table["shared"] == "dropout 0.2"
    assert table["panels"][0]["settings"] == ["Latent size", "Optimiser"]
    assert line(smoke[0], 0, "t1-wide-sgd")["settings"] == ["256", "SGD"]
    assert smoke[0]["papers"][1]["tables"][0]["shared"] == (
        "early stopping patience 5, weights of the lowest validation loss, "
        "trained and validated on 60,000 and the test images"
    )
    assert line(smoke[0], 0, "m6", paper=1)["settings"] == ["ReLU", "10⁻⁷"]


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
    (panel,) = context["papers"][2]["tables"][0]["panels"]
    assert not panel["published"]
    assert [metric["columns"] for metric in panel["metrics"]] == ["3-3", "4-4", "5-5"]
    assert re.fullmatch(
        r"0\.\d{5} ± 0\.\d{5}", line(context, 0, "h64", paper=2)["cells"][0]["measured"]
    )
    for report, start in ((text_of(html), "Final losses. "), (tex, "Final losses")):
        table = report[report.index(start) :]
        assert "Published" not in table and "Difference" not in table
    # Of one table, the accuracy and the last epoch are printed, the epoch of the lowest loss not.
    first, second = context["papers"][1]["tables"][0]["panels"]
    assert [metric["published"] for metric in first["metrics"] + second["metrics"]] == [
        True,
        False,
        True,
    ]
    assert first["settings"] and not second["settings"]


def test_epochs_are_whole_numbers_and_rows_say_how_many_they_ran(smoke):
    stop = line(smoke[0], 0, "m5", paper=1)["cells"][0]
    assert stop == {"published": "28", "measured": "29 ± 1", "difference": "+1"}
    assert smoke[0]["papers"][1]["rows"][0]["epochs"] == "28 to 30"


def test_a_confusion_matrix_gives_accuracy_recall_and_precision(smoke):
    table = smoke[0]["papers"][1]["tables"][1]
    assert table["label"] == "Figure 2"
    names = [line["row"] for line in table["lines"]]
    assert (names[0], names[1], len(names)) == ("All: accuracy", "T-shirt/top", 11)
    accuracy, shirt = table["lines"][0]["cells"][0], table["lines"][7]["cells"]
    assert accuracy["published"] == "91.00"
    assert re.fullmatch(r"\d\d\.\d\d ± \d\.\d\d", accuracy["measured"])
    assert [cell["published"] for cell in shirt] == ["91.0", "91.0"]
    assert "The confusion that differs most is that of" in text_of(smoke[1])
    assert "Recall, {\\%}" in smoke[2]


def test_overview_has_a_line_for_every_paper(smoke, single):
    context, html, _ = smoke
    lines = {line["key"]: line for line in context["overview"]["lines"]}
    assert context["overview"]["kinds"] == ["Error", "Accuracy, %", "Epochs, classifiers"]
    assert lines["made2021"]["numbers"] == "5 of 5"
    assert lines["made2021"]["medians"][0] == "–" and lines["made2021"]["medians"][2] == "1"
    assert (lines["made2022"]["numbers"], lines["made2022"]["figures"]) == ("none printed", "1")
    assert lines["made2020"]["diverged"] == "1"
    assert "The paper prints no number that ours could be set beside" in text_of(html)
    assert "All papers." in html and "All papers." not in single[1]


def test_the_first_page_counts_all_verdicts_of_all_papers(smoke, single):
    context, html, tex = smoke
    papers = context["papers"]

    def first(cells):
        return [cell.split()[0] for cell in cells]

    *lines, total = context["scorecard"]["lines"]
    assert [line["paper"] for line in lines] == [paper["key"] for paper in papers]
    for paper, line in zip(papers, lines, strict=True):
        told = [verdict["verdict"].split(":")[0] for verdict in paper["verdicts"]]
        names = [name.lower() for name in context["scorecard"]["numbers"]]
        assert first(line["numbers"]) == [str(told.count(name) or "–") for name in names]
        told = [claim["verdict"] for claim in paper["claims"]]
        names = [name.lower() for name in context["scorecard"]["claims"]]
        assert first(line["claims"]) == [str(told.count(name) or "–") for name in names]
    every = sum(len(paper["verdicts"]) for paper in papers)
    assert sum(int(cell) for cell in first(total["numbers"]) if cell != "–") == every
    assert html.index('id="scorecard"') < html.index('id="papers"')
    assert tex.index("figures/scorecard.pdf") < tex.index("All papers")
    assert single[0]["scorecard"] is None and 'id="scorecard"' not in single[1]


def test_a_paper_by_itself_has_a_report_of_its_own(smoke, root):
    paper = synthetic.stopping_paper()
    context = reporting.build_context(config([0, 1, 2]), [paper], root, "smoke", RUN)
    assert context["title"] == "made2021, rerun"
    assert context["papers"] == smoke[0]["papers"][1:2]
    reporting.render(context, TEMPLATES, root / "made2021.html", root / "made2021.tex")
    html = (root / "made2021.html").read_text()
    # Its figures, and that of its verdicts.
    assert html.count('src="data:image/svg+xml;base64,') == len(paper.figures) + 1
    assert "made2020" not in html


def what_is_drawn(data, figure, summaries, seeds):
    """What the caption of a figure says, of a paper that shows no other."""
    figure = {"id": "f", "label": "Figure", "caption": "Made up", "shows": "So"} | figure
    paper = synthetic.load(data | {"figures": [figure]})
    return reporting._what_is_drawn(paper, paper.figures[0], summaries, seeds)


def test_captions_say_which_images_and_epochs_are_drawn(smoke):
    drawn = [figure["measured"] for paper in smoke[0]["papers"] for figure in paper["figures"]]
    assert drawn[1].startswith("Test images after the last epoch, mean over 3 seeds; ")
    assert drawn[-1] == (
        "Training images and test images, mean over 3 seeds; the band spans from the least to "
        "the greatest. The vertical axis is logarithmic."
    )
    bars = {"kind": "bars", "metric": "loss", "rows": ["h64"], "series": ["test"]}
    assert what_is_drawn(synthetic.silent_data(), bars, {}, [3]) == (
        "Test images after the last epoch, seed 3 alone, so no spread."
    )
    matrix = {"kind": "confusion", "rows": ["m5"], "normalised": True}
    assert what_is_drawn(synthetic.stopping_data(), matrix, {}, [0, 1]).startswith(
        "Test images at the epoch of the lowest validation loss, mean over 2 seeds, "
        "in percent of each true class"
    )


def test_what_several_papers_say_is_set_side_by_side_with_its_verdicts(smoke):
    context, html, tex = smoke
    (statement,) = context["across"]
    first, second = statement["claims"]
    assert first == context["papers"][0]["claims"][0] | {"against": False}
    assert second == context["papers"][0]["claims"][1] | {"against": True}
    for said in (first, second):
        assert f'href="#{said["anchor"]}"' in html and f'id="{said["anchor"]}"' in html
        assert f"\\hyperlink{{{said['anchor']}}}" in tex
        assert f"\\hypertarget{{{said['anchor']}}}" in tex
    marked = "If it holds, it speaks against the statement."
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
        assert said in what_is_drawn(synthetic.silent_data(), figure, summaries, [0, 1, 2])


def test_a_claim_names_the_runs_that_collapsed():
    tests = [{"row": "a", "among": ["b", "c"]}, {"rows": ["d"]}]
    keys = {field.name: None for field in fields(PartResult)}
    parts = tuple(PartResult(**keys | {"test": test}) for test in tests)
    result = ClaimResult("m", ClaimVerdict.HOLDS, "", parts=parts)
    seeds = {"a": [], "b": [0, 2], "c": [1], "d": [0, 2], "e": [0]}
    summaries = {
        row: synthetic.known_summary(collapsed=tuple(collapsed)) for row, collapsed in seeds.items()
    }
    assert reporting._collapses(result, summaries) == [
        "b and d collapsed (seed 0 and 2).",
        "c collapsed (seed 1).",
    ]


def test_variants_are_marked_as_ours(smoke):
    context, html, _ = smoke
    assert [row["row"] for row in context["papers"][0]["tables"][0]["lines"]][2] == "t1-wide-sgd"
    assert line(context, 0, "t1-wide-sgd")["cells"][0]["published"] == "–"
    assert "Ours, not in the paper: a variant of t1-wide." in text_of(html)


def test_diverged_seeds_are_told(smoke, single):
    assert "Diverged at epoch 3 (1 of 3 seeds)." in text_of(smoke[1])
    assert line(smoke[0], 0, "t1-small")["n"] == "2"
    assert "Diverged at epoch 7 (1 of 1 seed)." in text_of(single[1])
    assert line(single[0], 0, "t1-wide")["cells"][0]["measured"] == "diverged"


def test_one_seed_says_that_no_spread_can_be_given(single):
    context, html, tex = single
    for report in (text_of(html), " ".join(tex.split())):
        assert "One seed was run (4), so no spread can be given." in report
        assert "standard deviation" not in report
    assert "±" not in line(context, 0, "t1-small")["cells"][0]["measured"]


def test_smoke_reports_say_so_everywhere_and_others_nowhere(smoke, single):
    assert reporting.BANNER in text_of(smoke[1])
    assert reporting.BANNER in " ".join(smoke[2].split())
    assert "fancyhead" in smoke[2]
    for report in single[1:]:
        assert "smoke" not in report.lower()


def test_claims_have_a_verdict_its_evidence_and_a_count(smoke):
    context, html, tex = smoke
    tested, untestable = context["papers"][0]["claims"]
    assert (tested["sign"], tested["verdict"], tested["seeds"]) == (
        "✓",
        "holds",
        "2 of 2 seeds for it",
    )
    assert untestable["verdict"] == "not tested" and untestable["note"] == "A judgement."
    (part,) = tested["parts"]
    assert part["tested"] == (
        "Validation loss at its best epoch is lower for t1-wide than 0.999 times that of t1-small."
    )
    assert re.fullmatch(r"\+0\.\d+ \[\+0\.\d+, \+0\.\d+\]", part["effect"])
    assert tested["note"] == "t1-small diverged (seed 0)."
    counted = "Of 2 claims: 1 holds and 1 is not tested."
    for report in (text_of(html), " ".join(tex.split())):
        assert counted in report and "A thousandth is ours." in report
    assert part["effect"] in text_of(html)
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


@pytest.mark.parametrize("name", ["report.html.j2", "report.tex.j2"])
def test_an_undefined_name_fails_the_render(smoke, tmp_path, name):
    shutil.copytree(TEMPLATES, tmp_path / "templates")
    template = tmp_path / "templates" / name
    missing = r"\VAR{no_such_name}" if ".tex" in name else "{{ no_such_name }}"
    start = r"\BLOCK{block main}" if ".tex" in name else "{% block main %}"
    template.write_text(template.read_text().replace(start, start + missing))
    with pytest.raises(jinja2.UndefinedError, match="no_such_name"):
        reporting.render(smoke[0], tmp_path / "templates", tmp_path / "r.html", tmp_path / "r.tex")


@pytest.mark.parametrize("name", ["report.html.j2", "report.tex.j2"])
def test_none_is_never_printed(smoke, tmp_path, name):
    shutil.copytree(TEMPLATES, tmp_path / "templates")
    with pytest.raises(ValueError, match="prints None"):
        broken = smoke[0] | {"title": None}
        reporting.render(broken, tmp_path / "templates", tmp_path / "r.html", tmp_path / "r.tex")


def test_a_figure_that_was_not_drawn_is_named(tmp_path):
    paper = synthetic.paper(note="plain")
    synthetic.write_results(paper, tmp_path, [0])
    (tmp_path / "figures/made2020/figure-1.svg").unlink()
    with pytest.raises(UserError, match=r"figures/made2020/figure-1\.svg: not there"):
        reporting.build_context(config([0]), [paper], tmp_path, "paper", RUN)


def test_a_paper_that_was_not_diagnosed_is_named(tmp_path):
    paper = synthetic.paper(note="plain")
    synthetic.write_results(paper, tmp_path, [0])
    (tmp_path / "evidence/made2020/findings.json").unlink()
    with pytest.raises(UserError, match=r"made2020/findings\.json: not there; diagnose the paper"):
        reporting.build_context(config([0]), [paper], tmp_path, "paper", RUN)


def test_findings_are_told_and_counted_in_both_formats(smoke):
    context, html, tex = smoke
    paper = context["papers"][0]
    (finding,) = paper["findings"]
    assert finding["title"] == "Errors that are mostly floor"
    assert finding["tables"] == [{"label": "Table I", "anchor": "made2020-table-1"}]
    assert finding["rows"] == "t1-small and t1-wide"
    assert context["scorecard"]["lines"][0]["findings"] == "1"
    for report in (text_of(html), " ".join(tex.split())):
        assert finding["title"] in report and finding["consequence"] in report
        assert "an excess of 0.0200 to 0.0300 over a floor of 0.5700" in report
        assert "anything found that does not fit" in report  # of the other papers
    assert 'href="#made2020-findings"' in html and 'id="made2020-findings"' in html


def test_excess_over_the_floor_stands_beside_errors_that_have_one(smoke):
    made, stopping, silent = (paper["excess"] for paper in smoke[0]["papers"])
    train, val = made["panels"]
    assert val["label"] == "Min. error, validation"
    assert val["groups"] == ["Published", "Measured"]
    published, measured = val["lines"][1]["numbers"]
    assert published == ["0.5900", "0.5700", "0.0200"]
    error, floor, excess = (float(number) for number in measured)
    assert floor == 0.571 and excess == pytest.approx(error - floor, abs=1.1e-4)
    assert train["lines"][2]["ours"] and train["lines"][2]["numbers"][0] == ["–"] * 3
    assert "by about 0.0004" in made["note"]
    assert stopping["panels"] == []
    # Of a paper that prints no number there are ours alone.
    assert {tuple(panel["groups"]) for panel in silent["panels"]} == {("Measured",)}
    assert silent["note"] == ""


def test_rows_that_were_not_trained_are_told(tmp_path):
    paper = synthetic.paper(note="plain")
    synthetic.write_results(paper, tmp_path, [0])
    shutil.rmtree(tmp_path / paper.key / "t1-small")
    context = reporting.build_context(config([0]), [paper], tmp_path, "paper", RUN)
    assert line(context, 0, "t1-small")["cells"][0]["measured"] == "not run"
    assert context["papers"][0]["highlights"]["facts"][0] == ("Rows trained", "3 of 4")


def test_run_is_described_without_importing_torch(tmp_path):
    run = provenance.describe_run(tmp_path, date="2026-01-02")
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
    heads = [" ".join(page.split(reporting.BANNER[-30:])[-1].split()) for page in pages]
    for title in ("Made up", "Stopping", "Silence"):
        assert any(head.startswith(title) for head in heads[1:])
