"""ContinuousLineKey: take the key near one end of a line, then leave by the other.

Source: Devidze et al. 2021 (EXPRD), their line with a key.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces

from envs.catalogue import NAMESPACE, Option, Request
from envs.classic.worlds import Played, World, WorldEnv, WorldVecEnv
from envs.typing import Array, BoolArray, FloatArray, IntArray

LEFT, RIGHT, PICK = range(3)
START, SLIP, STRIDES = 0.5, 0.1, (0.074, 0.076)
KEY_ZONE, GOAL_ZONE = (0.1, 0.2), (0.9, 1.0)
PAY = 10.0
WIDTH, HEIGHT = 320, 48


class ContinuousLineKeyVecEnv(WorldVecEnv):
    """Lines behind SB3's vector interface.

    The hero starts in the middle of [0, 1] and goes left or right by .074 to .076, with probability
    .1 the other way. Picking in [.1, .2] gives the key. Going right from [.9, 1] with the key pays
    10 and ends the episode. What is seen is the place, and whether the key is held, (2,).

    Args:
        request: see `WorldVecEnv`.
        max_episode_steps: the time limit.
    """

    title = "ContinuousLineKey"
    limit = 50
    draws = 2

    def __init__(self, request: Request, *, max_episode_steps: int | None = None) -> None:
        super().__init__(request, spaces.Box(0.0, 1.0, (2,), np.float32), spaces.Discrete(3), max_episode_steps)
        self.places: FloatArray = np.full(request.n_envs, START)
        self.keys: BoolArray = np.zeros(request.n_envs, bool)

    def begin_world(self, index: int, random: np.random.Generator) -> dict[str, Any]:
        self.places[index], self.keys[index] = START, False
        return {}

    def play(self, actions: IntArray) -> Played:
        chance = self.chance
        there = (actions == RIGHT) & self.keys & _inside(self.places, GOAL_ZONE)
        picks = actions == PICK
        keys = self.keys | (picks & _inside(self.places, KEY_ZONE))
        ways = np.where((actions == RIGHT) ^ (chance[:, 0] < SLIP), 1.0, -1.0)
        strides = STRIDES[0] + (STRIDES[1] - STRIDES[0]) * chance[:, 1]
        self.places = np.clip(self.places + np.where(picks, 0.0, ways * strides), 0.0, 1.0)
        self.keys = keys
        return Played(np.where(there, PAY, 0.0), there, there)

    def observe(self) -> Array:
        return np.stack([self.places, self.keys], axis=1).astype(np.float32)

    def frame(self, index: int) -> Array:
        """The line, (48, 320, 3): the key's zone orange, the goal's green, the hero yellow."""
        picture = np.full((HEIGHT, WIDTH, 3), (38, 42, 51), np.uint8)
        for (low, high), colour in ((KEY_ZONE, (230, 159, 0)), (GOAL_ZONE, (0, 158, 115))):
            if colour[0] == 0 or not self.keys[index]:
                picture[:, round(low * WIDTH) : round(high * WIDTH)] = colour
        x = int(np.clip(self.places[index] * WIDTH, 8, WIDTH - 8))
        picture[16:32, x - 8 : x + 8] = (240, 228, 66)
        return picture


def _inside(places: FloatArray, bounds: tuple[float, float]) -> Any:
    return (places >= bounds[0]) & (places <= bounds[1])


class ContinuousLineKeyEnv(WorldEnv):
    """One line behind gymnasium's interface."""

    worlds = ContinuousLineKeyVecEnv


ID = f"{NAMESPACE}ContinuousLineKey-v0"
WORLDS = (World(ID, ContinuousLineKeyEnv, (Option("classic/continuous_line_key", ID, steps=200_000),)),)
