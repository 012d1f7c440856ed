"""What is slow in stock layers on a CPU, made of loops that pass over memory once.

Stock layers spend most of a training step in drawing dropout masks and in passing over the
largest feature maps again and again. Two facts let one pass do:

* dropout's scale and ReLU commute with the maximum, so both can wait until after the pooling;
* a mask that is a function of (seed, step, layer, position) needs neither state nor storage.

Masks come from Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
SC 2011): the seed is its key, (position, step, layer) its counter. A unit is dropped when its 16
random bits fall below ``threshold``; the share really dropped is ``threshold / 65536``.

Arrays are C-contiguous with channels last, and those that a kernel gives are overwritten. Loops
over channels are innermost, the four units of a pooling window are written out, and products with
comparisons stand where branches would: so the compiler can vectorise. Casts to 32 bits are needed,
as numba promotes integers to 64. The same names mean the same everywhere:

* ``x``: float32 [batch, height, width, channels], height and width even;
* ``y``: float32 [batch, height / 2, width / 2, channels], and ``gradient`` that of y;
* ``bits``: uint16, of x's shape; None drops nothing;
* ``threshold``: uint16; units whose bits fall below it are dropped;
* ``scale``: float32, the inverse of the share kept;
* ``chosen``: uint8, of y's shape: the window's unit that won (0 1 / 2 3), or 4 where the maximum is
  zero and no gradient flows;
* ``images``: float32 [batch, height + 2, width + 2], padded for a 3 × 3 convolution of one channel
  with ``weight`` float32 [9, channels] and ``bias`` float32 [channels].
"""

from __future__ import annotations

import llvmlite.binding
import numba
import numpy as np

# Left alone, LLVM makes its vectors as wide as the narrowest type allows (32 bytes), finds a loop
# over 16 channels too short for them, and runs it one unit at a time: four times slower.
llvmlite.binding.set_option("refashion", "-force-vector-width=8")

# Sums and products may become fused multiply-adds; nothing else about floats is loosened.
_jit = numba.njit(cache=True, nogil=True, fastmath={"contract"})


@_jit
def philox(key, step, layer, words):
    """Fill ``words`` with Philox4x32-10 random bits.

    Args:
        key: uint64, the seed.
        step: uint64, the training step.
        layer: uint32, which layer of the network asks.
        words: uint32 [4, n], overwritten; column i is the block of counter
            (i, low half of step, high half of step, layer).
    """
    for i in range(words.shape[1]):
        x0, x1, x2, x3 = np.uint32(i), np.uint32(step), np.uint32(step >> np.uint64(32)), layer
        k0, k1 = np.uint32(key), np.uint32(key >> np.uint64(32))
        for _ in range(10):
            a = np.uint64(x0) * np.uint64(0xD2511F53)
            b = np.uint64(x2) * np.uint64(0xCD9E8D57)
            x0 = np.uint32(np.uint32(b >> np.uint64(32)) ^ x1 ^ k0)
            x2 = np.uint32(np.uint32(a >> np.uint64(32)) ^ x3 ^ k1)
            x1, x3 = np.uint32(b), np.uint32(a)
            k0 = np.uint32(k0 + np.uint32(0x9E3779B9))
            k1 = np.uint32(k1 + np.uint32(0xBB67AE85))
        words[0, i], words[1, i], words[2, i], words[3, i] = x0, x1, x2, x3


@_jit
def relu_dropout(x, bits, threshold, scale, y):
    """y = relu(x) · scale where a unit is kept, else 0; arrays of one axis."""
    for i in range(x.size):
        kept = np.float32(bits[i] >= threshold) * np.float32(x[i] > 0)
        y[i] = x[i] * kept * scale


@_jit
def relu_dropout_backward(gradient, y, scale, dx):
    """Gradient of :func:`relu_dropout`: a unit passes it on exactly where y > 0."""
    for i in range(y.size):
        dx[i] = gradient[i] * np.float32(y[i] > 0) * scale


@_jit
def _pool(v0, v1, v2, v3):
    """The largest of a window's units, at least 0, and which it is, for ``chosen``."""
    best = max(max(max(v0, v1), max(v2, v3)), np.float32(0))
    winner = np.uint8(3)
    winner = np.uint8(2) if v2 == best else winner
    winner = np.uint8(1) if v1 == best else winner
    winner = np.uint8(0) if v0 == best else winner
    return best, winner if best > np.float32(0) else np.uint8(4)


@_jit
def _unpool(gradient, winner):
    """A window's gradient, for each of its four units."""
    return (
        gradient * np.float32(winner == 0),
        gradient * np.float32(winner == 1),
        gradient * np.float32(winner == 2),
        gradient * np.float32(winner == 3),
    )


@_jit
def _pool_two_rows(x, bits, threshold, scale, y, chosen):
    for j in range(y.shape[0]):
        for c in range(y.shape[1]):
            v0, v1 = x[0, 2 * j, c], x[0, 2 * j + 1, c]
            v2, v3 = x[1, 2 * j, c], x[1, 2 * j + 1, c]
            if bits is not None:
                v0 *= np.float32(bits[0, 2 * j, c] >= threshold)
                v1 *= np.float32(bits[0, 2 * j + 1, c] >= threshold)
                v2 *= np.float32(bits[1, 2 * j, c] >= threshold)
                v3 *= np.float32(bits[1, 2 * j + 1, c] >= threshold)
            best, chosen[j, c] = _pool(v0, v1, v2, v3)
            y[j, c] = best * scale


@_jit
def relu_dropout_pool(x, bits, threshold, scale, y, chosen):
    """y = max over each 2 × 2 window of relu(x) · scale, dropped units counting as 0."""
    for b in range(y.shape[0]):
        for i in range(y.shape[1]):
            rows = slice(2 * i, 2 * i + 2)
            draws = None if bits is None else bits[b, rows]
            _pool_two_rows(x[b, rows], draws, threshold, scale, y[b, i], chosen[b, i])


@_jit
def _unpool_two_rows(gradient, chosen, scale, dx):
    for j in range(gradient.shape[0]):
        for c in range(gradient.shape[1]):
            g0, g1, g2, g3 = _unpool(gradient[j, c] * scale, chosen[j, c])
            dx[0, 2 * j, c], dx[0, 2 * j + 1, c] = g0, g1
            dx[1, 2 * j, c], dx[1, 2 * j + 1, c] = g2, g3


@_jit
def relu_dropout_pool_backward(gradient, chosen, scale, dx):
    """Gradient of :func:`relu_dropout_pool`: each window's goes to the unit that won."""
    for b in range(gradient.shape[0]):
        for i in range(gradient.shape[1]):
            _unpool_two_rows(gradient[b, i], chosen[b, i], scale, dx[b, 2 * i : 2 * i + 2])


@_jit
def _four(images, b, row, column):
    """Four pixels side by side."""
    return (
        images[b, row, column],
        images[b, row, column + 1],
        images[b, row, column + 2],
        images[b, row, column + 3],
    )


@_jit
def _convolve(x, weight, bias, c):
    """One output of channel c, from 3 × 3 pixels."""
    v = bias[c]
    v += x[0][0] * weight[0, c] + x[0][1] * weight[1, c] + x[0][2] * weight[2, c]
    v += x[1][0] * weight[3, c] + x[1][1] * weight[4, c] + x[1][2] * weight[5, c]
    v += x[2][0] * weight[6, c] + x[2][1] * weight[7, c] + x[2][2] * weight[8, c]
    return v


@_jit
def image_conv_pool(images, weight, bias, bits, threshold, scale, y, chosen):
    """A 3 × 3 convolution of one channel, then :func:`relu_dropout_pool`, a window at a time.

    The convolution's output, the largest feature map of its network, is never written.
    """
    for b in range(y.shape[0]):
        for i in range(y.shape[1]):
            for j in range(y.shape[2]):
                top, left = 2 * i, 2 * j
                x0 = _four(images, b, top, left)
                x1 = _four(images, b, top + 1, left)
                x2 = _four(images, b, top + 2, left)
                x3 = _four(images, b, top + 3, left)
                for c in range(y.shape[3]):
                    v0 = _convolve((x0[:3], x1[:3], x2[:3]), weight, bias, c)
                    v1 = _convolve((x0[1:], x1[1:], x2[1:]), weight, bias, c)
                    v2 = _convolve((x1[:3], x2[:3], x3[:3]), weight, bias, c)
                    v3 = _convolve((x1[1:], x2[1:], x3[1:]), weight, bias, c)
                    if bits is not None:
                        v0 *= np.float32(bits[b, top, left, c] >= threshold)
                        v1 *= np.float32(bits[b, top, left + 1, c] >= threshold)
                        v2 *= np.float32(bits[b, top + 1, left, c] >= threshold)
                        v3 *= np.float32(bits[b, top + 1, left + 1, c] >= threshold)
                    best, chosen[b, i, j, c] = _pool(v0, v1, v2, v3)
                    y[b, i, j, c] = best * scale


@_jit
def image_conv_pool_backward(gradient, chosen, scale, images, dweight, dbias):
    """Gradients of :func:`image_conv_pool` for weight and bias."""
    channels = gradient.shape[3]
    dweight[:] = 0
    dbias[:] = 0
    # One image's sums first, so that single terms do not meet the whole batch's sum.
    sums = np.empty((10, channels), np.float32)
    for b in range(gradient.shape[0]):
        sums[:] = 0
        for i in range(gradient.shape[1]):
            for j in range(gradient.shape[2]):
                top, left = 2 * i, 2 * j
                x00, x01, x02, x03 = _four(images, b, top, left)
                x10, x11, x12, x13 = _four(images, b, top + 1, left)
                x20, x21, x22, x23 = _four(images, b, top + 2, left)
                x30, x31, x32, x33 = _four(images, b, top + 3, left)
                for c in range(channels):
                    incoming = gradient[b, i, j, c] * scale
                    g0, g1, g2, g3 = _unpool(incoming, chosen[b, i, j, c])
                    sums[0, c] += g0 * x00 + g1 * x01 + g2 * x10 + g3 * x11
                    sums[1, c] += g0 * x01 + g1 * x02 + g2 * x11 + g3 * x12
                    sums[2, c] += g0 * x02 + g1 * x03 + g2 * x12 + g3 * x13
                    sums[3, c] += g0 * x10 + g1 * x11 + g2 * x20 + g3 * x21
                    sums[4, c] += g0 * x11 + g1 * x12 + g2 * x21 + g3 * x22
                    sums[5, c] += g0 * x12 + g1 * x13 + g2 * x22 + g3 * x23
                    sums[6, c] += g0 * x20 + g1 * x21 + g2 * x30 + g3 * x31
                    sums[7, c] += g0 * x21 + g1 * x22 + g2 * x31 + g3 * x32
                    sums[8, c] += g0 * x22 + g1 * x23 + g2 * x32 + g3 * x33
                    sums[9, c] += g0 + g1 + g2 + g3
        dweight += sums[:9]
        dbias += sums[9]


@_jit
def fold(patches, bias, stride, padding, y):
    """Add up overlapping patches: a transposed convolution after its matrix product.

    Args:
        patches: float32 [batch, height, width, kernel, kernel, channels].
        bias: float32 [channels].
        stride, padding: of the transposed convolution.
        y: float32 [batch, new height, new width, channels], overwritten.
    """
    batch, height, width, kernel, _, channels = patches.shape
    y[:] = bias
    for b in range(batch):
        for i in range(height):
            for ki in range(kernel):
                row = i * stride - padding + ki
                if 0 <= row < y.shape[1]:
                    for j in range(width):
                        for kj in range(kernel):
                            column = j * stride - padding + kj
                            if 0 <= column < y.shape[2]:
                                for c in range(channels):
                                    y[b, row, column, c] += patches[b, i, j, ki, kj, c]
