"""A training step as a CUDA graph: one launch in place of some hundred.

The networks are small for a GPU: launching a step's kernels one by one takes longer than running
them. A graph is captured once for each batch size, the last and smaller batch's included, and
replayed for every batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from refashion.training.epoch import Step, Training

WARM_UP_STEPS = 3  # before a capture, as torch asks: libraries allocate and choose on first calls


def as_graphs(training: Training, log: Callable[[str], None]) -> Step:
    """A training's step as CUDA graphs, or as it is, with a word about it, if it cannot be so."""
    try:
        return graphed(training)
    except RuntimeError as error:
        log(f"no CUDA graph, so every kernel is launched by itself: {error}")
        return training.step


def graphed(training: Training) -> Step:
    """The step replayed from CUDA graphs; weights, optimizer and random state are as before.

    So that it can be captured, a step returns nothing and does not synchronise: what it measures
    it adds to tensors that outlive it. The optimizer must be capturable.

    Raises:
        RuntimeError: the step cannot be captured.
    """
    images, batch_size = training.splits["train"].images, training.spec.batch_size
    sizes = {min(batch_size, len(images)), len(images) % batch_size or batch_size}
    batches = {size: torch.zeros(size, dtype=torch.int64, device=images.device) for size in sizes}
    graphs = {}
    training.model.train()
    with _taken_back(training.model, training.optimizer):
        _warm_up(training.step, batches.values())
        for size, batch in batches.items():
            training.optimizer.zero_grad(set_to_none=True)
            graphs[size] = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graphs[size]):
                training.step(batch)

    def replay(batch: Tensor) -> None:
        batches[len(batch)].copy_(batch)
        graphs[len(batch)].replay()

    return replay


def _warm_up(step: Step, batches: Iterable[Tensor]) -> None:
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for batch in batches:
            for _ in range(WARM_UP_STEPS):
                step(batch)
    torch.cuda.current_stream().wait_stream(aside)


@contextmanager
def _taken_back(model: nn.Module, optimizer: torch.optim.Optimizer) -> Iterator[None]:
    """Take back what is trained within, in place, as the graphs know the addresses."""

    def tensors() -> list[Tensor]:
        remembered = [value for state in optimizer.state.values() for value in state.values()]
        held = (value for value in remembered if isinstance(value, Tensor))
        return [*model.parameters(), *model.buffers(), *held]

    before = {id(tensor): tensor.detach().clone() for tensor in tensors()}
    random_before = torch.cuda.get_rng_state()
    try:
        yield
    finally:
        with torch.no_grad():
            for tensor in tensors():
                # What the optimizer did not yet remember begins at zero.
                tensor.copy_(before.get(id(tensor), torch.zeros_like(tensor)))
        torch.cuda.set_rng_state(random_before)
