"""Judging by calls whose plain results are compared outside the sandbox."""

from __future__ import annotations

import json
import random
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from envs.swe.grading.descriptions import describe, parse, same
from envs.swe.grading.report import Judge, Report, Status
from envs.swe.sandbox.pool import Pool
from envs.swe.sandbox.sandbox import Execution, Sandbox, SandboxLost
from envs.swe.sandbox.worker_sandbox import ROOT
from envs.swe.tasks.task import Case, Cases, Task, Tree
from foundation.checks import number, whole

LARGEST_FILE = 1 << 20
"""Characters of a file that is judged; what is larger was not written to mend a bug."""
SPARE = 30.0
"""Seconds of a judging command beside its calls: start, imports, a busy machine."""


@dataclass(frozen=True)
class Reply:
    """What one case came to.

    Attributes:
        status: PASSED, FAILED, or ERROR where the module cannot be imported or says nothing.
        said: what was returned or raised, in the program's own words, for an agent to read.
        invalid: "timeout" or "no report", or "".
    """

    status: Status
    said: str = ""
    invalid: str = ""


class ExecutingJudge(Judge):
    """Makes the calls of a task's `Cases` in a sandbox and compares what comes back here.

    A sandbox is told functions and arguments and never what is expected. Equality is that of plain
    values and their types on this side, so no `__eq__` of a tree has a say. Of a tree, only paths
    that the task has are judged.

    Args:
        pool: sandboxes, none of which an agent has ever used; it is closed with the judge.
        seconds: of processor time that one call or import may take.
        total: seconds on the clock for all calls of a tree.
    """

    def __init__(self, pool: Pool, seconds: int = 1, total: float = 60.0) -> None:
        self.pool = pool
        self.seconds = whole("seconds", seconds)
        self.total = number("total", total, above=0)

    def statuses(self, task: Task, tree: Tree, ids: Sequence[str]) -> Mapping[str, Status]:
        return {name: reply.status for name, reply in self.replies(task, tree, ids).items()}

    def grade(self, task: Task, tree: Tree) -> Report:
        cases_of(task)
        if judged(task, tree) == dict(task.files):
            return Report("empty")
        wanted = [*task.fail_to_pass, *task.pass_to_pass]
        try:
            replies = self.replies(task, tree, wanted)
        except SandboxLost:
            return Report("fail", dict.fromkeys(wanted, "MISSING"), "sandbox lost", infrastructure=True)
        except ValueError as error:
            return Report("fail", dict.fromkeys(wanted, "MISSING"), str(error))
        statuses = {name: reply.status for name, reply in replies.items()}
        invalid = min((reply.invalid for reply in replies.values() if reply.invalid), default="")
        passed = not invalid and all(status == "PASSED" for status in statuses.values())
        return Report("pass" if passed else "fail", statuses, invalid)

    def replies(self, task: Task, tree: Tree, ids: Sequence[str]) -> dict[str, Reply]:
        """All in one command. Raises SandboxLost; ValueError for a tree that cannot be judged."""
        cases = cases_of(task)
        if unknown := [name for name in ids if name not in cases]:
            raise ValueError(f"task {task.id} has no case {unknown[0]!r}: ids are those of its fail and pass lists")
        chosen = [cases[name] for name in dict.fromkeys(ids)]
        files = judged(task, tree)
        for path, text in files.items():
            if len(text) > LARGEST_FILE:
                raise ValueError(f"{path!r} has {len(text)} characters, more than the {LARGEST_FILE} that are judged")
        try:
            found = self._asked(chosen, files)
        except SandboxLost:
            found = self._asked(chosen, files)
        return {case.id: compared(case, found.get(case.id, {"state": "no report"})) for case in chosen}

    def close(self) -> None:
        self.pool.close()

    def _asked(self, cases: Sequence[Case], files: Tree) -> dict[str, dict[str, Any]]:
        """A nonce is good for one call of one command, and the order is different every time."""
        nonces = {case.id: secrets.token_hex(16) for case in cases}
        calls = [call(case, nonces[case.id]) for case in cases]
        random.SystemRandom().shuffle(calls)
        with self.pool.lent() as sandbox:
            sandbox.reset(files)
            execution = run(sandbox, calls, self.seconds, self.total)
        return answers(execution, nonces)


def cases_of(task: Task) -> dict[str, Case]:
    """Raises ValueError for a task that is judged in another way."""
    if not isinstance(task.checks, Cases):
        raise ValueError(f"task {task.id} is judged by {type(task.checks).__name__}: use TestSuiteJudge")
    return {case.id: case for case in task.checks.cases}


def judged(task: Task, tree: Tree) -> dict[str, str]:
    return {path: tree[path] for path in task.files if path in tree}


def call(case: Case, nonce: str) -> dict[str, Any]:
    arguments = parse(case.arguments)
    return {
        "id": case.id,
        "nonce": nonce,
        "module": case.module,
        "function": case.function,
        "arguments": describe(arguments),
    }


def run(sandbox: Sandbox, calls: Sequence[Mapping[str, Any]], seconds: int, total: float) -> Execution:
    text = Path(__file__).with_name("runner.py").read_text()
    start = f"Runner({ROOT!r}, json.load(sys.stdin), {seconds}, {total}).run()"
    return sandbox.execute(
        ["python3", "-P", "-s", "-c", f"{text}\n{start}\n"], total + SPARE, json.dumps(calls).encode()
    )


def answers(execution: Execution, nonces: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Replies with the right nonce; nothing where the command did not end as it should."""
    if execution.returncode != 0 or execution.truncated:
        return {}
    try:
        replies = json.loads(execution.output)
        return {reply["id"]: reply for reply in replies if nonces.get(reply["id"]) == reply["nonce"]}
    except (ValueError, TypeError, KeyError, RecursionError):
        return {}


def compared(case: Case, reply: Mapping[str, Any]) -> Reply:
    state, said = reply.get("state"), str(reply.get("text", ""))[:500]
    if state == "value":
        right = not case.expected.startswith("raises ") and same(reply.get("value"), describe(parse(case.expected)))
        return Reply("PASSED" if right else "FAILED", said)
    if state == "raises":
        right = case.expected == f"raises {reply.get('type')}"
        return Reply("PASSED" if right else "FAILED", f"{reply.get('type')}: {said}")
    if state == "import error":
        return Reply("ERROR", f"{reply.get('type')}: {said}")
    if state == "not plain":
        return Reply("FAILED", f"a {reply.get('type')}, which is no plain value")
    if state == "killed":
        return Reply("FAILED", "the process was killed")
    if state == "timeout":
        return Reply("FAILED", "it did not end in time", "timeout")
    return Reply("ERROR", "no report", "no report")
