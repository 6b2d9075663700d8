"""bubblewrap's own: without control groups, and when whoever started it is killed."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from envs.swe.sandbox import bubblewrap
from envs.swe.sandbox.bubblewrap import BubblewrapSandbox
from envs.swe.sandbox.control_group import ControlGroup
from tests.envs.swe.conftest import LIMITS


@pytest.fixture(autouse=True)
def available() -> None:
    if reason := bubblewrap.unavailable():
        pytest.skip(reason)


def refused(*_: object) -> None:
    raise PermissionError("no control groups for this user")


def test_without_control_groups_each_process_has_limits_of_its_own(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bubblewrap, "ControlGroup", refused)
    sandbox = BubblewrapSandbox(LIMITS)
    try:
        said = sandbox.execute(["python3", "-c", "bytearray(1 << 30)"]).output
        assert b"MemoryError" in said
        count = "import os, time\nn = 0\ntry:\n  while n < 500:\n    if os.fork() == 0: time.sleep(9)\n    n += 1\n"
        forked = int(sandbox.execute(["python3", "-c", f"{count}except OSError: pass\nprint(n)"]).output)
        assert LIMITS.processes // 2 < forked <= LIMITS.processes + bubblewrap.SUPERVISORS
    finally:
        sandbox.close()


def test_a_process_that_is_killed_takes_its_sandboxes_along():
    pid = os.fork()
    if pid == 0:
        try:
            idle, busy = BubblewrapSandbox(LIMITS), BubblewrapSandbox(LIMITS)
            threading.Thread(target=busy.execute, args=(["sleep", "61.5"],), daemon=True).start()
            while b"61.5" not in running() and idle.alive():
                time.sleep(0.05)
            os.kill(os.getpid(), signal.SIGKILL)
        finally:
            os._exit(1)
    assert os.WTERMSIG(os.waitpid(pid, 0)[1]) == signal.SIGKILL
    deadline = time.monotonic() + 10
    while b"61.5" in running() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert b"61.5" not in running()
    if os.geteuid() == 0 and list(Path("/sys/fs/cgroup").glob(f"*/breadcrumb/{pid}-*")):
        ControlGroup(64, 8).close()
        assert not list(Path("/sys/fs/cgroup").glob(f"*/breadcrumb/{pid}-*"))


def running() -> bytes:
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(path.read_bytes())
        except OSError:
            continue
    return b"\n".join(lines)


def test_a_sandbox_outlives_the_thread_that_started_it():
    made: list[BubblewrapSandbox] = []
    thread = threading.Thread(target=lambda: made.append(BubblewrapSandbox(LIMITS)))
    thread.start()
    thread.join()
    time.sleep(0.2)
    assert made[0].execute(["echo", "here"]).output == b"here\n"
    made[0].close()
