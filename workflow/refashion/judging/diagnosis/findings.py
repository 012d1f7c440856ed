"""A finding of the diagnosis: what was found, where, on what evidence, and what follows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from refashion.results.files import read_json
from refashion.results.paths import evidence_file

if TYPE_CHECKING:
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
TRIVIAL = {
    "reconstruction": {
        "zero": "an output of zero everywhere",
        "constant": "the best constant output",
        "mean_image_in_range": "the mean image of the training set",
    },
    "classification": {"constant": "the same prediction for every image"},
}
# The best of them.
IGNORANT = {"reconstruction": "mean_image_in_range", "classification": "constant"}


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
    tables: list[str]
    metrics: list[str]
    seeds: dict[str, list[int]] = field(default_factory=dict)


def with_collapsed(
    summaries: Mapping[str, Summary], found: Sequence[Finding]
) -> dict[str, Summary]:
    """Rows' summaries, each with the seeds of those of its runs that ``collapsed``."""
    seeds = next((finding.seeds for finding in found if finding.kind == "collapsed"), {})
    return {
        row: summary.model_copy(update={"collapsed": tuple(seeds.get(row, ()))})
        for row, summary in summaries.items()
    }


def load(paper: Any, results_root: Path) -> list[Finding]:
    """What the verb ``diagnose`` wrote.

    Raises:
        UserError: it has not been written.
    """
    file = evidence_file(results_root, paper.key, "findings")
    return [Finding(**found) for found in read_json(file, "diagnose the paper first")]
