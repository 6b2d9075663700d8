"""How long an episode may be, for algorithms that learn from whole ones."""

from __future__ import annotations

from typing import Any

from stable_baselines3.common.vec_env import VecEnv


def longest_episode(env: VecEnv) -> int:
    """The environment's own time limit, in steps.

    Raises:
        ValueError: it does not tell.
    """
    told: Any = getattr(env.unwrapped, "max_episode_steps", None)
    if told is None:
        try:
            told = getattr(env.get_attr("spec")[0], "max_episode_steps", None)
        except (AttributeError, NotImplementedError):
            told = None
    if not isinstance(told, int) or not 0 < told < 10**6:
        raise ValueError(
            "the environment does not say after how many steps an episode ends, and that must be known: give "
            "agent.horizon=STEPS"
        )
    return told
