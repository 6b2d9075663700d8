"""Random genomes: what every search must beat."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agents.quality_diversity.evaluations import Evaluations
from agents.quality_diversity.evolver import Evolver, Proposal
from agents.quality_diversity.members import Archive, Elites
from agents.quality_diversity.novelty import FloatArray
from foundation.checks import whole


class RandomSearch(Evolver):
    """Standard normal genomes, each on its own; keeps those that were paid.

    Args:
        population: genomes in a batch.
        threshold: rewards above this are kept.
        rest: as of `Evolver`.
    """

    def __init__(self, size: int, budget: int, *, population: int = 100, threshold: float = 0.0, **rest: Any) -> None:
        super().__init__(size, budget, **rest)
        self.population = whole("population", population)
        self.threshold = threshold
        self.archive = Archive(self.nobody())

    def propose(self) -> Proposal:
        return Proposal("exploration", self.first_genomes(self.population))

    def absorb(self, genomes: FloatArray, evaluations: Evaluations) -> None:
        members = self.members_of(genomes, evaluations)
        self.archive.add(members.rows(members.rewards > self.threshold))

    def elites(self) -> Elites:
        return self.archive.members.elites()

    def search_state(self) -> dict[str, Any]:
        return {"archive": self.archive.state_dict()}

    def load_search_state(self, state: Mapping[str, Any]) -> None:
        self.archive.load_state_dict(state["archive"])
