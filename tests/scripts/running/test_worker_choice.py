"""Workers are used where they pay, and only there."""

from __future__ import annotations

import json
import time

import gymnasium
import numpy as np
import pytest
import yaml
from stable_baselines3.common.vec_env import DummyVecEnv

from scripts.running.worker_choice import steps_per_second, workers_that_pay
from scripts.train import main

QUIET = ["tracking=none", "evaluate_episodes=0", "torch_threads=1", "agent.n_steps=16", "agent.batch_size=64"]


class Timed(DummyVecEnv):
    """Two cart poles whose step takes as long as it is told to."""

    def __init__(self, seconds: float) -> None:
        super().__init__([lambda: gymnasium.make("CartPole-v1")] * 2)
        self.seconds, self.closed = seconds, False

    def step_wait(self):
        time.sleep(self.seconds)
        return super().step_wait()

    def close(self) -> None:
        self.closed = True
        super().close()


@pytest.mark.parametrize(("shared", "chosen"), [(0.001, 3), (0.01, 0), (0.03, 0)])
def test_workers_are_chosen_where_they_are_clearly_faster(shared, chosen):
    made = []

    def make(workers):
        made.append(Timed(shared if workers else 0.01))
        return made[-1]

    count, told = workers_that_pay(make, rows=8, cores=4)
    assert count == chosen
    assert told.startswith(f"workers=auto: {chosen}, ")
    assert told.endswith("in 4")
    assert all(venv.closed for venv in made)


def test_one_core_or_one_environment_needs_no_trial():
    def never(workers):
        raise AssertionError("nothing is to be made")

    assert workers_that_pay(never, rows=8, cores=1)[0] == 0
    assert workers_that_pay(never, rows=1, cores=8)[0] == 0


def test_an_environment_that_refuses_workers_gets_none_and_the_reason_is_told():
    def make(workers):
        if workers:
            raise ValueError("it has no use for them")
        return Timed(0.0)

    assert workers_that_pay(make, rows=4, cores=2) == (0, "workers=auto: 0, it has no use for them")


def test_speed_is_that_of_all_rows_and_the_environment_is_closed():
    venv = Timed(0.01)
    assert steps_per_second(venv, 0.2) == pytest.approx(200, rel=0.5)
    assert venv.closed


@pytest.mark.parametrize("env", ["minihack/room_5x5", "classic/caption_quest"])
def test_a_run_with_auto_is_the_run_without(tmp_path, capfd, env):
    def returns(workers):
        run = tmp_path / str(workers)
        line = [f"env={env}", "shaping=none", "agent=ppo", "n_envs=4", *QUIET, "total_timesteps=128"]
        assert main([*line, f"workers={workers}", f"run_dir={run}"]) == 0
        assert yaml.safe_load((run / "config.yaml").read_text())["workers"] == workers
        return np.genfromtxt(run / "progress.csv", delimiter=",", names=True)[
            "rolloutep_len_mean"
        ].tolist(), json.loads((run / "summary.json").read_text())["status"]

    assert str(returns("auto")) == str(returns(0))
    assert "workers=auto: " in capfd.readouterr().out


@pytest.mark.parametrize("given", ["some", "1.5", "-1", "33", "ray:0", "ray:", "ray:x", "rays"])
def test_what_is_no_number_of_workers_is_refused(tmp_path, capfd, given):
    run = tmp_path / "run"
    assert main(["env=classic/cartpole", *QUIET, f"workers={given}", f"run_dir={run}"]) == 2
    assert "workers" in capfd.readouterr().err
    assert not run.exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["agent=ppo"], "workers=ray:2 plays whole episodes elsewhere, and ppo steps them here; use workers=N"),
        (["agent=serene", "shaping=count"], "give shaping=none"),
        (["agent=serene", "shaping.task_transforms=[clip]"], "give shaping=none"),
        (["agent=serene", "shaping.episode.name=outcome_only"], "give shaping=none"),
    ],
)
def test_episodes_are_played_elsewhere_for_whoever_plays_whole_ones_of_the_task_alone(
    tmp_path, capfd, words, message, monkeypatch
):
    monkeypatch.setattr("envs.make_vec", lambda *_, **__: pytest.fail("it was built"))
    run = tmp_path / "run"
    line = ["env=classic/cartpole", *QUIET[:3], "shaping=none", *words, "workers=ray:2", f"run_dir={run}"]
    line = [word for word in line if word != "shaping=none" or "shaping=count" not in line]
    assert main(line) == 2
    assert message in capfd.readouterr().err
    assert not run.exists()


def test_without_ray_there_are_no_actors_and_how_to_get_it_is_said(tmp_path, capfd, monkeypatch):
    monkeypatch.setattr("agents.quality_diversity.ray_evaluator.find_spec", lambda _: None)
    run = tmp_path / "run"
    line = ["env=classic/cartpole", *QUIET[:3], "shaping=none", "agent=novelty_search", "workers=ray", f"run_dir={run}"]
    assert main(line) == 2
    assert "make setup EXTRAS=ray" in capfd.readouterr().err
    assert not run.exists()


@pytest.mark.parametrize(("agent", "given", "expected"), [("ppo", [], 32), ("dqn", [], 8), ("ppo", ["n_envs=3"], 3)])
def test_an_agent_says_how_many_environments_it_likes(tmp_path, agent, given, expected):
    run = tmp_path / "run"
    line = ["env=classic/cartpole", "shaping=none", f"agent={agent}", *given, *QUIET[:3], "total_timesteps=64"]
    assert main([*line, f"run_dir={run}"]) == 0
    assert yaml.safe_load((run / "config.yaml").read_text())["n_envs"] == expected
