"""A fork that takes a step: one way pays the task, the other a misleading channel."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from stable_baselines3.common.vec_env import DummyVecEnv

from shaping import ShapedVecEnv, make_term


class Fork(gymnasium.Env[Any, Any]):
    """Three places, passed by action 0, which is paid at the end; 1 stays and pays the lure."""

    reports = ("reward_channels",)
    max_episode_steps = 6

    def __init__(self, lure: float = 3.0, box: bool = False, continuous: bool = False) -> None:
        self.lure, self.continuous = lure, continuous
        self.observation_space: Any = spaces.Box(0.0, 2.0, (1,), np.float32) if box else spaces.Discrete(3)
        self.action_space: Any = spaces.Box(-1.0, 1.0, (1,), np.float32) if continuous else spaces.Discrete(2)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.place, self.steps = 0, 0
        return self._see(), {}

    def step(self, action: Any) -> Any:
        self.steps += 1
        right = float(action[0]) > 0 if self.continuous else int(action) == 0
        self.place += right
        there = self.place == 3
        info = {"reward_channels": {"lure": 0.0 if right else self.lure}}
        return self._see(), float(there), there, self.steps >= self.max_episode_steps, info

    def _see(self) -> Any:
        place = min(self.place, 2)
        return np.array([place], np.float32) if isinstance(self.observation_space, spaces.Box) else place


class Forks(DummyVecEnv):
    """Several, which say how long an episode may be."""

    max_episode_steps = Fork.max_episode_steps


def forks(n: int = 1, *, channels: bool = True, **arguments: Any) -> ShapedVecEnv:
    venv = Forks([lambda: Fork(**arguments)] * n)
    venv.seed(0)
    terms = {"channels": make_term("channels", names=["lure"])} if channels else {}
    return ShapedVecEnv(venv, terms, gamma=0.99, seed=0)
