"""Every gymnasium environment that is no other family's: built as SB3 would."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import gymnasium
from gymnasium.envs.registration import load_env_creator
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv, VecEnv

from envs.arguments import keywords
from envs.catalogue import EnvDescription, Family, Option, Request, registry

# SB3 seeds its training environments with seed, seed + 1, ...: evaluation begins far beyond.
_EVALUATION_SEEDS = 2**30


@registry.register("gymnasium")
class PlainFamily(Family):
    """Any registered gymnasium id. It is asked last, and brings no ids: they are gymnasium's."""

    place = 90
    face_arguments = ()

    def ids(self) -> Sequence[str]:
        """None: `envs.env_ids()` lists ours."""
        return ()

    def options(self) -> Sequence[Option]:
        return (
            Option("classic/cartpole", "CartPole-v1", steps=50_000),
            Option("classic/pendulum", "Pendulum-v1", steps=50_000),
            Option("classic/mountain_car", "MountainCar-v0", steps=200_000),
            Option("custom", None),
        )

    def canonical(self, env_id: str) -> str | None:
        return env_id if env_id in gymnasium.registry else None

    def describe(self, env_id: str) -> EnvDescription:
        return EnvDescription(env_id, max_episode_steps=gymnasium.spec(env_id).max_episode_steps)

    def register(self, env_id: str) -> None:
        """Never called: there is nothing to register."""

    def arguments(self, env_id: str) -> frozenset[str] | None:
        """Those of `gymnasium.make` and of the environment's constructor, as far as one can see."""
        creator: Any = gymnasium.spec(env_id).entry_point
        if isinstance(creator, str):
            creator = load_env_creator(creator)
        accepted = None if creator is None else keywords(creator)
        return None if accepted is None else accepted | {"max_episode_steps", "disable_env_checker"}

    def make_vec(self, env_id: str, request: Request, **kwargs: Any) -> VecEnv:
        """A DummyVecEnv, or with workers a SubprocVecEnv of one process a row."""
        if request.render_mode is not None:
            kwargs["render_mode"] = request.render_mode

        def build() -> gymnasium.Env[Any, Any]:
            return gymnasium.make(env_id, **kwargs)

        builders: list[Callable[[], gymnasium.Env[Any, Any]]] = [build for _ in range(request.n_envs)]
        venv: VecEnv = SubprocVecEnv(builders, start_method="spawn") if request.workers else DummyVecEnv(builders)
        venv.seed(request.seed % _EVALUATION_SEEDS + (_EVALUATION_SEEDS if request.split == "eval" else 0))
        return venv
