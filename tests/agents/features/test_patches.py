"""Patches that repeat are convolved once: the convolution's values and gradients."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from agents.features import patches
from agents.features.patches import MOST_SYMBOLS, embed_and_convolve

SYMBOLS = 5977


def layers(stride=1, embedding=4, channels=(6, 5), kind=torch.float64):
    """An embedding and convolutions."""
    torch.manual_seed(0)
    sizes = zip((embedding, *channels), channels, strict=False)
    convolutions = [nn.Conv2d(size, width, 3, stride, padding=1).to(kind) for size, width in sizes]
    return nn.Embedding(SYMBOLS, embedding).to(kind), convolutions


def grids(n=7, height=9, width=9, symbols=5, kind=np.int16, seed=0):
    """What a dungeon looks like: most of it is nothing."""
    rng = np.random.default_rng(seed)
    names = rng.choice(SYMBOLS, symbols, replace=False)
    numbers = np.where(rng.random((n, height, width)) < 0.7, 0, rng.integers(symbols, size=(n, height, width)))
    return torch.from_numpy(names[numbers].astype(kind))


def plain(grid, embedding, convolutions):
    image = embedding(grid.long()).permute(0, 3, 1, 2)
    for convolution in convolutions:
        image = torch.relu(convolution(image))
    return image


def same(grid, embedding, convolutions, tolerance=1e-10):
    values, expected = embed_and_convolve(grid, embedding, convolutions), plain(grid, embedding, convolutions)
    torch.testing.assert_close(values, expected, rtol=0, atol=tolerance)
    given = torch.randn(expected.shape, dtype=expected.dtype, generator=torch.Generator().manual_seed(1))
    weights = [*embedding.parameters(), *nn.ModuleList(convolutions).parameters()]
    for actual, wanted in zip(
        torch.autograd.grad(values, weights, given), torch.autograd.grad(expected, weights, given), strict=True
    ):
        torch.testing.assert_close(actual, wanted, rtol=0, atol=tolerance)


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize(("height", "width"), [(9, 9), (21, 79), (1, 1), (2, 5)])
def test_values_and_gradients_are_those_of_the_convolution(height, width, stride):
    same(grids(height=height, width=width), *layers(stride))


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("channels", [(3,), (8, 16), (4, 8, 16, 8, 4)])
def test_any_number_of_convolutions_is_computed(channels, stride):
    same(grids(height=11, width=6), *layers(stride, channels=channels))


@pytest.mark.parametrize("kind", [np.int16, np.uint8, np.int64, np.float32])
def test_grids_of_any_type_are_read(kind):
    same(torch.from_numpy(grids().remainder(200).numpy().astype(kind)), *layers())


def test_the_first_and_the_last_symbol_are_told_from_the_outside():
    same(torch.tensor([[[0, SYMBOLS - 1, 0], [SYMBOLS - 1, 0, 0], [0, 0, SYMBOLS - 1]]]), *layers())


@pytest.mark.parametrize("symbols", [MOST_SYMBOLS, MOST_SYMBOLS + 1, 400])
def test_many_symbols_are_no_other_result(symbols):
    grid = torch.arange(symbols).repeat(3).reshape(3, 1, symbols)
    same(grid, *layers())


def test_more_patches_than_fit_are_no_other_result(monkeypatch):
    monkeypatch.setattr(patches, "MOST_PATCHES", 4)
    same(grids(), *layers())


def test_rounding_is_all_that_differs_in_single_precision():
    same(grids(64), *layers(embedding=8, channels=(16, 16), kind=torch.float32), tolerance=2e-3)  # sums of 5,000


def test_the_order_of_rows_changes_no_row():
    grid = grids(16)
    embedding, convolutions = layers()
    values = embed_and_convolve(grid, embedding, convolutions)
    torch.testing.assert_close(
        embed_and_convolve(grid.flip(0), embedding, convolutions).flip(0), values, rtol=0, atol=1e-14
    )


def test_an_empty_batch_has_no_codes():
    assert embed_and_convolve(grids(3)[:0], *layers()).shape == (0, 5, 9, 9)
