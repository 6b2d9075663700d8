"""Patches that repeat are convolved once: the convolution's values and gradients."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from agents.features import patches
from agents.features.patches import MOST_SYMBOLS, embed_and_convolve

SYMBOLS = 5977


def layers(stride=1, embedding=4, channels=6, kind=torch.float64):
    torch.manual_seed(0)
    return nn.Embedding(SYMBOLS, embedding).to(kind), nn.Conv2d(embedding, channels, 3, stride, padding=1).to(kind)


def grids(n=7, height=9, width=9, symbols=5, kind=np.int16, seed=0):
    """What a dungeon looks like: most of it is nothing."""
    rng = np.random.default_rng(seed)
    names = rng.choice(SYMBOLS, symbols, replace=False)
    numbers = np.where(rng.random((n, height, width)) < 0.7, 0, rng.integers(symbols, size=(n, height, width)))
    return torch.from_numpy(names[numbers].astype(kind))


def plain(grid, embedding, convolution):
    return torch.relu(convolution(embedding(grid.long()).permute(0, 3, 1, 2)))


def same(grid, embedding, convolution, tolerance=1e-10):
    values, expected = embed_and_convolve(grid, embedding, convolution), plain(grid, embedding, convolution)
    torch.testing.assert_close(values, expected, rtol=0, atol=tolerance)
    given = torch.randn(expected.shape, dtype=expected.dtype, generator=torch.Generator().manual_seed(1))
    weights = [embedding.weight, convolution.weight, convolution.bias]
    for actual, wanted in zip(
        torch.autograd.grad(values, weights, given), torch.autograd.grad(expected, weights, given), strict=True
    ):
        torch.testing.assert_close(actual, wanted, rtol=0, atol=tolerance)


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize(("height", "width"), [(9, 9), (21, 79), (1, 1), (2, 5)])
def test_values_and_gradients_are_those_of_the_convolution(height, width, stride):
    same(grids(height=height, width=width), *layers(stride))


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
    same(grids(64), *layers(embedding=8, channels=16, kind=torch.float32), tolerance=2e-3)  # sums of 5,000


def test_the_order_of_rows_changes_no_row():
    grid = grids(16)
    embedding, convolution = layers()
    values = embed_and_convolve(grid, embedding, convolution)
    torch.testing.assert_close(
        embed_and_convolve(grid.flip(0), embedding, convolution).flip(0), values, rtol=0, atol=1e-14
    )


def test_an_empty_batch_has_no_codes():
    assert embed_and_convolve(grids(3)[:0], *layers()).shape == (0, 6, 9, 9)
