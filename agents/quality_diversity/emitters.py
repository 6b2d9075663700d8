"""Emitters: small searches that start from a rewarded individual and improve on it.

Source: Paolo et al. 2021 (SERENE), 2024 (STAX), and their code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from agents.quality_diversity.cma_es import CMAES
from agents.quality_diversity.improvement import ENTRIES, SIGMA_RULES, STOPS, improvement, stagnated
from agents.quality_diversity.members import Members
from agents.quality_diversity.novelty import FloatArray, IntArray
from agents.quality_diversity.schedulers import SCHEDULERS
from foundation.checks import number, one_of, whole

KINDS = ("fitness", "novelty", "cma_es")
CHOICES = ("pareto", "random")


@dataclass(frozen=True, kw_only=True)
class Emitting:
    """Settings of what is done where rewards were found.

    Attributes:
        kind: what an emitter keeps the best of: "fitness", "novelty"; or "cma_es", of rewards.
        population: who lives on after a step of an emitter.
        children: of each of them a step ("cma_es" draws the population instead).
        sigma_rule: see `emitter_sigma`.
        threshold: an individual with a reward above this becomes a candidate.
        bootstrap: candidates are tried before they become emitters, and those that do not improve
            are dropped; without, all become emitters.
        bootstrap_steps: after the first population; with less than three there is no first and last
            to compare.
        bootstrap_share: of a chunk, what is left for emitters.
        choice: of the emitter to run: at random from the first front of novelty and improvement
            ("pareto"), or from all ("random").
        local_improvement: see `improvement`.
        stop, window: see `stagnated`.
        max_steps: of an emitter; None: no limit.
        keep_novel: of the novel behaviours that an emitter met, so many go into the archive at its
            end; 0: none.
        scheduler: who shares the budget: "alternating", "fixed_sampling", "time_sampling", "mab".

    Raises:
        ValueError: a number that cannot be, or an unknown name.
    """

    kind: str = "fitness"
    population: int = 6
    children: int = 2
    sigma_rule: str = "paper"
    threshold: float = 0.0
    bootstrap: bool = True
    bootstrap_steps: int = 5
    bootstrap_share: float = 1.0 / 3.0
    choice: str = "pareto"
    local_improvement: bool = False
    stop: str = "custom"
    window: int | None = None
    max_steps: int | None = None
    keep_novel: int = 5
    scheduler: str = "alternating"

    def __post_init__(self) -> None:
        one_of("kind", self.kind, KINDS)
        whole("population", self.population, least=2)
        whole("children", self.children)
        one_of("sigma_rule", self.sigma_rule, SIGMA_RULES)
        number("threshold", self.threshold)
        whole("bootstrap_steps", self.bootstrap_steps, least=ENTRIES)
        number("bootstrap_share", self.bootstrap_share, least=0, below=1)
        one_of("choice", self.choice, CHOICES)
        one_of("stop", self.stop, STOPS)
        for name in ("window", "max_steps"):
            if getattr(self, name) is not None:
                whole(name, getattr(self, name))
        whole("keep_novel", self.keep_novel, least=0)
        one_of("scheduler", self.scheduler, SCHEDULERS)

    @property
    def batch(self) -> int:
        """Evaluations of a step."""
        return self.population if self.kind == "cma_es" else self.population * self.children

    @property
    def bootstrap_cost(self) -> int:
        """Evaluations that tell whether a candidate improves."""
        return self.population + self.bootstrap_steps * self.batch


class Emitter:
    """A small search around an individual.

    Args:
        settings: see `Emitting`.
        ancestor: the row of its individual in the reward archive.
        mean: its genome, (D,).
        sigma: of the first samples and of every child.
        bound: genes lie within ± this.
        nobody: members of no rows.
    """

    def __init__(
        self, settings: Emitting, ancestor: int, mean: FloatArray, sigma: float, bound: float, nobody: Members
    ) -> None:
        self.settings, self.ancestor, self.mean, self.sigma, self.bound = settings, ancestor, mean, sigma, bound
        self.population = nobody
        self.most_novel = nobody
        """Of a single row, once it ran: whoever else is more novel goes into the buffer."""
        self.buffer: list[Members] = []
        self.values: list[FloatArray] = []
        """What each of the population was worth, step by step."""
        self.improvement = 0.0
        self.best_archived: float | None = None
        self.strategy = CMAES(mean, sigma, settings.population, bound) if settings.kind == "cma_es" else None

    @property
    def steps(self) -> int:
        """Populations that it had after the first."""
        return max(0, len(self.values) - 1)

    def ask(self, random: np.random.Generator) -> FloatArray:
        """The first samples or the next children, (n, D)."""
        if self.strategy is not None:
            return self.strategy.ask(random)
        if not len(self.population):
            means = np.tile(self.mean, (self.settings.population, 1))
        else:
            means = np.repeat(self.population.genomes, self.settings.children, axis=0)
        children: FloatArray = np.clip(
            means + self.sigma * random.standard_normal(means.shape), -self.bound, self.bound
        )
        return children

    def parents(self, ancestor: int) -> IntArray:
        """Ids of whom the next that are asked for come from, (n,): of its members, or `ancestor`.

        A normal distribution ("cma_es") has no members: all it draws comes from the ancestor.
        """
        if self.strategy is not None or not len(self.population):
            return np.full(self.settings.population, ancestor)
        return np.repeat(self.population.ids, self.settings.children)

    def tell(self, genomes: FloatArray, rewards: FloatArray, members: Members) -> None:
        """Keep the best.

        Args:
            genomes, rewards: as asked, in full; −inf where one failed.
            members: those that did not fail, with their novelty.
        """
        if self.strategy is not None:
            self.strategy.tell(genomes, rewards)
            self.population = members
        else:
            everybody = Members.joined(self.population, members)
            best = np.argsort(-self._worth(everybody), kind="stable")[: self.settings.population]
            self.population = everybody.rows(best)
        self.values.append(self._row())

    def judge(self) -> None:
        """Compute the improvement anew."""
        self.improvement = improvement(self.values, self.settings.local_improvement)

    def has_stopped(self, dim: int) -> bool:
        """Whether there is nothing more to be got from it."""
        limit = self.settings.max_steps
        if limit is not None and self.steps >= limit:
            return True
        if self.strategy is not None and self.strategy.has_stopped:
            return True
        return stagnated(self.values, dim, self.settings.stop, self.settings.window)

    def worth_archiving(self) -> Members:
        """Its best, the first time it has a reward; later all that exceed what it archived."""
        rewards = self.population.rewards
        if not len(rewards):
            return self.population
        if self.best_archived is None:
            row = int(np.argmax(rewards))
            found = self.population.rows(slice(row, row + int(rewards[row] > self.settings.threshold)))
        else:
            found = self.population.rows(rewards > self.best_archived)
        if len(found):
            self.best_archived = float(found.rewards.max())
        return found

    def notice(self, members: Members) -> None:
        """Whoever is more novel than all before goes into the buffer."""
        novel = members.rows(members.novelty > self.most_novel.novelty[0])
        if len(novel):
            self.buffer.append(novel)
            self.most_novel = novel.rows(np.array([int(np.argmax(novel.novelty))]))

    def holders(self) -> list[Members]:
        """Everybody it keeps who has descriptors."""
        return [self.population, self.most_novel, *self.buffer]

    def state_dict(self) -> dict[str, Any]:
        return {
            "ancestor": self.ancestor,
            "mean": self.mean.copy(),
            "sigma": self.sigma,
            "population": self.population.state_dict(),
            "most_novel": self.most_novel.state_dict(),
            "buffer": [members.state_dict() for members in self.buffer],
            "values": np.array(self.values),
            "improvement": self.improvement,
            "best_archived": self.best_archived,
            "strategy": None if self.strategy is None else self.strategy.state_dict(),
        }

    @classmethod
    def from_state(cls, settings: Emitting, state: Mapping[str, Any], bound: float, nobody: Members) -> Emitter:
        made = cls(settings, state["ancestor"], np.array(state["mean"]), state["sigma"], bound, nobody)
        made.population = Members.from_state(state["population"])
        made.most_novel = Members.from_state(state["most_novel"])
        made.buffer = [Members.from_state(members) for members in state["buffer"]]
        made.values = list(np.array(state["values"]))
        made.improvement, made.best_archived = state["improvement"], state["best_archived"]
        if state["strategy"] is not None:
            made.strategy = CMAES.from_state(state["strategy"], bound)
        return made

    def _worth(self, members: Members) -> FloatArray:
        return members.novelty if self.settings.kind == "novelty" else members.rewards

    def _row(self) -> FloatArray:
        """Of the population, as long as it is whole; who is missing is worth what the worst is."""
        row: FloatArray = np.full(self.settings.population, -np.inf)
        worth = self._worth(self.population)[: self.settings.population]
        if len(worth):
            row[:] = worth.min()
            row[: len(worth)] = worth
        return row
