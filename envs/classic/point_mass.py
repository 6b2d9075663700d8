"""PointMass: a mass on a plane that is pushed to the origin; imitation in a minute.

Episodes have one length, so that living longer is worth nothing, and no action ends them; with a
goal they end there, for what rewards of imitation make of an end.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from PIL import Image, ImageDraw

from envs.catalogue import NAMESPACE, Option, Request
from envs.classic.worlds import Played, World, WorldEnv, WorldVecEnv
from envs.controllers import controller
from envs.typing import Array, FloatArray
from foundation.checks import number

FARTHEST, FASTEST = 4.0, 2.0
PUSH, TICK = 0.2, 0.1
NEAREST_START, FARTHEST_START = 1.5, 2.0
SIZE = 240


class PointMassVecEnv(WorldVecEnv):
    """Masses behind SB3's vector interface; a step pays minus the distance to the origin.

        v ← clip(v + .2 · a, ±2);  p ← clip(p + .1 · v, ±4);  reward −‖p‖

    What is seen is position and velocity, (4,); what is done is a push (2,), each in [−1, 1]
    (beyond is clipped). An episode starts at rest, at a distance of 1.5 to 2 in any direction, and
    never terminates without a goal.

    Args:
        request: see `WorldVecEnv`.
        goal: an episode is over, and a success, this near to the origin; 0: there is no goal.
        max_episode_steps: the time limit.
    """

    title = "PointMass"
    limit = 60

    def __init__(self, request: Request, *, goal: float = 0.0, max_episode_steps: int | None = None) -> None:
        bounds = np.array([FARTHEST, FARTHEST, FASTEST, FASTEST], np.float32)
        super().__init__(
            request, spaces.Box(-bounds, bounds), spaces.Box(-1.0, 1.0, (2,), np.float32), max_episode_steps
        )
        self.goal = number("goal", goal, least=0, below=NEAREST_START)
        self.states: FloatArray = np.zeros((request.n_envs, 4))

    def begin_world(self, index: int, random: np.random.Generator) -> dict[str, Any]:
        angle, radius = random.uniform(0.0, 2.0 * np.pi), random.uniform(NEAREST_START, FARTHEST_START)
        self.states[index] = radius * np.cos(angle), radius * np.sin(angle), 0.0, 0.0
        return {}

    def play(self, actions: FloatArray) -> Played:
        position, velocity = self.states[:, :2], self.states[:, 2:]
        velocity = np.clip(velocity + PUSH * np.clip(actions, -1.0, 1.0), -FASTEST, FASTEST)
        position = np.clip(position + TICK * velocity, -FARTHEST, FARTHEST)
        self.states = np.concatenate([position, velocity], axis=1)
        distance = np.linalg.norm(position, axis=1)
        there = distance <= self.goal if self.goal else np.zeros(len(actions), np.bool_)
        return Played(-distance, there, there if self.goal else None)

    def observe(self) -> Array:
        return self.states.astype(np.float32)

    def frame(self, index: int) -> Array:
        """The plane from above, (240, 240, 3)."""
        image = Image.new("RGB", (SIZE, SIZE), (38, 42, 51))
        draw = ImageDraw.Draw(image)
        middle, scale = SIZE / 2, SIZE / 2 / FARTHEST
        draw.line([(middle - 8, middle), (middle + 8, middle)], fill=(0, 158, 115), width=2)
        draw.line([(middle, middle - 8), (middle, middle + 8)], fill=(0, 158, 115), width=2)
        x, y = middle + self.states[index, 0] * scale, middle - self.states[index, 1] * scale
        draw.ellipse([x - 6, y - 6, x + 6, y + 6], fill=(240, 228, 66))
        return np.asarray(image)


class PointMassEnv(WorldEnv):
    """One mass behind gymnasium's interface."""

    worlds = PointMassVecEnv


def brake_and_return(observations: Array) -> Array:
    """Pushes (n, 2) towards the origin, against the velocity the sooner the faster it is."""
    return np.clip(-1.5 * (observations[:, :2] + 1.2 * observations[:, 2:]), -1.0, 1.0)


ID = f"{NAMESPACE}PointMass-v0"
WORLDS = (
    World(
        ID,
        PointMassEnv,
        (Option("classic/point_mass", ID, steps=20_000),),
        experts={"brake": controller(brake_and_return)},
    ),
)
