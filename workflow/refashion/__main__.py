"""``python -m refashion VERB``: what the rules call, and a person can call too."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from refashion.errors import UserError

if TYPE_CHECKING:
    from refashion.paper.config import Config, Margins

DATASET = Path("results/dataset/paper.safetensors")

# Each verb imports what it needs when it runs: torch takes seconds to load, and most verbs can
# do without.


def _config(text: str) -> Config:
    from refashion.paper.config import Config

    return Config.model_validate_json(text)


def _margins(text: str) -> Margins:
    from refashion.paper.config import Margins

    return Margins.model_validate_json(text)


def fetch_dataset(arguments: argparse.Namespace) -> None:
    from refashion.training import sources

    sources.fetch(arguments.sources, arguments.folder or None, arguments.out)


def schema(arguments: argparse.Namespace) -> None:
    from refashion.paper.schema import write_schemas

    write_schemas(arguments.out)


def subset(arguments: argparse.Namespace) -> None:
    from refashion.training import dataset

    dataset.subset(arguments.dataset, arguments.train_images, arguments.test_images, arguments.out)


def train(arguments: argparse.Namespace) -> None:
    from refashion.paper import papers
    from refashion.training import dataset, loop
    from refashion.training.job import Job

    job = Job(
        papers.load_paper(arguments.paper).row(arguments.row),
        dataset.load(arguments.dataset),
        arguments.seed,
        epochs=arguments.epochs,
        encoder=arguments.encoder,
        device="cuda" if arguments.gpus else "cpu",
    )
    loop.train(job, arguments.out, log=lambda line: print(line, flush=True))


def export_encoder(arguments: argparse.Namespace) -> None:
    from refashion.paper import papers
    from refashion.training import export

    row = papers.load_paper(arguments.paper).row(arguments.row)
    export.export_encoder(row, arguments.model, arguments.out)


def summarise(arguments: argparse.Namespace) -> None:
    from refashion.paper import papers
    from refashion.results.run import Metrics
    from refashion.results.summary import summarise

    row = papers.load_paper(arguments.paper).row(arguments.row)
    files = zip(arguments.seeds, arguments.metrics, strict=True)
    runs = [Metrics.read(file, row, seed) for seed, file in files]
    summarise(row, runs).write(arguments.out)


def levels(arguments: argparse.Namespace) -> None:
    from refashion.judging import levels
    from refashion.paper import papers
    from refashion.results.files import write_record
    from refashion.training import dataset

    paper = papers.load_paper(arguments.paper)
    files = arguments.published_images, arguments.dataset
    described = {file: levels.describe(paper, dataset.load(file)) for file in set(files)}
    write_record(levels.PaperLevels(*(described[file] for file in files)), arguments.out)


def claims(arguments: argparse.Namespace) -> None:
    from refashion.judging import claims as verdicts
    from refashion.judging import levels
    from refashion.paper import papers
    from refashion.results.files import write_record
    from refashion.results.run import read_runs

    paper = papers.load_paper(arguments.paper)
    measured = levels.load(paper, arguments.results).measured
    runs = read_runs(paper, arguments.results, arguments.seeds)
    write_record(verdicts.evaluate(paper, runs, measured), arguments.out, indent=2)


def diagnose(arguments: argparse.Namespace) -> None:
    from refashion.judging import levels
    from refashion.judging.diagnosis import runs
    from refashion.paper import papers
    from refashion.results.files import write_record

    paper = papers.load_paper(arguments.paper)
    found = runs.diagnose(
        paper,
        levels.load(paper, arguments.results),
        runs.load_runs(paper, arguments.results, arguments.seeds),
    )
    write_record(found, arguments.out, indent=2)


def figure(arguments: argparse.Namespace) -> None:
    from refashion.paper import papers
    from refashion.report.figures import kinds

    paper = papers.load_paper(arguments.paper)
    drawn = next(entry for entry in paper.figures if entry.id == arguments.figure)
    kinds.draw(
        paper,
        drawn,
        arguments.results,
        arguments.seeds,
        arguments.out_svg,
        arguments.out_pdf,
        scale=arguments.scale,
    )


def draw_verdicts(arguments: argparse.Namespace) -> None:
    from refashion.judging import numbers as judged
    from refashion.paper import papers
    from refashion.report.figures import verdicts
    from refashion.results.summary import load_summaries

    paper = papers.load_paper(arguments.paper)
    summaries = load_summaries(paper, arguments.results)
    numbers = judged.published_numbers(paper, summaries, arguments.margins)
    verdicts.draw(paper.key, numbers, arguments.scale, arguments.out_svg, arguments.out_pdf)


def report(arguments: argparse.Namespace) -> None:
    from refashion.paper import across, papers
    from refashion.report import page, render
    from refashion.results import provenance

    root = Path.cwd()
    covered = [papers.load_paper(file) for file in arguments.papers]
    context = page.build_context(
        arguments.config,
        covered,
        arguments.results,
        provenance.describe_run(root),
        across.load(root, covered),
    )
    render.render(context, arguments.templates, arguments.out_html, arguments.out_tex)


def scorecard(arguments: argparse.Namespace) -> None:
    from refashion.judging import scorecard
    from refashion.paper import papers
    from refashion.report.figures import scorecard as picture
    from refashion.report.scorecard import badge
    from refashion.results.files import write_record

    grades = {
        paper.key: scorecard.grade_paper(paper, arguments.results, arguments.margins)
        for paper in map(papers.load_paper, arguments.papers)
    }
    seeds: list[int] = arguments.seeds
    card = scorecard.Card(arguments.scale, grades, dict.fromkeys(grades, seeds))
    write_record(card.as_json(), arguments.out, indent=2)
    arguments.out_badge.write_text(badge(card))
    picture.draw(card, arguments.out_svg, arguments.out_pdf)


def studies(arguments: argparse.Namespace) -> None:
    from refashion.judging import levels
    from refashion.judging import studies as comparison
    from refashion.paper import papers
    from refashion.results.files import write_record

    paper = papers.load_paper(arguments.paper)
    found = comparison.evaluate(
        paper,
        arguments.results,
        arguments.seeds,
        levels.load(paper, arguments.results),
        arguments.margins,
    )
    write_record(found, arguments.out, indent=2)


def draw_study(arguments: argparse.Namespace) -> None:
    from refashion.report.figures import readings

    found = json.loads(arguments.compared.read_text(encoding="utf-8"))
    study = next(study for study in found if study["assumption"] == arguments.assumption)
    readings.draw(arguments.paper, study, arguments.scale, arguments.out_svg, arguments.out_pdf)


def report_studies(arguments: argparse.Namespace) -> None:
    from refashion.paper import papers
    from refashion.report import render
    from refashion.report import studies as document
    from refashion.results import provenance

    context = document.build_context(
        arguments.config,
        [papers.load_paper(file) for file in arguments.papers],
        arguments.results,
        provenance.describe_run(Path.cwd()),
    )
    outs = arguments.out_html, arguments.out_tex
    render.render(context, arguments.templates, *outs, document="studies")


def reference(arguments: argparse.Namespace) -> None:
    from refashion.judging import scorecard
    from refashion.paper import papers
    from refashion.results import provenance
    from refashion.results.files import write_record
    from refashion.results.paths import Kept
    from refashion.results.reference import write_reference

    paper = papers.load_paper(arguments.paper)
    run = provenance.describe_run(Path.cwd())
    kept = Kept(arguments.out.parent, paper.key)
    write_reference(paper, arguments.results, arguments.seeds, run, kept)
    graded = scorecard.grade_paper(paper, arguments.results, arguments.margins)
    write_record(graded, kept.verdicts, indent=1)


def check(arguments: argparse.Namespace) -> None:
    from refashion.judging import check
    from refashion.paper import papers
    from refashion.report.check import to_markdown
    from refashion.results import provenance
    from refashion.results.files import write_record

    config = arguments.config
    row, first, again = arguments.repeated
    found = check.make_check(
        [
            check.compare_paper(paper, arguments.results, arguments.reference, config)
            for paper in map(papers.load_paper, arguments.papers)
        ],
        check.Repeated(row, check.compare_bits(Path(first), Path(again))),
        config.scale,
        provenance.describe_run(Path.cwd()),
    )
    said = to_markdown(found)
    write_record(found, arguments.results / "check.json", indent=2)
    (arguments.results / "check.md").write_text(said)
    print(said)
    check.raise_if_drifted(found)


def readme(arguments: argparse.Namespace) -> None:
    from refashion.judging.scorecard import Card
    from refashion.report import scorecard

    card = Card.of_reference(arguments.reference)
    badge = arguments.reference / "scorecard.svg"
    badge.write_text(scorecard.badge(card))
    text = arguments.readme.read_text(encoding="utf-8")
    arguments.readme.write_text(scorecard.in_readme(text, card, badge.as_posix()), encoding="utf-8")


def parser() -> argparse.ArgumentParser:
    """The command line: one sub-command a verb."""
    main = argparse.ArgumentParser(prog="python -m refashion", description=__doc__)
    verbs = main.add_subparsers(metavar="VERB", required=True)

    def verb(function, text: str) -> argparse.ArgumentParser:
        added = verbs.add_parser(function.__name__.replace("_", "-"), help=text, description=text)
        added.set_defaults(function=function)
        return added

    def add_paper(to: argparse.ArgumentParser) -> None:
        to.add_argument("--paper", type=Path, required=True, help="the paper's YAML file")

    def add_row(to: argparse.ArgumentParser) -> None:
        add_paper(to)
        to.add_argument("--row", required=True, help="the row's id in that file")

    def add_papers(to: argparse.ArgumentParser) -> None:
        to.add_argument("--papers", type=Path, nargs="*", required=True, help="their YAML files")
        add_results(to)

    def add_results(to: argparse.ArgumentParser) -> None:
        to.add_argument("--results", type=Path, required=True, help="results/<scale>")

    def add_seeds(to: argparse.ArgumentParser) -> None:
        to.add_argument("--seeds", type=int, nargs="+", required=True)

    def add_runs(to: argparse.ArgumentParser) -> None:
        add_paper(to)
        add_results(to)
        add_seeds(to)

    def add_margins(to: argparse.ArgumentParser) -> None:
        to.add_argument("--margins", type=_margins, required=True, help="config.yaml's, as JSON")

    def add_scale(to: argparse.ArgumentParser) -> None:
        to.add_argument("--scale", required=True, help="at smoke, pictures say: no evidence")

    def add_configuration(to: argparse.ArgumentParser) -> None:
        add_papers(to)
        to.add_argument("--config", type=_config, required=True, help="config.yaml's, as JSON")

    def add_picture(to: argparse.ArgumentParser) -> None:
        to.add_argument("--out-svg", type=Path, required=True)
        to.add_argument("--out-pdf", type=Path, required=True)

    def add_document(to: argparse.ArgumentParser) -> None:
        add_configuration(to)
        to.add_argument("--templates", type=Path, required=True)
        to.add_argument("--out-html", type=Path, required=True)
        to.add_argument("--out-tex", type=Path, required=True)

    fetch = verb(fetch_dataset, "Fetch Fashion-MNIST, check it, write it as one tensor file.")
    fetch.add_argument("--sources", nargs="+", required=True, help="in the order of trial")
    fetch.add_argument("--folder", nargs="?", help="where the source 'folder' looks")
    fetch.add_argument("--out", type=Path, required=True)

    forms = verb(schema, "Write the JSON schemas by which editors complete and check YAML.")
    forms.add_argument("--out", type=Path, default=Path("workflow/schemas"))

    part = verb(subset, "Write the first images of each class as a small data set.")
    part.add_argument("--dataset", type=Path, required=True)
    part.add_argument("--train-images", type=int, required=True)
    part.add_argument("--test-images", type=int, required=True)
    part.add_argument("--out", type=Path, required=True)

    training = verb(train, "Train one row of a paper with one seed.")
    add_row(training)
    training.add_argument("--seed", type=int, required=True)
    training.add_argument(
        "--dataset", type=Path, default=DATASET, help=f"from fetch-dataset ({DATASET})"
    )
    training.add_argument("--out", type=Path, required=True, help="folder of the results")
    training.add_argument(
        "--encoder", type=Path, nargs="?", help="the encoder.safetensors that the row reuses"
    )
    training.add_argument("--epochs", type=int, help="in place of the row's own number")
    training.add_argument("--gpus", type=int, default=0, help="0: on the CPU; 1: on a GPU")

    export = verb(export_encoder, "Write the encoder of a trained model to a file of its own.")
    add_row(export)
    export.add_argument("--model", type=Path, required=True, help="the row's model.safetensors")
    export.add_argument("--out", type=Path, required=True)

    summary = verb(summarise, "Summarise one row's trainings over its seeds.")
    add_row(summary)
    summary.add_argument("--seeds", type=int, nargs="+", required=True)
    summary.add_argument("--metrics", type=Path, nargs="+", help="of each seed, in their order")
    summary.add_argument("--out", type=Path, required=True)

    images = verb(levels, "Compute what errors are without learning, and what none can remove.")
    add_paper(images)
    images.add_argument("--dataset", type=Path, required=True, help="the images of the runs")
    images.add_argument(
        "--published-images", type=Path, default=DATASET, help=f"the whole data set ({DATASET})"
    )
    images.add_argument("--out", type=Path, required=True)

    suspicions = verb(diagnose, "Find what published numbers and runs give away.")
    add_runs(suspicions)
    suspicions.add_argument("--out", type=Path, required=True)

    graded = verb(claims, "Test the claims of a paper on its runs.")
    add_runs(graded)
    graded.add_argument("--out", type=Path, required=True)

    drawing = verb(figure, "Draw one figure of a paper from its rows' results.")
    add_runs(drawing)
    drawing.add_argument("--figure", required=True, help="the figure's id in that file")
    add_scale(drawing)
    add_picture(drawing)

    strips = verb(draw_verdicts, "Draw a paper's published numbers beside the runs.")
    add_paper(strips)
    add_results(strips)
    add_scale(strips)
    add_margins(strips)
    add_picture(strips)

    page = verb(report, "Write the report as HTML and LaTeX.")
    add_document(page)

    compared = verb(studies, "Compare the readings of a paper's studies.")
    add_runs(compared)
    add_margins(compared)
    compared.add_argument("--out", type=Path, required=True)

    dots = verb(draw_study, "Draw one study's readings against the published numbers.")
    dots.add_argument("--compared", type=Path, required=True, help="what `studies` wrote")
    dots.add_argument("--paper", required=True, help="its key")
    dots.add_argument("--assumption", required=True, help="the id of the study's assumption")
    add_scale(dots)
    add_picture(dots)

    document = verb(report_studies, "Write the sensitivity studies as HTML and LaTeX.")
    add_document(document)

    kept = verb(reference, "Keep a paper's summaries as CSV, where they were made, and its runs.")
    add_runs(kept)
    add_margins(kept)
    kept.add_argument("--out", type=Path, required=True, help="the CSV file; the rest beside it")

    card = verb(scorecard, "Count how numbers, claims and findings came out.")
    add_papers(card)
    add_scale(card)
    add_seeds(card)
    add_margins(card)
    card.add_argument("--out", type=Path, required=True, help="the JSON file")
    card.add_argument("--out-badge", type=Path, required=True, help="one line of SVG")
    add_picture(card)

    checked = verb(check, "Compare a run with the reference, and write check.json and check.md.")
    add_configuration(checked)
    checked.add_argument("--reference", type=Path, required=True, help="results/reference/<scale>")
    checked.add_argument(
        "--repeated",
        nargs=3,
        required=True,
        metavar=("NAME", "FOLDER", "AGAIN"),
        help="a run, and the same trained once more",
    )

    page_one = verb(readme, "Write the scorecard of the reference into the README.")
    page_one.add_argument("--reference", type=Path, default=Path("results/reference/paper"))
    page_one.add_argument("--readme", type=Path, default=Path("README.md"))
    return main


def main() -> int:
    """Run one verb; a user's error is printed without a traceback and gives exit code 1."""
    arguments = parser().parse_args()
    try:
        arguments.function(arguments)
    except UserError as error:
        print(f"refashion: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
