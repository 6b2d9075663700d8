"""GenomePolicy: a small network whose weights are one row of numbers.

Whoever searches the space of policies without gradients searches among such rows. A row plays in
two ways that come to the same: many rows at once, by `GenomePolicy.act`, and one row inside a
compiled loop, by `act_compiled`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from foundation.checks import whole

FloatArray = NDArray[np.float64]


class GenomePolicy:
    """The shape of a network, and what rows of its weights do.

    Every layer, the last too, is tanh(x/2) of a weighted sum plus one number that all its units
    share. In a row, the layers follow each other: the weights (inputs × outputs, by rows), then the
    shared number.

    Source: Paolo et al. 2021 (SERENE), the authors' code.

    Args:
        inputs: numbers that are seen.
        outputs: numbers that are put out, each in [-1, 1].
        hidden: units of the layers between; none for a single layer.

    Raises:
        ValueError: fewer than one of anything.

    >>> GenomePolicy(2, 2).size
    48
    >>> GenomePolicy(1, 1, ()).act([[1.0, 0.5]], [[2.0]]).round(4)  # tanh((1 · 2 + .5) / 2)
    array([[0.8483]])
    """

    def __init__(self, inputs: int, outputs: int, hidden: Sequence[int] = (5, 5)) -> None:
        layers = (whole("inputs", inputs), *(whole("hidden", units) for units in hidden), whole("outputs", outputs))
        self.sizes: tuple[int, ...] = layers
        """Units of every layer, the inputs first."""
        self.size: int = sum(rows * columns + 1 for rows, columns in pairwise(layers))
        """Numbers in a row."""

    def act(self, genomes: Any, observations: Any) -> FloatArray:
        """What genomes (n, size) do at observations (n, inputs), each at its own: (n, outputs).

        Raises:
            ValueError: arrays of other shapes.
        """
        rows, seen = np.asarray(genomes, np.float64), np.asarray(observations, np.float64)
        if rows.ndim != 2 or rows.shape[1] != self.size:
            raise ValueError(f"genomes are {rows.shape}; expected (n, {self.size}) for layers of {self.sizes}")
        if seen.shape != (len(rows), self.sizes[0]):
            raise ValueError(f"observations are {seen.shape}; expected {(len(rows), self.sizes[0])}, one a genome")
        at = 0
        for before, after in pairwise(self.sizes):
            weights = rows[:, at : at + before * after].reshape(-1, before, after)
            at += before * after
            seen = np.tanh((np.einsum("ni,nio->no", seen, weights) + rows[:, at, None]) / 2.0)
            at += 1
        return seen


def scratch_for(sizes: Sequence[int]) -> FloatArray:
    """What `act_compiled` writes to between layers: two rows as wide as the widest layer."""
    return np.zeros((2, max(sizes)))


@njit(cache=True, nogil=True, error_model="numpy")
def act_compiled(genome: Any, sizes: Any, observation: Any, out: Any, scratch: Any) -> None:
    """What one genome (size,) does at one observation (inputs,), written to out (outputs,).

    Args:
        sizes: (layers,) int64, `GenomePolicy.sizes`.
        scratch: of `scratch_for`, one for each thread; (2, widest layer).
    """
    for index in range(sizes[0]):
        scratch[0, index] = observation[index]
    at, side = 0, 0
    for layer in range(1, len(sizes)):
        before, after = sizes[layer - 1], sizes[layer]
        shared = genome[at + before * after]
        for unit in range(after):
            total = shared
            for index in range(before):
                total += scratch[side, index] * genome[at + index * after + unit]
            scratch[1 - side, unit] = 2.0 / (1.0 + np.exp(-total)) - 1.0  # tanh(x/2), a third of its time
        at += before * after + 1
        side = 1 - side
    for unit in range(sizes[-1]):
        out[unit] = scratch[side, unit]
