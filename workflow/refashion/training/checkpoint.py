"""A training on disk between two epochs, from which it goes on to the same bits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from refashion.training.epoch import Training
from refashion.training.progress import Progress


def save(path: Path, identity: dict[str, Any], training: Training, progress: Progress) -> None:
    """Write all that the epochs to come depend on; the file is whole or that of before."""
    checkpoint = {
        "identity": identity,
        "model": training.model.state_dict(),
        # In torch's own format, as its state must lie in memory as the weights do: fused
        # optimizers walk through both.
        "optimizer": training.optimizer.state_dict(),
        "history": progress.history,
        "kept": progress.kept,
        "snapshots": progress.snapshots,
        "random": torch.get_rng_state(),
        "random_on_gpu": torch.cuda.get_rng_state() if identity["device"] == "cuda" else None,
    }
    partial = path.with_suffix(".partial")
    torch.save(checkpoint, partial)
    partial.replace(path)


def resume(
    path: Path, identity: dict[str, Any], training: Training, log: Callable[[str], None]
) -> Progress:
    """Put a training where its checkpoint has it.

    Returns:
        What it had come to; nothing if there is no checkpoint, or it is of another training.
    """
    if not path.exists():
        return Progress(training.spec)
    checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    if checkpoint["identity"] != identity:
        log(f"{path}: of another training (settings, code or torch changed): starting afresh")
        return Progress(training.spec)
    training.model.load_state_dict(checkpoint["model"])
    training.optimizer.load_state_dict(checkpoint["optimizer"])
    torch.set_rng_state(checkpoint["random"])
    if identity["device"] == "cuda":
        torch.cuda.set_rng_state(checkpoint["random_on_gpu"])
    kept = (checkpoint[part] for part in ("history", "kept", "snapshots"))
    progress = Progress(training.spec, *kept)
    log(f"going on after epoch {progress.epochs}")
    return progress
