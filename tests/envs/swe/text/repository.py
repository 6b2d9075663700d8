"""A small repository with a bug, whose hidden cases carry marks that can be looked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from envs.swe.tasks.task import Bug, Case, Cases, Task
from envs.swe.tasks.task_set import TaskSet
from envs.swe.text.desk import Desk
from envs.swe.text.shell import Shell
from envs.swe.text.workspace import begun
from tests.envs.swe.grading.calculator import TESTED

BUG = """def add(a, b):
    return a - b


def twice(a):
    if a > 1 and a < 5:
        return a * 2 - 1
    return a + a
"""
MENDED = BUG.replace("a - b", "a + b")
MARKS = ("7700011", "7700012", "reference-mark", "technique-mark", "id-mark", "hidden_case")
"""Stand in what no agent may see: hidden cases, the reference, the bug, the task's id."""
CASES = (
    Case("calc::add[0]", "calc", "add", "(1, 2)", "3"),
    Case("calc::add[1]", "calc", "add", "(0, 0)", "0"),
    Case("calc::hidden_case[2]", "calc", "add", "(7700011, 1)", "7700012"),
    Case("calc::add[3]", "calc", "add", "(None, 1)", "raises TypeError"),
)
TASK = Task(
    id="calc.id-mark",
    repo="calc",
    files={"calc.py": BUG, "pkg/deep/other.py": "import calc\n\nTOTAL = calc.add\n", "notes.txt": "one\r\ntwo"},
    statement="`add` in `calc.py` does not do what it should: `add(1, 2)` returned `-1`, expected `3`.",
    checks=Cases(CASES),
    fail_to_pass=("calc::add[0]", "calc::hidden_case[2]"),
    pass_to_pass=("calc::add[1]", "calc::add[3]"),
    visible=("calc::add[0]", "calc::add[1]"),
    reference={"calc.py": f"{MENDED}# reference-mark\n"},
    bug=Bug("technique-mark", "calc.py", "add", 2),
)
SUITE = replace(TESTED, visible=("tests/test_calc.py::test_mended", "tests/test_calc.py::test_kept"))
MEND = "```\nedit 2:2\n    return a + b\nend_of_edit\n```"


def saved(folder: Path, *tasks: Task) -> Path:
    """A file of tasks."""
    return TaskSet(tasks or (TASK,)).save(folder / "tasks.jsonl")


def desk(**files: str) -> Desk:
    """With nothing to run on; `a="..."` is a.py."""

    def nowhere() -> None:
        raise AssertionError("this command needs no sandbox")

    tree = {f"{name.replace('__', '/')}.py": text for name, text in files.items()}
    return Desk(TASK, begun(tree), None, Shell(nowhere))  # type: ignore[arg-type]
