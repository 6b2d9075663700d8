"""Policies whose outputs are linear in features, with every derivative written out."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces

from agents.behaviour_alignment.objectives import Array, FloatArray

TINY = 1e-300


class Softmax:
    """One of `n` discrete actions, by softmax of `n` outputs."""

    def __init__(self, space: spaces.Discrete) -> None:
        self.outputs = int(space.n)

    def probabilities(self, outputs: FloatArray) -> FloatArray:
        """(N, n)."""
        likely = np.exp(outputs - outputs.max(axis=1, keepdims=True))
        likely /= likely.sum(axis=1, keepdims=True)
        return likely

    def sample(self, outputs: FloatArray, random: Any) -> Array:
        """An action a row, (N,); `random` gives `random(N)`."""
        reached = self.probabilities(outputs).cumsum(axis=1)
        drawn = random.random(len(outputs))[:, None] * reached[:, -1:]
        chosen: Array = (reached <= drawn).sum(axis=1)
        return np.minimum(chosen, self.outputs - 1)

    def likeliest(self, outputs: FloatArray) -> Array:
        """The likeliest action of every row, (N,)."""
        best: Array = outputs.argmax(axis=1)
        return best

    def log_probabilities(self, outputs: FloatArray, actions: Array) -> FloatArray:
        """log π(a), (N,)."""
        logs = np.log(self.probabilities(outputs) + TINY)
        taken: FloatArray = logs[np.arange(len(logs)), actions]
        return taken

    def scores(self, outputs: FloatArray, actions: Array) -> FloatArray:
        """e_a − π."""
        scores = -self.probabilities(outputs)
        scores[np.arange(len(scores)), actions] += 1.0
        return scores

    def entropies(self, outputs: FloatArray) -> FloatArray:
        """−Σ π log π."""
        likely = self.probabilities(outputs)
        entropies: FloatArray = -(likely * np.log(likely + TINY)).sum(axis=1)
        return entropies

    def entropy_scores(self, outputs: FloatArray) -> FloatArray:
        """−π (log π + entropy)."""
        likely = self.probabilities(outputs)
        logs = np.log(likely + TINY)
        mean = (likely * logs).sum(axis=1, keepdims=True)
        return -likely * (logs - mean)

    def score_changes(
        self, outputs: FloatArray, actions: Array, weights: FloatArray, bonus: float, along: FloatArray
    ) -> FloatArray:
        """See `objectives.Actor`."""
        likely = self.probabilities(outputs)
        log_change = along - (likely * along).sum(axis=1, keepdims=True)
        change = likely * log_change
        total: FloatArray = -weights[:, None] * change
        if bonus:
            logs = np.log(likely + TINY)
            mean = (likely * logs).sum(axis=1, keepdims=True)
            mean_change = (change * logs).sum(axis=1, keepdims=True)
            total -= bonus * (change * (logs - mean) + likely * (log_change - mean_change))
        return total


class Gaussian:
    """Continuous actions: the mean a sigmoid of the outputs between the bounds, the spread fixed.

    Args:
        space: of the actions, one axis, with finite bounds.
        std: standard deviation of every number, in the action's own unit.
    """

    def __init__(self, space: spaces.Box, std: float) -> None:
        self.outputs = int(np.prod(space.shape))
        self.low = space.low.reshape(-1).astype(np.float64)
        self.range = space.high.reshape(-1).astype(np.float64) - self.low
        self.std = std

    def _means(self, outputs: FloatArray) -> tuple[FloatArray, FloatArray]:
        share = 1.0 / (1.0 + np.exp(-np.clip(outputs, -500.0, 500.0)))
        return self.low + self.range * share, share

    def sample(self, outputs: FloatArray, random: Any) -> Array:
        """Actions (N, size), not clipped; `random` gives `standard_normal(shape)`."""
        drawn: Array = self._means(outputs)[0] + self.std * random.standard_normal(outputs.shape)
        return drawn

    def likeliest(self, outputs: FloatArray) -> Array:
        """The means, (N, size)."""
        return self._means(outputs)[0]

    def log_probabilities(self, outputs: FloatArray, actions: Array) -> FloatArray:
        """log π(a), (N,)."""
        apart = (actions - self._means(outputs)[0]) / self.std
        constant = self.outputs * np.log(self.std * np.sqrt(2.0 * np.pi))
        logs: FloatArray = -0.5 * np.square(apart).sum(axis=1) - constant
        return logs

    def scores(self, outputs: FloatArray, actions: Array) -> FloatArray:
        """(a − mean) / std² · ∂mean/∂output."""
        mean, share = self._means(outputs)
        scores: FloatArray = (actions - mean) / self.std**2 * self.range * share * (1.0 - share)
        return scores

    def entropies(self, outputs: FloatArray) -> FloatArray:
        """The same everywhere: the spread is fixed."""
        return np.full(len(outputs), self.outputs * (0.5 + np.log(self.std * np.sqrt(2.0 * np.pi))))

    def entropy_scores(self, outputs: FloatArray) -> FloatArray:
        """0."""
        return np.zeros_like(outputs)

    def score_changes(
        self, outputs: FloatArray, actions: Array, weights: FloatArray, bonus: float, along: FloatArray
    ) -> FloatArray:
        """See `objectives.Actor`."""
        mean, share = self._means(outputs)
        slope = self.range * share * (1.0 - share)
        bend = slope * (1.0 - 2.0 * share)
        second = ((actions - mean) * bend - np.square(slope)) / self.std**2
        changes: FloatArray = weights[:, None] * second * along
        return changes
