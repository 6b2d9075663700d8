"""CollectBall: a robot on wheels grabs balls and brings them home, one by one.

Source: the task of Mouret and Doncieux 2012, in the size of Paolo's thesis on quality-diversity;
where the balls lie, and what ball sensors see, is our choice.
"""

from __future__ import annotations

from math import pi
from typing import Any

import numpy as np
from gymnasium import spaces
from numba import njit

from envs.catalogue import NAMESPACE, Option, Request
from envs.classic.drawing import GOAL, MOVER, PREY, Canvas
from envs.classic.rollouts import AREA, CompiledVecEnv, Rules
from envs.classic.wheeled_robot import (
    AHEAD,
    DOWNWARDS,
    EXTENT,
    FASTEST,
    FREE,
    HEADING,
    LASER_RANGE,
    ROBOT,
    SIDE,
    X,
    Y,
    as_walls,
    draw_arena,
    draw_robot,
    drive,
    measure,
)
from envs.classic.worlds import World, WorldEnv
from envs.typing import Array, FloatArray
from foundation.checks import number

WALLS = as_walls([])
HOME_X, HOME_Y = 300.0, 500.0
HOME_RADIUS = 10.0
BALLS = np.array([[100, 100], [300, 100], [500, 100], [100, 300], [300, 300], [500, 300]], np.float64)
BALL, REACH = 10.0, 20.0
"""A ball's radius, and how near the robot's middle has to be to grab it."""
CARRIED, PLACES, GONE = FREE, FREE + 1, FREE + 1 + 2 * len(BALLS)
"""Where a state has the ball that is carried (-1: none), the balls' places, and whether each was
brought home (0 or 1)."""
WIDTH = GONE + len(BALLS)
SPEED, SCALE = 0, 1
"""Where the settings have them."""


@njit(cache=True, nogil=True, error_model="numpy")
def _nearest(state: Any) -> Any:
    """The nearest ball that lies about, and its squared distance; -1 where there is none."""
    nearest, least = -1, np.inf
    for ball in range(len(BALLS)):
        away_x, away_y = state[PLACES + 2 * ball] - state[X], state[PLACES + 2 * ball + 1] - state[Y]
        square = away_x * away_x + away_y * away_y
        if state[GONE + ball] == 0.0 and state[CARRIED] != ball and square < least:
            nearest, least = ball, square
    return nearest, least


@njit(cache=True, nogil=True, error_model="numpy")
def _point_out(state: Any, x: float, y: float, observation: Any, first: int) -> None:
    """Two sensors, left and right: 1 where (x, y) lies ahead on that side."""
    cos, sin = np.cos(state[HEADING]), np.sin(state[HEADING])
    away_x, away_y = x - state[X], y - state[Y]
    if cos * away_x + sin * away_y > 0.0:
        rightwards = (cos * away_y - sin * away_x) / np.hypot(away_x, away_y)
        observation[first] = 1.0 if rightwards < AHEAD else 0.0
        observation[first + 1] = 1.0 if rightwards > -AHEAD else 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def _sense(state: Any, settings: Any, observation: Any) -> None:
    measure(state, WALLS, observation)
    for laser in range(3):
        observation[laser] *= settings[SCALE]
    observation[5:10] = 0.0
    ball, _ = _nearest(state)
    if ball >= 0:
        _point_out(state, state[PLACES + 2 * ball], state[PLACES + 2 * ball + 1], observation, 5)
    _point_out(state, HOME_X, HOME_Y, observation, 7)
    observation[9] = 1.0 if state[CARRIED] >= 0.0 else 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def _locate(state: Any, settings: Any, position: Any) -> None:
    position[0], position[1] = state[X] / SIDE, state[Y] / SIDE


@njit(cache=True, nogil=True, error_model="numpy")
def _step(state: Any, action: Any, settings: Any) -> float:
    drive(state, action[0], action[1], settings[SPEED], WALLS)
    if not action[2] > 0.0:
        state[CARRIED] = -1.0
        return 0.0
    if state[CARRIED] < 0.0:
        ball, square = _nearest(state)
        if ball < 0 or square > REACH * REACH:
            return 0.0
        state[CARRIED] = ball
    held = int(state[CARRIED])
    state[PLACES + 2 * held], state[PLACES + 2 * held + 1] = state[X], state[Y]
    if (state[X] - HOME_X) ** 2 + (state[Y] - HOME_Y) ** 2 > HOME_RADIUS * HOME_RADIUS:
        return 0.0
    state[GONE + held], state[CARRIED], state[AREA] = 1.0, -1.0, 0.0
    return 1.0


class CollectBallVecEnv(CompiledVecEnv):
    """Arenas behind SB3's vector interface.

    What is seen, (10,): three lasers (right, ahead, left), 0 to 100 pixels, which see walls alone;
    two bumpers; whether the nearest ball that lies about is ahead to the left, to the right; the
    same for home; whether a ball is carried. What is done, (3,): the speeds of the left and the
    right wheel, and whether to hold (above 0). Who holds takes the nearest ball within 20 pixels
    along; who does not, lets it lie. A ball that is carried within 10 pixels of home, where the
    robot starts, pays 1 and is gone. There are six. Positions are in pixels / 600, y downwards.

    Args:
        request: see `WorldVecEnv`.
        speed: pixels that a wheel makes in a step, at most 4.
        scale_lasers: are lasers seen as 0 to 1? As pixels they saturate a small network.
        max_episode_steps: the time limit.

    Raises:
        ValueError: a speed that makes no sense.
    """

    title = "CollectBall"
    limit = 2000
    rules = Rules(_sense, _step, _locate)
    outputs = 3
    goals = ("home",)
    extent = EXTENT
    shown = DOWNWARDS

    def __init__(
        self,
        request: Request,
        *,
        speed: float = 1.0,
        scale_lasers: bool = False,
        max_episode_steps: int | None = None,
    ) -> None:
        start = np.zeros(WIDTH)
        start[[X, Y, HEADING, CARRIED]] = HOME_X, HOME_Y, -0.5 * pi, -1.0
        start[PLACES:GONE] = BALLS.ravel()
        scale = 1.0 / LASER_RANGE if scale_lasers else 1.0
        high = np.array([LASER_RANGE * scale] * 3 + [1.0] * 7, np.float32)
        super().__init__(
            request,
            spaces.Box(np.zeros(10, np.float32), high),
            start,
            (number("speed", speed, above=0, most=FASTEST), scale),
            max_episode_steps,
        )

    def views(self, states: FloatArray, size: int) -> Array:
        """The arena from above: home green, balls that are left, the robot; all but it enlarged."""
        canvas = Canvas(len(states), size, ((0, SIDE), (0, SIDE)), upwards=False)
        draw_arena(canvas, WALLS)
        canvas.discs((HOME_X, HOME_Y), 2 * HOME_RADIUS, GOAL)
        draw_robot(canvas, states, 2 * ROBOT)
        for ball in range(len(BALLS)):
            places = states[:, PLACES + 2 * ball : PLACES + 2 * ball + 2]
            gone = states[:, GONE + ball, None] > 0
            held = states[:, CARRIED, None] == ball
            canvas.discs(np.where(gone | held, -SIDE, places), 1.6 * BALL, PREY)
        canvas.discs(np.where(states[:, CARRIED, None] >= 0, states[:, X : Y + 1], -SIDE), BALL, MOVER)
        return canvas.images()


class CollectBallEnv(WorldEnv):
    """One arena behind gymnasium's interface."""

    worlds = CollectBallVecEnv


ID = f"{NAMESPACE}CollectBall-v0"
WORLDS = (World(ID, CollectBallEnv, (Option("classic/collect_ball", ID, steps=20_000_000),)),)
