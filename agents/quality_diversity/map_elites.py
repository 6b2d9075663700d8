"""MAP-Elites: mutations of whoever holds a cell of a grid.

Source: Mouret & Clune 2015, "Illuminating search spaces by mapping elites".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from agents.quality_diversity.evaluations import Evaluations
from agents.quality_diversity.evolver import Evolver, Proposal
from agents.quality_diversity.grid_archive import GridArchive
from agents.quality_diversity.members import Elites
from agents.quality_diversity.novelty import FloatArray
from foundation.checks import number, whole


class MapElites(Evolver):
    """Parents are drawn evenly from the grid; a child that is as good as a cell's holder takes it.

    Args:
        low, high: of the descriptors, one number each or the same for all.
        bins: of the grid along each dimension.
        population: random genomes at first, and parents of a generation.
        sigma: of the noise on every gene.
        rest: as of `Evolver`.

    Raises:
        ValueError: a number that cannot be, or a grid that does not fit.
    """

    ties = True

    def __init__(
        self,
        size: int,
        budget: int,
        *,
        low: Sequence[float] | float = -1.0,
        high: Sequence[float] | float = 1.0,
        bins: int = 50,
        population: int = 100,
        sigma: float = 0.05,
        **rest: Any,
    ) -> None:
        super().__init__(size, budget, **rest)
        self.population = whole("population", population)
        self.sigma = number("sigma", sigma, above=0)
        lows, highs = (_each(bound, self.descriptor_size) for bound in (low, high))
        self.grid = GridArchive(self.nobody(), lows, highs, bins, ties=self.ties)

    def propose(self) -> Proposal:
        if not len(self.grid):
            return Proposal("exploration", self.first_genomes(self.population))
        holders = self.grid.members.rows(self.random.integers(len(self.grid), size=self.population))
        return Proposal("exploration", self.mutated(holders.genomes, self.sigma), holders.ids)

    def absorb(self, genomes: FloatArray, evaluations: Evaluations) -> None:
        self.grid.add(self.members_of(genomes, evaluations))

    def elites(self) -> Elites:
        return self.grid.members.elites()

    def metrics(self) -> dict[str, float]:
        return {"cells": float(len(self.grid)), "clipped": float(self.grid.clipped)}

    def search_state(self) -> dict[str, Any]:
        return {"grid": self.grid.state_dict()}

    def load_search_state(self, state: Mapping[str, Any]) -> None:
        self.grid.load_state_dict(state["grid"])


def _each(bound: Sequence[float] | float, dimensions: int) -> FloatArray:
    values = np.asarray(bound, np.float64)
    return np.full(dimensions, float(values)) if values.ndim == 0 else values
