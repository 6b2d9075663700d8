"""HardMaze: a robot on wheels in a maze of dead ends, paid by where it stands at the end.

Source: the maze of Lehman and Stanley 2011 as Paolo et al. 2021 (SERENE) have it, with goals.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import pi
from typing import Any

import numpy as np
from gymnasium import spaces
from numba import njit

from envs.catalogue import NAMESPACE, Option, Request
from envs.classic.drawing import GOAL, Canvas
from envs.classic.rollouts import CLOCK, OVER, PICTURE, CompiledVecEnv, Rules, goal_settings, pay_at_goals
from envs.classic.wheeled_robot import (
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
from foundation.checks import number, whole

WALLS = as_walls(
    [
        [0, 133, 175, 147], [175, 147, 395, 80], [175, 147, 175, 458], [10, 224, 104, 345],
        [180, 308, 460, 464], [262, 260, 600, 432], [222, 592, 320, 476],
    ]
)  # fmt: skip
START = (60.0, 450.0, 0.25 * pi)
GOALS = ((60.0, 60.0), (100.0, 200.0))
STEPS, SPEED, SCALE, CIRCLES = 0, 1, 2, 3
"""Where the settings have them."""


@njit(cache=True, nogil=True, error_model="numpy")
def _sense(state: Any, settings: Any, observation: Any) -> None:
    measure(state, WALLS, observation)
    for laser in range(3):
        observation[laser] *= settings[SCALE]


@njit(cache=True, nogil=True, error_model="numpy")
def _locate(state: Any, settings: Any, position: Any) -> None:
    position[0], position[1] = state[X] / SIDE, state[Y] / SIDE


@njit(cache=True, nogil=True, error_model="numpy")
def _step(state: Any, action: Any, settings: Any) -> float:
    drive(state, action[0], action[1], settings[SPEED], WALLS)
    if state[CLOCK] < settings[STEPS]:
        return 0.0
    state[OVER] = 1.0
    return pay_at_goals(state, state[X], state[Y], settings[CIRCLES:])


class HardMazeVecEnv(CompiledVecEnv):
    """Mazes behind SB3's vector interface.

    What is seen are three lasers (right, ahead, left: 45°, 0, -45°), 0 to 100 pixels, and two
    bumpers (left, right), (5,); what is done are the speeds of the left and the right wheel (2,).
    After `steps` the episode is over and pays (r - d)/r where the robot stands at a distance d < r
    of a goal, else 0. A move into a wall is not made, but the robot turns on the spot. Positions
    are in pixels / 600, y downwards.

    Args:
        request: see `WorldVecEnv`.
        radii: of the goals at (60, 60), behind the wall, and (100, 200).
        steps: of an episode; only an episode of full length is paid.
        speed: pixels that a wheel makes in a step, at most 4.
        scale_lasers: are lasers seen as 0 to 1? As pixels they saturate a small network.
        max_episode_steps: the time limit; an episode that it cuts short is not paid.

    Raises:
        ValueError: radii, steps or a speed that make no sense.
    """

    title = "HardMaze"
    limit = 2000
    rules = Rules(_sense, _step, _locate)
    goals = ("behind the wall", "left")
    extent = EXTENT
    shown = DOWNWARDS

    def __init__(
        self,
        request: Request,
        *,
        radii: Sequence[float] = (50.0, 50.0),
        steps: int = 2000,
        speed: float = 1.0,
        scale_lasers: bool = False,
        max_episode_steps: int | None = None,
    ) -> None:
        start = np.zeros(FREE)
        start[[X, Y, HEADING]] = START
        scale = 1.0 / LASER_RANGE if scale_lasers else 1.0
        high = np.array([LASER_RANGE * scale] * 3 + [1.0, 1.0], np.float32)
        whole("steps", steps)
        super().__init__(
            request,
            spaces.Box(np.zeros(5, np.float32), high),
            start,
            (steps, number("speed", speed, above=0, most=FASTEST), scale, *goal_settings(GOALS, radii)),
            steps if max_episode_steps is None else max_episode_steps,
        )

    def views(self, states: FloatArray, size: int) -> Array:
        """The maze from above, the robot twice as large as it is."""
        canvas = Canvas(len(states), size, ((0, SIDE), (0, SIDE)), upwards=False)
        draw_arena(canvas, WALLS)
        draw_robot(canvas, states, 2 * ROBOT)
        return canvas.images()

    def pictures(self, states: FloatArray, size: int = PICTURE) -> Array:
        """The maze with its goals."""
        canvas = Canvas(len(states), size, ((0, SIDE), (0, SIDE)), upwards=False)
        for x, y, radius in self.settings[CIRCLES:].reshape(-1, 3):
            canvas.discs((x, y), radius, GOAL)
        draw_arena(canvas, WALLS)
        draw_robot(canvas, states, ROBOT)
        return canvas.images()


class HardMazeEnv(WorldEnv):
    """One maze behind gymnasium's interface."""

    worlds = HardMazeVecEnv


ID = f"{NAMESPACE}HardMaze-v0"
WORLDS = (World(ID, HardMazeEnv, (Option("classic/hard_maze", ID, steps=20_000_000),)),)
