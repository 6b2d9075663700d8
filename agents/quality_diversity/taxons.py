"""TAXONS: novelty and surprise in a behaviour space that is learned from images.

Source: Paolo et al. 2020, "Unsupervised Learning and Exploration of Reachable Outcome Space"
(ICRA), as its authors wrote it again for STAX (`Taxons`), and as they published it (`Taxons2020`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from agents.quality_diversity.evaluations import Evaluations, Images
from agents.quality_diversity.evolver import Evolver, Proposal
from agents.quality_diversity.learned_space import LearnedSpace, Learning
from agents.quality_diversity.members import Archive, Elites, Members
from agents.quality_diversity.novelty import FloatArray, IntArray, NearestNeighbours
from agents.quality_diversity.novelty_search import NoveltySearch, Search
from foundation.checks import number, one_of, whole

SELECTIONS_2020 = ("random_choice", "novelty", "surprise")


class Taxons(NoveltySearch):
    """Novelty search in a learned space; by default a generation lives on novelty or on surprise.

    Args:
        settings: see `Search`; "novelty" is TAXO-N, "surprise" TAXO-S, "novelty_surprise" TAXONS-P.
        learning: of the space; see `Learning`.
        seed: of everything random, the space's weights too.
        rest: as of `Evolver`.
    """

    def __init__(
        self,
        size: int,
        budget: int,
        *,
        settings: Search | None = None,
        learning: Learning | None = None,
        seed: int = 0,
        **rest: Any,
    ) -> None:
        settings = settings or Search(selection="random_choice")
        super().__init__(size, budget, settings=settings, space=LearnedSpace(learning, seed=seed), seed=seed, **rest)


class Taxons2020(Evolver):
    """The first version: no offspring beside parents, the whole population is evaluated every time.

    The best by a criterion are copied into the archive and over the worst; then most individuals
    mutate, a fifth of their genes each. The gene of the first version that ended an episode's
    actions early is none of a genome here, and biases are bounded like weights.

    Args:
        population: individuals.
        additions: the best of a generation that the archive gets, and the worst that they replace.
        selection: "novelty", "surprise", or one of both drawn anew ("random_choice").
        novelty_first: generations that go by novelty alone.
        mutate, mutate_gene: probabilities.
        sigma: of the noise on a gene.
        neighbours: k of novelty.
        every: generations between trainings.
        learning: of the space; None: five epochs on all images, without early stop.
        seed: of everything random, the space's weights too.
        rest: as of `Evolver`.

    Raises:
        ValueError: a number that cannot be, or an unknown selection.
    """

    def __init__(
        self,
        size: int,
        budget: int,
        *,
        population: int = 100,
        additions: int = 5,
        selection: str = "random_choice",
        novelty_first: int = 30,
        mutate: float = 0.9,
        mutate_gene: float = 0.2,
        sigma: float = 0.05,
        neighbours: int = 15,
        every: int = 30,
        learning: Learning | None = None,
        seed: int = 0,
        **rest: Any,
    ) -> None:
        self.space = LearnedSpace(learning or Learning(epochs=5, patience=False), seed=seed)
        super().__init__(size, budget, seed=seed, **rest | {"descriptor_size": self.space.size})
        self.view = self.space.view
        self.population = whole("population", population)
        self.additions = whole("additions", additions, least=0, most=population // 2)
        self.selection = one_of("selection", selection, SELECTIONS_2020)
        self.novelty_first = whole("novelty_first", novelty_first, least=0)
        self.mutate = number("mutate", mutate, least=0, most=1)
        self.mutate_gene = number("mutate_gene", mutate_gene, least=0, most=1)
        self.sigma = number("sigma", sigma, above=0)
        self.neighbours = whole("neighbours", neighbours)
        self.every = whole("every", every)
        self.genomes: FloatArray = np.zeros((0, size))
        """The population before it is evaluated."""
        self.identities: IntArray = np.zeros(0, np.int64)
        """Who of it was evaluated before, unchanged: by that id; −1: nobody."""
        self.sources: IntArray = np.zeros(0, np.int64)
        """Ids of whom each of it is a mutation of; −1: of nobody."""
        self.archive = Archive(self.nobody())
        self.seen: list[Images] = []
        """Views since the last training."""
        self.generations = 0
        self.last_novelty = 0.0

    def propose(self) -> Proposal:
        if not len(self.genomes):
            self.genomes = self.first_genomes(self.population)
            self.identities, self.sources = np.full(self.population, -1), np.full(self.population, -1)
        return Proposal("exploration", self.genomes, self.sources)

    def absorb(self, genomes: FloatArray, evaluations: Evaluations) -> None:
        members = self.members_of(genomes, evaluations)
        rows = members.ids - (self.evaluated - len(genomes))
        before = self.identities[rows]
        members.ids = np.where(before >= 0, before, members.ids)
        self._judge(members)
        criterion: FloatArray = np.full(len(genomes), -np.inf)
        criterion[rows] = self._criterion(members)
        order = np.argsort(-criterion, kind="stable")
        places = {int(row): place for place, row in enumerate(rows)}
        best = [int(row) for row in order[: self.additions] if int(row) in places]
        chosen = members.rows(np.array([places[row] for row in best], np.int64))
        self.archive.add(chosen.rows(~np.isin(chosen.ids, self.archive.members.ids)))
        identities: IntArray = np.full(len(genomes), -1)
        identities[rows] = members.ids
        self._next_population(genomes, identities, order, best)
        self.seen.append(members.views)
        self.generations += 1
        if self.space.settings.training and self.generations % self.every == 0:
            self.space.train([*self.seen, self.archive.members.views])
            self.seen = []
            self._embed(self.archive.members)

    def elites(self) -> Elites:
        return self.archive.members.elites()

    def metrics(self) -> dict[str, float]:
        counts = {"archive": float(len(self.archive)), "generations": float(self.generations)}
        return counts | {"novelty": self.last_novelty} | self.space.metrics()

    def closing_remark(self) -> str | None:
        return self.space.closing_remark()

    def _judge(self, members: Members) -> None:
        self._embed(members)
        reference = NearestNeighbours(np.concatenate([members.descriptors, self.archive.members.descriptors]))
        members.novelty[:] = reference.novelty(members.descriptors, self.neighbours)
        self.last_novelty = float(members.novelty.mean()) if len(members) else 0.0

    def _embed(self, members: Members) -> None:
        if len(members):
            members.descriptors[:], members.surprise[:] = self.space.encode(members.views)

    def _criterion(self, members: Members) -> FloatArray:
        """What this generation goes by, (n,)."""
        if self.space.collapsed:
            return self.random.random(len(members))
        if self.generations < self.novelty_first:
            return members.novelty
        name = self.selection
        if name == "random_choice":
            name = ("novelty", "surprise")[int(self.random.integers(2))]
        criterion: FloatArray = getattr(members, name)
        return criterion

    def _next_population(self, genomes: FloatArray, identities: IntArray, order: IntArray, best: list[int]) -> None:
        """The best over the worst, then mutations."""
        following = genomes.copy()
        worst = order[len(order) - len(best) :]
        following[worst], identities[worst] = genomes[best], identities[best]
        changed = self.random.random(len(following)) < self.mutate
        genes = (self.random.random(following.shape) < self.mutate_gene) & changed[:, None]
        noisy = following + genes * self.sigma * self.random.standard_normal(following.shape)
        self.genomes = np.clip(noisy, -self.bound, self.bound)
        mutated = genes.any(axis=1)
        sources = self.sources.copy()
        sources[worst] = sources[best]
        self.sources = np.where(mutated, identities, sources)
        self.identities = np.where(mutated, -1, identities)

    def search_state(self) -> dict[str, Any]:
        return {
            "genomes": self.genomes.copy(),
            "identities": self.identities.copy(),
            "sources": self.sources.copy(),
            "archive": self.archive.state_dict(),
            "seen": [views.copy() for views in self.seen],
            "generations": self.generations,
            "last_novelty": self.last_novelty,
            "space": self.space.state_dict(),
        }

    def load_search_state(self, state: Mapping[str, Any]) -> None:
        self.genomes, self.identities = np.array(state["genomes"]), np.array(state["identities"])
        self.sources = np.array(state.get("sources", np.full(len(self.genomes), -1)))  # older states know none
        self.archive.load_state_dict(state["archive"])
        self.seen = [np.array(views) for views in state["seen"]]
        self.generations, self.last_novelty = state["generations"], state["last_novelty"]
        self.space.load_state_dict(state["space"])
