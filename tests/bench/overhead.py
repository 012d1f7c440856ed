"""What the workflow costs besides training: start-up, checking what to do, idle cores."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from checkout import Checkout, new_checkout

ROW = "caprari2025_t9_b256"
LOG = f"results/smoke/logs/train/{ROW}_seed-0.log"


def _seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def _until_first_step(checkout: Checkout) -> float:
    """Seconds from the command to the first training step, the images being there."""
    began = time.time()
    checkout.snakemake("--cores", "all", "--", ROW)
    log = checkout.path(LOG)
    first = re.search(r"epoch 1/2 .* ([\d.]+) s  elapsed", log.read_text())
    second = re.search(r"epoch 2/2 .* ([\d.]+) s  elapsed", log.read_text())
    # The log's last lines come when the second epoch ends.
    training = float(first[1]) + float(second[1])
    return log.stat().st_mtime - training - began


def measure(say: Callable[[str], None]) -> dict[str, float]:
    """Run the smoke scale with two seeds in a copy of the project; seconds, and a share of cores.

    ``training share`` is the sum of all trainings' seconds over wall seconds times cores.
    """
    cores = os.cpu_count() or 1
    with tempfile.TemporaryDirectory() as folder:
        checkout = new_checkout(Path(folder) / "refashion")
        say("workflow: dry run")
        dry = _seconds(lambda: checkout.snakemake("--dry-run"))
        say("workflow: smoke run")
        wall = _seconds(lambda: checkout.snakemake("--cores", "all"))
        runs = checkout.folder.glob("results/smoke/*/*/seed-*/metrics.json")
        trained = [json.loads(file.read_text())["seconds"] for file in runs]
        say("workflow: nothing to do")
        nothing = _seconds(lambda: checkout.snakemake("--cores", "all"))
        say("workflow: one row")
        shutil.rmtree(checkout.path("results/smoke/caprari2025/t9-b256"))
        first_step = _until_first_step(checkout)
    return {
        "dry run, s": dry,
        "nothing to do, s": nothing,
        "command to first training step, s": first_step,
        "smoke run, s": wall,
        "smoke run, trainings": len(trained),
        "smoke run, training share": sum(trained) / (wall * cores),
    }


def table(report: dict[str, float]) -> str:
    """The report as a Markdown table."""
    lines = [f"| {name} | {value:.2f} |" for name, value in report.items()]
    return "\n".join(["| workflow | |", "|---|---:|", *lines])
