"""A grid that policies are rounded to, so that two players who differ by a rounding error agree.

A receiver's network does not give a sender's probabilities to the last bit: batches, threads and
kernels differ. On a coarse grid both round to the same weights, unless a probability stands next to
a boundary. How near the nearest is, the margin, is known to whoever rounds: a difference below the
margin changes nothing, for certain.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from agents.coding.masses import FloatArray, IntArray, checked
from foundation.checks import whole

MOST_LEVELS = 1 << 22


@dataclass(frozen=True)
class Grid:
    """Multiples of 1/levels, each entry rounded by itself.

    No units are handed out afterwards to make a sum: they would go to the largest remainder, and
    equal remainders change places at the slightest difference.

    >>> Grid(1024).weights([1 / 3, 2 / 3, 0.0])
    array([341, 683,   0])

    Attributes:
        levels: a power of two, so that nothing is lost in multiplying; up to 2**22. More levels
            follow the policy closer and give smaller margins: the rounded policy differs from it by
            about 1/(2 levels) an action.

    Raises:
        ValueError: levels that are no power of two.
    """

    levels: int = 1024

    def __post_init__(self) -> None:
        whole("levels", self.levels, least=2, most=MOST_LEVELS)
        if self.levels & (self.levels - 1):
            raise ValueError(f"levels={self.levels}: expected a power of two, such as 1024")

    def weights(self, probabilities: npt.ArrayLike) -> IntArray:
        """Whole numbers in proportion to the rounded policy, (actions,).

        Zeros stay zero. Where every entry rounds to 0 the largest gets 1 (the lowest index of
        several).

        Args:
            probabilities: (actions,).

        Raises:
            ValueError: probabilities that are none; see `masses_of`.
        """
        return self.round(checked(probabilities))[0]

    def margin(self, probabilities: npt.ArrayLike) -> float:
        """How far, in probability, the nearest boundary is.

        As long as no entry changes by that much, and zeros stay zeros, weights are the same.

        Raises:
            ValueError: as `weights`.
        """
        return self.round(checked(probabilities))[1]

    def policy(self, probabilities: npt.ArrayLike) -> FloatArray:
        """The rounded policy as probabilities, (actions,): what is really played."""
        weights = self.weights(probabilities)
        return weights / weights.sum()

    def round(self, row: FloatArray) -> tuple[IntArray, float]:
        """Weights and margin of a row that is already checked."""
        weights, margin = _round(row, self.levels)
        return weights, float(margin)


@njit(cache=True, nogil=True, error_model="numpy")
def _round(row: Any, levels: Any) -> Any:
    n = len(row)
    weights = np.zeros(n, np.int64)
    margin, total = np.inf, 0
    largest, second = 0, -1.0
    for index in range(n):
        scaled = row[index] * levels
        below = np.floor(scaled)
        margin = min(margin, abs(scaled - below - 0.5) / levels)
        if row[index] > 0:
            weights[index] = int(below) + (1 if scaled - below >= 0.5 else 0)
            total += weights[index]
        if index and row[index] > row[largest]:
            second, largest = row[largest], index
        elif index:
            second = max(second, row[index])
    if total == 0:
        weights[largest] = 1
        if n > 1:
            margin = min(margin, (row[largest] - second) / 2.0)
    return weights, margin
