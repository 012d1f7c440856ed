"""What every document says of itself: its title, its scale, and how it was run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from refashion.results.summary import distinct
from refashion.text import NONE, count, duration, listed, sentence

if TYPE_CHECKING:
    from refashion.paper.config import Config
    from refashion.paper.papers import Paper
    from refashion.paper.spec import Row
    from refashion.results.provenance import Provenance
    from refashion.results.summary import Summary

BANNER = (
    "Smoke run: a few thousand images and two epochs. It shows that the workflow works; "
    "it is no evidence about the papers."
)

Pairs = list[tuple[str, str]]


def frame(
    title: str,
    config: Config,
    run: Provenance,
    papers: Sequence[Paper],
    summaries: Mapping[str, Mapping[str, Summary]],
) -> dict[str, Any]:
    """What the page of any document prints around it.

    ``run`` comes from :func:`refashion.results.provenance.describe_run`; ``summaries`` by the
    papers' keys and the rows' ids.
    """
    return {
        "title": title,
        "banner": BANNER if config.scale == "smoke" else "",
        "date": run.date,
        "spread": _seeds_run(config.seeds),
        "run_title": "How it was run",
        "run": _how_it_was_run(config, run, papers, summaries),
    }


def _seeds_run(seeds: Sequence[int]) -> str:
    """Which seeds the measured numbers are of."""
    if len(seeds) == 1:
        return f"One seed was run ({seeds[0]}), so no spread can be given."
    return (
        f"Measured numbers are the mean ± sample standard deviation over {len(seeds)} seeds "
        f"({listed(seeds)})."
    )


def _how_it_was_run(
    config: Config,
    run: Provenance,
    papers: Sequence[Paper],
    summaries: Mapping[str, Mapping[str, Summary]],
) -> Pairs:
    images = distinct(
        _images(row, summaries[paper.key][row.id])
        for paper in papers
        for row in paper.rows
        if row.id in summaries[paper.key]
    )
    epochs = config.chosen.epochs
    return [
        ("Scale", config.scale),
        ("Images", "; ".join(images) or NONE),
        ("Epochs", "as published" if epochs is None else str(epochs)),
        ("Seeds", listed(config.seeds)),
        *_trainings([summary for of_rows in summaries.values() for summary in of_rows.values()]),
        ("Called close", sentence(_margins(config))),
        *_machine(run),
    ]


def _images(row: Row, summary: Summary) -> str:
    sets = ["train", "validation", "test"] if row.spec.split.validation else ["train", "test"]
    names = {"train": "training"}
    counts = {name: getattr(summary, f"{name}_images") for name in sets}
    return ", ".join(f"{number:,} {names.get(name, name)}" for name, number in counts.items())


def _trainings(summaries: Sequence[Summary]) -> Pairs:
    """How long they took, and with what they were made."""
    seconds = [second for summary in summaries for second in summary.seconds]
    devices, versions, kernels = (
        distinct(value for summary in summaries for value in getattr(summary, key))
        for key in ("devices", "torch", "kernels")
    )
    images = distinct(summary.dataset_sha256[:16] for summary in summaries)
    took = f"{duration(sum(seconds))} in {count(len(seconds), 'run')}"
    return [
        ("Training", took if seconds else NONE),
        ("Trained on", "; ".join(devices) or NONE),
        ("Trained with", "; ".join(f"torch {version}" for version in versions) or NONE),
        ("Kernels", ", ".join(kernels) or NONE),
        ("Images' SHA-256", ", ".join(images) or NONE),
    ]


def _margins(config: Config) -> str:
    """What close means for each kind of number, and why."""
    return "; ".join(
        f"{key.replace('_', ' ')} within {entry.margin:g} ({entry.reason})"
        for key, entry in config.margins.given().items()
    )


def _machine(run: Provenance) -> Pairs:
    """What made the document, and where."""
    commit = run.commit or "not in a git checkout"
    if run.commit and run.dirty:
        commit += ", with uncommitted changes"
    versions = ", ".join(f"{name} {version}" for name, version in run.versions.items())
    return [
        ("Commit", commit),
        ("Report made with", versions),
        ("Platform", f"{run.platform}, {count(run.cores, 'core')}"),
        ("Date", run.date),
    ]
