"""``python -m refashion VERB``: what the rules call, and a person can call too."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path

from refashion.errors import UserError

DATASET = Path("results/dataset/paper.safetensors")

# Each verb imports what it needs when it runs: torch takes seconds to load, and most verbs can
# do without.


def fetch_dataset(arguments: argparse.Namespace) -> None:
    from refashion import dataset

    dataset.fetch(arguments.sources, arguments.folder or None, arguments.out)


def subset(arguments: argparse.Namespace) -> None:
    from refashion import dataset

    dataset.subset(arguments.dataset, arguments.train_images, arguments.test_images, arguments.out)


def train(arguments: argparse.Namespace) -> None:
    from refashion import dataset, papers, training

    training.train(
        papers.load_paper(arguments.paper).row(arguments.row),
        dataset.load(arguments.dataset),
        arguments.seed,
        arguments.out,
        epochs=arguments.epochs,
        encoder=arguments.encoder,
        device="cuda" if arguments.gpus else "cpu",
        log=lambda line: print(line, flush=True),
    )


def export_encoder(arguments: argparse.Namespace) -> None:
    from refashion import papers, training

    row = papers.load_paper(arguments.paper).row(arguments.row)
    training.export_encoder(row, arguments.model, arguments.out)


def summarise(arguments: argparse.Namespace) -> None:
    from refashion import evidence

    summary = evidence.summarise(arguments.metrics)
    arguments.out.write_text(json.dumps(summary, indent=2) + "\n")


def levels(arguments: argparse.Namespace) -> None:
    from refashion import dataset, papers
    from refashion.diagnosis import levels

    paper = papers.load_paper(arguments.paper)
    described = {
        file: levels.describe(paper, dataset.load(file))
        for file in {arguments.published_images, arguments.dataset}
    }
    found = {
        "published": described[arguments.published_images],
        "measured": described[arguments.dataset],
    }
    arguments.out.write_text(json.dumps(found) + "\n")


def claims(arguments: argparse.Namespace) -> None:
    from refashion import papers
    from refashion.claims import verdicts
    from refashion.diagnosis import levels

    paper = papers.load_paper(arguments.paper)
    measured = levels.load(paper, arguments.results)["measured"]
    judged = verdicts.evaluate(paper, arguments.results, arguments.seeds, measured)
    arguments.out.write_text(json.dumps(judged, indent=2) + "\n")


def diagnose(arguments: argparse.Namespace) -> None:
    from refashion import papers
    from refashion.diagnosis import levels, runs

    paper = papers.load_paper(arguments.paper)
    found = runs.diagnose(
        paper,
        levels.load(paper, arguments.results),
        runs.load_runs(paper, arguments.results, arguments.seeds),
    )
    findings = [dataclasses.asdict(finding) for finding in found]
    arguments.out.write_text(json.dumps(findings, indent=2) + "\n")


def figure(arguments: argparse.Namespace) -> None:
    from refashion import figures, papers

    paper = papers.load_paper(arguments.paper)
    drawn = next(entry for entry in paper.figures if entry["id"] == arguments.figure)
    figures.draw(
        paper,
        drawn,
        arguments.results,
        arguments.seeds,
        arguments.out_svg,
        arguments.out_pdf,
        scale=arguments.scale,
    )


def report(arguments: argparse.Namespace) -> None:
    from refashion import papers, provenance, reporting

    config = json.loads(arguments.config)
    root = Path.cwd()
    context = reporting.build_context(
        config,
        papers.load_papers(config, root),
        arguments.results,
        config["scale"],
        provenance.describe_run(root),
    )
    reporting.render(context, arguments.templates, arguments.out_html, arguments.out_tex)


def reference(arguments: argparse.Namespace) -> None:
    from refashion import evidence, papers, provenance

    evidence.write_reference(
        papers.load_paper(arguments.paper),
        arguments.results,
        arguments.seeds,
        provenance.describe_run(Path.cwd()),
        arguments.out,
    )


def parser() -> argparse.ArgumentParser:
    """The command line: one sub-command a verb."""
    main = argparse.ArgumentParser(prog="python -m refashion", description=__doc__)
    verbs = main.add_subparsers(metavar="VERB", required=True)

    def verb(function, text: str) -> argparse.ArgumentParser:
        added = verbs.add_parser(function.__name__.replace("_", "-"), help=text, description=text)
        added.set_defaults(function=function)
        return added

    def add_row(to: argparse.ArgumentParser) -> None:
        to.add_argument("--paper", type=Path, required=True, help="the paper's YAML file")
        to.add_argument("--row", required=True, help="the row's id in that file")

    fetch = verb(fetch_dataset, "Fetch Fashion-MNIST, check it, write it as one tensor file.")
    fetch.add_argument("--sources", nargs="+", required=True, help="in the order of trial")
    fetch.add_argument("--folder", nargs="?", help="where the source 'folder' looks")
    fetch.add_argument("--out", type=Path, required=True)

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
    summary.add_argument("metrics", type=Path, nargs="+", help="metrics.json of each seed")
    summary.add_argument("--out", type=Path, required=True)

    images = verb(levels, "Compute what errors are without learning, and what none can remove.")
    images.add_argument("--paper", type=Path, required=True, help="the paper's YAML file")
    images.add_argument("--dataset", type=Path, required=True, help="the images of the runs")
    images.add_argument(
        "--published-images", type=Path, default=DATASET, help=f"the whole data set ({DATASET})"
    )
    images.add_argument("--out", type=Path, required=True)

    suspicions = verb(diagnose, "Find what published numbers and runs give away.")
    suspicions.add_argument("--paper", type=Path, required=True, help="the paper's YAML file")
    suspicions.add_argument("--results", type=Path, required=True, help="results/<scale>")
    suspicions.add_argument("--seeds", type=int, nargs="+", required=True)
    suspicions.add_argument("--out", type=Path, required=True)

    graded = verb(claims, "Test the claims of a paper on its runs.")
    graded.add_argument("--paper", type=Path, required=True, help="the paper's YAML file")
    graded.add_argument("--results", type=Path, required=True, help="results/<scale>")
    graded.add_argument("--seeds", type=int, nargs="+", required=True)
    graded.add_argument("--out", type=Path, required=True)

    drawing = verb(figure, "Draw one figure of a paper from its rows' results.")
    drawing.add_argument("--paper", type=Path, required=True, help="the paper's YAML file")
    drawing.add_argument("--figure", required=True, help="the figure's id in that file")
    drawing.add_argument("--results", type=Path, required=True, help="results/<scale>")
    drawing.add_argument("--scale", required=True)
    drawing.add_argument("--seeds", type=int, nargs="+", required=True)
    drawing.add_argument("--out-svg", type=Path, required=True)
    drawing.add_argument("--out-pdf", type=Path, required=True)

    page = verb(report, "Write the report as HTML and LaTeX.")
    page.add_argument("--config", required=True, help="the configuration as JSON")
    page.add_argument("--results", type=Path, required=True, help="results/<scale>")
    page.add_argument("--templates", type=Path, required=True)
    page.add_argument("--out-html", type=Path, required=True)
    page.add_argument("--out-tex", type=Path, required=True)

    kept = verb(reference, "Keep a paper's summaries as CSV, where they were made, and its runs.")
    kept.add_argument("--paper", type=Path, required=True, help="the paper's YAML file")
    kept.add_argument("--results", type=Path, required=True, help="results/<scale>")
    kept.add_argument("--seeds", type=int, nargs="+", required=True)
    kept.add_argument("--out", type=Path, required=True, help="the CSV file; the rest beside it")
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
