"""One row with one seed: what decides a training, and what it starts from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load_file

from refashion.errors import UserError
from refashion.imports import closure
from refashion.training import networks
from refashion.training.device import prepare
from refashion.training.epoch import Training
from refashion.training.networks import Model
from refashion.training.splits import make_splits

if TYPE_CHECKING:
    # They come as data: how they are read and checked decides nothing here.
    from refashion.paper.spec import Encoder, Row, Spec
    from refashion.training.dataset import Dataset


@dataclass(frozen=True, eq=False)
class Job:
    """A training to do.

    Args:
        row: what to train.
        dataset: uint8 images and labels.
        seed: of initial weights, split, order of images and dropout masks.
        epochs: in place of the row's number, for a short run.
        encoder: safetensors file of the encoder that the row reuses.
        device: ``cpu`` or ``cuda``.
    """

    row: Row
    dataset: Dataset
    seed: int
    epochs: int | None = None
    encoder: Path | None = None
    device: str = "cpu"

    @property
    def spec(self) -> Spec:
        """The row's settings, for as many epochs as are asked for."""
        spec, epochs = self.row.spec, self.epochs
        return spec if epochs is None else spec.model_copy(update={"epochs": epochs})

    @cached_property
    def identity(self) -> dict[str, Any]:
        """What decides the bits of the result, as plain JSON."""
        return {
            "spec": self.spec.as_json(),
            "layers": [repr(layer) for layer in self.row.network.layers],
            "seed": self.seed,
            "dataset_sha256": self.dataset.sha256,
            "encoder_sha256": self.encoder and _sha256(self.encoder),
            "code_sha256": code_sha256(),
            "torch": str(torch.__version__),
            "device": self.device,
            "kernels": "numba" if self.device == "cpu" and networks.HAS_KERNELS else "torch",
        }


def start(job: Job) -> Training:
    """The device prepared, and the model as it is before the first step.

    Raises:
        UserError: the row reuses an encoder and none, or one that does not fit, is given; or
            there is no such device.
    """
    prepare(job.device)
    model = networks.build(job.row.network, job.seed)
    if job.spec.encoder:
        _reuse_encoder(model, job.spec.encoder, job)
    model.to(job.device)
    splits = make_splits(job.dataset, job.spec.split, job.seed, job.device)
    return Training(model, splits, job.spec, job.seed)


def _reuse_encoder(model: Model, reused: Encoder, job: Job) -> None:
    row = f"{job.row.paper}/{job.row.id}"
    if job.encoder is None:
        raise UserError(
            f"{row} reuses the encoder of {reused.row}: name its encoder.safetensors with --encoder"
        )
    try:
        model.encoder.load_state_dict(load_file(job.encoder))
    except (OSError, RuntimeError) as error:
        raise UserError(f"{job.encoder}: not an encoder for {row}: {error}") from error
    # A frozen encoder's dropout stays active in training.
    model.encoder.requires_grad_(not reused.frozen)


def code_sha256() -> str:
    """Hash of the modules that decide what a training computes."""
    return _sha256(*closure("training.loop"))


def _sha256(*files: Path) -> str:
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
