"""Signatures of paths: iterated integrals, which tell a whole trajectory in a few numbers.

Source: Chen 1957, "Integration of Paths"; Lyons 2014, "Rough paths, signatures and the modelling of
functions on streams". Paths are piecewise linear.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np

from agents.quality_diversity.novelty import FloatArray
from foundation.checks import whole


def path_signature(path: FloatArray, level: int) -> FloatArray:
    """Levels 1 to `level` of the signature, concatenated, (Σ d^k,) or (n, Σ d^k).

    Level k holds the integrals over dx_i1 … dx_ik, the last index running fastest.

    >>> path_signature(np.array([[0.0, 0.0], [2.0, 1.0]]), 2)
    array([2. , 1. , 2. , 1. , 1. , 0.5])

    Args:
        path: points (times, d), or several paths (n, times, d).
        level: at least 1.

    Raises:
        ValueError: another shape, no points, NaN or infinity, or a level below 1.
    """
    paths, alone = _paths(path, level)
    flat = np.concatenate(_levels(paths, level), axis=1)
    return flat[0] if alone else flat


def log_signature(path: FloatArray, level: int) -> FloatArray:
    """The logarithm of the signature in its coordinates at Lyndon words, by length, then alphabet.

    In the plane at level 2: Δx, Δy and the Lévy area.

    >>> log_signature(np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]]), 2)
    array([1. , 1. , 0.5])

    Args, Raises: as of `path_signature`.
    """
    paths, alone = _paths(path, level)
    signature = _levels(paths, level)
    power = signature
    total = [entry.copy() for entry in signature]
    for exponent in range(2, level + 1):  # log(1 + x) = x − x²/2 + x³/3 …
        power = _product(power, signature)
        for entry, added in zip(total, power, strict=True):
            entry += (-1.0) ** (exponent + 1) / exponent * added
    words = lyndon_words(paths.shape[2], level)
    flat = np.concatenate([entry[:, words[k]] for k, entry in enumerate(total)], axis=1)
    return flat[0] if alone else flat


def signature_size(dimensions: int, level: int) -> int:
    """Numbers in `path_signature`."""
    return sum(dimensions**k for k in range(1, level + 1))


def log_signature_size(dimensions: int, level: int) -> int:
    """Numbers in `log_signature`."""
    return sum(len(words) for words in lyndon_words(dimensions, level))


@lru_cache
def lyndon_words(dimensions: int, level: int) -> tuple[list[int], ...]:
    """For every length, the places in its level of words that come before all their rotations."""
    found = []
    for length in range(1, level + 1):
        words = enumerate(product(range(dimensions), repeat=length))
        rotations = ((place, word, [word[cut:] + word[:cut] for cut in range(1, length)]) for place, word in words)
        found.append([place for place, word, others in rotations if all(word < other for other in others)])
    return tuple(found)


def _paths(path: FloatArray, level: int) -> tuple[FloatArray, bool]:
    whole("level", level)
    paths: FloatArray = np.asarray(path, np.float64)
    alone = paths.ndim == 2
    paths = paths[None] if alone else paths
    if paths.ndim != 3 or 0 in paths.shape[1:]:
        raise ValueError(f"a path of the shape {np.shape(path)}: expected (times, d) or (n, times, d)")
    if not np.isfinite(paths).all():
        raise ValueError("a path holds NaN or infinity: leave failed individuals out")
    return paths, alone


def _levels(paths: FloatArray, level: int) -> list[FloatArray]:
    """Each level flat, (n, d^k): segment by segment by Chen's identity, in Horner's form."""
    n, times, d = paths.shape
    levels: list[Any] = [np.zeros((n, d**k)) for k in range(1, level + 1)]
    for time in range(1, times):
        step: FloatArray = paths[:, time] - paths[:, time - 1]
        for k in range(level, 0, -1):
            grown: FloatArray = step / k
            for lower in range(1, k):
                grown = _outer(levels[lower - 1] + grown, step / (k - lower))
            levels[k - 1] += grown
    return levels


def _product(left: list[FloatArray], right: list[FloatArray]) -> list[FloatArray]:
    """Of two tensor series without a constant, cut off at their level."""
    result: list[FloatArray] = [np.zeros_like(entry) for entry in left]
    for i, first in enumerate(left):
        for j, second in enumerate(right[: len(left) - i - 1]):
            result[i + j + 1] += _outer(first, second)
    return result


def _outer(left: FloatArray, right: FloatArray) -> FloatArray:
    flat: FloatArray = (left[:, :, None] * right[:, None, :]).reshape(len(left), -1)
    return flat
