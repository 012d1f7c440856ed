"""What of the CUDA graphs a machine without a GPU can hold: nothing of a warm-up stays behind."""

from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from refashion.paper import papers
from refashion.training import graphs, networks
from refashion.training.device import prepare
from refashion.training.epoch import Training
from refashion.training.splits import Split

PAPER = papers.load_paper(Path(__file__).parents[2] / "workflow/papers/caprari2025.yaml")
COUNT, BATCH, SEED = 70, 32, 5


def _pretend_gpu(monkeypatch, step):
    """Act CUDA's functions out on the CPU: a graph remembers its batch, and replays the step."""
    calls = []

    def recorded(batch):
        calls.append(batch)
        step(batch)

    class Graph:
        def replay(self):
            step(self.batch)

    @contextmanager
    def capture(graph):
        yield
        graph.batch = calls[-1]

    stream = SimpleNamespace(wait_stream=lambda other: None)
    for name, stand_in in {
        "Stream": lambda: stream,
        "stream": lambda aside: nullcontext(),
        "current_stream": lambda: stream,
        "CUDAGraph": Graph,
        "graph": capture,
        "get_rng_state": torch.get_rng_state,
        "set_rng_state": torch.set_rng_state,
    }.items():
        monkeypatch.setattr(torch.cuda, name, stand_in)
    return recorded, calls


def _start(row):
    prepare("cpu")
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (COUNT, 28, 28), dtype=np.uint8)
    split = Split.of(pixels, np.arange(COUNT, dtype=np.uint8) % 10, "cpu")
    model = networks.build(row.network, SEED).train()
    spec = row.spec.model_copy(update={"batch_size": BATCH})
    return Training(model, {"train": split}, spec, SEED)


@pytest.mark.parametrize("name", ["t9-base", "t9-n2_128-sgd-m09", "t4-arch2-linear"])
def test_a_captured_step_trains_to_the_bits_of_the_plain_one(monkeypatch, name):
    weights = []
    for captured in (False, True):
        training = _start(PAPER.row(name))
        model, step = training.model, training.step
        if captured:
            recorded, calls = _pretend_gpu(monkeypatch, step)
            random = torch.get_rng_state()
            monkeypatch.setattr(training, "step", recorded)
            step = graphs.graphed(training)
            assert len(calls) == 2 * (graphs.WARM_UP_STEPS + 1)
            assert torch.equal(torch.get_rng_state(), random)
        for epoch in (1, 2):
            training.run_epoch(epoch, step)
        weights.append([parameter.detach().clone() for parameter in model.parameters()])
    for plain, replayed in zip(*weights, strict=True):
        assert torch.equal(plain, replayed)


def test_a_step_that_cannot_be_captured_runs_as_it_is_and_says_so(monkeypatch):
    training = _start(PAPER.row("t9-base"))

    def refuse(*_arguments):
        raise RuntimeError("not permitted when stream is capturing")

    monkeypatch.setattr(graphs, "graphed", refuse)
    lines = []
    assert graphs.as_graphs(training, lines.append) == training.step
    assert lines == [
        "no CUDA graph, so every kernel is launched by itself: "
        "not permitted when stream is capturing"
    ]
