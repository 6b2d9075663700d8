"""SparseSquare: walk across a square to a box in the far corner, with a heuristic that may mislead.

Source: Gupta et al. 2023 (BARFI), their continuous grid world.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces

from envs.catalogue import NAMESPACE, Option, Request
from envs.classic.heuristics import CHANNEL, REPORTS, channels
from envs.classic.worlds import Played, World, WorldEnv, WorldVecEnv
from envs.typing import Array, BoolArray, FloatArray, IntArray
from foundation.checks import one_of

START, STRIDE, STRIDES, SLIP = 0.125, 0.045, 4, 0.1
GOAL, CENTRE, PIT = (0.75, 0.99), 0.87, (0.4, 0.6)
PAY, FINE, LURE = 100.0, 0.1, 50.0
HEURISTICS = ("good", "bad", "none", "published_good")
PIXELS = 192
_MOVES = np.array([[0.0, 1.0], [1.0, 0.0], [0.0, -1.0], [-1.0, 0.0]])


class SparseSquareVecEnv(WorldVecEnv):
    """Squares behind SB3's vector interface.

    The hero starts near the corner (0, 0) and goes up, right, down or left, four strides of .045 a
    step, of which none is made that would leave the square; one step in ten goes anywhere. The box
    [.75, .99]² pays 100 and ends the episode; a step costs .1. What is seen is the place, (2,) in
    [0, 1].

    Args:
        request: see `WorldVecEnv`.
        heuristic: what ``info["reward_channels"]["heuristic"]`` pays beside the task, summed over
            strides. "good": minus the squared distance to the box's centre. "bad": 50 in the middle
            of the square, [.4, .6]², and nothing on the step that ends the episode. "none": 0.
            "published_good": good with the slip of the published code, whose distance in y is
            always that of the box's edge.
        max_episode_steps: the time limit.
    """

    title = "SparseSquare"
    limit = 50
    reports = REPORTS
    draws = 2

    def __init__(self, request: Request, *, heuristic: str = "good", max_episode_steps: int | None = None) -> None:
        super().__init__(request, spaces.Box(0.0, 1.0, (2,), np.float32), spaces.Discrete(4), max_episode_steps)
        self.heuristic = one_of("heuristic", heuristic, HEURISTICS)
        self.places: FloatArray = np.full((request.n_envs, 2), START)

    def begin_world(self, index: int, random: np.random.Generator) -> dict[str, Any]:
        self.places[index] = START
        return {}

    def play(self, actions: IntArray) -> Played:
        chance = self.chance
        taken = np.where(chance[:, 0] < SLIP, (4 * chance[:, 1]).astype(np.int64), actions)
        strides = STRIDE * _MOVES[taken][:, None]
        path = self.places[:, None] + strides * np.arange(1, STRIDES + 1)[:, None]
        made = ((path >= 0.0) & (path <= 1.0)).all(axis=2).sum(axis=1)  # strides that do not leave the square
        path = self.places[:, None] + strides * np.minimum(np.arange(1, STRIDES + 1), made[:, None])[..., None]
        arrived = _inside(path, GOAL)
        there: BoolArray = arrived.any(axis=1)
        last = np.where(there, arrived.argmax(axis=1), STRIDES - 1)  # a hero in the box stays there
        self.places = path[self.rows, last]
        hint = np.where(np.arange(STRIDES) <= last[:, None], self._hint(path), 0.0).sum(axis=1)
        if self.heuristic == "bad":
            hint[there] = 0.0
        rewards = np.where(there, PAY, 0.0) - FINE
        return Played(rewards, there, there, channels(hint, self.reported))

    def _hint(self, places: FloatArray) -> Any:
        """What strides to these places (..., 2) pay."""
        if self.heuristic == "bad":
            return LURE * _inside(places, PIT)
        if self.heuristic == "none":
            return 0.0
        distances = places - CENTRE
        if self.heuristic == "published_good":
            distances[..., 1] = GOAL[0] - CENTRE
        return -np.square(distances).sum(axis=-1)

    def observe(self) -> Array:
        return self.places.astype(np.float32)

    def frame(self, index: int) -> Array:
        """The square from above, (192, 192, 3): the box green, the middle red, the hero yellow."""
        picture = np.full((PIXELS, PIXELS, 3), (38, 42, 51), np.uint8)
        for (low, high), colour in ((PIT, (120, 60, 50)), (GOAL, (0, 158, 115))):
            first, last = round(low * PIXELS), round(high * PIXELS)
            picture[PIXELS - last : PIXELS - first, first:last] = colour
        x, y = (int(v) for v in np.clip(self.places[index] * PIXELS, 4, PIXELS - 5))
        picture[PIXELS - y - 5 : PIXELS - y + 4, x - 4 : x + 5] = (240, 228, 66)
        return picture


def _inside(places: FloatArray, bounds: tuple[float, float]) -> Any:
    inside = (places >= bounds[0]) & (places <= bounds[1])
    return inside[..., 0] & inside[..., 1]


class SparseSquareEnv(WorldEnv):
    """One square behind gymnasium's interface."""

    worlds = SparseSquareVecEnv
    usual = ("reward_channels",)


ID = f"{NAMESPACE}SparseSquare-v0"
WORLDS = (
    World(
        ID,
        SparseSquareEnv,
        (Option("classic/sparse_square", ID, steps=75_000, kwargs={"heuristic": "good"}, channels=(CHANNEL,)),),
    ),
)
