"""Training speed: a notebook, Lightning, ours, and the convolutions alone, in turn.

Each way gets all cores: a notebook as one process with all threads, the others as one process per
core at the same time, as the workflow runs them. Ways alternate, so that a machine whose speed
drifts is unfair to none; what counts is their ratio within one run.
"""

from __future__ import annotations

import importlib.util
import multiprocessing
import os
import resource
import statistics
import struct
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from refashion.paper import layers, papers
from refashion.paper.spec import Normalisation, Spec
from refashion.training import dataset, networks, sources
from refashion.training.device import prepare
from refashion.training.epoch import Training
from refashion.training.evaluation import evaluate
from refashion.training.splits import Split
from stock import stock_layers
from torch import nn

BATCH = 128
NORMALISATION = Normalisation(mean=0.5, std=0.5)
CASES = {
    "architecture 2": ("caprari2025", "t4-arch2-nolinear"),
    "classifier": ("caprari2025", "t9-base"),
    "fully connected": ("magallanes2022", "h256"),
}


# ---- the ways: each yields (images trained on, images evaluated) after a piece of work -----


def ours(network: layers.Network, images: Path) -> Iterator[tuple[int, int]]:
    """What a job of the workflow does."""
    data = dataset.load(images)
    count = 40 * BATCH
    split = Split.of(data.train_images[:count], data.train_labels[:count], "cpu")
    prepare("cpu")
    spec = Spec(batch_size=BATCH, normalisation=NORMALISATION, architecture="", parameters={})
    training = Training(networks.build(network, seed=0), {"train": split}, spec, seed=0)
    epoch = 0
    while True:
        epoch += 1
        training.run_epoch(epoch, training.step)
        yield count, 0
        evaluate(training.model, split, NORMALISATION, BATCH)
        yield 0, count


def notebook(network: layers.Network, images: Path) -> Iterator[tuple[int, int]]:
    """What a notebook does: torchvision's data set, DataLoader, stock layers, all threads."""
    from torch.utils.data import DataLoader

    part = _torchvision_images(images)
    model = stock_layers(network)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    reconstructs = network.task == "reconstruction"
    criterion = nn.MSELoss() if reconstructs else nn.CrossEntropyLoss()
    while True:
        model.train()
        total = 0.0
        for inputs, labels in DataLoader(part, batch_size=BATCH, shuffle=True):
            optimizer.zero_grad()
            loss = criterion(model(inputs), inputs if reconstructs else labels)
            loss.backward()
            optimizer.step()
            total += loss.item()
        yield len(part), 0
        model.eval()
        with torch.no_grad():
            for inputs, labels in DataLoader(part, batch_size=BATCH):
                total += criterion(model(inputs), inputs if reconstructs else labels).item()
        yield 0, len(part)


def products(network: layers.Network, images: Path) -> Iterator[tuple[int, int]]:
    """The convolutions and matrix products alone, forward and backward, as torch has them."""
    prepare("cpu")
    model = networks.build(network, seed=0, plain=True)
    work = []
    with torch.no_grad():
        x = torch.rand(BATCH, 1, 28, 28).to(memory_format=torch.channels_last)
        for first, module in enumerate([*model.encoder, *model.head]):
            weighted = module[0] if isinstance(module, nn.Sequential) else None
            if isinstance(weighted, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
                y = weighted(x)
                work.append((weighted, x.clone().requires_grad_(first > 0), torch.rand_like(y)))
            x = module(x)
    while True:
        for _ in range(10):
            for weighted, x, gradient in work:
                weighted.zero_grad()
                weighted(x).backward(gradient)
        yield 10 * BATCH, 0
        with torch.inference_mode():
            for _ in range(10):
                for weighted, x, _ in work:
                    weighted(x)
        yield 0, 10 * BATCH


def lightning(network: layers.Network, images: Path) -> Iterator[tuple[int, int]]:
    """PyTorch Lightning's trainer over the notebook's data and layers."""
    import logging
    import warnings

    from lightning.pytorch import LightningModule, Trainer
    from torch.utils.data import DataLoader

    warnings.simplefilter("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    reconstructs = network.task == "reconstruction"
    criterion = nn.MSELoss() if reconstructs else nn.CrossEntropyLoss()

    class Module(LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.layers = stock_layers(network)

        def training_step(self, batch, _index):
            inputs, labels = batch
            return criterion(self.layers(inputs), inputs if reconstructs else labels)

        validation_step = training_step

        def configure_optimizers(self):
            return torch.optim.Adam(self.parameters(), lr=1e-3)

    part, module = _torchvision_images(images), Module()
    names = ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary")
    quiet = dict.fromkeys(names, False)
    while True:
        trainer = Trainer(max_epochs=1, accelerator="cpu", **quiet)
        trainer.fit(module, DataLoader(part, batch_size=BATCH, shuffle=True))
        yield len(part), 0
        trainer.validate(module, DataLoader(part, batch_size=BATCH), verbose=False)
        yield 0, len(part)


WAYS = {"notebook": notebook, "ours": ours, "products": products}
if importlib.util.find_spec("lightning"):
    WAYS["lightning"] = lightning


def _torchvision_images(images: Path):
    """The first images of torchvision's data set, transformed as in a notebook."""
    from torch.utils.data import Subset
    from torchvision import transforms
    from torchvision.datasets import FashionMNIST

    with tempfile.TemporaryDirectory() as root:
        _write_idx_files(images, Path(root) / "FashionMNIST/raw")
        steps = [transforms.ToTensor(), transforms.Normalize((0.5,), (0.5,))]
        train_set = FashionMNIST(root, transform=transforms.Compose(steps))
    return Subset(train_set, range(20 * BATCH))


def _write_idx_files(images: Path, folder: Path) -> None:
    """The data set as torchvision's class reads it."""
    data = dataset.load(images)
    folder.mkdir(parents=True)
    for tensor, payload in sources.FILES.items():
        array = getattr(data, tensor)
        header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
        (folder / payload.name).write_bytes(header + array.tobytes())


# ---- measuring ----------------------------------------------------------------------------------


def _work(way: str, case: str, images: Path, seconds: float, threads: int, start, results) -> None:
    """One process: warm up, wait for the others, then work for a while."""
    torch.set_num_threads(threads)
    paper, row = CASES[case]
    network = papers.load_paper(papers.PAPERS_FOLDER / f"{paper}.yaml").row(row).network
    pieces = WAYS[way](network, images)
    try:
        next(pieces), next(pieces)
    except Exception:
        start.abort()  # else the others wait for this one
        raise
    start.wait()
    counts, spent = [0, 0], [0.0, 0.0]
    while sum(spent) < seconds:
        for _ in range(2):
            began = time.perf_counter()
            trained, evaluated = next(pieces)
            which = 0 if trained else 1
            counts[which] += trained + evaluated
            spent[which] += time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    results.put((counts[0] / spent[0], counts[1] / spent[1], peak))


def measure(way: str, case: str, images: Path, seconds: float) -> dict[str, float]:
    """Images a second over all cores, trained on and evaluated, and a process's peak memory, MB."""
    spawn = multiprocessing.get_context("spawn")
    cores = os.cpu_count() or 1
    processes, threads = (1, cores) if way in ("notebook", "lightning") else (cores, 1)
    start, results = spawn.Barrier(processes), spawn.Queue()
    arguments = (way, case, images, seconds, threads, start, results)
    jobs = [spawn.Process(target=_work, args=arguments) for _ in range(processes)]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
    if any(job.exitcode for job in jobs):
        raise RuntimeError(f"{way} failed on {case}")
    measured = [results.get() for _ in jobs]
    trained, evaluated, peak = zip(*measured, strict=True)
    return {"train": sum(trained), "evaluate": sum(evaluated), "peak_mb": max(peak)}


def compare(images: Path, seconds: float, rounds: int, say: Callable[[str], None]) -> dict:
    """Medians over rounds, and medians of each round's ratios, for every case."""
    report = {}
    for case in CASES:
        measured: dict[str, list[dict]] = {way: [] for way in WAYS}
        for number in range(rounds):
            for way in WAYS:
                say(f"{case}: {way}, round {number + 1} of {rounds}")
                measured[way].append(measure(way, case, images, seconds))
        report[case] = {
            way: {key: statistics.median(one[key] for one in runs) for key in runs[0]}
            for way, runs in measured.items()
        }
        for name, over, under, key in (
            ("train: ours / notebook", "ours", "notebook", "train"),
            ("evaluate: ours / notebook", "ours", "notebook", "evaluate"),
            ("step: ours / products", "products", "ours", "train"),
            ("train: ours / lightning", "ours", "lightning", "train"),
        ):
            if over not in measured or under not in measured:
                continue
            pairs = zip(measured[over], measured[under], strict=True)
            report[case][name] = statistics.median(a[key] / b[key] for a, b in pairs)
    return report


def table(report: dict) -> str:
    """The report as a Markdown table."""
    lines = [
        "| | notebook, images/s | ours | ours / notebook | ours / Lightning"
        " | step: ours / products | evaluation: ours / notebook | peak, MB |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for case, found in report.items():
        against_lightning = found.get("train: ours / lightning")
        said = "–" if against_lightning is None else f"{against_lightning:.1f}"
        lines.append(
            f"| {case} | {found['notebook']['train']:,.0f} | {found['ours']['train']:,.0f}"
            f" | {found['train: ours / notebook']:.1f}"
            f" | {said} | {found['step: ours / products']:.2f}"
            f" | {found['evaluate: ours / notebook']:.1f} | {found['ours']['peak_mb']:,.0f} |"
        )
    return "\n".join(lines)
