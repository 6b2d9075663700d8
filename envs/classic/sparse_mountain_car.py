"""SparseMountainCar: gymnasium's mountain car paid once, with a heuristic that is a trap.

Source: Gupta et al. 2023 (BARFI); dynamics of gymnasium's MountainCar-v0 (Moore 1990).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from PIL import Image, ImageDraw

from envs.catalogue import NAMESPACE, Option, Request
from envs.classic.heuristics import CHANNEL, REPORTS, channels
from envs.classic.worlds import Played, World, WorldEnv, WorldVecEnv
from envs.controllers import controller, swing_car
from envs.typing import Array, FloatArray, IntArray
from foundation.checks import one_of

LEFTMOST, RIGHTMOST, FASTEST, GOAL = -1.2, 0.6, 0.07, 0.5
FORCE, GRAVITY = 0.001, 0.0025
HEURISTICS = ("energy", "one_sided", "speed", "none")
WIDTH, HEIGHT = 300, 200


class SparseMountainCarVecEnv(WorldVecEnv):
    """Mountain cars behind SB3's vector interface: 1 for reaching the top, else 0.

    What is seen is position and velocity, (2,).

    Args:
        request: see `WorldVecEnv`.
        heuristic: what ``info["reward_channels"]["heuristic"]`` pays beside the task, nothing on
            the step that ends the episode. "energy": 1 for a push along the velocity after it, else
            −1; swinging in the valley for ever is then worth more than leaving it. "one_sided": 1
            or 0. "speed": 10 · |velocity|. "none": 0.
        max_episode_steps: the time limit.
    """

    title = "SparseMountainCar"
    limit = 2000
    reports = REPORTS

    def __init__(self, request: Request, *, heuristic: str = "energy", max_episode_steps: int | None = None) -> None:
        low, high = np.array([LEFTMOST, -FASTEST], np.float32), np.array([RIGHTMOST, FASTEST], np.float32)
        super().__init__(request, spaces.Box(low, high), spaces.Discrete(3), max_episode_steps)
        self.heuristic = one_of("heuristic", heuristic, HEURISTICS)
        self.states: FloatArray = np.zeros((request.n_envs, 2))

    def begin_world(self, index: int, random: np.random.Generator) -> dict[str, Any]:
        self.states[index] = random.uniform(-0.6, -0.4), 0.0
        return {}

    def play(self, actions: IntArray) -> Played:
        position, velocity = self.states.T
        push = actions - 1
        velocity = np.clip(velocity + push * FORCE - GRAVITY * np.cos(3 * position), -FASTEST, FASTEST)
        position = np.clip(position + velocity, LEFTMOST, RIGHTMOST)
        velocity[(position <= LEFTMOST) & (velocity < 0)] = 0.0
        self.states = np.stack([position, velocity], axis=1)
        there = position >= GOAL
        hint = np.where(there, 0.0, self._hint(push, velocity))
        return Played(there.astype(np.float64), there, there, channels(hint, self.reported))

    def _hint(self, push: IntArray, velocity: FloatArray) -> Any:
        if self.heuristic == "speed":
            return 10.0 * np.abs(velocity)
        if self.heuristic == "none":
            return 0.0
        return np.where(push * velocity > 0, 1.0, -1.0 if self.heuristic == "energy" else 0.0)

    def observe(self) -> Array:
        return self.states.astype(np.float32)

    def frame(self, index: int) -> Array:
        """The valley from the side, (200, 300, 3)."""
        image = Image.new("RGB", (WIDTH, HEIGHT), (38, 42, 51))
        draw = ImageDraw.Draw(image)
        positions = np.linspace(LEFTMOST, RIGHTMOST, 100)
        draw.line([_pixel(x) for x in positions], fill=(150, 150, 150), width=2)
        x, y = _pixel(GOAL)
        draw.line([(x, y), (x, y - 30)], fill=(0, 158, 115), width=3)
        x, y = _pixel(self.states[index, 0])
        draw.ellipse([x - 7, y - 14, x + 7, y], fill=(240, 228, 66))
        return np.asarray(image)


def _pixel(position: float) -> tuple[float, float]:
    across = (position - LEFTMOST) / (RIGHTMOST - LEFTMOST) * WIDTH
    return float(across), float(HEIGHT - 30 - (np.sin(3 * position) * 0.45 + 0.55) * (HEIGHT - 80))


class SparseMountainCarEnv(WorldEnv):
    """One mountain car behind gymnasium's interface."""

    worlds = SparseMountainCarVecEnv
    usual = ("reward_channels",)


ID = f"{NAMESPACE}SparseMountainCar-v0"
WORLDS = (
    World(
        ID,
        SparseMountainCarEnv,
        (
            Option(
                "classic/sparse_mountain_car", ID, steps=400_000, kwargs={"heuristic": "energy"}, channels=(CHANNEL,)
            ),
        ),
        experts={"swing": controller(swing_car)},
    ),
)
