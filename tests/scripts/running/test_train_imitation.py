"""gail_td3 and gail_sac in whole runs: trained, resumed, evaluated, refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scripts.demonstrations.playing import play_expert
from scripts.evaluate import main as evaluate
from scripts.results.curves import read_progress
from scripts.train import main

SMALL = [
    "env=classic/point_mass", "tracking=none", "evaluate_episodes=0", "gif=false", "agent.net_arch=[8]",
    "agent.learning_starts=40", "agent.batch_size=16", "agent.d_batch_size=8", "agent.buffer_size=500",
    "agent.subsample=10", "agent.log_every=60", "agent.diagnose_every=20",
]  # fmt: skip


@pytest.fixture
def expert(tmp_path: Path) -> str:
    play_expert("brake", "PointMass-v0", {}, 4, n_envs=4, seed=0).save(tmp_path / "expert.npz")
    return f"agent.demonstrations={tmp_path / 'expert.npz'}"


@pytest.mark.parametrize("name", ["gail_td3", "gail_sac"])
def test_a_run_learns_resumes_and_is_evaluated_without_the_given_file(tmp_path: Path, expert: str, name: str) -> None:
    run = tmp_path / "run"
    assert main([*SMALL, "shaping=none", f"agent={name}", expert, f"run_dir={run}", "total_timesteps=120"]) == 0
    (tmp_path / "expert.npz").unlink()
    assert main([f"resume={run}", "total_timesteps=240"]) == 0
    columns = read_progress(run)
    assert columns["time/total_timesteps"][-1] == 240
    assert 0 < columns["train/d_agent"][-1] < columns["train/d_expert"][-1] < 1
    assert columns["train/q_slope"][-1] > 0
    evaluate([str(run), "episodes=1"])
    assert json.loads((run / "evaluation.json").read_text())


def test_runs_that_cannot_imitate_are_refused_with_what_to_do(
    tmp_path: Path, expert: str, capfd: pytest.CaptureFixture[str]
) -> None:
    for words, reason in (
        ([*SMALL, "shaping=none", "agent=gail_td3"], "record_demonstrations"),
        ([*SMALL, "shaping=count", "agent=gail_td3", expert], "shaping=none"),
        (["env=classic/cartpole", "shaping=none", "agent=gail_sac", expert], "shaping=gail with agent=ppo"),
    ):
        assert main([*words, f"run_dir={tmp_path / 'run'}"]) == 2
        assert reason in capfd.readouterr().err
