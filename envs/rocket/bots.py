"""Scripted drivers: opponents that need no training.

They sit on the ground, aim and boost; see `envs.rocket.drivers` for the interface.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from envs.rocket.actions import lookup_table
from envs.rocket.drivers import Controls, Driver
from envs.rocket.meshes import Field
from envs.rocket.states import MatchStates
from envs.typing import Array, IntArray

_BOOST_ALONG = 0.35  # radians: so straight ahead must the target be for boost
_SLIDE = 1.6  # radians: beyond, the handbrake is pulled


class Idle(Driver):
    """Does nothing."""

    def __call__(self, states: MatchStates, cars: IntArray, time_left: Array) -> Controls:
        return np.zeros((len(states.ball_position), len(cars), 8), np.float32)


class RandomDriver(Driver):
    """Any of the ninety actions, each step: the same ones in every episode of the same seed."""

    _table = lookup_table()

    def __init__(self) -> None:
        self._seeds: dict[int, int] = {}
        self._random: dict[int, np.random.Generator] = {}

    def __call__(self, states: MatchStates, cars: IntArray, time_left: Array) -> Controls:
        chosen = [self._choose(arena, cars) for arena in range(len(states.ball_position))]
        return self._table[np.stack(chosen)]

    def _choose(self, arena: int, cars: IntArray) -> IntArray:
        if arena not in self._random:  # the cars are in the seed: two of these do not mirror each other
            self._random[arena] = np.random.default_rng([self._seeds.get(arena, 0), *cars.tolist()])
        return self._random[arena].integers(len(self._table), size=len(cars))

    def begin(self, arenas: IntArray, seeds: IntArray) -> None:
        for arena, seed in zip(arenas.tolist(), seeds.tolist(), strict=True):
            self._seeds[arena] = seed
            self._random.pop(arena, None)


class ChaseBall(Driver):
    """Drives at the ball, boosting when it is straight ahead."""

    def __call__(self, states: MatchStates, cars: IntArray, time_left: Array) -> Controls:
        return drive_to(states, cars, np.repeat(states.ball_position[:, None], len(cars), axis=1))


class Goalie(Driver):
    """Stays between the ball and its goal, near the line, and goes for balls that come close."""

    REACH = 2200.0

    def __call__(self, states: MatchStates, cars: IntArray, time_left: Array) -> Controls:
        field = Field()
        side = np.where(states.orange[cars], 1.0, -1.0)  # of its own goal
        ball = np.repeat(states.ball_position[:, None], len(cars), axis=1)
        line = np.zeros_like(ball)
        line[..., 0] = np.clip(ball[..., 0], -0.7 * field.goal_half_width, 0.7 * field.goal_half_width)
        line[..., 1] = side * (field.back - 250.0)
        close = np.abs(ball[..., 1] - side * field.back) < self.REACH
        return drive_to(states, cars, np.where(close[..., None], ball, line), boosts=close)


class Kickoff(Driver):
    """Rushes to a ball in the centre and flips into it; later drives through it from behind."""

    FLIP = 750.0  # uu from the ball at which the flip begins
    BEHIND = 700.0  # uu from the ball, towards its own goal: where it turns for a shot

    def __init__(self) -> None:
        self._since_jump: IntArray | None = None  # steps (K, cars); -1 before it

    def __call__(self, states: MatchStates, cars: IntArray, time_left: Array) -> Controls:
        ball = np.repeat(states.ball_position[:, None], len(cars), axis=1)
        waits = np.abs(states.ball_position[:, :2]).sum(axis=1) + np.abs(states.ball_velocity).sum(axis=1) < 5.0
        side = np.where(states.orange[cars], 1.0, -1.0)
        own_goal = np.zeros_like(ball)
        own_goal[..., 1] = side * Field().back
        back = own_goal - ball
        back /= np.maximum(np.linalg.norm(back[..., :2], axis=-1, keepdims=True), 1e-6)
        in_front = (states.car_position[:, cars, 1] - ball[..., 1]) * -side > -100.0
        behind = ball + self.BEHIND * back
        behind[..., 0] += np.where(states.car_position[:, cars, 0] > ball[..., 0], 400.0, -400.0)  # past the ball
        controls = drive_to(states, cars, np.where((in_front & ~waits[:, None])[..., None], behind, ball))
        self._flip(controls, states, cars, waits)
        return controls

    def _flip(self, controls: Controls, states: MatchStates, cars: IntArray, waits: Array) -> None:
        """Jump, let go, and jump again with the nose down."""
        if self._since_jump is None or self._since_jump.shape != controls.shape[:2]:
            self._since_jump = np.full(controls.shape[:2], -1)
        since = self._since_jump
        near = np.linalg.norm((states.ball_position[:, None] - states.car_position[:, cars])[..., :2], axis=-1)
        since[~waits] = -1
        since[(since >= 0)] += 1
        since[(since < 0) & waits[:, None] & (near < self.FLIP)] = 0
        controls[..., 5] = (since == 0) | (since == 2)
        controls[since == 2, 1:5] = (0.0, -1.0, 0.0, 0.0)

    def begin(self, arenas: IntArray, seeds: IntArray) -> None:
        if self._since_jump is not None:
            self._since_jump[arenas] = -1


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


BOTS: Mapping[str, Callable[[], Driver]] = {
    "idle": Idle,
    "random": RandomDriver,
    "chase_ball": ChaseBall,
    "goalie": Goalie,
    "kickoff": Kickoff,
}
"""Name -> what makes the bot, for `opponent=`."""
