"""Values of several signals at once, linear in features of the observation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from shaping.transitions import BoolArray, FloatArray

FORGETTING = 0.8  # share of what was counted that a further rollout leaves
RIDGE = 1e-2  # of the sum of squares: a feature that never varies gets no weight


class LinearCritics:
    """V_i(s) = z(s) · β_i for each signal i, by least squares on λ-returns, older rollouts fading.

    Args:
        width: of the features z.
        signals: how many.
        gamma: the discount.
        lambda_: of the λ-returns and advantages.
    """

    def __init__(self, width: int, signals: int, gamma: float, lambda_: float) -> None:
        self.gamma, self.lambda_ = gamma, lambda_
        self._squares: FloatArray = np.zeros((width + 1, width + 1))
        self._products: FloatArray = np.zeros((width + 1, signals))
        self._weights: FloatArray = np.zeros((width + 1, signals))

    def __call__(self, features: Any) -> FloatArray:
        """(..., signals) of features (..., width)."""
        values: FloatArray = features @ self._weights[:-1] + self._weights[-1]
        return values

    def advantages(
        self, rewards: FloatArray, features: Any, following: Any, terminated: BoolArray, ended: BoolArray
    ) -> FloatArray:
        """Generalised advantages (T, n, signals) of a rollout (Schulman et al. 2016).

        Args:
            rewards: (T, n, signals).
            features: of the observations, (T, n, width).
            following: of the true successors, (T, n, width).
            terminated: (T, n), where the task ended.
            ended: (T, n), where the episode did.
        """
        values = self(features)
        next_values = self(following) * ~terminated[..., None]
        errors = rewards + self.gamma * next_values - values
        goes_on = (self.gamma * self.lambda_) * ~ended[..., None]
        advantages: FloatArray = np.empty_like(errors)
        later: Any = np.zeros(errors.shape[1:])
        for step in range(len(errors) - 1, -1, -1):
            later = errors[step] + goes_on[step] * later
            advantages[step] = later
        return advantages

    def learn(self, features: Any, returns: FloatArray) -> None:
        """Take in λ-returns (T, n, signals); never before advantages of the same steps."""
        rows = features.reshape(-1, features.shape[-1]).astype(np.float64)
        rows = np.concatenate([rows, np.ones((len(rows), 1))], axis=1)
        self._squares = FORGETTING * self._squares + rows.T @ rows
        self._products = FORGETTING * self._products + rows.T @ returns.reshape(len(rows), -1)
        ridge = RIDGE * np.trace(self._squares) / len(self._squares) + 1e-8
        self._weights = np.linalg.solve(self._squares + ridge * np.eye(len(self._squares)), self._products)

    def state_dict(self) -> dict[str, Any]:
        return {"squares": self._squares.copy(), "products": self._products.copy(), "weights": self._weights.copy()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._squares = np.array(state["squares"])
        self._products, self._weights = np.array(state["products"]), np.array(state["weights"])
