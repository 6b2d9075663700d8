"""What a hostile program tries, against the real providers."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import pytest

from envs.swe.sandbox.bubblewrap import NOBODY
from envs.swe.sandbox.pool import Pool
from envs.swe.sandbox.sandbox import Sandbox
from tests.envs.swe.conftest import LIMITS


def shell(sandbox: Sandbox, script: str, seconds: float = 10.0) -> tuple[int, str]:
    execution = sandbox.execute(["sh", "-c", script], seconds)
    return execution.returncode, execution.output.decode(errors="replace")


def python(sandbox: Sandbox, script: str, seconds: float = 10.0) -> tuple[int, str]:
    execution = sandbox.execute(["python3", "-c", script], seconds)
    return execution.returncode, execution.output.decode(errors="replace")


def test_a_fork_bomb_is_stopped_and_the_next_command_answers_at_once(sandbox: Sandbox):
    shell(sandbox, "f() { f | f & }; f; sleep 1", seconds=2)
    started = time.monotonic()
    assert shell(sandbox, "echo here") == (0, "here\n")
    assert time.monotonic() - started < 2
    assert len(shell(sandbox, "ps -e -o comm=")[1].splitlines()) <= 5


def test_no_more_processes_run_than_the_limit_says(sandbox: Sandbox):
    count = "import os, time\nn = 0\ntry:\n  while n < 500:\n    if os.fork() == 0: time.sleep(9)\n    n += 1\n"
    code, said = python(sandbox, f"{count}except OSError: pass\nprint(n)")
    assert code == 0
    assert LIMITS.processes // 2 < int(said) <= LIMITS.processes + 4


def test_a_hog_of_memory_is_killed_and_the_sandbox_lives(sandbox: Sandbox):
    sandbox.write("kept", b"1")
    code, said = python(sandbox, "x = bytearray(2 << 30)\nx[:] = b'1' * len(x)")
    assert code == 137 or "MemoryError" in said
    assert sandbox.read("kept") == b"1"
    assert not sandbox.tainted


def test_memory_is_counted_over_all_processes_together(sandbox: Sandbox):
    hog = "import os, time\nfor _ in range(6):\n  if os.fork() == 0:\n"
    hog += "    x = bytearray(40 << 20)\n    time.sleep(1)\n    os._exit(0)\n"
    wait = "codes = [os.waitstatus_to_exitcode(os.wait()[1]) for _ in range(6)]\nprint(-9 in codes)"
    code, said = python(sandbox, hog + wait)
    assert code == 137 or said == "True\n"


@pytest.mark.parametrize("folder", ["/repo", "/tmp", "/dev/shm"])
def test_a_disk_is_filled_to_its_limit_and_no_further(sandbox: Sandbox, folder: str):
    fill = f"i=0; while dd if=/dev/zero of={folder}/$i bs=1M count=4 2>>/dev/null; do i=$((i+1)); done; du -sm {folder}"
    code, said = shell(sandbox, fill, 20)
    assert code == 0
    assert 4 <= int(said.split()[0]) <= max(LIMITS.disk_mib, 16) + 1
    sandbox.reset({})
    assert shell(sandbox, f"dd if=/dev/zero of={folder}/again bs=1M count=4 2>/dev/null")[0] == 0


def test_files_are_counted(sandbox: Sandbox):
    code, said = python(sandbox, "import itertools\nfor i in itertools.count(): open(f'/repo/{i}', 'w').close()")
    assert code == 1
    assert "No space left" in said
    assert len(sandbox.tree()) < LIMITS.files
    sandbox.reset({})
    assert sandbox.tree() == {}


def test_one_file_is_no_larger_than_its_limit(sandbox: Sandbox):
    code, _ = python(sandbox, "f = open('/repo/large', 'wb')\nfor _ in range(32): f.write(bytes(1 << 20))")
    assert code != 0
    assert python(sandbox, "open('/repo/sparse', 'wb').truncate(10 << 30)")[0] != 0
    assert len(sandbox.read("large")) <= LIMITS.file_mib << 20


def test_endless_output_is_cut_and_its_process_is_gone(sandbox: Sandbox):
    started = time.monotonic()
    execution = sandbox.execute(["yes"], 20)
    assert execution.truncated
    assert execution.returncode == 137
    assert len(execution.output) == LIMITS.output_kib << 10
    assert time.monotonic() - started < 5
    assert "yes" not in shell(sandbox, "ps -e -o comm")[1]


def test_time_is_up_for_a_program_that_ignores_signals_too(sandbox: Sandbox):
    ignore = "import signal\nfor n in range(1, 32):\n  try: signal.signal(n, signal.SIG_IGN)\n  except OSError: pass\n"
    started = time.monotonic()
    execution = sandbox.execute(["python3", "-c", f"print('partial', flush=True)\n{ignore}while True: pass"], 1.0)
    assert execution.timed_out
    assert execution.returncode == 137
    assert execution.output == b"partial\n"
    assert 1.0 <= time.monotonic() - started < 4


def test_a_daemon_is_dead_before_the_next_command_and_files_stay(sandbox: Sandbox):
    """Also where it holds the output open (inspect_ai 1357, 2779)."""
    started = time.monotonic()
    code, said = shell(sandbox, "setsid sleep 77 & echo 1 > written; sleep 0.1; ps -e -o args")
    assert code == 0
    assert "\nsleep 77\n" in said
    assert time.monotonic() - started < 5
    assert "\nsleep 77\n" not in shell(sandbox, "ps -e -o args")[1]
    assert sandbox.read("written") == b"1\n"


@pytest.mark.parametrize("script", ["kill -9 1", "kill -TERM 1", "kill -9 -1", "kill -STOP -1", "kill -9 $PPID"])
def test_nobody_kills_what_keeps_the_sandbox(sandbox: Sandbox, script: str):
    sandbox.write("kept", b"1")
    shell(sandbox, script)
    assert sandbox.read("kept") == b"1"
    assert sandbox.alive()
    assert not sandbox.tainted


def test_the_worker_can_be_neither_traced_nor_read_nor_limited(sandbox: Sandbox):
    tries = """
import ctypes, os, resource
parent = os.getppid()
libc = ctypes.CDLL(None, use_errno=True)
assert libc.ptrace(16, parent, 0, 0) == -1
for name in ("mem", "environ", "fd/0", "fd/1", "maps"):
    try: os.close(os.open(f"/proc/{parent}/{name}", os.O_RDONLY)); print(name)
    except OSError: pass
try: resource.prlimit(parent, resource.RLIMIT_NOFILE, (0, 0)); print("prlimit")
except OSError: pass
try: os.pidfd_open(parent); print("pidfd")
except OSError: pass
"""
    assert python(sandbox, tries) == (0, "")


def test_there_is_no_network(sandbox: Sandbox):
    tries = """
import socket
print(sorted(name for _, name in socket.if_nameindex()))
for family, address in ((socket.AF_INET, ("1.1.1.1", 53)), (socket.AF_INET6, ("2606:4700::1", 53))):
    try: socket.socket(family).connect(address); print("connected")
    except OSError: pass
try: socket.getaddrinfo("example.org", 80); print("resolved")
except OSError: pass
try: socket.socket(40, socket.SOCK_STREAM); print("vsock")
except OSError: pass
"""
    code, said = python(sandbox, tries)
    interfaces, *rest = said.splitlines()
    assert code == 0
    assert "lo" in interfaces
    assert not [name for name in ("eth", "ens", "veth", "docker") if name in interfaces]
    assert rest == []


def test_sockets_of_the_host_are_out_of_reach(sandbox: Sandbox):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("\0breadcrumb-test")
        server.listen()
        connect = "import socket; socket.socket(socket.AF_UNIX).connect('\\0breadcrumb-test')"
        assert python(sandbox, connect)[0] != 0


def test_a_command_has_no_rights_and_gains_none(sandbox: Sandbox):
    status = dict(
        line.split(":\t") for line in shell(sandbox, "cat /proc/self/status")[1].splitlines() if ":\t" in line
    )
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"
    assert {int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {0}
    assert set(status["Uid"].split()) == {"1000"}


def test_privileged_things_are_refused(sandbox: Sandbox):
    tries = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def tried(name, result):
    if result == 0: print(name)
tried("mount", libc.mount(b"none", b"/tmp", b"tmpfs", 0, None))
tried("unshare user", libc.unshare(0x10000000))
tried("unshare mount", libc.unshare(0x00020000))
tried("chroot", libc.chroot(b"/tmp"))
for name, *call in (("keyctl", 250, 0, -3, 0), ("shmget", 29, 0, 4096, 0o1600), ("io_uring", 425, 1, 0)):
    tried(name, libc.syscall(*call) < 0)
tried("clone user", libc.syscall(56, 0x10000000 | 17, 0, 0, 0, 0) < 0)
for name, call in {
    "mknod": lambda: os.mknod("/tmp/device", 0o20666, os.makedev(1, 1)),
    "chown": lambda: os.chown("/tmp", 0, 0),
    "sysrq": lambda: open("/proc/sysrq-trigger", "w").write("h"),
    "init's environment": lambda: open("/proc/1/environ").read(),
    "core pattern": lambda: open("/proc/sys/kernel/core_pattern", "w").write("x"),
    "cgroup": lambda: open("/sys/fs/cgroup/cgroup.procs", "w").write("1"),
    "write /usr": lambda: open("/usr/bin/new", "w"),
    "write /etc": lambda: open("/etc/passwd", "a"),
    "write /dev": lambda: open("/dev/new", "w"),
    "setuid": lambda: os.setuid(0),
}.items():
    try: call(); print(name)
    except OSError: pass
"""
    code, said = python(sandbox, tries)
    assert code == 0
    assert said == ""


def test_root_starts_bubblewrap_as_nobody(bubblewrap_pool: Pool):
    """Root that starts it with --uid 1000 is root for the files of a bind mount."""
    with bubblewrap_pool.lent() as sandbox:
        supervisor = sandbox._channel.process.pid  # type: ignore[attr-defined]
        inside = [pid for pid in descendants(supervisor) if pid != supervisor]
        users = {uid(pid) for pid in inside}
    assert len(inside) >= 2
    assert users == {NOBODY if os.geteuid() == 0 else os.geteuid()}


def descendants(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(deeper for child in children for deeper in descendants(int(child)))]


def uid(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("Uid:")).split()[1])


def test_no_answer_lies_about(sandbox: Sandbox):
    """No git of anybody, no project's source, no environment beside the seven words, no pip."""
    sandbox.reset({"quux.py": "x = 1\n"})
    find = "find / -xdev -name .git -o -name '*.orig' 2>/dev/null; git log --all 2>/dev/null | cat"
    assert shell(sandbox, find) == (0, "")
    said = shell(sandbox, "env | cut -d= -f1 | sort | tr '\\n' ' '")[1]
    assert set(said.split()) <= {"HOME", "LANG", "PATH", "PWD", "PYTHONDONTWRITEBYTECODE", "PYTHONHASHSEED", "TZ"}
    assert shell(sandbox, "cd /; python3 -c 'import quux'")[0] != 0
    assert shell(sandbox, "python3 -m pip --version")[0] != 0
    find = "find / -name '*quux*' 2>/dev/null"
    assert shell(sandbox, f"python3 -c 'import quux'; {find}")[1] == "/repo/quux.py\n"
