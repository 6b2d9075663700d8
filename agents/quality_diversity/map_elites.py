"""MAP-Elites: mutations of whoever holds a cell of a grid.

Source: Mouret & Clune 2015, "Illuminating search spaces by mapping elites".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from agents.quality_diversity.evaluations import Evaluations
from agents.quality_diversity.evolver import Evolver
from agents.quality_diversity.grid_archive import GridArchive
from agents.quality_diversity.novelty import FloatArray, IntArray
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
        self.parents: IntArray = np.zeros(0, np.int64)

    def propose(self) -> tuple[str, FloatArray]:
        if not len(self.grid):
            self.parents = np.full(self.population, -1)
            return "exploration", self.first_genomes(self.population)
        rows = self.random.integers(len(self.grid), size=self.population)
        self.parents = self.grid.members.ids[rows]
        return "exploration", self.mutated(self.grid.members.genomes[rows], self.sigma)

    def absorb(self, genomes: FloatArray, evaluations: Evaluations) -> None:
        self.grid.add(self.members_of(genomes, evaluations, self.parents))

    def elites(self) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        return self.grid.members.elites()

    def metrics(self) -> dict[str, float]:
        return {"cells": float(len(self.grid)), "clipped": float(self.grid.clipped)}

    def search_state(self) -> dict[str, Any]:
        return {"grid": self.grid.state_dict(), "parents": self.parents.copy()}

    def load_search_state(self, state: Mapping[str, Any]) -> None:
        self.grid.load_state_dict(state["grid"])
        self.parents = np.array(state["parents"])


def _each(bound: Sequence[float] | float, dimensions: int) -> FloatArray:
    values = np.asarray(bound, np.float64)
    return np.full(dimensions, float(values)) if values.ndim == 0 else values
