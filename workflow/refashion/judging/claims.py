"""Claims of the papers, tested on what was measured.

A claim's test is a list of parts, and a part has effects in the runs of one seed: see
:mod:`refashion.paper.claims.part`. It holds in a seed if all its effects are above 0; under
``not``, which turns their signs, if one is.

The verdict on an effect comes from its values over the seeds that can test all parts of the claim
(but those that none can), so that rows are compared seed by seed: ``holds`` or ``does not hold`` if
there are two seeds or more and the 95 % confidence interval of the mean (Student's t) lies above or
below 0; ``undecided`` otherwise, so with one seed always; ``not tested`` if a row was not run,
diverged, or lacks what is asked for; but to diverge is one way to fail, and counts as the largest
effect of the other seeds, or as the whole of the level. Losses that are less than a millionth apart
are the same. The mean is that of the seeds' effects, which for a form that is not linear in the
metric (``near``, ``alike``, ``fails``) is not the effect of the mean metrics. A part needs all its
effects to hold (under ``not``, one), and a claim as many parts as it says, or all. What needs k of
its members to hold holds if k do; it does not hold if so many do not that k are out of reach; else
it is not tested if a member was not, and else undecided. Intervals are not corrected for their
number: where all must hold, none is due; that one of many does not hold can be chance more often
than one interval's 2.5 %.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from refashion.errors import NotTestedError
from refashion.judging.statistics import Verdict, mean_interval
from refashion.paper.claims.measures import Unit  # noqa: TC001 - pydantic reads the results' types
from refashion.paper.claims.part import Case
from refashion.results.files import read_record
from refashion.results.paths import evidence_file
from refashion.results.summary import statistics
from refashion.text import NONE, listed

if TYPE_CHECKING:
    from refashion.judging import levels as images
    from refashion.paper.claims import Claim
    from refashion.paper.claims.part import Levels, Part
    from refashion.paper.papers import Paper
    from refashion.results.run import Run

SAME_LOSS = 1e-6

# By seed and row id.
Runs: TypeAlias = "Mapping[int, Mapping[str, Run]]"
# By seed and by what they are of.
Effects: TypeAlias = Mapping[int, Mapping[str, float]]


class ClaimVerdict(Verdict):
    """What is said of a claim, of a part of its test, or of an effect."""

    HOLDS = "holds", "✓", "holds/hold"
    DOES_NOT_HOLD = "does not hold", "×", "does not hold/do not hold"
    UNDECIDED = "undecided", "?", "is undecided/are undecided"
    NOT_TESTED = "not tested", NONE, "is not tested/are not tested"


@dataclass(frozen=True)
class PartResult:
    """What the runs say about a part of a claim's test.

    ``test`` is the part as a file has it, ``tested`` in words. ``effects`` are by what they are of,
    a value a seed; of the one that ``decides`` there are statistics and the mean's ``interval``.
    """

    test: dict[str, Any]
    tested: str
    verdict: ClaimVerdict
    note: str
    unit: Unit
    seeds: tuple[int, ...]
    holds_in: tuple[int, ...]
    effects: dict[str, tuple[float, ...]]
    decides: str | None
    mean: float | None
    sd: float | None
    n: int
    values: tuple[float, ...]
    interval: tuple[float, float] | None

    @property
    def rows(self) -> set[str]:
        """The rows that it is about, by their ids."""
        named = (*self.test.get("rows", ()), *self.test.get("among", ()))
        return {*named, self.test["row"]} if "row" in self.test else {*named}


@dataclass(frozen=True)
class ClaimResult:
    """What the runs say about a claim.

    ``note`` is why it is not tested or undecided, if there is more to say; ``seeds`` are those that
    all parts have; ``needs`` is how many of the parts must hold.
    """

    id: str
    verdict: ClaimVerdict
    note: str
    seeds: tuple[int, ...] = ()
    holds_in: tuple[int, ...] = ()
    needs: int = 0
    parts: tuple[PartResult, ...] = ()


def judge(values: Sequence[float]) -> ClaimVerdict:
    """The verdict on an effect from its values, one a seed."""
    low, high = mean_interval(values) or (0.0, 0.0)
    if low > 0:
        return ClaimVerdict.HOLDS
    return ClaimVerdict.DOES_NOT_HOLD if high < 0 else ClaimVerdict.UNDECIDED


def combine(verdicts: Sequence[ClaimVerdict], needs: int) -> ClaimVerdict:
    """The verdict on what holds if ``needs`` of its members do."""
    if verdicts.count(ClaimVerdict.HOLDS) >= needs:
        return ClaimVerdict.HOLDS
    if len(verdicts) - verdicts.count(ClaimVerdict.DOES_NOT_HOLD) < needs:
        return ClaimVerdict.DOES_NOT_HOLD
    not_tested = ClaimVerdict.NOT_TESTED in verdicts
    return ClaimVerdict.NOT_TESTED if not_tested else ClaimVerdict.UNDECIDED


def evaluate(paper: Paper, runs: Runs, levels: images.Levels) -> list[ClaimResult]:
    """What the runs say about every claim of a paper, in its order.

    ``levels`` are those of the runs' images, as found by :func:`refashion.judging.levels.describe`.
    """

    def level(row: str, metric: str, name: str) -> float:
        return levels.level(paper.row(row), metric, name).batch_mean

    return [evaluate_claim(claim, paper, runs, level) for claim in paper.claims]


def load(paper: Paper, results_root: Path) -> dict[str, ClaimResult]:
    """What the verb ``claims`` wrote: :func:`evaluate`'s results by claim id.

    Raises:
        UserError: it has not been written.
    """
    file = evidence_file(results_root, paper.key, "claims")
    found = read_record(list[ClaimResult], file, "test the claims before the report")
    return {claim.id: claim for claim in found}


def evaluate_claim(claim: Claim, paper: Paper, runs: Runs, levels: Levels) -> ClaimResult:
    """What the runs say about one claim of a paper."""
    if not claim.test:
        note = claim.untestable or "No test of it is written."
        return ClaimResult(claim.id, ClaimVerdict.NOT_TESTED, note)
    tested = claim.parts(lambda name: paper.row(name).id)
    measured = [_measure(part, runs, levels) for part in tested]
    # A part that no seed can test leaves the others theirs.
    common = [seed for seed in runs if all(seed in effects for effects, _ in measured if effects)]
    parts = tuple(
        _evaluate_part(part, {seed: effects[seed] for seed in common if effects}, notes, len(runs))
        for part, (effects, notes) in zip(tested, measured, strict=True)
    )
    needs = claim.needs or len(parts)
    seeds = tuple(common) if all(part.seeds for part in parts) else ()
    return ClaimResult(
        id=claim.id,
        verdict=combine([part.verdict for part in parts], needs),
        note=" ".join(dict.fromkeys(part.note for part in parts if part.note)),
        seeds=seeds,
        holds_in=tuple(
            seed for seed in seeds if sum(seed in part.holds_in for part in parts) >= needs
        ),
        needs=needs,
        parts=parts,
    )


def _measure(part: Part, runs: Runs, levels: Levels) -> tuple[Effects, list[str]]:
    """A part's effects in the seeds that can test it, and why the others cannot."""
    effects: dict[int, dict[str, float]] = {}
    lacking: dict[str, list[int]] = {}
    for seed, of_seed in runs.items():
        try:
            effects[seed] = part.tested(Case(of_seed, levels))
        except NotTestedError as error:
            lacking.setdefault(str(error), []).append(seed)
    return effects, [
        f"{reason} (seed {listed(seeds)})." if effects else f"{reason}."
        for reason, seeds in lacking.items()
    ]


def _evaluate_part(part: Part, by_seed: Effects, notes: list[str], of_all: int) -> PartResult:
    """A part judged on its effects in some seeds, ``of_all`` that were run."""
    effects = {
        name: _clean([of[name] for of in by_seed.values()], part.unit)
        for name in next(iter(by_seed.values()), ())
    }
    needs = 1 if part.no else len(effects)
    verdicts = [judge(values) for values in effects.values()]
    verdict = combine(verdicts, needs) if verdicts else ClaimVerdict.NOT_TESTED
    decides = _deciding(effects, verdict, negated=bool(part.no))
    of_deciding = effects[decides] if decides else ()
    return PartResult(
        test=part.model_dump(mode="json", by_alias=True, exclude_unset=True),
        tested=part.sentence(),
        verdict=verdict,
        note=" ".join([*notes, *_remarks(by_seed, of_all)]),
        unit=part.unit,
        seeds=tuple(by_seed),
        holds_in=tuple(
            seed
            for seed, *values in zip(by_seed, *effects.values(), strict=True)
            if sum(value > 0 for value in values) >= needs
        ),
        effects=effects,
        decides=decides,
        **vars(statistics(of_deciding)),
        interval=mean_interval(of_deciding),
    )


def _clean(values: Sequence[float], counted_in: Unit) -> tuple[float, ...]:
    """Effects that a mean can be taken of.

    Losses as near as sums in another order bring them are the same loss. A run that diverged is as
    far off as the furthest of the others, or by the whole of the level.
    """
    furthest = max((abs(value) for value in values if math.isfinite(value)), default=1.0)
    finite = [v if math.isfinite(v) else math.copysign(furthest or 1.0, v) for v in values]
    return tuple(0.0 if counted_in == "loss" and abs(v) < SAME_LOSS else v for v in finite)


def _remarks(by_seed: Effects, of_all: int) -> Iterator[str]:
    """That one seed alone tests a part, and which runs failed without a limit."""
    if len(by_seed) == 1:
        (alone,) = by_seed
        yield "One seed was run." if of_all == 1 else f"Seed {alone} alone can be tested."
    for name in next(iter(by_seed.values()), ()):
        if gone := [seed for seed, of in by_seed.items() if math.isinf(of[name])]:
            yield f"{name} diverged (seed {listed(gone)}): as far off as any other run."


def _deciding(
    effects: Mapping[str, Sequence[float]], verdict: ClaimVerdict, negated: bool
) -> str | None:
    """The effect that stands for the part: the weakest, or under ``not`` the strongest.

    A part holds by the lower ends of its intervals, and does not by an upper one. Of an undecided
    part it is the effect that the fewest seeds are for, and of those the least on the mean: the one
    with the widest interval may hold in all of them.
    """
    undecided = verdict == ClaimVerdict.UNDECIDED

    def strength(name: str) -> tuple[float, float]:
        values = effects[name]
        if undecided:
            return sum(value > 0 for value in values), statistics(values).mean or 0.0
        low, high = mean_interval(values) or (0.0, 0.0)
        return (high if verdict == ClaimVerdict.DOES_NOT_HOLD else low), 0.0

    known = [name for name in effects if not undecided or judge(effects[name]) == verdict]
    return (max if negated else min)(known, key=strength, default=None)
