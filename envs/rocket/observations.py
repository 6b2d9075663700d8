"""What a car sees, always from its own side: orange sees the field turned by 180°.

| `observation=` | shape | what |
| --- | --- | --- |
| `shoot` | (21,) | one car and the ball, in the car's frame |
| `flat` | (51 + 19 N,) | ball, pads, last action, itself, team mates, opponents |
| `lucy` | (8, 64) | Lucy-SKG's matrix: query, ball, up to six cars, with the last five actions |
| `necto` | (42, 33) | Necto's: query, ball, up to six cars, 34 pads, timers, last action |
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from gymnasium import spaces

from envs.rocket.simulator import TICK_SKIP, TICKS_PER_SECOND
from envs.rocket.states import BIG_PADS, PADS, MatchStates
from envs.typing import Array, BoolArray

POSITION, SPEED, SPIN = 2300.0, 2300.0, 5.5  # what lengths, velocities, angular velocities are divided by
GOAL = np.array([0.0, 6000.0, 321.3875], np.float32)
SLOTS = 6  # cars of Lucy's and Necto's matrices
STEP_SECONDS = TICK_SKIP / TICKS_PER_SECOND
TURN = np.array([-1.0, -1.0, 1.0], np.float32)


class Seen:
    """The states as each car sees them: vectors (K, N, ..., 3) turned for orange cars."""

    def __init__(self, states: MatchStates) -> None:
        self.states = states
        turn = np.where(states.orange[:, None], TURN, np.float32(1.0))  # (N, 3)
        self.turn = turn
        self.ball_position = states.ball_position[:, None] * turn
        self.ball_velocity = states.ball_velocity[:, None] * turn
        self.ball_spin = states.ball_angular_velocity[:, None] * turn

    def cars(self, vectors: Array) -> Array:
        """(K, N, 3) vectors of cars -> (K, N viewers, N cars, 3)."""
        return np.asarray(vectors[:, None] * self.turn[None, :, None])

    def own(self, vectors: Array) -> Array:
        """(K, N, 3) vectors of cars, each as the car itself sees it."""
        return np.asarray(vectors * self.turn)

    def pads(self) -> BoolArray:
        """(K, N, 34)."""
        pads = self.states.pads
        return np.where(self.states.orange[None, :, None], pads[:, None, ::-1], pads[:, None])


class Observation(ABC):
    """Makes (K, N, ...) float32 observations.

    Args:
        n_arenas, orange: K, and which of the N cars are orange (N,).
        step_seconds: between two decisions.
    """

    def __init__(self, n_arenas: int, orange: BoolArray, step_seconds: float = STEP_SECONDS) -> None:
        self.n_arenas, self.orange = n_arenas, orange
        n = len(orange)
        self._viewers = np.arange(n)[:, None]
        self._order = np.array(
            [[viewer, *(c for c in range(n) if c != viewer and orange[c] == orange[viewer]),
              *(c for c in range(n) if orange[c] != orange[viewer])] for viewer in range(n)]
        )  # fmt: skip

    @property
    @abstractmethod
    def space(self) -> spaces.Box:
        """Of one car."""

    reads_flips = True
    """Does it need to know whether cars can flip?"""

    @abstractmethod
    def __call__(self, states: MatchStates, time_left: Array) -> Array:
        """Observations (K, N, ...). ``time_left``: (K,) share of the episode's time, 1 to 0."""

    def ordered(self, values: Array) -> Array:
        """(K, N viewers, N cars, ...) in the arena's order -> itself, its mates, its opponents."""
        return np.asarray(values[:, self._viewers, self._order])

    def acted(self, controls: Array) -> None:  # noqa: B027 - optional
        """The cars do this (K, N, 8), before the step."""

    def begin(self, arenas: Array) -> None:  # noqa: B027 - optional
        """Episodes begin in these arenas."""


class ShootObservation(Observation):
    """21 numbers of one car and the ball, seen from the car on the ground: (ahead, right) pairs.

    Ball's place and direction, own and ball's velocity, direction from ball to goal, both goals;
    yaw rate, boost, on the ground, ball's height, time left, cos(ball - car, goal - car), distance
    to the ball.
    """

    reads_flips = False

    @property
    def space(self) -> spaces.Box:
        return spaces.Box(-np.inf, np.inf, (21,), np.float32)

    def __call__(self, states: MatchStates, time_left: Array) -> Array:
        seen = Seen(states)
        car, forward = seen.own(states.car_position), seen.own(states.car_forward)[..., :2]
        forward = forward / np.maximum(np.linalg.norm(forward, axis=-1, keepdims=True), 1e-6)
        right = np.stack([-forward[..., 1], forward[..., 0]], axis=-1)

        def local(vectors: Array) -> Array:
            flat = vectors[..., :2]
            return np.stack([(flat * forward).sum(-1), (flat * right).sum(-1)], axis=-1)

        to_ball, ball_to_goal, to_goal = seen.ball_position - car, GOAL - seen.ball_position, GOAL - car
        own_goal = GOAL * TURN - car
        distance = np.linalg.norm(to_ball, axis=-1, keepdims=True)
        cosine = (to_ball * to_goal).sum(-1, keepdims=True) / np.maximum(
            distance * np.linalg.norm(to_goal, axis=-1, keepdims=True), 1e-6
        )
        yaw_rate = states.car_angular_velocity[..., 2:3] / SPIN
        k, n = car.shape[:2]
        parts = [
            local(to_ball) / POSITION, local(_unit(to_ball)), local(seen.own(states.car_velocity)) / SPEED,
            local(seen.ball_velocity) / SPEED, local(_unit(ball_to_goal)), local(to_goal) / 5000.0,
            local(own_goal) / 5000.0, yaw_rate, states.boost[..., None], states.on_ground[..., None],
            seen.ball_position[..., 2:3] / 2044.0, np.broadcast_to(time_left[:, None, None], (k, n, 1)), cosine,
            distance / 5000.0,
        ]  # fmt: skip
        return np.concatenate(parts, axis=-1).astype(np.float32)


class FlatObservation(Observation):
    """Ball (9), pads (34), last controls (8), then itself, mates and opponents, 19 each."""

    def __init__(self, n_arenas: int, orange: BoolArray, step_seconds: float = STEP_SECONDS) -> None:
        super().__init__(n_arenas, orange, step_seconds)
        self._last = np.zeros((n_arenas, len(orange), 8), np.float32)

    @property
    def space(self) -> spaces.Box:
        return spaces.Box(-np.inf, np.inf, (51 + 19 * len(self.orange),), np.float32)

    def __call__(self, states: MatchStates, time_left: Array) -> Array:
        seen, n = Seen(states), len(self.orange)
        ball = np.concatenate(
            [seen.ball_position / POSITION, seen.ball_velocity / SPEED, seen.ball_spin / SPIN], axis=-1
        )
        cars = np.concatenate(
            [
                seen.cars(states.car_position) / POSITION, seen.cars(states.car_velocity) / SPEED,
                seen.cars(states.car_angular_velocity) / SPIN, seen.cars(states.car_forward), seen.cars(states.car_up),
                _flags(states, n),
            ],
            axis=-1,
        )  # fmt: skip
        k = len(states.ball_position)
        parts = [ball, seen.pads(), self._last, self.ordered(cars).reshape(k, n, -1)]
        return np.concatenate(parts, axis=-1).astype(np.float32)

    def acted(self, controls: Array) -> None:
        self._last = np.array(controls, np.float32)

    def begin(self, arenas: Array) -> None:
        self._last[arenas] = 0.0


class LucyObservation(Observation):
    """Lucy-SKG's matrix (8, 64): row 0 the query (itself), row 1 the ball, rows 2 to 7 the cars.

    Cars come in the order itself, team mates, opponents.
    Columns: 0-3 flags itself, team mate, opponent, ball; 4-6 position, 7-9 velocity, 10-12 angular
    velocity, 13-15 forward, 16-18 up, 19 boost, 20 on the ground, 21 has a flip, 22 demolished;
    23-62 the last five actions, newest first, in the query alone; 63 is 1 in rows that hold nobody.
    The query is absolute, the other rows' positions and velocities relative to it. Source:
    Moschopoulos et al. 2023, arXiv 2305.15801, and its released code.
    """

    STACK = 5

    def __init__(self, n_arenas: int, orange: BoolArray, step_seconds: float = STEP_SECONDS) -> None:
        super().__init__(n_arenas, orange, step_seconds)
        self._actions = np.zeros((n_arenas, len(orange), self.STACK, 8), np.float32)

    @property
    def space(self) -> spaces.Box:
        return spaces.Box(-np.inf, np.inf, (2 + SLOTS, 64), np.float32)

    def __call__(self, states: MatchStates, time_left: Array) -> Array:
        seen, n, k = Seen(states), len(self.orange), len(states.ball_position)
        rows = np.zeros((k, n, 2 + SLOTS, 64), np.float32)
        cars = rows[:, :, 2 : 2 + n]
        same = self.orange[:, None] == self.orange[self._order]
        cars[:, :, 0, 0], cars[..., 1], cars[..., 2] = 1.0, same, ~same
        cars[..., 4:23] = self.ordered(
            np.concatenate(
                [
                    seen.cars(states.car_position) / POSITION, seen.cars(states.car_velocity) / SPEED,
                    seen.cars(states.car_angular_velocity) / SPIN, seen.cars(states.car_forward),
                    seen.cars(states.car_up), _flags(states, n),
                ],
                axis=-1,
            )
        )  # fmt: skip
        rows[:, :, 0, :23] = cars[:, :, 0, :23]
        rows[:, :, 0, 23:63] = self._actions.reshape(k, n, -1)
        ball = rows[:, :, 1]
        ball[..., 3] = 1.0
        ball[..., 4:7], ball[..., 7:10] = seen.ball_position / POSITION, seen.ball_velocity / SPEED
        ball[..., 10:13] = seen.ball_spin / SPIN
        rows[:, :, 1 : 2 + n, 4:10] -= rows[:, :, :1, 4:10]
        rows[:, :, 2 + n :, 63] = 1.0
        return rows

    def acted(self, controls: Array) -> None:
        self._actions = np.concatenate([np.asarray(controls, np.float32)[:, :, None], self._actions[:, :, :-1]], axis=2)

    def begin(self, arenas: Array) -> None:
        self._actions[arenas] = 0.0


class NectoObservation(Observation):
    """Necto's matrix (42, 33): the query (itself), the ball, six cars, then 34 boost pads.

    Cars come in the order itself, team mates, opponents.
    Columns: 0-4 flags itself, team mate, opponent, ball, pad; 5-7 position, 8-10 velocity, 11-13
    forward, 14-16 up, 17-19 angular velocity; 20 boost (of a pad what it gives), 21 tens of seconds
    until a demolished car or a taken pad is back, 22 on the ground, 23 has a flip; 24-31 the last
    action, in the query alone; 32 is 1 in rows that hold nobody. The query is absolute, the other
    rows' positions and velocities relative to it. Timers run from the step that saw the pad gone,
    so they are late by less than a step. Source: https://github.com/Rolv-Arild/Necto.
    """

    COLUMNS = 33
    PAD_SECONDS = np.where(BIG_PADS, 10.0, 4.0).astype(np.float32)
    PAD_BOOST = np.where(BIG_PADS, 1.0, 0.12).astype(np.float32)
    RESPAWN_SECONDS = 3.0

    def __init__(self, n_arenas: int, orange: BoolArray, step_seconds: float = STEP_SECONDS) -> None:
        super().__init__(n_arenas, orange, step_seconds)
        n = len(orange)
        self._last = np.zeros((n_arenas, n, 8), np.float32)
        self._pads = _Timers(n_arenas, self.PAD_SECONDS, step_seconds)
        self._cars = _Timers(n_arenas, np.full(n, self.RESPAWN_SECONDS, np.float32), step_seconds)
        # what never changes: flags, padding, where the pads are and what they give
        rows = np.zeros((n, 2 + SLOTS + len(PADS), self.COLUMNS), np.float32)
        rows[:, 1, 3] = 1.0
        rows[:, 2, 0], rows[:, 0, 0] = 1.0, 1.0
        rows[:, 2 : 2 + n, 1] = orange[:, None] == orange[self._order]
        rows[:, 2 : 2 + n, 2] = orange[:, None] != orange[self._order]
        rows[:, 0, 1] = 1.0
        rows[:, 2 + n : 2 + SLOTS, -1] = 1.0
        pads = rows[:, 2 + SLOTS :]
        pads[..., 4], pads[..., 5:8], pads[..., 20] = 1.0, PADS / POSITION, self.PAD_BOOST
        self._constant = rows

    @property
    def space(self) -> spaces.Box:
        return spaces.Box(-np.inf, np.inf, (2 + SLOTS + len(PADS), self.COLUMNS), np.float32)

    def __call__(self, states: MatchStates, time_left: Array) -> Array:
        seen, n, k = Seen(states), len(self.orange), len(states.ball_position)
        rows = np.repeat(self._constant[None], k, axis=0)
        cars = rows[:, :, 2 : 2 + n]
        away = self._cars(states.demolished) / 10.0
        flags = np.stack([states.boost, away, states.on_ground, states.has_flip], axis=-1)
        cars[..., 5:24] = self.ordered(
            np.concatenate(
                [
                    seen.cars(states.car_position) / POSITION, seen.cars(states.car_velocity) / SPEED,
                    seen.cars(states.car_forward), seen.cars(states.car_up),
                    seen.cars(states.car_angular_velocity) / SPIN,
                    np.broadcast_to(flags[:, None], (k, n, *flags.shape[1:])),
                ],
                axis=-1,
            )
        )  # fmt: skip
        rows[:, :, 0, 5:24] = cars[:, :, 0, 5:24]
        rows[:, :, 0, 24:32] = self._last
        ball = rows[:, :, 1]
        ball[..., 5:8], ball[..., 8:11] = seen.ball_position / POSITION, seen.ball_velocity / SPEED
        ball[..., 17:20] = seen.ball_spin / SPIN
        timers = self._pads(~states.pads)[:, None] / 10.0
        rows[:, :, 2 + SLOTS :, 21] = np.where(self.orange[:, None], timers[..., ::-1], timers)
        rows[:, :, 1 : 2 + n, 5:11] -= rows[:, :, :1, 5:11]
        rows[:, :, 2 + SLOTS :, 5:11] -= rows[:, :, :1, 5:11]
        return rows

    def acted(self, controls: Array) -> None:
        self._last = np.array(controls, np.float32)
        self._pads.run()
        self._cars.run()

    def begin(self, arenas: Array) -> None:
        self._last[arenas] = 0.0
        self._pads.begin(arenas)
        self._cars.begin(arenas)


class _Timers:
    """Seconds until things (K, M) that are gone are back; each stays away for its `seconds` (M,).

    What is still gone after its time came back and was taken again within a step.
    """

    def __init__(self, n_arenas: int, seconds: Array, step_seconds: float) -> None:
        self._seconds, self._step = seconds, np.float32(step_seconds)
        self._left = np.zeros((n_arenas, len(seconds)), np.float32)
        self._gone = np.zeros(self._left.shape, np.bool_)

    def __call__(self, gone: BoolArray) -> Array:
        new = gone & (~self._gone | (self._left < -0.5 * self._step))
        self._left = np.where(gone, np.where(new, self._seconds, self._left), np.float32(0.0))
        self._gone = gone
        return np.maximum(self._left, np.float32(0.0))

    def run(self) -> None:
        """A step is taken."""
        self._left -= self._step

    def begin(self, arenas: Array) -> None:
        self._gone = self._gone.copy()  # the states' own
        self._gone[arenas], self._left[arenas] = False, 0.0


OBSERVATIONS: dict[str, type[Observation]] = {
    "shoot": ShootObservation,
    "flat": FlatObservation,
    "lucy": LucyObservation,
    "necto": NectoObservation,
}
"""Name -> observation, for `observation=`."""


def _flags(states: MatchStates, viewers: int) -> Array:
    """(K, viewers, N, 4): boost, on the ground, has a flip, demolished."""
    flags = np.stack([states.boost, states.on_ground, states.has_flip, states.demolished], axis=-1)
    return np.broadcast_to(flags[:, None], (len(flags), viewers, *flags.shape[1:]))


def _unit(vectors: Array) -> Array:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-6))
