"""The CPU kernels: a published generator, exact masks, and the same values as torch's layers."""

import numpy as np
import pytest
import torch
from refashion.paper.layers import MaxPool
from refashion.training import kernels
from refashion.training.networks import Masks, ReluDropout, max_pool_deterministic
from torch.nn import functional as F


def _philox_by_the_book(counter, key):
    """Philox4x32-10 in Python's integers, as its authors define it."""
    x0, x1, x2, x3 = counter
    k0, k1 = key & 0xFFFFFFFF, key >> 32
    for _ in range(10):
        high0, low0 = divmod(x0 * 0xD2511F53, 1 << 32)
        high1, low1 = divmod(x2 * 0xCD9E8D57, 1 << 32)
        x0, x1, x2, x3 = high1 ^ x1 ^ k0, low1, high0 ^ x3 ^ k1, low0
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return [x0, x1, x2, x3]


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ([0, 0, 0, 0], 0, [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
        (
            [0xFFFFFFFF] * 4,
            0xFFFFFFFFFFFFFFFF,
            [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD],
        ),
        (
            [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
            0x299F31D0A4093822,
            [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
        ),
    ],
)
def test_the_book_gives_the_known_answers_of_its_authors(counter, key, expected):
    assert _philox_by_the_book(counter, key) == expected


@pytest.mark.parametrize("key", [0, 1, 0x299F31D0A4093822])
@pytest.mark.parametrize("step", [0, 14069, (7 << 32) + 5])
@pytest.mark.parametrize("layer", [0, 11])
def test_the_kernel_gives_what_the_book_gives(key, step, layer):
    words = np.empty((4, 50), np.uint32)
    kernels.philox(np.uint64(key), np.uint64(step), np.uint32(layer), words)
    for i in range(50):
        counter = [i, step & 0xFFFFFFFF, step >> 32, layer]
        assert words[:, i].tolist() == _philox_by_the_book(counter, key)


def _bits(seed=0, step=0, layer=0, count=1 << 16):
    masks = Masks(seed)
    masks.step = step
    return masks.bits(layer, count)


@pytest.mark.parametrize("p", [0.1, 0.2, 0.3, 0.5])
def test_units_are_dropped_with_the_probability_asked_for(p):
    count = 1 << 21
    threshold = round(p * 65536)
    share = np.mean(_bits(count=count) < threshold)
    exact = threshold / 65536
    assert abs(exact - p) <= 0.5 / 65536
    assert abs(share - exact) < 5 * np.sqrt(exact * (1 - exact) / count)


@pytest.mark.parametrize(
    "other", [{"seed": 1}, {"step": 1}, {"layer": 1}], ids=["seed", "step", "layer"]
)
def test_masks_of_another_seed_step_or_layer_are_independent(other):
    count = 1 << 18
    one, two = _bits(count=count), _bits(count=count, **other)
    both = np.mean((one < 13107) & (two < 13107))
    expected = (13107 / 65536) ** 2
    assert abs(both - expected) < 5 * np.sqrt(expected / count)
    assert not np.array_equal(np.sort(one), np.sort(two)), "one is a permutation of the other"


def test_neighbouring_units_are_dropped_independently():
    dropped = _bits(count=1 << 18) < 13107
    for distance in (1, 2, 4, 8, 16, 16 * 28):
        both = np.mean(dropped[:-distance] & dropped[distance:])
        assert abs(both - 0.04) < 5 * np.sqrt(0.04 / dropped.size)


def test_the_share_of_pooled_windows_with_all_units_dropped_is_p_to_the_fourth():
    layer = ReluDropout(0.2, Masks(3), 0, MaxPool(2), plain=False).train()
    pooled = layer(torch.ones(64, 16, 28, 28))
    share = (pooled == 0).double().mean().item()
    expected = (13107 / 65536) ** 4
    assert abs(share - expected) < 5 * np.sqrt(expected / pooled.numel())


@pytest.mark.parametrize(
    ("shape", "pool"),
    [
        ((5, 16, 28, 28), MaxPool(2)),
        ((5, 32, 14, 14), MaxPool(2)),
        ((5, 64, 7, 7), MaxPool(2, ceil_mode=True)),
        ((5, 16, 26, 26), MaxPool(2)),
        ((5, 3, 11, 11), MaxPool(2)),
        ((5, 16, 14, 14), None),
        ((5, 256), None),
        ((5, 13), None),
    ],
)
@pytest.mark.parametrize("p", [0.0, 0.2, 0.4])
def test_fast_layer_equals_torch_layers_for_the_same_mask(shape, pool, p):
    torch.manual_seed(1)
    x = torch.randn(shape)
    results = []
    for plain in (False, True):
        layer = ReluDropout(p, Masks(7), 2, pool, plain).train()
        leaf = x.clone().requires_grad_()
        y = layer(leaf)
        y.backward(torch.linspace(-1, 1, y.numel()).view_as(y))
        layer.eval()
        with torch.inference_mode():
            evaluated = layer(x)
        results.append((y.detach(), leaf.grad, evaluated))
    for fast, plain in zip(*results, strict=True):
        torch.testing.assert_close(fast, plain, rtol=1e-6, atol=1e-6)


def test_evaluation_is_plain_relu_and_pooling():
    x = torch.randn(3, 16, 28, 28)
    layer = ReluDropout(0.3, Masks(0), 0, MaxPool(2), plain=False).eval()
    with torch.inference_mode():
        assert torch.equal(layer(x), F.max_pool2d(F.relu(x), 2))


def test_dropout_keeps_the_mean():
    layer = ReluDropout(0.4, Masks(11), 0, None, plain=False).train()
    assert layer(torch.ones(1000, 1000)).mean().item() == pytest.approx(1, abs=5e-3)


@pytest.mark.parametrize(
    ("size", "pool"), [(28, MaxPool(2)), (7, MaxPool(2, ceil_mode=True)), (11, MaxPool(2))]
)
def test_pooling_for_the_gpu_equals_torch_pooling_with_its_gradient(size, pool):
    x = torch.rand(3, 5, size, size)
    ours, torchs = x.clone().requires_grad_(), x.clone().requires_grad_()
    pooled = max_pool_deterministic(ours, pool)
    expected = F.max_pool2d(torchs, pool.size, ceil_mode=pool.ceil_mode)
    assert torch.equal(pooled, expected)
    gradient = torch.rand_like(expected)
    pooled.backward(gradient)
    expected.backward(gradient)
    assert torch.equal(ours.grad, torchs.grad)
