"""What the metrics of a run cannot say about it: commit, versions, platform, cores, date."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
import time
import tomllib
from pathlib import Path

from refashion.paper.record import Record


class Provenance(Record):
    """Where a run was made, and with what."""

    commit: str | None
    dirty: bool
    """Whether the checkout had changes that are in no commit."""
    versions: dict[str, str]
    platform: str
    cores: int
    date: str


def describe_run(root: Path) -> Provenance:
    """Commit, versions, platform, cores and date, for the report and the reference.

    ``root`` is the repository. The date is today's in UTC, or that of SOURCE_DATE_EPOCH if set.
    Versions come from the installed distributions' metadata: torch is
    not imported.
    """
    now = int(os.environ.get("SOURCE_DATE_EPOCH") or time.time())
    return Provenance(
        commit=_git(root, "rev-parse", "--short=12", "HEAD"),
        # What a run writes under results is no change of what it was made with.
        dirty=bool(_git(root, "status", "--porcelain", "--", ".", ":!results")),
        versions={
            "python": platform.python_version(),
            **{name: _version(name, root) for name in ("torch", "numpy", "snakemake", "refashion")},
        },
        platform=f"{platform.system()} {platform.machine()}",
        cores=os.cpu_count() or 0,
        date=time.strftime("%Y-%m-%d", time.gmtime(now)),
    )


def _version(distribution: str, root: Path) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        pyproject = root / "pyproject.toml"
        if distribution == "refashion" and pyproject.exists():
            project = tomllib.loads(pyproject.read_text(encoding="utf-8")).get("project", {})
            return str(project.get("version", "unknown"))
        return "not installed"


def _git(root: Path, *arguments: str) -> str | None:
    try:
        command = ["git", "-C", str(root), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
