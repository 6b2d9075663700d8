"""Who decides whether the next chunk of the budget explores or exploits.

Source: Paolo et al. 2024 (STAX) and its code.
"""

from __future__ import annotations

import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np

from foundation.checks import one_of

EXPLORE, EXPLOIT = "exploration", "exploitation"


class Scheduler(ABC):
    """Chooses the kind of every chunk, which has as many evaluations either way."""

    def __init__(self) -> None:
        self.chunks = {EXPLORE: 0, EXPLOIT: 0}

    @abstractmethod
    def choose(self, random: np.random.Generator, left: float) -> str:
        """What to do next, where there is something to exploit; `left`: the share of the budget."""

    def learn(self, kind: str, before: int, after: int) -> None:
        """A chunk is over; how many emitters and candidates there were before and after."""
        self.chunks[kind] += 1

    def state_dict(self) -> dict[str, Any]:
        return copy.deepcopy(vars(self))

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        vars(self).update(copy.deepcopy(dict(state)))


class Alternating(Scheduler):
    """In turns, exploration first."""

    def __init__(self) -> None:
        super().__init__()
        self.last = EXPLOIT

    def choose(self, random: np.random.Generator, left: float) -> str:
        return EXPLORE if self.last == EXPLOIT else EXPLOIT

    def learn(self, kind: str, before: int, after: int) -> None:
        super().learn(kind, before, after)
        self.last = kind


class FixedSampling(Scheduler):
    """Either with probability ½."""

    def choose(self, random: np.random.Generator, left: float) -> str:
        return EXPLORE if random.random() < 0.5 else EXPLOIT


class TimeSampling(Scheduler):
    """Exploration with the probability of the budget's share that is left."""

    def choose(self, random: np.random.Generator, left: float) -> str:
        return EXPLORE if random.random() < left else EXPLOIT


class Bandit(Scheduler):
    """UCB1: the larger Q + √(ln t / n), Q the mean of what a chunk was worth.

    Exploration is worth tanh of the emitters and candidates that it added, exploitation tanh of
    those that it brought to an end. (The published code writes −tanh Δ and tanh Δ; this is the
    reading of Δ, before − after, by which either is paid for its work.)
    """

    def __init__(self) -> None:
        super().__init__()
        self.worth = {EXPLORE: 0.0, EXPLOIT: 0.0}

    def choose(self, random: np.random.Generator, left: float) -> str:
        if not self.chunks[EXPLOIT]:
            return EXPLOIT
        total = math.log(max(1, sum(self.chunks.values())))
        bounds = {kind: self.worth[kind] + math.sqrt(total / max(1, n)) for kind, n in self.chunks.items()}
        return EXPLORE if bounds[EXPLORE] >= bounds[EXPLOIT] else EXPLOIT

    def learn(self, kind: str, before: int, after: int) -> None:
        super().learn(kind, before, after)
        reward = math.tanh(after - before if kind == EXPLORE else before - after)
        self.worth[kind] += (reward - self.worth[kind]) / self.chunks[kind]


SCHEDULERS: dict[str, type[Scheduler]] = {
    "alternating": Alternating,
    "fixed_sampling": FixedSampling,
    "time_sampling": TimeSampling,
    "mab": Bandit,
}


def make_scheduler(name: str) -> Scheduler:
    """One by its name.

    Raises:
        ValueError: there is none of that name.
    """
    return SCHEDULERS[one_of("scheduler", name, SCHEDULERS)]()
