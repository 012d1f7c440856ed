"""A finding of the diagnosis: what was found, where, on what evidence, and what follows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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

# What follows from a finding; braces have what it fills in itself.
CONSEQUENCES = {
    "below_floor": "The number was not measured as the paper describes it: images, normalisation, "
    "loss or last activation were others.",
    "mostly_floor": "What the rows differ in is the excess alone. Read as they stand, the errors "
    "make all networks look alike.",
    "trivial": "This is a failed training: the network puts out the same whatever it is shown. "
    "{settings} cannot be judged by this row.",
    "no_better": "A network that ignores the image does as well: {whose} errors say that training "
    "had hardly begun, and nothing of what the network can do.",
    "order_of_floors": "That validation does better than training is a property of the two sets of "
    "images, and no sign of how well a network generalises.",
    "repeated": "At least one of the two lines does not show the run that it stands for, and the "
    "paper does not tell which: what rests on either is open.",
    "two_results": "Two runs of one configuration differ by that much: a difference between rows "
    "that is no larger need not come from what the rows vary.",
    "patience": "The weights that were measured are not those that the stopper would restore: the "
    "epoch was chosen in another way, or the stopper is not the one described.",
    "matrix_sums": "The matrix is not of the images that the paper names, or is misprinted: no "
    "share of its classes can be relied on.",
    "matrix_accuracy": "The counts are the number to hold ours against, and what the text says of "
    "these classifiers can be checked with them.",
    "never_predicted": "The classifier knows fewer classes than there are, which bounds its "
    "accuracy whatever else it does.",
    "collapsed": "These runs learnt nothing of the single image: training can fail with these "
    "settings. They count in every mean and comparison, as a paper’s single run may be one of "
    "them; where only some runs of a row collapsed, its mean and interval describe neither kind.",
    "stripes": "Whatever the image, these networks draw one picture there. That part of the error "
    "is none that a better size, rate or dropout would lower.",
    "dead_outputs": "Part of every image is not reconstructed at all, which an error averaged over "
    "all pixels hides: rows differ by how many pixels died, and not only by what they vary.",
    "dead_logits": "{why}Such a class can be predicted only where no other logit is larger: each "
    "costs up to a tenth of the accuracy, whatever the rows vary.",
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


def about_rows(
    kind: str, said: Mapping[str, str], seeds: Mapping[str, list[int]] | None = None, **filled: str
) -> Iterator[Finding]:
    """One finding with what is ``said`` of each row, or none where nothing is."""
    if said:
        consequence = CONSEQUENCES[kind].format(**filled)
        yield Finding(kind, [*said], [*said.values()], consequence, seeds={**(seeds or {})})


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
