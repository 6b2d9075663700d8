"""Rocket: a Rocket League-like game on the community's own physics, RocketSim, in an arena that we make ourselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from types import MappingProxyType
from typing import Any

from stable_baselines3.common.vec_env import VecEnv

from envs.catalogue import NAMESPACE, EnvDescription
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

_SITUATIONS: dict[str, float] = {"kickoff": 0.4, "kickoff_like": 0.2, "random": 0.4}
TASKS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        f"{NAMESPACE}RocketShoot-v0": {
            "blue": 1, "orange": 0, "observation": "shoot", "actions": "shoot", "starts": {"shoot": 1.0},
            "seconds": 6.0, "no_touch_seconds": None,
        },
        f"{NAMESPACE}RocketGoalie-v0": {
            "blue": 1, "orange": 0, "starts": {"goalie": 1.0}, "seconds": 6.0, "no_touch_seconds": None,
        },
        f"{NAMESPACE}Rocket1v1-v0": {"blue": 1, "orange": 1, "starts": _SITUATIONS},
        f"{NAMESPACE}Rocket2v2-v0": {"blue": 2, "orange": 2, "starts": _SITUATIONS, "observation": "lucy"},
        f"{NAMESPACE}Rocket3v3-v0": {"blue": 3, "orange": 3, "starts": _SITUATIONS, "observation": "lucy"},
    }
)  # fmt: skip
"""Id -> what is played; every entry can be given anew: `make_vec(id, n, seconds=30.0)`."""


class RocketFamily:
    """Every Rocket task, for the catalogue."""

    def ids(self) -> Sequence[str]:
        return list(TASKS)

    def describe(self, env_id: str) -> EnvDescription:
        config = MatchConfig(**TASKS[env_id])
        return EnvDescription(env_id, reports=REPORTS, events=EVENTS, max_episode_steps=config.max_steps)

    def rows_together(self, env_id: str, **match: Any) -> int:
        """The cars of an arena that are rows."""
        return MatchConfig(**{**TASKS[env_id], **match}).rows

    def make_vec(
        self,
        env_id: str,
        n_envs: int,
        *,
        seed: int,
        workers: int,
        report: Sequence[str],
        events: Sequence[str],
        split: str,
        render_mode: str | None = None,
        **match: Any,
    ) -> VecEnv:
        """See `envs.make_vec`; `n_envs` counts cars, and the remaining arguments are those of `MatchConfig`.

        Raises:
            ValueError: an unknown argument, or one that cannot work.
        """
        known = [entry.name for entry in fields(MatchConfig)]
        if unknown := sorted(set(match) - set(known)):
            raise ValueError(f"{env_id} takes no {', '.join(unknown)}; it takes {', '.join(known)}, render_mode")
        config = MatchConfig(**{**TASKS[env_id], **match})
        return RocketVecEnv(
            config,
            n_envs,
            seed=seed,
            split=split,
            workers=workers,
            report=report,
            events=events,
            render_mode=render_mode,
        )
