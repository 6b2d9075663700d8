"""SERENE: novelty search until rewards are found, and emitters that improve them.

Source: Paolo et al. 2021, "Sparse Reward Exploration via Novelty Search and Emitters" (GECCO), and
its code. STAX is the same in a learned space (Paolo et al. 2024, "Discovering and Exploiting Sparse
Rewards in a Learned Behavior Space").
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from agents.quality_diversity.emitters import Emitter, Emitting
from agents.quality_diversity.evaluations import Evaluations
from agents.quality_diversity.evolver import Proposal
from agents.quality_diversity.fronts import pareto_fronts
from agents.quality_diversity.improvement import emitter_sigma
from agents.quality_diversity.learned_space import LearnedSpace
from agents.quality_diversity.members import Archive, Elites, Members
from agents.quality_diversity.novelty import FloatArray, NearestNeighbours
from agents.quality_diversity.novelty_search import NoveltySearch, Search
from agents.quality_diversity.schedulers import EXPLOIT, EXPLORE, make_scheduler

BOOTSTRAP, DECIDE = "bootstrap", ""


class Serene(NoveltySearch):
    """Chunks of the budget for novelty search, and chunks for emitters.

    Whoever is paid goes into the reward archive and becomes a candidate. In a chunk of exploitation
    candidates are tried first, the most novel among the rewarded first; those that improve become
    emitters, and one emitter after the other runs until the chunk ends or it stops.

    Args:
        settings: of the exploration; see `Search`.
        emitting: see `Emitting`.
        space: where descriptors are learned (STAX).
        rest: as of `Evolver`.
    """

    def __init__(
        self,
        size: int,
        budget: int,
        *,
        settings: Search | None = None,
        emitting: Emitting | None = None,
        space: LearnedSpace | None = None,
        **rest: Any,
    ) -> None:
        super().__init__(size, budget, settings=settings, space=space, **rest)
        self.emitting = emitting or Emitting()
        self.scheduler = make_scheduler(self.emitting.scheduler)
        self.rewarded = Archive(self.nobody())
        """The reward archive; rows stay what they are, and candidates and emitters name theirs."""
        self.candidates: list[tuple[int, float]] = []
        """The row of the ancestor, and σ of the emitter to be."""
        self.emitters: list[Emitter] = []
        self.trying: list[Emitter] = []
        """Those in the bootstrap."""
        self.running: int | None = None
        """Which emitter's turn it is."""
        self.phase = DECIDE
        self.before = 0
        """Emitters and candidates when the chunk began."""
        self.chunk_left = 0
        """Evaluations left in a chunk of exploitation."""
        self.frozen: NearestNeighbours | None = None
        """Whom emitters are compared with: those known when the chunk began."""
        self.started = 0
        self.dropped = 0
        self.retired = 0
        self.spent: dict[int, int] = {}
        """Evaluations of emitters by the area of their ancestor."""

    def propose(self) -> Proposal:
        if self.phase == DECIDE:
            self._begin_chunk()
        if self.phase == BOOTSTRAP:
            asked = [emitter.ask(self.random) for emitter in self.trying]
            parents = [emitter.parents(self._ancestor(emitter)) for emitter in self.trying]
            return Proposal(BOOTSTRAP, np.concatenate(asked), np.concatenate(parents))
        if self.phase == EXPLOIT:
            if self.running is None:
                self._begin_turn()
            assert self.running is not None
            emitter = self.emitters[self.running]
            return Proposal(EXPLOIT, emitter.ask(self.random), emitter.parents(self._ancestor(emitter)))
        return self.propose_generation()

    def absorb(self, genomes: FloatArray, evaluations: Evaluations) -> None:
        if self.phase == EXPLORE:
            if self.absorb_generation(genomes, evaluations):
                self._end_chunk()
                self.close_chunk()
        elif self.phase == BOOTSTRAP:
            self._absorb_bootstrap(genomes, evaluations)
        else:
            self._absorb_step(genomes, evaluations)

    def elites(self) -> Elites:
        """The archive, the reward archive and who lives, each once."""
        return Members.joined(self.rewarded.members, self.archive.members, self.population).each_once().elites()

    def metrics(self) -> dict[str, float]:
        counts = {
            "reward_archive": len(self.rewarded),
            "candidates": len(self.candidates),
            "emitters": len(self.emitters),
            "emitters_started": self.started,
            "emitters_dropped": self.dropped,
            "emitters_retired": self.retired,
        }
        spent = {f"budget_area_{area if area >= 0 else 'none'}": n for area, n in sorted(self.spent.items())}
        return super().metrics() | {name: float(count) for name, count in (counts | spent).items()}

    def kept(self) -> list[Members]:
        return [self.archive.members, self.rewarded.members]

    def holders(self) -> Iterator[Members]:
        yield from super().holders()
        yield self.rewarded.members
        for emitter in (*self.emitters, *self.trying):
            yield from emitter.holders()

    # Candidates -----------------------------------------------------------------------------------

    def after_judging(self) -> None:
        """Everybody who is paid for the first time becomes a candidate."""
        genomes = np.concatenate([self.population.genomes, self.offspring.genomes])
        first = 0
        for members in (self.population, self.offspring):
            new = np.flatnonzero((members.rewards > self.emitting.threshold) & ~members.spawned)
            members.spawned[new] = True
            for row in new:
                others = np.delete(genomes, first + row, axis=0)
                sigma = emitter_sigma(members.genomes[row], others, self.emitting.sigma_rule)
                self.candidates.append((len(self.rewarded), sigma))
                self.rewarded.add(members.rows(slice(row, row + 1)))
            first += len(members)

    # Chunks ---------------------------------------------------------------------------------------

    def _begin_chunk(self) -> None:
        self.before = len(self.candidates) + len(self.emitters)
        kind = self.scheduler.choose(self.random, self.left / self.budget) if self.before else EXPLORE
        if kind == EXPLORE:
            self.phase = EXPLORE
            return
        self.chunk_left = self.settings.chunk
        known = [self.population, self._others(), *self.kept()]
        self.frozen = NearestNeighbours(np.concatenate([members.descriptors for members in known]))
        self._sort_candidates()
        left, count = float(self.chunk_left), 0
        limit = self.emitting.bootstrap_share * self.chunk_left
        while count < len(self.candidates) and (left > limit or not self.emitting.bootstrap):
            left -= self.emitting.bootstrap_cost
            count += 1
        self.trying = [self._emitter(row, sigma) for row, sigma in self.candidates[:count]]
        self.candidates = self.candidates[count:]
        if self.trying and self.emitting.bootstrap:
            self.phase = BOOTSTRAP
        else:
            self.started += len(self.trying)
            self.emitters += self.trying
            self.trying = []
            self.phase = EXPLOIT

    def _end_chunk(self) -> None:
        kind = EXPLORE if self.phase == EXPLORE else EXPLOIT
        self.scheduler.learn(kind, self.before, len(self.candidates) + len(self.emitters))
        self.phase, self.frozen, self.running, self.chunk_left = DECIDE, None, None, 0

    def _sort_candidates(self) -> None:
        """The most novel among the rewarded first."""
        rows = np.array([row for row, _ in self.candidates], np.int64)
        order = np.argsort(-self._novelty_of_ancestors(rows), kind="stable")
        self.candidates = [self.candidates[place] for place in order]

    def _novelty_of_ancestors(self, rows: np.ndarray[Any, Any]) -> FloatArray:
        descriptors = self.rewarded.members.descriptors
        return NearestNeighbours(descriptors).novelty(descriptors[rows], self.settings.neighbours)

    def _ancestor(self, emitter: Emitter) -> int:
        """The id of whom it started from."""
        return int(self.rewarded.members.ids[emitter.ancestor])

    def _emitter(self, row: int, sigma: float) -> Emitter:
        genome = self.rewarded.members.genomes[row].copy()
        made = Emitter(self.emitting, row, genome, sigma, self.bound, self.nobody())
        made.most_novel = self.rewarded.members.rows(np.array([row]))
        return made

    # Emitters -------------------------------------------------------------------------------------

    def _absorb_bootstrap(self, genomes: FloatArray, evaluations: Evaluations) -> None:
        """A step of everybody who is tried; after the last, who improved becomes an emitter."""
        self.chunk_left -= len(genomes)
        each = self.emitting.batch if self.trying[0].values else self.emitting.population
        if len(genomes) < each * len(self.trying):
            return  # the budget ended here
        members = self._judged(genomes, evaluations)
        places = members.ids - (self.evaluated - len(genomes))
        for place, emitter in enumerate(self.trying):
            part = slice(place * each, (place + 1) * each)
            emitter.tell(genomes[part], evaluations.rewards[part], members.rows(places // each == place))
            self._count(emitter, each)
        if self.trying[0].steps < self.emitting.bootstrap_steps:
            return
        for emitter in self.trying:
            emitter.judge()
        improved = [emitter for emitter in self.trying if emitter.improvement > 0]
        self.started += len(improved)
        self.dropped += len(self.trying) - len(improved)
        self.emitters += improved
        self.trying = []
        self.phase = EXPLOIT
        self._go_on()

    def _absorb_step(self, genomes: FloatArray, evaluations: Evaluations) -> None:
        """A step of the emitter whose turn it is."""
        assert self.running is not None
        emitter = self.emitters[self.running]
        self.chunk_left -= len(genomes)
        self._count(emitter, len(genomes))
        members = self._judged(genomes, evaluations)
        emitter.tell(genomes, evaluations.rewards, members)
        self.rewarded.add(emitter.worth_archiving())
        emitter.notice(members)
        if emitter.has_stopped(self.size):
            emitter.judge()
            self._retire(self.running)
            self.running = None
        self._go_on()

    def _go_on(self) -> None:
        """The chunk ends where its evaluations are spent or nobody is left to spend them."""
        if self.chunk_left <= 0 or not self.emitters:
            if self.running is not None:
                self.emitters[self.running].judge()
            self._end_chunk()

    def _begin_turn(self) -> None:
        """An emitter goes on; its population is as novel as it is among those known by now."""
        assert self.frozen is not None
        self.running = self._chosen()
        population = self.emitters[self.running].population
        population.novelty[:] = self.frozen.novelty(
            population.descriptors, self.settings.neighbours, exclude_self=False
        )

    def _chosen(self) -> int:
        """Whose turn it is: anybody of the first front of novelty and improvement."""
        if self.emitting.choice == "random":
            return int(self.random.integers(len(self.emitters)))
        novelty = self._novelty_of_ancestors(np.array([emitter.ancestor for emitter in self.emitters]))
        improvements = np.array([emitter.improvement for emitter in self.emitters])
        first = np.flatnonzero(pareto_fronts(np.stack([novelty, improvements], axis=1)) == 0)
        return int(first[self.random.integers(len(first))])

    def _retire(self, place: int) -> None:
        """Its ancestor is in the reward archive already; some of the novel go into the archive."""
        emitter = self.emitters.pop(place)
        self.retired += 1
        if emitter.buffer and self.emitting.keep_novel:
            novel = Members.joined(*emitter.buffer)
            self.archive.add(novel.rows(self.random.permutation(len(novel))[: self.emitting.keep_novel]))

    def _judged(self, genomes: FloatArray, evaluations: Evaluations) -> Members:
        """Who did not fail, with novelty among those known when the chunk began."""
        assert self.frozen is not None
        members = self.embedded(self.members_of(genomes, evaluations))
        members.spawned[:] = True
        members.novelty[:] = self.frozen.novelty(members.descriptors, self.settings.neighbours, exclude_self=False)
        return members

    def _count(self, emitter: Emitter, evaluations: int) -> None:
        area = int(self.rewarded.members.areas[emitter.ancestor])
        self.spent[area] = self.spent.get(area, 0) + evaluations

    # A learned space ------------------------------------------------------------------------------

    def embed_again(self) -> None:
        """Emitters' novelty, too, is told in the new space."""
        super().embed_again()
        known = [self.population, self._others(), *self.kept()]
        reference = NearestNeighbours(np.concatenate([members.descriptors for members in known]))
        ids = np.concatenate([members.ids for members in known])
        for emitter in (*self.emitters, *self.trying):
            for members in emitter.holders():
                for known_too in (True, False):
                    rows = np.isin(members.ids, ids) == known_too
                    descriptors = members.descriptors[rows]
                    members.novelty[rows] = reference.novelty(descriptors, self.settings.neighbours, known_too)

    # State ----------------------------------------------------------------------------------------

    def search_state(self) -> dict[str, Any]:
        return super().search_state() | {
            "rewarded": self.rewarded.state_dict(),
            "candidate_rows": np.array([row for row, _ in self.candidates], np.int64),
            "candidate_sigmas": np.array([sigma for _, sigma in self.candidates]),
            "emitters": [emitter.state_dict() for emitter in self.emitters],
            "trying": [emitter.state_dict() for emitter in self.trying],
            "running": self.running,
            "phase": self.phase,
            "before": self.before,
            "chunk_left": self.chunk_left,
            "frozen": None if self.frozen is None else self.frozen.reference.copy(),
            "counts": [self.started, self.dropped, self.retired],
            "spent": dict(self.spent),
            "scheduler": self.scheduler.state_dict(),
        }

    def load_search_state(self, state: Mapping[str, Any]) -> None:
        super().load_search_state(state)
        self.rewarded.load_state_dict(state["rewarded"])
        rows, sigmas = np.array(state["candidate_rows"]), np.array(state["candidate_sigmas"])
        self.candidates = list(zip(rows.tolist(), sigmas.tolist(), strict=True))
        for name in ("emitters", "trying"):
            made = [Emitter.from_state(self.emitting, kept, self.bound, self.nobody()) for kept in state[name]]
            setattr(self, name, made)
        self.running, self.phase = state["running"], state["phase"]
        self.before, self.chunk_left = state["before"], state["chunk_left"]
        self.frozen = None if state["frozen"] is None else NearestNeighbours(np.array(state["frozen"]))
        self.started, self.dropped, self.retired = state["counts"]
        self.spent = dict(state["spent"])
        self.scheduler.load_state_dict(state["scheduler"])
