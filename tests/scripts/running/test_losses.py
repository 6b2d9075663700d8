"""What a disk cannot take is said, goes on, and makes the exit code; rows and checkpoints agree."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scripts.running.losses import Losses
from scripts.running.progress_csv import STEPS, ProgressCsv, read_rows
from scripts.running.tracking import ResumedTensorBoard
from scripts.running.training import Training
from scripts.train import main
from tests.scripts.running.test_run_directory import row, steps_of
from tests.scripts.running.test_training import QUIET, REPOSITORY, SMALL, newest, summary, train

FULL = OSError(errno.ENOSPC, "No space left on device")


def raises(*_: Any, **__: Any) -> None:
    raise FULL


def test_a_failure_is_said_once_and_forgotten_when_a_later_write_succeeds(capsys: pytest.CaptureFixture[str]) -> None:
    losses = Losses()
    assert not losses.attempt("checkpoint", raises)
    assert not losses.attempt("checkpoint", raises)
    assert losses.told() == "checkpoint ([Errno 28] No space left on device)"
    assert capsys.readouterr().out.count("No space left") == 1
    assert losses.attempt("checkpoint", lambda: None)
    assert not losses.lost


def test_a_program_error_is_no_full_disk() -> None:
    with pytest.raises(ZeroDivisionError):
        Losses().attempt("checkpoint", lambda: 1 // 0)


def limited() -> None:
    """No file may grow beyond 16 KiB: a checkpoint does, the rows do not."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**14, 2**14))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)


def test_a_run_whose_checkpoints_the_disk_does_not_take_ends_with_code_1_and_says_so(tmp_path: Path) -> None:
    run = tmp_path / "run"
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "scripts.train",
            *SMALL,
            *QUIET,
            "shaping=none",
            f"run_dir={run}",
            "total_timesteps=256",
        ],
        cwd=REPOSITORY,
        preexec_fn=limited,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "every step was trained, but not everything was written: checkpoint (" in done.stdout
    assert f"resume={run}" in done.stdout
    assert done.stdout.count("WARNING: checkpoint") == 1
    assert summary(run)["status"] == "finished"
    assert "checkpoint" in summary(run)["error"]
    assert steps_of(run / "progress.csv") == [64, 128, 192, 256]
    assert list((run / "checkpoints").iterdir()) == []


def test_the_summary_counts_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("scripts.running.run_directory.RunDirectory.write_summary", raises)
    assert train(tmp_path / "run", "shaping=none", "total_timesteps=64") == 1
    assert "not everything was written: summary.json" in capfd.readouterr().out


def test_tensorboard_that_cannot_write_ends_and_training_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("torch.utils.tensorboard.SummaryWriter.flush", raises)
    run = tmp_path / "run"
    assert train(run, "shaping=none", "total_timesteps=192", "tracking=tensorboard") == 1
    said = capfd.readouterr().out
    assert said.count("WARNING: tensorboard") == 1
    assert "not everything was written: tensorboard" in said
    assert newest(run) == 192
    assert steps_of(run / "progress.csv") == [64, 128, 192]


def test_a_closed_tensorboard_is_not_written_to(tmp_path: Path) -> None:
    losses = Losses()
    writer = ResumedTensorBoard(tmp_path, losses)
    writer.close()
    writer.write({"a": 1.0}, {"a": ()}, 1)
    writer.close()
    assert not losses.lost


# progress.csv -------------------------------------------------------------------------------------


def test_rows_that_wait_are_in_the_checkpoints_state_and_come_back_after_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "progress.csv"
    progress = ProgressCsv(path)
    row(progress, steps=10, a=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(progress, "_append", raises)
        row(progress, steps=20, a=2)
        progress.sync()
        state = progress.state_dict()
    assert state == {"rows": 2, "waiting": [{STEPS: "20", "a": "2"}]}
    assert steps_of(path) == [10]  # killed here
    resumed = ProgressCsv(path, 20, state=state)
    row(resumed, steps=30, a=3)
    assert [(entry[STEPS], entry["a"]) for entry in read_rows(path)[1]] == [("10", "1"), ("20", "2"), ("30", "3")]


def test_a_row_that_waited_and_was_written_after_the_checkpoint_is_there_once(tmp_path: Path) -> None:
    path = tmp_path / "progress.csv"
    progress = ProgressCsv(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(progress, "_rewrite", raises)
        row(progress, steps=10, a=1)
        state = progress.state_dict()
    row(progress, steps=20, a=2)
    ProgressCsv(path, 10, state=state)
    assert steps_of(path) == [10]


def test_rows_that_nobody_has_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "progress.csv"
    row(ProgressCsv(path), steps=10)
    ProgressCsv(path, 30, state={"rows": 3, "waiting": []})
    assert f"2 rows up to step 30 are missing in {path}" in capsys.readouterr().out


def test_every_row_is_on_the_disk_before_the_checkpoint_that_counts_on_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    sync, save = ProgressCsv.sync, Training.state_dict

    def noted_sync(progress: ProgressCsv) -> None:
        order.append("rows")
        sync(progress)

    def noted_save(training: Training) -> Any:
        order.append("checkpoint")
        return save(training)

    monkeypatch.setattr(ProgressCsv, "sync", noted_sync)
    monkeypatch.setattr(Training, "state_dict", noted_save)
    assert train(tmp_path / "run", "shaping=none", "total_timesteps=128", "checkpoint_every=64") == 0
    assert order == ["rows", "checkpoint"] * (len(order) // 2)
    assert len(order) >= 4


@pytest.mark.parametrize("damage", ["cells", "step", "bytes", "header"])
def test_a_damaged_progress_csv_is_put_aside_and_its_whole_rows_go_on(
    tmp_path: Path, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "progress.csv"
    progress = ProgressCsv(path)
    for steps in (10, 20, 30):
        row(progress, steps=steps, a=0)
    lines = path.read_bytes().splitlines(keepends=True)
    lines[0 if damage == "header" else 2] = {
        "cells": b"20,0,5,7\n",
        "step": b"twenty,0\n",
        "bytes": b"\xff\xfe\x00,\x00\n",
        "header": b"\xff\xff\n",
    }[damage]
    path.write_bytes(b"".join(lines))
    resumed = ProgressCsv(path, 30)
    row(resumed, steps=40, a=1)
    assert steps_of(path) == ([40] if damage == "header" else [10, 30, 40])
    assert (tmp_path / "progress.damaged.csv").read_bytes() == b"".join(lines)
    assert "progress.csv is damaged" in capsys.readouterr().out


def test_a_run_with_a_damaged_progress_csv_goes_on(tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert train(run, "shaping=none", "total_timesteps=128") == 0
    (run / "progress.csv").write_bytes(b"\x00\xff" * 40 + b"\n\n")
    assert main([f"resume={run}", "total_timesteps=192"]) == 0
    assert steps_of(run / "progress.csv") == [192]
