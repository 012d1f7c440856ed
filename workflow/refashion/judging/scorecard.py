"""The scorecard: how many numbers, claims and findings of each paper came out how, and in all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from refashion.errors import UserError
from refashion.judging import claims as verdicts
from refashion.judging.claims import ClaimResult, ClaimVerdict
from refashion.judging.diagnosis import findings
from refashion.judging.numbers import Number, NumberVerdict, published_numbers
from refashion.results.files import as_record, read_json, read_record
from refashion.results.paths import Kept, scorecard_file
from refashion.results.reference import WAY_OUT, Environment
from refashion.results.summary import load_summaries

if TYPE_CHECKING:
    from refashion.paper.config import Margins
    from refashion.paper.papers import Paper


@dataclass(frozen=True)
class GradedNumber:
    """A published number and its verdict.

    ``within_margin``, whether the mean is as near as ``close`` asks for, is all that a single run
    can say, and says what a reproduced number owes to the runs' spread alone.
    """

    table: str
    row: str
    metric: str
    at: str
    published: float
    mean: float | None
    n: int
    verdict: NumberVerdict
    within_margin: bool


@dataclass(frozen=True)
class GradedClaim:
    """A claim, its verdict, the seeds that it was tested on, and those that it holds in."""

    id: str
    verdict: ClaimVerdict
    seeds: tuple[int, ...]
    holds_in: tuple[int, ...]

    @property
    def in_favour(self) -> bool:
        """Whether it holds in every run."""
        return self.holds_in == self.seeds


@dataclass(frozen=True)
class GradedFinding:
    """What was found, and where."""

    kind: str
    tables: tuple[str, ...]
    rows: tuple[str, ...]


@dataclass(frozen=True)
class Grade:
    """All verdicts on one paper, in its order, small enough for git."""

    numbers: tuple[GradedNumber, ...]
    claims: tuple[GradedClaim, ...]
    findings: tuple[GradedFinding, ...]

    @property
    def size(self) -> int:
        """How many verdicts there are."""
        return len(self.numbers) + len(self.claims) + len(self.findings)


def grade(
    numbers: Iterable[Number],
    claims: Iterable[ClaimResult],
    found: Iterable[findings.Finding],
) -> Grade:
    """The grade of a paper with these numbers, verdicts on its claims, and findings."""
    return Grade(
        tuple(
            GradedNumber(
                number.place.id,
                number.row.id,
                number.column.metric,
                number.column.at,
                number.published,
                number.mean,
                number.measured.n,
                number.verdict,
                number.within_margin,
            )
            for number in numbers
            if number.published is not None
        ),
        tuple(
            GradedClaim(claim.id, claim.verdict, claim.seeds, claim.holds_in) for claim in claims
        ),
        tuple(GradedFinding(f.kind, tuple(f.tables), tuple(f.rows)) for f in found),
    )


def grade_paper(paper: Paper, results_root: Path, margins: Margins) -> Grade:
    """:func:`grade` from what a run left under ``results_root``, ``results/<scale>``.

    Raises:
        UserError: the paper was not diagnosed, or its claims not tested.
    """
    summaries = load_summaries(paper, results_root)
    judged = verdicts.load(paper, results_root)
    return grade(
        published_numbers(paper, summaries, margins),
        [judged[claim.id] for claim in paper.claims],
        findings.load(paper, results_root),
    )


# ---- counts -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class OfOneRun:
    """Of how many claims there is one run, and how many of them hold in it."""

    all: int
    hold: int


@dataclass(frozen=True)
class Counts:
    """How many of each verdict there are, in the order of the verdicts.

    ``within_margin`` has how many of the numbers ``reproduced`` and of those beside a ``single
    run`` are; ``undecided_in_favour`` how many of the undecided claims hold in every run.
    """

    numbers: dict[NumberVerdict, int]
    within_margin: dict[NumberVerdict, int]
    claims: dict[str, int]
    undecided_in_favour: int
    claims_of_one_run: OfOneRun
    findings: int

    @classmethod
    def of(cls, grades: Iterable[Grade]) -> Counts:
        """The counts over some papers."""
        grades = list(grades)
        numbers = [number for graded in grades for number in graded.numbers]
        claims = [claim for graded in grades for claim in graded.claims]
        undecided = [claim for claim in claims if claim.verdict == ClaimVerdict.UNDECIDED]
        in_favour = [claim for claim in undecided if claim.in_favour]
        within = [number.verdict for number in numbers if number.within_margin]
        of_one_run = (sum(len(claim.seeds) == 1 for claim in of) for of in (undecided, in_favour))
        each = [number.verdict for number in numbers]
        of_claims = [claim.verdict for claim in claims]
        return cls(
            {verdict: each.count(verdict) for verdict in NumberVerdict},
            {
                verdict: within.count(verdict)
                for verdict in (NumberVerdict.REPRODUCED, NumberVerdict.SINGLE_RUN)
            },
            {verdict: of_claims.count(verdict) for verdict in ClaimVerdict},
            len(in_favour),
            OfOneRun(*of_one_run),
            sum(len(graded.findings) for graded in grades),
        )


# ---- the card -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Card:
    """The grades of the papers, by their keys, and the seeds of each paper's runs."""

    scale: str
    grades: Mapping[str, Grade]
    seeds: Mapping[str, Sequence[int]]

    @property
    def all(self) -> Counts:
        """Over all papers."""
        return Counts.of(self.grades.values())

    @property
    def papers(self) -> dict[str, Counts]:
        """Of each."""
        return {key: Counts.of([graded]) for key, graded in self.grades.items()}

    def as_json(self) -> dict[str, Any]:
        """Plain data for ``scorecard.json``."""
        return {
            "scale": self.scale,
            "all": asdict(self.all),
            "papers": {
                key: {"seeds": list(self.seeds[key])}
                | asdict(counts)
                | {"verdicts": asdict(self.grades[key])}
                for key, counts in self.papers.items()
            },
        }

    @classmethod
    def read(cls, results_root: Path) -> Card:
        """What the verb ``scorecard`` wrote under ``results/<scale>``.

        Raises:
            UserError: it has not been written.
        """
        file, again = scorecard_file(results_root), "make the scorecard before the report"
        found = read_json(file, again)
        papers = found["papers"]
        grades = {key: of["verdicts"] for key, of in papers.items()}
        return cls(
            found["scale"],
            as_record(dict[str, Grade], grades, file, again),
            {key: of["seeds"] for key, of in papers.items()},
        )

    @classmethod
    def of_reference(cls, folder: Path) -> Card:
        """Of what is kept in ``results/reference/<scale>``, papers by name.

        Raises:
            UserError: nothing is kept there.
        """
        grades: dict[str, Grade] = {}
        seeds: dict[str, Sequence[int]] = {}
        for kept in Kept.graded(folder):
            grades[kept.paper] = read_record(Grade, kept.verdicts, WAY_OUT)
            seeds[kept.paper] = Environment.read(kept.environment).seeds
        if not grades:
            raise UserError(f"{folder}: no paper's verdicts.json there; {WAY_OUT}")
        return cls(folder.name, grades, seeds)
