"""A clock around a vector environment's steps."""

from __future__ import annotations

import time
from typing import Any

from stable_baselines3.common.vec_env import VecEnvWrapper


class TimedVecEnv(VecEnvWrapper):
    """Passes everything through and sums up what the steps of the environment in it take.

    Attributes:
        seconds: in `step_wait`, over all steps so far.
    """

    seconds = 0.0

    def reset(self) -> Any:
        return self.venv.reset()

    def step_wait(self) -> Any:
        started = time.perf_counter()
        try:
            return self.venv.step_wait()
        finally:
            self.seconds += time.perf_counter() - started
