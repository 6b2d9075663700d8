"""NetHack and MiniHack: the real games, played fast and with their traps repaired.

`NetHackVecEnv` is the fast vector environment, `NetHackEnv` one game for gymnasium; both are faces
of `GameBatch`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium
from gymnasium.envs.registration import WrapperSpec
from stable_baselines3.common.vec_env import VecEnv

from envs.arguments import named
from envs.catalogue import NAMESPACE, EnvDescription, Family, Option, Request, registry
from envs.controllers import Experts
from envs.nethack.batch import REPORTS, BatchConfig
from envs.nethack.cards import OPTIONS
from envs.nethack.env import NetHackEnv
from envs.nethack.events import EVENTS
from envs.nethack.game import NetHackError
from envs.nethack.observations import DEFAULT_ENTRIES
from envs.nethack.scripted import key_room_expert
from envs.nethack.stock import stock_vec_env
from envs.nethack.tasks import is_task, stock_id, stock_ids, task_arguments
from envs.nethack.vec_env import NetHackVecEnv
from envs.typing import Array

__all__ = ["EVENTS", "REPORTS", "BatchConfig", "NetHackEnv", "NetHackError", "NetHackFamily", "NetHackVecEnv"]


_WALKED = (
    "MiniHack-KeyRoom-",
    "MiniHack-Room-5x5-",
    "MiniHack-Room-15x15-",
    "MiniHack-Room-Random-",
    "MiniHack-Room-Dark-",
)
"""What tasks are called that the scripted player solves."""


@registry.register("nethack")
class NetHackFamily(Family):
    """Every NetHack and MiniHack task."""

    place = 10

    def ids(self) -> Sequence[str]:
        """All ids, those that `make_vec` refuses included: it says why."""
        return [NAMESPACE + name for name in stock_ids()]

    def canonical(self, env_id: str) -> str | None:
        """One of `ids()`, or any level that was registered with gymnasium since."""
        name = super().canonical(env_id)
        if name is None and is_task(stock_id(env_id)):
            name = NAMESPACE + stock_id(env_id)
        if name is not None and name not in gymnasium.registry:
            self.register(name)
        return name

    def options(self) -> Sequence[Option]:
        return OPTIONS

    def describe(self, env_id: str) -> EnvDescription:
        return EnvDescription(env_id, reports=REPORTS, events=tuple(EVENTS))

    def register(self, env_id: str) -> None:
        """The tasks' own limits hold inside; a TimeLimit comes only where one asks for another."""
        gymnasium.register(
            env_id,
            entry_point="envs.nethack.env:NetHackEnv",
            kwargs={"env_id": env_id},
            additional_wrappers=(WrapperSpec("TellStepLimit", "envs.nethack.env:TellStepLimit", {}),),
        )

    def arguments(self, env_id: str) -> frozenset[str] | None:
        """Ours, and those of the task's own constructor."""
        accepted = task_arguments(env_id)
        return None if accepted is None else accepted | named(self.make_vec) - {"env_id", "request"}

    def experts(self, env_id: str) -> Experts:
        """One that fetches keys and finds stairs, for the rooms without monsters."""
        return {"key_room": key_room_expert} if stock_id(env_id).startswith(_WALKED) else {}

    def make_vec(
        self,
        env_id: str,
        request: Request,
        *,
        observation_keys: Sequence[str] = DEFAULT_ENTRIES,
        crop_size: int = 9,
        level_seed: int | None = None,
        max_episode_steps: int | None = None,
        record_to: str | None = None,
        record_every: int = 1,
        stock: bool = False,
        **task: Any,
    ) -> VecEnv:
        """The arguments are those of `BatchConfig` and of the task's own constructor.

        `stock=True` builds the stock path instead (`envs.nethack.stock`), for comparisons; it
        reports nothing.
        """
        if stock:
            refused = {
                "report": request.report,
                "workers": request.workers,
                "level_seed": level_seed is not None,
                "record_to": record_to,
            }
            given = [name for name, value in refused.items() if value]
            if given or crop_size != 9 or request.render_mode:
                raise ValueError(
                    f"the stock path (stock=true) is bare: it takes no {', '.join(given) or 'crop_size or render_mode'}"
                )
            if request.alike:
                raise ValueError("the stock path (stock=true) cannot play the same episodes in every row: leave it out")
            if max_episode_steps is not None:
                task["max_episode_steps"] = max_episode_steps
            seed = 2 * request.seed + (request.split == "eval")
            return stock_vec_env(env_id, request.n_envs, tuple(observation_keys), seed=seed, **task)
        config = BatchConfig(
            env_id,
            observation_keys=tuple(observation_keys),
            crop_size=crop_size,
            report=request.report,
            events=request.events,
            seed=request.seed,
            split=request.split,
            alike=request.alike,
            level_seed=level_seed,
            max_episode_steps=max_episode_steps,
            record_to=record_to,
            record_every=record_every,
            task=task,
        )
        return NetHackVecEnv(config, request.n_envs, workers=request.workers, render_mode=request.render_mode)

    def trim(self, frames: Sequence[Array]) -> list[Array]:
        """The mostly black map is cropped, so that its tiles stay sharp."""
        from envs.nethack.rendering import trim

        return trim(frames)
