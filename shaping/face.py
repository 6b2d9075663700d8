"""What ShapedVecEnv and ShapedEnv hand on from the Shaper within."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shaping.learner import Learner
from shaping.pay import Change
from shaping.shaper import Shaper
from shaping.terms import RewardTerm
from shaping.transitions import FloatArray, Rollout, Transitions


class Face:
    """The part of an environment's interface that is about its reward; see `Shaper` for each."""

    shaper: Shaper

    @property
    def terms(self) -> dict[str, RewardTerm]:
        """The terms by name."""
        return self.shaper.terms

    @property
    def vector_steps(self) -> int:
        """The number that the next step gets, of all environments together."""
        return self.shaper.vector_steps

    def take_rollout(self) -> Rollout:
        """The transitions since the last call; empty if no part reads them."""
        return self.shaper.take_rollout()

    def update_terms(self) -> dict[str, float]:
        """One training step of every learned part; metrics by name. Call at a rollout's end."""
        return self.shaper.update_terms()

    @property
    def reads_policy(self) -> tuple[str, ...]:
        """The parts that ask the agent how it acts, in words."""
        return self.shaper.reads_policy

    def meet(self, learner: Learner) -> None:
        """Training begins, with this agent. Call it where a part reads the policy."""
        self.shaper.meet(learner)

    @property
    def changes_pay(self) -> bool:
        """May steps be paid otherwise than when they were taken?"""
        return self.shaper.changes_pay

    def pay_changes(self) -> list[Change]:
        """By how much steps are to be paid more than they were. Call after `update_terms`."""
        return self.shaper.pay_changes()

    @property
    def rescored(self) -> tuple[str, ...]:
        """Signals whose pay can be asked for again."""
        return self.shaper.rescored

    def rescore(self, batch: Transitions) -> FloatArray:
        """What the `rescored` signals of these transitions pay now, together (n,)."""
        return self.shaper.rescore(batch)

    def episode_statistics(self) -> dict[str, float]:
        """Means over the last 100 finished episodes: "shaped_return", "reward/task", ..."""
        return self.shaper.episode_statistics()

    def closing_remarks(self) -> dict[str, str]:
        """What parts have to say at the run's end, by their path."""
        return self.shaper.closing_remarks()

    def state_dict(self) -> dict[str, Any]:
        """Everything a resume needs: the parts' states, step count, statistics."""
        return self.shaper.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave; call `reset` afterwards."""
        self.shaper.load_state_dict(state)

    def load_learned(self, state: Mapping[str, Any]) -> None:
        """Of what `state_dict` gave, take over what was learned; call `reset` afterwards."""
        self.shaper.load_learned(state)
