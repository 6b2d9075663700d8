"""Novelty search, and the searches that differ from it in whom they let live.

Source: Lehman & Stanley 2011, "Abandoning Objectives", with the population and the archive of Paolo
et al. 2021 (SERENE). NSGA-II: Deb et al. 2002 on novelty and reward. NSLC: Lehman & Stanley 2011,
"Evolving a Diversity of Virtual Creatures", on novelty and local competition.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from agents.quality_diversity.evaluations import Evaluations
from agents.quality_diversity.evolver import Evolver, Proposal
from agents.quality_diversity.fronts import front_order
from agents.quality_diversity.learned_space import LearnedSpace
from agents.quality_diversity.members import Archive, Elites, Members
from agents.quality_diversity.novelty import FloatArray, IntArray, NearestNeighbours
from agents.quality_diversity.schedulers import EXPLORE
from foundation.checks import number, one_of, whole

RULES = ("random", "best")
SELECTIONS = ("novelty", "surprise", "random_choice", "novelty_surprise", "novelty_reward", "novelty_local")
LEARNED = ("surprise", "random_choice", "novelty_surprise")


@dataclass(frozen=True, kw_only=True)
class Search:
    """Settings of a population that looks for novelty.

    Attributes:
        population: M, who lives on after a generation.
        offspring: of each parent.
        sigma: of the noise on every gene of an offspring.
        neighbours: k of novelty.
        additions: λ, offspring that the archive gets after a generation.
        rule: which: "random", or "best" by what is selected for.
        selection: who lives on: the best by "novelty" or "surprise", by one of both that is drawn
            anew for each generation ("random_choice"), or by fronts and crowding of novelty and
            another: "novelty_surprise", "novelty_reward" (NSGA-II), "novelty_local" (NSLC).
        chunk: K, evaluations of exploration between two looks at what else is due.

    Raises:
        ValueError: a number that cannot be, or a chunk that is smaller than the population.
    """

    population: int = 100
    offspring: int = 2
    sigma: float = 0.05
    neighbours: int = 15
    additions: int = 5
    rule: str = "random"
    selection: str = "novelty"
    chunk: int = 1000

    def __post_init__(self) -> None:
        whole("population", self.population)
        whole("offspring", self.offspring)
        number("sigma", self.sigma, above=0)
        whole("neighbours", self.neighbours)
        whole("additions", self.additions, least=0)
        one_of("rule", self.rule, RULES)
        one_of("selection", self.selection, SELECTIONS)
        whole("chunk", self.chunk)
        if self.chunk < self.population:
            raise ValueError(
                f"chunk={self.chunk} is below population={self.population}: give a chunk at least as large"
            )


class NoveltySearch(Evolver):
    """A population whose most novel live on, and an archive that never forgets.

    A generation: every parent has its offspring, these are evaluated, novelty is computed anew for
    parents and offspring among themselves and the archive, some offspring go into the archive, and
    the best of both live on.

    Args:
        settings: see `Search`.
        space: where descriptors are learned from images; None: evaluations bring them.
        rest: as of `Evolver`.

    Raises:
        ValueError: a selection by surprise without a learned space.
    """

    def __init__(
        self, size: int, budget: int, *, settings: Search | None = None, space: LearnedSpace | None = None, **rest: Any
    ) -> None:
        if space is not None:
            rest["descriptor_size"] = space.size
        super().__init__(size, budget, **rest)
        self.settings = settings or Search()
        self.space = space
        if space is not None:
            self.view = space.view
        elif self.settings.selection in LEARNED:
            raise ValueError(
                f"selection={self.settings.selection} needs a learned space, which surprise is of: use one of "
                f"{', '.join(name for name in SELECTIONS if name not in LEARNED)}, or descriptors from images"
            )
        self.population = self.nobody()
        self.offspring = self.nobody()
        self.archive = Archive(self.nobody())
        self.explored = 0
        """Evaluations in this chunk; those of the first population are not of it."""
        self.chunks = 0
        self.generations = 0

    def propose(self) -> Proposal:
        return self.propose_generation()

    def absorb(self, genomes: FloatArray, evaluations: Evaluations) -> None:
        if self.absorb_generation(genomes, evaluations):
            self.close_chunk()

    def elites(self) -> Elites:
        return Members.joined(self.archive.members, self.population).each_once().elites()

    def metrics(self) -> dict[str, float]:
        told = {"archive": float(len(self.archive)), "generations": float(self.generations)}
        if len(self.population):
            told["novelty"] = float(self.population.novelty.mean())
        return told | (self.space.metrics() if self.space is not None else {})

    def closing_remark(self) -> str | None:
        return self.space.closing_remark() if self.space is not None else None

    # A generation ---------------------------------------------------------------------------------

    def propose_generation(self) -> Proposal:
        """The offspring, or the first population."""
        if not len(self.population):
            return Proposal(EXPLORE, self.first_genomes(self.settings.population))
        rows = np.repeat(np.arange(len(self.population)), self.settings.offspring)
        children = self.mutated(self.population.genomes[rows], self.settings.sigma)
        return Proposal(EXPLORE, children, self.population.ids[rows])

    def absorb_generation(self, genomes: FloatArray, evaluations: Evaluations) -> bool:
        """Judge, archive and select; whether that was the chunk's last."""
        if not len(self.population):
            self.population = self.embedded(self.members_of(genomes, evaluations))
            self.judge()
            return False
        self.offspring = self.embedded(self.members_of(genomes, evaluations))
        reference, rewards = self.judge()
        self.after_judging()
        selection = self.settings.selection
        if selection == "random_choice":
            selection = ("novelty", "surprise")[int(self.random.integers(2))]
        everybody = Members.joined(self.population, self.offspring)
        order = self._order(selection, everybody, reference, rewards)
        self._add_to_archive(order[order >= len(self.population)] - len(self.population))
        self.population = everybody.rows(order[: self.settings.population])
        self.generations += 1
        self.explored += len(genomes)
        return self.explored >= self.settings.chunk

    def judge(self) -> tuple[NearestNeighbours, FloatArray]:
        """Novelty of everybody anew; who they were compared with, and the rewards of these."""
        known = [self.population, self._others(), *self.kept()]
        reference = NearestNeighbours(np.concatenate([members.descriptors for members in known]))
        for members in (self.population, self.offspring):
            members.novelty[:] = reference.novelty(members.descriptors, self.settings.neighbours)
        return reference, np.concatenate([members.rewards for members in known])

    def kept(self) -> list[Members]:
        """Of whom novelty is told beside population and offspring."""
        return [self.archive.members]

    def after_judging(self) -> None:
        """What a search does with offspring before it is decided who lives on."""

    def _others(self) -> Members:
        """Offspring that are not in the population."""
        return self.offspring.rows(~np.isin(self.offspring.ids, self.population.ids))

    def _order(self, selection: str, members: Members, reference: NearestNeighbours, rewards: FloatArray) -> IntArray:
        """Rows, best first."""
        if self.space is not None and self.space.collapsed:
            return self.random.permutation(len(members))
        if selection in ("novelty", "surprise"):
            criterion: FloatArray = getattr(members, selection)
            return np.lexsort((self.random.random(len(members)), -criterion))  # equals at random: plateaus drift
        if selection == "novelty_local":
            second = reference.outdone(members.descriptors, members.rewards, rewards, self.settings.neighbours)
        else:
            second = members.surprise if selection == "novelty_surprise" else members.rewards
        return front_order(np.stack([members.novelty, second], axis=1))

    def _add_to_archive(self, order: IntArray) -> None:
        """Offspring for the archive; `order`: their rows, best first."""
        count = min(self.settings.additions, len(order))
        chosen = order[:count] if self.settings.rule == "best" else self.random.permutation(len(order))[:count]
        self.archive.add(self.offspring.rows(chosen))

    # A learned space ------------------------------------------------------------------------------

    def embedded(self, members: Members) -> Members:
        """The same with what a learned space says of their views."""
        if self.space is not None and len(members):
            members.descriptors[:], members.surprise[:] = self.space.encode(members.views)
        return members

    def close_chunk(self) -> None:
        """A chunk of exploration is over: the space learns where that is due."""
        self.explored = 0
        self.chunks += 1
        if self.space is not None and self.space.is_due(self.chunks):
            self.space.train([members.views for members in (*self.kept(), self.population, self._others())])
            self.embed_again()

    def embed_again(self) -> None:
        """Nothing of the old space is left: descriptors, surprise and novelty of everybody kept."""
        for members in self.holders():
            self.embedded(members)
        self.judge()

    def holders(self) -> Iterator[Members]:
        """Everybody who has descriptors; what is written to them is kept."""
        yield from (self.population, self.offspring, self.archive.members)

    # State ----------------------------------------------------------------------------------------

    def search_state(self) -> dict[str, Any]:
        state = {
            "population": self.population.state_dict(),
            "offspring": self.offspring.state_dict(),
            "archive": self.archive.state_dict(),
            "explored": self.explored,
            "chunks": self.chunks,
            "generations": self.generations,
        }
        return state | ({"space": self.space.state_dict()} if self.space is not None else {})

    def load_search_state(self, state: Mapping[str, Any]) -> None:
        self.population = Members.from_state(state["population"])
        self.offspring = Members.from_state(state["offspring"])
        self.archive.load_state_dict(state["archive"])
        self.explored, self.chunks = state["explored"], state["chunks"]
        self.generations = state["generations"]
        if self.space is not None:
            self.space.load_state_dict(state["space"])
