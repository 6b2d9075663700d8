"""StartMixture: which start an episode has, and the situations of files, recordings among them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from envs.rocket.recording import Recording
from envs.rocket.simulator import GOAL_LINE
from envs.rocket.starts import STARTS, Random, Start, Vector, check
from envs.rocket.states import MatchStates
from foundation.checks import number, one_of

REPLAY = "replay"
_UPRIGHT = 1e-3  # a car whose nose points up or down but for that has no yaw of its own


class StartMixture:
    """Draws a start for every episode.

    Args:
        weights: name of a start -> its weight; "replay" draws from `replay_file`.
        replay_file: an .npz: a recording of a match (`Recording.save`), or ball (M, 9: position,
            velocity, angular velocity) and cars (M, N, 13: position, velocity, angular velocity,
            yaw, pitch, roll, boost in 0..1). Of a recording, states in which the point is over or a
            car is demolished are left out. Flips and pads begin anew.
        n_cars: cars in an arena.

    Raises:
        ValueError: unknown names, weights that are none, a file that does not fit or holds
            impossible situations.
    """

    def __init__(self, weights: Mapping[str, float], n_cars: int, replay_file: str | Path | None = None) -> None:
        known = (*STARTS, REPLAY)
        for name, weight in weights.items():
            one_of("starts", name, known)
            number(f"starts.{name}", weight, least=0.0)
        total = float(sum(weights.values()))
        if total <= 0:
            raise ValueError("starts: no start has a weight above 0")
        self._names = list(weights)
        self._shares = np.array([weight / total for weight in weights.values()])
        self._replay: tuple[Vector, Vector] | None = None
        if weights.get(REPLAY, 0) > 0:
            if replay_file is None:
                raise ValueError("starts: replay needs replay_file=, an .npz of situations or a recorded match")
            self._replay = _situations(Path(replay_file), n_cars)

    def __call__(self, random: Random, orange: npt.NDArray[np.bool_]) -> Start:
        name = self._names[int(random.choice(len(self._names), p=self._shares))]
        if name != REPLAY:
            return STARTS[name](random, orange)
        assert self._replay is not None
        row = int(random.integers(len(self._replay[0])))
        return situation(self._replay[0][row], self._replay[1][row])


def situation(ball: Vector, cars: Vector) -> Start:
    """A start from one row of a replay file; see `StartMixture`."""
    return Start(
        ball_position=ball[:3], ball_velocity=ball[3:6], ball_angular_velocity=ball[6:9], car_position=cars[:, :3],
        car_velocity=cars[:, 3:6], car_angular_velocity=cars[:, 6:9], yaw=cars[:, 9], pitch=cars[:, 10],
        roll=cars[:, 11], boost=cars[:, 12],
    )  # fmt: skip


def situations(states: MatchStates) -> tuple[Vector, Vector]:
    """States as rows of a replay file: ball (M, 9) and cars (M, N, 13); see `StartMixture`."""
    ball = np.concatenate([states.ball_position, states.ball_velocity, states.ball_angular_velocity], axis=-1)
    cars = np.concatenate(
        [
            states.car_position, states.car_velocity, states.car_angular_velocity,
            angles(states.car_forward.astype(np.float64), states.car_up.astype(np.float64)), states.boost[..., None],
        ],
        axis=-1,
    )  # fmt: skip
    plays = (np.abs(states.ball_position[:, 1]) <= GOAL_LINE) & ~states.demolished.any(axis=1)
    return ball[plays].astype(np.float64), cars[plays].astype(np.float64)


def angles(forward: Vector, up: Vector) -> Vector:
    """Yaw, pitch and roll (..., 3) in radians of cars with these unit vectors (..., 3)."""
    level = np.linalg.norm(forward[..., :2], axis=-1)
    right_z = up[..., 0] * forward[..., 1] - up[..., 1] * forward[..., 0]
    upright = level < _UPRIGHT
    back = -np.sign(forward[..., 2])  # a car that stands on its tail has its roof behind it
    yaw = np.where(
        upright, np.arctan2(back * up[..., 1], back * up[..., 0]), np.arctan2(forward[..., 1], forward[..., 0])
    )
    roll = np.where(upright, 0.0, np.arctan2(-right_z, up[..., 2]))
    return np.stack([yaw, np.arctan2(forward[..., 2], level), roll], axis=-1)


def _situations(path: Path, n_cars: int) -> tuple[Vector, Vector]:
    try:
        with np.load(path) as file:
            recorded = "controls" in file
            if not recorded:
                ball, cars = file["ball"].astype(np.float64), file["cars"].astype(np.float64)
    except (OSError, KeyError, ValueError) as error:
        raise ValueError(f"replay_file={path}: it is no .npz with ball and cars ({error})") from error
    if recorded:
        ball, cars = situations(Recording.load(path).states)
    if ball.ndim != 2 or ball.shape[1] != 9 or cars.shape != (len(ball), n_cars, 13) or not len(ball):
        raise ValueError(
            f"replay_file={path}: ball is {ball.shape} and cars {cars.shape}; expected (M, 9) and (M, {n_cars}, 13)"
        )
    for row in range(len(ball)):
        try:
            check(situation(ball[row], cars[row]), n_cars)
        except ValueError as error:
            raise ValueError(f"replay_file={path}, situation {row}: {error}") from None
    return ball, cars
