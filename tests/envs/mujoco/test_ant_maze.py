"""The ant among walls: its start, walls, goals, and a population in it."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
from stable_baselines3.common.vec_env import VecMonitor

import agents
import envs
from envs.mujoco.ant_maze import GOALS, START, AntMaze

pytest.importorskip("mujoco", reason="mujoco is not installed: make setup EXTRAS=mujoco", exc_type=ImportError)
ID = "breadcrumb/AntMaze-v0"


def placed(world: AntMaze, x: float, y: float, speed: float = 0.0) -> None:
    ant: Any = world.unwrapped
    positions, velocities = ant.init_qpos.copy(), np.zeros(14)
    positions[:2], velocities[0] = (x, y), speed
    ant.set_state(positions, velocities)


def test_it_starts_in_its_corner_and_sees_positions_and_velocities() -> None:
    world = gymnasium.make(ID)
    seen, info = world.reset(seed=3)
    again, _ = world.reset(seed=3)
    assert world.observation_space.contains(seen)
    assert seen.shape == (29,)
    np.testing.assert_array_equal(seen, again)
    np.testing.assert_array_equal(info["position"], START)
    world.close()


def test_a_wall_stops_it_where_open_floor_does_not() -> None:
    world = AntMaze()
    ends = []
    for y in (20.0, -20.0):
        world.reset(seed=0)
        placed(world, -17.0, y, speed=8.0)
        for _ in range(40):
            _, _, _, _, info = world.step(np.zeros(8, np.float32))
        ends.append(info["position"][0])
    world.close()
    assert ends[0] < -15.2
    assert ends[1] > -14.5


@pytest.mark.parametrize(("away", "pays"), [(1.5, 0.5), (4.0, 0.0)])
def test_the_last_step_pays_for_the_nearest_goal(away: float, pays: float) -> None:
    world = AntMaze(steps=2)
    for index, (x, y) in enumerate(GOALS):
        world.reset(seed=0)
        placed(world, x - away, y)
        first = world.step(np.zeros(8, np.float32))
        last = world.step(np.zeros(8, np.float32))
        assert (first[1], first[2]) == (0.0, False)
        assert last[1] == pytest.approx(pays, abs=0.1)
        assert last[2]
        assert last[4]["area"] == (index if pays else -1)
    world.close()


def test_a_population_of_the_papers_policies_searches_it() -> None:
    venv = VecMonitor(envs.make_vec(ID, 2, seed=1, alike=True, report=("position", "area"), steps=5))
    model: Any = agents.build("novelty_search", venv, seed=1, evaluations=6, population=2, chunk=4, horizon=5)
    assert model.network.size == 574
    model.learn(1000)
    np.testing.assert_allclose(model.history.column("truths"), [START] * 6, atol=1.5)
    assert model.history.extent[0] == [-30.0, 40.0]
    venv.close()


def test_steps_are_checked() -> None:
    with pytest.raises(ValueError, match="steps=0: expected a whole number of at least 1"):
        AntMaze(steps=0)
