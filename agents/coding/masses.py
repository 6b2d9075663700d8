"""Probabilities as whole numbers that sum to 2**40, and their entropy.

Two players who must come to the same coupling cannot work with floats: a last bit breaks a tie the
other way. Whole numbers have no last bit. Entropy, which decides too, is made of additions,
multiplications and divisions alone, which every processor rounds alike; library logarithms differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

DIGIT = 20
"""Bits of half a mass: products of two masses are divided in two digits, each within int64."""
TOTAL = 1 << 2 * DIGIT
"""What the masses of a distribution sum to."""
SUMS_TO_ONE = 1e-6
"""By how much probabilities may miss a sum of 1."""
LOG2_E2 = 2.885390081777927
"""2 / ln 2."""


def masses_of(probabilities: npt.ArrayLike) -> IntArray:
    """Probabilities in units of 2**-40, (n,), exact in their sum.

    Every entry is rounded down, and units that are left go to the largest remainders, ties to the
    lowest index. Zeros stay zero; what is positive keeps a unit at least, taken from the largest.

    >>> masses_of([0.5, 0.0, 0.5]) * 2 == TOTAL
    array([ True, False,  True])

    Args:
        probabilities: (n,), at least one.

    Raises:
        ValueError: not one row, not finite, below 0, or a sum that misses 1 by more than 1e-6.
    """
    row = checked(probabilities)
    fine = np.rint(row * (4 * TOTAL)).astype(np.int64)
    masses = normalised(np.where(row > 0, np.maximum(fine, 1), 0))
    lost = (row > 0) & (masses == 0)
    masses[lost] = 1
    masses[masses.argmax()] -= lost.sum()
    return masses


def uniform(n: int) -> IntArray:
    """n masses as equal as can be: the first get the units that are left over."""
    return normalised(np.ones(n, np.int64))


def normalised(weights: npt.ArrayLike) -> IntArray:
    """Whole numbers in proportion, with the sum 2**40; largest remainders, as `masses_of`.

    Args:
        weights: (n,) whole numbers, not below 0, with a sum from 1 to 2**43.

    Raises:
        ValueError: weights that are none.
    """
    row = np.asarray(weights)
    if row.ndim != 1 or row.dtype.kind not in "iu":
        raise ValueError(
            f"weights are {row.dtype} of shape {row.shape}; expected one row of whole numbers. Probabilities go "
            "through masses_of"
        )
    masses, total = normalise(row.astype(np.int64, copy=False))
    if not 0 < total <= 8 * TOTAL:
        raise ValueError("weights are below 0, all 0, or sum to more than 2**43: expected whole numbers from 0 on")
    return masses


def checked(probabilities: npt.ArrayLike) -> FloatArray:
    """One row of probabilities as float64.

    Raises:
        ValueError: as `masses_of`.
    """
    row = np.asarray(probabilities, np.float64)
    if row.ndim != 1 or not row.size:
        raise ValueError(f"probabilities have the shape {row.shape}; expected one row, (n,), with n of at least 1")
    fault = probability_fault(row)
    if fault:
        raise ValueError(fault)
    return row


def probability_fault(row: FloatArray) -> str:
    """What is wrong with a row of probabilities; empty where nothing is."""
    total, least = scan(row)
    if not np.isfinite(total):
        return "a probability is not finite: expected numbers from 0 to 1. Look for NaN in what the policy puts out"
    if least < 0:
        return f"a probability is {least:g}: expected numbers from 0 to 1"
    if abs(total - 1.0) > SUMS_TO_ONE:
        return f"probabilities sum to {total:.9g}, not 1: normalise them (logits go through a softmax first)"
    return ""


def entropy(masses: Sequence[int] | IntArray) -> float:
    """Entropy of whole-number weights, in bits: the same on every machine, to the bit."""
    return float(entropy_of(np.asarray(masses, np.int64)))


# Compiled ----------------------------------------------------------------------------------------


@njit(cache=True, nogil=True, error_model="numpy")
def scan(row: Any) -> Any:
    """Sum and least of floats."""
    total, least = 0.0, np.inf
    for value in row:
        total += value
        least = min(least, value)
    return total, least


@njit(cache=True, nogil=True, error_model="numpy")
def log2_of(value: Any) -> Any:
    """log2 of a number of at least 1, within 2 units of its last place: 2/ln 2 · artanh."""
    exponent, x = 0.0, float(value)
    for power, scale in ((32.0, 2.0**-32), (16.0, 2.0**-16), (8.0, 2.0**-8), (4.0, 2.0**-4), (2.0, 2.0**-2)):
        if x * scale >= 1.0:
            x *= scale
            exponent += power
    while x > 1.4142135623730951:
        x *= 0.5
        exponent += 1.0
    s = (x - 1.0) / (x + 1.0)
    square, series = s * s, 0.0
    for odd in range(23, 0, -2):
        series = series * square + 1.0 / odd
    return exponent + LOG2_E2 * s * series


@njit(cache=True, nogil=True, error_model="numpy")
def entropy_of(masses: Any) -> Any:
    """`entropy` of int64."""
    total, weighed, support = 0, 0.0, 0
    last, last_weighed = 0, 0.0
    for mass in masses:
        if mass > 0:
            if mass != last:  # beliefs are mostly runs of equals
                last, last_weighed = mass, mass * log2_of(mass)
            total += mass
            weighed += last_weighed
            support += 1
    if support < 2:
        return 0.0
    return max(0.0, log2_of(total) - weighed / total)


@njit(cache=True, nogil=True, error_model="numpy")
def divided(a: Any, b: Any, whole: Any) -> Any:
    """a·b / whole for numbers up to 2**41 with a·b/whole below 2**43: quotient and remainder."""
    high, low = a >> DIGIT, a & ((1 << DIGIT) - 1)
    first = high * b
    quotient = first // whole
    second = ((first - quotient * whole) << DIGIT) + low * b
    last = second // whole
    return (quotient << DIGIT) + last, second - last * whole


@njit(cache=True, nogil=True, error_model="numpy")
def normalise(weights: Any) -> Any:
    """`normalised` of int64, and the sum of the weights; the sum is -1 where one is below 0."""
    n = len(weights)
    masses = np.zeros(n, np.int64)
    total = 0
    for weight in weights:
        if weight < 0 or weight > 8 * TOTAL:
            return masses, -1
        total += weight
    if total <= 0 or total > 8 * TOTAL:
        return masses, total
    remainders = np.zeros(n, np.int64)
    left, last = TOTAL, -1
    for index in range(n):
        weight = weights[index]
        if weight == 0:
            continue
        if last >= 0 and weight == weights[last]:
            masses[index], remainders[index] = masses[last], remainders[last]
        else:  # long division of weight · 2**40 by the total, 20 bits at a time
            scaled = weight << DIGIT
            high = scaled // total
            scaled = (scaled - high * total) << DIGIT
            low = scaled // total
            masses[index], remainders[index] = (high << DIGIT) + low, scaled - low * total
        last = index
        left -= masses[index]
    hand_out(masses, remainders, left)
    return masses, total


@njit(cache=True, nogil=True, error_model="numpy")
def hand_out(masses: Any, remainders: Any, left: Any) -> Any:
    """One unit each to the `left` largest remainders, ties to the lowest index."""
    n = len(masses)
    if left <= 4:
        for _ in range(left):
            best = 0
            for index in range(1, n):
                if remainders[index] > remainders[best]:
                    best = index
            masses[best] += 1
            remainders[best] = -1
    else:
        order = np.argsort(-remainders, kind="mergesort")
        for index in order[:left]:
            masses[index] += 1
