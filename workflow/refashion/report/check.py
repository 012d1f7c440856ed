"""The check for a maintainer to paste: what was compared, what drifted and what may."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from refashion.results.summary import grouped
from refashion.text import NONE, listed

if TYPE_CHECKING:
    from refashion.judging.check import Check, Compared, Deviation, Drift, Kind
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
    made = grouped(check.papers, lambda paper: _made(paper.made))
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
        *(
            f"| reference of {listed([each.paper for each in papers])} | {where} |"
            for where, papers in made.items()
        ),
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
    if any(paper.drift for paper in papers):
        yield ""
        yield "| drifted | what | reference | here | deviation | tolerance |"
        yield "|---|---|---|---|---:|---:|"
    for paper in papers:
        runs = grouped(paper.drift, lambda d: (d.row, d.seed, d.what if d.seed is None else ""))
        for (row, seed, _), drift in runs.items():
            of_seed = "" if seed is None else f"seed {seed}"
            worst = max(drift, key=_weight)
            more = f" and {len(drift) - 1} more" if len(drift) > 1 else ""
            off = worst.deviation, worst.tolerance
            cells = [
                " ".join(filter(None, [paper.paper, row, of_seed])),
                worst.what + more,
                worst.reference,
                worst.measured,
                *("" if number is None else f"{number:.2g}" for number in off),
            ]
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
