"""The architectures against the papers' tables: shapes, parameter counts, and plain PyTorch."""

import pytest
import synthetic
import torch
from refashion.paper import layers
from refashion.training import networks
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
    ("caprari2025_autoencoder1", {"latent": None}, TABLE_I + TABLE_I_END, 305),
    (
        "caprari2025_autoencoder1",
        {"latent": 256},
        TABLE_I + _code(3136, 256, (16, 14, 14)) + TABLE_I_END,
        1_609_329,
    ),
    ("caprari2025_autoencoder2", {"latent": None}, TABLE_II + TABLE_II_END, 9_569),
    (
        "caprari2025_autoencoder2",
        {"latent": 256},
        TABLE_II + _code(1568, 256, (32, 7, 7)) + TABLE_II_END,
        814_209,
    ),
    (
        "caprari2025_autoencoder2",
        {"latent": 784},
        TABLE_II + _code(1568, 784, (32, 7, 7)) + TABLE_II_END,
        2_470_545,
    ),
    (
        "caprari2025_autoencoder2",
        {"latent": 32},
        TABLE_II + _code(1568, 32, (32, 7, 7)) + TABLE_II_END,
        111_521,
    ),
    ("caprari2025_autoencoder3", {"latent": None}, TABLE_III + TABLE_III_END, 46_529),
    (
        "caprari2025_autoencoder3",
        {"latent": 256},
        TABLE_III + _code(1024, 256, (64, 4, 4)) + TABLE_III_END,
        572_097,
    ),
    (
        "caprari2025_classifier",
        {"n1": 128, "n2": 64},
        [*TABLE_II, (1568,), (128,), (64,), (10,)],
        214_538,
    ),
    (
        "caprari2025_classifier",
        {"n1": 128, "n2": 128},
        [*TABLE_II, (1568,), (128,), (128,), (10,)],
        223_434,
    ),
]


# ochotorena2023, Section II: the lists of encoder and decoder, with 32 · 5 · 5 for its 35 · 5 · 5.
LIST = [(16, 26, 26), (16, 13, 13), (32, 11, 11), (32, 5, 5), (800,)]
LIST_END = [(800,), (32, 5, 5), (16, 13, 13), (1, 28, 28), (1, 28, 28)]

OCHOTORENA2023 = [
    (
        "ochotorena2023_autoencoder",
        {"latent": latent, "upsampling": upsampling},
        [*LIST, (latent,), *LIST_END],
        count,
    )
    for latent, upsampling, count in (
        (64, "output_padding", 116_417),
        (256, "output_padding", 423_809),
        (128, "larger_kernel", 223_601),
        (64, "padded", 126_913),
    )
] + [
    (
        "ochotorena2023_classifier",
        {"latent": latent, "final": final},
        [*LIST, (latent,), (10,)],
        count,
    )
    for latent, final, count in (
        (64, "relu", 56_714),
        (256, "relu", 212_426),
        (128, "none", 108_618),
    )
]

PALACIO2025 = [
    (
        "palacio2025_autoencoder",
        {"latent": 64, "output": "sigmoid"},
        [*LIST, (64,), *LIST_END],
        116_417,
    ),
    (
        "palacio2025_autoencoder",
        {"latent": 16, "output": "relu"},
        [*LIST, (16,), *LIST_END[:-1]],
        39_569,
    ),
    ("palacio2025_classifier", {"latent": 64}, [*LIST, (64,), (10,)], 56_714),
    ("palacio2025_classifier", {"latent": 64, "final": "none"}, [*LIST, (64,), (10,)], 56_714),
]

FULLY_CONNECTED = [
    (
        "borgnino2023_autoencoder",
        {"hidden": 64},
        [(784,), (64,), (64,), (784,), (784,), (1, 28, 28)],
        101_200,
    ),
    (
        "borgnino2023_autoencoder",
        {"hidden": 512},
        [(784,), (512,), (512,), (784,), (784,), (1, 28, 28)],
        804_112,
    ),
    (
        "magallanes2022_autoencoder",
        {"hidden": 128},
        [(784,), (128,), (784,), (1, 28, 28)],
        201_616,
    ),
    (
        "magallanes2022_autoencoder",
        {"hidden": 256},
        [(784,), (256,), (784,), (1, 28, 28)],
        402_448,
    ),
]

CASES = CAPRARI2025 + OCHOTORENA2023 + PALACIO2025 + FULLY_CONNECTED


def _network(name, parameters):
    return synthetic.network(name, **parameters)


def test_every_architecture_is_held_against_its_paper():
    assert {name for name, *_ in CASES} == {*synthetic.ARCHITECTURES}


@pytest.mark.parametrize(("name", "parameters", "shapes", "_count"), CASES)
def test_every_layer_has_the_shape_that_the_paper_prints(name, parameters, shapes, _count):
    assert list(_network(name, parameters).shapes()) == shapes


@pytest.mark.parametrize(("name", "parameters", "shapes", "_count"), CASES)
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


@pytest.mark.parametrize(("name", "parameters", "_shapes", "count"), CASES)
def test_the_parameters_are_as_many_as_counted_by_hand(name, parameters, _shapes, count):
    model = networks.build(_network(name, parameters), seed=0)
    assert sum(parameter.numel() for parameter in model.parameters()) == count


@pytest.mark.parametrize(("name", "parameters", "_shapes", "_count"), CASES)
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
    ours = networks.build(_network("caprari2025_autoencoder2", {"latent": None}), seed=0).eval()
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


@pytest.mark.parametrize("of", [1, 2, 3])
def test_the_missing_second_linear_layer_is_as_the_first_or_bare(of):
    """caprari2025, Tables I to III print one linear layer where two are needed."""
    name = f"caprari2025_autoencoder{of}"
    first, second = _linear_layers(_network(name, {"latent": 256}))
    assert (second.relu, second.dropout) == (first.relu, first.dropout) == (True, 0.2)
    bare = _network(name, {"latent": 256, "second_linear": "bare"})
    assert _linear_layers(bare) == [first, layers.Linear(second.features)]
    assert _network(name, {"latent": None, "second_linear": "bare"}) == _network(
        name, {"latent": None}
    )


def _linear_layers(network):
    return [row for row in network.encoder + network.head if isinstance(row, layers.Linear)]


def test_palacios_classifier_has_a_relu_on_its_scores_unless_told_otherwise():
    """palacio2025, Section 2 speaks of an output layer ReLU; no setting of a row says so."""
    (scores,) = _network("palacio2025_classifier", {"latent": 64}).head
    assert scores == layers.Linear(10, relu=True)
    (bare,) = _network("palacio2025_classifier", {"latent": 64, "final": "none"}).head
    assert bare == layers.Linear(10)


def test_without_larger_kernels_three_rows_and_columns_are_the_same_for_every_image():
    """ochotorena2023, Section II: stripes at the bottom and on the right, and none in model 4."""
    x = torch.rand(20, 1, 28, 28)
    for upsampling, striped in (("output_padding", True), ("larger_kernel", False)):
        parameters = {"latent": 64, "upsampling": upsampling}
        model = networks.build(_network("ochotorena2023_autoencoder", parameters), seed=0).eval()
        with torch.inference_mode():
            spread = model(x)[:, 0].std(0)
        assert (spread[25:].max().item() < 1e-6) is striped
        assert (spread[:, 25:].max().item() < 1e-6) is striped
        assert spread[:25, :25].min().item() > 1e-6


def test_fully_connected_autoencoders_equal_layers_written_out_in_torch():
    x = torch.rand(4, 1, 28, 28)
    for name, hidden, output in (
        ("borgnino2023_autoencoder", nn.LeakyReLU(0.01), nn.Sigmoid()),
        ("magallanes2022_autoencoder", nn.ReLU(), nn.ReLU()),
    ):
        ours = networks.build(_network(name, {"hidden": 64}), seed=0).eval()
        written = nn.Sequential(
            nn.Flatten(), nn.Linear(784, 64), hidden, nn.Linear(64, 784), output
        )
        weights = list(ours.state_dict().values())
        written.load_state_dict(dict(zip(written.state_dict(), weights, strict=True)))
        with torch.inference_mode():
            torch.testing.assert_close(ours(x), written(x).view(4, 1, 28, 28))


def test_a_frozen_encoder_keeps_its_weights_and_the_head_learns():
    model = networks.build(_network("caprari2025_classifier", {"n1": 8, "n2": 8}), seed=0).train()
    model.encoder.requires_grad_(False)
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
