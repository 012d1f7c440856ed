"""The reproducibility check: a fresh run against the reference that is kept in git."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from refashion.errors import UserError
from refashion.judging.drift import Deviation, Drift, Kind, compare_run, compare_verdicts, kind_of
from refashion.judging.scorecard import Grade, grade_paper
from refashion.results.files import read_record
from refashion.results.paths import METRICS, OUTPUTS, Kept, run_folder
from refashion.results.reference import WAY_OUT, Environment
from refashion.results.run import Metrics

if TYPE_CHECKING:
    from refashion.paper.config import Config
    from refashion.paper.papers import Paper
    from refashion.results.provenance import Provenance

# What two trainings of one row with one seed on one machine must share to the last bit. The time
# they took is in metrics.json and history.csv.
SAME_BITS = ("model.safetensors", OUTPUTS)


@dataclass(frozen=True)
class Compared:
    """A paper's runs and verdicts against its reference.

    ``made`` says where the reference was; ``runs``, ``metrics`` and ``verdicts`` how many were
    compared. ``largest`` has of each kind the metric furthest from the reference, ``allowed`` the
    verdicts that changed and may.
    """

    paper: str
    made: Environment
    runs: int
    metrics: int
    verdicts: int
    largest: Mapping[Kind, Deviation]
    drift: Sequence[Drift]
    allowed: Sequence[Drift]


@dataclass(frozen=True)
class Repeated:
    """What was trained twice, and the files of it that differ."""

    run: str
    differ: Sequence[str]


@dataclass(frozen=True)
class Check:
    """The whole check, as ``check.json`` has it; ``run`` is where this run was made."""

    passed: bool
    scale: str
    run: Provenance
    repeated: Repeated
    papers: Sequence[Compared]


# ---- a paper ------------------------------------------------------------------------------------


def compare_paper(paper: Paper, results_root: Path, reference: Path, config: Config) -> Compared:
    """All runs and verdicts of a paper against its reference.

    The two roots are ``results/<scale>`` and ``results/reference/<scale>``.

    Raises:
        UserError: as :func:`load_environments`, of all papers in ``config``, so that whoever checks
            several learns at once which do not fit.
    """
    made = load_environments(reference, config)[paper.key]
    compared, drift = _compare_runs(paper, results_root, reference, config)
    graded = grade_paper(paper, results_root, config.margins)
    changed, allowed = compare_verdicts(
        read_record(Grade, Kept(reference, paper.key).verdicts, WAY_OUT),
        graded,
        config.tolerance.verdict,
        # Of all rows: a claim is of several, and a paper's runs share one machine.
        same_metrics=not drift and all(line.deviation == 0 for line in compared),
    )
    return Compared(
        paper.key,
        made,
        len({(line.row, line.seed) for line in compared}),
        len(compared),
        sum(map(len, (graded.numbers, graded.claims, graded.findings))),
        _largest(compared),
        [*drift, *changed],
        allowed,
    )


def _compare_runs(
    paper: Paper, results_root: Path, reference: Path, config: Config
) -> tuple[list[Deviation], list[Drift]]:
    compared: list[Deviation] = []
    drift: list[Drift] = []
    kept, here = Kept(reference, paper.key).rows, {row.id: row for row in paper.rows}
    for name in dict.fromkeys([*here, *kept]):
        if name not in kept or name not in here:
            was, now = ("there" if name in of else "not there" for of in (kept, here))
            drift.append(Drift(name, None, "row", was, now))
            continue
        for seed in config.seeds:
            kept_file = run_folder(reference, here[name], seed) / METRICS
            # Whatever the settings of its row are by now.
            before = read_record(Metrics, kept_file, WAY_OUT, WAY_OUT)
            file = run_folder(results_root, here[name], seed) / METRICS
            after = Metrics.read(file, here[name], seed)
            lines, differs = compare_run(before, after, config.tolerance)
            compared += lines
            drift += differs
    return compared, drift


def load_environments(reference: Path, config: Config) -> dict[str, Environment]:
    """Where the reference of each of the configuration's papers was made, by the papers' keys.

    Raises:
        UserError: references are not there, or of other seeds than this run: a line for each, with
            the configuration that checks its paper.
    """
    made: dict[str, Environment] = {}
    problems: list[str] = []
    here = _with_commas(config.seeds)
    for key in config.papers:
        file = Kept(reference, key).environment
        try:
            environment = read_record(Environment, file, WAY_OUT, WAY_OUT)
        except UserError as error:
            problems.append(str(error))
            continue
        if sorted(environment.seeds) == sorted(config.seeds):
            made[key] = environment
            continue
        kept = _with_commas(environment.seeds)
        problems.append(
            f"{file}: seeds: {kept}, and this run has {here}; check it by "
            f"{_call([key], kept, config)}, or keep this run by `make accept`"
        )
    if problems and made:
        problems.append(f"what has this run's seeds is checked by {_call(made, here, config)}")
    if problems:
        raise UserError("\n".join(problems))
    return made


def _with_commas(items: Iterable[Any]) -> str:
    return ",".join(map(str, items))


def _call(keys: Iterable[str], seeds: str, config: Config) -> str:
    """The call that checks these papers. With the scale, as ``--config`` takes another's place."""
    chosen = f"papers={_with_commas(keys)} seeds={seeds} scale={config.scale}"
    return f"snakemake --cores all --config {chosen} -- check"


def _largest(compared: Sequence[Deviation]) -> dict[Kind, Deviation]:
    kinds: dict[Kind, list[Deviation]] = {}
    for line in compared:
        kinds.setdefault(kind_of(line.metric), []).append(line)
    return {kind: max(lines, key=lambda line: line.deviation) for kind, lines in kinds.items()}


# ---- the whole ----------------------------------------------------------------------------------


def compare_bits(first: Path, again: Path) -> list[str]:
    """The names of ``SAME_BITS`` that differ between two folders of one row's run."""
    return [
        name for name in SAME_BITS if (first / name).read_bytes() != (again / name).read_bytes()
    ]


def make_check(
    papers: Sequence[Compared], repeated: Repeated, scale: str, run: Provenance
) -> Check:
    """The whole check; it is passed where nothing drifted."""
    drifted = any(paper.drift for paper in papers) or bool(repeated.differ)
    return Check(not drifted, scale, run, repeated, papers)


def raise_if_drifted(check: Check) -> None:
    """
    Raises:
        UserError: something drifted; it names every row, claim and finding that did, once.
    """
    names = [
        f"{paper.paper} {line.row or line.what}" for paper in check.papers for line in paper.drift
    ]
    if check.repeated.differ:
        names.append(f"{check.repeated.run} (trained twice)")
    if names:
        raise UserError(
            f"drifted: {', '.join(dict.fromkeys(names))}; if this is meant, replace the reference "
            "by `make accept`"
        )
