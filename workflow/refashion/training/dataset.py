"""Fashion-MNIST as one file of tensors, with its checksum beside it; and a part of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import safetensors.numpy
from safetensors import SafetensorError

from refashion.errors import UserError

TENSORS = ("train_images", "train_labels", "test_images", "test_labels")
CLASSES = 10


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images uint8 [N, 28, 28] and labels uint8 [N] (0-9), and the sha256 of their file."""

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    sha256: str


def subset(dataset: Path, train_images: int, test_images: int, out: Path) -> None:
    """Write the first images of each class, equally many of each and in their order, to ``out``.

    Args:
        dataset: file that :func:`write` wrote.
        train_images, test_images: how many to keep, multiples of 10.
        out: file to write, as by :func:`write`.

    Raises:
        UserError: a number is not a multiple of 10 or more than there are, or as :func:`load`.
    """
    whole = load(dataset)
    tensors, problems = {}, []
    for split, number in (("train", train_images), ("test", test_images)):
        images, labels = getattr(whole, f"{split}_images"), getattr(whole, f"{split}_labels")
        largest = CLASSES * int(np.bincount(labels, minlength=CLASSES).min())
        if number not in range(CLASSES, largest + 1, CLASSES):
            problems.append(
                f"{dataset}: {split}_images: {number} is not a multiple of {CLASSES} "
                f"from {CLASSES} to {largest} (as many of each class)"
            )
            continue
        each = [np.flatnonzero(labels == c)[: number // CLASSES] for c in range(CLASSES)]
        kept = np.sort(np.concatenate(each))
        tensors |= {f"{split}_images": images[kept], f"{split}_labels": labels[kept]}
    if problems:
        raise UserError("\n".join(problems))
    write(out, tensors)


def load(path: Path) -> Dataset:
    """Read a tensor file that was fetched or made by :func:`subset`, and check it.

    Raises:
        UserError: the file or the checksum beside it is missing or cannot be read, the two do not
            match, or the tensors are not those of :class:`Dataset`.
    """
    checksum = path.with_suffix(".sha256")
    way_out = f"delete {path} and {checksum}, and run again to make them anew"
    try:
        content, recorded = path.read_bytes(), checksum.read_bytes()
    except OSError as error:
        raise UserError(f"{error.filename}: {error.strerror}; {way_out}") from error
    expected, found = recorded.decode("ascii", "replace").strip(), checksum_of(content)
    if found != expected:
        raise UserError(f"{path}: sha256 is {found}, but {checksum} has {expected}; {way_out}")
    try:
        tensors = safetensors.numpy.load(content)
    except SafetensorError as error:
        raise UserError(f"{path}: not a safetensors file ({error}); {way_out}") from error
    problems = _layout_problems(tensors)
    if problems:
        raise UserError("\n".join(f"{path}: {problem}; {way_out}" for problem in problems))
    return Dataset(**tensors, sha256=found)


def _layout_problems(tensors: dict[str, np.ndarray]) -> list[str]:
    if set(tensors) != set(TENSORS):
        return [f"holds the tensors {sorted(tensors)}, expected {sorted(TENSORS)}"]
    shapes = {}
    for split in ("train", "test"):
        number = tensors[f"{split}_labels"].size
        shapes |= {f"{split}_labels": (number,), f"{split}_images": (number, 28, 28)}
    return [
        f"{name} is {tensors[name].dtype} {tensors[name].shape}, expected uint8 {shape}"
        for name, shape in shapes.items()
        if tensors[name].dtype != np.uint8 or tensors[name].shape != shape
    ]


def checksum_of(content: bytes) -> str:
    """The sha256 in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def write(out: Path, tensors: dict[str, np.ndarray]) -> None:
    """Write tensors to ``out``, and beside it, with the suffix .sha256, its checksum.

    Each of the two files is either whole or not there.

    Raises:
        UserError: a file cannot be written.
    """
    tensor_file = safetensors.numpy.save(tensors)
    checksum = f"{checksum_of(tensor_file)}\n".encode()
    contents = {out: tensor_file, out.with_suffix(".sha256"): checksum}
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=out.parent, prefix=".") as partial:
            for path, content in contents.items():
                Path(partial, path.name).write_bytes(content)
            for path in contents:
                Path(partial, path.name).replace(path)
    except OSError as error:
        raise UserError(f"{out}: cannot be written: {error.strerror}") from error
