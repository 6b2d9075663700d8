"""Many matches in one process, stepped as one: RocketSim's arenas behind batched arrays."""

from __future__ import annotations

import functools
import struct
import zlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from envs.rocket.simulator import GOAL_LINE, TICK_SKIP, TICKS_PER_SECOND, simulator
from envs.rocket.starts import CAR_REST, TINY, Start, check, kickoff
from envs.rocket.states import EVENTS, MatchStates
from envs.typing import Array, BoolArray
from foundation.checks import whole

MOST_CARS = 3  # in a team
# Columns of RocketSim's get_gym_state
_SAVES, _SHOTS, _DEMOS, _PICKUPS, _DEMOED, _GROUND, _HIT, _BOOST = 3, 4, 5, 6, 7, 8, 9, 10
_POSITION, _VELOCITY, _SPIN, _FORWARD, _UP = (slice(low, low + 3) for low in (11, 18, 21, 24, 30))
_ROW = 8 * 4  # bytes of a car's controls
_COUNTERS = [_SHOTS, _SAVES, _DEMOS, _DEMOED, _PICKUPS]
_COUNTED = ("shot", "save", "demo", "demoed", "boost_pickup")


class Matches:
    """`n_arenas` matches of the same teams in this process.

    Args:
        n_arenas: how many.
        blue, orange: cars in the teams.
        tick_skip: physics ticks (of 1/120 s) in a step.
        mesh_dir: see `simulator`.
        flips: also read whether cars can flip, which costs 2 µs for each in the air; else
            `has_flip` is `on_ground`.

    Raises:
        ValueError: impossible numbers, or meshes.
    """

    def __init__(
        self,
        n_arenas: int,
        blue: int = 1,
        orange: int = 1,
        *,
        tick_skip: int = TICK_SKIP,
        mesh_dir: str | Path | None = None,
        flips: bool = True,
    ) -> None:
        whole("n_arenas", n_arenas)
        refuse_teams(blue, orange)
        refuse_tick_skip(tick_skip)
        self._rs = simulator(mesh_dir)
        self.n_arenas, self.n_cars = n_arenas, blue + orange
        self.tick_skip = tick_skip
        self.orange = np.array([False] * blue + [True] * orange)
        self.rows = np.ones(self.n_cars, np.bool_)
        """Which cars are told to be rows of a vector environment; see `MatchStates.rows`."""
        self._flips = flips
        rs = self._rs
        octane = rs.CarConfig(rs.CarConfig.OCTANE)
        self._arenas = [rs.Arena(rs.GameMode.SOCCAR) for _ in range(n_arenas)]
        teams = [rs.Team.ORANGE if orange else rs.Team.BLUE for orange in self.orange]
        self._cars = [[arena.add_car(team, octane) for team in teams] for arena in self._arenas]
        self._ids = [car.id for car in self._cars[0]]
        self._controls: dict[bytes, Any] = {}
        self._raw: list[Any] = [None] * n_arenas  # arrays of each arena as RocketSim gave them
        self._can_flip: list[list[bool]] = [[] for _ in range(n_arenas)]
        k, n = n_arenas, self.n_cars
        self._counters = np.zeros((k, n, len(_COUNTERS)), np.float32)
        self._scores = np.zeros((k, 2), np.float32)
        self._demolished = np.zeros((k, n), np.bool_)
        self._last_touch = np.full((k, 2), -1, np.int64)  # car of blue, of orange, that touched the ball last
        random = np.random.default_rng(0)
        for arena in range(k):
            self.reset(arena, kickoff(random, self.orange))

    def step(self, controls: npt.NDArray[np.float32]) -> MatchStates:
        """Play `tick_skip` ticks with these controls (K, N, 8).

        Raises:
            ValueError: controls of another shape, not finite, or out of range.
        """
        if controls.shape != (self.n_arenas, self.n_cars, 8):
            raise ValueError(f"controls have shape {controls.shape}; expected {(self.n_arenas, self.n_cars, 8)}")
        self.refuse(controls)
        known, ticks = self._controls, self.tick_skip
        waiting: list[bool] = np.any(self._demolished, axis=1).tolist()
        data, row = np.ascontiguousarray(controls, np.float32).tobytes(), 0
        for index, (arena, cars) in enumerate(zip(self._arenas, self._cars, strict=True)):
            for car in cars:
                key = data[row : row + _ROW]
                row += _ROW
                control = known.get(key)
                if control is None:
                    control = known[key] = self._new_controls(np.frombuffer(key, np.float32))
                car.set_controls(control)
            if waiting[index]:
                self._step_with_respawns(index)
            else:
                arena.step(ticks)
            self._read(index)  # now, while the arena is in the processor's cache
        states, columns = self._states()
        return replace(states, touched=columns[:, :, _HIT] > 0, events=self._events(columns))

    @staticmethod
    def refuse(controls: npt.NDArray[np.float32]) -> None:
        """Raises ValueError for controls that no car has."""
        if not (np.abs(controls) <= 1.0).all():  # NaN is not either
            raise ValueError("controls are outside -1 to 1, or not numbers; RocketSim would take them in silence")

    def _step_with_respawns(self, index: int) -> None:
        """A step of an arena in which cars were demolished.

        RocketSim brings them back at places that it draws from a generator that cannot be seeded.
        So each is brought back here a tick before its time is over, at a place drawn from where the
        ball is then.
        """
        arena, done = self._arenas[index], 0
        demolished = np.flatnonzero(self._demolished[index]).tolist()
        for seconds, car in sorted((self._cars[index][car].get_state().demo_respawn_timer, car) for car in demolished):
            due = max(0, int(seconds * TICKS_PER_SECOND) - 1)
            if due < self.tick_skip:
                if due > done:
                    arena.step(due - done)
                    done = due
                place = arena.ball.get_state().pos.as_tuple()
                self._cars[index][car].respawn(zlib.crc32(struct.pack("<3fB", *place, car)) >> 1)
        arena.step(self.tick_skip - done)

    def states(self) -> MatchStates:
        """The situation now, in which nothing has happened: what did was told by the step."""
        return self._states()[0]

    def _read(self, index: int) -> None:
        """Look at one arena.

        RocketSim forgets who touched the ball once that is read: once a step, and at a reset.
        """
        raw = self._raw[index] = self._arenas[index].get_gym_state()
        if self._flips:  # who stands can jump: asking costs more than looking whether it stands
            cars = zip(raw[3:], self._cars[index], strict=True)
            self._can_flip[index] = [row[0, _GROUND] > 0 or car.get_state().has_flip_or_jump() for row, car in cars]

    def _states(self) -> tuple[MatchStates, Array]:
        """What was read, as states, and the cars' columns (K, N, 36)."""
        # of each array's two rows the first is the field as it is, the second the field turned by
        # 180°
        game, pads, ball, *each = (np.concatenate(arrays) for arrays in zip(*self._raw, strict=True))
        self._game, pads, ball = game.reshape(self.n_arenas, 4), pads[::2], ball[::2]
        cars = np.stack([car[::2] for car in each], axis=1)
        on_ground = cars[:, :, _GROUND] > 0
        self._demolished = cars[:, :, _DEMOED] > 0
        nothing = np.zeros(on_ground.shape, np.float32)
        states = MatchStates(
            ball_position=ball[:, 0:3],
            ball_velocity=ball[:, 7:10],
            ball_angular_velocity=ball[:, 10:13],
            car_position=cars[:, :, _POSITION],
            car_velocity=cars[:, :, _VELOCITY],
            car_angular_velocity=cars[:, :, _SPIN],
            car_forward=cars[:, :, _FORWARD],
            car_up=cars[:, :, _UP],
            boost=cars[:, :, _BOOST] / 100.0,
            on_ground=on_ground,
            has_flip=np.array(self._can_flip) if self._flips else on_ground,
            demolished=self._demolished,
            pads=pads > 0,
            touched=nothing > 0,
            events=dict.fromkeys(EVENTS, nothing),
            orange=self.orange,
            rows=self.rows,
        )
        return states, cars

    def reset(self, arena: int, start: Start) -> None:
        """Put one arena into a situation. Its counters go on; `states` shows it.

        Raises:
            ValueError: a situation that cannot be.
        """
        check(start, self.n_cars)
        # Three things of the episode before survive set_state: what drives the wheels, until a tick
        # on the floor; contacts and springs, until a tick in the air. The third tick presses the
        # springs as far as the start has them
        for before in (_apart(self.n_cars, CAR_REST), _apart(self.n_cars, 1000.0), start):
            self._place(arena, before)
            self._arenas[arena].step(1)
        self._place(arena, start)
        self._read(arena)
        state = self._raw[arena]
        cars = np.stack([state[3 + car][0] for car in range(self.n_cars)])
        self._counters[arena] = cars[:, _COUNTERS]
        self._scores[arena] = state[0][2:4]
        self._last_touch[arena] = -1

    def _place(self, arena: int, start: Start) -> None:
        simulated, rs = self._arenas[arena], self._rs
        simulated.reset_kickoff(1)  # for the pads
        ball = rs.BallState()
        velocity = _row(start.ball_velocity)
        ball.pos = rs.Vec(*start.ball_position.tolist())
        ball.vel = rs.Vec(*(velocity if any(velocity) else (0.0, 0.0, -TINY)))
        ball.ang_vel = rs.Vec(*_row(start.ball_angular_velocity))
        simulated.ball.set_state(ball)
        for index, car in enumerate(self._cars[arena]):
            state = rs.CarState()  # a new one: the car's own still holds timers of the episode before
            state.pos = rs.Vec(*start.car_position[index].tolist())
            state.vel = rs.Vec(*_row(start.car_velocity, index))
            state.ang_vel = rs.Vec(*_row(start.car_angular_velocity, index))
            yaw, pitch, roll = (
                0.0 if angles is None else float(angles[index]) for angles in (start.yaw, start.pitch, start.roll)
            )
            state.rot_mat = rs.Angle(yaw=yaw, pitch=pitch, roll=roll).as_rot_mat()
            state.boost = 100.0 * (0.0 if start.boost is None else float(start.boost[index]))
            car.set_state(state)
            car.set_controls(rs.CarControls())

    def _events(self, cars: Array) -> dict[str, Array]:
        game = self._game
        events = dict.fromkeys(EVENTS, np.zeros(cars.shape[:2], np.float32))
        counted = np.maximum(cars[:, :, _COUNTERS] - self._counters, 0.0)
        self._counters = cars[:, :, _COUNTERS].copy()
        for column, name in enumerate(_COUNTED):
            events[name] = counted[:, :, column]
        touched = cars[:, :, _HIT] > 0
        events["touch"] = touched.astype(np.float32)
        if touched.any():
            self._remember_touches(touched, game[:, 1])
        scored = np.maximum(game[:, 2:4] - self._scores, 0.0)
        self._scores = game[:, 2:4].copy()
        if scored.any():
            events["team_goal"] = np.where(self.orange, scored[:, 1:], scored[:, :1])
            events["concede"] = np.where(self.orange, scored[:, :1], scored[:, 1:])
            goals = np.zeros(cars.shape[:2], np.float32)
            for arena, team in np.argwhere(scored > 0).tolist():
                # RocketSim names a scorer only sometimes: it is the last of the team that touched
                # the ball
                car = int(self._last_touch[arena, team])
                if car >= 0:
                    goals[arena, car] = 1.0
            events["goal"] = goals
        return events

    def _remember_touches(self, touched: BoolArray, last_hit: Array) -> None:
        for team in (0, 1):
            of_team = touched & (self.orange == bool(team))
            rows = np.flatnonzero(of_team.any(axis=1))
            self._last_touch[rows, team] = of_team[rows].argmax(axis=1)
        for arena in np.flatnonzero(touched.sum(axis=1) > 1).tolist():
            car = self._ids.index(int(last_hit[arena])) if int(last_hit[arena]) in self._ids else -1
            if car >= 0 and touched[arena, car]:
                self._last_touch[arena, int(self.orange[car])] = car

    def _new_controls(self, row: Array) -> Any:
        throttle, steer, pitch, yaw, roll, jump, boost, handbrake = row.tolist()
        if len(self._controls) > 10_000:  # continuous controls never repeat
            self._controls.clear()
        return self._rs.CarControls(
            throttle=throttle, steer=steer, pitch=pitch, yaw=yaw, roll=roll, jump=jump > 0.5, boost=boost > 0.5,
            handbrake=handbrake > 0.5,
        )  # fmt: skip

    def close(self) -> None:
        """Let go of the arenas."""
        self._cars, self._arenas = [], []


def refuse_tick_skip(tick_skip: int) -> None:
    """Raises ValueError for a number of ticks that does not divide a second's."""
    if whole("tick_skip", tick_skip) > TICKS_PER_SECOND or TICKS_PER_SECOND % tick_skip:
        raise ValueError(f"tick_skip={tick_skip}: expected a number that divides {TICKS_PER_SECOND}")


def refuse_teams(blue: int, orange: int) -> None:
    """Raises ValueError for teams that cannot play."""
    if not (0 <= blue <= MOST_CARS and 0 <= orange <= MOST_CARS and blue + orange >= 1):
        raise ValueError(f"blue={blue} orange={orange}: a team has 0 to {MOST_CARS} cars, and one has a car")


@functools.cache
def _apart(n_cars: int, height: float) -> Start:
    """Everything at rest and apart from everything else, the cars at this height."""
    cars = np.stack([np.linspace(-2500.0, 2500.0, n_cars), np.zeros(n_cars), np.full(n_cars, height)], axis=1)
    return Start(ball_position=np.array([0.0, 3000.0, 1000.0]), car_position=cars)


def _row(values: Array | None, index: int | None = None) -> Sequence[float]:
    if values is None:
        return (0.0, 0.0, 0.0)
    return [float(value) for value in (values if index is None else values[index])]


def scored(states: MatchStates) -> Array:
    """(K,): 1 where blue scored in this step, -1 where orange did, 0 elsewhere.

    By the goals that were counted: where a step is long, the ball may have bounced out again.
    """
    gained = states.events["team_goal"][:, 0] - states.events["concede"][:, 0]
    return np.asarray(np.sign(gained) * (-1.0 if states.orange[0] else 1.0))


__all__ = ["GOAL_LINE", "Matches", "scored"]
