"""Populations as agents: what is paid, what is repeated, what is kept, what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stable_baselines3.common.vec_env import VecMonitor

import agents
import envs
from agents.quality_diversity import Population
from shaping import RewardTerm, ShapedVecEnv

SMALL: dict[str, Any] = {"evaluations": 90, "population": 20}
GENERATIONS = {**SMALL, "chunk": 20, "additions": 2}


class Alive(RewardTerm):
    """1 a step."""

    def __call__(self, batch: Any) -> Any:
        return np.ones(len(batch))


def stack(n_envs: int = 8, env_id: str = "PointMass-v0", terms: dict[str, Any] | None = None, **kwargs: Any) -> Any:
    venv = VecMonitor(envs.make_vec(env_id, n_envs, seed=3, alike=True, **kwargs))
    return ShapedVecEnv(venv, terms or {}, gamma=0.99)


def learned(env: Any, name: str = "novelty_search", steps: int = 10**6, **settings: Any) -> Population:
    given = GENERATIONS if name in ("novelty_search", "serene", "nsga2", "nslc") else SMALL
    model: Any = agents.build(name, env, seed=5, **{**given, **settings})
    return model.learn(steps)


def rewards(model: Population) -> Any:
    return model.history.column("rewards")


def test_every_genome_plays_the_same_episode_whatever_the_number_of_rows() -> None:
    few, many = learned(stack(3)), learned(stack(16))
    np.testing.assert_array_equal(rewards(few), rewards(many))
    np.testing.assert_array_equal(few.history.column("truths"), many.history.column("truths"))
    assert len(np.unique(rewards(few))) > 80
    assert few.evolver.evaluated == 90


@pytest.mark.parametrize(
    ("env_id", "kwargs", "settings"),
    [
        ("MiniHack-Room-Random-5x5-v0", {"max_episode_steps": 8}, {"keys": ["blstats"]}),
        ("CartPole-v1", {"max_episode_steps": 20}, {}),
    ],
)
def test_a_population_in_worker_processes_is_the_population_without(
    env_id: str, kwargs: dict[str, Any], settings: dict[str, Any]
) -> None:
    models = []
    for workers in (0, 1):
        env = stack(4, env_id, workers=workers, **kwargs)
        models.append(learned(env, **{**settings, "evaluations": 24, "population": 8, "chunk": 8}))
        env.close()
    here, there = models
    assert there.num_timesteps == here.num_timesteps
    assert len(np.unique(here.history.column("truths"), axis=0)) > 1
    for column in ("rewards", "truths", "middles"):
        np.testing.assert_array_equal(here.history.column(column), there.history.column(column))
    for kept, same in zip(here.evolver.elites(), there.evolver.elites(), strict=True):
        np.testing.assert_array_equal(kept, same)


def test_what_is_told_of_the_best_is_what_it_does() -> None:
    env = stack()
    model = learned(env)
    env.seed(5)  # the episode of the model's own seed
    seen, total = env.reset(), np.zeros(8)
    for _ in range(60):
        actions, _ = model.predict(seen)
        seen, paid, _, _ = env.step(actions)
        total += paid
    np.testing.assert_allclose(total, rewards(model).max(), rtol=1e-5)
    alone, _ = model.predict(seen[0])
    np.testing.assert_array_equal(alone, model.predict(seen)[0][0])


def test_an_episode_may_be_shorter_than_the_worlds_own_in_compiled_worlds_too() -> None:
    model = learned(stack(10, "Point2D-v0", report=("position",)), horizon=5)
    assert model.num_timesteps == 90 * 5
    assert 0 < np.abs(model.history.column("truths")).max() <= 5 * 0.05 + 1e-6


def test_a_place_may_be_given_as_the_numbers_that_a_command_line_reads() -> None:
    words, numbers = (learned(stack(), place=place).history.column("truths") for place in ("[1,0]", [1, 0]))
    np.testing.assert_array_equal(words, numbers)


def test_terms_are_optimised_with_the_task() -> None:
    plain, paid = learned(stack()), learned(stack(terms={"alive": Alive()}))
    np.testing.assert_allclose(rewards(paid), rewards(plain) + 60.0, rtol=1e-5)


@pytest.mark.parametrize("name", ["novelty_search", "serene", "map_elites", "cma_es"])
def test_a_search_goes_on_bit_for_bit(tmp_path: Path, name: str) -> None:
    extent = {"extent": [[-4, 4], [-4, 4]]} if name == "map_elites" else {}
    whole = learned(stack(), name, **extent)
    agent, half = agents.get(name), learned(stack(), name, steps=2000, **extent)
    assert 0 < half.evolver.evaluated < whole.evolver.evaluated
    agent.save(half, tmp_path)
    given = GENERATIONS if name in ("novelty_search", "serene") else SMALL
    again: Any = agent.load(tmp_path, stack(), agents.configured(name, {**given, **extent}))
    again.learn(10**6, reset_num_timesteps=False)
    np.testing.assert_array_equal(rewards(whole), rewards(again))
    assert whole.num_timesteps == again.num_timesteps
    assert whole.history.coverage == again.history.coverage


def test_any_elite_acts_and_who_only_plays_needs_no_environment(tmp_path: Path) -> None:
    model, agent = learned(stack()), agents.get("novelty_search")
    agent.save(model, tmp_path)
    genomes = model.evolver.elites()[0]
    config = agents.configured("novelty_search", {**GENERATIONS, "elite": 1})
    player: Any = agent.load(tmp_path, None, config)
    np.testing.assert_array_equal(player.acting, genomes[1])
    player.act_by(-1)
    np.testing.assert_array_equal(player.acting, model.evolver.best())
    player.act_by(len(genomes))
    with pytest.raises(ValueError, match=f"there are {len(genomes)}, counted from 0"):
        player.predict(np.zeros((1, 4), np.float32))


def test_a_place_is_read_from_an_observation_and_its_grid_is_drawn() -> None:
    env = stack(4, "MiniHack-Room-5x5-v0", observation_keys=["chars", "blstats", "raw_blstats"], max_episode_steps=8)
    settings = {"keys": ["blstats"], "picture": "chars", "descriptor": "image:1", "evaluations": 24, "population": 8}
    model = learned(env, "taxons", chunk=8, epochs=1, **settings)
    truths = model.history.column("truths")
    assert (truths == truths.round()).all()
    assert truths.min() > 0
    assert model.history.coverage > 0
    assert np.isfinite(model.evolver.elites()[2]).all()


def test_a_grid_needs_bounds_that_observations_with_bounds_tell() -> None:
    assert learned(stack(), "map_elites").history.extent == [[-4, 4], [-4, 4]]
    with pytest.raises(ValueError, match=r"give agent\.extent"):
        agents.build("map_elites", stack(2, "CartPole-v1"), seed=0)


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("novelty_search", {"evaluations": 0}, "agent.evaluations=0"),
        ("novelty_search", {"place": "there[0,1]"}, "observations are one vector"),
        ("novelty_search", {"place": "[0,4]"}, "4 numbers"),
        ("novelty_search", {"keys": ["blstats"]}, "no entries"),
        ("novelty_search", {"chunk": 10}, "chunk"),
        ("novelty_search", {"descriptor": "image:1"}, "image"),
        ("taxons", {}, "there are none"),
        ("map_elites", {"extent": [[0, 1]]}, r"\[\[low,high\],\[low,high\]\]"),
        ("map_elites", {"extent": [[1, 0], [0, 1]]}, "lower one first"),
        ("map_elites", {"extent": [[-4, 4], [-4, 4]], "descriptor": "genome"}, "positions"),
        ("serene", {"scheduler": "dice"}, "scheduler"),
        ("novelty_search", {"elite": -2}, "agent.elite=-2"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_played(
    name: str, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        agents.build(name, stack(2), seed=0, **settings)


def test_a_match_says_how_long_its_episodes_are() -> None:
    env = stack(2, "breadcrumb/RocketShoot-v0", seconds=1.0, observation="flat")
    try:
        model = learned(env, evaluations=4, population=2, chunk=2, place=[0, 1])
        assert model.evaluator.horizon == 15
    finally:
        env.close()
