"""A robot on two wheels among walls, seen from above: how it drives, bumps and sees.

Places are pixels of a square of 600, y grows downwards, and so does the heading: it turns to the
right where it grows. Walls are lines with a thickness and round ends.

Source: the fastsim simulator of Mouret and Doncieux, as in Paolo et al. 2021 (SERENE).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from envs.classic.drawing import LIMB, WALL, Canvas
from envs.classic.rollouts import OWN
from envs.typing import FloatArray

SIDE = 600.0
ROBOT = 10.0
"""Its radius; the wheels are two of them apart."""
FASTEST = 4.0
"""Pixels that a wheel makes in a step, at most."""
THICK = 6.0
"""Half the thickness of a wall, and how far the border reaches in."""
LASER_RANGE = 100.0
"""Of three lasers: 45° to the right, ahead, 45° to the left."""
EXTENT = ((0.0, 1.0), (0.0, 1.0))
DOWNWARDS = ((0.0, 1.0), (1.0, 0.0))
"""What a picture shows of it: y grows downwards."""
X, Y, HEADING, LEFT, RIGHT = range(OWN, OWN + 5)
"""Where a state has the robot's place and heading, and whether its bumpers touch (0 or 1)."""
FREE = OWN + 5
"""The first number of a state that is not the robot's."""
AHEAD = 1e-6
"""What is this near to straight ahead (sine of the angle) is on both sides."""


@njit(cache=True, nogil=True, error_model="numpy")
def drive(state: Any, left: float, right: float, speed: float, walls: Any) -> None:
    """One step with both wheels at a share of `speed` pixels, each in [-1, 1].

    A move into a wall is not made, but the robot turns: bumpers in front say where it touched.

    Args:
        walls: of `as_walls`.
    """
    left, right = speed * min(max(left, -1.0), 1.0), speed * min(max(right, -1.0), 1.0)
    way, turn, heading = 0.5 * (left + right), (left - right) / (2.0 * ROBOT), state[HEADING]
    if abs(turn) > 1e-10:
        x = state[X] + way / turn * (np.sin(heading + turn) - np.sin(heading))
        y = state[Y] + way / turn * (np.cos(heading) - np.cos(heading + turn))
    else:
        x, y = state[X] + way * np.cos(heading), state[Y] + way * np.sin(heading)
    heading += turn
    state[HEADING], state[LEFT], state[RIGHT] = heading, 0.0, 0.0
    free = True
    for wall in range(len(walls)):
        away_x, away_y = _to_wall(x, y, walls[wall])
        if away_x * away_x + away_y * away_y < (ROBOT + THICK) ** 2:
            free = False
            _bump(state, away_x, away_y)
    for side in range(4):
        room = (x, SIDE - x, y, SIDE - y)[side]
        if room < ROBOT + THICK:
            free = False
            _bump(state, (-1.0, 1.0, 0.0, 0.0)[side], (0.0, 0.0, -1.0, 1.0)[side])
    if free:
        state[X], state[Y] = x, y


@njit(cache=True, nogil=True, error_model="numpy")
def _to_wall(x: float, y: float, wall: Any) -> Any:
    """From a place to the nearest point of a wall's line."""
    from_x, from_y = wall[0] - x, wall[1] - y
    share = min(max(-from_x * wall[4] - from_y * wall[5], 0.0), wall[6])
    return from_x + share * wall[4], from_y + share * wall[5]


@njit(cache=True, nogil=True, error_model="numpy")
def _bump(state: Any, away_x: float, away_y: float) -> None:
    """Something in that direction touches: the bumper on its side, if it is in front."""
    cos, sin, far = np.cos(state[HEADING]), np.sin(state[HEADING]), np.hypot(away_x, away_y)
    if cos * away_x + sin * away_y > 0.0:
        rightwards = (cos * away_y - sin * away_x) / far
        if rightwards > -AHEAD:
            state[RIGHT] = 1.0
        if rightwards < AHEAD:
            state[LEFT] = 1.0


@njit(cache=True, nogil=True, error_model="numpy")
def measure(state: Any, walls: Any, observation: Any) -> None:
    """The first five numbers of an observation: three lasers, then the bumpers, left and right."""
    x, y = state[X], state[Y]
    cos, sin, half = np.cos(state[HEADING]), np.sin(state[HEADING]), np.sqrt(0.5)
    rays = ((half * (cos - sin), half * (sin + cos)), (cos, sin), (half * (cos + sin), half * (sin - cos)))
    for laser in range(3):
        along_x, along_y = rays[laser]
        seen = LASER_RANGE
        if along_x != 0.0:
            seen = min(seen, ((SIDE - THICK if along_x > 0.0 else THICK) - x) / along_x)
        if along_y != 0.0:
            seen = min(seen, ((SIDE - THICK if along_y > 0.0 else THICK) - y) / along_y)
        observation[laser] = seen
    observation[3], observation[4] = state[LEFT], state[RIGHT]
    for wall in range(len(walls)):
        away_x, away_y = _to_wall(x, y, walls[wall])
        if away_x * away_x + away_y * away_y < (LASER_RANGE + THICK) ** 2:
            for laser in range(3):
                along_x, along_y = rays[laser]
                observation[laser] = min(observation[laser], _to_hit(x, y, along_x, along_y, walls[wall]))


@njit(cache=True, nogil=True, error_model="numpy")
def _to_hit(x: float, y: float, along_x: float, along_y: float, wall: Any) -> float:
    """How far a ray from outside a wall goes until it hits it; infinity where it does not."""
    from_x, from_y, length = x - wall[0], y - wall[1], wall[6]
    lateral, forth = from_y * wall[4] - from_x * wall[5], from_x * wall[4] + from_y * wall[5]
    lateral_speed, forth_speed = along_y * wall[4] - along_x * wall[5], along_x * wall[4] + along_y * wall[5]
    if lateral * lateral_speed < 0.0 and abs(lateral) > THICK:
        reach = (abs(lateral) - THICK) / abs(lateral_speed)
        if 0.0 <= forth + reach * forth_speed <= length:
            return reach
    nearest = np.inf
    for end in range(2):
        beyond = forth - end * length
        middle = -(beyond * forth_speed + lateral * lateral_speed)
        inside = THICK * THICK - (beyond * beyond + lateral * lateral - middle * middle)
        if inside > 0.0 and middle > 0.0:
            nearest = min(nearest, middle - np.sqrt(inside))
    return nearest


def as_walls(lines: Any) -> FloatArray:
    """Lines (k, 4), from and to, with their directions and lengths: (k, 7)."""
    rows: FloatArray = np.asarray(lines, np.float64).reshape(-1, 4)
    along = rows[:, 2:] - rows[:, :2]
    lengths = np.linalg.norm(along, axis=1, keepdims=True)
    return np.ascontiguousarray(np.hstack([rows, along / lengths, lengths]))


def draw_arena(canvas: Canvas, walls: FloatArray) -> None:
    """The walls and the border."""
    for start_x, start_y, end_x, end_y in walls[:, :4]:
        canvas.capsules((start_x, start_y), (end_x, end_y), THICK, WALL)
    for low, high in (
        ((0, 0), (THICK, SIDE)), ((SIDE - THICK, 0), (SIDE, SIDE)),
        ((0, 0), (SIDE, THICK)), ((0, SIDE - THICK), (SIDE, SIDE)),
    ):  # fmt: skip
        canvas.boxes(low, high, WALL)


def draw_robot(canvas: Canvas, states: FloatArray, radius: float) -> None:
    """The robots, with a line where they head."""
    places = states[:, X : Y + 1]
    ahead = np.stack([np.cos(states[:, HEADING]), np.sin(states[:, HEADING])], axis=1)
    canvas.discs(places, radius, LIMB)
    canvas.capsules(places, places + 1.8 * radius * ahead, 0.25 * radius, LIMB)
