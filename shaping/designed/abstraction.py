"""Cells of a continuous observation, and the process on them as it is estimated from steps.

Source: Devidze et al. 2021, "Explicable Reward Design for Reinforcement Learning Agents", whose
designs for continuous worlds are made on an abstraction and lifted back.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from foundation.checks import whole
from foundation.tabular_mdp import FloatArray, IntArray, TabularMDP


@dataclass(frozen=True)
class Bins:
    """A box cut into equal cells along each dimension; what lies outside is in the outermost cell.

    Attributes:
        low, high: the box, a number a dimension.
        counts: cells along each dimension.

    Raises:
        ValueError: lengths that differ, or an empty or unbounded box.
    """

    low: tuple[float, ...]
    high: tuple[float, ...]
    counts: tuple[int, ...]

    def __post_init__(self) -> None:
        if not len(self.low) == len(self.high) == len(self.counts) or not self.counts:
            raise ValueError(
                f"bins: low has {len(self.low)} numbers, high {len(self.high)}, counts {len(self.counts)}; expected "
                "one of each for every dimension of the observation"
            )
        for low, high, count in zip(self.low, self.high, self.counts, strict=True):
            whole("bins", count)
            if not np.isfinite([low, high]).all() or low >= high:
                raise ValueError(f"bins from {low} to {high}: expected two finite numbers, the lower one first")

    @property
    def size(self) -> int:
        """How many cells there are."""
        return int(np.prod(self.counts))

    def cells(self, observations: npt.NDArray[Any]) -> IntArray:
        """The number of each observation's cell, (n,); the last dimension changes fastest.

        Args:
            observations: (n, dimensions).

        Raises:
            ValueError: another number of dimensions.
        """
        rows = np.asarray(observations, np.float64)
        if rows.ndim != 2 or rows.shape[1] != len(self.counts):
            raise ValueError(f"observations are {rows.shape}; these bins are for (n, {len(self.counts)})")
        low, high, counts = (np.asarray(values) for values in (self.low, self.high, self.counts))
        places = np.floor((rows - low) / (high - low) * counts).astype(np.int64)
        cells: IntArray = np.ravel_multi_index(np.clip(places, 0, counts - 1).T, self.counts).astype(np.int64)
        return cells

    def places(self) -> tuple[tuple[int, int], ...]:
        """Where cells lie on a map: the first dimension to the right, the second up."""
        first, second = self.counts[0], int(np.prod(self.counts[1:]))
        return tuple((cell // second, cell % second) for cell in range(first * second))


@dataclass(frozen=True)
class Steps:
    """Steps between cells, (n,) each."""

    cells: IntArray
    actions: IntArray
    rewards: FloatArray
    following: IntArray
    terminated: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Estimate:
    """A process on cells, estimated.

    Attributes:
        mdp: the cells, and behind them one absorbing state for everything that ends an episode.
        untried: how many pairs of cell and action no step tried: they stay where they are, unpaid.
    """

    mdp: TabularMDP
    untried: int


def estimated(bins: Bins, n_actions: int, steps: Iterable[Steps], starts: Sequence[int], gamma: float) -> Estimate:
    """The process that steps make likely: shares of what followed, means of what was paid.

    Args:
        bins: the cells.
        n_actions: of the world.
        steps: what was played.
        starts: cells in which episodes started.
        gamma: the discount.

    Raises:
        ValueError: no steps, or no starts.
    """
    states = bins.size + 1
    counts, paid = np.zeros((states, n_actions, states)), np.zeros((states, n_actions))
    for batch in steps:
        following = np.where(batch.terminated, bins.size, batch.following)
        np.add.at(counts, (batch.cells, batch.actions, following), 1.0)
        np.add.at(paid, (batch.cells, batch.actions), batch.rewards)
    tried = counts.sum(axis=2)
    if not tried.any() or not len(starts):
        raise ValueError("there are no steps to estimate a process from; give samples=")
    transitions = np.tile(np.eye(states)[:, None], (1, n_actions, 1))
    there = tried > 0
    transitions[there] = counts[there] / tried[there][:, None]
    rewards = np.divide(paid, tried, out=np.zeros_like(paid), where=there)
    start = np.bincount(starts, minlength=states) / len(starts)
    mdp = TabularMDP(transitions, rewards, gamma, start, (bins.size,), (*bins.places(), None))
    return Estimate(mdp, int((~there[: bins.size]).sum()))
