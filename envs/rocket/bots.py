"""Scripted drivers: opponents that need no training.

A bot turns the states and the cars it drives into controls, in any of the K arenas: (K, len(cars), 8).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from envs.rocket.actions import lookup_table
from envs.rocket.meshes import Field
from envs.rocket.states import MatchStates
from envs.typing import Array, IntArray

Controls = npt.NDArray[np.float32]
_BOOST_ALONG = 0.35  # radians: so straight ahead must the target be for boost
_SLIDE = 1.6  # radians: beyond, the handbrake is pulled


class Bot(ABC):
    """Drives cars by rules."""

    def __init__(self, seed: int = 0) -> None:
        self.random = np.random.default_rng(seed)

    @abstractmethod
    def __call__(self, states: MatchStates, cars: IntArray) -> Controls:
        """Controls (K, len(cars), 8) for these cars of every arena."""


class Idle(Bot):
    """Does nothing."""

    def __call__(self, states: MatchStates, cars: IntArray) -> Controls:
        return np.zeros((len(states.ball_position), len(cars), 8), np.float32)


class RandomDriver(Bot):
    """Any of the ninety actions, each step."""

    _table = lookup_table()

    def __call__(self, states: MatchStates, cars: IntArray) -> Controls:
        return self._table[self.random.integers(len(self._table), size=(len(states.ball_position), len(cars)))]


class ChaseBall(Bot):
    """Drives at the ball, boosting when it is straight ahead."""

    def __call__(self, states: MatchStates, cars: IntArray) -> Controls:
        return drive_to(states, cars, np.repeat(states.ball_position[:, None], len(cars), axis=1))


class Goalie(Bot):
    """Stays between the ball and its goal, near the line, and goes for balls that come close."""

    REACH = 2200.0

    def __call__(self, states: MatchStates, cars: IntArray) -> Controls:
        field = Field()
        side = np.where(states.orange[cars], 1.0, -1.0)  # of its own goal
        ball = np.repeat(states.ball_position[:, None], len(cars), axis=1)
        line = np.zeros_like(ball)
        line[..., 0] = np.clip(ball[..., 0], -0.7 * field.goal_half_width, 0.7 * field.goal_half_width)
        line[..., 1] = side * (field.back - 250.0)
        close = np.abs(ball[..., 1] - side * field.back) < self.REACH
        return drive_to(states, cars, np.where(close[..., None], ball, line), boosts=close)


def drive_to(states: MatchStates, cars: IntArray, targets: Array, boosts: Array | None = None) -> Controls:
    """Controls that steer cars on the ground to targets (K, len(cars), 3)."""
    position, forward = states.car_position[:, cars], states.car_forward[:, cars]
    way = targets - position
    wanted, heading = np.arctan2(way[..., 1], way[..., 0]), np.arctan2(forward[..., 1], forward[..., 0])
    turn = (wanted - heading + math.pi) % (2 * math.pi) - math.pi
    steer = np.clip(3.0 * turn, -1.0, 1.0)
    controls = np.zeros((*turn.shape, 8), np.float32)
    controls[..., 0] = 1.0
    controls[..., 1] = controls[..., 3] = steer
    far = np.linalg.norm(way[..., :2], axis=-1) > 300.0
    ahead = (np.abs(turn) < _BOOST_ALONG) & far & (states.boost[:, cars] > 0)
    controls[..., 6] = ahead if boosts is None else ahead & boosts
    controls[..., 7] = np.abs(turn) > _SLIDE
    return controls


BOTS: Mapping[str, type[Bot]] = {"idle": Idle, "random": RandomDriver, "chase_ball": ChaseBall, "goalie": Goalie}
"""Name -> bot, for `opponent=`."""
