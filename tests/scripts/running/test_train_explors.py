"""The terms explors and sors in whole runs: worlds, agents, columns, refusals, resume."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from scripts.results.curves import read_progress
from scripts.train import main

QUIET = ["tracking=none", "evaluate_episodes=0", "gif=false", "n_envs=4"]
PPO = ["agent=ppo", "agent.n_steps=64", "agent.batch_size=128", "agent.n_epochs=1"]
A2C = ["agent=a2c", "agent.n_steps=16"]
DQN = ["agent=dqn", "agent.learning_starts=100", "agent.buffer_size=2000"]


@pytest.mark.parametrize(
    ("env", "agent", "shaping"),
    [
        ("classic/chain", DQN, "explors"),
        ("classic/room", A2C, "explors/selfrs"),
        ("classic/cartpole", PPO, "sors"),
        ("classic/line_keys_distractor", PPO, "explors/explob"),
        ("minihack/room_5x5", PPO, "explors"),
    ],
)
def test_it_trains(env: str, agent: list[str], shaping: str, tmp_path: Path) -> None:
    name = shaping.partition("/")[0]
    every = [] if shaping == "explors/explob" else [f"shaping.terms.{name}.every=1"]
    run = tmp_path / "run"
    steps = "total_timesteps=768"
    assert main([f"env={env}", *agent, f"shaping={shaping}", *every, *QUIET, steps, f"run_dir={run}"]) == 0
    columns = read_progress(run)
    assert json.loads((run / "summary.json").read_text())["status"] == "finished"
    if shaping != "explors/explob":
        assert np.isfinite(columns[f"terms/{name}/designed"]).any()
    if name == "explors" and shaping != "explors/selfrs":
        assert (columns["terms/explors/bonus"][-3:] > 0).all()
    if name == "explors" and shaping != "explors/explob":
        assert np.isfinite(columns["terms/explors/value_error"]).any()


def test_a_resumed_run_goes_on_with_what_was_designed_and_counted(tmp_path: Path) -> None:
    run = tmp_path / "run"
    chain = ["env=classic/chain", *PPO, "shaping=explors", "shaping.terms.explors.every=2", *QUIET]
    assert main([*chain, f"run_dir={run}", "total_timesteps=768"]) == 0
    states = read_progress(run)["terms/explors/states"]
    assert main([f"resume={run}", "total_timesteps=1536"]) == 0
    after = read_progress(run)
    assert (after["terms/explors/states"] >= states[-1])[len(states) :].all()
    assert after["terms/explors/bonus"][-1] < after["terms/explors/bonus"][0]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["env=classic/pendulum", "agent=ppo", "shaping=explors"], "one discrete action"),
        (
            ["env=classic/cartpole", "agent=ppo", "shaping=sors", "shaping.terms.sors.function=table"],
            "function=network",
        ),
        (["env=classic/chain", "agent=ppo", "shaping=explors", "shaping.terms.explors.kept=0"], "kept=0"),
        (["env=classic/chain", "agent=ppo", "shaping=explors", "shaping.terms.explors.bonus=-1"], "bonus=-1"),
    ],
)
def test_what_cannot_work_is_refused_before_training(
    settings: list[str], message: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main([*settings, *QUIET, f"run_dir={tmp_path / 'run'}"]) == 2
    assert message in capfd.readouterr().err


def test_an_agent_with_a_memory_is_refused_before_a_run_begins(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    settings = ["env=classic/cartpole", "agent=recurrent_ppo", "shaping=explors", *QUIET, "total_timesteps=512"]
    assert main([*settings, f"run_dir={tmp_path / 'run'}"]) == 2
    assert "must know how the agent acts" in capfd.readouterr().err
    assert not (tmp_path / "run").exists()
