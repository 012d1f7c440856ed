"""One loop for every training: reconstruction or classification, to metrics, history, weights.

Two runs with the same row, seed, images, code and torch on the same kind of machine give the same
bits, however many run side by side: each computes on one thread. A killed training goes on from
its last whole epoch, to the same bits.
"""

from __future__ import annotations

import csv
import ctypes
import hashlib
import inspect
import json
import os
import platform
import time
from collections.abc import Callable
from math import inf, isfinite
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from refashion.errors import UserError
from refashion.imports import closure
from refashion.training import networks
from refashion.training.dataset import Dataset
from refashion.training.evaluation import (
    Split,
    describe_outputs,
    evaluate,
    example_indices,
    normalise,
    reconstruct,
    sample_losses,
)
from refashion.training.graphs import Step, graphed
from refashion.training.networks import Model

if TYPE_CHECKING:
    # A row comes as data: how papers are read and checked decides nothing here.
    from refashion.paper.spec import Row

METRICS_SCHEMA = 2
ALL_TRAINING_IMAGES = 60_000  # what a row's split is counted in


def _uncompiled(optimizer: type) -> type:
    """An optimizer of torch without the wrappers that hide it from torch's compiler.

    On first use they import the compiler, half the time of a short job; nothing here is compiled.
    """
    names = ("add_param_group", "zero_grad", "state_dict", "load_state_dict")
    methods = {name: inspect.unwrap(getattr(optimizer, name)) for name in names}
    methods["step"] = torch.no_grad()(inspect.unwrap(optimizer.step))
    return type(optimizer.__name__, (optimizer,), methods)


Adam, SGD = _uncompiled(torch.optim.Adam), _uncompiled(torch.optim.SGD)


def train(
    row: Row,
    dataset: Dataset,
    seed: int,
    out: Path,
    *,
    epochs: int | None = None,
    encoder: Path | None = None,
    device: str = "cpu",
    log: Callable[[str], None] = print,
) -> dict:
    """Train one row with one seed, and write everything that is later asked about it.

    Writes to ``out``: metrics.json, history.csv (a line per epoch), model.safetensors (of the
    epoch that the row keeps) and outputs.safetensors (what that model makes of the validation
    images, see :func:`~refashion.training.evaluation.describe_outputs`; with ``snapshots``
    float32 [k, 10, 28, 28] of the ``snapshot_epochs`` int64 [k], if the row has any). A loss
    that is not finite ends the training with the status ``diverged`` and the files of what was
    reached.

    Args:
        row: what to train.
        dataset: uint8 images and labels.
        seed: of initial weights, split, order of images and dropout masks.
        out: folder of the results, made if missing.
        epochs: in place of the row's number, for a short run.
        encoder: safetensors file of the encoder that the row reuses.
        device: ``cpu`` or ``cuda``.
        log: takes a line of progress per epoch.

    Returns:
        What metrics.json holds.

    Raises:
        UserError: the row reuses an encoder and none, or one that does not fit, is given; or
            there is no such device.
    """
    started = time.perf_counter()
    prepare(device)
    out.mkdir(parents=True, exist_ok=True)
    spec = row.spec if epochs is None else row.spec.model_copy(update={"epochs": epochs})
    identity = {
        "spec": spec.as_json(),
        "layers": [repr(layer) for layer in row.network.layers],
        "seed": seed,
        "dataset_sha256": dataset.sha256,
        "encoder_sha256": _file_sha256(encoder) if encoder else None,
        "code_sha256": code_sha256(),
        "torch": torch.__version__,
        "device": device,
        "kernels": "numba" if device == "cpu" and networks.kernels else "torch",
    }

    model = networks.build(row.network, seed)
    if spec.encoder:
        _reuse_encoder(model, row, encoder)
    model.to(device)
    optimizer = make_optimizer(model, spec, device)
    splits = make_splits(dataset, spec.split, seed, device)

    checkpoint = out / "checkpoint.safetensors"
    # What outlives the epoch that it is of: the weights to keep, and reconstructions by epoch.
    kept: dict[str, Tensor] = {}
    snapshots: dict[int, Tensor] = {}
    history = _resume(checkpoint, identity, model, optimizer, kept, snapshots, log)
    _take_snapshot(snapshots, len(history), model, splits["val"], spec)
    names = ("loss", "accuracy") if row.task == "classification" else ("loss",)
    totals = {name: torch.zeros((), dtype=torch.float64, device=device) for name in names}
    step = make_step(model, optimizer, row.task, splits["train"], spec, totals)
    if device == "cuda":
        count = len(splits["train"])
        step = _as_graph(step, model, optimizer, count, spec.batch_size, log)
    seconds_before = sum(line["seconds"] for line in history)
    status = "completed"
    while len(history) < spec.epochs and not _stagnates(history, spec.early_stopping):
        epoch_started = time.perf_counter()
        epoch = len(history) + 1
        line = {"epoch": epoch}
        line |= train_epoch(model, step, totals, splits["train"], spec.batch_size, seed, epoch)
        line |= _measure(model, row.task, splits, spec, epoch)
        if not all(isfinite(value) for value in line.values()):
            status = "diverged"
            log(f"epoch {epoch}: the loss is not finite: diverged")
            break
        line["seconds"] = time.perf_counter() - epoch_started
        history.append(line)
        if _kept_epoch(history, spec.keep) == epoch and spec.keep != "last":
            kept = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        _take_snapshot(snapshots, epoch, model, splits["val"], spec)
        _save_checkpoint(checkpoint, identity, model, optimizer, history, kept, snapshots)
        log(_progress(line, spec.epochs, history))
    stopped_early = status == "completed" and len(history) < spec.epochs
    if stopped_early:
        log(f"stopped: no lower validation loss for {spec.early_stopping.patience} epochs")
    if kept:
        model.load_state_dict(kept)
    outputs, confusion = describe_outputs(model, row.task, splits["val"], spec.normalisation)
    if snapshots:
        outputs["snapshots"] = torch.stack(list(snapshots.values()))
        outputs["snapshot_epochs"] = torch.tensor(list(snapshots))

    metrics = {
        "schema": METRICS_SCHEMA,
        "status": status,
        "paper": row.paper,
        "row": row.id,
        "task": row.task,
        **identity,
        "spec_sha256": row.spec_sha256,
        "train_images": len(splits["train"]),
        "validation_images": len(splits["val"]),
        "test_images": len(dataset.test_images),
        "epochs": len(history),
        "stopped_early": stopped_early,
        "diverged_at_epoch": len(history) + 1 if status == "diverged" else None,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "final": _line(history, len(history)),
        "kept": _line(history, _kept_epoch(history, spec.keep)),
        "lowest": _line(history, _kept_epoch(history, "best")),
        "best": _best(history),
        "confusion": None if status == "diverged" or confusion is None else confusion.tolist(),
        "seconds": seconds_before + time.perf_counter() - started,
        "device_name": device_name(device),
    }
    _write_results(out, metrics, history, model, outputs)
    checkpoint.unlink(missing_ok=True)
    return metrics


def make_splits(dataset: Dataset, shares: dict, seed: int, device: str) -> dict[str, Split]:
    """The sets ``train`` and ``val`` and, where validation images are held out, ``test``.

    ``shares`` says how many of 60,000 images to train and to validate on; of fewer images it takes
    the same shares. Which they are is drawn from the seed; their order is the data set's. Without
    validation images of its own a row validates on the test images.
    """
    count = len(dataset.train_images)
    train, validation = (
        round(count * getattr(shares, name) / ALL_TRAINING_IMAGES)
        for name in ("train", "validation")
    )
    # Epochs count from 1: this key is that of no epoch's order.
    drawn = _random_order(count, seed, 0) if train < count else np.arange(count)

    def part(chosen: np.ndarray) -> Split:
        chosen = np.sort(chosen)
        return Split.of(dataset.train_images[chosen], dataset.train_labels[chosen], device)

    test = Split.of(dataset.test_images, dataset.test_labels, device)
    if not validation:
        return {"train": part(drawn[:train]), "val": test}
    held_out = part(drawn[train : train + validation])
    return {"train": part(drawn[:train]), "val": held_out, "test": test}


def _random_order(count: int, seed: int, epoch: int) -> np.ndarray:
    """int64 [count]: a permutation that is a function of (seed, epoch)."""
    return np.random.Generator(np.random.Philox(key=[seed, epoch])).permutation(count)


def _measure(
    model: Model, task: str, splits: dict[str, Split], spec: dict, epoch: int
) -> dict[str, float]:
    """Every metric of every set after an epoch, as ``val_loss``."""
    how = spec.normalisation, spec.batch_size
    measured = {name: evaluate(model, task, split, *how) for name, split in splits.items()}
    if spec.validation_dropout:
        measured["val_dropout"] = evaluate(model, task, splits["val"], *how, dropout_epoch=epoch)
    return {
        f"{name}_{metric}": value
        for name, metrics in measured.items()
        for metric, value in metrics.items()
    }


def _take_snapshot(
    snapshots: dict[int, Tensor], epoch: int, model: Model, split: Split, spec: dict
) -> None:
    if epoch in spec.snapshots and epoch not in snapshots:
        images = split.images[example_indices(split.labels, 1)]
        snapshots[epoch] = reconstruct(model, images, spec.normalisation).cpu()


def _stagnates(history: list[dict], early_stopping: dict | None) -> bool:
    """Whether the validation loss has not fallen by enough for ``patience`` epochs."""
    if early_stopping is None:
        return False
    lowest, waited = inf, 0
    for line in history:
        if line["val_loss"] < lowest - early_stopping.min_delta:
            lowest, waited = line["val_loss"], 0
        else:
            waited += 1
    return waited >= early_stopping.patience


def _kept_epoch(history: list[dict], keep: str | int) -> int:
    """The epoch whose weights are kept: the last, that of the lowest loss, or the one named."""
    if keep == "best" and history:
        return min(history, key=lambda line: line["val_loss"])["epoch"]
    return min(keep, len(history)) if isinstance(keep, int) else len(history)


def code_sha256() -> str:
    """Hash of the modules that decide what a training computes."""
    digest = hashlib.sha256()
    for file in closure("training.loop"):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def export_encoder(row: Row, model: Path, out: Path) -> None:
    """Write the encoder of a trained model, and beside it what it is.

    Args:
        row: the row that ``model`` was trained for.
        model: its model.safetensors.
        out: safetensors file, names without ``encoder.``; ``out`` with the ending .json gets the
            row, its layer table and the shape of the code.
    """
    weights = {
        name.removeprefix("encoder."): tensor
        for name, tensor in load_file(model).items()
        if name.startswith("encoder.")
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    save_file(weights, out)
    description = {
        "paper": row.paper,
        "row": row.id,
        "spec_sha256": row.spec_sha256,
        "layers": [repr(layer) for layer in row.network.encoder],
        "code_shape": list(row.network.code_shape),
    }
    out.with_suffix(".json").write_text(json.dumps(description, indent=2) + "\n")


def prepare(device: str) -> None:
    """One thread, deterministic algorithms, fp32 as fp32, and an allocator that keeps its pages."""
    if device == "cuda" and not torch.cuda.is_available():
        raise UserError("a GPU was asked for and torch finds none here: leave --gpus out")
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    # As use_deterministic_algorithms(True), which imports torch's compiler.
    torch.set_deterministic_debug_mode("error")
    # In this mode torch also fills every new tensor, at a tenth of the step; nothing here reads
    # what it has not written.
    torch.utils.deterministic.fill_uninitialized_memory = False
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    if platform.libc_ver()[0] == "glibc":
        # Else every step gives its feature maps back to the system and faults them in again.
        mallopt = ctypes.CDLL(None).mallopt
        for parameter, value in ((-1, 2**31 - 1), (-2, 256 << 20), (-3, 1 << 30)):
            mallopt(parameter, value)


def _reuse_encoder(model: Model, row: Row, encoder: Path | None) -> None:
    if encoder is None:
        raise UserError(
            f"{row.paper}/{row.id} reuses the encoder of {row.spec.encoder.row}: "
            "name its encoder.safetensors with --encoder"
        )
    try:
        model.encoder.load_state_dict(load_file(encoder))
    except (OSError, RuntimeError) as error:
        raise UserError(f"{encoder}: not an encoder for {row.paper}/{row.id}: {error}") from error
    if row.spec.encoder.frozen:
        model.freeze_encoder()


def make_optimizer(model: Model, spec: dict, device: str = "cpu") -> torch.optim.Optimizer:
    """Adam or SGD over the weights that are not frozen, with a row's settings."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if spec.optimizer == "adam":
        capturable = device == "cuda"
        return Adam(
            parameters,
            lr=spec.learning_rate,
            eps=spec.epsilon,
            fused=True,
            capturable=capturable,
        )
    return SGD(parameters, lr=spec.learning_rate, momentum=spec.momentum, fused=True)


def make_step(
    model: Model,
    optimizer: torch.optim.Optimizer,
    task: str,
    split: Split,
    spec: dict,
    totals: dict[str, Tensor],
) -> Step:
    """One training step, as a function of int64 [batch] indices into the split.

    It adds each batch's mean loss, and for a classifier its accuracy, to ``totals`` (float64
    scalars on the device): nothing is read back within an epoch.
    """

    def step(batch: Tensor) -> None:
        inputs = normalise(split.images[batch], spec.normalisation)
        labels = split.labels[batch]
        outputs = model(inputs)
        loss = sample_losses(task, outputs, inputs, labels).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        totals["loss"] += loss.detach()
        if task == "classification":
            totals["accuracy"] += (outputs.detach().argmax(1) == labels).double().mean()

    return step


def train_epoch(
    model: Model,
    step: Step,
    totals: dict[str, Tensor],
    split: Split,
    batch_size: int,
    seed: int,
    epoch: int,
) -> dict[str, float]:
    """One pass over the images in an order drawn from (seed, epoch).

    Returns:
        The running metrics: means of batch means, with dropout on and weights still moving.
    """
    model.train()
    for total in totals.values():
        total.zero_()
    count = len(split.images)
    order = torch.from_numpy(_random_order(count, seed, epoch)).to(split.images.device)
    batches = order.split(batch_size)
    for index, batch in enumerate(batches):
        model.masks.step = (epoch - 1) * len(batches) + index
        step(batch)
    return {f"running_{name}": total.item() / len(batches) for name, total in totals.items()}


def _as_graph(
    step: Step,
    model: Model,
    optimizer: torch.optim.Optimizer,
    count: int,
    batch_size: int,
    log: Callable[[str], None],
) -> Step:
    """The step as CUDA graphs, or as it is, with a word about it, if it cannot be captured."""
    sizes = {min(batch_size, count), count % batch_size or batch_size}
    model.train()
    try:
        return graphed(step, model, optimizer, sizes)
    except RuntimeError as error:
        log(f"no CUDA graph, so every kernel is launched by itself: {error}")
        return step


def _save_checkpoint(
    path: Path,
    identity: dict,
    model: Model,
    optimizer: torch.optim.Optimizer,
    history: list[dict],
    kept: dict[str, Tensor],
    snapshots: dict[int, Tensor],
) -> None:
    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    tensors |= {f"kept.{name}": tensor for name, tensor in kept.items()}
    tensors |= {f"snapshots.{epoch}": tensor for epoch, tensor in snapshots.items()}
    for index, state in optimizer.state_dict()["state"].items():
        for name, value in state.items():
            if value is not None:
                tensors[f"optimizer.{index}.{name}"] = value
    tensors["random.cpu"] = torch.get_rng_state()
    if identity["device"] == "cuda":
        tensors["random.cuda"] = torch.cuda.get_rng_state()
    tensors = {name: tensor.contiguous() for name, tensor in tensors.items()}
    partial = path.with_suffix(".partial")
    save_file(tensors, partial, {"identity": json.dumps(identity), "history": json.dumps(history)})
    partial.replace(path)


def _resume(
    path: Path,
    identity: dict,
    model: Model,
    optimizer: torch.optim.Optimizer,
    kept: dict[str, Tensor],
    snapshots: dict[int, Tensor],
    log: Callable[[str], None],
) -> list[dict]:
    """Take all that a training has come to from a checkpoint of this very training.

    Returns:
        The history so far; empty if there is no checkpoint or it is of another training.
    """
    if not path.exists():
        return []
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
        if json.loads(metadata["identity"]) != json.loads(json.dumps(identity)):
            log(f"{path}: of another training (settings, code or torch changed): starting afresh")
            return []
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    model.load_state_dict(_under("model.", tensors))
    groups = optimizer.state_dict()["param_groups"]
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in _under("optimizer.", tensors).items():
        index, key = name.split(".")
        parameter = parameters[int(index)]
        if tensor.shape == parameter.shape:
            # Fused optimizers walk through memory: their state must lie as the weights do.
            tensor = torch.empty_like(parameter, requires_grad=False).copy_(tensor)
        state.setdefault(int(index), {})[key] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": groups})
    kept.update(_under("kept.", tensors))
    taken = {int(epoch): images for epoch, images in _under("snapshots.", tensors).items()}
    snapshots.update(sorted(taken.items()))
    torch.set_rng_state(tensors["random.cpu"])
    if identity["device"] == "cuda":
        torch.cuda.set_rng_state(tensors["random.cuda"])
    history = json.loads(metadata["history"])
    log(f"going on after epoch {len(history)}")
    return history


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }


def _progress(line: dict, epochs: int, history: list[dict]) -> str:
    elapsed = sum(past["seconds"] for past in history)
    left = elapsed / len(history) * (epochs - len(history))
    accuracy = f"  accuracy {line['val_accuracy']:.2%}" if "val_accuracy" in line else ""
    return (
        f"epoch {line['epoch']:>{len(str(epochs))}}/{epochs}"
        f"  train {line['train_loss']:.4f}  validation {line['val_loss']:.4f}{accuracy}"
        f"  {line['seconds']:.1f} s  elapsed {_clock(elapsed)}  left {_clock(left)}"
    )


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}"


def _metric_names(history: list[dict]) -> list[str]:
    return [name for name in history[0] if name not in ("epoch", "seconds")] if history else []


def _line(history: list[dict], epoch: int) -> dict[str, float]:
    """All metrics of an epoch, and which it is; empty if no epoch was completed."""
    return {
        name: history[epoch - 1][name] for name in ("epoch", *_metric_names(history)) if history
    }


def _best(history: list[dict]) -> dict[str, dict]:
    """For every metric its best value, lowest loss or highest accuracy, and the epoch of it."""
    best = {}
    for name in _metric_names(history):
        choose = max if "accuracy" in name else min
        line = choose(history, key=lambda past: past[name])
        best[name] = {"value": line[name], "epoch": line["epoch"]}
    return best


def _write_results(
    out: Path, metrics: dict, history: list[dict], model: Model, outputs: dict[str, Tensor]
) -> None:
    weights = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    save_file(weights, out / "model.safetensors")
    save_file(outputs, out / "outputs.safetensors")
    with (out / "history.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["epoch", *_metric_names(history), "seconds"])
        writer.writeheader()
        writer.writerows(history)
    (out / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")


def _file_sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def device_name(device: str) -> str:
    """The processor's name, as the system gives it."""
    if device == "cuda":
        return torch.cuda.get_device_name()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
