"""The command that makes, counts and shows tasks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from envs.swe.tasks.outcomes import OutcomeTable
from envs.swe.tasks.task_set import TaskSet
from scripts import make_tasks


def test_tasks_are_made_counted_shown_and_tabled(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = ["packages=prose,stores", "techniques=change_operator,remove_if", "count=6", "workers=1"]
    make_tasks.main([*recipe, f"out={tmp_path}", "table=true", "candidates=3"])
    said = capsys.readouterr().out
    assert "| technique | valid | equivalent | timeout | no pass |" in said
    assert "| all |" in said
    [path] = tmp_path.glob("*.jsonl.gz")
    tasks = TaskSet.load(path)
    assert len(tasks) == 6
    assert str(path) in said
    table = OutcomeTable.load(next(tmp_path.glob("*.npz")))
    assert 6 < len(table) <= 6 * (2 * 3 + 1)
    make_tasks.main([str(path)])
    assert str(path) in capsys.readouterr().out
    make_tasks.main([str(path), "show=first"])
    shown = capsys.readouterr().out
    assert tasks.tasks[0].statement in shown
    assert "+++ b/" in shown
    with pytest.raises(ValueError, match="no task 'nothing'"):
        make_tasks.main([str(path), "show=nothing"])


def test_instances_become_a_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    row = {"instance_id": "o__n-1", "repo": "o/n", "patch": "", "FAIL_TO_PASS": ["a"], "PASS_TO_PASS": "[]"}
    (tmp_path / "rows.jsonl").write_text(json.dumps(row) + "\n")
    make_tasks.main([str(tmp_path / "rows.jsonl"), f"out={tmp_path / 'set'}"])
    assert "| o/n | 1 | 1 | 1 |" in capsys.readouterr().out
    [path] = (tmp_path / "set").iterdir()
    assert TaskSet.load(path).tasks[0].id == "o__n-1"
    with pytest.raises(ValueError, match="is for tasks of the corpus alone"):
        make_tasks.main([str(path), "table=true"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["packages=clok"], "Did you mean clock"),
        (["techniques=invert"], "no technique 'invert'"),
        (["cout=3"], "no option 'cout'"),
        (["candidates=0"], "candidates=0"),
        (["a.jsonl", "b.jsonl"], "expected one file"),
        (["split_by=mutant"], "expected one of repository, function"),
    ],
)
def test_what_cannot_work_is_said_before_anything_is_made(words: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_tasks.main(words)


def test_a_file_that_is_not_there_is_said() -> None:
    with pytest.raises(FileNotFoundError):
        make_tasks.main(["nowhere.jsonl"])
