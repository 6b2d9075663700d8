"""What MuJoCo's worlds of ours share: ids without cards, and a word where MuJoCo is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any

import gymnasium
from stable_baselines3.common.vec_env import VecEnv

from envs.catalogue import NAMESPACE, EnvDescription, Option, Request, registry
from envs.mujoco.ant_maze import AntMaze
from envs.mujoco.split_half_cheetah import SplitHalfCheetah
from envs.plain import PlainFamily

WORLDS: Mapping[str, tuple[type[gymnasium.Env[Any, Any]], int]] = {
    f"{NAMESPACE}SplitHalfCheetah-v0": (SplitHalfCheetah, 1000),
    f"{NAMESPACE}AntMaze-v0": (AntMaze, 3000),
}
"""Id -> its class, and the time limit."""


@registry.register("mujoco")
class MujocoFamily(PlainFamily):
    """``env=custom env.id=breadcrumb/AntMaze-v0``, and what else needs MuJoCo."""

    place = 80

    def ids(self) -> Sequence[str]:
        return tuple(WORLDS)

    def options(self) -> Sequence[Option]:
        """None: a card is for what every installation has."""
        return ()

    def canonical(self, env_id: str) -> str | None:
        known = (env_id, f"{NAMESPACE}{env_id}")
        return next((each for each in known if each in WORLDS), None)

    def describe(self, env_id: str) -> EnvDescription:
        world, limit = WORLDS[env_id]
        return EnvDescription(env_id, frozenset(getattr(world, "reports", ())), max_episode_steps=limit)

    def register(self, env_id: str) -> None:
        world, limit = WORLDS[env_id]
        gymnasium.register(env_id, entry_point=f"{world.__module__}:{world.__name__}", max_episode_steps=limit)

    def make_vec(self, env_id: str, request: Request, **kwargs: Any) -> VecEnv:
        """See `PlainFamily.make_vec`.

        Raises:
            ValueError: MuJoCo is missing.
        """
        if find_spec("mujoco") is None:
            raise ValueError(f"{env_id} needs MuJoCo, which is not installed: make setup EXTRAS=mujoco")
        return super().make_vec(env_id, request, **kwargs)
