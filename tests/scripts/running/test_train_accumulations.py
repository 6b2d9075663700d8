"""Channels, gates and attributed progress in whole runs: real games, columns, pictures, resume."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from PIL import Image

import envs
from scripts.results.curves import read_progress
from scripts.results.evaluation import describe
from scripts.running.checkpoints import latest_checkpoint
from scripts.train import main
from tests.shaping.worlds import Corridor

QUIET = ["tracking=none", "evaluate_episodes=0", "gif=false", "torch_threads=1"]
PPO = ["agent.n_steps=64", "agent.batch_size=64", "agent.n_epochs=1"]
MINIHACK = ["env=minihack/room_5x5", "n_envs=4", *PPO, "shaping=[events,count]", "shaping.terms.count.weight=0.1"]
ROCKET = ["env=rocket/shoot", "n_envs=4", *PPO, "shaping=[events,kinesthetic]", "env.events=[touch]"]


class Patches(Corridor):
    """A corridor that tells its channels and figures, as a software-engineering task does."""

    reports = ("reward_channels", "stats")

    def step(self, action: Any) -> Any:
        observation, reward, terminated, truncated, info = super().step(action)
        if terminated or truncated:
            info["stats"] = {
                "completion_rate": float(terminated), "resolve_rate": float(terminated and self.steps < 6)
            }  # fmt: skip
        return observation, reward, terminated, truncated, info


gymnasium.register("Test/Patches-v0", Patches, kwargs={"length": 5, "limit": 9})
OWN = [
    *("env=custom", "env.id=Test/Patches-v0", "env.statistics=true", "env.channels=[right,moved]", "n_envs=2"),
    *("shaping=channels", "agent.n_steps=32", "agent.batch_size=32", "agent.n_epochs=1"),
]


def gates(levels: str, numbers: str, **others: str) -> list[str]:
    more = "".join(f",{name}:{value}" for name, value in others.items())
    return ["shaping.episode.name=gated", f"shaping.episode.arguments={{levels:{levels},gates:{numbers}{more}}}"]


@pytest.mark.plots
def test_a_gate_over_existing_terms_trains_on_real_minihack(tmp_path: Path) -> None:
    gated = gates("[[task],[events,count]]", "[0.5]", release="retroactive")
    assert main([*MINIHACK, *gated, *QUIET, f"run_dir={tmp_path / 'run'}", "total_timesteps=1024"]) == 0
    columns = read_progress(tmp_path / "run")
    shares = columns["episode/gate_1_open"][1:]
    assert ((shares > 0) & (shares < 1)).any(), "a random walk finds the stairs of a small room sometimes"
    assert columns["episode/masked"][-1] > 0
    paid, task = columns["rollout/shaped_return_mean"][-1], columns["reward/task"][-1]
    critics = columns["reward/events"][-1] + columns["reward/count"][-1]
    assert task < paid < task + critics
    for picture in ("rewards.png", "outcome.png"):
        width, height = Image.open(tmp_path / "run" / "plots" / picture).size
        assert width > 600
        assert height > 300


def test_a_gate_over_existing_terms_trains_on_real_rocket(tmp_path: Path) -> None:
    """Driving well counts for those that touched the ball."""
    gated = gates("[[task,events],[kinesthetic*]]", "[1]", low_cap="5")
    assert main([*ROCKET, *gated, *QUIET, f"run_dir={tmp_path / 'run'}", "total_timesteps=768"]) == 0
    columns = read_progress(tmp_path / "run")
    assert 0 <= columns["episode/gate_1_open"][-1] < 1
    assert abs(columns["episode/masked"][-1]) > 0


def test_an_environment_of_ones_own_tells_channels_and_named_rates(tmp_path: Path) -> None:
    run = tmp_path / "run"
    gated = gates("[[task],[channels/moved],['*']]", "[0.5,1]", gate_op="'>'")
    settings = ["shaping.terms.channels.channels={moved:3}", "total_timesteps=256", "evaluate_episodes=4", "gif=false"]
    assert main([*OWN, *gated, "tracking=none", *settings, f"run_dir={run}"]) == 0
    columns = read_progress(run)
    assert {"reward/channels/moved", "stats/completion_rate", "stats/resolve_rate"} <= set(columns)
    assert {"episode/gate_1_open", "episode/gate_2_open", "episode/outcome", "episode/masked"} <= set(columns)
    assert columns["stats/completion_rate"][-1] == pytest.approx(columns["reward/task"][-1])
    evaluation = json.loads((run / "evaluation.json").read_text())
    assert set(evaluation["stats"]) == {"completion_rate", "resolve_rate"}
    assert "completion_rate" in describe(evaluation)
    assert json.loads((run / "summary.json").read_text())["stats_completion_rate"] == pytest.approx(
        columns["stats/completion_rate"][-1], abs=1e-3
    )


def test_what_no_environment_reports_is_refused(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert envs.describe("CartPole-v1").reports == frozenset()
    refused = ["env=classic/cartpole", "shaping=channels", "env.channels=[right]", f"run_dir={tmp_path / 'run'}"]
    assert main([*refused, *QUIET]) == 2
    assert "CartPole-v1 reports nothing" in capfd.readouterr().err


def test_a_run_with_attributed_progress_goes_on_from_its_checkpoint_to_the_same_rows(tmp_path: Path) -> None:
    """One run, stopped half-way as a kill leaves it, against a copy that is gone on with."""
    whole, half = tmp_path / "whole", tmp_path / "half"
    progress = [
        "shaping.episode.name=step_progress",
        "shaping.episode.arguments={network:gru,warm_up:4,hidden:16,updates:2}",
    ]
    settings = [*OWN, *progress, *QUIET, "checkpoint_every=128"]
    assert main([*settings, f"run_dir={half}", "total_timesteps=256"]) == 0
    shutil.copytree(half, whole)
    for run in (half, whole):
        assert main([f"resume={run}", "total_timesteps=512"]) == 0
    first, second = read_progress(half), read_progress(whole)
    for name in ("episode/loss", "episode/attributed", "rollout/shaped_return_mean"):
        np.testing.assert_array_equal(first[name], second[name])
    assert first["episode/attributed"][-1] > 0.5
    checkpoint = latest_checkpoint(half / "checkpoints")
    assert checkpoint is not None
    assert checkpoint.steps == 512
