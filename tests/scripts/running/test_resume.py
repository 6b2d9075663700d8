"""A run that is killed at any moment goes on as if nothing had happened."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from foundation.plain_state import read_state
from scripts.running.checkpoints import latest_checkpoint
from scripts.running.progress_csv import STEPS, read_rows
from scripts.train import main

REPOSITORY = Path(__file__).parents[3]
TOTAL, ROLLOUT = 12_800, 64
SETTINGS = ["env=classic/cartpole", "shaping=count", "n_envs=2", "agent.n_steps=32", "agent.batch_size=32"]
QUIET = ["tracking=none", "evaluate_episodes=0"]


def launch(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "scripts.train", *arguments],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def steps_of(run: Path) -> list[int]:
    return [int(row[STEPS]) for row in read_rows(run / "progress.csv")[1]]


def last_step(run: Path) -> int:
    return steps_of(run)[-1] if (run / "progress.csv").exists() and steps_of(run) else 0


def summary(run: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((run / "summary.json").read_text())
    return content


def test_kill_9_at_any_moment_and_resume_give_an_unbroken_run(tmp_path: Path) -> None:
    run, chance = tmp_path / "run", random.Random(4)
    arguments = [*SETTINGS, *QUIET, f"run_dir={run}", f"total_timesteps={TOTAL}", "checkpoint_every=320"]
    for _ in range(3):
        process = launch(*arguments)
        before, until = last_step(run), time.monotonic() + 60
        while last_step(run) <= before:  # at least a row further than the last time
            assert process.poll() is None, process.communicate()[0]
            assert time.monotonic() < until
            time.sleep(0.01)
        time.sleep(chance.uniform(0.0, 0.4))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        arguments = [f"resume={run}"]
    process = launch(*arguments)
    output = process.communicate(timeout=120)[0]
    assert process.returncode == 0, output
    assert steps_of(run) == list(range(ROLLOUT, TOTAL + 1, ROLLOUT))
    seconds = [float(row["time/time_elapsed"]) for row in read_rows(run / "progress.csv")[1]]
    assert seconds == sorted(seconds)
    assert summary(run)["status"] == "finished"
    assert summary(run)["steps"] == TOTAL
    checkpoint = latest_checkpoint(run / "checkpoints")
    assert checkpoint is not None
    assert checkpoint.steps == TOTAL
    assert not [path for path in (run / "checkpoints").iterdir() if path.name.startswith(".")]


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    run = tmp_path / "run"
    assert main([*SETTINGS, *QUIET, f"run_dir={run}", "total_timesteps=640", "checkpoint_every=128"]) == 0
    return run


def test_more_steps_may_be_asked_for_and_everything_goes_on_from_where_it_was(finished: Path) -> None:
    checkpoint = latest_checkpoint(finished / "checkpoints")
    assert checkpoint is not None
    before = read_state(checkpoint.state_file)
    assert main([f"resume={finished}", "total_timesteps=1280"]) == 0
    assert steps_of(finished) == list(range(64, 1281, 64))
    assert yaml.safe_load((finished / "config.yaml").read_text())["total_timesteps"] == 1280
    checkpoint = latest_checkpoint(finished / "checkpoints")
    assert checkpoint is not None
    after = read_state(checkpoint.state_file)
    assert after["seconds"] > before["seconds"]
    assert before["shaping"]["steps"] == 640
    assert after["shaping"]["steps"] == 1280
    updates = [float(row["train/n_updates"]) for row in read_rows(finished / "progress.csv")[1][1:]]
    assert updates == [4.0 * update for update in range(1, 20)]  # the resumed row has the update before it, too


def test_a_finished_run_resumed_stays_as_it_is(finished: Path) -> None:
    rows = steps_of(finished)
    assert main([f"resume={finished}"]) == 0
    assert steps_of(finished) == rows
    assert summary(finished)["status"] == "finished"


def test_a_run_cannot_be_resumed_to_fewer_steps_than_it_has(finished: Path, capfd: pytest.CaptureFixture[str]) -> None:
    rows = steps_of(finished)
    assert main([f"resume={finished}", f"total_timesteps={rows[-1] - 1}"]) == 2
    assert f"has {rows[-1]} steps already" in capfd.readouterr().err
    assert steps_of(finished) == rows


def test_a_damaged_newest_checkpoint_costs_only_the_steps_after_the_one_before(finished: Path) -> None:
    checkpoint = latest_checkpoint(finished / "checkpoints")
    assert checkpoint is not None
    with (checkpoint.path / "agent.zip").open("r+b") as file:
        file.truncate(100)
    with pytest.warns(UserWarning, match="damaged"):
        assert main([f"resume={finished}"]) == 0
    assert steps_of(finished) == list(range(64, 641, 64))


def test_an_off_policy_agent_goes_on_with_its_replay_buffer(tmp_path: Path) -> None:
    run = tmp_path / "run"
    settings = ["agent=dqn", "agent.learning_starts=100", "agent.buffer_size=1000", "agent.log_every=100"]
    arguments = ["env=classic/cartpole", "shaping=none", "n_envs=2", *settings, *QUIET, f"run_dir={run}"]
    assert main([*arguments, "total_timesteps=400"]) == 0
    checkpoint = latest_checkpoint(run / "checkpoints")
    assert checkpoint is not None
    replay = read_state(checkpoint.path / "replay.pt")
    assert replay["pos"] == 200  # two environments a row
    assert main([f"resume={run}", "total_timesteps=800"]) == 0
    steps = steps_of(run)
    assert steps == sorted(set(steps))
    checkpoint = latest_checkpoint(run / "checkpoints")
    assert checkpoint is not None
    again = read_state(checkpoint.path / "replay.pt")
    assert again["pos"] == 400
    assert (again["arrays"]["actions"][:200] == replay["arrays"]["actions"][:200]).all()


def test_a_run_that_was_killed_before_its_first_checkpoint_starts_at_step_0(
    finished: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    rows = (finished / "progress.csv").read_text()
    shutil.rmtree(finished / "checkpoints")
    assert main([f"resume={finished}"]) == 0
    assert "stopped before its first checkpoint: it starts at step 0" in capfd.readouterr().out
    assert steps_of(finished) == list(range(64, 641, 64))
    columns = [column for column in rows.splitlines()[0].split(",") if not column.startswith("time/")]
    assert columns == [c for c in read_rows(finished / "progress.csv")[0] if not c.startswith("time/")]


def test_a_run_whose_every_checkpoint_is_damaged_does_not_start_anew_unasked(
    finished: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    rows = steps_of(finished)
    for manifest in finished.glob("checkpoints/*/manifest.json"):
        manifest.write_text("{")
    with pytest.warns(UserWarning, match="damaged"):
        assert main([f"resume={finished}"]) == 2
    assert "no whole checkpoint" in capfd.readouterr().err
    assert steps_of(finished) == rows


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (["agent.learning_rate_schedule=linear"], "agent.learning_rate go over total_timesteps"),
        ([], None),
    ],
)
def test_a_longer_run_says_which_settings_change_their_course(
    settings: list[str], says: str | None, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    assert main([*SETTINGS, *QUIET, *settings, f"run_dir={run}", "total_timesteps=64"]) == 0
    capfd.readouterr()
    assert main([f"resume={run}", "total_timesteps=128"]) == 0
    said = capfd.readouterr().out
    assert ("go over total_timesteps" in said) == (says is not None)
    assert says is None or f"{says}: from here as at step 64 of 128, not of 64" in said


def test_resume_of_an_older_checkpoint_format_is_refused(finished: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for manifest in finished.glob("checkpoints/*/manifest.json"):
        manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "format": 0}))
    assert main([f"resume={finished}"]) == 2
    assert "older version" in capfd.readouterr().err


def test_resume_of_no_run_is_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main([f"resume={tmp_path}"]) == 2
    assert "no run directory" in capfd.readouterr().err
