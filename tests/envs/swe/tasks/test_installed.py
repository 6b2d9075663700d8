"""An installed package becomes tasks by way of a sandbox that is given, and runs nowhere else."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from pathlib import Path

import pytest

from envs.swe.sandbox.sandbox import Execution, Sandbox
from envs.swe.tasks.installed import package_tasks, package_tree, read_summary
from envs.swe.tasks.task import TestSuite, Tree

MODULE = "def f(a, b):\n    if a > b and a > 1:\n        return a - b\n    return b + 2\n"


class Pretended(Sandbox):
    """Answers as pytest would, by what stands in the tree; `flaky` fails in every second run."""

    def __init__(self) -> None:
        self.files: dict[str, str] = {}
        self.runs = 0

    def reset(self, tree: Tree) -> None:
        self.files = dict(tree)
        ast.parse(self.files["wares/core.py"])

    def execute(self, argv: Sequence[str], seconds: float | None = None, stdin: bytes = b"") -> Execution:
        assert "pytest" in argv
        self.runs += 1
        text = self.files["wares/core.py"]
        told = [("t.py::minus", "a - b" in text), ("t.py::plus", "b + 2" in text), ("t.py::flaky", self.runs % 2 == 0)]
        lines = [f"{'PASSED' if good else 'FAILED'} {name}{'' if good else ' - assert 0'}" for name, good in told]
        return Execution(0, "\n".join(lines).encode(), timed_out="a > 2" in text)

    def read(self, path: str) -> bytes:
        return self.files[path].encode()

    def write(self, path: str, content: bytes) -> None:
        self.files[path] = content.decode()

    def tree(self) -> dict[str, bytes]:
        return {path: text.encode() for path, text in self.files.items()}

    def alive(self) -> bool:
        return True

    def close(self) -> None:
        return


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    (tmp_path / "wares" / "__pycache__").mkdir(parents=True)
    (tmp_path / "wares" / "__init__.py").write_text("raise RuntimeError('imported on the host')\n")
    (tmp_path / "wares" / "core.py").write_text(MODULE)
    (tmp_path / "wares" / "__pycache__" / "core.pyc").write_bytes(b"\xff")
    (tmp_path / "wares" / "test_core.py").write_text("def test_f(a):\n    assert a + 1 > 2 and a - 1 > 3\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    return package_tree("wares")


def test_sources_are_read_and_never_imported(tree: dict[str, str]) -> None:
    assert sorted(tree) == ["wares/__init__.py", "wares/core.py", "wares/test_core.py"]


def test_valid_mutants_of_its_sources_become_tasks(tree: dict[str, str]) -> None:
    tasks = package_tasks("wares", tree, Pretended(), count=100)
    assert tasks
    for task in tasks:
        assert list(task.reference) == ["wares/core.py"], "tests are not mutated"
        assert "t.py::flaky" not in {*task.fail_to_pass, *task.pass_to_pass}
        assert task.fail_to_pass
        assert task.pass_to_pass
        assert isinstance(task.checks, TestSuite)
        assert task.checks.test_files == ("wares/test_core.py",)
        assert "a > 2" not in task.files["wares/core.py"], "that one hangs"
        assert task.fail_to_pass[0] in task.statement
    assert package_tasks("wares", tree, Pretended(), count=2) == tasks[:2]


def test_a_package_whose_tests_do_not_pass_is_refused(tree: dict[str, str]) -> None:
    broken = {**tree, "wares/core.py": "x = 1\n"}
    with pytest.raises(ValueError, match="no test of wares passes in the sandbox"):
        package_tasks("wares", broken, Pretended(), count=1)


@pytest.mark.parametrize(
    ("name", "message"), [("nowhere_at_all", "no installed package"), ("numpy", "not pure Python")]
)
def test_packages_that_cannot_be_taken_are_refused(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        package_tree(name)


def test_summaries_have_messages_brackets_and_skips() -> None:
    lines = ["noise", "PASSED a::b[x - y]", "FAILED a::c[1] - boom - bang", "ERROR a.py", "XPASS a::d", "XFAIL a::e"]
    assert read_summary("\n".join([*lines, "SKIPPED [1] a.py:3: why"])) == {
        "a::b[x - y]": "PASSED",
        "a::c[1]": "FAILED",
        "a::d": "PASSED",
        "a::e": "XFAIL",
    }


def test_a_real_package_with_real_tests_becomes_tasks_in_a_real_sandbox(tmp_path, monkeypatch, sandbox):
    package = tmp_path / "wares_of_ours"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "core.py").write_text(MODULE)
    (package / "test_core.py").write_text(
        "from wares_of_ours.core import f\n\n\n"
        "def test_minus():\n    assert f(5, 2) == 3\n\n\ndef test_plus():\n    assert f(1, 4) == 6\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    found = package_tasks("wares_of_ours", package_tree("wares_of_ours"), sandbox, count=2)
    assert len(found) == 2
    for task in found:
        assert task.fail_to_pass
        assert task.pass_to_pass
        assert task.reference == {"wares_of_ours/core.py": MODULE}
        assert all("test_core.py::test_" in name for name in task.fail_to_pass)
