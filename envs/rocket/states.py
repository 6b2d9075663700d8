"""The situation in a batch of matches, as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from envs.typing import Array, BoolArray

EVENTS = ("goal", "team_goal", "concede", "touch", "shot", "save", "demo", "demoed", "boost_pickup")
"""What is counted for every car: it scored, its team scored, the other team scored, it touched the
ball, shot at the goal, saved, demolished another, was demolished, took a boost pad."""

_HALF = (
    (0, -4240, 70), (-1792, -4184, 70), (1792, -4184, 70), (-3072, -4096, 73), (3072, -4096, 73), (-940, -3308, 70),
    (940, -3308, 70), (0, -2816, 70), (-3584, -2484, 70), (3584, -2484, 70), (-1788, -2300, 70), (1788, -2300, 70),
    (-2048, -1036, 70), (2048, -1036, 70), (0, -1024, 70), (-3584, 0, 73), (-1024, 0, 70),
)  # fmt: skip
PADS = np.array([*_HALF, *((-x, -y, z) for x, y, z in _HALF[::-1])], np.float32)
"""Where the boost pads are (34, 3), sorted by y, then x; the big ones have a height of 73."""
BIG_PADS = PADS[:, 2] > 71


@dataclass(frozen=True)
class MatchStates:
    """K arenas with N cars each, blue cars first, in the frame of the blue team, which attacks +y.

    Lengths in uu, velocities in uu/s, angular velocities in rad/s; float32 unless said. Arrays are
    new at every step.

    Attributes:
        ball_position, ball_velocity, ball_angular_velocity: (K, 3).
        car_position, car_velocity, car_angular_velocity, car_forward, car_up: (K, N, 3).
        boost: (K, N), 0 to 1.
        on_ground, has_flip, demolished: (K, N) bool.
        pads: (K, 34) bool, the boost pads that can be taken, sorted by y, then x.
        touched: (K, N) bool, touched the ball since the last step.
        events: name -> (K, N) counts of this step; names are `EVENTS`.
        orange: (N,) bool, which cars are orange.
        rows: (N,) bool, which cars are rows of the vector environment; bots drive the others.
    """

    ball_position: Array
    ball_velocity: Array
    ball_angular_velocity: Array
    car_position: Array
    car_velocity: Array
    car_angular_velocity: Array
    car_forward: Array
    car_up: Array
    boost: Array
    on_ground: BoolArray
    has_flip: BoolArray
    demolished: BoolArray
    pads: BoolArray
    touched: BoolArray
    events: dict[str, Array]
    orange: BoolArray
    rows: BoolArray

    def arena(self, index: int) -> MatchStates:
        """One arena of these, K = 1."""
        values = {name: getattr(self, name)[index : index + 1] for name in BY_ARENA}
        events = {name: counts[index : index + 1] for name, counts in self.events.items()}
        return MatchStates(**values, events=events, orange=self.orange, rows=self.rows)

    @classmethod
    def joined(cls, parts: Sequence[MatchStates]) -> MatchStates:
        """Arenas of the same teams, one after another."""
        values = {name: np.concatenate([getattr(part, name) for part in parts]) for name in BY_ARENA}
        events = {name: np.concatenate([part.events[name] for part in parts]) for name in parts[0].events}
        return cls(**values, events=events, orange=parts[0].orange, rows=parts[0].rows)


BY_ARENA = tuple(field.name for field in fields(MatchStates) if field.name not in ("events", "orange", "rows"))
"""The arrays whose first axis is K."""
