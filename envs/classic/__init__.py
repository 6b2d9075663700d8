"""The small worlds of the papers: fast, deterministic, made for experiments of a minute."""

from __future__ import annotations

from collections.abc import Sequence

import gymnasium
from stable_baselines3.common.vec_env import VecEnv

from envs.catalogue import EnvDescription, Family, Option, Request, registry
from envs.classic.caption_quest import EVENTS, REPORTS, STEP_LIMIT, CaptionQuestEnv, CaptionQuestVecEnv
from envs.classic.cards import CAPTION_QUEST, OPTIONS

__all__ = ["CaptionQuestEnv", "CaptionQuestVecEnv", "ClassicFamily"]


@registry.register("classic")
class ClassicFamily(Family):
    """Every small world."""

    place = 30

    def ids(self) -> Sequence[str]:
        return (CAPTION_QUEST,)

    def options(self) -> Sequence[Option]:
        return OPTIONS

    def describe(self, env_id: str) -> EnvDescription:
        return EnvDescription(env_id, reports=REPORTS, events=EVENTS, max_episode_steps=STEP_LIMIT)

    def register(self, env_id: str) -> None:
        gymnasium.register(
            env_id, entry_point="envs.classic.caption_quest:CaptionQuestEnv", max_episode_steps=STEP_LIMIT
        )

    def make_vec(  # type: ignore[override]  # these and no others
        self, env_id: str, request: Request, *, dummy: bool = False, max_episode_steps: int = STEP_LIMIT
    ) -> VecEnv:
        """See `CaptionQuestVecEnv` for the arguments."""
        return CaptionQuestVecEnv(request, dummy=dummy, max_episode_steps=max_episode_steps)
