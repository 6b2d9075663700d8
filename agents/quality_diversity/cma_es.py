"""CMA-ES in a few arrays, so that it can be stopped and goes on to the bit.

Source: Hansen 2016, "The CMA Evolution Strategy: A Tutorial" (weighted recombination of the better
half, rank-one and rank-μ updates, step lengths by the evolution path).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from agents.quality_diversity.novelty import FloatArray
from foundation.checks import number, whole

TRIES = 10
"""Draws for a genome within the bounds before it is clipped."""
LARGEST_CONDITION, SMALLEST_STEP, FLAT = 1e14, 1e-11, 1e-12


class CMAES:
    """A normal distribution that moves and stretches to where values are higher.

    Args:
        mean: where it starts, (D,).
        sigma: the first deviation.
        population: samples a step.
        bound: they lie within ± this.

    Raises:
        ValueError: a number that cannot be.
    """

    def __init__(self, mean: FloatArray, sigma: float, population: int = 6, bound: float = 5.0) -> None:
        whole("population", population, least=2)
        number("sigma", sigma, above=0)
        d = len(mean)
        self.population, self.bound = population, bound
        parents = population // 2
        weights = math.log(parents + 0.5) - np.log(np.arange(1, parents + 1))
        self.weights: FloatArray = weights / weights.sum()
        self.effective = effective = float(1.0 / np.square(self.weights).sum())
        self.rate_path = (4 + effective / d) / (d + 4 + 2 * effective / d)
        self.rate_step = (effective + 2) / (d + effective + 5)
        self.rate_one = 2 / ((d + 1.3) ** 2 + effective)
        rank_mu = 2 * (effective - 2 + 1 / effective) / ((d + 2) ** 2 + effective)
        self.rate_mu = min(1 - self.rate_one, rank_mu)
        self.damping = 1 + 2 * max(0.0, math.sqrt((effective - 1) / (d + 1)) - 1) + self.rate_step
        self.expected = math.sqrt(d) * (1 - 1 / (4 * d) + 1 / (21 * d * d))
        """The mean length of a standard normal vector."""
        self.lazy = max(1, int(1 / (10 * d * (self.rate_one + self.rate_mu))))
        """Steps that the axes are used for."""
        self.flat_after = 10 + math.ceil(30 * d / population)
        self.mean: FloatArray = np.array(mean, np.float64)
        self.sigma = float(sigma)
        self.step = 0
        self.path_mean: FloatArray = np.zeros(d)
        self.path_step: FloatArray = np.zeros(d)
        self.covariance: FloatArray = np.eye(d)
        self.axes: FloatArray = np.eye(d)
        self.lengths: FloatArray = np.ones(d)
        self.bests: list[float] = []

    def ask(self, random: np.random.Generator) -> FloatArray:
        """Samples within the bounds, (population, D)."""
        samples = self._drawn(random, self.population)
        for _ in range(TRIES):
            outside = np.flatnonzero((np.abs(samples) > self.bound).any(axis=1))
            if not len(outside):
                return samples
            samples[outside] = self._drawn(random, len(outside))
        bounded: FloatArray = np.clip(samples, -self.bound, self.bound)
        return bounded

    def tell(self, samples: FloatArray, values: FloatArray) -> None:
        """Move towards the better half; those that failed are worth −inf.

        With fewer samples than were asked, as where a budget ends, it stays where it is.
        """
        if len(samples) < self.population or not np.isfinite(values).any():
            return
        self.step += 1
        best = np.argsort(-values, kind="stable")[: len(self.weights)]
        self.bests = [*self.bests[-self.flat_after + 1 :], float(values[best[0]])]
        steps = (samples[best] - self.mean) / self.sigma
        move = self.weights @ steps
        self.mean = self.mean + self.sigma * move
        whitened = self.axes @ ((self.axes.T @ move) / self.lengths)
        keep, d = 1 - self.rate_step, len(self.mean)
        self.path_step = keep * self.path_step + math.sqrt((1 - keep**2) * self.effective) * whitened
        length = float(np.linalg.norm(self.path_step))
        straight = length / math.sqrt(1 - keep ** (2 * self.step)) < (1.4 + 2 / (d + 1)) * self.expected
        keep = 1 - self.rate_path
        added = math.sqrt((1 - keep**2) * self.effective) if straight else 0.0
        self.path_mean = keep * self.path_mean + added * move
        shrunk = 1 - self.rate_one - self.rate_mu + (0.0 if straight else self.rate_one * (1 - keep**2))
        self.covariance = (
            shrunk * self.covariance
            + self.rate_one * np.outer(self.path_mean, self.path_mean)
            + self.rate_mu * (steps.T * self.weights) @ steps
        )
        self.sigma *= math.exp(min(1.0, self.rate_step / self.damping * (length / self.expected - 1)))
        if self.step % self.lazy == 0:
            values_of, self.axes = np.linalg.eigh((self.covariance + self.covariance.T) / 2)
            self.lengths = np.sqrt(np.maximum(values_of, 1e-30))

    @property
    def has_stopped(self) -> bool:
        """It is too narrow, too long drawn out, or its best has not changed for long."""
        longest, shortest = float(self.lengths.max()), float(self.lengths.min())
        flat = len(self.bests) >= self.flat_after and max(self.bests) - min(self.bests) < FLAT
        narrow = self.sigma * longest < SMALLEST_STEP
        return flat or narrow or (longest / shortest) ** 2 > LARGEST_CONDITION

    def state_dict(self) -> dict[str, Any]:
        return {name: copy.copy(getattr(self, name)) for name in _STATE} | {"population": self.population}

    @classmethod
    def from_state(cls, state: Mapping[str, Any], bound: float = 5.0) -> CMAES:
        made = cls(np.array(state["mean"]), state["sigma"], state["population"], bound)
        for name in _STATE:
            value = state[name]
            setattr(made, name, np.array(value) if isinstance(value, np.ndarray) else copy.copy(value))
        return made

    def _drawn(self, random: np.random.Generator, count: int) -> FloatArray:
        noise = random.standard_normal((count, len(self.mean)))
        drawn: FloatArray = self.mean + self.sigma * ((noise * self.lengths) @ self.axes.T)
        return drawn


_STATE = ("mean", "sigma", "step", "path_mean", "path_step", "covariance", "axes", "lengths", "bests")
