"""Embedding and first convolution of grids of symbols, once for every distinct patch, by addition.

A 3 x 3 convolution of embedded symbols is a sum over nine neighbours, and a neighbour's part hangs
on its symbol alone. A batch of windows of a dungeon holds a dozen symbols in some 1,400 different
patches at 13,000 places: so the parts of each symbol are computed once, a patch is a sum of nine of
them, and a place looks up its patch. Values and gradients are those of the convolution up to
rounding, at about an eighth of the cost.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor, nn

NEIGHBOURS = 9
MOST_SYMBOLS = 127  # in a batch: nine of them and the outside make a key of 63 bits
MOST_PATCHES = 2**14  # in a batch; where there are more, they hardly repeat
OUTSIDE = 0  # of the grid; symbols count from 1 in what follows

Ints = NDArray[np.int32]


def embed_and_convolve(grids: Tensor, embedding: nn.Embedding, convolution: nn.Conv2d) -> Tensor:
    """relu(convolution(embedding(grids))).

    Args:
        grids: (n, height, width) integers below the embedding's size.
        embedding: of the symbols.
        convolution: 3 x 3, with a padding of 1, a bias, and one stride for both axes.

    Returns:
        (n, channels, height', width'), channels last in memory, which is how torch's convolutions
        are fastest here, by a quarter.
    """
    stride = int(convolution.stride[0])
    seen = _seen(grids, embedding.num_embeddings, stride)
    if seen is None:
        return torch.relu(convolution(embedding(grids.long()).permute(0, 3, 1, 2)))
    symbols, patches, places = seen
    weight = convolution.weight.permute(1, 2, 3, 0).reshape(embedding.embedding_dim, -1)
    parts = embedding.weight.index_select(0, torch.from_numpy(symbols)) @ weight  # (symbols, 9 * channels)
    assert convolution.bias is not None
    rows = -(-grids.shape[1] // stride)
    image = _Patched.apply(parts, convolution.bias, patches, places)
    return image.view(len(grids), rows, -1, convolution.out_channels).permute(0, 3, 1, 2)


def _seen(grids: Tensor, values: int, stride: int) -> tuple[NDArray[np.int64], Ints, Ints] | None:
    """The symbols (k,) of a batch, its patches (m, 9) of them, and the patch of every place.

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
    rows, columns = -(-height // stride), -(-width // stride)
    most = min(MOST_PATCHES, n * rows * columns)
    patches = np.empty((most, NEIGHBOURS), np.int32)
    places = np.empty((n, rows * columns), np.int32)
    slots = np.full(1 << (2 * most - 1).bit_length(), -1, np.int32)
    keys = np.empty(most, np.uint64)
    n_patches = _number_patches(numbers, marks, stride, columns, patches, places, slots, keys)
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
def _number_patches(
    grids: Any, marks: Any, stride: int, columns: int, patches: Any, places: Any, slots: Any, keys: Any
) -> int:
    """Numbers patches in the order in which they come; -1 where there are too many."""
    count = 0
    last = np.uint64(len(slots) - 1)
    n, height, width = grids.shape
    patch = np.empty(9, np.int32)
    for grid in range(n):
        for place in range(places.shape[1]):
            top, left = place // columns * stride - 1, place % columns * stride - 1
            key = np.uint64(0)
            for neighbour in range(9):
                row, column = top + neighbour // 3, left + neighbour % 3
                number = 0
                if 0 <= row < height and 0 <= column < width:
                    number = marks[grids[grid, row, column]]
                patch[neighbour] = number
                key = key << np.uint64(7) | np.uint64(number)
            slot = (key * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(32) & last
            while slots[slot] >= 0 and keys[slots[slot]] != key:
                slot = (slot + np.uint64(1)) & last
            if slots[slot] < 0:
                if count == len(keys):
                    return -1
                slots[slot] = count
                keys[count] = key
                patches[count] = patch
                count += 1
            places[grid, place] = slots[slot]
    return count


class _Patched(torch.autograd.Function):
    """Parts of symbols (k, 9 * channels) and a bias (channels,) -> (n, places, channels)."""

    @staticmethod
    def forward(ctx: Any, parts: Tensor, bias: Tensor, patches: Ints, places: Ints) -> Tensor:
        channels = len(bias)
        known = parts.detach().contiguous().numpy().reshape(-1, NEIGHBOURS, channels)
        codes = np.empty((len(patches), channels), known.dtype)
        _add_parts(known, bias.detach().numpy(), patches, codes)
        ctx.saved = (codes, patches, places, known.shape)
        return torch.from_numpy(codes).index_select(0, torch.from_numpy(places.ravel()))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        codes, patches, places, shape = ctx.saved
        by_patch = np.zeros_like(codes)
        _sum_places(gradients[0].contiguous().numpy(), places.ravel(), by_patch)
        parts, bias = np.zeros(shape, codes.dtype), np.zeros(codes.shape[1], codes.dtype)
        _sum_patches(by_patch, codes, patches, parts, bias)
        return torch.from_numpy(parts.reshape(shape[0], -1)), torch.from_numpy(bias), None, None


@njit(cache=True, nogil=True, fastmath=True)
def _add_parts(parts: Any, bias: Any, patches: Any, codes: Any) -> None:
    channels = len(bias)
    for patch in range(len(patches)):
        codes[patch] = bias
        for neighbour in range(9):
            number = patches[patch, neighbour]
            if number > 0:
                for channel in range(channels):
                    codes[patch, channel] += parts[number - 1, neighbour, channel]
        for channel in range(channels):
            codes[patch, channel] = max(codes[patch, channel], parts.dtype.type(0))


@njit(cache=True, nogil=True, fastmath=True)
def _sum_places(by_place: Any, places: Any, by_patch: Any) -> None:
    channels = by_patch.shape[1]
    for place in range(len(places)):
        patch = places[place]
        for channel in range(channels):
            by_patch[patch, channel] += by_place[place, channel]


@njit(cache=True, nogil=True, fastmath=True)
def _sum_patches(by_patch: Any, codes: Any, patches: Any, parts: Any, bias: Any) -> None:
    channels = codes.shape[1]
    for patch in range(len(patches)):
        for channel in range(channels):
            if codes[patch, channel] <= 0:
                by_patch[patch, channel] = 0
            bias[channel] += by_patch[patch, channel]
        for neighbour in range(9):
            number = patches[patch, neighbour]
            if number > 0:
                for channel in range(channels):
                    parts[number - 1, neighbour, channel] += by_patch[patch, channel]
