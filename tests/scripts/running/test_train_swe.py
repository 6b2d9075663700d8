"""Training on software-engineering tasks: over the table, and where an Engine dies."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from envs.swe.sandbox.engine import LocalEngine, unavailable
from scripts.train import main
from tests.envs.swe.tools.conftest import tasks_file  # noqa: F401  (a fixture)

QUIET = ["tracking=none", "evaluate_episodes=0", "torch_threads=1"]
SWE = ["env=swe/tools", "agent=maskable_ppo", "shaping=channels", "n_envs=4", "agent.n_steps=32", "agent.batch_size=64"]


@pytest.mark.parametrize("accumulation", ["direct", "gated", "outcome_only", "potential", "step_progress"])
def test_a_run_tells_its_channels_its_rates_and_what_the_gates_did(tmp_path, tasks_file, accumulation):  # noqa: F811
    run = tmp_path / "run"
    line = [*SWE, *QUIET, f"env.kwargs.tasks={tasks_file}", f"shaping.episode.name={accumulation}", f"run_dir={run}"]
    assert main([*line, "total_timesteps=512"]) == 0
    with (run / "progress.csv").open() as file:
        row = list(csv.DictReader(file))[-1]
    assert float(row["reward/channels/format"]) > 0
    assert 0 <= float(row["stats/resolve_rate"]) <= float(row["stats/completion_rate"]) <= 1
    assert row["episode/outcome"]
    summary = json.loads((run / "summary.json").read_text())
    assert 0 <= summary["stats_modification_rate"] <= summary["stats_completion_rate"]


def test_an_engine_that_dies_ends_the_run_with_what_to_do_and_a_checkpoint(tmp_path, tasks_file):  # noqa: F811
    if reason := unavailable():
        pytest.skip(f"no Docker Engine can be started: {reason}")
    run = tmp_path / "run"
    line = [*SWE, *QUIET, f"env.kwargs.tasks={tasks_file}", "env.kwargs.sandbox=docker", f"run_dir={run}"]
    with LocalEngine() as engine:
        training = subprocess.Popen(
            [sys.executable, "-m", "scripts.train", *line, "total_timesteps=100000", "checkpoint_every=128"],
            env={**os.environ, "DOCKER_HOST": engine.host},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        end = time.monotonic() + 120
        while not list(run.glob("checkpoints/step_*")) and training.poll() is None and time.monotonic() < end:
            time.sleep(0.2)
    told, _ = training.communicate(timeout=180)
    assert training.returncode == 1, told[-2000:]
    assert "no sandbox for 20 trees in a row" in told
    assert "resume the run from its newest checkpoint" in told
    assert list(run.glob("checkpoints/step_*"))
    assert not [entry for entry in Path("/proc").glob("[0-9]*") if _lives_in(entry, engine.folder)]


def _lives_in(process: Path, folder: Path) -> bool:
    """Is it a process of a container of the Engine that had this folder?"""
    try:
        return any(f"upperdir={folder}" in line for line in (process / "mountinfo").read_text().splitlines())
    except OSError:
        return False
