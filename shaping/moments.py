"""Running mean and variance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from shaping.transitions import Array


class RunningMoments:
    """Mean and variance of rows, merged batch by batch (Chan, Golub and LeVeque 1979).

    Args:
        shape: of a row.
        prior: rows, or a fraction of one, of mean 0 and variance 1 that it begins with. 0: the
            moments are those of the rows alone.
        unbiased: take a batch of n rows for n / (n - 1) times as spread as it is.
    """

    def __init__(self, shape: tuple[int, ...], prior: float = 0, unbiased: bool = False) -> None:
        self.count = prior
        self.mean: Any = np.zeros(shape) if shape else 0.0
        self._squares: Any = np.full(shape, float(prior)) if shape else float(prior)  # squared distances to the mean
        self._unbiased = unbiased

    def add(self, rows: Array) -> None:
        """Take in (n, *shape)."""
        n = len(rows)
        mean: Any = rows.sum(axis=0, dtype=np.float64) / n
        squares: Any = np.square(rows - mean).sum(axis=0)
        if self._unbiased and n > 1:
            squares = squares * (n / (n - 1))
        if rows.ndim == 1:
            mean, squares = float(mean), float(squares)  # faster than numpy's scalars
        delta, total = mean - self.mean, self.count + n
        self._squares = self._squares + squares + delta * delta * (self.count * n / total)
        self.mean = self.mean + delta * (n / total)
        self.count = total

    @property
    def variance(self) -> Any:
        return self._squares / (self.count or 1)

    def state_dict(self) -> dict[str, Any]:
        return {"count": self.count, "mean": np.array(self.mean), "squares": np.array(self._squares)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.count = state["count"]
        self.mean, self._squares = np.array(state["mean"])[()], np.array(state["squares"])[()]
