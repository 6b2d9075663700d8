"""What a part of the reward may ask of the agent: how its policy acts, and what would change it."""

from __future__ import annotations

from typing import Protocol

from shaping.transitions import BoolArray, FloatArray, Observations


class Learner(Protocol):
    """An agent's policy, as parts see it that read it (`Part.reads_policy`)."""

    keeps_rollout: bool
    """Does the agent keep the steps of a rollout, so that `rises` can be asked for?"""

    def probabilities(self, observations: Observations, masks: BoolArray | None = None) -> FloatArray:
        """π(a|s) as the agent acts now, (n, actions), for one discrete action.

        Args:
            observations: of the environment, (n, ...), without what parts publish.
            masks: which actions are available in each, (n, actions), for agents that act by masks;
                others do without.

        Raises:
            ValueError: actions are no single discrete ones, or the agent sees more than these; or
                it acts by masks, and there are none.
        """

    def rises(self, weights: FloatArray) -> FloatArray:
        """How the log-probability of every step of the newest rollout rises along a direction.

        The direction is the mean over steps of weight · ∇ log π(a|s), which is the policy gradient
        where weights are advantages; the rise, per unit along it and to first order, is that of
        log π(a|s) of each step.

        Args:
            weights: (T, n_envs), of the rollout's newest steps; all of them, mostly.

        Returns:
            (T, n_envs).

        Raises:
            ValueError: the agent keeps no rollout, or a shorter one.
        """
