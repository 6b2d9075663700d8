"""Running mean and variance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from shaping.transitions import Array


class RunningMoments:
    """Mean and variance of rows, merged batch by batch (Chan, Golub and LeVeque 1979)."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.count = 0
        self.mean: Any = np.zeros(shape) if shape else 0.0
        self._squares: Any = np.zeros(shape) if shape else 0.0  # sum of squared distances to the mean

    def add(self, rows: Array) -> None:
        """Take in (n, *shape)."""
        n = len(rows)
        mean: Any = rows.sum(axis=0, dtype=np.float64) / n
        squares: Any = np.square(rows - mean).sum(axis=0)
        if rows.ndim == 1:
            mean, squares = float(mean), float(squares)  # faster than numpy's scalars
        delta, total = mean - self.mean, self.count + n
        self._squares = self._squares + squares + delta * delta * (self.count * n / total)
        self.mean = self.mean + delta * (n / total)
        self.count = total

    @property
    def variance(self) -> Any:
        return self._squares / max(self.count, 1)

    def state_dict(self) -> dict[str, Any]:
        return {"count": self.count, "mean": np.array(self.mean), "squares": np.array(self._squares)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.count = int(state["count"])
        self.mean, self._squares = np.array(state["mean"])[()], np.array(state["squares"])[()]
