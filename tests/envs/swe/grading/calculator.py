"""A task in a few lines, judged in either way."""

from __future__ import annotations

from envs.swe.tasks.task import Case, Cases, Task, TestSuite

BUG = "def add(a, b):\n    return a - b\n\n\ndef halve(a):\n    return a / 2\n"
MENDED = BUG.replace("a - b", "a + b")
TESTS = """
from calc import add, halve


def test_mended():
    assert add(1, 2) == 3


def test_kept():
    assert add(0, 0) == 0


def test_halves():
    assert halve(3) == 1.5
"""
CASES = (
    Case("calc::add[0]", "calc", "add", "(1, 2)", "3"),
    Case("calc::add[1]", "calc", "add", "(0, 0)", "0"),
    Case("calc::halve[0]", "calc", "halve", "(3,)", "1.5"),
)
CALLED = Task(
    id="calc.called",
    repo="calc",
    files={"calc.py": BUG},
    statement="add(1, 2) returned -1",
    checks=Cases(CASES),
    fail_to_pass=("calc::add[0]",),
    pass_to_pass=("calc::add[1]", "calc::halve[0]"),
)
TESTED = Task(
    id="calc.tested",
    repo="calc",
    files={"calc.py": BUG, "tests/test_calc.py": TESTS},
    statement="add(1, 2) returned -1",
    checks=TestSuite(("python", "-m", "pytest", "tests"), test_files=("tests/test_calc.py",)),
    fail_to_pass=("tests/test_calc.py::test_mended",),
    pass_to_pass=("tests/test_calc.py::test_kept", "tests/test_calc.py::test_halves"),
)


def tree(task: Task, **files: str) -> dict[str, str]:
    """The task's tree with other texts: `calc="..."` is calc.py, `tests__conftest` is in tests."""
    changed = {f"{name.replace('__', '/')}.py": text for name, text in files.items()}
    return dict(task.files) | changed
