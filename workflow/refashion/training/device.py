"""The device that computes, prepared so that the same training gives the same bits on it."""

from __future__ import annotations

import ctypes
import os
import platform
from pathlib import Path

import torch

from refashion.errors import UserError


def prepare(device: str) -> None:
    """One thread, deterministic algorithms, fp32 as fp32, and an allocator that keeps its pages.

    Raises:
        UserError: there is no such device.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise UserError("a GPU was asked for and torch finds none here: leave --gpus out")
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    # As use_deterministic_algorithms(True), which imports torch's compiler.
    torch.set_deterministic_debug_mode("error")
    # In this mode torch also fills every new tensor, at a tenth of the step; nothing here reads
    # what it has not written.
    torch.utils.deterministic.fill_uninitialized_memory = False  # pyright: ignore[reportAttributeAccessIssue]
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    if platform.libc_ver()[0] == "glibc":
        # Else every step gives its feature maps back to the system and faults them in again.
        mallopt = ctypes.CDLL(None).mallopt
        for parameter, value in ((-1, 2**31 - 1), (-2, 256 << 20), (-3, 1 << 30)):
            mallopt(parameter, value)


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
