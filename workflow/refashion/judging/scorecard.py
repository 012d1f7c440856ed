"""The scorecard: how many numbers, claims and findings of each paper came out how, and in all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from refashion.errors import UserError
from refashion.judging import claims as verdicts
from refashion.judging.claims import ClaimVerdict
from refashion.judging.diagnosis import findings
from refashion.judging.numbers import NumberVerdict, published_numbers
from refashion.results.files import read_record
from refashion.results.paths import Kept, scorecard_file
from refashion.results.reference import WAY_OUT, Environment, read_kept
from refashion.results.summary import load_summaries

if TYPE_CHECKING:
    from refashion.paper.config import Margins
    from refashion.paper.papers import Paper


class _Graded(BaseModel):
    """What is kept of a verdict: the values of the same names."""

    model_config = ConfigDict(frozen=True, from_attributes=True)


class GradedNumber(_Graded):
    """A published number and its verdict; ``table`` is the id of its table or matrix.

    ``within_margin``, whether the mean is as near as ``close`` asks for, is all that a single run
    can say, and says what a reproduced number owes to the runs' spread alone.
    """

    table: str = Field(validation_alias=AliasChoices("place", "table"))
    row: str
    metric: str
    at: str
    published: float
    mean: float | None
    n: int
    verdict: NumberVerdict
    within_margin: bool


class GradedClaim(_Graded):
    """A claim, its verdict, the seeds that it was tested on, and those that it holds in."""

    id: str
    verdict: ClaimVerdict
    seeds: tuple[int, ...]
    holds_in: tuple[int, ...]


class GradedFinding(_Graded):
    """What was found, and where."""

    kind: str
    tables: tuple[str, ...]
    rows: tuple[str, ...]


class Grade(_Graded):
    """All verdicts on one paper, in its order, small enough for git."""

    numbers: tuple[GradedNumber, ...]
    claims: tuple[GradedClaim, ...]
    findings: tuple[GradedFinding, ...]


def grade_paper(paper: Paper, results_root: Path, margins: Margins) -> Grade:
    """All verdicts on a paper, from what a run left under ``results_root``, ``results/<scale>``.

    Raises:
        UserError: the paper was not diagnosed, or its claims not tested.
    """
    summaries = load_summaries(paper, results_root)
    judged = verdicts.load(paper, results_root)
    return Grade.model_validate(
        {
            "numbers": published_numbers(paper, summaries, margins),
            "claims": [judged[claim.id] for claim in paper.claims],
            "findings": findings.load(paper, results_root),
        }
    )


# ---- counts -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Counts:
    """How many of each verdict there are, in the order of the verdicts.

    ``within_margin`` has how many of the numbers ``reproduced`` and of those beside a ``single
    run`` are; ``undecided_in_favour`` how many of the undecided claims hold in every run, and
    ``claims_of_one_run`` of how many there is one run, and how many of them hold in it.
    """

    numbers: dict[NumberVerdict, int]
    within_margin: dict[NumberVerdict, int]
    claims: dict[ClaimVerdict, int]
    undecided_in_favour: int
    claims_of_one_run: dict[Literal["all", "hold"], int]
    findings: int

    @classmethod
    def of(cls, grades: Iterable[Grade]) -> Counts:
        """The counts over some papers."""
        grades = list(grades)
        numbers = [number for graded in grades for number in graded.numbers]
        claims = [claim for graded in grades for claim in graded.claims]
        undecided = [claim for claim in claims if claim.verdict == ClaimVerdict.UNDECIDED]
        in_favour = [claim for claim in undecided if claim.holds_in == claim.seeds]
        counted = Counter[str](each.verdict for each in (*numbers, *claims))
        within = Counter(number.verdict for number in numbers if number.within_margin)
        of_one_run = [sum(len(claim.seeds) == 1 for claim in of) for of in (undecided, in_favour)]
        return cls(
            {verdict: counted[verdict] for verdict in NumberVerdict},
            {v: within[v] for v in (NumberVerdict.REPRODUCED, NumberVerdict.SINGLE_RUN)},
            {verdict: counted[verdict] for verdict in ClaimVerdict},
            len(in_favour),
            {"all": of_one_run[0], "hold": of_one_run[1]},
            sum(len(graded.findings) for graded in grades),
        )


# ---- the card -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class OfPaper:
    """All verdicts on a paper, and the seeds of its runs."""

    seeds: Sequence[int]
    verdicts: Grade

    @property
    def counts(self) -> Counts:
        return Counts.of([self.verdicts])


@dataclass(frozen=True)
class Card:
    """What is said of the papers, by their keys."""

    scale: str
    papers: Mapping[str, OfPaper]

    @property
    def all(self) -> Counts:
        """Over all papers."""
        return Counts.of(of.verdicts for of in self.papers.values())

    def as_json(self) -> dict[str, Any]:
        """What ``scorecard.json`` has."""
        papers = {
            key: {"seeds": of.seeds, **vars(of.counts), "verdicts": of.verdicts}
            for key, of in self.papers.items()
        }
        return {"scale": self.scale, "all": vars(self.all), "papers": papers}

    @classmethod
    def read(cls, results_root: Path) -> Card:
        """What the verb ``scorecard`` wrote under ``results/<scale>``.

        Raises:
            UserError: it has not been written.
        """
        again = "make the scorecard before the report"
        return read_record(cls, scorecard_file(results_root), again, again)

    @classmethod
    def of_reference(cls, folder: Path) -> Card:
        """Of what is kept in ``results/reference/<scale>``, papers by name.

        Raises:
            UserError: nothing is kept there.
        """
        papers = {
            kept.paper: OfPaper(
                read_kept(Environment, kept.environment).seeds, read_kept(Grade, kept.verdicts)
            )
            for kept in Kept.graded(folder)
        }
        if not papers:
            raise UserError(f"{folder}: no paper's verdicts.json there; {WAY_OUT}")
        return cls(folder.name, papers)
