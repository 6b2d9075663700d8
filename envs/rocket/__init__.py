"""Rocket: a Rocket League-like game on the community's own physics, RocketSim.

The arena is our own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any

import gymnasium
from stable_baselines3.common.vec_env import VecEnv

from envs.catalogue import EnvDescription, Family, Option, Request, registry
from envs.rocket.cards import OPTIONS, TASKS
from envs.rocket.env import RocketEnv, RocketParallelEnv, rocket_v0
from envs.rocket.states import EVENTS, MatchStates
from envs.rocket.vec_env import REPORTS, MatchConfig, RocketVecEnv

__all__ = [
    "TASKS",
    "MatchConfig",
    "MatchStates",
    "RocketEnv",
    "RocketFamily",
    "RocketParallelEnv",
    "RocketVecEnv",
    "rocket_v0",
]


@registry.register("rocket")
class RocketFamily(Family):
    """Every Rocket task."""

    place = 20

    def ids(self) -> Sequence[str]:
        return tuple(TASKS)

    def options(self) -> Sequence[Option]:
        return OPTIONS

    def describe(self, env_id: str) -> EnvDescription:
        config = MatchConfig(**TASKS[env_id])
        return EnvDescription(env_id, reports=REPORTS, events=EVENTS, max_episode_steps=config.max_steps)

    def register(self, env_id: str) -> None:
        gymnasium.register(env_id, entry_point="envs.rocket.env:RocketEnv", kwargs=dict(TASKS[env_id]))

    def arguments(self, env_id: str) -> frozenset[str]:
        """Those of `MatchConfig`."""
        return frozenset(entry.name for entry in fields(MatchConfig))

    def rows_together(self, env_id: str, **match: Any) -> int:
        """The cars of an arena that are rows."""
        return MatchConfig(**{**TASKS[env_id], **match}).rows

    def make_vec(self, env_id: str, request: Request, **match: Any) -> VecEnv:
        """`request.n_envs` counts cars; the arguments are those of `MatchConfig`."""
        return RocketVecEnv(MatchConfig(**{**TASKS[env_id], **match}), request)

    def faces(self, env_id: str) -> Mapping[str, Callable[..., Any]]:
        """One car for gymnasium; all cars for PettingZoo, at once or in turns."""

        def parallel(**match: Any) -> RocketParallelEnv:
            return RocketParallelEnv(**{**TASKS[env_id], **match})

        def aec(**match: Any) -> Any:
            from pettingzoo.utils.conversions import parallel_to_aec

            return parallel_to_aec(parallel(**match))

        return {**super().faces(env_id), "parallel": parallel, "aec": aec}
