"""A folder dropped into agents/ is an agent: trained, killed, resumed, evaluated, compared, listed.

The agent is a population that scores its candidates itself and keeps an archive in its own file.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from scripts.running.checkpoints import latest_checkpoint
from scripts.running.progress_csv import STEPS, read_rows

REPOSITORY = Path(__file__).parents[2]
DROPPED = Path(__file__).with_name("dropped")
# As if the folder lay in agents/: a package is searched wherever its __path__ says.
COMMAND = """import sys, agents
agents.__path__.append({folder!r})
from scripts.{script} import main
sys.exit(main(sys.argv[1:]))"""
SETTINGS = ["env=classic/cartpole", "shaping=count", "shaping.terms.count.weight=0.01", "agent=random_search"]


def command(script: str) -> list[str]:
    return [sys.executable, "-c", COMMAND.format(folder=str(DROPPED), script=script)]


def run(script: str, *arguments: str, code: int = 0) -> str:
    done = subprocess.run(
        [*command(script), *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=200,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def archive(run_dir: Path) -> np.ndarray:
    checkpoint = latest_checkpoint(run_dir / "checkpoints")
    assert checkpoint is not None
    with np.load(checkpoint.path / "archive.npz") as content:
        return content["scores"]


def test_a_dropped_agent_is_trained_killed_resumed_evaluated_and_compared(tmp_path: Path) -> None:
    place = tmp_path / "searched"
    arguments = [*SETTINGS, "n_envs=4", "tracking=none", "evaluate_episodes=0", "checkpoint_every=500", "agent.kept=4"]
    process = subprocess.Popen(
        [*command("train"), *arguments, f"run_dir={place}", "total_timesteps=100000000"],
        cwd=REPOSITORY,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
    )
    give_up = time.monotonic() + 120
    while len(list((place / "checkpoints").glob("step_*"))) < 2 and time.monotonic() < give_up:
        assert process.poll() is None
        time.sleep(0.2)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before, checkpoint = archive(place), latest_checkpoint(place / "checkpoints")
    assert checkpoint is not None

    total = checkpoint.steps + 3000
    run("train", f"resume={place}", f"total_timesteps={total}")
    steps = [int(row[STEPS]) for row in read_rows(place / "progress.csv")[1]]
    assert steps == sorted(set(steps))
    assert steps[-1] >= total
    after = archive(place)
    assert len(after) == 4
    assert after[0] >= before[0]  # the archive went on from where it was
    row = read_rows(place / "progress.csv")[1][-1]
    assert float(row["train/best_score"]) == pytest.approx(after[0])
    assert float(row["reward/count"]) > 0

    output = run("evaluate", str(place), "episodes=4", "gif=false")
    assert "4 episodes on evaluation seeds" in output
    assert json.loads((place / "evaluation.json").read_text())["return_mean"] > 20  # chance ends at about 20
    assert "count" in run("compare", str(place), f"out={tmp_path / 'compared'}")


def test_a_dropped_agent_is_listed_and_its_settings_are_checked() -> None:
    output = run("train", "--help")
    assert "random_search" in output
    assert "Random search over linear policies, with an archive of the best." in output
    assert "Did you mean sigma" in run("train", *SETTINGS, "agent.sgima=1", code=2)
    assert "agent.sigma=-1.0: expected a number above 0" in run("train", *SETTINGS, "agent.sigma=-1", code=2)
    assert "Did you mean random_search" in run("train", "agent=random_searc", code=2)
