"""The papers' architectures, a layer a line as in their tables, output shapes alongside.

Each function takes a row's ``parameters``, and its ``dropout`` if it has such layers, and returns
a :class:`~refashion.paper.layers.Network`. A paper's YAML names them by their key in
``ARCHITECTURES``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

from refashion.paper.layers import (
    Conv,
    ConvTranspose,
    Flatten,
    LeakyReLU,
    Linear,
    MaxPool,
    Network,
    Sigmoid,
    Unflatten,
)

SecondLinear = Literal["as_first", "bare"]


def _through_code(
    latent: int | None,
    in_encoder: float,
    in_decoder: float,
    map_shape: tuple[int, int, int],
    second_linear: SecondLinear,
):
    """The optional linear code of Tables I-III: (layers of the encoder, layers of the decoder).

    The tables print one linear row, features to ``latent``, and then unflatten the features
    again: the second linear layer, back from ``latent``, is missing there and added here, with
    ReLU and dropout like the first, or ``bare``, without either.
    """
    if latent is None:
        return (), ()
    channels, height, width = map_shape
    features = channels * height * width
    if second_linear == "bare":
        second = Linear(features)
    else:
        second = Linear(features, relu=True, dropout=in_decoder)
    narrow = (Flatten(), Linear(latent, relu=True, dropout=in_encoder))
    return narrow, (second, Unflatten(channels, height, width))


def caprari2025_autoencoder1(
    latent: int | None, dropout: float, second_linear: SecondLinear = "as_first"
) -> Network:
    """caprari2025, Table I: one convolution; ``latent`` None leaves the linear code out.

    Deviations: the transposed convolution's output_padding 1, not printed, which 14 to 28 needs;
    the second linear layer, see ``_through_code``.
    """
    p = dropout
    narrow, widen = _through_code(latent, p, p, (16, 14, 14), second_linear)
    encoder = (
        Conv(16, kernel=3, padding=1, relu=True, dropout=p),  #            16 × 28 × 28
        MaxPool(2),  #                                                     16 × 14 × 14
    )
    decoder = (
        ConvTranspose(1, kernel=3, stride=2, padding=1, output_padding=1),  # 1 × 28 × 28
        Sigmoid(),  #                                                       1 × 28 × 28
    )
    return Network(encoder + narrow, widen + decoder)


def _caprari2025_convolutions(first: float, second: float):
    """caprari2025, Tables II and VII: the two convolutions that autoencoder 2 and classifier share."""
    return (
        Conv(16, kernel=3, padding=1, relu=True, dropout=first),  #        16 × 28 × 28
        MaxPool(2),  #                                                     16 × 14 × 14
        Conv(32, kernel=3, padding=1, relu=True, dropout=second),  #       32 × 14 × 14
        MaxPool(2),  #                                                     32 × 7 × 7
    )


def caprari2025_autoencoder2(
    latent: int | None,
    dropout: float,
    dropout_in: Literal["all", "encoder", "first_convolution"] = "all",
    second_linear: SecondLinear = "as_first",
) -> Network:
    """caprari2025, Table II: two convolutions; ``latent`` None leaves the linear code out.

    Deviations: output_padding 1 in both transposed convolutions, not printed, which 7 to 14 and
    14 to 28 need; the second linear layer, see ``_through_code``. The table prints dropout in all
    layers; ``dropout_in`` leaves it to some of them, a linear code's among those of encoder and
    decoder.
    """
    p = dropout
    in_encoder = p if dropout_in in ("all", "encoder") else 0.0
    in_decoder = p if dropout_in == "all" else 0.0
    narrow, widen = _through_code(latent, in_encoder, in_decoder, (32, 7, 7), second_linear)
    decoder = (
        ConvTranspose(
            16, 3, stride=2, padding=1, output_padding=1, relu=True, dropout=in_decoder
        ),  # 16 × 14 × 14
        ConvTranspose(1, 3, stride=2, padding=1, output_padding=1),  #     1 × 28 × 28
        Sigmoid(),  #                                                      1 × 28 × 28
    )
    return Network(_caprari2025_convolutions(p, in_encoder) + narrow, widen + decoder)


def caprari2025_autoencoder3(
    latent: int | None, dropout: float, second_linear: SecondLinear = "as_first"
) -> Network:
    """caprari2025, Table III: three convolutions; ``latent`` None leaves the linear code out.

    Deviations: the convolutions' padding is 1 where the table prints "No" (they keep their
    size); the last pooling keeps its partial window, as 7 to 4 needs; output_padding 0, 1, 1;
    the second linear layer, see ``_through_code``.
    """
    p = dropout
    narrow, widen = _through_code(latent, p, p, (64, 4, 4), second_linear)
    encoder = (
        Conv(16, kernel=3, padding=1, relu=True, dropout=p),  #            16 × 28 × 28
        MaxPool(2),  #                                                     16 × 14 × 14
        Conv(32, kernel=3, padding=1, relu=True, dropout=p),  #            32 × 14 × 14
        MaxPool(2),  #                                                     32 × 7 × 7
        Conv(64, kernel=3, padding=1, relu=True, dropout=p),  #            64 × 7 × 7
        MaxPool(2, ceil_mode=True),  #                                     64 × 4 × 4
    )
    decoder = (
        ConvTranspose(
            32, 3, stride=2, padding=1, output_padding=0, relu=True, dropout=p
        ),  # 32 × 7 × 7
        ConvTranspose(
            16, 3, stride=2, padding=1, output_padding=1, relu=True, dropout=p
        ),  # 16 × 14 × 14
        ConvTranspose(1, 3, stride=2, padding=1, output_padding=1),  #     1 × 28 × 28
        Sigmoid(),  #                                                      1 × 28 × 28
    )
    return Network(encoder + narrow, widen + decoder)


def caprari2025_classifier(n1: int, n2: int, dropout: float) -> Network:
    """caprari2025, Table VII: the convolutions of autoencoder 2 under three linear layers."""
    p = dropout
    head = (
        Flatten(),  #                                                      1568
        Linear(n1, relu=True, dropout=p),  #                               n1
        Linear(n2, relu=True, dropout=p),  #                               n2
        Linear(10),  #                                                     10 logits
    )
    return Network(_caprari2025_convolutions(p, p), head)


def _ochotorena2023_encoder(latent: int, p: float):
    """ochotorena2023, Section II: the encoder that its autoencoders and classifiers share.

    Kernels and pooling are not printed; the shapes that are allow 3 × 3 without padding, and
    2 × 2 windows side by side.
    """
    return (
        Conv(16, kernel=3, relu=True, dropout=p),  #                       16 × 26 × 26
        MaxPool(2),  #                                                     16 × 13 × 13
        Conv(32, kernel=3, relu=True, dropout=p),  #                       32 × 11 × 11
        MaxPool(2),  #                                                     32 × 5 × 5
        Flatten(),  #                                                      800
        Linear(latent, relu=True, dropout=p),  #                           latent
    )


# Kernel, padding and output_padding of the two transposed convolutions, stride 2, that take 5 to 13
# to 28: three of the ways there are.
UPSAMPLING = {
    "output_padding": ((4, 0, 1), (3, 0, 1)),
    "larger_kernel": ((5, 0, 0), (4, 0, 0)),
    "padded": ((6, 1, 1), (5, 1, 1)),
}


def _ochotorena2023_decoder(p: float, upsampling: str):
    """ochotorena2023, Section II: the decoder without its last activation.

    Deviation: the first layer gives 800 features, where the paper prints 35 · 5 · 5 and then
    unflattens 32 · 5 · 5.
    """
    (first, padding1, extra1), (second, padding2, extra2) = UPSAMPLING[upsampling]
    return (
        Linear(800, relu=True, dropout=p),  #                              800
        Unflatten(32, 5, 5),  #                                            32 × 5 × 5
        ConvTranspose(
            16, first, stride=2, padding=padding1, output_padding=extra1, relu=True, dropout=p
        ),  # 16 × 13 × 13
        ConvTranspose(1, second, stride=2, padding=padding2, output_padding=extra2),  # 1 × 28 × 28
    )


def ochotorena2023_autoencoder(
    latent: int, upsampling: Literal["output_padding", "larger_kernel", "padded"], dropout: float
) -> Network:
    """ochotorena2023, Section II and Table I: models 1 to 3, and model 4 with larger kernels.

    Kernels of the transposed convolutions are not printed. With stride 2 and no padding, 5 to 13
    to 28 needs 4 × 4 and 3 × 3 with output_padding 1, or 5 × 5 and 4 × 4 without: model 4's
    output_padding was removed, and its kernels made larger to keep the shapes. With padding 1 and
    output_padding 1 they are 6 × 6 and 5 × 5.
    """
    decoder = (*_ochotorena2023_decoder(dropout, upsampling), Sigmoid())
    return Network(_ochotorena2023_encoder(latent, dropout), decoder)


def ochotorena2023_classifier(
    latent: int, final: Literal["relu", "none"], dropout: float
) -> Network:
    """ochotorena2023, Figure 1 and Table II: one linear layer on the encoder.

    ``final`` is the table's "final act func": a ReLU on the logits, or none. The layer's size is
    not printed; Table II names no other than the code's.
    """
    head = (Linear(10, relu=final == "relu"),)  #                          10 logits
    return Network(_ochotorena2023_encoder(latent, dropout), head)


def palacio2025_autoencoder(
    latent: int, output: Literal["sigmoid", "relu"], dropout: float
) -> Network:
    """palacio2025, Section 2: two Conv-ReLU-MaxPool blocks, mirrored, dropout at every stage.

    The paper gives no channels, kernels or strides: those of ochotorena2023's model 1 are taken,
    whose code size, dropout, batch size and learning rate are also this paper's.
    """
    *body, last = _ochotorena2023_decoder(dropout, "output_padding")
    activated = (last, Sigmoid()) if output == "sigmoid" else (replace(last, relu=True),)
    return Network(_ochotorena2023_encoder(latent, dropout), (*body, *activated))


def palacio2025_classifier(
    latent: int, dropout: float, final: Literal["relu", "none"] = "relu"
) -> Network:
    """palacio2025, Section 2: the autoencoder's encoder under ten linear units with a ReLU.

    The text speaks of an intermediate linear layer too, and prints no size for it: it is taken to
    be the encoder's last one, of size ``latent``. ``final`` none leaves the ReLU on the ten out.
    """
    head = (Linear(10, relu=final == "relu"),)  #                          10 logits
    return Network(_ochotorena2023_encoder(latent, dropout), head)


def borgnino2023_autoencoder(hidden: int) -> Network:
    """borgnino2023, Section II.B and Figure 3: one hidden layer, fully connected, no dropout."""
    encoder = (
        Flatten(),  #                                                      784
        Linear(hidden),  #                                                 hidden
        LeakyReLU(),  #                                                    hidden
    )
    decoder = (
        Linear(784),  #                                                    784
        Sigmoid(),  #                                                      784
        Unflatten(1, 28, 28),  #                                           1 × 28 × 28
    )
    return Network(encoder, decoder)


def magallanes2022_autoencoder(hidden: int, dropout: float) -> Network:
    """magallanes2022, Section IV: one hidden layer, fully connected, ReLU after both layers.

    The paper names ReLU alone, and applies the activation to every neuron that is no input.
    """
    encoder = (
        Flatten(),  #                                                      784
        Linear(hidden, relu=True, dropout=dropout),  #                     hidden
    )
    decoder = (
        Linear(784, relu=True),  #                                         784
        Unflatten(1, 28, 28),  #                                           1 × 28 × 28
    )
    return Network(encoder, decoder)


ARCHITECTURES: dict[str, Callable[..., Network]] = {
    function.__name__: function
    for function in (
        caprari2025_autoencoder1,
        caprari2025_autoencoder2,
        caprari2025_autoencoder3,
        caprari2025_classifier,
        ochotorena2023_autoencoder,
        ochotorena2023_classifier,
        palacio2025_autoencoder,
        palacio2025_classifier,
        borgnino2023_autoencoder,
        magallanes2022_autoencoder,
    )
}
