"""Software-engineering tasks: programs with a bug, sandboxes for them, graders that judge them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gymnasium
from stable_baselines3.common.vec_env import VecEnv

from envs.arguments import keywords
from envs.catalogue import NAMESPACE, EnvDescription, Family, Option, Request, registry
from envs.swe.rules import CHANNELS, MAX_TURNS
from envs.swe.tools.env import SweToolsEnv, tools_vec_env
from envs.swe.tools.vec_env import REPORTS

__all__ = ["SweFamily", "SweToolsEnv"]

TOOLS, TEXT = f"{NAMESPACE}SweTools-v0", f"{NAMESPACE}SweText-v0"
_ENTRY_POINTS = {TOOLS: "envs.swe.tools.env:SweToolsEnv", TEXT: "envs.swe.text.env:SweTextEnv"}


@registry.register("swe")
class SweFamily(Family):
    """The two faces of one task: tools to choose from, and text."""

    place = 40
    face_arguments = ("report", "split", "render_mode")

    def ids(self) -> Sequence[str]:
        return tuple(_ENTRY_POINTS)

    def options(self) -> Sequence[Option]:
        return (
            Option(
                "swe/tools",
                TOOLS,
                steps=60_000,
                channels=CHANNELS,
                statistics=True,
                task="Find the bug that makes tests fail, mend it, and submit.",
            ),
        )

    def describe(self, env_id: str) -> EnvDescription:
        return EnvDescription(env_id, reports=REPORTS, max_episode_steps=MAX_TURNS)

    def register(self, env_id: str) -> None:
        gymnasium.register(env_id, entry_point=_ENTRY_POINTS[env_id])

    def arguments(self, env_id: str) -> frozenset[str] | None:
        if env_id == TEXT:
            from envs.swe.text.env import SweTextEnv

            return keywords(SweTextEnv)
        found = keywords(tools_vec_env)
        return None if found is None else found - {"request"}

    def faces(self, env_id: str) -> Mapping[str, Callable[..., Any]]:
        made = {"gymnasium": functools.partial(gymnasium.make, env_id)}
        return {**made, "text": functools.partial(gymnasium.make, TEXT)} if env_id == TEXT else made

    def make_vec(self, env_id: str, request: Request, **kwargs: Any) -> VecEnv:
        """See `tools_vec_env` for the arguments."""
        if env_id == TEXT:
            raise ValueError(
                f"{TEXT} speaks in text, which no agent here reads: train with env=swe/tools, and play the text face "
                "with python -m scripts.play_swe"
            )
        return tools_vec_env(request, **kwargs)
