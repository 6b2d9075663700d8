"""Curling: an arm of two links hits a ball, which has to come to rest in one of two circles.

The arm moves exactly as it is told, and the ball bounces off it and off the table's edges. Physics
in a few lines, compiled; `docs/small_worlds.md` says where it differs from Box2D's.

Source: Paolo et al. 2021 (SERENE); without the arm in the picture, the Billiard of Paolo et al.
2020 (TAXONS).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import pi
from typing import Any

import numpy as np
from gymnasium import spaces
from numba import njit

from envs.catalogue import NAMESPACE, Option, Request
from envs.classic.drawing import GOAL, LIMB, MOVER, Canvas
from envs.classic.rollouts import CLOCK, OVER, OWN, PICTURE, CompiledVecEnv, Rules, goal_settings, pay_at_goals
from envs.classic.worlds import World, WorldEnv
from envs.typing import Array, FloatArray
from foundation.checks import whole

HALF = 1.5
"""Half a side of the table."""
TICK = 1.0 / 60.0
BASE_X, BASE_Y = 0.0, -HALF
ELBOW, REACH = 0.9, 1.0
"""From the base to the elbow, and from there to the tip: the links, of length 1, overlap by .1."""
LINK = 0.05
"""Half the width of a link."""
SHOULDER_LIMIT, ELBOW_LIMIT = 0.4 * pi, 0.9 * pi
SPEED = 1.0
RADIUS = 0.15
DAMPING, RESTITUTION = 1.1, 0.9
BOUNCES = 1.0
"""What meets at this speed or slower does not bounce, as in Box2D: it takes over the other's."""
BALL = (-0.5, 0.2)
GOALS = ((0.8, 0.8), (0.8, -0.8))
X, Y, VX, VY, ANGLE1, ANGLE2, SPEED1, SPEED2 = range(OWN, OWN + 8)


@njit(cache=True, nogil=True, error_model="numpy")
def _sense(state: Any, settings: Any, observation: Any) -> None:
    observation[0], observation[1] = state[X], state[Y]
    observation[2], observation[3] = state[ANGLE1], state[ANGLE2]
    observation[4], observation[5] = state[SPEED1], state[SPEED2]


@njit(cache=True, nogil=True, error_model="numpy")
def _locate(state: Any, settings: Any, position: Any) -> None:
    position[0], position[1] = state[X], state[Y]


@njit(cache=True, nogil=True, error_model="numpy")
def _turn(state: Any, joint: int, wanted: float, limit: float) -> None:
    """Turn a joint at the speed that is wanted, up to its stop; the speed is what came of it."""
    before = state[ANGLE1 + joint]
    after = before + min(max(wanted, -SPEED), SPEED) * TICK
    state[ANGLE1 + joint] = min(max(after, -limit), limit)
    state[SPEED1 + joint] = (state[ANGLE1 + joint] - before) / TICK


@njit(cache=True, nogil=True, error_model="numpy")
def _from_link(state: Any, x: float, y: float, along_x: float, along_y: float, length: float) -> Any:
    """Where along a link's line the ball is nearest to it, the way from there, and its square."""
    away_x, away_y = state[X] - x, state[Y] - y
    share = min(max(away_x * along_x + away_y * along_y, 0.0), length)
    away_x, away_y = away_x - share * along_x, away_y - share * along_y
    return share, away_x, away_y, away_x * away_x + away_y * away_y


@njit(cache=True, nogil=True, error_model="numpy")
def _bounce_off_link(
    state: Any, x: float, y: float, along_x: float, along_y: float, length: float, turning: float,
    moving_x: float, moving_y: float,
) -> None:  # fmt: skip
    """The ball against a link that starts at (x, y), turns, and whose start moves."""
    share, away_x, away_y, square = _from_link(state, x, y, along_x, along_y, length)
    if square >= (RADIUS + LINK) ** 2:
        return
    distance = np.sqrt(square)
    if distance > 1e-9:
        normal_x, normal_y = away_x / distance, away_y / distance
    else:  # the ball's centre lies on the link's line
        normal_x, normal_y = -along_y, along_x
    surface_x = moving_x - turning * share * along_y
    surface_y = moving_y + turning * share * along_x
    approach = (state[VX] - surface_x) * normal_x + (state[VY] - surface_y) * normal_y
    if approach < 0.0:
        back = RESTITUTION if approach < -BOUNCES else 0.0
        state[VX] -= (1.0 + back) * approach * normal_x
        state[VY] -= (1.0 + back) * approach * normal_y
    state[X] += (RADIUS + LINK - distance) * normal_x
    state[Y] += (RADIUS + LINK - distance) * normal_y


@njit(cache=True, nogil=True, error_model="numpy")
def _bounce_off_arm(state: Any) -> None:
    """The ball against both links, the nearer one first: at the elbow they lie on one another."""
    turning1, turning2 = state[SPEED1], state[SPEED1] + state[SPEED2]
    along1_x, along1_y = -np.sin(state[ANGLE1]), np.cos(state[ANGLE1])
    angle = state[ANGLE1] + state[ANGLE2]
    along2_x, along2_y = -np.sin(angle), np.cos(angle)
    elbow_x, elbow_y = BASE_X + ELBOW * along1_x, BASE_Y + ELBOW * along1_y
    first = _from_link(state, BASE_X, BASE_Y, along1_x, along1_y, 1.0)[3]
    second = _from_link(state, elbow_x, elbow_y, along2_x, along2_y, REACH)[3]
    for link in range(2):
        if (link == 0) == (first <= second):
            _bounce_off_link(state, BASE_X, BASE_Y, along1_x, along1_y, 1.0, turning1, 0.0, 0.0)
        else:
            _bounce_off_link(
                state, elbow_x, elbow_y, along2_x, along2_y, REACH, turning2,
                -turning1 * ELBOW * along1_y, turning1 * ELBOW * along1_x,
            )  # fmt: skip


@njit(cache=True, nogil=True, error_model="numpy")
def _bounce_off_edges(state: Any) -> None:
    for axis in range(2):
        for side in (-1.0, 1.0):
            beyond = side * state[X + axis] - (HALF - RADIUS)
            if beyond > 0.0:
                state[X + axis] = side * (HALF - RADIUS)
                approach = side * state[VX + axis]
                if approach > 0.0:
                    state[VX + axis] *= -RESTITUTION if approach > BOUNCES else 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def _step(state: Any, action: Any, settings: Any) -> float:
    _turn(state, 0, action[0], SHOULDER_LIMIT)
    _turn(state, 1, action[1], ELBOW_LIMIT)
    for axis in range(2):
        state[VX + axis] *= 1.0 - DAMPING * TICK
        state[X + axis] += TICK * state[VX + axis]
    if (state[X] - BASE_X) ** 2 + (state[Y] - BASE_Y) ** 2 < (ELBOW + REACH + LINK + RADIUS) ** 2:
        _bounce_off_arm(state)
    _bounce_off_edges(state)
    if state[CLOCK] < settings[0]:
        return 0.0
    state[OVER] = 1.0
    return pay_at_goals(state, state[X], state[Y], settings[1:])


class CurlingVecEnv(CompiledVecEnv):
    """Tables behind SB3's vector interface.

    What is seen is the ball's place, both angles of the arm and both of its speeds, (6,); what is
    done are the speeds of both joints (2,), up to 1 radian a second, sixty steps a second. After
    `steps` the episode is over and pays (r - d)/r where the ball lies at a distance d < r of a
    circle's centre, else 0. A ball that is hit loses 1.1 of its speed a second, and a tenth of it
    where it bounces.

    Args:
        request: see `WorldVecEnv`.
        radii: of the circles about (.8, .8) and (.8, -.8).
        steps: of an episode; only an episode of full length is paid.
        draw_arm: is the arm in the pictures of `views`? Searches that learn what they see from
            pictures are better off without.
        max_episode_steps: the time limit; an episode that it cuts short is not paid.

    Raises:
        ValueError: radii or steps that make no sense.
    """

    title = "Curling"
    limit = 500
    rules = Rules(_sense, _step, _locate)
    hidden = (5, 5, 5)
    goals = ("up right", "down right")
    extent = ((RADIUS - HALF, HALF - RADIUS), (RADIUS - HALF, HALF - RADIUS))
    shown = ((-HALF, HALF), (-HALF, HALF))

    def __init__(
        self,
        request: Request,
        *,
        radii: Sequence[float] = (0.4, 0.2),
        steps: int = 500,
        draw_arm: bool = False,
        max_episode_steps: int | None = None,
    ) -> None:
        start = np.zeros(OWN + 8)
        start[[X, Y]] = BALL
        high = np.array([HALF, HALF, SHOULDER_LIMIT, ELBOW_LIMIT, SPEED + 1e-5, SPEED + 1e-5], np.float32)
        whole("steps", steps)
        super().__init__(
            request,
            spaces.Box(-high, high),
            start,
            (steps, *goal_settings(GOALS, radii)),
            steps if max_episode_steps is None else max_episode_steps,
        )
        self.draw_arm = draw_arm

    def views(self, states: FloatArray, size: int) -> Array:
        """The table from above: the ball, and the arm if it is to be drawn."""
        canvas = Canvas(len(states), size, self.shown)
        self._draw(canvas, states, self.draw_arm)
        return canvas.images()

    def pictures(self, states: FloatArray, size: int = PICTURE) -> Array:
        """The table with arm and circles."""
        canvas = Canvas(len(states), size, self.shown)
        for x, y, radius in self.settings[1:].reshape(-1, 3):
            canvas.discs((x, y), radius, GOAL)
        self._draw(canvas, states, True)
        return canvas.images()

    def _draw(self, canvas: Canvas, states: FloatArray, arm: bool) -> None:
        if arm:
            angles = np.stack([states[:, ANGLE1], states[:, ANGLE1] + states[:, ANGLE2]])
            along = np.stack([-np.sin(angles), np.cos(angles)], axis=-1)
            base = np.array([BASE_X, BASE_Y])
            elbow = base + ELBOW * along[0]
            canvas.capsules(base, elbow, LINK, LIMB)
            canvas.capsules(elbow, elbow + REACH * along[1], LINK, LIMB)
        canvas.discs(states[:, X : Y + 1], RADIUS, MOVER)


class CurlingEnv(WorldEnv):
    """One table behind gymnasium's interface."""

    worlds = CurlingVecEnv


ID = f"{NAMESPACE}Curling-v0"
WORLDS = (
    World(
        ID,
        CurlingEnv,
        (
            Option("classic/curling", ID, steps=10_000_000),
            Option("classic/curling_hard", ID, steps=10_000_000, kwargs={"radii": (0.1, 0.05)}),
        ),
    ),
)
