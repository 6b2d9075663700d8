"""Embedding and convolutions of grids of symbols: what repeats is multiplied once, then added up.

A 3 x 3 convolution is a sum over nine neighbours, and what a neighbour adds hangs on nothing but
what stands there. A batch of windows of a dungeon holds a dozen symbols, in some 1,400 different
patches at 13,000 places: so the first convolution multiplies a dozen rows instead of 13,000 and
adds up 1,400 patches; the second multiplies these 1,400 and adds up the places. Values and
gradients are those of the convolutions up to rounding, at about a third of the cost.
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


def embed_and_convolve(grids: Tensor, embedding: nn.Embedding, convolutions: Sequence[nn.Conv2d]) -> Tensor:
    """relu(convolution(...relu(convolution(embedding(grids))))).

    Args:
        grids: (n, height, width) integers below the embedding's size.
        embedding: of the symbols.
        convolutions: one or more, 3 x 3, with a padding of 1, a bias, and one stride for both axes.

    Returns:
        (n, channels, height', width'), channels last in memory, which is how torch's convolutions
        are fastest here, by a quarter.
    """
    first, *others = convolutions
    seen = _seen(grids, embedding.num_embeddings, _stride(first))
    if seen is None:
        return _convolve(embedding(grids.long()).permute(0, 3, 1, 2), convolutions)
    symbols, patches, places = seen
    codes = _add_up(embedding.weight.index_select(0, torch.from_numpy(symbols)), first, patches)
    if not others:
        image = codes.index_select(0, torch.from_numpy(places.ravel() - 1)).view(*places.shape, -1)
        return image.permute(0, 3, 1, 2)
    second, *others = others
    stride = _stride(second)
    n, height, width = places.shape
    around = np.empty((n, _strided(height, stride), _strided(width, stride), NEIGHBOURS), np.int32)
    _look_around(places, stride, around)
    image = _add_up(codes, second, around.reshape(-1, NEIGHBOURS)).view(*around.shape[:3], -1)
    return _convolve(image.permute(0, 3, 1, 2), others)


def _stride(convolution: nn.Conv2d) -> int:
    return int(convolution.stride[0])


def _strided(length: int, stride: int) -> int:
    return -(-length // stride)


def _convolve(image: Tensor, convolutions: Sequence[nn.Conv2d]) -> Tensor:
    for convolution in convolutions:
        image = torch.relu(convolution(image))
    return image


def _add_up(codes: Tensor, convolution: nn.Conv2d, neighbours: Ints) -> Tensor:
    """relu(convolution) (n, channels) where `neighbours` (n, 9) are rows of `codes`, from 1 on."""
    weight = convolution.weight.permute(1, 2, 3, 0).reshape(codes.shape[1], -1)
    assert convolution.bias is not None
    if not torch.is_grad_enabled():
        return _sums(codes, weight, convolution.bias, neighbours)
    result: Tensor = _SumOfParts.apply(codes, weight, convolution.bias, neighbours)
    return result


def _sums(rows: Tensor, weight: Tensor, bias: Tensor, neighbours: Ints) -> Tensor:
    """relu(bias + what each of nine neighbours adds), its row times a part of the weight.

    Rows (k, inputs), weight (inputs, 9 * channels), bias (channels,), and neighbours (n, 9), which
    are numbers of rows, from 1 on; OUTSIDE adds nothing. Gives (n, channels).
    """
    parts = weight.new_empty((len(rows) + 1, weight.shape[1]))
    parts[OUTSIDE] = 0
    torch.mm(rows, weight, out=parts[1:])
    codes = rows.new_empty((len(neighbours), len(bias)))
    _sum_parts(_by_neighbour(parts), bias.detach().numpy(), neighbours, codes.numpy())
    return codes


def _seen(grids: Tensor, values: int, stride: int) -> tuple[NDArray[np.int64], Ints, Ints] | None:
    """Symbols (k,) of a batch, patches (m, 9) of them, and the patch (n, h', w') at every place.

    None where there are too many of either, or the batch is not this processor's to read.
    """
    if grids.device.type != "cpu" or len(grids) == 0:
        return None
    marks = np.zeros(values, np.int32)
    symbols = np.empty(MOST_SYMBOLS, np.int64)
    numbers = grids.detach().numpy().astype(np.int32)  # buffers keep them as floats
    n_symbols = _number_symbols(numbers, marks, symbols)
    if n_symbols < 0:
        return None
    n, height, width = numbers.shape
    places = np.empty((n, _strided(height, stride), _strided(width, stride)), np.int32)
    most = min(MOST_PATCHES, places.size)
    patches = np.empty((most, NEIGHBOURS), np.int32)
    slots = np.full(1 << (2 * most - 1).bit_length(), -1, np.int32)
    keys = np.empty(most, np.uint64)
    n_patches = _number_patches(numbers, marks, stride, patches, places, slots, keys)
    if n_patches < 0:
        return None
    return symbols[:n_symbols], patches[:n_patches], places


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
def _look_around(numbers: Any, stride: int, around: Any) -> None:
    """What stands around every place: numbers (n, height, width) -> (n, height', width', 9)."""
    n, height, width = numbers.shape
    for grid in range(n):
        for row in range(around.shape[1]):
            for column in range(around.shape[2]):
                for neighbour in range(9):
                    above, beside = row * stride - 1 + neighbour // 3, column * stride - 1 + neighbour % 3
                    inside = 0 <= above < height and 0 <= beside < width
                    around[grid, row, column, neighbour] = numbers[grid, above, beside] if inside else OUTSIDE


class _SumOfParts(torch.autograd.Function):
    """`_sums` and its gradient."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, weight: Tensor, bias: Tensor, neighbours: Ints) -> Tensor:
        codes = _sums(rows, weight, bias, neighbours)
        ctx.save_for_backward(rows, weight, codes)
        ctx.neighbours = neighbours
        return codes

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        rows, weight, codes = ctx.saved_tensors
        by_codes = torch.ops.aten.threshold_backward(gradients[0], codes, 0)
        by_parts = weight.new_zeros((len(rows) + 1, weight.shape[1]))
        _share_out(by_codes.numpy(), ctx.neighbours, _by_neighbour(by_parts))
        return by_parts[1:] @ weight.T, rows.T @ by_parts[1:], by_codes.sum(0), None


def _by_neighbour(parts: Tensor) -> NDArray[Any]:
    """(k, 9, channels)"""
    return parts.numpy().reshape(len(parts), NEIGHBOURS, -1)


@njit(cache=True, nogil=True, fastmath=True)
def _sum_parts(parts: Any, bias: Any, neighbours: Any, codes: Any) -> None:
    for place in range(len(neighbours)):
        around, code = neighbours[place], codes[place]
        a, b, c = parts[around[0], 0], parts[around[1], 1], parts[around[2], 2]
        d, e, f = parts[around[3], 3], parts[around[4], 4], parts[around[5], 5]
        g, h, i = parts[around[6], 6], parts[around[7], 7], parts[around[8], 8]
        for n in range(len(bias)):  # one loop over channels, which compilers turn into wide additions
            total = bias[n] + a[n] + b[n] + c[n] + d[n] + e[n] + f[n] + g[n] + h[n] + i[n]
            code[n] = max(total, bias.dtype.type(0))


@njit(cache=True, nogil=True, fastmath=True)
def _share_out(by_codes: Any, neighbours: Any, by_parts: Any) -> None:
    channels = by_codes.shape[1]
    for place in range(len(neighbours)):
        for neighbour in range(9):
            number = neighbours[place, neighbour]
            if number > 0:
                for channel in range(channels):
                    by_parts[number, neighbour, channel] += by_codes[place, channel]
