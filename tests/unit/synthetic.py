"""Small made-up papers, read by the loader, and results that look like trained ones."""

from __future__ import annotations

import csv
import json
import math
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from refashion.judging.levels import Level, Levels, PaperLevels, Protocol
from refashion.judging.scorecard import Card, OfPaper, grade_paper
from refashion.paper import papers
from refashion.paper.architectures import Architecture
from refashion.paper.config import Config, Margins, validate_config
from refashion.paper.layers import Network
from refashion.paper.spec import Row
from refashion.paper.yaml_file import read_yaml
from refashion.results.files import write_record
from refashion.results.provenance import Provenance
from refashion.results.run import Best, Metrics, read_runs
from refashion.results.summary import Summary, load_summaries, summarise
from safetensors.numpy import save_file

NASTY = "<script>alert(1)</script> %_&$#{}~^\\ ∀ ☃"
FOLDER = tempfile.TemporaryDirectory(prefix="refashion-papers-")
LOADED: dict[str, papers.Paper] = {}


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):
    """Writes everything out: what the loader gives must not share parts by chance."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def load(data: dict[str, Any]) -> papers.Paper:
    """The paper of a file that holds ``data``; the same one for the same data.

    Raises:
        UserError: as :func:`refashion.paper.papers.load_paper`.
    """
    text = repr(data)
    if text not in LOADED:
        file = Path(tempfile.mkdtemp(dir=FOLDER.name)) / f"{data['key']}.yaml"
        written = yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True)
        file.write_text(written, encoding="utf-8")
        LOADED[text] = papers.load_paper(file)
    return LOADED[text]


def changed(data: dict[str, Any], section: str, id: str, **changes: Any) -> dict[str, Any]:
    """The data with other values in the entry of ``section`` that has this id or alias."""
    entries = [
        entry | changes if id in (entry["id"], *entry.get("aliases", ())) else entry
        for entry in data[section]
    ]
    return data | {section: entries}


def configured(**changes: Any) -> Config:
    """The configuration as it comes, with other values; the papers' keys need no file."""
    root = Path(__file__).parents[2]
    return validate_config(read_yaml(root / "config.yaml") | {"scale": "paper"} | changes)


def margins(**given: float) -> Margins:
    """The margins by kind of number, 0.01 where none is given."""
    every = dict.fromkeys(Margins.model_fields, 0.01) | given
    return Margins.model_validate(
        {kind: {"margin": margin, "reason": "made up"} for kind, margin in every.items()}
    )


MADE = Provenance(
    commit="0123456789ab",
    dirty=False,
    versions={"torch": "2.14.1"},
    platform="Linux x86_64",
    cores=2,
    date="2026-01-02",
)
PROTOCOL = {
    "loss": "Mean squared error.",
    "normalisation": "To between -1 and 1.",
    "training_error": "After each epoch.",
    "averaging": "The mean of the batches' means.",
    "epochs": "30 epochs.",
}
DEFAULTS = {
    "dropout": 0.2,
    "optimizer": "adam",
    "learning_rate": 0.001,
    "momentum": 0,
    "batch_size": 128,
    "epochs": 30,
    "normalisation": {"mean": 0.5, "std": 0.5},
}
PAPERS = Path(__file__).parents[2] / "workflow/papers"
# Those of all papers, for any made-up one.
ARCHITECTURES: dict[str, Any] = {
    name: architecture
    for file in sorted(PAPERS.glob("*.yaml"))
    for name, architecture in read_yaml(file)["architectures"].items()
}
AUTOENCODER = "caprari2025_autoencoder1"
CLASSIFIER = "ochotorena2023_classifier"


def row(id: str, architecture: str = AUTOENCODER, **keys: Any) -> dict[str, Any]:
    """An entry of ``rows``; parameters must be among ``keys`` unless it is one of these two."""
    usual = {AUTOENCODER: {"latent": None}, CLASSIFIER: {"latent": 64, "final": "relu"}}
    entry = {"id": id, "architecture": architecture} | keys
    return {"parameters": usual.get(architecture)} | entry


def network(architecture: str, dropout: float = 0.2, **parameters: Any) -> Network:
    """A network of one of the papers."""
    return Architecture.model_validate(ARCHITECTURES[architecture]).build(parameters, dropout)


def made(rows: list[dict], key: str = "made2020", **sections: Any) -> dict[str, Any]:
    """The data of a paper with these rows, that prints, shows and claims what is given alone."""
    return {
        "key": key,
        "citation": {"authors": ["Ada Núñez"], "title": "Made up", "date": "2020-02-02"},
        "protocol": PROTOCOL,
        "defaults": DEFAULTS,
        "architectures": ARCHITECTURES,
        "rows": rows,
        **dict.fromkeys(("tables", "assumptions", "figures", "claims"), ()),
    } | sections


def paper(note: str = NASTY) -> papers.Paper:
    """Two autoencoders, a variant of one and a classifier; two tables, one figure of each kind."""
    rows = [
        row("t1-small", note=note),
        row("t1-wide", parameters={"latent": 256}, aliases=["t2-same"]),
        row(
            "t1-wide-sgd",
            parameters={"latent": 256},
            optimizer="sgd",
            momentum=0.9,
            variant_of="t1-wide",
        ),
        row("t2-classifier", "caprari2025_classifier", parameters={"n1": 128, "n2": 64}),
    ]
    error = {"metric": "val_loss_batch_mean", "at": "best", "unit": "loss", "digits": 4}
    tables = [
        {
            "id": "table-1",
            "label": "Table I",
            "caption": f"Autoencoders {note}",
            "settings": ["latent", "optimizer", "dropout"],
            "metrics": {
                "train": {
                    "metric": "train_loss_batch_mean",
                    "at": "best",
                    "unit": "loss",
                    "digits": 4,
                    "label": "Min. error, train",
                },
                "val": error | {"label": "Min. error, validation"},
            },
            "lines": [
                {"row": "t1-small", "published": {"train": 0.61, "val": 0.6}},
                {"row": "t1-wide", "published": {"train": 0.6, "val": 0.59}},
            ],
        },
        {
            "id": "table-2",
            "label": "Table II",
            "caption": "Classifier",
            "settings": ["n1"],
            "metrics": {
                "accuracy": {
                    "metric": "val_accuracy_batch_mean",
                    "at": "best",
                    "unit": "percent",
                    "digits": 2,
                    "label": "Max. accuracy",
                }
            },
            "lines": [{"row": "t2-classifier", "published": {"accuracy": 92.53}}],
        },
    ]
    shows = {"caption": "Caption.", "shows": f"Both curves fall. {note}"}
    figures = [
        shows
        | {
            "id": "figure-1",
            "label": "Figure 1",
            "kind": "curves",
            "metric": "loss",
            "rows": ["t1-wide"],
        },
        shows
        | {"id": "figure-2", "label": "Figure 2", "kind": "confusion", "rows": ["t2-classifier"]},
        shows
        | {
            "id": "figure-3",
            "label": "Grid",
            "kind": "reconstructions",
            "rows": ["t1-small", "t1-wide"],
        },
    ]
    citation = {"authors": ["Ada Núñez"], "title": f"Made up {note}", "date": "2020-02-02"}
    data = made(rows, citation=citation, tables=tables, figures=figures)
    data["assumptions"] = [
        {
            "id": "A1",
            "question": "Padding?",
            "taken": "1",
            "why": note,
            "alternatives": "0",
            "evidence": "inferred",
        }
    ]
    data["claims"] = [
        {
            "id": "made-P01",
            "place": "III",
            "text": f"Wider is better. {note}",
            "test": [
                {
                    "form": "best",
                    "row": "t2-same",
                    "among": ["t1-small"],
                    "metric": "val_loss_batch_mean",
                    "at": "best",
                    "factor": 0.999,
                }
            ],
            "why": "A thousandth is ours.",
        },
        {"id": "made-P02", "place": "IV", "text": "It is nice", "untestable": "A judgement."},
    ]
    return load(data)


PUBLISHED_CONFUSION = (900 * np.eye(10, dtype=int) + 10).tolist()


def stopping_data() -> dict[str, Any]:
    """Classifiers that stop early and keep their best epoch; a printed confusion matrix."""
    rows = [
        row("m5", CLASSIFIER),
        row("m6", CLASSIFIER, epsilon=1e-7),
        row("m6-none", CLASSIFIER, parameters={"latent": 64, "final": "none"}, variant_of="m6"),
    ]
    percent = {"metric": "val_accuracy", "unit": "percent", "digits": 1}
    epoch = {"metric": "epoch", "unit": "epochs", "digits": 0}
    table = {
        "id": "table-1",
        "label": "Table 1",
        "caption": "Classifiers that stop early",
        "settings": ["final", "epsilon", "early_stopping", "keep", "split"],
        "metrics": {
            "stop": epoch | {"at": "final", "label": "Last epoch"},
            "optimum": epoch | {"at": "lowest", "label": "Lowest loss"},
            "accuracy": percent | {"at": "kept", "label": "Accuracy"},
        },
        "lines": [
            {"row": "m5", "published": {"stop": 28, "accuracy": 90.0}},
            {"row": "m6", "published": {"stop": 30, "accuracy": 90.4}},
        ],
    }
    figure = {
        "id": "figure-1",
        "label": "Figure 1",
        "caption": "Accuracies",
        "shows": "They rise.",
        "kind": "curves",
        "metric": "accuracy",
        "rows": ["m5", "m6"],
    }
    stopping = {"early_stopping": {"patience": 5, "min_delta": 0}, "keep": "best"}
    return made(
        rows,
        key="made2021",
        citation={"authors": ["Bo Made", "Cy Made"], "title": "Stopping", "date": "2021-03"},
        defaults=DEFAULTS | stopping,
        tables=[table],
        figures=[figure],
        confusion_matrices=[{"row": "m5", "label": "Figure 2", "published": PUBLISHED_CONFUSION}],
    )


def stopping_paper() -> papers.Paper:
    """The paper of :func:`stopping_data`."""
    return load(stopping_data())


def silent_data() -> dict[str, Any]:
    """Autoencoders with held-out validation images, of which the paper prints no number."""
    rows = [
        row(f"h{hidden}", "borgnino2023_autoencoder", parameters={"hidden": hidden})
        for hidden in (64, 512)
    ]
    error = {"at": "final", "unit": "loss", "digits": 5}
    table = {
        "id": "final-losses",
        "label": "Final losses",
        "caption": "Errors by width",
        "settings": ["hidden", "split"],
        "metrics": {
            name: error | {"metric": f"{name}_loss", "label": f"Error, {name}"}
            for name in ("train", "val", "test")
        },
        "lines": [{"row": row["id"], "published": {}} for row in rows],
    }
    figure = {
        "id": "figure-5",
        "label": "Figure 5",
        "caption": "Losses",
        "shows": "They fall.",
        "kind": "curves",
        "metric": "loss",
        "scale": "log",
        "series": ["train", "test"],
        "rows": ["h64", "h512"],
    }
    held_out = {"dropout": 0, "split": {"train": 50000, "validation": 10000}}
    return made(
        rows,
        key="made2022",
        citation={"authors": ["Di Made"], "title": "Silence", "date": "2022"},
        defaults=DEFAULTS | held_out,
        tables=[table],
        figures=[figure],
    )


def silent_paper() -> papers.Paper:
    """The paper of :func:`silent_data`."""
    return load(silent_data())


def metrics(
    row: Row,
    seed: int,
    diverged_at: int | None = None,
    target: dict[str, float] | None = None,
) -> dict[str, Any]:
    """A metrics.json whose best values lie near ``target`` (metric: value), some noise by seed."""
    history = make_history(row, seed, diverged_at, target)
    names = [name for name in (history[0] if history else {}) if name not in ("epoch", "seconds")]
    pick = {name: (max if "accuracy" in name else min) for name in names}
    best = {
        name: pick[name](history, key=lambda e, name=name: (e[name], -e["epoch"])) for name in names
    }
    lowest = min(history, key=lambda line: line["val_loss"], default=None)
    kept = lowest if row.spec.keep == "best" else history[-1] if history else None
    confusion = None
    if row.task == "classification" and not diverged_at:
        rng = np.random.default_rng(seed)
        likely = np.full((10, 10), 0.002) + 0.05 * np.eye(10)[[6, 1, 4, 3, 2, 7, 0, 9, 8, 5]]
        likely += np.eye(10) * (1 - likely.sum(1, keepdims=True))
        confusion = [rng.multinomial(1000, line).tolist() for line in likely]
    return {
        "schema": 2,
        "status": "diverged" if diverged_at else "completed",
        "paper": row.paper,
        "row": row.id,
        "seed": seed,
        "spec": row.spec.as_json(),
        "layers": [repr(layer) for layer in row.network.layers],
        "encoder_sha256": "e" * 64 if row.encoder else None,
        "spec_sha256": row.spec_sha256,
        "dataset_sha256": "0" * 64,
        "train_images": row.spec.split.train,
        "validation_images": row.spec.split.validation or 10000,
        "test_images": 10000,
        "epochs": len(history),
        "stopped_early": not diverged_at and len(history) < row.spec.epochs,
        "parameters": 9569,
        "task": row.task,
        "final": _without_seconds(history[-1]) if history else {},
        "kept": _without_seconds(kept) if history else {},
        "lowest": _without_seconds(lowest) if history else {},
        "best": {n: {"value": best[n][n], "epoch": best[n]["epoch"]} for n in names},
        "confusion": confusion,
        "seconds": 190.0 + seed,
        "device": "cpu",
        "device_name": "Some CPU @ 2.00GHz",
        "torch": "2.14.1",
        "kernels": "numba",
        "code_sha256": "5" * 64,
        "diverged_at_epoch": diverged_at,
    }


def _without_seconds(line: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in line.items() if name != "seconds"}


def make_history(
    row: Row,
    seed: int,
    diverged_at: int | None = None,
    target: dict[str, float] | None = None,
) -> list[dict[str, float]]:
    """Curves that approach ``target`` and look like a training's, one dict per epoch.

    A row with early stopping stops as many epochs early as its seed says.
    """
    noise = np.random.default_rng([seed, *row.id.encode()]).normal(0, 0.0006)
    target = target or {}
    epochs, history = row.spec.epochs, []
    if row.spec.early_stopping:
        epochs -= seed
    splits = [("train", 0.588), ("val", 0.586)]
    splits += [("test", 0.587)] if row.spec.split.validation else []
    splits += [("val_dropout", 0.592)] if row.spec.validation_dropout else []
    loss_start = 0.9 if row.task == "reconstruction" else 0.7
    for epoch in range(1, epochs + 1):
        left = math.exp(-3.5 * (epoch - 1) / max(epochs - 1, 1)) - math.exp(-3.5)
        line: dict[str, float] = {"epoch": epoch, "seconds": 6.3}
        for split, default in splits:
            goal = target.get(f"{split}_loss_batch_mean", default) + noise
            line[f"{split}_loss"] = line[f"{split}_loss_batch_mean"] = (
                goal + left * (loss_start - goal) * 0.4
            )
            if row.task == "classification":
                goal = target.get(f"{split}_accuracy_batch_mean", 0.92) + noise
                line[f"{split}_accuracy"] = goal - 0.2 * left
                line[f"{split}_accuracy_batch_mean"] = goal - 0.2 * left
        line["running_loss"] = line["train_loss"] + 0.004
        if row.task == "classification":
            line["running_accuracy"] = line["train_accuracy"] - 0.01
        history.append(line)
    return history[: diverged_at and diverged_at - 1]


def shortened(row: Row, epochs: int) -> Row:
    """A row that is trained for so many epochs."""
    return replace(row, spec=row.spec.model_copy(update={"epochs": epochs}))


def write_run(
    row: Row,
    results_root: Path,
    seed: int,
    diverged_at: int | None = None,
    target: dict | None = None,
    epochs: int | None = None,
) -> Path:
    """Write one run's files where training writes them, and return its metrics.json.

    ``epochs`` are in place of the row's, as at smoke scale.
    """
    of_row, row = row.spec_sha256, shortened(row, epochs) if epochs else row
    folder = results_root / row.paper / row.id / f"seed-{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "metrics.json"
    found = metrics(row, seed, diverged_at, target) | {"spec_sha256": of_row}
    file.write_text(json.dumps(found), encoding="utf-8")
    history = make_history(row, seed, target=target)
    with (folder / "history.csv").open("w", newline="") as out:
        writer = csv.DictWriter(out, history[0])
        writer.writeheader()
        writer.writerows(history[: diverged_at and diverged_at - 1])
    save_file(outputs(row), folder / "outputs.safetensors")
    return file


def summarised(paper: papers.Paper, files: list[Path]) -> Summary:
    """The summary of a row's runs, in folders that are named for the row and the seeds."""
    row = paper.row(files[0].parents[1].name)
    seeds = [int(file.parent.name.removeprefix("seed-")) for file in files]
    runs = [Metrics.read(file, row, seed) for file, seed in zip(files, seeds, strict=True)]
    return summarise(row, runs)


def unchecked(found: dict[str, Any]) -> Metrics:
    """What a metrics.json has, whether or not it can be."""
    best = {name: Best.model_construct(**entry) for name, entry in found["best"].items()}
    return Metrics.model_construct(**found | {"best": best})


def known_metrics(row: str, **known: Any) -> Metrics:
    """A run's metrics as far as they are known, unchecked; without a number if none is given."""
    empty = {"status": "completed", "final": {}, "kept": {}, "lowest": {}, "confusion": None}
    best = {name: Best(value=value, epoch=1) for name, value in known.pop("best", {}).items()}
    return Metrics.model_construct(**empty | known | {"row": row, "best": best})


def known_summary(**known: Any) -> Summary:
    """A row's summary as far as it is known, unchecked."""
    moments = {moment: {} for moment in ("best", "final", "kept", "lowest")}
    return Summary.model_construct(**moments | known)


def outputs(row: Row) -> dict[str, np.ndarray]:
    """What outputs.safetensors holds: blots for images, the second of a class brighter."""
    each = 1 if row.task == "reconstruction" else 2
    across = np.linspace(-1, 1, 28, dtype=np.float32)
    shades = np.linspace(0.2, 1, 10 * each, dtype=np.float32)[:, None, None]
    targets = shades * np.outer(np.cos(2 * across), np.cos(3 * across)) * 2 - 1
    labels = np.repeat(np.arange(10, dtype=np.uint8), each)
    held = {"targets": targets, "labels": labels}
    logits_or_pixels = 10 if row.task == "classification" else (28, 28)
    held["output_std"] = np.full(logits_or_pixels, 0.3, dtype=np.float32)
    if row.task == "classification":
        # Every second T-shirt and every second shirt is taken for the other.
        taken_for = {1: 6, 13: 0}
        predictions = [taken_for.get(index, label) for index, label in enumerate(labels)]
        return held | {"predictions": np.array(predictions, dtype=np.uint8)}
    held["outputs"] = np.clip(targets, 0, 1)
    held["pixel_loss"] = np.square(held["outputs"] - targets).mean(0)
    # A run comes to no later epoch than its last.
    epochs = [epoch for epoch in row.spec.snapshots if epoch <= row.spec.epochs]
    if epochs:
        learnt = np.array(epochs, dtype=np.float32)[:, None, None, None] / row.spec.epochs
        held |= {"snapshots": learnt * targets, "snapshot_epochs": np.array(epochs)}
    return held


def levels(paper: papers.Paper) -> PaperLevels:
    """Levels as the images of Fashion-MNIST set them for sigmoids, about; a protocol a row.

    With targets in [-1, 1] there is a floor, and an order of images that moves it.
    """
    protocols: list[Protocol] = []
    for row in (*paper.rows, *paper.study_rows):
        floor = 0.57 if row.spec.normalisation.mean else 0.0
        means = {"constant": math.log(10), "floor": 0.0}
        if row.task == "reconstruction":
            means = {"zero": 0.68, "constant": 0.67, "mean_image": 0.35, "floor": floor}
            means["mean_image_in_range"] = 0.66
        averages = {name: Level(mean, mean + 0.001, 0.0004) for name, mean in means.items()}
        protocols.append(
            Protocol(
                row.task,
                row.spec.normalisation,
                (0.0, 1.0) if row.task == "reconstruction" else (None, None),
                row.spec.batch_size,
                (row.id,),
                {"train": averages, "test": averages},
                {"train": None, "test": None},
            )
        )
    classes = {"train": (6000,) * 10, "test": (1000,) * 10}
    of_images = Levels("0" * 64, classes, {}, tuple(protocols))
    return PaperLevels(of_images, of_images)


def write_diagnosis(paper: papers.Paper, results_root: Path, seeds: list[int]) -> None:
    """The levels and the findings of a paper, from the runs that are there."""
    from refashion.judging.diagnosis.runs import diagnose, load_runs

    folder = results_root / "evidence" / paper.key
    folder.mkdir(parents=True, exist_ok=True)
    write_record(levels(paper), folder / "levels.json")
    runs = load_runs(paper, results_root, seeds)
    write_record(diagnose(paper, levels(paper), runs), folder / "findings.json")


def write_results(
    paper: papers.Paper,
    results_root: Path,
    seeds: list[int],
    diverged: dict | None = None,
    scale: str = "paper",
) -> None:
    """All that a report is made of; ``diverged`` maps (row id, seed) to an epoch."""
    from refashion.judging import numbers as evidence
    from refashion.judging.claims import evaluate
    from refashion.report.figures import kinds, shared, verdicts

    targets: dict[str, dict[str, float]] = {}
    for table in paper.tables:
        for line in table.lines:
            for key, value in line.published.items():
                metric = table.metrics[key]
                value = value / 100 if metric.unit == "percent" else value
                targets.setdefault(paper.row(line.row).id, {})[metric.metric] = value
    for row in (*paper.rows, *paper.study_rows):
        files = [
            write_run(
                row, results_root, seed, (diverged or {}).get((row.id, seed)), targets.get(row.id)
            )
            for seed in seeds
        ]
        summary = summarised(paper, files)
        write_record(summary, results_root / paper.key / row.id / "summary.json", indent=2)
    write_diagnosis(paper, results_root, seeds)
    judged = results_root / "evidence" / paper.key / "claims.json"
    judged.parent.mkdir(parents=True, exist_ok=True)
    write_record(
        evaluate(paper, read_runs(paper, results_root, seeds), levels(paper).measured), judged
    )
    summaries = load_summaries(paper, results_root)
    if numbers := evidence.published_numbers(paper, summaries, margins()):
        stem = results_root / "figures" / f"{paper.key}-verdicts"
        outs = stem.with_suffix(".svg"), stem.with_suffix(".pdf")
        shared.write(partial(verdicts.strips, numbers), f"{paper.key}-verdicts", scale, *outs)
    for figure in paper.figures:
        stem = results_root / "figures" / paper.key / figure.id
        draw = partial(kinds.make, paper, figure, results_root, seeds)
        outs = stem.with_suffix(".svg"), stem.with_suffix(".pdf")
        shared.write(draw, f"{paper.key}/{figure.id}", scale, *outs)


def write_scorecard(papers: list, results_root: Path, config: Config, scale: str = "paper") -> Card:
    """The scorecard of papers whose results are there, with its picture."""
    from refashion.report.figures import shared, verdicts

    grades = {p.key: grade_paper(p, results_root, config.margins) for p in papers}
    card = Card(scale, {key: OfPaper(config.seeds, grade) for key, grade in grades.items()})
    write_record(card.as_json(), results_root / "scorecard.json")
    stem = results_root / "figures" / "scorecard"
    outs = stem.with_suffix(".svg"), stem.with_suffix(".pdf")
    shared.write(partial(verdicts.bars, card), "scorecard", scale, *outs)
    return card
