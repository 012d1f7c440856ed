"""Where Fashion-MNIST comes from, and the checks it must pass.

A source is a folder with the four files of Xiao, Rasul and Vollgraf (arXiv:1708.07747), or a way
to get such a folder. Checksums are of the decompressed files, as mirrors and distributions
compress the same data differently; so the tensor file is the same, byte for byte, from any source.
"""

from __future__ import annotations

import gzip
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from refashion.errors import UserError
from refashion.training.dataset import checksum_of, write


class Payload(NamedTuple):
    """One of the four files, decompressed: a header in the idx format, then uint8 values."""

    name: str
    size: int
    sha256: str


FILES = {
    "train_images": Payload(
        "train-images-idx3-ubyte",
        47_040_016,
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    ),
    "train_labels": Payload(
        "train-labels-idx1-ubyte",
        60_008,
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    ),
    "test_images": Payload(
        "t10k-images-idx3-ubyte",
        7_840_016,
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    ),
    "test_labels": Payload(
        "t10k-labels-idx1-ubyte",
        10_008,
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ),
}
SYSTEM_FOLDER = Path("/usr/share/datasets/fashion-mnist")
DEBIAN_PACKAGE = "dataset-fashion-mnist"

SILENCE_SECONDS = 10  # how long a server may say nothing
DOWNLOAD_SECONDS = 300  # how long a whole download may take: 30 MB at 100 kB/s

REMEDIES = f"""ways out:
  Debian, Ubuntu: `apt-get install {DEBIAN_PACKAGE}` as root, with `system` in dataset.sources
  Debian, Ubuntu, without root: `debian` in dataset.sources; if apt-get does not know the package,
    an administrator has to run `apt-get update` once
  any platform: download the four .gz files listed at https://github.com/zalandoresearch/fashion-mnist
    to a folder, and set dataset.folder to it in config.yaml, with `folder` in dataset.sources"""


class _NoAnswerError(Exception):
    """A source has none of the files; the message says why."""


def fetch(
    sources: list[str], folder: str | None, out: Path, log: Callable[[str], None] = print
) -> None:
    """Write the whole of Fashion-MNIST to ``out``, from the first of ``sources`` that has it.

    Args:
        sources: names out of :data:`SOURCES`, in the order in which to try them.
        folder: where the source ``folder`` looks; None if the user named none.
        out: file to write, as by :func:`dataset.write`: 60,000 and 10,000 images.
        log: is called with a line for each source tried.

    Raises:
        UserError: no source answers, or one answers with files that are not Fashion-MNIST; in
            either case ``out`` is left as it was.
    """
    unknown = [name for name in sources if name not in SOURCES]
    if unknown:
        allowed = ", ".join(SOURCES)
        raise UserError("\n".join(f"dataset.sources: {u} is not one of {allowed}" for u in unknown))
    failures = []
    for source in sources:
        # A download given up may still write while the folder is being removed.
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
            try:
                payloads = _read_files(source, SOURCES[source](folder, Path(temporary)))
            except _NoAnswerError as reason:
                log(f"source {source}: {reason}")
                failures.append(f"  {source}: {reason}")
                continue
        write(out, {tensor: _parse_idx(payload) for tensor, payload in payloads.items()})
        log(f"source {source}: has Fashion-MNIST, checksums as published; written to {out}")
        return
    tried = "\n".join(failures) or "  dataset.sources is empty"
    raise UserError(f"Fashion-MNIST: no source has it\n{tried}\n{REMEDIES}")


def _from_folder(folder: str | None, temporary: Path) -> Path:
    if folder is None:
        raise _NoAnswerError("dataset.folder is not set in config.yaml")
    return Path(folder).expanduser()


def _from_system(folder: str | None, temporary: Path) -> Path:
    return SYSTEM_FOLDER


def _from_torchvision(folder: str | None, temporary: Path) -> Path:
    # In a process of its own: torchvision sets no timeout, prints, and loads all of torch.
    program = (
        "import socket, sys\n"
        f"socket.setdefaulttimeout({SILENCE_SECONDS})\n"
        "from torchvision.datasets import FashionMNIST\n"
        "FashionMNIST(sys.argv[1], download=True)\n"
    )
    _run("torchvision", [sys.executable, "-c", program, str(temporary)], temporary)
    return temporary / "FashionMNIST" / "raw"


def _from_debian(folder: str | None, temporary: Path) -> Path:
    patience = [f"-oAcquire::{method}::Timeout={SILENCE_SECONDS}" for method in ("http", "https")]
    _run("apt-get", ["apt-get", *patience, "download", DEBIAN_PACKAGE], temporary)
    for package in temporary.glob("*.deb"):
        _run("dpkg-deb", ["dpkg-deb", "-x", package.name, "."], temporary)
    return temporary / SYSTEM_FOLDER.relative_to("/")


SOURCES: dict[str, Callable[[str | None, Path], Path]] = {
    "folder": _from_folder,
    "system": _from_system,
    "torchvision": _from_torchvision,
    "debian": _from_debian,
}


def _run(program: str, command: list[str], folder: Path) -> None:
    """Run a command in a folder, quietly; its last line of complaint is the reason it failed."""
    try:
        subprocess.run(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            timeout=DOWNLOAD_SECONDS,
        )
    except OSError as error:
        raise _NoAnswerError(f"{program}: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise _NoAnswerError(f"{program}: not done after {DOWNLOAD_SECONDS} s") from error
    except subprocess.CalledProcessError as error:
        lines = error.stderr.decode(errors="replace").strip().splitlines() or ["no message"]
        raise _NoAnswerError(f"{program} failed: {lines[-1]}") from error


def _read_files(source: str, folder: Path) -> dict[str, bytes]:
    """The four payloads by tensor name, all of them and as published, or an error."""
    payloads: dict[str, bytes] = {}
    missing: list[str] = []
    problems: list[str] = []
    for tensor, expected in FILES.items():
        try:
            payloads[tensor] = _read_file(folder, expected)
        except (FileNotFoundError, NotADirectoryError):
            missing.append(f"{folder / expected.name}: neither this file nor its .gz is there")
        except UserError as error:
            problems.append(str(error))
    if len(missing) == len(FILES):
        raise _NoAnswerError(f"{folder}: has none of the four files")
    if missing or problems:
        way_out = f"put these files right, or take {source} out of dataset.sources in config.yaml"
        raise UserError("\n".join([*missing, *problems, way_out]))
    return payloads


def _read_file(folder: Path, expected: Payload) -> bytes:
    path = folder / expected.name
    try:
        if not path.exists():
            path = folder / f"{expected.name}.gz"
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    wanted = f"expected sha256 {expected.sha256} of {expected.size} bytes once decompressed"
    try:
        # By content, not by name: browsers decompress a .gz on the way and keep its name.
        payload = gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content
    except (zlib.error, EOFError, gzip.BadGzipFile) as error:
        raise UserError(f"{path}: {wanted}, found a broken gzip file ({error})") from error
    found = checksum_of(payload)
    if found != expected.sha256:
        owner = next((f", that of {f.name}," for f in FILES.values() if f.sha256 == found), "")
        raise UserError(f"{path}: {wanted}, found {found}{owner} of {len(payload)} bytes")
    return payload


def _parse_idx(payload: bytes) -> np.ndarray:
    """Values behind a header of two zeros, a type (uint8 here), and big-endian lengths."""
    shape = np.frombuffer(payload, ">u4", count=payload[3], offset=4)
    return np.frombuffer(payload, np.uint8, offset=4 + shape.nbytes).reshape(shape)
