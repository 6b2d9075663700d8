"""The key room as peers learn it: one reward and one observation over our game and over stock's.

The reward is what `shaping=events` pays by default: the task's own, and 1 the first time in an
episode that the key is picked up and that the door is opened. Our game reports these events. For
stock MiniHack they are found by the same predicates (`envs.nethack.events`) on nle's arrays before
and after a step. What an episode has achieved is an observation entry, as it is with the term.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

import envs  # noqa: F401  (registers our ids)
from envs.catalogue import NAMESPACE
from envs.nethack.events import EVENTS as PREDICATES
from envs.nethack.events import Step
from envs.nethack.stock import StockNetHackEnv
from envs.typing import Array
from foundation.checks import one_of

TASK = "MiniHack-KeyRoom-S5-v0"
ENTRIES = ("glyphs_crop", "blstats", "inv_glyphs")
EVENTS = ("picked_up_key", "opened_door")
WORLDS = ("ours", "stock")

Observation = dict[str, Array]
Game = gymnasium.Wrapper[Observation, Any, Observation, Any]


def key_room(world: str) -> PaidEvents:
    """One game over our environment or over stock's.

    Raises:
        ValueError: for another world than these two.
    """
    if one_of("world", world, WORLDS) == "stock":
        return PaidEvents(StockEvents(StockNetHackEnv(TASK, ENTRIES)))
    return PaidEvents(
        gymnasium.make(
            f"{NAMESPACE}{TASK}",
            observation_keys=ENTRIES,
            report=("events",),
            events=EVENTS,
            disable_env_checker=True,
        )
    )


class StockEvents(Game):
    """Reports in `info["events"]` what our game reports, from stock's arrays."""

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        observation, info = self.env.reset(seed=seed)
        self._before = self._arrays()
        return observation, info

    def step(self, action: Any) -> tuple[Observation, Any, bool, bool, dict[str, Any]]:
        observation, reward, terminated, truncated, info = self.env.step(action)
        now = self._arrays()
        step = Step(self._before, now, (b"",))
        info["events"] = tuple(name for name in EVENTS if PREDICATES[name](step)[0])
        self._before = now
        return observation, reward, terminated, truncated, info

    def _arrays(self) -> dict[str, Array]:
        """nle's arrays as a batch of one game; nle writes into its own again."""
        stock: Any = self.env.unwrapped
        rows = dict(zip(stock._observation_keys, stock.last_observation, strict=True))
        return {key: rows[key][None].copy() for key in ("glyphs", "blstats", "inv_glyphs")}


class PaidEvents(Game):
    """Pays 1 for each event the first time in an episode, and shows which have been paid."""

    def __init__(self, env: gymnasium.Env[Observation, Any]) -> None:
        super().__init__(env)
        assert isinstance(env.observation_space, spaces.Dict)
        achieved = spaces.Box(0.0, 1.0, (len(EVENTS),), np.float32)
        self.observation_space = spaces.Dict({**env.observation_space.spaces, "events": achieved})
        self._achieved = np.zeros(len(EVENTS), np.float32)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        observation, info = self.env.reset(seed=seed)
        self._achieved = np.zeros(len(EVENTS), np.float32)
        return {**observation, "events": self._achieved.copy()}, info

    def step(self, action: Any) -> tuple[Observation, Any, bool, bool, dict[str, Any]]:
        observation, reward, terminated, truncated, info = self.env.step(int(action))
        paid = float(reward)
        for name in info.get("events", ()):
            column = EVENTS.index(name)
            paid += 1.0 - float(self._achieved[column])
            self._achieved[column] = 1.0
        return {**observation, "events": self._achieved.copy()}, paid, terminated, truncated, info
