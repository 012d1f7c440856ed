"""A training on disk between two epochs, from which it goes on to the same bits."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from refashion.training.epoch import Training
from refashion.training.progress import Progress


def save(path: Path, identity: dict[str, Any], training: Training, progress: Progress) -> None:
    """Write all that the epochs to come depend on; the file is whole or that of before."""
    random = {"cpu": torch.get_rng_state()}
    if identity["device"] == "cuda":
        random["cuda"] = torch.cuda.get_rng_state()
    optimizer = {
        f"{index}.{name}": value
        for index, state in training.optimizer.state_dict()["state"].items()
        for name, value in state.items()
        if value is not None
    }
    parts = {
        "model": training.model.state_dict(),
        "optimizer": optimizer,
        "kept": progress.kept,
        "snapshots": progress.snapshots,
        "random": random,
    }
    tensors = {
        f"{part}.{name}": tensor.contiguous()
        for part, named in parts.items()
        for name, tensor in named.items()
    }
    metadata = {"identity": json.dumps(identity), "history": json.dumps(progress.history)}
    partial = path.with_suffix(".partial")
    save_file(tensors, partial, metadata)
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
    parts: dict[str, dict[str, Tensor]] = defaultdict(dict)
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
        if json.loads(metadata["identity"]) != identity:
            log(f"{path}: of another training (settings, code or torch changed): starting afresh")
            return Progress(training.spec)
        for at in file.keys():  # noqa: SIM118
            part, _, name = at.partition(".")
            parts[part][name] = file.get_tensor(at)
    training.model.load_state_dict(parts["model"])
    _restore(training.optimizer, parts["optimizer"])
    torch.set_rng_state(parts["random"]["cpu"])
    if identity["device"] == "cuda":
        torch.cuda.set_rng_state(parts["random"]["cuda"])
    taken = sorted((int(epoch), images) for epoch, images in parts["snapshots"].items())
    history = json.loads(metadata["history"])
    progress = Progress(training.spec, history, parts["kept"], dict(taken))
    log(f"going on after epoch {progress.epochs}")
    return progress


def _restore(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Give an optimizer the state that :func:`save` wrote, as ``<parameter>.<name>``."""
    groups = optimizer.state_dict()["param_groups"]
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Tensor]] = defaultdict(dict)
    for at, tensor in tensors.items():
        index, name = at.split(".")
        parameter = parameters[int(index)]
        if tensor.shape == parameter.shape:
            # Fused optimizers walk through memory: their state must lie as the weights do.
            tensor = torch.empty_like(parameter, requires_grad=False).copy_(tensor)
        state[int(index)][name] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": groups})
