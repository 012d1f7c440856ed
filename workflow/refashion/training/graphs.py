"""A training step as a CUDA graph: one launch in place of some hundred.

The networks are small for a GPU: launching a step's kernels one by one takes longer than running
them. A graph is captured once for each batch size, the last and smaller batch's included, and
replayed for every batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

WARM_UP_STEPS = 3  # before a capture, as torch asks: libraries allocate and choose on first calls

Step = Callable[[Tensor], None]


def graphed(
    step: Step, model: nn.Module, optimizer: torch.optim.Optimizer, sizes: Iterable[int]
) -> Step:
    """The same step, replayed from CUDA graphs; weights, optimizer and random state as before.

    Args:
        step: takes int64 [batch] indices of images on the GPU, trains on them, and returns
            nothing: what it measures it adds to tensors that outlive it. It must not synchronise.
        model: on the GPU.
        optimizer: of the model, capturable.
        sizes: every batch size that will come.

    Raises:
        RuntimeError: the step cannot be captured.
    """
    weights = [*model.parameters(), *model.buffers()]
    weights_before = [tensor.detach().clone() for tensor in weights]
    state_before = {at: tensor.clone() for at, tensor in _state(optimizer)}
    random_before = torch.cuda.get_rng_state()

    device = weights[0].device
    batches = {size: torch.zeros(size, dtype=torch.int64, device=device) for size in set(sizes)}
    graphs = {}
    try:
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for batch in batches.values():
                for _ in range(WARM_UP_STEPS):
                    step(batch)
        torch.cuda.current_stream().wait_stream(aside)
        for size, batch in batches.items():
            optimizer.zero_grad(set_to_none=True)
            graphs[size] = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graphs[size]):
                step(batch)
    finally:
        # These steps have trained: take that back, in place, as the graphs know the addresses.
        with torch.no_grad():
            for tensor, before in zip(weights, weights_before, strict=True):
                tensor.copy_(before)
            for at, tensor in _state(optimizer):
                if at in state_before:
                    tensor.copy_(state_before[at])
                else:
                    tensor.zero_()
        torch.cuda.set_rng_state(random_before)

    def replay(batch: Tensor) -> None:
        batches[len(batch)].copy_(batch)
        graphs[len(batch)].replay()

    return replay


def _state(optimizer: torch.optim.Optimizer) -> list[tuple[tuple[int, str], Tensor]]:
    """((which parameter, name), tensor) of everything the optimizer remembers."""
    return [
        ((index, name), value)
        for index, state in enumerate(optimizer.state.values())
        for name, value in state.items()
        if isinstance(value, Tensor)
    ]
