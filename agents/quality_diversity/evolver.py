"""Ask and tell: genomes to play, and what came out of them."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from agents.quality_diversity.evaluations import Evaluations
from agents.quality_diversity.members import Elites, Members
from agents.quality_diversity.novelty import FloatArray, IntArray
from foundation.checks import number, whole

FAILURES_BEFORE_STOP = 100
"""Evaluations before which nobody is blamed for a high share of failures."""


class Proposal(NamedTuple):
    """A batch to evaluate.

    Attributes:
        purpose: what it is for.
        genomes: (n ≥ 1, D).
        parents: ids of whom each is a mutation of, (n,); −1: of nobody. None: all of nobody.
    """

    purpose: str
    genomes: FloatArray
    parents: IntArray | None = None


class Evolver(ABC):
    """Searches genomes by evaluating them, an episode each.

    A subclass works in batches of its own: it proposes one, and absorbs what came of it. This class
    hands a batch out in as many pieces as it is asked for, so a search does not depend on how its
    budget is cut. The last batch alone is cut short, where the budget ends.

    Args:
        size: genes.
        budget: evaluations in all; nothing is asked beyond.
        seed: of everything random.
        descriptor_size: numbers in a descriptor.
        bound: genes lie within ± this.
        most_failed: the share of evaluations that may fail.

    Raises:
        ValueError: a number that cannot be.
    """

    def __init__(
        self,
        size: int,
        budget: int,
        *,
        seed: int = 0,
        descriptor_size: int = 2,
        bound: float = 5.0,
        most_failed: float = 0.5,
    ) -> None:
        self.size = whole("size", size)
        self.budget = whole("budget", budget)
        self.descriptor_size = whole("descriptor_size", descriptor_size)
        self.bound = number("bound", bound, above=0)
        self.most_failed = number("most_failed", most_failed, above=0, most=1)
        self.view: tuple[int, ...] = (0,)
        """(frames, h, w, 3), where descriptors are learned."""
        self.random = np.random.default_rng(seed)
        self.evaluated = 0
        self.failed = 0
        self.ledger: dict[str, int] = {}
        """Evaluations by what they were for."""
        self.areas: dict[int, float] = {}
        """The highest reward in each area that was found."""
        self._best: FloatArray = np.zeros(size)
        self._best_reward = -np.inf
        self._batch: FloatArray = np.zeros((0, size))
        self._parents: IntArray = np.zeros(0, np.int64)
        """Of the batch; they stay until the next is proposed."""
        self._purpose = ""
        self._told: list[Evaluations] = []
        self._asked = 0
        """Genomes that were given out and not told of."""

    # What a search does ---------------------------------------------------------------------------

    @abstractmethod
    def propose(self) -> Proposal:
        """The next batch; the budget's end may cut it."""

    @abstractmethod
    def absorb(self, genomes: FloatArray, evaluations: Evaluations) -> None:
        """Learn from a whole batch; shorter than proposed only as the last one."""

    @abstractmethod
    def elites(self) -> Elites:
        """What was found."""

    def metrics(self) -> dict[str, float]:
        """What a search wants logged after a batch."""
        return {}

    def closing_remark(self) -> str | None:
        """What must be known of the search at a run's end."""
        return None

    @abstractmethod
    def search_state(self) -> dict[str, Any]:
        """A subclass's own part of `state_dict`."""

    @abstractmethod
    def load_search_state(self, state: Mapping[str, Any]) -> None:
        """Go on from `search_state`."""

    # What everybody asks --------------------------------------------------------------------------

    @property
    def left(self) -> int:
        """Evaluations left of the budget."""
        return self.budget - self.evaluated

    @property
    def purpose(self) -> str:
        """What the genomes last asked for are for."""
        return self._purpose

    @property
    def parents(self) -> IntArray:
        """Ids of whom the genomes that are asked for and not told of are mutations; −1: nobody."""
        done = sum(map(len, self._told))
        return self._parents[done : done + self._asked].copy()

    def ask(self, most: int) -> FloatArray:
        """Genomes to evaluate, (1 to `most`, D).

        Raises:
            RuntimeError: the last ones have not been told of, or the budget is spent.
            ValueError: `most` is below 1.
        """
        whole("most", most)
        if self._asked:
            raise RuntimeError(f"{self._asked} genomes were asked for and not told of: tell before asking again")
        if self.left <= 0:
            raise RuntimeError(f"the budget of {self.budget} evaluations is spent: make an evolver with a larger one")
        if not len(self._batch):
            self._purpose, genomes, parents = self.propose()
            self._batch = np.clip(genomes, -self.bound, self.bound)[: self.left]
            self._parents = np.full(len(genomes), -1) if parents is None else np.array(parents, np.int64)
            self._parents = self._parents[: self.left]
        done = sum(map(len, self._told))
        asked = self._batch[done : done + most]
        self._asked = len(asked)
        return asked.copy()

    def tell(self, evaluations: Evaluations) -> dict[str, float]:
        """Take in what came of the genomes last asked for; metrics to log.

        Raises:
            ValueError: of another number of them, or of another width.
            RuntimeError: so many failed that the environment must be at fault.
        """
        evaluations = self._checked(evaluations)
        self._told.append(evaluations)
        self.evaluated += len(evaluations)
        self.ledger[self._purpose] = self.ledger.get(self._purpose, 0) + len(evaluations)
        self.failed += int(evaluations.failed.sum())
        done = sum(map(len, self._told))
        self._remember_best(self._batch[done - len(evaluations) : done], evaluations)
        self._asked = 0
        if self.evaluated >= FAILURES_BEFORE_STOP and self.failed > self.most_failed * self.evaluated:
            raise RuntimeError(
                f"{self.failed} of {self.evaluated} evaluations failed, more than most_failed={self.most_failed:g}: "
                "look at what the environment answers (NaN or infinity in observations, rewards or descriptors)"
            )
        if done == len(self._batch):
            batch, told = self._batch, Evaluations.joined(self._told)
            self._batch, self._told = np.zeros((0, self.size)), []
            self.absorb(batch, told)
        shares = {f"budget_{purpose}": float(count) for purpose, count in self.ledger.items()}
        bests = {f"best_area_{area}": reward for area, reward in sorted(self.areas.items())}
        counts = {"evaluations": float(self.evaluated), "failed": float(self.failed)}
        best = {"best": self._best_reward} if np.isfinite(self._best_reward) else {}
        return {**counts, **best, **bests, **shares, **self.metrics()}

    def best(self) -> FloatArray:
        """The genome with the highest reward of all, the first among equals, (D,); 0 before any."""
        return self._best.copy()

    def state_dict(self) -> dict[str, Any]:
        """Everything that a resume needs: numbers, strings, arrays, tensors, dicts and lists."""
        return {
            "random": copy.deepcopy(self.random.bit_generator.state),
            "evaluated": self.evaluated,
            "failed": self.failed,
            "ledger": dict(self.ledger),
            "areas": dict(self.areas),
            "best": self._best.copy(),
            "best_reward": float(self._best_reward),
            "batch": self._batch.copy(),
            "parents": self._parents.copy(),
            "purpose": self._purpose,
            "told": [{name: value for name, value in vars(part).items() if value is not None} for part in self._told],
            "asked": self._asked,
            "search": self.search_state(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from where another evolver of the same settings was.

        Raises:
            ValueError: its genomes have another length.
        """
        best = np.array(state["best"])
        if best.shape != (self.size,):
            raise ValueError(
                f"a state of genomes with {len(best)} genes cannot go on with {self.size}: give the policy the same "
                "hidden layers and the environment the same observations as before"
            )
        self.random.bit_generator.state = state["random"]
        self.evaluated, self.failed = state["evaluated"], state["failed"]
        self.ledger, self.areas = dict(state["ledger"]), dict(state["areas"])
        self._best, self._best_reward = best, state["best_reward"]
        self._batch, self._purpose = np.array(state["batch"]), state["purpose"]
        self._parents = np.array(state.get("parents", np.full(len(self._batch), -1)))  # older states know none
        self._told = [Evaluations(**part) for part in state["told"]]
        self._asked = state["asked"]
        self.load_search_state(state["search"])

    # What subclasses share ------------------------------------------------------------------------

    def first_genomes(self, count: int) -> FloatArray:
        """Standard normal genes within the bounds, (count, D)."""
        genomes: FloatArray = np.clip(self.random.standard_normal((count, self.size)), -self.bound, self.bound)
        return genomes

    def mutated(self, genomes: FloatArray, sigma: float) -> FloatArray:
        """With noise on every gene, within the bounds."""
        noisy = genomes + sigma * self.random.standard_normal(genomes.shape)
        bounded: FloatArray = np.clip(noisy, -self.bound, self.bound)
        return bounded

    def nobody(self) -> Members:
        """No members, of this search's widths."""
        return Members.nobody(self.size, self.descriptor_size, self.view)

    def members_of(self, genomes: FloatArray, evaluations: Evaluations) -> Members:
        """The batch that was just told, without those that failed."""
        n = len(genomes)
        there = ~evaluations.failed
        views = np.zeros((n, 0), np.uint8) if self.view == (0,) else evaluations.views
        assert views is not None
        everybody = Members(
            ids=np.arange(self.evaluated - n, self.evaluated),
            parents=self._parents,
            genomes=genomes,
            rewards=evaluations.rewards,
            descriptors=evaluations.descriptors,
            truths=evaluations.truths,
            areas=evaluations.areas,
            novelty=np.zeros(n),
            surprise=np.zeros(n),
            spawned=np.zeros(n, np.bool_),
            views=views,
        )
        return everybody.rows(there)

    def _checked(self, evaluations: Evaluations) -> Evaluations:
        """The same with everything that cannot be used marked as failed."""
        n, width = np.shape(evaluations.descriptors)
        if n != self._asked:
            raise ValueError(f"told of {n} individuals, and {self._asked} were asked for")
        learned = self.view != (0,)
        failed = np.asarray(evaluations.failed) | ~np.isfinite(evaluations.rewards)
        descriptors = np.asarray(evaluations.descriptors, np.float64)
        if learned:
            if evaluations.views is None or evaluations.views.shape[1:] != self.view:
                shape = None if evaluations.views is None else evaluations.views.shape[1:]
                raise ValueError(f"views of the shape {shape}: this learned space is of {self.view}")
            descriptors = np.full((n, self.descriptor_size), np.nan)
        elif width != self.descriptor_size:
            raise ValueError(f"descriptors of {width} numbers: expected {self.descriptor_size}")
        else:
            failed |= ~np.isfinite(descriptors).all(axis=1)
        return Evaluations(
            rewards=np.where(failed, -np.inf, evaluations.rewards),
            descriptors=descriptors,
            truths=np.asarray(evaluations.truths, np.float64),
            areas=np.asarray(evaluations.areas, np.int64),
            lengths=np.asarray(evaluations.lengths, np.int64),
            failed=failed,
            views=evaluations.views if learned else None,
        )

    def _remember_best(self, genomes: FloatArray, evaluations: Evaluations) -> None:
        row = int(np.argmax(evaluations.rewards))
        if evaluations.rewards[row] > self._best_reward:
            self._best, self._best_reward = genomes[row].copy(), float(evaluations.rewards[row])
        for area in np.unique(evaluations.areas[(evaluations.areas >= 0) & ~evaluations.failed]):
            rewards = evaluations.rewards[(evaluations.areas == area) & ~evaluations.failed]
            self.areas[int(area)] = max(self.areas.get(int(area), -np.inf), float(rewards.max()))
