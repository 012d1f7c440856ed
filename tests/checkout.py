"""Copies of this project in which the real Snakefile runs on a small piece of the real data."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
NOT_COPIED = shutil.ignore_patterns(".git", ".venv", ".snakemake", "*cache*", ".pytest*")
SEEDS = (0, 1)
EXAMPLE = "example2024"
SMOKE = ("--config", "scale=smoke", f"seeds={SEEDS[0]},{SEEDS[1]}")


@dataclass(frozen=True)
class Checkout:
    """A copy of the project with results of its own, and the configuration that it is run with."""

    folder: Path
    config: tuple[str, ...] = SMOKE

    def snakemake(self, *arguments: str, fails: bool = False) -> str:
        """Run snakemake here at smoke scale; return what it printed, in one string."""
        command = [sys.executable, "-m", "snakemake", *self.config, *arguments]
        # A profile that the user has for other workflows is no part of the test.
        environment = {k: v for k, v in os.environ.items() if not k.startswith("SNAKEMAKE")}
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert (done.returncode != 0) == fails, done.stdout[-6000:]
        return done.stdout

    def planned(self, *targets: str) -> set[str]:
        """The rules that a run would execute now."""
        return {job["rule"] for job in self.jobs("--", *targets)}

    def jobs(self, *arguments: str) -> list[dict[str, str]]:
        """The jobs that a run would execute now: ``rule``, ``input``, ``log``, ``reason`` …"""
        found: list[dict[str, str]] = []
        for line in self.snakemake("--dry-run", *arguments).splitlines():
            if line.startswith(("rule ", "localrule ")) and line.endswith(":"):
                found.append({"rule": line.split(" ")[1].removesuffix(":")})
            elif found and line.startswith("    ") and ": " in line:
                key, _, value = line.strip().partition(": ")
                found[-1].setdefault(key, value)
        return found

    def copy(self, folder: Path) -> Checkout:
        """Another such checkout, to change; its results are links, as jobs make new files."""
        copy_without_results(self.folder, folder)
        shutil.copytree(self.path("results"), folder / "results", copy_function=os.link)
        return Checkout(folder, self.config)

    def path(self, relative: str) -> Path:
        return self.folder / relative

    def edit(self, relative: str, change: Callable[[str], str]) -> None:
        file = self.path(relative)
        before = file.read_text(encoding="utf-8")
        after = change(before)
        assert after != before, f"nothing to change in {relative}"
        file.write_text(after, encoding="utf-8")


def new_checkout(folder: Path, config: tuple[str, ...] = SMOKE) -> Checkout:
    """A copy without any results."""
    copy_without_results(ROOT, folder, NOT_COPIED)
    return Checkout(folder, config)


def copy_without_results(
    source: Path, folder: Path, ignore: Callable[[str, list[str]], set[str]] = lambda *_: set()
) -> None:
    """Copy a checkout without its folder ``results``; the library has a room of that name."""
    shutil.copytree(
        source,
        folder,
        ignore=lambda at, names: ignore(at, names) | ({"results"} if Path(at) == source else set()),
    )


def new_example(folder: Path) -> Checkout:
    """A copy with the paper that workflow/papers/README.md shows, its YAML blocks put together.

    It is run alone and with one seed.
    """
    checkout = new_checkout(
        folder, ("--config", "scale=smoke", f"papers={EXAMPLE}", f"seeds={SEEDS[0]}")
    )
    readme = (ROOT / "workflow/papers/README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```yaml\n(.*?)^```$", readme, flags=re.DOTALL | re.MULTILINE)
    file = checkout.path(f"workflow/papers/{EXAMPLE}.yaml")
    file.write_text("\n".join(blocks), encoding="utf-8")
    return checkout
