"""The papers' architectures, a layer a line as in their tables, output shapes alongside.

Each function takes a row's ``parameters`` and its ``dropout`` and returns a
:class:`~refashion.layers.Network`. A paper's YAML names them by their key in ``ARCHITECTURES``.
"""

from __future__ import annotations

from collections.abc import Callable

from refashion.layers import (
    Conv,
    ConvTranspose,
    Flatten,
    Linear,
    MaxPool,
    Network,
    Sigmoid,
    Unflatten,
)


def _through_code(latent: int | None, dropout: float, map_shape: tuple[int, int, int]):
    """The optional linear code of Tables I-III: (layers of the encoder, layers of the decoder).

    The tables print one linear row, features to ``latent``, and then unflatten the features
    again: the second linear layer, back from ``latent``, is missing there and added here, with
    the same ReLU and dropout.
    """
    if latent is None:
        return (), ()
    channels, height, width = map_shape
    narrow = (Flatten(), Linear(latent, relu=True, dropout=dropout))
    widen = (
        Linear(channels * height * width, relu=True, dropout=dropout),
        Unflatten(channels, height, width),
    )
    return narrow, widen


def caprari2025_autoencoder1(latent: int | None, dropout: float) -> Network:
    """caprari2025, Table I: one convolution; ``latent`` None leaves the linear code out.

    Deviation: the transposed convolution's output_padding 1, not printed, which 14 to 28 needs.
    """
    p = dropout
    narrow, widen = _through_code(latent, p, (16, 14, 14))
    encoder = (
        Conv(16, kernel=3, padding=1, relu=True, dropout=p),  #            16 × 28 × 28
        MaxPool(2),  #                                                     16 × 14 × 14
    )
    decoder = (
        ConvTranspose(1, kernel=3, stride=2, padding=1, output_padding=1),  # 1 × 28 × 28
        Sigmoid(),  #                                                       1 × 28 × 28
    )
    return Network(encoder + narrow, widen + decoder)


def _caprari2025_convolutions(p: float):
    """caprari2025, Tables II and VII: the two convolutions that autoencoder 2 and classifier share."""
    return (
        Conv(16, kernel=3, padding=1, relu=True, dropout=p),  #            16 × 28 × 28
        MaxPool(2),  #                                                     16 × 14 × 14
        Conv(32, kernel=3, padding=1, relu=True, dropout=p),  #            32 × 14 × 14
        MaxPool(2),  #                                                     32 × 7 × 7
    )


def caprari2025_autoencoder2(latent: int | None, dropout: float) -> Network:
    """caprari2025, Table II: two convolutions; ``latent`` None leaves the linear code out.

    Deviation: output_padding 1 in both transposed convolutions, not printed, which 7 to 14 and
    14 to 28 need.
    """
    p = dropout
    narrow, widen = _through_code(latent, p, (32, 7, 7))
    decoder = (
        ConvTranspose(
            16, 3, stride=2, padding=1, output_padding=1, relu=True, dropout=p
        ),  # 16 × 14 × 14
        ConvTranspose(1, 3, stride=2, padding=1, output_padding=1),  #     1 × 28 × 28
        Sigmoid(),  #                                                      1 × 28 × 28
    )
    return Network(_caprari2025_convolutions(p) + narrow, widen + decoder)


def caprari2025_autoencoder3(latent: int | None, dropout: float) -> Network:
    """caprari2025, Table III: three convolutions; ``latent`` None leaves the linear code out.

    Deviations: the convolutions' padding is 1 where the table prints "No" (they keep their
    size); the last pooling keeps its partial window, as 7 to 4 needs; output_padding 0, 1, 1.
    """
    p = dropout
    narrow, widen = _through_code(latent, p, (64, 4, 4))
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
    return Network(_caprari2025_convolutions(p), head)


ARCHITECTURES: dict[str, Callable[..., Network]] = {
    function.__name__: function
    for function in (
        caprari2025_autoencoder1,
        caprari2025_autoencoder2,
        caprari2025_autoencoder3,
        caprari2025_classifier,
    )
}
