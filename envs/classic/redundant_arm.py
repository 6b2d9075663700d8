"""RedundantArm: an arm of twenty joints in a box, paid by where its tip is at the end.

Source: the arm of Lovikén and Hemion 2017, in the form of Paolo et al. 2021 (STAX).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import pi
from typing import Any

import numpy as np
from gymnasium import spaces
from numba import njit

from envs.catalogue import NAMESPACE, Option, Request
from envs.classic.drawing import GOAL, LIMB, MOVER, WALL, Canvas
from envs.classic.rollouts import CLOCK, OVER, OWN, PICTURE, CompiledVecEnv, Rules, goal_settings, pay_at_goals
from envs.classic.worlds import World, WorldEnv
from envs.typing import Array, FloatArray
from foundation.checks import whole

JOINTS = 20
SEGMENT = 1.0 / JOINTS
BASE = 0.5
"""Both coordinates of it."""
FARTHEST = pi - pi / 6.0
"""How far a joint turns to either side."""
SUBSTEPS, TICK, FASTEST = 2, 0.01, 1.0
NEAR = 0.95 * SEGMENT
"""Two joints nearer than this, |dx| + |dy|, are said to cross."""
WALLS = np.array([[0.49, 0.0, 0.51, 0.2], [0.49, 0.8, 0.51, 1.0], [0.0, 0.49, 0.2, 0.51], [0.8, 0.49, 1.0, 0.51]])
"""Lower and upper corners, (4, 4)."""
GOALS = ((0.25, 0.25), (0.85, 0.85), (0.25, 0.90))
ANGLES, SPEEDS, TIP = OWN, OWN + JOINTS, OWN + 2 * JOINTS
"""Where a state has the joints' angles, their speeds, and the tip."""


@njit(cache=True, nogil=True, error_model="numpy")
def _sense(state: Any, settings: Any, observation: Any) -> None:
    for joint in range(JOINTS):
        observation[joint] = state[ANGLES + joint] / pi


@njit(cache=True, nogil=True, error_model="numpy")
def _locate(state: Any, settings: Any, position: Any) -> None:
    position[0], position[1] = state[TIP], state[TIP + 1]


@njit(cache=True, nogil=True, error_model="numpy")
def _place(angles: Any, places: Any) -> None:
    """Forward kinematics: every joint's place (21, 2), the base first, the tip last."""
    heading = 0.5 * pi
    places[0, 0] = places[0, 1] = BASE
    for joint in range(JOINTS):
        heading += angles[joint]
        places[joint + 1, 0] = places[joint, 0] + SEGMENT * np.cos(heading)
        places[joint + 1, 1] = places[joint, 1] + SEGMENT * np.sin(heading)


@njit(cache=True, nogil=True, error_model="numpy")
def _legal(places: Any) -> bool:
    """Is the arm inside the box, in no wall, and does it not cross itself?"""
    for joint in range(JOINTS + 1):
        x, y = places[joint, 0], places[joint, 1]
        if not (0.0 <= x < 1.0 and 0.0 <= y < 1.0):
            return False
        for wall in range(len(WALLS)):
            if WALLS[wall, 0] < x < WALLS[wall, 2] and WALLS[wall, 1] < y < WALLS[wall, 3]:
                return False
        for other in range(joint):
            if abs(x - places[other, 0]) + abs(y - places[other, 1]) < NEAR:
                return False
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def _step(state: Any, action: Any, settings: Any) -> float:
    angles, places = np.empty(JOINTS), np.empty((JOINTS + 1, 2))
    for _ in range(SUBSTEPS):
        for joint in range(JOINTS):
            push = min(max(action[joint], -1.0), 1.0)
            angle = state[ANGLES + joint] + TICK * state[SPEEDS + joint] + 0.5 * push * TICK**2
            angles[joint] = min(max(angle, -FARTHEST), FARTHEST)
        _place(angles, places)
        moved = np.hypot(places[JOINTS, 0] - state[TIP], places[JOINTS, 1] - state[TIP + 1])
        too_fast = moved / SUBSTEPS + state[SPEEDS + JOINTS - 1] > FASTEST
        if too_fast or not _legal(places):
            state[OVER] = 1.0
            break
        for joint in range(JOINTS):
            state[SPEEDS + joint] = (angles[joint] - state[ANGLES + joint]) / TICK
            state[ANGLES + joint] = angles[joint]
        state[TIP], state[TIP + 1] = places[JOINTS, 0], places[JOINTS, 1]
    if state[CLOCK] >= settings[0]:
        state[OVER] = 1.0
    return pay_at_goals(state, state[TIP], state[TIP + 1], settings[1:]) if state[OVER] > 0.0 else 0.0


class RedundantArmVecEnv(CompiledVecEnv):
    """Arms behind SB3's vector interface.

    The arm starts rolled up. What is seen are the joints' angles / π (20,); what is done are their
    accelerations (20,), half of which count, in two moves of a hundredth of a second. The episode
    is over after `steps`, or before a pose that is illegal: outside the box [0, 1]², in one of four
    walls, joints on one another, or the last one too fast. It then pays (r - d)/r where the tip is
    at a distance d < r of a goal, else 0.

    Args:
        request: see `WorldVecEnv`.
        radii: of the goals at (.25, .25), (.85, .85) and (.25, .9).
        steps: of an episode.
        max_episode_steps: the time limit; an episode that it cuts short is not paid.

    Raises:
        ValueError: radii or steps that make no sense.
    """

    title = "RedundantArm"
    limit = 100
    rules = Rules(_sense, _step, _locate)
    outputs = JOINTS
    goals = ("down left", "up right", "up left")
    extent = ((0.0, 1.0), (0.0, 1.0))
    shown = extent

    def __init__(
        self,
        request: Request,
        *,
        radii: Sequence[float] = (0.05, 0.05, 0.05),
        steps: int = 100,
        max_episode_steps: int | None = None,
    ) -> None:
        start, places = np.zeros(TIP + 2), np.zeros((JOINTS + 1, 2))
        start[ANGLES:SPEEDS] = np.linspace(4.0 * pi / JOINTS, pi / JOINTS, JOINTS)
        _place(start[ANGLES:SPEEDS], places)
        start[TIP:] = places[-1]
        whole("steps", steps)
        super().__init__(
            request,
            spaces.Box(-1.0, 1.0, (JOINTS,), np.float32),
            start,
            (steps, *goal_settings(GOALS, radii)),
            steps if max_episode_steps is None else max_episode_steps,
        )

    def views(self, states: FloatArray, size: int) -> Array:
        """The box from above: walls, the arm, and its tip in yellow."""
        canvas = Canvas(len(states), size, self.shown)
        self._draw(canvas, states)
        return canvas.images()

    def pictures(self, states: FloatArray, size: int = PICTURE) -> Array:
        """The box with its goals."""
        canvas = Canvas(len(states), size, self.shown)
        for x, y, radius in self.settings[1:].reshape(-1, 3):
            canvas.discs((x, y), radius, GOAL)
        self._draw(canvas, states)
        return canvas.images()

    def _draw(self, canvas: Canvas, states: FloatArray) -> None:
        for wall in WALLS:
            canvas.boxes(wall[:2], wall[2:], WALL)
        headings = 0.5 * pi + np.cumsum(states[:, ANGLES:SPEEDS], axis=1)
        ends = BASE + SEGMENT * np.cumsum(np.stack([np.cos(headings), np.sin(headings)], axis=-1), axis=1)
        starts = np.concatenate([np.full((len(states), 1, 2), BASE), ends[:, :-1]], axis=1)
        for joint in range(JOINTS):
            canvas.capsules(starts[:, joint], ends[:, joint], 0.012, LIMB)
        canvas.discs(states[:, TIP:], 0.025, MOVER)


class RedundantArmEnv(WorldEnv):
    """One arm behind gymnasium's interface."""

    worlds = RedundantArmVecEnv


ID = f"{NAMESPACE}RedundantArm-v0"
WORLDS = (World(ID, RedundantArmEnv, (Option("classic/redundant_arm", ID, steps=1_000_000),)),)
