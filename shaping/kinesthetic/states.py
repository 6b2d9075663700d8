"""What a kinesthetic reward reads: the situation of K arenas with N cars each.

The environment puts one object with these attributes into every ``info["states"]`` of a step.
Whoever has another game with cars and a ball can do the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from types import SimpleNamespace
from typing import Protocol

import numpy as np

from shaping.transitions import Array, BoolArray, FloatArray

TURN = np.array([-1.0, -1.0, 1.0])
GOAL = np.array([0.0, 6000.0, 321.3875])
"""The back of the opponents' goal."""
TINY = 1e-9
EVENTS = ("goal", "team_goal", "concede", "touch", "shot", "save", "demo", "demoed")


class MatchStates(Protocol):
    """Arrays in the blue team's frame, in uu, uu/s and rad/s.

    The cars in `rows` are a vector environment's rows.
    """

    @property
    def ball_position(self) -> Array:
        """(K, 3)."""

    @property
    def ball_velocity(self) -> Array:
        """(K, 3)."""

    @property
    def car_position(self) -> Array:
        """(K, N, 3)."""

    @property
    def car_velocity(self) -> Array:
        """(K, N, 3)."""

    @property
    def car_forward(self) -> Array:
        """(K, N, 3), unit vectors."""

    @property
    def boost(self) -> Array:
        """(K, N), 0 to 1."""

    @property
    def on_ground(self) -> BoolArray:
        """(K, N)."""

    @property
    def demolished(self) -> BoolArray:
        """(K, N)."""

    @property
    def touched(self) -> BoolArray:
        """(K, N): the ball, since the last step."""

    @property
    def events(self) -> Mapping[str, Array]:
        """Name -> (K, N) counts of this step; the names are `EVENTS`."""

    @property
    def orange(self) -> BoolArray:
        """(N,)."""

    @property
    def rows(self) -> BoolArray:
        """(N,): the cars that are rows of the vector environment; others drive the rest."""


class View:
    """The states as each car sees them, in float64: orange cars see the field turned by 180°.

    What several components read is computed once, when the first asks for it.

    Args:
        states: of a step.
        before: one step earlier; None where an episode begins, and then nothing has changed.
        memory: what components remember of an episode, by a name of theirs: arrays (K, ...), 0
            where one begins.

    Attributes:
        ball, ball_velocity: (K, N, 3), as seen by each car.
        car, velocity, forward: (K, N, 3), each car's own.
        boost: (K, N).
        before: the view one step earlier, or this one.
        seen: the text of a component -> its values (K, N), for all that were asked for.
    """

    ARRAYS = ("ball", "ball_velocity", "car", "velocity", "forward", "boost")

    def __init__(
        self, states: MatchStates, before: View | None = None, memory: dict[str, FloatArray] | None = None
    ) -> None:
        self.states = states
        self.memory = {} if memory is None else memory
        self.before = self if before is None else before
        self.seen: dict[str, FloatArray] = {}
        turn = np.where(np.asarray(states.orange)[:, None], TURN, 1.0)
        self.ball = states.ball_position[:, None] * turn
        self.ball_velocity = states.ball_velocity[:, None] * turn
        self.car = states.car_position * turn
        self.velocity = states.car_velocity * turn
        self.forward = states.car_forward * turn
        self.boost = states.boost.astype(np.float64)

    @cached_property
    def to_ball(self) -> FloatArray:
        """(K, N, 3), from the car."""
        return np.asarray(self.ball - self.car)

    @cached_property
    def ball_distance(self) -> FloatArray:
        """(K, N), from the car's centre."""
        return length(self.to_ball)

    @cached_property
    def ball_to_goal(self) -> FloatArray:
        """(K, N, 3), from the ball to the back of the opponents' goal."""
        return np.asarray(GOAL - self.ball)

    @cached_property
    def goal_distance(self) -> FloatArray:
        """(K, N), of the ball from the back of the opponents' goal."""
        return length(self.ball_to_goal)

    @cached_property
    def approach(self) -> FloatArray:
        """(K, N): the ball's speed towards the opponents' goal, uu/s."""
        return along(self.ball_velocity, self.ball_to_goal, self.goal_distance)

    def forget_before(self) -> None:
        """Let go of the step before."""
        self.before = self

    def keep_from(self, old: View, kept: BoolArray) -> None:
        """Take over the arenas `kept` (K,) of an older view, before this one is asked anything."""
        for name in self.ARRAYS:
            array, theirs = getattr(self, name), getattr(old, name)
            array[kept] = theirs[kept]


def dot(a: FloatArray, b: FloatArray) -> FloatArray:
    """(..., 3) and (..., 3) -> (...)."""
    return np.asarray(np.einsum("...i,...i->...", a, b))


def length(vectors: FloatArray) -> FloatArray:
    """(..., 3) -> (...)."""
    return np.asarray(np.sqrt(dot(vectors, vectors)))


def along(vectors: FloatArray, way: FloatArray, distance: FloatArray) -> FloatArray:
    """The part of vectors (..., 3) that goes along a way (..., 3) of this length (...).

    It is 0 for a way without length.
    """
    return np.asarray(dot(vectors, way) / np.maximum(distance, TINY))


def example() -> View:
    """A car behind a resting ball, and one in it at each goal's back, to try components out on."""
    zero, goals = np.zeros((3, 1)), np.stack([GOAL, GOAL * TURN])
    states = SimpleNamespace(
        ball_position=np.vstack([[0.0, 0.0, 93.0], goals]),
        ball_velocity=np.zeros((3, 3)),
        car_position=np.vstack([[0.0, -1000.0, 17.0], goals])[:, None],
        car_velocity=np.zeros((3, 1, 3)),
        car_forward=np.tile([0.0, 1.0, 0.0], (3, 1, 1)),
        boost=zero,
        on_ground=zero == 0,
        demolished=zero > 0,
        touched=zero > 0,
        events=dict.fromkeys(EVENTS, zero),
        orange=np.array([False]),
        rows=np.array([True]),
    )
    return View(states)
