"""What every document says of itself: its title, its scale, and how it was run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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
    rows = [(row, summaries[paper.key].get(row.id)) for paper in papers for row in paper.rows]
    trained = [(row, summary) for row, summary in rows if summary]
    spread = (
        f"Measured numbers are the mean ± sample standard deviation over {len(config.seeds)} seeds "
        f"({listed(config.seeds)})."
    )
    if len(config.seeds) == 1:
        spread = f"One seed was run ({config.seeds[0]}), so no spread can be given."
    margins = [
        f"{key.replace('_', ' ')} within {entry.margin:g} ({entry.reason})"
        for key, entry in config.margins.given().items()
    ]
    return {
        "title": title,
        "banner": BANNER if config.scale == "smoke" else "",
        "date": run.date,
        "spread": spread,
        "run_title": "How it was run",
        "run": {
            "Scale": config.scale,
            "Images": _joined(_images(row, summary) for row, summary in trained),
            "Epochs": "as published" if (n := config.chosen.epochs) is None else str(n),
            "Seeds": listed(config.seeds),
            **_trainings([summary for of in summaries.values() for summary in of.values()]),
            "Called close": sentence("; ".join(margins)),
            **_machine(run),
        },
    }


def _joined(values: Iterable[str], by: str = "; ") -> str:
    """The values, each once, or a dash."""
    return by.join(distinct(values)) or NONE


def _images(row: Row, summary: Summary) -> str:
    validation = f"{summary.validation_images:,} validation, " if row.spec.split.validation else ""
    return f"{summary.train_images:,} training, {validation}{summary.test_images:,} test"


def _trainings(summaries: Sequence[Summary]) -> dict[str, str]:
    """How long they took, and with what they were made."""
    seconds = [second for summary in summaries for second in summary.seconds]
    took = f"{duration(sum(seconds))} in {count(len(seconds), 'run')}"
    return {
        "Training": took if seconds else NONE,
        "Trained on": _joined(device for each in summaries for device in each.devices),
        "Trained with": _joined(f"torch {version}" for each in summaries for version in each.torch),
        "Kernels": _joined((kernels for each in summaries for kernels in each.kernels), ", "),
        "Images' SHA-256": _joined((each.dataset_sha256[:16] for each in summaries), ", "),
    }


def _machine(run: Provenance) -> dict[str, str]:
    """What made the document, and where."""
    changed = ", with uncommitted changes" if run.commit and run.dirty else ""
    return {
        "Commit": f"{run.commit or 'not in a git checkout'}{changed}",
        "Report made with": ", ".join(
            f"{name} {version}" for name, version in run.versions.items()
        ),
        "Platform": f"{run.platform}, {count(run.cores, 'core')}",
        "Date": run.date,
    }
