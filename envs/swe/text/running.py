"""Commands that run something: visible tests, and whatever an agent writes, in a sandbox."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from envs.swe.grading.plain_values import ExecutingJudge, Reply
from envs.swe.sandbox.sandbox import Execution
from envs.swe.tasks.statement import call
from envs.swe.tasks.task import Case, Cases, Task, TestSuite
from envs.swe.text.desk import Command, Desk, Done, Request
from envs.swe.text.workspace import Refusal

LONGEST = 500
"""Characters of a call or of an expected result."""
MOST_FAILURES = 20
"""Tests that are told of one by one."""
GOOD = ("PASSED", "XFAIL")
NOT_RUN = (126, 127)
"""What a shell ends with when it finds no command, or may not run it."""


def run_tests(desk: Desk, request: Request) -> Done:
    chosen = visible(desk.task, request.words)
    try:
        rows = called(desk, chosen) if isinstance(desk.task.checks, Cases) else tested(desk, chosen)
    except ValueError as error:
        raise Refusal(f"the tests cannot run: {error}") from error
    return Done(summary(rows, named=bool(request.words)), "test")


def summary(rows: Sequence[str], named: bool) -> str:
    """How many passed, and those that did not; the others too, where they were asked for."""
    failed = [row for row in rows if not row.startswith(GOOD)]
    passed = [row for row in rows if row.startswith(GOOD)]
    more = [f"({len(failed) - MOST_FAILURES} more did not pass)"] if len(failed) > MOST_FAILURES else []
    first = f"{len(passed)} of {len(rows)} tests passed"
    return "\n".join([first, *failed[:MOST_FAILURES], *more, *(passed if named else [])])


def visible(task: Task, words: Sequence[str]) -> tuple[str, ...]:
    """The tests to run. Raises Refusal in the same words for tests that are hidden or not there."""
    if not task.visible:
        raise Refusal("this task has no tests that run_tests may run; run the repository's own with bash")
    if unknown := [word for word in words if word not in task.visible]:
        raise Refusal(f"there is no test {unknown[0]!r}; run_tests without a name runs all {len(task.visible)}")
    return tuple(words) or task.visible


def called(desk: Desk, chosen: Sequence[str]) -> list[str]:
    """What each case came to."""
    assert isinstance(desk.judge, ExecutingJudge)
    assert isinstance(desk.task.checks, Cases)
    replies = desk.judge.replies(desk.task, desk.workspace.files, chosen)
    cases = {case.id: case for case in desk.task.checks.cases}
    return [row(cases[name], reply) for name, reply in replies.items()]


def row(case: Case, reply: Reply) -> str:
    if reply.status == "PASSED":
        return f"PASSED {case.id}"
    raises = case.expected.startswith("raises ")
    expected = f"it to raise {case.expected[7:]}" if raises else case.expected
    came_to = reply.said or "nothing"
    return f"{reply.status} {case.id}: {call(case)[:LONGEST]} came to {came_to}, expected {expected[:LONGEST]}"


def tested(desk: Desk, chosen: Sequence[str]) -> list[str]:
    """What each test of a suite came to, without the patch that brings the hidden ones."""
    assert isinstance(desk.task.checks, TestSuite)
    shown = replace(desk.task, checks=replace(desk.task.checks, test_patch=""))
    statuses = desk.judge.statuses(shown, desk.workspace.files, chosen)
    return [f"{statuses[name]} {name}" for name in chosen]


def bash(desk: Desk, request: Request) -> Done:
    if not request.rest.strip():
        raise Refusal("there is no command; it is written: bash COMMAND")
    if "\0" in request.rest:
        raise Refusal("a command holds no NUL")
    ran = desk.shell.run(request.rest, desk.workspace)
    lines = [output(ran.execution), ending(ran.execution)]
    if ran.left_out:
        lines.append(f"[{len(ran.left_out)} new files are too large or too many to be kept: {ran.left_out[0]}, ...]")
    good = not ran.execution.timed_out and ran.execution.returncode not in NOT_RUN
    return Done("\n".join(line for line in lines if line), "run", done=good)


def output(execution: Execution) -> str:
    text = execution.output.decode(errors="backslashreplace").rstrip("\n")
    return f"{text}\n[the rest of the output was cut]" if execution.truncated else text


def ending(execution: Execution) -> str:
    """How it ended, where there is something to say of it."""
    if execution.timed_out:
        return "[it did not end in time and was killed]"
    if execution.returncode:
        return f"[exit status {execution.returncode}]"
    return "" if execution.output.strip() else "[it ran, and printed nothing]"


COMMANDS = {
    "run_tests": Command("run_tests [TEST ...]: run the tests that you may see, or some of them", run_tests),
    "bash": Command("bash COMMAND: run a command in the repository, without a network", bash, "text"),
}
