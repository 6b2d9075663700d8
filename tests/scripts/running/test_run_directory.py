"""What is written in a run directory is whole or not there, and nobody shares one."""

from __future__ import annotations

import errno
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from scripts.running import run_directory
from scripts.running.checkpoints import latest_checkpoint, write_checkpoint
from scripts.running.progress_csv import ALWAYS, STEPS, ProgressCsv, read_rows
from scripts.running.run_directory import RunDirectory, RunDirectoryError, load_run, newest_checkpoint


def write(folder: Path, steps: int, text: str = "weights") -> Path:
    def files(unfinished: Path) -> None:
        (unfinished / "agent.zip").write_text(text)

    return write_checkpoint(folder, steps, files).path


def newest(folder: Path) -> int | None:
    checkpoint = latest_checkpoint(folder)
    return None if checkpoint is None else checkpoint.steps


def test_the_newest_two_checkpoints_stay(tmp_path: Path) -> None:
    for steps in (1, 2, 30):
        write(tmp_path, steps)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step_000000000002", "step_000000000030"]
    assert newest(tmp_path) == 30


def test_a_checkpoint_under_its_dotted_name_is_not_seen(tmp_path: Path) -> None:
    write(tmp_path, 1)
    shutil.copytree(tmp_path / "step_000000000001", tmp_path / ".step_000000000002.123")
    assert newest(tmp_path) == 1


@pytest.mark.parametrize("damage", ["cut", "changed", "missing", "no manifest", "half a manifest"])
def test_a_damaged_checkpoint_is_passed_over_with_a_warning(tmp_path: Path, damage: str) -> None:
    write(tmp_path, 1)
    broken = write(tmp_path, 2)
    agent, manifest = broken / "agent.zip", broken / "manifest.json"
    if damage == "cut":
        agent.write_text("wei")
    elif damage == "changed":
        agent.write_text("weighty")
    elif damage == "missing":
        agent.unlink()
    elif damage == "no manifest":
        manifest.unlink()
    else:
        manifest.write_text(manifest.read_text()[:20])
    with pytest.warns(UserWarning, match="damaged"):
        assert newest(tmp_path) == 1


@pytest.mark.parametrize("version", [0, 3, "1", None])
def test_a_checkpoint_of_another_format_is_refused(tmp_path: Path, version: int) -> None:
    manifest = write(tmp_path / "checkpoints", 1) / "manifest.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "format": version}))
    with pytest.raises(RunDirectoryError, match=f"format {version}"):
        newest_checkpoint(tmp_path)


def test_a_failed_write_leaves_earlier_checkpoints_and_no_rubbish(tmp_path: Path) -> None:
    write(tmp_path, 1)

    def full(folder: Path) -> None:
        (folder / "agent.zip").write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        write_checkpoint(tmp_path, 2, full)
    assert [path.name for path in tmp_path.iterdir()] == ["step_000000000001"]
    assert newest(tmp_path) == 1


def test_two_processes_cannot_share_a_run_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_directory, "_LOCK_PATIENCE", 0.0)
    first = RunDirectory.create(tmp_path / "run")
    with pytest.raises(RunDirectoryError, match="two runs cannot share"):
        RunDirectory.create(tmp_path / "run")
    first.close()
    RunDirectory.create(tmp_path / "run").close()


def test_a_directory_that_holds_a_run_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("seed: 1\n")
    with pytest.raises(RunDirectoryError, match="resume="):
        RunDirectory.create(tmp_path)


@pytest.mark.parametrize("path", ["/proc/run", "/dev/null/run", "x" * 300])
def test_an_unwritable_place_is_said_before_training(path: str) -> None:
    with pytest.raises(RunDirectoryError, match=r"cannot be( written| made|: File name too long)"):
        RunDirectory.create(Path(path))


def test_a_full_disk_is_said_before_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Usage:
        free = 1000

    monkeypatch.setattr(run_directory.shutil, "disk_usage", lambda _path: Usage)
    with pytest.raises(RunDirectoryError, match="MiB are free"):
        RunDirectory.create(tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_what_is_no_run_directory_is_said(tmp_path: Path) -> None:
    with pytest.raises(RunDirectoryError, match="no run directory"):
        load_run(tmp_path)
    with pytest.raises(RunDirectoryError, match="no run directory"):
        RunDirectory.open(tmp_path)


def row(progress: ProgressCsv, **values: Any) -> None:
    values = {STEPS: values.pop("steps"), **values}
    progress.write(values, dict.fromkeys(values, ()))


def steps_of(path: Path) -> list[int]:
    return [int(row[STEPS]) for row in read_rows(path)[1]]


def test_a_new_metric_becomes_a_column_of_the_rows_before_too(tmp_path: Path) -> None:
    progress = ProgressCsv(tmp_path / "progress.csv")
    row(progress, steps=1, a=1.5)
    row(progress, steps=2, a=2.5, b=3)
    columns, rows = read_rows(tmp_path / "progress.csv")
    assert columns == [*ALWAYS, "a", "b"]
    assert [entry["b"] for entry in rows] == ["", "3"]


def test_resume_drops_rows_after_the_checkpoint_and_a_half_written_one(tmp_path: Path) -> None:
    path = tmp_path / "progress.csv"
    progress = ProgressCsv(path)
    for steps in (10, 20, 30):
        row(progress, steps=steps, a=0)
    with path.open("a") as file:
        file.write("4")  # killed here
    progress = ProgressCsv(path, 20)
    row(progress, steps=30, a=1)
    assert steps_of(path) == [10, 20, 30]
    assert [entry["a"] for entry in read_rows(path)[1]] == ["0", "0", "1"]
