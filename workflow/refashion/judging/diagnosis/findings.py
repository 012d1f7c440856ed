"""A finding of the diagnosis: what was found, where, on what evidence, and what follows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from refashion.results.files import read_record
from refashion.results.paths import evidence_file

if TYPE_CHECKING:
    from refashion.paper.papers import Paper
    from refashion.paper.spec import Task
    from refashion.results.summary import Summary

# What a finding is called in the report, in the report's order.
KINDS = {
    "below_floor": "Errors below what is possible",
    "mostly_floor": "Errors that are mostly floor",
    "trivial": "The error of an output that ignores the image",
    "no_better": "Errors no better than ignoring the image",
    "order_of_floors": "Validation below training because its floor is lower",
    "repeated": "The same numbers for different configurations",
    "two_results": "One configuration, two results",
    "patience": "An optimal epoch that the early stopper rules out",
    "matrix_sums": "A confusion matrix that does not add up",
    "matrix_accuracy": "The accuracy in a confusion matrix",
    "never_predicted": "Classes that are never predicted",
    "collapsed": "Runs that collapsed",
    "stripes": "Stripes that are the same for every image",
    "dead_outputs": "Pixels that are the same for every image",
    "dead_logits": "Logits that are the same for every image",
}

# Outputs that do not depend on the image, by the level of their error, as findings name them.
TRIVIAL: dict[Task, dict[str, str]] = {
    "reconstruction": {
        "zero": "an output of zero everywhere",
        "constant": "the best constant output",
        "mean_image_in_range": "the mean image of the training set",
    },
    "classification": {"constant": "the same prediction for every image"},
}
# The best of them.
IGNORANT: dict[Task, str] = {"reconstruction": "mean_image_in_range", "classification": "constant"}


@dataclass(frozen=True)
class Finding:
    """``kind`` is one of ``KINDS``; ``rows`` are named as printed, ``tables`` by id.

    ``evidence`` and ``consequence`` are whole sentences. ``seeds`` has by row id the seeds of the
    runs that it is about, where it is about some of them.
    """

    kind: str
    rows: list[str]
    evidence: list[str]
    consequence: str
    tables: list[str] = field(default_factory=list[str])
    metrics: list[str] = field(default_factory=list[str])
    seeds: dict[str, list[int]] = field(default_factory=dict[str, list[int]])


def with_collapsed(
    summaries: Mapping[str, Summary], found: Sequence[Finding]
) -> dict[str, Summary]:
    """Rows' summaries, each with the seeds of those of its runs that ``collapsed``."""
    seeds = {
        row: of for each in found if each.kind == "collapsed" for row, of in each.seeds.items()
    }
    return {
        row: summary.model_copy(update={"collapsed": tuple(seeds.get(row, ()))})
        for row, summary in summaries.items()
    }


def load(paper: Paper, results_root: Path) -> list[Finding]:
    """What the verb ``diagnose`` wrote.

    Raises:
        UserError: it has not been written.
    """
    file = evidence_file(results_root, paper.key, "findings")
    return read_record(list[Finding], file, "diagnose the paper first")
