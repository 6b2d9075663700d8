"""Embedding and convolutions of grids of symbols: what repeats is multiplied once, then added up.

A 3 x 3 convolution is a sum over nine neighbours, and what a neighbour adds hangs on nothing but
what stands there. A batch of windows of a dungeon holds a dozen symbols, in some 1,400 different
patches at 13,000 places: so the first convolution multiplies a dozen rows instead of 13,000 and
adds up 1,400 patches; the second multiplies these 1,400 and adds up the places. Values and
gradients are those of the convolutions up to rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

NEIGHBOURS = 9
BITS = 7  # of a symbol's number: nine of them are a key of 63
MOST_SYMBOLS = 2**BITS - 1  # in a batch, beside the outside
MOST_PATCHES = 2**14  # in a batch; where there are more, they hardly repeat
OUTSIDE = 0  # of the grid; symbols count from 1 in what follows

Ints = NDArray[np.int32]
Floats = NDArray[Any]
Seen = tuple[NDArray[np.int64], Ints, Ints, Floats, Floats, Floats]
"""Symbols, patches, what is around places; rows and codes of the first convolution, codes of the
second."""


def embed_and_convolve(grids: Tensor, embedding: nn.Embedding, convolutions: Sequence[nn.Conv2d]) -> Tensor:
    """relu(convolution(...relu(convolution(embedding(grids))))).

    Args:
        grids: (n, height, width) integers below the embedding's size.
        embedding: of the symbols.
        convolutions: 3 x 3, with a padding of 1, a bias, and one stride for both axes; the first
            two are added up.

    Returns:
        (n, channels, height', width'), channels last in memory, which is how torch's convolutions
        are fastest here, by a quarter.
    """
    if grids.device.type == "cpu" and len(grids) > 0 and len(convolutions) > 1:
        first, second, *others = convolutions
        assert first.bias is not None
        assert second.bias is not None
        strides, weights = (stride(first), stride(second)), (first.weight, first.bias, second.weight, second.bias)
        convolved = _Convolved.apply if torch.is_grad_enabled() else _convolved
        try:
            image = convolved(grids, strides, embedding.weight, *weights)
        except TooManyPatches:
            pass
        else:
            return _convolve(image.permute(0, 3, 1, 2), others)
    return _convolve(embedding(grids.long()).permute(0, 3, 1, 2), convolutions)


class TooManyPatches(Exception):
    """A batch has more symbols or patches than it pays to number."""


def stride(convolution: nn.Conv2d) -> int:
    """Of both axes."""
    return int(convolution.stride[0])


def _convolve(image: Tensor, convolutions: Sequence[nn.Conv2d]) -> Tensor:
    for convolution in convolutions:
        image = torch.relu(convolution(image))
    return image


def arranged(weight: Tensor) -> Floats:
    """A convolution's weight (out, in, 3, 3) as `convolve` reads it, (in, 9 * out)."""
    return np.ascontiguousarray(weight.detach().permute(1, 2, 3, 0).flatten(1).numpy())


def as_it_was(by_weight: Floats) -> Floats:
    """The gradient by `arranged` weights (in, 9 * out) as one by the convolution's."""
    return by_weight.reshape(len(by_weight), 3, 3, -1).transpose(3, 0, 1, 2)


def _convolved(grids: Tensor, strides: tuple[int, int], *weights: Tensor) -> Tensor:
    """`convolve` without a way back."""
    return torch.from_numpy(_seen(grids, strides, *weights)[0])


def _seen(grids: Tensor, strides: tuple[int, int], *weights: Tensor) -> tuple[Floats, Seen, tuple[Floats, Floats]]:
    """What `convolve` gives, and the weights as it reads them."""
    embedding, first, first_bias, second, second_bias = (weight.detach() for weight in weights)
    numbers = grids.numpy().astype(np.int32)  # buffers keep them as floats
    one, other = arranged(first), arranged(second)
    image, seen = convolve(numbers, strides, embedding.numpy(), one, first_bias.numpy(), other, second_bias.numpy())
    return image, seen, (one, other)


class _Convolved(torch.autograd.Function):
    """`convolve` and its gradient."""

    @staticmethod
    def forward(ctx: Any, grids: Tensor, strides: tuple[int, int], *weights: Tensor) -> Tensor:
        image, ctx.seen, ctx.arranged = _seen(grids, strides, *weights)
        ctx.save_for_backward(weights[0])
        return torch.from_numpy(image)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        (embedding,) = ctx.saved_tensors
        first, second = ctx.arranged
        by_embedding = np.zeros_like(embedding.numpy())
        given = gradients[0].contiguous().numpy()
        by_first, by_first_bias, by_second, by_second_bias = convolve_back(
            given, ctx.seen, embedding.numpy(), first, second, by_embedding
        )
        by_weights = (by_embedding, as_it_was(by_first), by_first_bias, as_it_was(by_second), by_second_bias)
        return None, None, *(torch.from_numpy(np.ascontiguousarray(by)) for by in by_weights)


def convolve(
    grids: Ints, strides: tuple[int, int], embedding: Floats, first: Floats, first_bias: Floats, second: Floats,
    second_bias: Floats,
) -> tuple[Floats, Seen]:  # fmt: skip
    """Both convolutions of embedded grids (n, height, width).

    Args:
        grids: symbols, below the embedding's size.
        strides: of both.
        embedding: (symbols, e).
        first, second: `arranged` weights; biases (channels,).

    Returns:
        (n, height', width', channels), and what `convolve_back` needs.

    Raises:
        TooManyPatches: in this batch.
    """
    found, symbols, patches, places = _number(grids, strides[0], len(embedding))
    if not found:
        raise TooManyPatches
    rows = embedding.take(symbols, axis=0)
    codes = _sums(rows, first, first_bias, patches)
    around = _look_around(places, strides[1])
    image = _sums(codes, second, second_bias, around.reshape(-1, NEIGHBOURS))
    return image.reshape(*around.shape[:3], -1), (symbols, patches, around, rows, codes, image)


def convolve_back(
    by_image: Floats, seen: Seen, embedding: Floats, first: Floats, second: Floats, by_embedding: Floats
) -> tuple[Floats, Floats, Floats, Floats]:
    """The gradient by weights and biases of both; adds that by the embedding to `by_embedding`."""
    symbols, patches, around, rows, codes, image = seen
    channels = image.shape[1]
    by_codes, by_second, by_second_bias = _sums_back(
        by_image.reshape(-1, channels), image, codes, second, around.reshape(-1, NEIGHBOURS)
    )
    by_rows, by_first, by_first_bias = _sums_back(by_codes, codes, rows, first, patches)
    by_embedding[symbols] += by_rows
    return by_first, by_first_bias, by_second, by_second_bias


@njit(cache=True, nogil=True)
def _number(grids: Any, stride: int, values: int) -> Any:
    """Is it worth it; symbols (k,), patches (m, 9) of them, the patch (n, h', w') of each place."""
    n, height, width = grids.shape
    marks = np.zeros(values, np.int32)
    symbols = np.empty(MOST_SYMBOLS, np.int64)
    places = np.empty((n, -(-height // stride), -(-width // stride)), np.int32)
    most = min(MOST_PATCHES, places.size)
    patches = np.empty((most, NEIGHBOURS), np.int32)
    slots_needed = 1
    while slots_needed < 2 * most:
        slots_needed *= 2
    n_symbols = _number_symbols(grids, marks, symbols)
    n_patches = -1
    if n_symbols >= 0:
        slots, keys = np.full(slots_needed, -1, np.int32), np.empty(most, np.uint64)
        n_patches = _number_patches(grids, marks, stride, patches, places, slots, keys)
    return n_patches >= 0, symbols[: max(n_symbols, 0)], patches[: max(n_patches, 0)], places


@njit(cache=True, nogil=True)
def _number_symbols(grids: Any, marks: Any, symbols: Any) -> int:
    """Marks every symbol with its number, from 1 on; -1 where there are too many."""
    count = 0
    n, height, width = grids.shape
    for grid in range(n):
        for row in range(height):
            for column in range(width):
                symbol = grids[grid, row, column]
                if marks[symbol] == 0:
                    if count == len(symbols):
                        return -1
                    symbols[count] = symbol
                    count += 1
                    marks[symbol] = count
    return count


@njit(cache=True, nogil=True)
def _number_patches(grids: Any, marks: Any, stride: int, patches: Any, places: Any, slots: Any, keys: Any) -> int:
    """Numbers patches from 1 on, in the order in which they come; -1 where there are too many."""
    count = 0
    last = np.uint64(len(slots) - 1)
    n, height, width = grids.shape
    _, rows, columns = places.shape
    strips = np.zeros(width + 2, np.uint64)  # of each column, and one outside on both sides: three symbols
    for grid in range(n):
        for row in range(rows):
            for column in range(width):
                strip = np.uint64(0)
                for above in range(row * stride - 1, row * stride + 2):
                    number = marks[grids[grid, above, column]] if 0 <= above < height else OUTSIDE
                    strip = strip << np.uint64(BITS) | np.uint64(number)
                strips[column + 1] = strip
            for column in range(columns):
                left = column * stride
                key = strips[left] << np.uint64(6 * BITS) | strips[left + 1] << np.uint64(3 * BITS) | strips[left + 2]
                slot = (key * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(32) & last
                while slots[slot] >= 0 and keys[slots[slot]] != key:
                    slot = (slot + np.uint64(1)) & last
                if slots[slot] < 0:
                    if count == len(keys):
                        return -1
                    slots[slot] = count
                    keys[count] = key
                    for neighbour in range(9):
                        behind = 8 - (neighbour % 3 * 3 + neighbour // 3)  # keys are column by column
                        patches[count, neighbour] = key >> np.uint64(BITS * behind) & np.uint64(MOST_SYMBOLS)
                    count += 1
                places[grid, row, column] = slots[slot] + 1
    return count


@njit(cache=True, nogil=True)
def _look_around(numbers: Any, stride: int) -> Any:
    """What stands around every place: numbers (n, height, width) -> (n, height', width', 9)."""
    n, height, width = numbers.shape
    around = np.empty((n, -(-height // stride), -(-width // stride), NEIGHBOURS), np.int32)
    for grid in range(n):
        for row in range(around.shape[1]):
            for column in range(around.shape[2]):
                for neighbour in range(9):
                    above, beside = row * stride - 1 + neighbour // 3, column * stride - 1 + neighbour % 3
                    inside = 0 <= above < height and 0 <= beside < width
                    around[grid, row, column, neighbour] = numbers[grid, above, beside] if inside else OUTSIDE
    return around


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _sums(rows: Any, weight: Any, bias: Any, neighbours: Any) -> Any:
    """relu(bias + what each of nine neighbours adds), its row times a part of the weight.

    Rows (k, inputs), weight (inputs, 9 * channels), bias (channels,), and neighbours (n, 9), which
    are numbers of rows, from 1 on; OUTSIDE adds nothing. Gives (n, channels).
    """
    channels = len(bias)
    flat = np.empty((len(rows) + 1, weight.shape[1]), weight.dtype)
    flat[OUTSIDE] = 0
    np.dot(rows, weight, flat[1:])
    parts = flat.reshape(len(flat), NEIGHBOURS, channels)
    codes = np.empty((len(neighbours), channels), weight.dtype)
    for place in range(len(neighbours)):
        around, code = neighbours[place], codes[place]
        a, b, c = parts[around[0], 0], parts[around[1], 1], parts[around[2], 2]
        d, e, f = parts[around[3], 3], parts[around[4], 4], parts[around[5], 5]
        g, h, i = parts[around[6], 6], parts[around[7], 7], parts[around[8], 8]
        for n in range(channels):  # one loop over channels, which compilers turn into wide additions
            total = bias[n] + a[n] + b[n] + c[n] + d[n] + e[n] + f[n] + g[n] + h[n] + i[n]
            code[n] = max(total, weight.dtype.type(0))
    return codes


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _sums_back(by_codes: Any, codes: Any, rows: Any, weight: Any, neighbours: Any) -> Any:
    """The gradient by rows, weight and bias of `_sums`."""
    channels = codes.shape[1]
    kept = np.empty(codes.shape, codes.dtype)
    for place in range(len(codes)):
        for channel in range(channels):
            kept[place, channel] = by_codes[place, channel] if codes[place, channel] > 0 else 0
    by_bias = np.zeros(channels, codes.dtype)
    flat = np.zeros((len(rows) + 1, weight.shape[1]), codes.dtype)
    by_parts = flat.reshape(len(flat), NEIGHBOURS, channels)
    for place in range(len(codes)):
        for channel in range(channels):
            by_bias[channel] += kept[place, channel]
        for neighbour in range(9):
            number = neighbours[place, neighbour]
            if number > 0:
                for channel in range(channels):
                    by_parts[number, neighbour, channel] += kept[place, channel]
    return np.dot(flat[1:], weight.T), np.dot(rows.T, flat[1:]), by_bias
