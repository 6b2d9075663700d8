"""Experts that need no training: what they are, and hand-written ones of gymnasium's own tasks.

A family says which experts an environment has (`Family.experts`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from stable_baselines3.common.vec_env import VecEnv

from envs.typing import Array, BoolArray

Expert = Callable[[Any, BoolArray], Array]
"""(observations of all rows, which rows begin an episode (n,)) -> actions (n, ...), in the
environment's own units."""
Experts = Mapping[str, Callable[[VecEnv], Expert]]
"""Name -> what makes an expert for a vector environment; the best one first."""


def controller(act: Callable[[Array], Array]) -> Callable[[VecEnv], Expert]:
    """What makes an expert of a function of the observations alone."""

    def make(venv: VecEnv) -> Expert:
        dtype = venv.action_space.dtype

        def expert(observations: Any, starts: BoolArray) -> Array:
            return act(np.asarray(observations)).astype(dtype)

        return expert

    return make


def balance_cart(observations: Array) -> Array:
    """CartPole's push (n,): 1 where the pole falls, or will fall, to the right."""
    return (0.1 * observations[:, 2] + 0.01 * observations[:, 3] > 0).astype(np.int64)


def swing_car(observations: Array) -> Array:
    """MountainCar's push (n,) along the velocity."""
    return np.where(observations[:, 1] < 0, 0, 2)


def swing_car_continuously(observations: Array) -> Array:
    """MountainCarContinuous's push (n, 1) along the velocity."""
    return np.where(observations[:, 1:2] < 0, -1.0, 1.0)


def balance_pendulum(observations: Array) -> Array:
    """InvertedPendulum's force (n, 1): linear in its four observations."""
    gains = np.array([0.33, 7.5, 0.7, 1.2])
    return np.clip(observations @ gains, -3.0, 3.0)[:, None]


def swing_pendulum(observations: Array) -> Array:
    """Pendulum's torque (n, 1): pumps energy until it is nearly upright, then holds it there."""
    cos, sin, spin = observations.T
    held = -(11.0 * np.arctan2(sin, cos) + 3.0 * spin)
    energy = spin**2 / 6.0 + 5.0 * (cos - 1.0)
    pumped = np.where(spin == 0, 2.0, -2.0 * np.sign(spin) * np.sign(energy))
    return np.clip(np.where(cos > 0.9, held, pumped), -2.0, 2.0)[:, None]


OF_GYMNASIUM: Mapping[str, Experts] = {
    "CartPole-v1": {"balance": controller(balance_cart)},
    "MountainCar-v0": {"swing": controller(swing_car)},
    "MountainCarContinuous-v0": {"swing": controller(swing_car_continuously)},
    "InvertedPendulum-v5": {"balance": controller(balance_pendulum)},
    "Pendulum-v1": {"swing": controller(swing_pendulum)},
}
"""gymnasium's id -> its experts."""
