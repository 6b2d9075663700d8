"""An expert's steps as a replay buffer would hold them."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from agents.imitation.settings import Imitation
from foundation.demonstrations import Demonstrations

Array = npt.NDArray[np.float32]


class Expert:
    """Steps in the learner's units: float32, actions scaled to [−1, 1] as in SB3's replay buffer.

    Args:
        demonstrations: actions in the environment's own units.
        observation_space, action_space: of the learner: vectors, bounded actions.
        settings: `subsample` of them.

    Attributes:
        observations, next_observations: (n, width).
        actions: (n, size).
        terminated: (n,) 1 where the task was over.
        absorbed: how many episodes ended by termination, whether their last step was kept or not.

    Raises:
        ValueError: they do not fit the learner.
    """

    def __init__(
        self,
        demonstrations: Demonstrations,
        observation_space: spaces.Space[Any],
        action_space: spaces.Box,
        settings: Imitation,
    ) -> None:
        demonstrations.check(observation_space, action_space)
        _warn(demonstrations, settings)
        kept = demonstrations.subsample(settings.subsample, settings.subsample_seed)
        low, high = action_space.low, action_space.high
        scaled = 2.0 * (kept.actions - low) / (high - low) - 1.0
        self.actions: Array = np.clip(scaled, -1.0, 1.0).astype(np.float32)
        self.observations: Array = np.asarray(kept.observations, np.float32)
        self.next_observations: Array = np.asarray(kept.next_observations, np.float32)
        self.terminated: Array = kept.terminated.astype(np.float32)
        self.absorbed = int(kept.ended.sum())

    def __len__(self) -> int:
        """Steps."""
        return len(self.actions)


def _warn(demonstrations: Demonstrations, settings: Imitation) -> None:
    """Of rewards whose sign says more than the demonstrations do."""
    if settings.absorbing != "none":
        return
    if settings.reward == "minimax" and demonstrations.ended.any():
        warnings.warn(
            "the expert's episodes end by termination, and agent.reward=minimax is never negative, so going on is paid "
            "whatever is done: where the expert ends on success, use agent.absorbing=dac, or agent.reward=airl or "
            "nonsat; where it ends on failure, compare with agent.reward=constant",
            stacklevel=3,
        )
    if settings.reward == "nonsat" and not demonstrations.ended.all():
        warnings.warn(
            "the expert's episodes do not end by termination, and agent.reward=nonsat is never positive, so where an "
            "episode can terminate, ending it soon is paid: use agent.absorbing=dac, or agent.reward=minimax or airl",
            stacklevel=3,
        )
