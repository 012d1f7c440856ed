"""The architectures against the papers' tables: shapes, parameter counts, and plain PyTorch."""

import pytest
import torch
from refashion import architectures, layers, networks
from torch import nn

# caprari2025, Tables I, II, III and VII: the column "Salida", a layer a line.
TABLE_I = [(16, 28, 28), (16, 14, 14)]
TABLE_I_END = [(1, 28, 28), (1, 28, 28)]
TABLE_II = [(16, 28, 28), (16, 14, 14), (32, 14, 14), (32, 7, 7)]
TABLE_II_END = [(16, 14, 14), (1, 28, 28), (1, 28, 28)]
TABLE_III = [*TABLE_II, (64, 7, 7), (64, 4, 4)]
TABLE_III_END = [(32, 7, 7), (16, 14, 14), (1, 28, 28), (1, 28, 28)]


def _code(features, latent, shape):
    """Flatten, linear, the second linear that the table leaves out, unflatten."""
    return [(features,), (latent,), (features,), shape]


CAPRARI2025 = [
    ("autoencoder1", {"latent": None}, TABLE_I + TABLE_I_END, 305),
    (
        "autoencoder1",
        {"latent": 256},
        TABLE_I + _code(3136, 256, (16, 14, 14)) + TABLE_I_END,
        1_609_329,
    ),
    ("autoencoder2", {"latent": None}, TABLE_II + TABLE_II_END, 9_569),
    (
        "autoencoder2",
        {"latent": 256},
        TABLE_II + _code(1568, 256, (32, 7, 7)) + TABLE_II_END,
        814_209,
    ),
    (
        "autoencoder2",
        {"latent": 784},
        TABLE_II + _code(1568, 784, (32, 7, 7)) + TABLE_II_END,
        2_470_545,
    ),
    (
        "autoencoder2",
        {"latent": 32},
        TABLE_II + _code(1568, 32, (32, 7, 7)) + TABLE_II_END,
        111_521,
    ),
    ("autoencoder3", {"latent": None}, TABLE_III + TABLE_III_END, 46_529),
    (
        "autoencoder3",
        {"latent": 256},
        TABLE_III + _code(1024, 256, (64, 4, 4)) + TABLE_III_END,
        572_097,
    ),
    ("classifier", {"n1": 128, "n2": 64}, [*TABLE_II, (1568,), (128,), (64,), (10,)], 214_538),
    ("classifier", {"n1": 128, "n2": 128}, [*TABLE_II, (1568,), (128,), (128,), (10,)], 223_434),
]


def _network(name, parameters):
    return architectures.ARCHITECTURES[f"caprari2025_{name}"](**parameters, dropout=0.2)


@pytest.mark.parametrize(("name", "parameters", "shapes", "_count"), CAPRARI2025)
def test_every_layer_has_the_shape_that_the_paper_prints(name, parameters, shapes, _count):
    assert list(_network(name, parameters).shapes()) == shapes


@pytest.mark.parametrize(("name", "parameters", "shapes", "_count"), CAPRARI2025)
def test_every_torch_module_gives_the_shape_of_its_row(name, parameters, shapes, _count):
    model = networks.build(_network(name, parameters), seed=0).eval()
    x = torch.rand(2, 1, 28, 28)
    taken_over = None  # a fused row gives its pooled shape; the pooling's own row passes it on
    for module, shape in zip([*model.encoder, *model.head], shapes, strict=True):
        x = module(x)
        if taken_over is None and tuple(x.shape[1:]) != shape:
            taken_over = tuple(x.shape[1:])
            continue
        assert tuple(x.shape[1:]) == shape
        taken_over = None


@pytest.mark.parametrize(("name", "parameters", "_shapes", "count"), CAPRARI2025)
def test_the_parameters_are_as_many_as_counted_by_hand(name, parameters, _shapes, count):
    model = networks.build(_network(name, parameters), seed=0)
    assert sum(parameter.numel() for parameter in model.parameters()) == count


@pytest.mark.parametrize(("name", "parameters", "_shapes", "_count"), CAPRARI2025)
def test_fast_network_equals_plain_torch_for_the_same_masks(name, parameters, _shapes, _count):
    network = _network(name, parameters)
    fast, plain = (networks.build(network, seed=5, plain=plain) for plain in (False, True))
    torch.manual_seed(0)
    x = torch.rand(16, 1, 28, 28)
    for ours, stock in zip(fast.parameters(), plain.parameters(), strict=True):
        assert torch.equal(ours, stock)
    for model in (fast, plain):
        model.train()
        model.masks.step = 3
        model(x).square().sum().backward()
    for ours, stock in zip(fast.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, stock.grad, rtol=1e-3, atol=1e-4)
    fast.eval(), plain.eval()
    with torch.inference_mode():
        torch.testing.assert_close(fast(x), plain(x), rtol=1e-5, atol=1e-6)


def test_autoencoder2_without_linear_layer_equals_layers_written_out_in_torch():
    ours = networks.build(_network("autoencoder2", {"latent": None}), seed=0).eval()
    written = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.ConvTranspose2d(32, 16, 3, stride=2, padding=1, output_padding=1),
        nn.ReLU(),
        nn.ConvTranspose2d(16, 1, 3, stride=2, padding=1, output_padding=1),
        nn.Sigmoid(),
    )
    weights = list(ours.state_dict().values())
    written.load_state_dict(dict(zip(written.state_dict(), weights, strict=True)))
    x = torch.rand(4, 1, 28, 28)
    with torch.inference_mode():
        torch.testing.assert_close(ours(x), written(x), rtol=1e-5, atol=1e-6)


def test_a_frozen_encoder_keeps_its_weights_and_the_head_learns():
    model = networks.build(_network("classifier", {"n1": 8, "n2": 8}), seed=0).train()
    model.freeze_encoder()
    model(torch.rand(4, 1, 28, 28)).sum().backward()
    assert all(parameter.grad is None for parameter in model.encoder.parameters())
    assert all(parameter.grad is not None for parameter in model.head.parameters())


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        ((layers.Flatten(), layers.Conv(16, 3)), "needs (channels, height, width), not (784,)"),
        ((layers.Conv(8, 3), layers.Linear(10)), "needs (features,), not (8, 26, 26)"),
        ((layers.Flatten(), layers.Unflatten(3, 5, 5)), "needs (75,), not (784,)"),
        ((layers.Conv(8, 30),), "would give the shape (8, -1, -1)"),
        ((layers.Conv(8, 3),), "ends in (8, 26, 26), neither (1, 28, 28) nor (10,)"),
        (
            (layers.ConvTranspose(1, 3, stride=2, output_padding=2),),
            "needs an output_padding smaller than its stride",
        ),
    ],
)
def test_layers_that_do_not_fit_are_named(rows, complaint):
    with pytest.raises(layers.ShapeError) as error:
        layers.Network(rows, ())
    assert complaint in str(error.value)
