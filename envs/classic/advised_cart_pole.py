"""AdvisedCartPole: gymnasium's cart pole beside a simple controller, whose advice is good or bad.

Source: Gupta et al. 2023 (BARFI); dynamics of gymnasium's CartPole-v1 (Barto, Sutton, Anderson
1983).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from PIL import Image, ImageDraw

from envs.catalogue import NAMESPACE, Option, Request
from envs.classic.heuristics import CHANNEL, REPORTS, channels
from envs.classic.worlds import Played, World, WorldEnv, WorldVecEnv
from envs.controllers import balance_cart, controller
from envs.typing import Array, BoolArray, FloatArray, IntArray
from foundation.checks import number, one_of

GRAVITY, CART, POLE, HALF_LENGTH, FORCE, TICK = 9.8, 1.0, 0.1, 0.5, 10.0, 0.02
FARTHEST, STEEPEST = 2.4, 12 * 2 * np.pi / 360
PROPORTIONAL = 0.1
HEURISTICS: dict[str, tuple[float, float]] = {"good": (5.0, -1.0), "bad": (-5.0, 1.0), "none": (0.0, 0.0)}
"""Name -> what agreeing with the controller pays, and what disagreeing does."""
WIDTH, HEIGHT = 300, 200


class AdvisedCartPoleVecEnv(WorldVecEnv):
    """Cart poles behind SB3's vector interface: 1 for every step in which the pole stands.

    What is seen is the cart's position and velocity and the pole's angle and angular velocity.

    Args:
        request: see `WorldVecEnv`.
        heuristic: what ``info["reward_channels"]["heuristic"]`` pays beside the task for doing what
            a controller would do, that pushes to the right where .1·θ + D·(θ − θ before) > 0:
            "good": 5, and −1 for the other action; "bad": −5 and 1; "none": 0. Nothing on the step
            that ends the episode.
        derivative: the controller's D. With .5 it balances 500 steps, with .1 some 300, with .05
            some 70.
        max_episode_steps: the time limit.
    """

    title = "AdvisedCartPole"
    limit = 500
    reports = REPORTS

    def __init__(
        self,
        request: Request,
        *,
        heuristic: str = "good",
        derivative: float = 0.5,
        max_episode_steps: int | None = None,
    ) -> None:
        bounds = np.array([2 * FARTHEST, np.inf, 2 * STEEPEST, np.inf], np.float32)
        super().__init__(request, spaces.Box(-bounds, bounds), spaces.Discrete(2), max_episode_steps)
        self.heuristic = one_of("heuristic", heuristic, HEURISTICS)
        self.derivative = number("derivative", derivative, least=0)
        self.states: FloatArray = np.zeros((request.n_envs, 4))
        self._before: FloatArray = np.zeros(request.n_envs)

    def begin_world(self, index: int, random: np.random.Generator) -> dict[str, Any]:
        self.states[index] = random.uniform(-0.05, 0.05, 4)
        self._before[index] = 0.0
        return {}

    def advice(self) -> IntArray:
        """What the controller would do in every world."""
        angle = self.states[:, 2]
        return (PROPORTIONAL * angle + self.derivative * (angle - self._before) > 0).astype(np.int64)

    def play(self, actions: IntArray) -> Played:
        agree, disagree = HEURISTICS[self.heuristic]
        hint = np.where(self.advice() == actions, agree, disagree)
        self._before = self.states[:, 2].copy()
        self.states = _after(self.states, actions)
        fallen: BoolArray = (np.abs(self.states[:, 0]) > FARTHEST) | (np.abs(self.states[:, 2]) > STEEPEST)
        last = fallen | (self.lengths + 1 >= self.max_episode_steps)
        return Played(np.ones(len(actions)), fallen, None, channels(np.where(last, 0.0, hint), self.reported))

    def observe(self) -> Array:
        return self.states.astype(np.float32)

    def frame(self, index: int) -> Array:
        """Cart and pole from the side, (200, 300, 3)."""
        image = Image.new("RGB", (WIDTH, HEIGHT), (38, 42, 51))
        draw = ImageDraw.Draw(image)
        x, angle = WIDTH / 2 + self.states[index, 0] * 50, self.states[index, 2]
        floor = HEIGHT - 50
        draw.line([(0, floor), (WIDTH, floor)], fill=(150, 150, 150))
        draw.rectangle([x - 25, floor - 15, x + 25, floor], fill=(86, 180, 233))
        draw.line([(x, floor - 15), (x + 100 * np.sin(angle), floor - 15 - 100 * np.cos(angle))], (240, 228, 66), 6)
        return np.asarray(image)


def _after(states: FloatArray, actions: IntArray) -> FloatArray:
    """One tick of Euler's method."""
    x, speed, angle, spin = states.T
    force = np.where(actions == 1, FORCE, -FORCE)
    total = CART + POLE
    cos, sin = np.cos(angle), np.sin(angle)
    pushed = (force + POLE * HALF_LENGTH * np.square(spin) * sin) / total
    turn = (GRAVITY * sin - cos * pushed) / (HALF_LENGTH * (4.0 / 3.0 - POLE * np.square(cos) / total))
    acceleration = pushed - POLE * HALF_LENGTH * turn * cos / total
    return np.stack([x + TICK * speed, speed + TICK * acceleration, angle + TICK * spin, spin + TICK * turn], axis=1)


class AdvisedCartPoleEnv(WorldEnv):
    """One cart pole with advice behind gymnasium's interface."""

    worlds = AdvisedCartPoleVecEnv
    usual = ("reward_channels",)


ID = f"{NAMESPACE}AdvisedCartPole-v0"
WORLDS = (
    World(
        ID,
        AdvisedCartPoleEnv,
        (Option("classic/advised_cart_pole", ID, steps=200_000, kwargs={"heuristic": "good"}, channels=(CHANNEL,)),),
        experts={"balance": controller(balance_cart)},
    ),
)
