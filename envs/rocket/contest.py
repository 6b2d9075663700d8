"""Two drivers against each other, point after point from kickoffs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from envs.rocket.drivers import Driver
from envs.rocket.matches import TICKS_PER_SECOND, Matches, in_goal
from envs.rocket.starts import Start
from envs.typing import BoolArray, IntArray

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
        for name in ("cars", "seconds", "no_touch_seconds", "arenas"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name}={getattr(self, name)}: expected a number above 0")


def play_points(first: MakeDriver, second: MakeDriver, points: int, rules: Rules, seed: int = 0) -> IntArray:
    """Outcomes (points,): 1 where the first scored, -1 where the second did, 0 where time was over.

    The first is blue in one half of the points and orange in the other, from the same kickoffs.

    Raises:
        ValueError: an odd or impossible number of points.
    """
    if points < 2 or points % 2:
        raise ValueError(f"points={points}: expected an even number, as the teams change sides")
    half = points // 2
    kickoffs = np.random.default_rng(seed).integers(2**31, size=half)
    return np.concatenate([_play_side(first, second, kickoffs, rules), -_play_side(second, first, kickoffs, rules)])


def _play_side(blue: MakeDriver, orange: MakeDriver, kickoffs: IntArray, rules: Rules) -> IntArray:
    """Outcomes for blue. Which arena plays which kickoff is fixed before the first step: quick goals buy no more."""
    k, n = min(rules.arenas, len(kickoffs)), rules.cars
    matches = Matches(k, n, n, tick_skip=rules.tick_skip, mesh_dir=rules.mesh_dir)
    drivers = (blue(k, matches.orange), orange(k, matches.orange))
    teams = (np.arange(n), np.arange(n, 2 * n))
    limit, patience = (round(s * TICKS_PER_SECOND / rules.tick_skip) for s in (rules.seconds, rules.no_touch_seconds))
    queues = [list(range(arena, len(kickoffs), k)) for arena in range(k)]
    playing = np.full(k, -1)  # the point; -1: none is left
    steps, idle = np.zeros(k, np.int64), np.zeros(k, np.int64)
    outcomes = np.zeros(len(kickoffs), np.int64)

    def begin(arenas: IntArray) -> None:
        for arena in arenas.tolist():
            playing[arena] = queues[arena].pop(0) if queues[arena] else -1
            matches.reset(arena, Start(kickoff=int(kickoffs[max(0, playing[arena])])))
        steps[arenas] = idle[arenas] = 0
        for driver in drivers:
            driver.begin(arenas)

    begin(np.arange(k))
    states = matches.states()
    while (playing >= 0).any():
        left = 1.0 - steps / limit
        sides = [driver(states, cars, left) for driver, cars in zip(drivers, teams, strict=True)]
        controls = np.concatenate(sides, axis=1)
        for driver in drivers:
            driver.acted(controls)
        states = matches.step(controls)
        steps += 1
        idle = np.where(states.touched.any(axis=1), 0, idle + 1)
        goal = in_goal(states).astype(np.int64)
        over = (goal != 0) | (steps >= limit) | (idle >= patience)
        counted = over & (playing >= 0)
        outcomes[playing[counted]] = goal[counted]
        if over.any():
            begin(np.flatnonzero(over))
            states = matches.states()
    matches.close()
    return outcomes
