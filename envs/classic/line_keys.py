"""LineKeys: a continuous line with keys at one end, of which one kind opens the goal at the other.

Source: Devidze et al. 2022 (EXPLORS), the neural setting.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces

from envs.catalogue import NAMESPACE, Option, Request
from envs.classic.worlds import Played, World, WorldEnv, WorldVecEnv
from envs.typing import Array, BoolArray, FloatArray, IntArray
from foundation.checks import number, whole

LEFT, RIGHT, PICK = range(3)
"""Left, right, and picking the true key; a fourth action picks another, where there are others."""
TRUE = 0
"""The kind of key that the goal wants."""
START, KEY_ZONE, GOAL_ZONE = (0.3, 0.4), (0.0, 0.1), (0.9, 1.0)
SHORTEST, LONGEST = 0.074, 0.076
SLIP = 0.05
DISTRACTION = 0.01
WIDTH, HEIGHT = 400, 120


class LineKeysVecEnv(WorldVecEnv):
    """Lines with keys behind SB3's vector interface.

    From x in [.3, .4], a move is .074 to .076 long and with probability .05 goes the other way.
    In the key zone, x up to .1, the third action takes the true key and the fourth one of the other
    kinds, whichever chance gives; the first key taken is kept. Going right in the goal zone, x from
    .9, pays 1 with the true key, again and again until the time is over. An episode that was paid
    so is a success.

    What is seen is x, whether there is a key, whether x is in the key zone, whether in the goal
    zone, and a flag for each kind of key, (4 + keys,).

    Args:
        request: see `WorldVecEnv`.
        keys: kinds of keys; with 1 there are three actions, else four.
        distractor: .01 for going right in the goal zone without the true key.
        noise: by how much the distractor pays more or less, either as likely.
        max_episode_steps: the time limit.

    Raises:
        ValueError: a number out of range, or noise without the distractor that it is of.
    """

    title = "LineKeys"
    limit = 60
    draws = 4

    def __init__(
        self,
        request: Request,
        *,
        keys: int = 10,
        distractor: bool = False,
        noise: float = 0.0,
        max_episode_steps: int | None = None,
    ) -> None:
        self.keys = whole("keys", keys, most=1000)
        self.distraction = DISTRACTION if distractor else 0.0
        self.noise = number("noise", noise, least=0)
        if noise and not distractor:
            raise ValueError(f"noise={noise} is the distractor's, and there is none: give distractor=true")
        actions = 3 if keys == 1 else 4
        super().__init__(request, spaces.Box(0.0, 1.0, (4 + self.keys,)), spaces.Discrete(actions), max_episode_steps)
        self.places: FloatArray = np.zeros(request.n_envs)
        self.kinds: IntArray = np.full(request.n_envs, -1)
        """The kind of key that each has; -1 for none."""
        self.paid: BoolArray = np.zeros(request.n_envs, bool)

    def begin_world(self, index: int, random: np.random.Generator) -> dict[str, Any]:
        self.places[index], self.kinds[index], self.paid[index] = random.uniform(*START), -1, False
        return {}

    def play(self, actions: IntArray) -> Played:
        slips, lengths, others, noises = self.chance.T
        at_goal, at_keys = self.places >= GOAL_ZONE[0], self.places <= KEY_ZONE[1]
        true = self.kinds == TRUE
        distraction = self.distraction + self.noise * np.where(noises > 0.5, 1.0, -1.0)
        rewards = np.where(at_goal & (actions == RIGHT), np.where(true, 1.0, distraction), 0.0)
        self.paid |= at_goal & (actions == RIGHT) & true

        takes = at_keys & (self.kinds < 0)
        self.kinds = np.where(takes & (actions == PICK), TRUE, self.kinds)
        other = 1 + (others * (self.keys - 1)).astype(np.int64)
        self.kinds = np.where(takes & (actions > PICK), other, self.kinds)

        towards = np.where(actions == RIGHT, 1.0, -1.0) * np.where(slips < SLIP, -1.0, 1.0)
        moved = np.where(actions < PICK, towards * (SHORTEST + (LONGEST - SHORTEST) * lengths), 0.0)
        self.places = np.clip(self.places + moved, 0.0, 1.0)
        return Played(rewards, np.zeros(self.num_envs, bool), self.paid.copy())

    def observe(self) -> Array:
        rows = np.zeros((self.num_envs, 4 + self.keys), np.float32)
        rows[:, 0] = self.places
        rows[:, 1] = self.kinds >= 0
        rows[:, 2] = self.places <= KEY_ZONE[1]
        rows[:, 3] = self.places >= GOAL_ZONE[0]
        has = np.flatnonzero(self.kinds >= 0)
        rows[has, 4 + self.kinds[has]] = 1.0
        return rows

    def frame(self, index: int) -> Array:
        """The line with its zones, (120, 400, 3); the hero is green with the true key."""
        picture = np.full((HEIGHT, WIDTH, 3), (38, 42, 51), np.uint8)
        for (low, high), colour in ((KEY_ZONE, (230, 159, 0)), (GOAL_ZONE, (0, 114, 178))):
            picture[50:70, int(low * WIDTH) : int(high * WIDTH)] = colour
        picture[58:62] = (150, 150, 150)
        centre = int(np.clip(self.places[index] * WIDTH, 6, WIDTH - 6))
        kind = self.kinds[index]
        colour = (240, 228, 66) if kind < 0 else (0, 158, 115) if kind == TRUE else (213, 94, 0)
        picture[40:80, centre - 6 : centre + 6] = colour
        return picture


class LineKeysEnv(WorldEnv):
    """One line with keys behind gymnasium's interface."""

    worlds = LineKeysVecEnv


ID = f"{NAMESPACE}LineKeys-v0"
WORLDS = (
    World(
        ID,
        LineKeysEnv,
        (
            Option("classic/line_keys", ID, steps=600_000),
            Option("classic/line_keys_distractor", ID, steps=600_000, kwargs={"distractor": True}),
        ),
    ),
)
