"""One loop for every training: reconstruction or classification, to metrics, history, weights.

Two runs with the same row, seed, images, code and torch on the same kind of machine give the same
bits, however many run side by side: each computes on one thread. A killed training goes on from
its last whole epoch, to the same bits.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from math import isfinite
from pathlib import Path
from typing import Any

from refashion.training import checkpoint
from refashion.training.graphs import as_graphs
from refashion.training.job import Job, start
from refashion.training.progress import write_results


def train(job: Job, out: Path, log: Callable[[str], None] = print) -> dict[str, Any]:
    """Train one row with one seed, and write everything that is later asked about it.

    ``out``, made if missing, gets metrics.json (which is also returned), history.csv (a line per
    epoch), model.safetensors (of the epoch that the row keeps) and outputs.safetensors (what that
    model makes of the validation images, and snapshots). A loss that is not finite ends the
    training as ``diverged``. ``log`` takes a line per epoch.

    Raises:
        UserError: there is no such device, or no encoder that the row can reuse.
    """
    started = time.perf_counter()
    training, path = start(job), out / "checkpoint.safetensors"
    out.mkdir(parents=True, exist_ok=True)
    progress = checkpoint.resume(path, job.identity, training, log)
    started -= progress.seconds
    progress.take_snapshot(training)
    step = as_graphs(training, log) if job.device == "cuda" else training.step
    while not progress.ended:
        began, epoch = time.perf_counter(), progress.epochs + 1
        line = {"epoch": epoch} | training.run_epoch(epoch, step) | training.measure(epoch)
        if not all(isfinite(value) for value in line.values()):
            progress.status = "diverged"
            break
        progress.add(line | {"seconds": time.perf_counter() - began}, training)
        checkpoint.save(path, job.identity, training, progress)
        log(progress.describe())
    if progress.early_end:
        log(progress.early_end)
    if progress.kept:
        training.model.load_state_dict(progress.kept)
    metrics = write_results(out, job, training, progress, started)
    path.unlink(missing_ok=True)
    return metrics
