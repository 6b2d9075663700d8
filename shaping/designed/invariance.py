"""Whether a reward leaves the best policies the best: solved, never assumed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from foundation.tabular_mdp import FloatArray, TabularMDP, evaluate, solve

AS_GOOD = 1e-9


@dataclass(frozen=True)
class Invariance:
    """What a reward changes of what is best.

    Attributes:
        changed: states in which an action that is best under the reward is worse under the task's.
        losses: of each of them, V(s) − Q(s, a) of the task for the worst such action.
        start_loss: what following the reward costs at the start: the task's best value less that of
            the reward's best policy.
    """

    changed: tuple[int, ...]
    losses: tuple[float, ...]
    start_loss: float

    @property
    def holds(self) -> bool:
        """Is nothing changed?"""
        return not self.changed

    def __str__(self) -> str:
        if self.holds:
            return "the best policies of the reward are best for the task in every state"
        worst = int(np.argmax(self.losses))
        return (
            f"{len(self.changed)} states change what is best ({', '.join(map(str, self.changed))}): "
            f"at most {self.losses[worst]:.4g}, in state {self.changed[worst]}; the start loses {self.start_loss:.4g}"
        )


def invariant(mdp: TabularMDP, rewards: FloatArray, tolerance: float = AS_GOOD) -> Invariance:
    """Solve the process under its own reward and under another, and compare.

    Args:
        mdp: the process.
        rewards: R(s, a), (states, actions).
        tolerance: an action counts as best under a reward where its value is that near to the best.

    Raises:
        ValueError: rewards of another shape or not finite, or gamma is 1 and a policy never ends.
    """
    if rewards.shape != mdp.rewards.shape or not np.isfinite(rewards).all():
        raise ValueError(f"rewards are {rewards.shape}; expected finite numbers, {mdp.rewards.shape}")
    own, other = solve(mdp), solve(mdp, rewards)
    best = other.action_values >= other.values[:, None] - tolerance
    losses = np.where(best & ~own.best, own.values[:, None] - own.action_values, 0.0)
    going = ~np.isin(np.arange(mdp.n_states), mdp.absorbing)
    changed = np.flatnonzero((best & ~own.best).any(axis=1) & going)
    followed = evaluate(mdp, np.eye(mdp.n_actions)[other.policy])
    return Invariance(
        tuple(changed.tolist()),
        tuple(losses[changed].max(axis=1).tolist()),
        float(mdp.start @ (own.values - followed)),
    )
