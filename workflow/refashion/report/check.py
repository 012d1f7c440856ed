"""The check for a maintainer to paste: what was compared, what drifted and what may."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from refashion.text import NONE, listed

if TYPE_CHECKING:
    from refashion.judging.check import Check, Compared
    from refashion.judging.drift import Deviation, Drift, Kind
    from refashion.results.provenance import Provenance

COLUMNS: Mapping[Kind, str] = {
    "loss": "losses, relative",
    "accuracy": "accuracies",
    "epochs": "epochs",
}


def to_markdown(check: Check) -> str:
    """``check.md``: a line for whatever drifted or may, and where both runs were made."""
    repeated = check.repeated
    outcome = f"{', '.join(repeated.differ)} differ" if repeated.differ else "the same bits"
    made: dict[str, list[str]] = {}
    for paper in check.papers:
        made.setdefault(_made(paper.made), []).append(paper.paper)
    text = [
        f"# Check at {check.scale} scale: {'passed' if check.passed else 'drifted'}",
        "",
        *_compared(check.papers),
        "",
        "The three columns: the largest deviation from the reference, and its tolerance.",
        *_drifted(check.papers),
        *_allowed(check.papers, check.scale),
        "",
        f"{repeated.run}, trained twice: {outcome}.",
        "",
        "| | made |",
        "|---|---|",
        *(f"| reference of {listed(papers)} | {where} |" for where, papers in made.items()),
        f"| this run | {_made(check.run)} |",
        "",
    ]
    return "\n".join(text)


def _compared(papers: Sequence[Compared]) -> Iterator[str]:
    yield f"| paper | runs | metrics | verdicts | {' | '.join(COLUMNS.values())} | drifted |"
    yield f"|---|{'---:|' * (len(COLUMNS) + 4)}"
    for paper in papers:
        cells = [paper.paper, paper.runs, paper.metrics, paper.verdicts]
        cells += [_largest(paper.largest.get(kind)) for kind in COLUMNS]
        yield f"| {' | '.join(map(str, [*cells, len(paper.drift)]))} |"


def _largest(line: Deviation | None) -> str:
    return NONE if line is None else f"{line.deviation:.2g} of {line.tolerance:g}"


def _drifted(papers: Sequence[Compared]) -> Iterator[str]:
    """A line for a row and seed: what explains the drift, or the metric that is furthest off."""
    shown: dict[tuple[str, str | None, int | None, str], list[Drift]] = {}
    for paper in papers:
        for line in paper.drift:
            alone = line.what if line.seed is None else ""
            shown.setdefault((paper.paper, line.row, line.seed, alone), []).append(line)
    if not shown:
        return
    yield ""
    yield "| drifted | what | reference | here | deviation | tolerance |"
    yield "|---|---|---|---|---:|---:|"
    for (paper, row, seed, _), drift in shown.items():
        where = " ".join(filter(None, [paper, row, None if seed is None else f"seed {seed}"]))
        worst = max(drift, key=_weight)
        more = f" and {len(drift) - 1} more" if len(drift) > 1 else ""
        numbers = [
            "" if number is None else f"{number:.2g}"
            for number in (worst.deviation, worst.tolerance)
        ]
        cells = [where, worst.what + more, worst.reference, worst.measured, *numbers]
        yield f"| {' | '.join(cells)} |"


def _weight(line: Drift) -> float:
    """What has no tolerance comes first: it explains the rest."""
    if line.tolerance is None or line.deviation is None:
        return float("inf")
    return line.deviation / line.tolerance if line.tolerance else float("1e300")


def _allowed(papers: Sequence[Compared], scale: str) -> Iterator[str]:
    """A line for each verdict that changed and may."""
    lines = [
        f"| {' '.join(filter(None, [paper.paper, line.row]))} | {line.what} "
        f"| {line.reference} | {line.measured} |"
        for paper in papers
        for line in paper.allowed
    ]
    if lines:
        yield ""
        yield f"Verdicts that changed within what is allowed (`tolerances.{scale}.verdict`):"
        yield ""
        yield "| changed | what | reference | here |"
        yield "|---|---|---|---|"
        yield from lines


def _made(run: Provenance) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in run.versions.items())
    commit = (run.commit or "no commit") + (" with changes" if run.dirty else "")
    return f"{run.date}, {commit}, {run.platform}, {versions}"
