"""The report in both formats: what it says, what it escapes, and that LaTeX takes it."""

import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import jinja2
import pytest
import synthetic
from refashion import reporting
from refashion.errors import UserError

TEMPLATES = Path(__file__).parents[2] / "report" / "templates"
RUN = {
    "commit": "0123456789ab",
    "dirty": True,
    "versions": {"python": "3.11.2", "torch": "2.14.1"},
    "platform": "Linux x86_64",
    "cores": 2,
    "date": "2026-01-02",
}


def config(seeds):
    return {"seeds": seeds, "scales": {"paper": {"epochs": None}, "smoke": {"epochs": 2}}}


def write(paper, root, seeds, scale="paper", diverged=None):
    """Results, context and both reports under ``root``."""
    synthetic.write_results(paper, root, seeds, diverged)
    context = reporting.build_context(config(seeds), [paper], root, scale, RUN)
    reporting.render(context, TEMPLATES, root / "report.html", root / "report.tex")
    return context, (root / "report.html").read_text(), (root / "report.tex").read_text()


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("results") / "smoke"


@pytest.fixture(scope="module")
def smoke(root):
    """A smoke report of three seeds, one diverged, with a note full of markup."""
    return write(synthetic.paper(), root, [0, 1, 2], "smoke", {("t1-small", 0): 3})


@pytest.fixture(scope="module")
def single(tmp_path_factory):
    """A report at paper scale of one seed, in which one row diverged."""
    paper = synthetic.paper(note="plain")
    return write(paper, tmp_path_factory.mktemp("results"), [4], diverged={("t1-wide", 4): 7})


def text_of(html: str) -> str:
    class Text(HTMLParser):
        parts: list

        def handle_data(self, data):
            self.parts.append(data)

    parser = Text()
    parser.parts = []
    parser.feed(html)
    return " ".join(" ".join(parser.parts).split())


def line(context, table, row):
    return next(
        line for line in context["papers"][0]["tables"][table]["lines"] if line["row"] == row
    )


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
    assert reporting._number(value, 4, sign=True) == text


def test_settings_that_all_rows_share_are_said_once(smoke):
    table = smoke[0]["papers"][0]["tables"][0]
    assert table["shared"] == "dropout 0.2"
    assert table["settings"] == ["Latent size", "Optimiser"]
    assert line(smoke[0], 0, "t1-wide-sgd")["settings"] == ["256", "SGD"]


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


def test_claims_are_listed_as_not_graded(smoke):
    assert "listed, not yet graded" in text_of(smoke[1]) and "made-P01" in smoke[1]


def test_html_is_one_file_without_scripts(smoke):
    html = smoke[1]
    assert html.count('src="data:image/svg+xml;base64,') == 3
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
    assert reporting.escape_latex(synthetic.NASTY) == (
        r"{\ensuremath{<}}script{\ensuremath{>}}alert(1){\ensuremath{<}}/script{\ensuremath{>}} "
        r"{\%}{\_}{\&}{\$}{\#}{\{}{\}}{\textasciitilde}{\textasciicircum}{\textbackslash} "
        r"{\ensuremath{\forall}} {[}U+2603{]}"
    )
    assert reporting.escape_latex("−0.1 ± 2 × 3 ≤ n₁, --x--") == (
        r"{\ensuremath{-}}0.1 {\ensuremath{\pm}} 2 {\texttimes} 3 {\ensuremath{\leq}} "
        r"n{\ensuremath{_1}}, -{}-x-{}-"
    )
    assert reporting.escape_latex("a\n\n b\x00") == "a b"
    assert reporting.escape_latex("Núñez") == r"N{\'u}{\~n}ez"


@pytest.mark.parametrize("name", ["report.html.j2", "report.tex.j2"])
def test_an_undefined_name_fails_the_render(smoke, tmp_path, name):
    shutil.copytree(TEMPLATES, tmp_path / "templates")
    template = tmp_path / "templates" / name
    missing = r"\VAR{no_such_name}" if ".tex" in name else "{{ no_such_name }}"
    template.write_text(template.read_text() + missing)
    with pytest.raises(jinja2.UndefinedError, match="no_such_name"):
        reporting.render(smoke[0], tmp_path / "templates", tmp_path / "r.html", tmp_path / "r.tex")


@pytest.mark.parametrize("name", ["report.html.j2", "report.tex.j2"])
def test_none_is_never_printed(smoke, tmp_path, name):
    shutil.copytree(TEMPLATES, tmp_path / "templates")
    with pytest.raises(ValueError, match="prints None"):
        broken = smoke[0] | {"title": None}
        reporting.render(broken, tmp_path / "templates", tmp_path / "r.html", tmp_path / "r.tex")


def test_a_figure_that_was_not_drawn_is_named(tmp_path):
    with pytest.raises(UserError, match=r"figures/made2020/figure-1\.svg: not there"):
        reporting.build_context(config([0]), [synthetic.paper()], tmp_path, "paper", RUN)


def test_rows_that_were_not_trained_are_told(tmp_path):
    paper = synthetic.paper(note="plain")
    synthetic.write_results(paper, tmp_path, [0])
    shutil.rmtree(tmp_path / paper.key / "t1-small")
    context = reporting.build_context(config([0]), [paper], tmp_path, "paper", RUN)
    assert line(context, 0, "t1-small")["cells"][0]["measured"] == "not run"
    assert context["papers"][0]["overview"]["facts"][0] == ("Rows trained", "3 of 4")


def test_run_is_described_without_importing_torch(tmp_path):
    run = reporting.describe_run(tmp_path, date="2026-01-02")
    assert run["commit"] is None and run["date"] == "2026-01-02"
    assert {"python", "torch", "numpy", "snakemake", "refashion"} <= set(run["versions"])


def test_run_says_which_commit_and_whether_it_was_changed(tmp_path):
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for arguments in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "first"]):
        subprocess.run([*git, *arguments], check=True)
    clean = reporting.describe_run(tmp_path)
    assert re.fullmatch(r"[0-9a-f]{12}", clean["commit"]) and clean["dirty"] is False
    (tmp_path / "new").touch()
    assert reporting.describe_run(tmp_path)["dirty"] is True


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
