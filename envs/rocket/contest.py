"""Drivers against each other, or alone, point after point."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from envs.rocket.drivers import Driver
from envs.rocket.matches import TICKS_PER_SECOND, Matches, in_goal
from envs.rocket.recording import Recording
from envs.rocket.starts import Start, kickoff
from envs.rocket.states import MatchStates
from envs.typing import Array, BoolArray, IntArray
from foundation.checks import number, whole

MakeDriver = Callable[[int, BoolArray], Driver]
"""(K arenas, which cars are orange (N,)) -> a driver for them."""


@dataclass(frozen=True)
class Rules:
    """Of a contest.

    Attributes:
        cars: in each team.
        seconds: a point without a goal in that time is drawn.
        no_touch_seconds: so is one in which nobody touched the ball for so long.
        tick_skip: physics ticks between decisions.
        arenas: points that are played side by side.
        mesh_dir: see `MatchConfig`.
    """

    cars: int = 1
    seconds: float = 60.0
    no_touch_seconds: float = 15.0
    tick_skip: int = 8
    arenas: int = 16
    mesh_dir: str | Path | None = None

    def __post_init__(self) -> None:
        for name in ("cars", "arenas"):
            whole(name, getattr(self, name))
        for name in ("seconds", "no_touch_seconds"):
            number(name, getattr(self, name), above=0.0)


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
    if points < 2 or points % 2:
        raise ValueError(f"points={points}: expected an even number, as the teams change sides")
    random, orange = np.random.default_rng(seed), np.repeat([False, True], rules.cars)
    kickoffs = [kickoff(random, orange) for _ in range(points // 2)]
    as_blue = [point.outcome for point in play(first, second, kickoffs, rules)]
    as_orange = [-point.outcome for point in play(second, first, kickoffs, rules)]
    return np.array(as_blue + as_orange)


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
    blue: MakeDriver, orange: MakeDriver | None, starts: Sequence[Start], rules: Rules, record: bool = False
) -> list[Point]:
    """One point from every start, several side by side; orange may be missing.

    Which arena plays which start is fixed before the first step: quick goals buy no more points.
    """
    k, n = min(rules.arenas, len(starts)), rules.cars
    matches = Matches(k, n, n if orange else 0, tick_skip=rules.tick_skip, mesh_dir=rules.mesh_dir)
    makers = [blue] if orange is None else [blue, orange]
    drivers = [make(k, matches.orange) for make in makers]
    teams = [np.arange(n), np.arange(n, 2 * n)][: len(drivers)]
    limit, patience = (round(s * TICKS_PER_SECOND / rules.tick_skip) for s in (rules.seconds, rules.no_touch_seconds))
    queues = [list(range(arena, len(starts), k)) for arena in range(k)]
    playing = np.full(k, -1)  # the point; -1: none is left
    steps, idle = np.zeros(k, np.int64), np.zeros(k, np.int64)
    points: list[Point | None] = [None] * len(starts)
    tapes: list[list[tuple[Array, MatchStates]]] = [[] for _ in range(k)]

    def begin(arenas: IntArray) -> None:
        for arena in arenas.tolist():
            playing[arena] = queues[arena].pop(0) if queues[arena] else -1
            matches.reset(arena, starts[max(0, playing[arena])])
            tapes[arena] = []
        steps[arenas] = idle[arenas] = 0
        for driver in drivers:
            driver.begin(arenas)

    begin(np.arange(k))
    states = matches.states()
    firsts = [states.arena(arena) for arena in range(k)]  # where each arena's point began
    while (playing >= 0).any():
        left = 1.0 - steps / limit
        controls = np.concatenate(
            [driver(states, cars, left) for driver, cars in zip(drivers, teams, strict=True)], axis=1
        )
        for driver in drivers:
            driver.acted(controls)
        states = matches.step(controls)
        if record:
            for arena in np.flatnonzero(playing >= 0).tolist():
                tapes[arena].append((controls[arena], states.arena(arena)))
        steps += 1
        idle = np.where(states.touched.any(axis=1), 0, idle + 1)
        goal = in_goal(states)
        ended = np.flatnonzero((goal != 0) | (steps >= limit) | (idle >= patience))
        for arena in ended[playing[ended] >= 0].tolist():
            start = starts[playing[arena]]
            recording = None
            if record:
                done, after = zip(*tapes[arena], strict=True)
                whole = MatchStates.joined([firsts[arena], *after])
                recording = Recording(start, matches.orange, rules.tick_skip, np.stack(done), whole)
            points[playing[arena]] = Point(int(goal[arena]), recording)
        if len(ended):
            begin(ended)
            states = matches.states()
            for arena in ended.tolist():
                firsts[arena] = states.arena(arena)
    matches.close()
    return [point for point in points if point is not None]
