"""The small worlds of the papers: fast, deterministic, made for experiments of a minute.

Each is a file of this folder with `WORLDS`; see `envs.classic.worlds`.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

import gymnasium
from stable_baselines3.common.vec_env import VecEnv

from envs.arguments import keywords
from envs.catalogue import EnvDescription, Family, Option, Request, registry
from envs.classic.worlds import World
from envs.controllers import Experts
from foundation.registry import import_all


@functools.cache
def worlds() -> Mapping[str, World]:
    """Every small world by its id, in the order of their files."""
    return {world.id: world for module in import_all(__name__) for world in getattr(module, "WORLDS", ())}


@registry.register("classic")
class ClassicFamily(Family):
    """Every small world."""

    place = 30

    def ids(self) -> Sequence[str]:
        return tuple(worlds())

    def options(self) -> Sequence[Option]:
        return tuple(option for world in worlds().values() for option in world.options)

    def describe(self, env_id: str) -> EnvDescription:
        rules = worlds()[env_id].face.worlds
        return EnvDescription(env_id, rules.reports, rules.known_events, rules.limit)

    def register(self, env_id: str) -> None:
        world = worlds()[env_id]
        gymnasium.register(
            env_id,
            entry_point=f"{world.face.__module__}:{world.face.__qualname__}",
            max_episode_steps=world.face.worlds.limit,
            kwargs=dict(world.arguments),
        )

    def arguments(self, env_id: str) -> frozenset[str] | None:
        accepted = keywords(worlds()[env_id].face.worlds)
        return None if accepted is None else accepted - {"request"}

    def experts(self, env_id: str) -> Experts:
        return worlds()[env_id].experts

    def make_vec(self, env_id: str, request: Request, **kwargs: object) -> VecEnv:
        """See the world's own `WorldVecEnv` for the arguments."""
        world = worlds()[env_id]
        make: type = world.face.worlds
        venv: VecEnv = make(request, **{**world.arguments, **kwargs})
        return venv
