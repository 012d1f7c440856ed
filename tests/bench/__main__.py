"""`make bench`: training speed against a notebook, and what the workflow costs besides."""

from __future__ import annotations

import argparse
import json
import os
import platform
from pathlib import Path

import overhead
import speed
import torch
from refashion.training.device import device_name


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", type=Path, required=True, help="from fetch-dataset")
    parser.add_argument("--out", type=Path, required=True, help="JSON file")
    parser.add_argument("--seconds", type=float, default=8, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-workflow", action="store_true", help="training speed alone")
    arguments = parser.parse_args()

    def say(line: str) -> None:
        print(line, flush=True)

    report = {
        "machine": {
            "processor": device_name("cpu"),
            "cores": os.cpu_count(),
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
        "training": speed.compare(arguments.dataset, arguments.seconds, arguments.rounds, say),
    }
    if not arguments.no_workflow:
        report["workflow"] = overhead.measure(say)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(report, indent=2) + "\n")
    machine = report["machine"]
    say(f"\n{machine['processor']}, {machine['cores']} cores, torch {machine['torch']}\n")
    say(speed.table(report["training"]))
    if "workflow" in report:
        say("\n" + overhead.table(report["workflow"]))


if __name__ == "__main__":
    main()
