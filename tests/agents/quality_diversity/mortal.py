"""An environment that can be the death of its process, registered as Mortal-v0."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces


class Mortal(gymnasium.Env[Any, Any]):
    """A point on a line, pushed for 10 steps; far pushes pay.

    Args:
        folder: where its first step in a process leaves a file of that process's id; "": nowhere.
        wait: seconds that it then waits for a file "go" there; 0 for none.
        deadly: a first action above this kills the process, unless it is `spared`.
        spared: the process that is spared.
    """

    def __init__(self, folder: str = "", wait: float = 0.0, deadly: float = 2.0, spared: int = 0) -> None:
        self.observation_space = spaces.Box(-10.0, 10.0, (2,), np.float32)
        self.action_space = spaces.Box(-1.0, 1.0, (1,), np.float32)
        self._folder, self._wait, self._deadly, self._spared = folder, wait, deadly, spared

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self._state = self.np_random.normal(size=2)
        self._first = True
        return self._state.astype(np.float32), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        push, mine = float(action[0]), os.getpid()
        if self._folder and mine != self._spared:
            self._leave_trace(Path(self._folder))
        first, self._first = self._first, False
        if first and push > self._deadly and mine != self._spared:
            os.kill(mine, signal.SIGKILL)
        self._state = np.clip(self._state + [push, 0.1], -10.0, 10.0)
        return self._state.astype(np.float32), push, False, False, {}

    def _leave_trace(self, folder: Path) -> None:
        trace = folder / str(os.getpid())
        if not trace.exists():
            trace.touch()
            end = time.monotonic() + self._wait
            while time.monotonic() < end and not (folder / "go").exists():
                time.sleep(0.02)


gymnasium.register("Mortal-v0", Mortal, max_episode_steps=10)
