"""The learned combiner in whole runs: columns, resume, what it cannot work with."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from scripts.results.curves import read_progress
from scripts.train import main

QUIET = ["tracking=none", "evaluate_episodes=0", "torch_threads=1", "gif=false"]
LEARNED = "shaping.combiner.name=behaviour_alignment"
ROOM = ["env=minihack/room_5x5", "shaping=[events,count]", "n_envs=4", "agent.n_steps=32"]
SQUARE = ["env=classic/sparse_square", "shaping=channels", "n_envs=8", "agent.n_steps=64"]
FEW_EPOCHS = ["agent.batch_size=64", "agent.n_epochs=2"]


@pytest.mark.parametrize("heads", ["scalar", "state"])
def test_a_run_tells_factors_and_a_resumed_one_goes_on_with_what_was_learned(tmp_path: Path, heads: str) -> None:
    learned = [LEARNED, f"shaping.combiner.arguments.heads={heads}", "checkpoint_every=128"]
    whole, parted = tmp_path / "whole", tmp_path / "parted"
    line = [*SQUARE, *FEW_EPOCHS, *QUIET, *learned, "env.kwargs.heuristic=bad"]
    assert main([*line, f"run_dir={whole}", "total_timesteps=2048"]) == 0
    assert main([*line, f"run_dir={parted}", "total_timesteps=1024"]) == 0
    assert main([f"resume={parted}", "total_timesteps=2048"]) == 0
    column = "combiner/factor_channels/heuristic"
    factors = read_progress(whole)[column]
    assert np.isfinite(factors).all()
    assert (factors != factors[0]).any()
    resumed = read_progress(parted)[column]
    np.testing.assert_array_equal(resumed[:2], factors[:2])
    assert abs(resumed[2] - factors[1]) <= 0.5 + 1e-6  # other episodes follow, but from where it stood
    remarks = json.loads((whole / "summary.json").read_text()).get("remarks", {})
    assert ("combiner" in remarks) == (heads == "scalar")


@pytest.mark.parametrize("agent", ["ppo", "a2c"])
def test_any_terms_of_a_real_game_are_weighed(tmp_path: Path, agent: str) -> None:
    few = FEW_EPOCHS if agent == "ppo" else []
    line = [*ROOM, *few, *QUIET, LEARNED, f"agent={agent}", f"run_dir={tmp_path / 'run'}", "total_timesteps=512"]
    assert main(line) == 0
    progress = read_progress(tmp_path / "run")
    assert np.isfinite(progress["combiner/factor_events"]).all()
    assert np.isfinite(progress["combiner/factor_count"]).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["agent=recurrent_ppo"], "must know how the agent acts, and RecurrentPPO cannot say"),
        (["agent=dqn"], "policy gradient over a rollout"),
        (["shaping=none"], "there is no term"),
        (["shaping.combiner.arguments.heads=both"], "heads='both'"),
    ],
)
def test_what_it_cannot_work_with_is_refused_before_training(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], settings: list[str], message: str
) -> None:
    run = tmp_path / "run"
    line = ["env=minihack/room_5x5", "shaping=[events,count]", "n_envs=4", *QUIET, LEARNED, *settings]
    assert main([*line, f"run_dir={run}", "total_timesteps=256"]) == 2
    assert message in capfd.readouterr().err
