"""Point2D: a point that is moved about a square with four small areas that pay.

Source: the walker of two dimensions in Paolo's thesis on quality-diversity with sparse rewards.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from numba import njit

from envs.catalogue import NAMESPACE, Option, Request
from envs.classic.drawing import GOAL, MOVER, Canvas
from envs.classic.rollouts import AREA, OWN, CompiledVecEnv, Rules
from envs.classic.worlds import World, WorldEnv
from envs.typing import Array, FloatArray

STRIDE, WIDTH = 0.05, 0.05
AREAS = np.array([[0.75, 0.75], [-0.98, 0.9], [0.0, -0.75], [-0.75, -0.05]])
"""Lower corners, (4, 2)."""


@njit(cache=True, nogil=True, error_model="numpy")
def _sense(state: Any, settings: Any, observation: Any) -> None:
    observation[0], observation[1] = state[OWN], state[OWN + 1]


@njit(cache=True, nogil=True, error_model="numpy")
def _step(state: Any, action: Any, settings: Any) -> float:
    for axis in range(2):
        push = min(max(action[axis], -1.0), 1.0)
        state[OWN + axis] = min(max(state[OWN + axis] + STRIDE * push, -1.0), 1.0)
    for area in range(len(AREAS)):
        across, up = state[OWN] - AREAS[area, 0], state[OWN + 1] - AREAS[area, 1]
        if 0.0 <= across <= WIDTH and 0.0 <= up <= WIDTH and (state[AREA] < 0 or state[AREA] == area):
            state[AREA] = area
            return 1.0
    return 0.0


class Point2DVecEnv(CompiledVecEnv):
    """Points behind SB3's vector interface.

        p ← clip(p + .05 · a, ±1)

    It starts in the middle, sees its place (2,), and never ends before its time. Four areas of .05
    by .05 pay 1 for every step in them; which is entered first is the only one that pays.

    Args:
        request: see `WorldVecEnv`.
        max_episode_steps: the time limit.
    """

    title = "Point2D"
    limit = 50
    rules = Rules(_sense, _step, _sense)
    goals = ("up right", "up left", "down", "left")
    extent = ((-1.0, 1.0), (-1.0, 1.0))
    shown = extent

    def __init__(self, request: Request, *, max_episode_steps: int | None = None) -> None:
        super().__init__(request, spaces.Box(-1.0, 1.0, (2,), np.float32), np.zeros(OWN + 2), (), max_episode_steps)

    def views(self, states: FloatArray, size: int) -> Array:
        """The square from above: areas green, the point yellow."""
        canvas = Canvas(len(states), size, self.shown)
        for corner in AREAS:
            canvas.boxes(corner, corner + WIDTH, GOAL)
        canvas.discs(states[:, OWN : OWN + 2], 0.06, MOVER)
        return canvas.images()


class Point2DEnv(WorldEnv):
    """One point behind gymnasium's interface."""

    worlds = Point2DVecEnv


ID = f"{NAMESPACE}Point2D-v0"
WORLDS = (World(ID, Point2DEnv, (Option("classic/point2d", ID, steps=500_000),)),)
