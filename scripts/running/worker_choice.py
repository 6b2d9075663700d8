"""What `workers` says: processes that step rows, as many as pay, or actors of a Ray cluster."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import numpy as np
from stable_baselines3.common.vec_env import VecEnv

AUTO = "auto"
RAY = "ray"
PAYS = 1.2  # times as fast as one process alone; for less, waking workers costs what they save
SECONDS = 0.5  # of steps that are timed, each way
_WARM = 5  # steps before that
_DRAWN = 64  # random actions of all rows, used again and again


def plays_elsewhere(workers: int | str) -> bool:
    """Are whole episodes played by actors of a Ray cluster, as `ray` and `ray:N` say?"""
    return isinstance(workers, str) and workers.partition(":")[0] == RAY


def actors_of(workers: str) -> int | None:
    """The N of `ray:N`; None for `ray`: as many as the cluster has CPUs.

    >>> actors_of("ray:3"), actors_of("ray")
    (3, None)

    Raises:
        ValueError: it is no number from 1.
    """
    _, named, count = workers.partition(":")
    if not named:
        return None
    if not count.isdecimal() or int(count) < 1:
        raise ValueError(f"workers={workers}: expected ray, or ray:N with N actors, at least 1")
    return int(count)


def workers_that_pay(make: Callable[[int], VecEnv], rows: int, cores: int | None = None) -> tuple[int, str]:
    """How many workers to use, and what was found out, in words.

    Episodes are the same in any number of processes, so only time hangs on it.

    Args:
        make: the vector environment with so many workers; those that are made are closed.
        rows: of it; a worker needs one.
        cores: of this machine; found out where None.
    """
    most = min((os.cpu_count() or 1) if cores is None else cores, rows) - 1
    if most < 1:
        return 0, "workers=auto: 0, there is one core or one environment"
    alone = steps_per_second(make(0))
    try:
        shared = steps_per_second(make(most))
    except ValueError as error:
        return 0, f"workers=auto: 0, {error}"
    chosen = most if shared >= PAYS * alone else 0
    return chosen, f"workers=auto: {chosen}, {alone:,.0f} steps/s in one process and {shared:,.0f} in {most + 1}"


def steps_per_second(venv: VecEnv, seconds: float = SECONDS) -> float:
    """Environment steps a second under random actions; closes the environment."""
    venv.action_space.seed(0)
    actions = [np.stack([venv.action_space.sample() for _ in range(venv.num_envs)]) for _ in range(_DRAWN)]
    try:
        venv.reset()
        for turn in range(_WARM):
            venv.step(actions[turn])
        start, turns = time.perf_counter(), 0
        while time.perf_counter() - start < seconds:
            venv.step(actions[turns % _DRAWN])
            turns += 1
        return turns * venv.num_envs / (time.perf_counter() - start)
    finally:
        venv.close()
