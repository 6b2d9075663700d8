"""Searches that adapt a normal distribution: CMA-ES with restarts, and CMA-ME.

Sources: Hansen 2016, "The CMA Evolution Strategy: A Tutorial"; Fontaine et al. 2020, "Covariance
Matrix Adaptation for the Rapid Illumination of Behavior Space" (optimising emitters).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from agents.quality_diversity.cma_es import CMAES
from agents.quality_diversity.evaluations import Evaluations
from agents.quality_diversity.evolver import Evolver, Proposal
from agents.quality_diversity.grid_archive import REFUSED
from agents.quality_diversity.map_elites import MapElites
from agents.quality_diversity.members import Archive, Elites
from agents.quality_diversity.novelty import FloatArray, IntArray
from foundation.checks import number, whole


class CMAESSearch(Evolver):
    """Climbs the reward from the middle; begins again at the best of all where it comes to a stop.

    Args:
        population: samples a step.
        sigma: the first deviation.
        rest: as of `Evolver`.

    Raises:
        ValueError: a number that cannot be.
    """

    def __init__(self, size: int, budget: int, *, population: int = 6, sigma: float = 0.05, **rest: Any) -> None:
        super().__init__(size, budget, **rest)
        self.population, self.sigma = whole("population", population, least=2), number("sigma", sigma, above=0)
        self.strategy = CMAES(np.zeros(size), sigma, population, self.bound)
        self.restarts = 0
        self.bests = Archive(self.nobody())
        """Whoever was better than all before."""

    def propose(self) -> Proposal:
        return Proposal("exploitation", self.strategy.ask(self.random))

    def absorb(self, genomes: FloatArray, evaluations: Evaluations) -> None:
        members = self.members_of(genomes, evaluations)
        if len(members):
            row = int(np.argmax(members.rewards))
            if not len(self.bests) or members.rewards[row] > self.bests.members.rewards[-1]:
                self.bests.add(members.rows(slice(row, row + 1)))
        self.strategy.tell(genomes, evaluations.rewards)
        if self.strategy.has_stopped:
            self.strategy = CMAES(self.best(), self.sigma, self.population, self.bound)
            self.restarts += 1

    def elites(self) -> Elites:
        return self.bests.members.elites()

    def metrics(self) -> dict[str, float]:
        return {"restarts": float(self.restarts), "sigma": self.strategy.sigma}

    def search_state(self) -> dict[str, Any]:
        return {
            "strategy": self.strategy.state_dict(),
            "restarts": self.restarts,
            "bests": self.bests.state_dict(),
        }

    def load_search_state(self, state: Mapping[str, Any]) -> None:
        self.strategy = CMAES.from_state(state["strategy"], self.bound)
        self.restarts = state["restarts"]
        self.bests.load_state_dict(state["bests"])


class CMAME(MapElites):
    """A grid that is filled by many CMA-ES, one from each individual of the first population.

    The one that has put least into the grid is next, the one with fewer steps among equals. It
    ranks by reward; where a step puts nothing into the grid, it begins again at any holder.

    Args:
        low, high, bins: of the grid.
        population: random genomes at first, and so many CMA-ES, each made when its turn comes.
        samples: of a step.
        sigma: the first deviation.
        rest: as of `Evolver`.

    Raises:
        ValueError: a number that cannot be, or a grid that does not fit.
    """

    ties = False

    def __init__(
        self,
        size: int,
        budget: int,
        *,
        low: Sequence[float] | float = -1.0,
        high: Sequence[float] | float = 1.0,
        bins: int = 50,
        population: int = 100,
        samples: int = 6,
        sigma: float = 0.5,
        **rest: Any,
    ) -> None:
        super().__init__(size, budget, low=low, high=high, bins=bins, population=population, sigma=sigma, **rest)
        self.samples = whole("samples", samples, least=2)
        self.means: FloatArray = np.zeros((0, size))
        """Where each begins."""
        self.strategies: dict[int, CMAES] = {}
        self.stored: IntArray = np.zeros(0, np.int64)
        self.steps: IntArray = np.zeros(0, np.int64)
        self.turn = -1
        """Whose samples the batch is; −1: it is the first population."""
        self.restarts = 0

    def propose(self) -> Proposal:
        if not len(self.means):
            self.turn = -1
            return super().propose()
        self.turn = int(np.lexsort((self.steps, self.stored))[0])
        if self.turn not in self.strategies:
            self.strategies[self.turn] = CMAES(self.means[self.turn], self.sigma, self.samples, self.bound)
        return Proposal("exploitation", self.strategies[self.turn].ask(self.random))

    def absorb(self, genomes: FloatArray, evaluations: Evaluations) -> None:
        members = self.members_of(genomes, evaluations)
        status = self.grid.add(members)
        if self.turn < 0:
            self.means = members.genomes
            self.stored, self.steps = np.zeros(len(members), np.int64), np.zeros(len(members), np.int64)
            return
        strategy = self.strategies[self.turn]
        strategy.tell(genomes, evaluations.rewards)
        stored = int((status != REFUSED).sum())
        self.stored[self.turn] += stored
        self.steps[self.turn] += 1
        if not stored or strategy.has_stopped:
            mean = self.grid.members.genomes[int(self.random.integers(len(self.grid)))]
            self.strategies[self.turn] = CMAES(mean, self.sigma, self.samples, self.bound)
            self.restarts += 1

    def metrics(self) -> dict[str, float]:
        return super().metrics() | {"restarts": float(self.restarts)}

    def search_state(self) -> dict[str, Any]:
        return super().search_state() | {
            "means": self.means.copy(),
            "strategies": {str(turn): strategy.state_dict() for turn, strategy in self.strategies.items()},
            "stored": self.stored.copy(),
            "steps": self.steps.copy(),
            "turn": self.turn,
            "restarts": self.restarts,
        }

    def load_search_state(self, state: Mapping[str, Any]) -> None:
        super().load_search_state(state)
        self.means = np.array(state["means"])
        self.strategies = {int(turn): CMAES.from_state(kept, self.bound) for turn, kept in state["strategies"].items()}
        self.stored, self.steps = np.array(state["stored"]), np.array(state["steps"])
        self.turn, self.restarts = state["turn"], state["restarts"]
