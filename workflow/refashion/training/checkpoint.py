"""A training on disk between two epochs, from which it goes on to the same bits."""

from __future__ import annotations

import json
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
    tensors = {f"model.{name}": tensor for name, tensor in training.model.state_dict().items()}
    tensors |= {f"kept.{name}": tensor for name, tensor in progress.kept.items()}
    tensors |= {f"snapshots.{epoch}": tensor for epoch, tensor in progress.snapshots.items()}
    for index, state in training.optimizer.state_dict()["state"].items():
        for name, value in state.items():
            if value is not None:
                tensors[f"optimizer.{index}.{name}"] = value
    tensors["random.cpu"] = torch.get_rng_state()
    if identity["device"] == "cuda":
        tensors["random.cuda"] = torch.cuda.get_rng_state()
    tensors = {name: tensor.contiguous() for name, tensor in tensors.items()}
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
    progress = Progress(training.spec)
    if not path.exists():
        return progress
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
        if json.loads(metadata["identity"]) != json.loads(json.dumps(identity)):
            log(f"{path}: of another training (settings, code or torch changed): starting afresh")
            return progress
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    training.model.load_state_dict(_under("model.", tensors))
    _restore(training.optimizer, _under("optimizer.", tensors))
    progress.history = json.loads(metadata["history"])
    progress.kept = _under("kept.", tensors)
    taken = {int(epoch): images for epoch, images in _under("snapshots.", tensors).items()}
    progress.snapshots = dict(sorted(taken.items()))
    torch.set_rng_state(tensors["random.cpu"])
    if identity["device"] == "cuda":
        torch.cuda.set_rng_state(tensors["random.cuda"])
    log(f"going on after epoch {progress.epochs}")
    return progress


def _restore(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Give an optimizer the state that :func:`save` wrote, as ``<parameter>.<name>``."""
    groups = optimizer.state_dict()["param_groups"]
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for at, tensor in tensors.items():
        index, name = at.split(".")
        parameter = parameters[int(index)]
        if tensor.shape == parameter.shape:
            # Fused optimizers walk through memory: their state must lie as the weights do.
            tensor = torch.empty_like(parameter, requires_grad=False).copy_(tensor)
        state.setdefault(int(index), {})[name] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }
