"""The small worlds of the papers: fast, deterministic for a seed, made for experiments of a minute."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stable_baselines3.common.vec_env import VecEnv

from envs.catalogue import NAMESPACE, EnvDescription
from envs.classic.caption_quest import EVENTS, REPORTS, STEP_LIMIT, CaptionQuestEnv, CaptionQuestVecEnv

__all__ = ["CaptionQuestEnv", "CaptionQuestVecEnv", "ClassicFamily"]

CAPTION_QUEST = f"{NAMESPACE}CaptionQuest-v0"


class ClassicFamily:
    """Every small world, for the catalogue."""

    def ids(self) -> Sequence[str]:
        return [CAPTION_QUEST]

    def describe(self, env_id: str) -> EnvDescription:
        return EnvDescription(env_id, reports=REPORTS, events=EVENTS, max_episode_steps=STEP_LIMIT)

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
        **kwargs: Any,
    ) -> VecEnv:
        """See `envs.make_vec`; the remaining arguments are those of `CaptionQuestVecEnv`.

        Raises:
            ValueError: workers, which a world of a microsecond a step has no use for.
        """
        if workers:
            raise ValueError(
                f"workers={workers}: a step of {env_id} costs less than sending it to another process; use workers=0"
            )
        return CaptionQuestVecEnv(n_envs, seed=seed, split=split, report=report, events=events, **kwargs)
