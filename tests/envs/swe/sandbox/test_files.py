"""Trees go in whole, come out as regular files alone, and no path leads out."""

from __future__ import annotations

import pytest

from envs.swe.sandbox.sandbox import Sandbox
from tests.envs.swe.conftest import LIMITS


def shell(sandbox: Sandbox, script: str) -> str:
    return sandbox.execute(["sh", "-c", script]).output.decode()


def test_a_tree_goes_in_and_comes_out(sandbox: Sandbox):
    tree = {"a.py": "x = 'é'\r\n\ty", "deep/er/b.txt": "", "no newline": "end"}
    sandbox.reset(tree)
    assert sandbox.tree() == {path: text.encode() for path, text in tree.items()}
    sandbox.write("deep/new/c", bytes(range(256)))
    assert sandbox.read("deep/new/c") == bytes(range(256))
    with pytest.raises(FileNotFoundError):
        sandbox.read("none")


def test_a_reset_leaves_nothing_of_what_was_there(sandbox: Sandbox):
    sandbox.reset({"old.py": ""})
    shell(
        sandbox,
        "git init -q .; mkdir -p d/e; chmod 000 d/e d; touch /tmp/t /dev/shm/s; ln -s / root; mkfifo pipe; chmod 000 .",
    )
    deeper = "import os\nos.chdir('/tmp')\nfor _ in range(500): os.mkdir('d' * 50); os.chdir('d' * 50)"
    sandbox.execute(["python3", "-c", deeper])
    sandbox.reset({"new.py": "1"})
    assert shell(sandbox, "find /repo /tmp /dev/shm -mindepth 1") == "/repo/new.py\n"


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/../../x", "", ".", "a//b", "a\0b", "a/./b"])
def test_a_path_that_leads_out_is_refused(sandbox: Sandbox, path: str):
    for call in (lambda: sandbox.read(path), lambda: sandbox.write(path, b""), lambda: sandbox.reset({path: ""})):
        with pytest.raises(ValueError, match="relative path"):
            call()


@pytest.mark.parametrize("path", ["file", "folder/passwd", "chain/passwd", "loop", "pipe", "socket", "plain/x"])
def test_links_and_special_files_are_followed_nowhere(sandbox: Sandbox, path: str):
    shell(
        sandbox,
        "ln -s /etc/passwd file; ln -s /etc folder; ln -s folder chain; ln -s loop loop; mkfifo pipe; echo > plain",
    )
    sandbox.execute(["python3", "-c", "import socket; socket.socket(socket.AF_UNIX).bind('socket')"])
    with pytest.raises(ValueError):
        sandbox.read(path)
    with pytest.raises(ValueError):
        sandbox.write(path, b"gone")
    assert "agent" in shell(sandbox, "cat /etc/passwd")


def test_only_regular_files_within_limits_come_out(sandbox: Sandbox):
    shell(
        sandbox,
        "echo 1 > a; ln a hard; ln -s a soft; mkfifo pipe; mkdir d; echo 2 > d/b; chmod 000 d/b; ln -s / d/root",
    )
    sandbox.execute(["python3", "-c", r"open(b'/repo/\xff', 'w').close()"])
    sandbox.execute(["python3", "-c", f"open('/repo/sparse', 'wb').truncate({LIMITS.file_mib << 20})"])
    assert {name: len(content) for name, content in sandbox.tree().items()} == {
        "a": 2,
        "hard": 2,
        "sparse": LIMITS.file_mib << 20,
    }
    shell(sandbox, "for i in 1 2 3; do cp sparse s$i; done")
    assert sum(map(len, sandbox.tree().values())) <= LIMITS.disk_mib << 20


def test_a_file_that_is_too_large_or_finds_no_room_is_refused(sandbox: Sandbox):
    with pytest.raises(ValueError, match="a file may have"):
        sandbox.write("large", bytes((LIMITS.file_mib << 20) + 1))
    for index in range(2):
        sandbox.write(f"{index}", bytes(LIMITS.file_mib << 20))
    with pytest.raises(ValueError, match="No space"):
        sandbox.write("more", bytes(LIMITS.file_mib << 20))


def test_commands_say_how_they_ended(sandbox: Sandbox):
    assert sandbox.execute(["sh", "-c", "echo out; echo err >&2; exit 7"]).output == b"out\nerr\n"
    assert sandbox.execute(["false"]).returncode == 1
    assert sandbox.execute(["sh", "-c", "kill -SEGV $$"]).returncode == 139
    assert sandbox.execute(["nonesuch"]).returncode == 127
    assert sandbox.execute(["/repo"]).returncode == 126
    assert sandbox.execute(["cat"], stdin=b"x" * 200_000).output == b"x" * 200_000
    assert sandbox.execute(["true"], stdin=bytes(1 << 20)).returncode == 0
    assert sandbox.execute(["printf", r"\377"]).output == b"\xff"
    with pytest.raises(ValueError, match="words of one command"):
        sandbox.execute([])
    with pytest.raises(ValueError, match="seconds"):
        sandbox.execute(["true"], seconds=0)


def test_a_full_disk_comes_out_of_a_sandbox_with_little_memory(sandbox: Sandbox):
    shell(sandbox, "for i in 1 2 3 4 5 6 7; do head -c 2M /dev/zero > $i; done")
    for _ in range(3):
        assert sum(map(len, sandbox.tree().values())) == 7 * 2 << 20
    assert not sandbox.tainted
