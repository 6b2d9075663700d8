"""Arenas spread over processes."""

from __future__ import annotations

import os
import signal

import numpy as np
import pytest

import envs
from envs.catalogue import Request
from envs.rocket import MatchConfig, RocketVecEnv


def trace(workers: int, steps: int = 60) -> list:
    """Observations, rewards, ends and seeds of some seeded play with short episodes."""
    config = MatchConfig(1, 1, observation="necto", seconds=2.0, starts={"kickoff": 0.5, "random": 0.5})
    venv = RocketVecEnv(config, Request(10, seed=3, workers=workers, events=("touch",), report=("events",)))
    steps_played: list = [venv.reset()]
    random = np.random.default_rng(0)
    for _ in range(steps):
        observations, rewards, dones, infos = venv.step(random.integers(90, size=10))
        steps_played.append(
            (observations, rewards, dones, [(info.get("episode_seed"), info.get("events")) for info in infos])
        )
    venv.close()
    return steps_played


def test_matches_are_the_same_in_any_number_of_processes():
    alone = trace(0)
    assert any(step[2].any() for step in alone[1:])
    np.testing.assert_equal(trace(2), alone)


def test_a_dead_worker_is_named_with_what_to_do():
    venv = envs.make_vec("Rocket1v1-v0", 8, workers=1)
    venv.reset()
    process = venv.matches._processes[0]
    os.kill(process.pid, signal.SIGKILL)
    process.join(timeout=10)
    with pytest.raises(RuntimeError, match=r"worker that plays Rocket died \(exit status -9\).*resume="):
        venv.step(np.zeros(8, int))
    venv.close()


def test_workers_end_with_their_environment():
    venv = envs.make_vec("Rocket1v1-v0", 8, workers=1)
    process = venv.matches._processes[0]
    venv.close()
    assert not process.is_alive()
