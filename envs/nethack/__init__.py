"""NetHack and MiniHack: the real games of nle and minihack, played fast and with their traps repaired.

`NetHackVecEnv` is the fast vector environment, `NetHackEnv` one game for gymnasium; both are faces of `GameBatch`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stable_baselines3.common.vec_env import VecEnv

from envs.catalogue import NAMESPACE, EnvDescription
from envs.nethack.batch import REPORTS, BatchConfig
from envs.nethack.env import NetHackEnv
from envs.nethack.events import EVENTS
from envs.nethack.game import NetHackError
from envs.nethack.observations import DEFAULT_ENTRIES
from envs.nethack.stock import stock_vec_env
from envs.nethack.tasks import stock_id, stock_ids, why_refused
from envs.nethack.vec_env import NetHackVecEnv

__all__ = ["EVENTS", "REPORTS", "BatchConfig", "NetHackEnv", "NetHackError", "NetHackFamily", "NetHackVecEnv"]


class NetHackFamily:
    """Every NetHack and MiniHack task, for the catalogue."""

    def ids(self) -> Sequence[str]:
        """All ids, those that `make_vec` refuses included: it says why."""
        return [NAMESPACE + name for name in stock_ids()]

    def describe(self, env_id: str) -> EnvDescription:
        return EnvDescription(env_id, reports=REPORTS, events=tuple(EVENTS))

    def refusal(self, env_id: str) -> str | None:
        """Why this task cannot be built here, or None."""
        return why_refused(stock_id(env_id))

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
        observation_keys: Sequence[str] = DEFAULT_ENTRIES,
        crop_size: int = 9,
        level_seed: int | None = None,
        max_episode_steps: int | None = None,
        record_to: str | None = None,
        record_every: int = 1,
        render_mode: str | None = None,
        stock: bool = False,
        **task: Any,
    ) -> VecEnv:
        """See `envs.make_vec`; the remaining arguments are those of `BatchConfig` and, last, of the task's own
        constructor.

        `stock=True` builds the stock path instead (`envs.nethack.stock`), for comparisons; it reports nothing.
        """
        if stock:
            refused = {
                "report": report,
                "workers": workers,
                "level_seed": level_seed is not None,
                "record_to": record_to,
            }
            given = [name for name, value in refused.items() if value]
            if given or crop_size != 9 or render_mode:
                raise ValueError(
                    f"the stock path (stock=true) is bare: it takes no {', '.join(given) or 'crop_size or render_mode'}"
                )
            if max_episode_steps is not None:
                task["max_episode_steps"] = max_episode_steps
            return stock_vec_env(env_id, n_envs, tuple(observation_keys), seed=2 * seed + (split == "eval"), **task)
        config = BatchConfig(
            env_id,
            observation_keys=tuple(observation_keys),
            crop_size=crop_size,
            report=tuple(report),
            events=tuple(events),
            seed=seed,
            split=split,
            level_seed=level_seed,
            max_episode_steps=max_episode_steps,
            record_to=record_to,
            record_every=record_every,
            task=task,
        )
        return NetHackVecEnv(config, n_envs, workers=workers, render_mode=render_mode)
