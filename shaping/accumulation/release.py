"""When an episode's rewards are paid: at their own steps, or all on the last one."""

from __future__ import annotations

import math

import numpy as np

from foundation.checks import one_of
from shaping.parts import RewardTermError, Setting
from shaping.transitions import FloatArray

TERMINAL = "terminal"
MOST_LOG = 60.0  # e**60 times a reward: what float32 and a value network can still hold, with room


class Release:
    """Puts rewards where they are paid.

    Args:
        mode: "terminal" is 0 until the last step, which gets all; any other name: each its own.
        at_steps: the other name that is allowed.
        discount_correct: the last step gets Σ gamma^(t−(T−1)) · r_t, so that the discounted return
            from the start is what it would be with each reward at its own step. The factor grows as
            gamma^−T: 1.6 for 50 steps at 0.99, 23,000 for 1000. Without it, the sum is kept.

    Raises:
        ValueError: another mode, ``discount_correct`` without "terminal"; at `bind`, gamma is 0.
        RewardTermError: an episode is so long that the correction has no use any more.
    """

    def __init__(self, mode: str, at_steps: str, discount_correct: bool = False) -> None:
        self.mode = one_of("release", mode, (at_steps, TERMINAL))
        if discount_correct and mode != TERMINAL:
            raise ValueError(
                f"discount_correct=true is for release={TERMINAL}: with release={mode} every reward is at its own step "
                "and nothing is to be corrected"
            )
        self._corrects = discount_correct

    @property
    def is_terminal(self) -> bool:
        """Is all paid on the last step?"""
        return self.mode == TERMINAL

    def bind(self, setting: Setting) -> None:
        """Learn the discount."""
        if self._corrects and setting.gamma == 0:
            raise ValueError("discount_correct=true divides by powers of the agent's gamma, which is 0; give false")

    def __call__(self, rewards: FloatArray, gamma: float) -> FloatArray:
        """Rewards (T,) of an episode that is over, as they are paid (T,)."""
        if not self.is_terminal or not len(rewards):
            return rewards
        paid = np.zeros(len(rewards))
        paid[-1] = rewards @ self._factors(len(rewards), gamma)
        return paid

    def _factors(self, length: int, gamma: float) -> FloatArray:
        if not self._corrects:
            return np.ones(length)
        if (1 - length) * math.log(gamma) > MOST_LOG:
            raise RewardTermError(
                f"discount_correct=true would multiply by {gamma:g}**{1 - length} in an episode of {length} steps; "
                "give false, a gamma nearer to 1, or pay at the steps themselves"
            )
        factors: FloatArray = gamma ** np.arange(1.0 - length, 1.0)
        return factors
