"""Drivers against each other, or alone, point after point."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from envs.rocket.drivers import Driver
from envs.rocket.matches import MOST_CARS, Matches, refuse_tick_skip, scored
from envs.rocket.recording import Recording
from envs.rocket.simulator import TICK_SKIP, TICKS_PER_SECOND
from envs.rocket.starts import Start, kickoff
from envs.rocket.states import MatchStates
from envs.typing import Array, BoolArray, IntArray
from foundation.checks import number, whole

MakeDriver = Callable[[int, BoolArray], Driver]
"""(K arenas, which cars are orange (N,)) -> a driver for them."""


LONGEST = 600.0  # seconds of a point: a recording holds all its states in memory

MOST_POINTS = 100_000  # of a contest


@dataclass(frozen=True)
class Rules:
    """Of a contest.

    Attributes:
        cars: in each team.
        seconds: a point without a goal in that time is drawn.
        no_touch_seconds: so is one in which nobody touched the ball for so long.
        tick_skip: physics ticks between decisions of drivers that have no pace of their own.
        arenas: points that are played side by side.
        mesh_dir: see `MatchConfig`.

    Raises:
        ValueError: a number out of its bounds.
    """

    cars: int = 1
    seconds: float = 60.0
    no_touch_seconds: float = 15.0
    tick_skip: int = TICK_SKIP
    arenas: int = 16
    mesh_dir: str | Path | None = None

    def __post_init__(self) -> None:
        for name in ("cars", "arenas"):
            whole(name, getattr(self, name))
        number("cars", self.cars, least=1, most=MOST_CARS)
        for name in ("seconds", "no_touch_seconds"):
            number(name, getattr(self, name), above=0.0, most=LONGEST)
        refuse_tick_skip(self.tick_skip)


@dataclass(frozen=True)
class Point:
    """One episode: `outcome` is 1 where blue scored, -1 where orange did, 0 where time was over."""

    outcome: int
    recording: Recording | None


def play_points(first: MakeDriver, second: MakeDriver, points: int, rules: Rules, seed: int = 0) -> IntArray:
    """Outcomes (points,): 1 where the first scored, -1 where the second did, 0 where time was over.

    The first is blue in one half of the points and orange in the other, from the same kickoffs.

    Raises:
        ValueError: an odd or impossible number of points.
    """
    refuse_points(points)
    random, orange = np.random.default_rng(seed), np.repeat([False, True], rules.cars)
    kickoffs = [kickoff(random, orange) for _ in range(points // 2)]
    as_blue = [point.outcome for point in play(first, second, kickoffs, rules, seed)]
    as_orange = [-point.outcome for point in play(second, first, kickoffs, rules, seed)]
    return np.array(as_blue + as_orange)


def refuse_points(points: int) -> None:
    """Raises ValueError for an odd or impossible number of points."""
    if not 2 <= points <= MOST_POINTS or points % 2:
        raise ValueError(f"points={points}: expected an even number from 2 to {MOST_POINTS}, as the teams change sides")


@contextmanager
def one_thread() -> Iterator[None]:
    """Agents think in one thread: of two, on a busy machine, each waits for the other."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@one_thread()
def play(
    blue: MakeDriver,
    orange: MakeDriver | None,
    starts: Sequence[Start],
    rules: Rules,
    seed: int = 0,
    record: bool = False,
) -> list[Point]:
    """One point from every start, several side by side; orange may be missing.

    Which arena plays which start is fixed before the first step: quick goals buy no more points.

    Args:
        blue, orange: make the drivers.
        starts: one a point.
        rules: of the contest.
        seed: of what the drivers draw.
        record: keep every state.
    """
    k, n = min(rules.arenas, len(starts)), rules.cars
    drivers = _Drivers([blue] if orange is None else [blue, orange], k, rules)
    pace = drivers.tick_skip
    matches = Matches(k, n, n if orange else 0, tick_skip=pace, mesh_dir=rules.mesh_dir)
    seeds = np.random.default_rng(seed).integers(2**62, size=len(starts))
    limit, patience = (max(1, round(s * TICKS_PER_SECOND / pace)) for s in (rules.seconds, rules.no_touch_seconds))
    queues = [list(range(arena, len(starts), k)) for arena in range(k)]
    playing = np.full(k, -1)  # the point; -1: none
    steps, idle = np.zeros(k, np.int64), np.zeros(k, np.int64)
    points: list[Point | None] = [None] * len(starts)
    tapes: list[_Tape] = [_Tape() for _ in range(k)]

    def begin(arenas: IntArray) -> MatchStates:
        for arena in arenas.tolist():
            playing[arena] = queues[arena].pop(0)
            matches.reset(arena, starts[playing[arena]])
        steps[arenas] = idle[arenas] = 0
        drivers.begin(arenas, seeds[playing[arenas]])
        states = matches.states()
        for arena in arenas.tolist():
            tapes[arena] = _Tape([states.arena(arena)])
        return states

    states = begin(np.arange(k))
    while (playing >= 0).any() or any(queues):
        controls = drivers(states, 1.0 - steps / limit)
        states = matches.step(controls)
        if record:
            for arena in np.flatnonzero(playing >= 0).tolist():
                tapes[arena].take(controls[arena], states.arena(arena))
        steps += 1
        idle = np.where(states.touched.any(axis=1), 0, idle + 1)
        goal = scored(states)
        ended = np.flatnonzero((playing >= 0) & ((goal != 0) | (steps >= limit) | (idle >= patience)))
        for arena in ended.tolist():
            point = playing[arena]
            recording = tapes[arena].recording(starts[point], matches.orange, pace) if record else None
            points[point] = Point(int(goal[arena]), recording)
        playing[ended] = -1
        waiting = np.flatnonzero((playing < 0) & np.array([len(queue) > 0 for queue in queues]))
        if len(waiting) and drivers.all_decide:
            states = begin(waiting)
    matches.close()
    return [point for point in points if point is not None]


@dataclass(frozen=True)
class _Tape:
    """What happens in an arena during a point: one state more than controls."""

    states: list[MatchStates] = field(default_factory=list)
    controls: list[Array] = field(default_factory=list)

    def take(self, controls: Array, states: MatchStates) -> None:
        """A step was played."""
        self.controls.append(controls)
        self.states.append(states)

    def recording(self, start: Start, orange: BoolArray, tick_skip: int) -> Recording:
        """Of the whole point."""
        return Recording(start, orange, tick_skip, np.stack(self.controls), MatchStates.joined(self.states))


class _Drivers:
    """Both teams' drivers, each asked as often as it decides, whatever the other does.

    Args:
        makers: of blue's driver, of orange's.
        n_arenas: K.
        rules: how many cars each drives, and how often who does not care is asked.
    """

    def __init__(self, makers: Sequence[MakeDriver], n_arenas: int, rules: Rules) -> None:
        orange = np.repeat([False, True][: len(makers)], rules.cars)
        self._cars = np.split(np.arange(len(orange)), len(makers))
        self._drivers = [make(n_arenas, orange) for make in makers]
        paces = [driver.tick_skip or rules.tick_skip for driver in self._drivers]
        self.tick_skip = math.gcd(*paces)
        """Physics ticks of a step: every driver decides at some of them."""
        self._every = [pace // self.tick_skip for pace in paces]
        self._held: list[Array] = [np.zeros(0)] * len(makers)
        self._step = 0

    @property
    def all_decide(self) -> bool:
        """Does everybody decide in the step that comes? Points begin there, for all alike."""
        return all(self._step % every == 0 for every in self._every)

    def __call__(self, states: MatchStates, time_left: Array) -> Array:
        """Controls (K, N, 8) of all cars."""
        due = [self._step % every == 0 for every in self._every]
        for index, (driver, cars) in enumerate(zip(self._drivers, self._cars, strict=True)):
            if due[index]:
                self._held[index] = driver(states, cars, time_left)
        controls = np.concatenate(self._held, axis=1)
        for driver, decides in zip(self._drivers, due, strict=True):
            if decides:
                driver.acted(controls)
        self._step += 1
        return controls

    def begin(self, arenas: IntArray, seeds: IntArray) -> None:
        """See `Driver.begin`."""
        for driver in self._drivers:
            driver.begin(arenas, seeds)
