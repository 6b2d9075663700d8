"""Rocket: a Rocket League-like game on the community's own physics, RocketSim.

The arena is our own.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any

import gymnasium
from stable_baselines3.common.vec_env import VecEnv

from envs.catalogue import NAMESPACE, EnvDescription, Family, Option, Request, registry
from envs.controllers import Expert, Experts
from envs.rocket.bots import BOTS
from envs.rocket.cards import OPTIONS, TASKS
from envs.rocket.env import RocketEnv, RocketParallelEnv, rocket_v0
from envs.rocket.states import EVENTS, MatchStates
from envs.rocket.vec_env import REPORTS, MatchConfig, RocketVecEnv
from envs.typing import Array, BoolArray

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


_EXPERTS: Mapping[str, tuple[str, ...]] = {f"{NAMESPACE}RocketGoalie-v0": ()}


def _driven(name: str, venv: VecEnv) -> Expert:
    rows, driver = venv.unwrapped, BOTS[name]()
    assert isinstance(rows, RocketVecEnv)

    def expert(observations: Any, starts: BoolArray) -> Array:
        return rows.actions_of(driver, starts)

    return expert


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

    def experts(self, env_id: str) -> Experts:
        """The bots that aim, with the task's own actions; none of them keeps a goal."""
        return {name: functools.partial(_driven, name) for name in _EXPERTS.get(env_id, ("kickoff", "chase_ball"))}

    def faces(self, env_id: str) -> Mapping[str, Callable[..., Any]]:
        """One car for gymnasium; all cars for PettingZoo, at once or in turns."""

        def parallel(**match: Any) -> RocketParallelEnv:
            return RocketParallelEnv(**{**TASKS[env_id], **match})

        def aec(**match: Any) -> Any:
            from pettingzoo.utils.conversions import parallel_to_aec

            return parallel_to_aec(parallel(**match))

        return {**super().faces(env_id), "parallel": parallel, "aec": aec}
