"""The stock path, for comparison only: gymnasium.make and SB3's DummyVecEnv.

The wrapper does the least that lets the same network read it: bottom line normalised, time limit
told from an end. Everything that the fast path does otherwise (copies, crops, level seeds) is left
to the stock packages.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv

from envs.nethack.kernels import normalise_blstats
from envs.nethack.observations import ObservationLayout
from envs.nethack.rules import ABORTED, SUCCESS
from envs.nethack.tasks import stock_id
from envs.typing import Array


class StockNetHackEnv(gymnasium.Wrapper[dict[str, Array], Any, dict[str, Array], Any]):
    """A stock environment whose observation space is that of our layout of the same entries."""

    def __init__(self, env_id: str, entries: Sequence[str], **kwargs: Any) -> None:
        super().__init__(
            gymnasium.make(stock_id(env_id), observation_keys=tuple(entries), disable_env_checker=True, **kwargs)
        )
        self.observation_space = spaces.Dict(dict(ObservationLayout(entries).space().spaces))
        self._row = np.zeros(1, np.int64)

    def _observation(self, observation: dict[str, Array]) -> dict[str, Array]:
        if "blstats" not in observation:
            return observation
        blstats = np.empty((1, len(observation["blstats"])), np.float32)
        normalise_blstats(observation["blstats"][None], self._row, blstats)
        return {**observation, "blstats": blstats[0]}

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Array], dict[str, Any]]:
        if seed is not None:
            self.unwrapped.seed(seed, seed)  # type: ignore[attr-defined]
        observation, info = self.env.reset()
        return self._observation(observation), info

    def step(self, action: Any) -> tuple[dict[str, Array], float, bool, bool, dict[str, Any]]:
        observation, reward, ended, _, info = self.env.step(action)
        status = int(info["end_status"])
        if ended:
            info["is_success"] = status == SUCCESS
        return self._observation(observation), float(reward), ended and status != ABORTED, status == ABORTED, info


def stock_vec_env(env_id: str, n_envs: int, entries: Sequence[str], seed: int, **kwargs: Any) -> VecEnv:
    """`n_envs` stock environments in a DummyVecEnv."""
    venv = DummyVecEnv([lambda: StockNetHackEnv(env_id, entries, **kwargs) for _ in range(n_envs)])
    venv.seed(seed)
    return venv
