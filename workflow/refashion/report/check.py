"""The check for a maintainer to paste: what was compared, what drifted and what may."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from refashion.report.table import markdown
from refashion.results.summary import grouped
from refashion.text import NONE, listed

if TYPE_CHECKING:
    from refashion.judging.check import Check, Compared, Drift, Kind
    from refashion.results.provenance import Provenance

KINDS: Mapping[Kind, str] = {
    "loss": "losses, relative",
    "accuracy": "accuracies",
    "epochs": "epochs",
}


def to_markdown(check: Check) -> str:
    """``check.md``: a line for whatever drifted or may, and where both runs were made."""
    repeated = check.repeated
    outcome = f"{', '.join(repeated.differ)} differ" if repeated.differ else "the same bits"
    made = grouped(check.papers, lambda paper: _made(paper.made))
    text = [
        f"# Check at {check.scale} scale: {'passed' if check.passed else 'drifted'}",
        "",
        *markdown(
            ["paper", "runs", "metrics", "verdicts", *KINDS.values(), "drifted"],
            [_compared(paper) for paper in check.papers],
            numbers=len(KINDS) + 4,
        ),
        "",
        "The three columns: the largest deviation from the reference, and its tolerance.",
    ]
    if drifted := list(_drifted(check.papers)):
        head = ["drifted", "what", "reference", "here", "deviation", "tolerance"]
        text += ["", *markdown(head, drifted, numbers=2)]
    allowed = [
        (_where(paper, line), line.what, line.reference, line.measured)
        for paper in check.papers
        for line in paper.allowed
    ]
    if allowed:
        tolerance = f"`tolerances.{check.scale}.verdict`"
        text += ["", f"Verdicts that changed within what is allowed ({tolerance}):", ""]
        text += markdown(["changed", "what", "reference", "here"], allowed)
    text += ["", f"{repeated.run}, trained twice: {outcome}.", ""]
    lines = [
        (f"reference of {listed([each.paper for each in papers])}", where)
        for where, papers in made.items()
    ]
    text += markdown(["", "made"], [*lines, ("this run", _made(check.run))])
    return "\n".join([*text, ""])


def _compared(paper: Compared) -> Sequence[object]:
    largest = [paper.largest.get(kind) for kind in KINDS]
    shares = [f"{line.deviation:.2g} of {line.tolerance:g}" if line else NONE for line in largest]
    return [paper.paper, paper.runs, paper.metrics, paper.verdicts, *shares, len(paper.drift)]


def _where(paper: Compared, line: Drift, *more: str) -> str:
    return " ".join(filter(None, [paper.paper, line.row, *more]))


def _drifted(papers: Sequence[Compared]) -> Iterator[Sequence[object]]:
    """A line for a row and seed: what explains the drift, or the metric that is furthest off."""
    for paper in papers:
        runs = grouped(paper.drift, lambda d: (d.row, d.seed, d.what if d.seed is None else ""))
        for (_, seed, _), drift in runs.items():
            worst = max(drift, key=_weight)
            where = _where(paper, worst, "" if seed is None else f"seed {seed}")
            more = f" and {len(drift) - 1} more" if len(drift) > 1 else ""
            numbers = (worst.deviation, worst.tolerance)
            said = ["" if number is None else f"{number:.2g}" for number in numbers]
            yield where, worst.what + more, worst.reference, worst.measured, *said


def _weight(line: Drift) -> float:
    """What has no tolerance comes first: it explains the rest."""
    if line.tolerance is None or line.deviation is None:
        return float("inf")
    return line.deviation / line.tolerance if line.tolerance else float("1e300")


def _made(run: Provenance) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in run.versions.items())
    commit = (run.commit or "no commit") + (" with changes" if run.dirty else "")
    return f"{run.date}, {commit}, {run.platform}, {versions}"
