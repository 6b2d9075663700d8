"""Whole episodes in actors of a real Ray cluster: what they come to, and what if actors die.

Skipped where Ray is not installed (`make setup EXTRAS=ray`).
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stable_baselines3.common.vec_env import VecMonitor

import agents
import envs
from agents.quality_diversity import Population
from agents.quality_diversity.evaluators import Outcome
from scripts.running.run_directory import load_run
from scripts.train import main
from shaping import RewardTerm, ShapedVecEnv
from shaping.combine import WeightedSum

ray = pytest.importorskip("ray")
MORTAL = "tests.agents.quality_diversity.mortal:Mortal-v0"
ROOM = {"observation_keys": ["chars", "blstats", "raw_blstats"], "max_episode_steps": 8}
GENERATIONS: dict[str, Any] = {"evaluations": 60, "population": 20, "chunk": 20, "additions": 2}
STEP: Any = None
"""What an evaluator of actors asks nothing of."""


@pytest.fixture(autouse=True, scope="module")
def cluster() -> Iterator[None]:
    ray.init("local", num_cpus=3, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    yield
    ray.shutdown()


@pytest.fixture(autouse=True)
def played_elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every test's actors end with it."""
    models: list[Population] = []
    play_elsewhere = Population.play_elsewhere

    def noted(model: Population, actors: int | None) -> None:
        models.append(model)
        play_elsewhere(model, actors)

    monkeypatch.setattr(Population, "play_elsewhere", noted)
    yield
    for model in models:
        model.close()


def population(env_id: str, *, n_envs: int = 8, factor: float = 2.0, given: Any = None, **kwargs: Any) -> Population:
    venv = VecMonitor(envs.make_vec(env_id, n_envs, seed=3, alike=True, **kwargs))
    env = ShapedVecEnv(venv, {}, combiner=WeightedSum({"task": factor}), gamma=0.99)
    model: Any = agents.build("novelty_search", env, seed=5, **{**GENERATIONS, **(given or {})})
    return model


def genomes_of(model: Population, n: int) -> Any:
    return np.random.default_rng(1).standard_normal((n, model.network.size))


def played(model: Population, genomes: Any, frames: Any = ()) -> Outcome:
    evaluator: Any = model.evaluator
    step = STEP if model.env is None else model.env.step
    outcome: Outcome = evaluator(genomes, model.times, np.array(frames, np.int64), step)
    return outcome


def assert_same(one: Outcome, other: Outcome) -> None:
    for name, mine, theirs in zip(Outcome._fields, one, other, strict=True):
        if mine is None:
            assert theirs is None
        else:
            np.testing.assert_array_equal(mine, theirs, err_msg=name)
            assert mine.dtype == theirs.dtype, name


@pytest.mark.parametrize(
    ("env_id", "kwargs", "given", "frames", "actors"),
    [
        ("Curling-v0", {"max_episode_steps": 60}, {}, (9, 59), (1, 2, 3)),
        ("MiniHack-Room-Random-5x5-v0", ROOM, {"keys": ["blstats"], "picture": "chars"}, (7,), (2,)),
        ("CartPole-v1", {"max_episode_steps": 30}, {}, (), (3,)),
    ],
)
def test_actors_say_what_this_process_says_to_the_bit(
    env_id: str, kwargs: dict[str, Any], given: dict[str, Any], frames: tuple[int, ...], actors: tuple[int, ...]
) -> None:
    model = population(env_id, given=given, **kwargs)
    here: Any = model.evaluator
    genomes = genomes_of(model, 21)
    expected = played(model, genomes, frames)
    assert len(np.unique(expected.paths[:, -1], axis=0)) > 1
    for count in actors:
        model.evaluator = here
        model.play_elsewhere(count)
        assert_same(played(model, genomes, frames), expected)
        assert_same(
            played(model, genomes[:2], frames), Outcome(*(part if part is None else part[:2] for part in expected))
        )


@pytest.mark.parametrize(("env_id", "kwargs"), [("PointMass-v0", {}), ("CartPole-v1", {"max_episode_steps": 30})])
def test_a_search_with_actors_is_the_search_without(env_id: str, kwargs: dict[str, Any]) -> None:
    here, there = population(env_id, **kwargs), population(env_id, **kwargs)
    there.play_elsewhere(2)
    here.learn(10**6)
    there.learn(10**6)
    for column in ("rewards", "truths", "middles", "areas", "purposes"):
        np.testing.assert_array_equal(here.history.column(column), there.history.column(column))
    np.testing.assert_array_equal(here.evolver.elites()[0], there.evolver.elites()[0])
    assert here.num_timesteps == there.num_timesteps


def test_an_actor_that_is_killed_in_the_middle_costs_nothing_but_time(tmp_path: Path) -> None:
    arguments = {"folder": str(tmp_path), "wait": 60.0, "spared": os.getpid()}
    model = population(MORTAL, **arguments)
    genomes = genomes_of(model, 12)
    expected = played(model, genomes)
    model.play_elsewhere(2)
    killed: list[int] = []

    def kill() -> None:
        end = time.monotonic() + 60
        while time.monotonic() < end and len(traces := [path for path in tmp_path.iterdir() if path.name != "go"]) < 2:
            time.sleep(0.02)
        killed.append(int(traces[0].name))
        os.kill(killed[0], signal.SIGKILL)
        (tmp_path / "go").touch()

    killer = threading.Thread(target=kill)
    killer.start()
    assert_same(played(model, genomes), expected)
    killer.join()
    assert killed[0] != os.getpid()
    assert len([path for path in tmp_path.iterdir() if path.name != "go"]) == 3, (
        "two actors, and one in a dead one's place"
    )
    assert_same(played(model, genomes), expected)


def first_pushes(model: Population, genomes: Any) -> Any:
    """What each does first."""
    env: Any = model.env
    env.seed(5)
    seen = np.repeat(model.senses.vector(env.reset())[:1], len(genomes), axis=0)
    return model.senses.actions(model.network.act(genomes, seen))[:, 0]


def test_a_genome_that_kills_every_actor_fails_with_its_slice_and_the_others_are_played() -> None:
    model = population(MORTAL)
    genomes = genomes_of(model, 12)
    pushes = first_pushes(model, genomes)
    killer, push = int(pushes.argmax()), float(np.sort(pushes)[-2:].mean())
    genomes[[0, killer]] = genomes[[killer, 0]]
    model = population(MORTAL, deadly=push, spared=os.getpid())
    expected = played(model, genomes)
    model.play_elsewhere(3)
    with pytest.warns(UserWarning, match="4 evaluations failed"):
        outcome = played(model, genomes)
    assert (outcome.rewards[:4] == -np.inf).all()
    assert np.isnan(outcome.paths[:4]).all()
    assert not outcome.lengths[:4].any()
    np.testing.assert_array_equal(outcome.rewards[4:], expected.rewards[4:])
    np.testing.assert_array_equal(outcome.paths[4:], expected.paths[4:])
    evaluator: Any = model.evaluator
    assert len(evaluator.actors) == 3
    assert np.isfinite(played(model, genomes[1:]).rewards).all(), "who died was replaced"


def test_the_search_goes_on_without_what_failed_and_never_keeps_it() -> None:
    plain = population(MORTAL)
    push = float(np.quantile(first_pushes(plain, genomes_of(plain, 500)), 0.95))
    model = population(MORTAL, deadly=push, spared=os.getpid(), given={"most_failed": 1.0})
    model.play_elsewhere(3)
    with pytest.warns(UserWarning, match="evaluations failed"):
        model.learn(10**6)
    failed = model.evolver.failed
    assert 0 < failed < 60
    assert model.evolver.evaluated == 60
    assert np.isneginf(model.history.column("rewards")).sum() == failed
    kept = model.evolver.elites()
    assert len(kept.genomes)
    assert np.isfinite(kept.rewards).all()
    assert np.isfinite(kept.truths).all()
    assert all(np.isfinite(episode["r"]) for episode in model.ep_info_buffer or ())


def test_a_run_that_only_fails_is_stopped() -> None:
    model = population(
        MORTAL, deadly=-2.0, spared=os.getpid(), given={"evaluations": 200, "population": 60, "chunk": 60}
    )
    model.play_elsewhere(1)
    with (
        pytest.warns(UserWarning, match="evaluations failed"),
        pytest.raises(RuntimeError, match=r"more than most_failed=0\.5"),
    ):
        model.learn(10**6)


def test_too_many_actors_an_unfit_environment_and_pay_that_is_not_the_tasks_are_refused() -> None:
    with pytest.raises(ValueError, match="workers=ray:4: an actor needs a CPU, and the cluster has 3"):
        population("PointMass-v0").play_elsewhere(4)
    model = population("CartPole-v1")
    model.env.unwrapped.recipe = Unmakable()  # type: ignore[union-attr]
    with pytest.raises(ValueError, match=r"(?s)same code in the same place.*nobody knows how"):
        model.play_elsewhere(1)
    venv = envs.make_vec("PointMass-v0", 2, alike=True)
    paid: Any = agents.build("novelty_search", ShapedVecEnv(VecMonitor(venv), {"alive": Alive()}, gamma=0.99), seed=0)
    with pytest.raises(ValueError, match="this run pays more"):
        paid.play_elsewhere(1)


class Unmakable:
    """A recipe that fails."""

    def make(self, rows: int) -> Any:
        raise ValueError("nobody knows how")


class Alive(RewardTerm):
    """1 a step."""

    def __call__(self, batch: Any) -> Any:
        return np.ones(len(batch))


LINE = [
    "shaping=none",
    "tracking=none",
    "evaluate_episodes=0",
    "gif=false",
    "agent=novelty_search",
    "n_envs=8",
    "seed=4",
]
SEARCH = ["agent.evaluations=90", "agent.population=20", "agent.chunk=20", "agent.additions=2"]


@pytest.mark.parametrize(
    "env", [["env=classic/point_mass"], ["env=classic/cartpole", "env.kwargs.max_episode_steps=30"]]
)
def test_a_run_that_was_cut_off_goes_on_bit_for_bit_with_another_number_of_actors(
    tmp_path: Path, env: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [*env, *LINE, *SEARCH]
    assert main([*words, f"run_dir={tmp_path / 'whole'}", "total_timesteps=1000000"]) == 0
    half = load_run(tmp_path / "whole").load_agent().num_timesteps // 2
    assert main([*words, "workers=ray:2", f"run_dir={tmp_path / 'cut'}", f"total_timesteps={half}"]) == 0
    assert load_run(tmp_path / "cut").load_agent().evolver.evaluated < 90
    monkeypatch.setattr("scripts.running.experiment.actors_of", lambda _: 1)
    assert main([f"resume={tmp_path / 'cut'}", "total_timesteps=1000000"]) == 0
    whole, cut = (load_run(tmp_path / name).load_agent() for name in ("whole", "cut"))
    for column in ("rewards", "truths", "middles"):
        np.testing.assert_array_equal(whole.history.column(column), cut.history.column(column))
    assert whole.num_timesteps == cut.num_timesteps
    assert whole.evolver.evaluated == cut.evolver.evaluated == 90
    freed(3)


def freed(cpus: int) -> None:
    """Ray tells a little later whose actors are gone."""
    end = time.monotonic() + 60
    while ray.available_resources().get("CPU", 0) < cpus:
        assert time.monotonic() < end, "a run that is over holds actors"
        time.sleep(0.1)
