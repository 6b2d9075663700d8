"""Cloning by the command line: a run that was cut off ends with the very same weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from scripts.demonstrations.playing import play_expert
from scripts.running.run_directory import load_run
from scripts.train import main


def test_a_cloning_run_that_was_resumed_is_the_run_that_was_not(tmp_path: Path) -> None:
    file = tmp_path / "pole.npz"
    play_expert("", "CartPole-v1", {"max_episode_steps": 60}, 10, n_envs=5, seed=0).save(file)
    words = ["env=classic/cartpole", "agent=bc", f"agent.demonstrations=[{file}]", "agent.n_steps=16", "n_envs=4"]
    words += ["agent.updates=20", "agent.patience=50", "shaping=none", "tracking=none", "evaluate_episodes=0"]
    main([*words, f"run_dir={tmp_path / 'whole'}", "total_timesteps=256"])
    main([*words, f"run_dir={tmp_path / 'cut'}", "total_timesteps=128"])
    main([f"resume={tmp_path / 'cut'}", "total_timesteps=256"])
    whole, cut = (load_run(tmp_path / name).load_agent() for name in ("whole", "cut"))
    assert whole.num_timesteps == cut.num_timesteps == 256
    for name, weight in whole.policy.state_dict().items():
        assert torch.equal(weight, cut.policy.state_dict()[name]), name


def test_a_run_without_demonstrations_is_refused_before_it_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["env=classic/cartpole", "agent=bc", "shaping=none", "tracking=none", f"run_dir={tmp_path / 'none'}"]
    assert main(words) == 2
    assert "give agent.demonstrations=FILE.npz" in capsys.readouterr().err
    assert not (tmp_path / "none" / "checkpoints").exists()
