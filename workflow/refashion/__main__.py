"""``python -m refashion VERB``: what the rules call, and a person can call too."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter, Token

from refashion.errors import UserError
from refashion.paper import across, papers
from refashion.paper.config import Config, Margins
from refashion.paper.papers import Paper

# Each verb imports what it needs when it runs: torch takes seconds to load, and most verbs can
# do without.


def _from(read: Callable[[str], Any], words: str) -> Parameter:
    """An option that is read from its one word."""

    def convert(_: type, tokens: list[Token]) -> Any:
        return read(tokens[0].value)

    return Parameter(converter=convert, accepts_keys=False, n_tokens=1, help=words)


def _optional(words: str) -> Parameter:
    """An option that may come without a word."""
    return Parameter(consume_multiple=(0, 1), help=words)


OfPaper = Annotated[Paper, _from(papers.load_paper, "the paper's YAML file")]
OfConfig = Annotated[Config, _from(Config.model_validate_json, "config.yaml's, as JSON")]
OfMargins = Annotated[Margins, _from(Margins.model_validate_json, "config.yaml's, as JSON")]
Papers = Annotated[list[Path], Parameter(consume_multiple=True, help="their YAML files")]
Seeds = Annotated[list[int], Parameter(consume_multiple=True)]
Results = Annotated[Path, Parameter(help="results/<scale>")]
Row = Annotated[str, Parameter(help="the row's id in that file")]
Scale = Annotated[str, Parameter(help="at smoke, pictures say: no evidence")]
DATASET = Path("results/dataset/paper.safetensors")  # that of fetch-dataset


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Runs:
    """The runs of a paper that are read."""

    paper: OfPaper
    results: Results
    seeds: Seeds


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Picture:
    """Where a picture is written to."""

    out_svg: Path
    out_pdf: Path


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Document:
    """What a document is made of, and where it is written to."""

    papers: Papers
    config: OfConfig
    results: Results
    templates: Path
    out_html: Path
    out_tex: Path


app = App(
    name="python -m refashion",
    help=__doc__,
    help_format="plaintext",
    help_on_error=False,
    version_flags=[],
    default_parameter=Parameter(negative=()),
)


@app.command
def fetch_dataset(
    *,
    sources: Annotated[list[str], Parameter(consume_multiple=True, help="in the order of trial")],
    folder: Annotated[tuple[str, ...], _optional("where the source 'folder' looks")] = (),
    out: Path,
) -> None:
    """Fetch Fashion-MNIST, check it, write it as one tensor file."""
    from refashion.training.sources import fetch

    fetch(sources, next(iter(folder), "") or None, out)


@app.command
def schema(*, out: Path = Path("workflow/schemas")) -> None:
    """Write the JSON schemas by which editors complete and check YAML."""
    from refashion.paper.schema import write_schemas

    write_schemas(out)


@app.command
def subset(*, dataset: Path, train_images: int, test_images: int, out: Path) -> None:
    """Write the first images of each class as a small data set."""
    from refashion.training.dataset import subset

    subset(dataset, train_images, test_images, out)


@app.command
def train(
    *,
    paper: OfPaper,
    row: Row,
    seed: int,
    dataset: Path = DATASET,
    encoder: Annotated[
        tuple[Path, ...], _optional("the encoder.safetensors that the row reuses")
    ] = (),
    epochs: Annotated[int | None, Parameter(help="in place of the row's own number")] = None,
    gpus: Annotated[int, Parameter(help="0: on the CPU; 1: on a GPU")] = 0,
    out: Annotated[Path, Parameter(help="folder of the results")],
) -> None:
    """Train one row of a paper with one seed."""
    from refashion.training import dataset as images
    from refashion.training import loop
    from refashion.training.job import Job

    job = Job(
        paper.row(row),
        images.load(dataset),
        seed,
        epochs=epochs,
        encoder=next(iter(encoder), None),
        device="cuda" if gpus else "cpu",
    )
    loop.train(job, out, log=lambda line: print(line, flush=True))


@app.command
def export_encoder(
    *,
    paper: OfPaper,
    row: Row,
    model: Annotated[Path, Parameter(help="the row's model.safetensors")],
    out: Path,
) -> None:
    """Write the encoder of a trained model to a file of its own."""
    from refashion.training.export import export_encoder

    export_encoder(paper.row(row), model, out)


@app.command
def summarise(
    *,
    paper: OfPaper,
    row: Row,
    seeds: Seeds,
    metrics: Annotated[
        list[Path], Parameter(consume_multiple=True, help="of each seed, in their order")
    ],
    out: Path,
) -> None:
    """Summarise one row's trainings over its seeds."""
    from refashion.results.files import write_record
    from refashion.results.run import Metrics
    from refashion.results.summary import summarise

    of = paper.row(row)
    runs = [Metrics.read(file, of, seed) for seed, file in zip(seeds, metrics, strict=True)]
    write_record(summarise(of, runs), out, indent=2)


@app.command
def levels(
    *,
    paper: OfPaper,
    dataset: Annotated[Path, Parameter(help="the images of the runs")],
    published_images: Annotated[Path, Parameter(help="the whole data set")] = DATASET,
    out: Path,
) -> None:
    """Compute what errors are without learning, and what none can remove."""
    from refashion.judging.levels import PaperLevels, describe
    from refashion.results.files import write_record
    from refashion.training.dataset import load

    files = published_images, dataset
    described = {file: describe(paper, load(file)) for file in set(files)}
    write_record(PaperLevels(*(described[file] for file in files)), out)


@app.command
def diagnose(runs: Runs, *, out: Path) -> None:
    """Find what published numbers and runs give away."""
    from refashion.judging import levels
    from refashion.judging.diagnosis import runs as diagnosis
    from refashion.results.files import write_record

    known = levels.load(runs.paper, runs.results)
    measured = diagnosis.load_runs(runs.paper, runs.results, runs.seeds)
    write_record(diagnosis.diagnose(runs.paper, known, measured), out, indent=2)


@app.command
def claims(of: Runs, *, out: Path) -> None:
    """Test the claims of a paper on its runs."""
    from refashion.judging import levels
    from refashion.judging.claims import evaluate
    from refashion.results.files import write_record
    from refashion.results.run import read_runs

    measured = levels.load(of.paper, of.results).measured
    runs = read_runs(of.paper, of.results, of.seeds)
    write_record(evaluate(of.paper, runs, measured), out, indent=2)


@app.command
def figure(
    runs: Runs,
    *,
    figure: Annotated[str, Parameter(help="the figure's id in that file")],
    scale: Scale,
    to: Picture,
) -> None:
    """Draw one figure of a paper from its rows' results."""
    from refashion.report.figures import kinds, shared

    drawn = next(entry for entry in runs.paper.figures if entry.id == figure)
    draw = partial(kinds.make, runs.paper, drawn, runs.results, runs.seeds)
    shared.write(draw, f"{runs.paper.key}/{figure}", scale, to.out_svg, to.out_pdf)


@app.command
def draw_verdicts(
    *, paper: OfPaper, results: Results, scale: Scale, margins: OfMargins, to: Picture
) -> None:
    """Draw a paper's published numbers beside the runs."""
    from refashion.judging.numbers import published_numbers
    from refashion.report.figures import shared, verdicts
    from refashion.results.summary import load_summaries

    numbers = published_numbers(paper, load_summaries(paper, results), margins)
    shared.write(
        partial(verdicts.strips, numbers), f"{paper.key}-verdicts", scale, to.out_svg, to.out_pdf
    )


@app.command
def report(of: Document) -> None:
    """Write the report as HTML and LaTeX."""
    from refashion.report.page import build_context
    from refashion.report.render import render
    from refashion.results import provenance

    root = Path.cwd()
    covered = [papers.load_paper(file) for file in of.papers]
    run, statements = provenance.describe_run(root), across.load(root, covered)
    context = build_context(of.config, covered, of.results, run, statements)
    render(context, of.templates, of.out_html, of.out_tex)


@app.command
def scorecard(
    *,
    papers: Papers,
    results: Results,
    scale: Scale,
    seeds: Seeds,
    margins: OfMargins,
    out: Annotated[Path, Parameter(help="the JSON file")],
    out_badge: Annotated[Path, Parameter(help="one line of SVG")],
    to: Picture,
) -> None:
    """Count how numbers, claims and findings came out."""
    from refashion.judging.scorecard import Card, OfPaper, grade_paper
    from refashion.paper.papers import load_paper
    from refashion.report.figures import shared, verdicts
    from refashion.report.scorecard import badge
    from refashion.results.files import write_record

    covered = map(load_paper, papers)
    judged = {of.key: OfPaper(seeds, grade_paper(of, results, margins)) for of in covered}
    card = Card(scale, judged)
    write_record(card.as_json(), out, indent=2)
    out_badge.write_text(badge(card))
    shared.write(partial(verdicts.bars, card), "scorecard", scale, to.out_svg, to.out_pdf)


@app.command
def studies(runs: Runs, *, margins: OfMargins, out: Path) -> None:
    """Compare the readings of a paper's studies."""
    from refashion.judging import levels
    from refashion.judging.studies import evaluate
    from refashion.results.files import write_record

    known = levels.load(runs.paper, runs.results)
    found = evaluate(runs.paper, runs.results, runs.seeds, known, margins)
    write_record(found, out, indent=2)


@app.command
def draw_study(
    *,
    compared: Annotated[Path, Parameter(help="what `studies` wrote")],
    paper: Annotated[str, Parameter(help="its key")],
    assumption: Annotated[str, Parameter(help="the id of the study's assumption")],
    scale: Scale,
    to: Picture,
) -> None:
    """Draw one study's readings against the published numbers."""
    from refashion.judging.studies import load
    from refashion.report.figures import readings, shared

    draw = partial(readings.dots, load(compared)[assumption])
    shared.write(draw, f"{paper}/{assumption}", scale, to.out_svg, to.out_pdf)


@app.command
def report_studies(of: Document) -> None:
    """Write the sensitivity studies as HTML and LaTeX."""
    from refashion.report.render import render
    from refashion.report.studies import build_context
    from refashion.results import provenance

    covered = [papers.load_paper(file) for file in of.papers]
    context = build_context(of.config, covered, of.results, provenance.describe_run(Path.cwd()))
    render(context, of.templates, of.out_html, of.out_tex, document="studies")


@app.command
def reference(
    runs: Runs,
    *,
    margins: OfMargins,
    out: Annotated[Path, Parameter(help="the CSV file; the rest beside it")],
) -> None:
    """Keep a paper's summaries as CSV, where they were made, and its runs."""
    from refashion.judging.scorecard import grade_paper
    from refashion.results import provenance
    from refashion.results.files import write_record
    from refashion.results.paths import Kept
    from refashion.results.reference import write_reference

    run, kept = provenance.describe_run(Path.cwd()), Kept(out.parent, runs.paper.key)
    write_reference(runs.paper, runs.results, runs.seeds, run, kept)
    write_record(grade_paper(runs.paper, runs.results, margins), kept.verdicts, indent=1)


@app.command
def check(
    *,
    papers: Papers,
    config: OfConfig,
    results: Results,
    reference: Annotated[Path, Parameter(help="results/reference/<scale>")],
    repeated: Annotated[
        tuple[str, Path, Path], Parameter(help="a run's name, its folder, the same trained again")
    ],
) -> None:
    """Compare a run with the reference, and write check.json and check.md."""
    from refashion.judging import check
    from refashion.paper.papers import load_paper
    from refashion.report.check import to_markdown
    from refashion.results import provenance
    from refashion.results.files import write_record

    covered = map(load_paper, papers)
    compared = [check.compare_paper(paper, results, reference, config) for paper in covered]
    row, first, again = repeated
    bits = check.Repeated(row, check.compare_bits(first, again))
    run = provenance.describe_run(Path.cwd())
    found = check.make_check(compared, bits, config.scale, run)
    said = to_markdown(found)
    write_record(found, results / "check.json", indent=2)
    (results / "check.md").write_text(said)
    print(said)
    check.raise_if_drifted(found)


@app.command
def readme(
    *, reference: Path = Path("results/reference/paper"), readme: Path = Path("README.md")
) -> None:
    """Write the scorecard of the reference into the README."""
    from refashion.judging.scorecard import Card
    from refashion.report import scorecard

    card = Card.of_reference(reference)
    badge = reference / "scorecard.svg"
    badge.write_text(scorecard.badge(card))
    text = readme.read_text(encoding="utf-8")
    readme.write_text(scorecard.in_readme(text, card, badge.as_posix()), encoding="utf-8")


def main() -> int:
    """Run one verb; a user's error is printed without a traceback and gives exit code 1."""
    try:
        app()
    except UserError as error:
        print(f"refashion: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
