"""Judging by a project's own tests, as SWE-bench does (its grading of 2026), and harder to fool."""

from __future__ import annotations

import hashlib
import re
import secrets
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Literal

from envs.swe.grading.canary import Canary
from envs.swe.grading.log_parsers import PARSERS, status_of
from envs.swe.grading.patches import apply_patch, checked_patch
from envs.swe.grading.report import Judge, Report, Status
from envs.swe.sandbox.image import TEST_PACKAGES
from envs.swe.sandbox.pool import Pool
from envs.swe.sandbox.sandbox import Execution, Sandbox, SandboxLost
from envs.swe.sandbox.worker_sandbox import ROOT
from envs.swe.tasks.task import Task, TestSuite, Tree, tree_hash
from foundation.checks import number, one_of

PYTEST_OPTIONS = f"-c /dev/null --rootdir={ROOT} -o pythonpath={ROOT} -p no:cacheprovider -v -rA"
"""No configuration of the tree's, ids from the tree's root, and the tree on the path only after
pytest itself is loaded."""
ENVIRONMENTS = {
    "pytest": {"PYTEST_ADDOPTS": PYTEST_OPTIONS, "PYTHONSAFEPATH": "1"},
    "unittest": {},
}
STEERING = {
    "conftest.py", "pytest.ini", ".pytest.ini", "tox.ini", "setup.cfg", "pyproject.toml", "sitecustomize.py",
    "usercustomize.py",
}  # fmt: skip
"""Files that say how tests run: always the task's own."""
RESERVED = frozenset(sys.stdlib_module_names) | {*TEST_PACKAGES, "_pytest", "py"}
LARGEST_TREE = 32 << 20
ENDED_WITH_FAILURES = 1
"""The exit status of pytest and unittest when a test failed, as the canary does."""


@dataclass(frozen=True)
class Run:
    """One run of a suite: what each test came to, and why the run counts for nothing, or ""."""

    statuses: Mapping[str, Status]
    invalid: str = ""


class TestSuiteJudge(Judge):
    """Runs a task's `TestSuite` in a sandbox, over the judged part of a tree.

    Args:
        pool: sandboxes, none of which an agent has ever used; it is closed with the judge.
        seconds: for one run of the suite.
    """

    __test__ = False  # pytest collects classes by name

    def __init__(self, pool: Pool, seconds: float = 120.0) -> None:
        self.pool = pool
        self.seconds = number("seconds", seconds, above=0)
        self._runs: dict[tuple[str, str], Run] = {}

    def statuses(self, task: Task, tree: Tree, ids: Sequence[str]) -> Mapping[str, Status]:
        found = self.run(task, tree)
        return {name: "MISSING" if found.invalid else status_of(name, found.statuses) for name in ids}

    def grade(self, task: Task, tree: Tree) -> Report:
        suite_of(task)
        wanted = [*task.fail_to_pass, *task.pass_to_pass]
        if judged(task, tree) == dict(task.files):
            return Report("empty", resolution="NO")
        try:
            found = self.run(task, tree)
        except SandboxLost:
            return Report("fail", dict.fromkeys(wanted, "MISSING"), "sandbox lost", infrastructure=True)
        statuses = {name: status_of(name, found.statuses) for name in wanted}
        verdict = "NO" if found.invalid else resolution(task, statuses)
        return Report("pass" if verdict == "FULL" else "fail", statuses, found.invalid, resolution=verdict)

    def grade_patch(self, task: Task, patch: str | None) -> Report:
        """The same for a prediction's `model_patch`; None and "" are empty."""
        if not (patch or "").strip():
            return Report("empty", resolution="NO")
        try:
            tree = self.patched(task, str(patch))
        except SandboxLost:
            return Report("fail", invalid="sandbox lost", infrastructure=True, resolution="NO")
        except ValueError as error:
            return Report("fail", invalid=str(error), resolution="NO")
        report = self.grade(task, tree)
        return replace(report, outcome="fail") if report.outcome == "empty" else report

    def patched(self, task: Task, patch: str) -> dict[str, str]:
        """The task's tree with a patch. Raises ValueError where it does not apply."""
        checked_patch(patch)
        with self.pool.lent() as sandbox:
            sandbox.reset(task.files)
            if not apply_patch(sandbox, patch):
                raise ValueError("the patch did not apply")
            return {path: text.decode(errors="replace") for path, text in sandbox.tree().items()}

    def run(self, task: Task, tree: Tree) -> Run:
        """Remembered by what is judged, never by a name that two patches could share.

        Raises SandboxLost.
        """
        suite = suite_of(task)
        files = judged(task, tree)
        key = task.id, hashlib.sha256((tree_hash(files) + repr(suite)).encode()).hexdigest()
        if key not in self._runs:
            try:
                self._runs[key] = self._run(suite, files)
            except SandboxLost:
                self._runs[key] = self._run(suite, files)
        return self._runs[key]

    def close(self) -> None:
        self.pool.close()

    def _run(self, suite: TestSuite, files: Tree) -> Run:
        if sum(map(len, files.values())) > LARGEST_TREE:
            return Run({}, f"the tree has more than {LARGEST_TREE} characters")
        canary = Canary(suite.parser, suite.command, files)
        with self.pool.lent() as sandbox:
            sandbox.reset(files)
            if suite.test_patch:
                checked_patch(suite.test_patch)
                if not apply_patch(sandbox, suite.test_patch):
                    return Run({}, "the test patch did not apply")
            sandbox.write(canary.path, canary.text.encode())
            mark = secrets.token_hex(16)
            execution = run_marked(sandbox, canary.command, suite.parser, mark, self.seconds)
        return understood(execution, suite.parser, mark, canary)


def suite_of(task: Task) -> TestSuite:
    """Raises ValueError for a task that cannot be judged in this way."""
    if not isinstance(task.checks, TestSuite):
        raise ValueError(f"task {task.id} is judged by {type(task.checks).__name__}: use ExecutingJudge")
    one_of("parser", task.checks.parser, PARSERS)
    if not task.files:
        raise ValueError(f"task {task.id} has no files: read them from its image {task.image!r} first (image_files)")
    return task.checks


def judged(task: Task, tree: Tree) -> dict[str, str]:
    """What of a tree is tested: its source, with the task's own tests and settings of tests.

    New files count where they are Python and look like no test, no setting and no module of the
    standard library or of pytest.
    """
    kept = {
        path: text for path, text in tree.items() if not own(task, path) and (path in task.files or new_source(path))
    }
    return kept | {path: text for path, text in task.files.items() if own(task, path)}


def own(task: Task, path: str) -> bool:
    """Whether a path is restored, whatever was done to it."""
    name = PurePosixPath(path).name
    named = task.checks.test_files if isinstance(task.checks, TestSuite) else ()
    return path in named or name in STEERING or bool(re.search(r"(^|/)tests?/|(^|/)test_[^/]*$|_test\.py$", path))


def new_source(path: str) -> bool:
    hidden = any(part.startswith(".") or part == "__pycache__" for part in path.split("/"))
    return path.endswith(".py") and not hidden and path.partition("/")[0].removesuffix(".py") not in RESERVED


def run_marked(sandbox: Sandbox, command: Sequence[str], parser: str, mark: str, seconds: float) -> Execution:
    exports = "".join(f"export {name}='{value}'; " for name, value in ENVIRONMENTS[parser].items())
    script = f'{exports}printf "\\n%s\\n" "$0 start"; "$@"; printf "\\n%s %s\\n" "$0 end" $?'
    return sandbox.execute(["sh", "-c", script, mark, *command], seconds)


def understood(execution: Execution, parser: str, mark: str, canary: Canary) -> Run:
    """SWE-bench's reasons for no verdict, and the canary's."""
    if execution.timed_out:
        return Run({}, "timeout")
    log = execution.output.decode(errors="replace")
    parts = re.search(rf"^{mark} start$(.*)^{mark} end (\d+)$", log, re.MULTILINE | re.DOTALL)
    if parts is None:
        return Run({}, "the log is cut: too much output, or the command ended its shell")
    statuses = PARSERS[parser](parts[1])
    if not statuses:
        return Run({}, "no report")
    if canary.harmed(statuses) or int(parts[2]) != ENDED_WITH_FAILURES:
        return Run(canary.without(statuses), "forged")
    return Run(canary.without(statuses))


def resolution(task: Task, statuses: Mapping[str, Status]) -> Literal["FULL", "PARTIAL", "NO"]:
    """FULL for all tests of both lists, PARTIAL for some of the first and all of the second.

    XFAIL passes and a skipped test that passed before is kept, as SWE-bench says, but only where
    the task's own tests speak of xfail and of skipping: a program may call pytest.xfail too.
    """
    suite = suite_of(task)
    tests = suite.test_patch + "".join(text for path, text in task.files.items() if own(task, path))
    good = {"PASSED", *(["XFAIL"] if "xfail" in tests or "expectedFailure" in tests else [])}
    kept = good | ({"SKIPPED"} if "skip" in tests.lower() else set())
    mended = [statuses.get(name, "MISSING") in good for name in task.fail_to_pass]
    unharmed = all(statuses.get(name, "MISSING") in kept for name in task.pass_to_pass)
    if not unharmed or not any(mended):
        return "NO"
    return "FULL" if all(mended) else "PARTIAL"
