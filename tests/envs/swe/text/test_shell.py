"""Commands of an agent's own: what they write comes back, within limits, and can be taken back."""

from __future__ import annotations

import time

import pytest

from envs.swe.text import shell
from envs.swe.text.env import SweTextEnv
from tests.envs.swe.text.repository import BUG


def said(env: SweTextEnv, action: str) -> str:
    return env.step(action)[0]


def test_files_go_to_and_fro(env: SweTextEnv):
    said(env, "str_replace_editor create a.py --file_text 'print(1)'")
    assert said(env, "bash python3 a.py; mkdir d; echo 'x = 1' > d/b.py; mv a.py c.py") == "1"
    assert said(env, "ls") == "c.py\ncalc.py\nd/\nnotes.txt\npkg/"
    said(env, "open d/b.py")
    said(env, "edit 1:1\nx = 2\nend_of_edit")
    assert said(env, "bash cat d/b.py notes.txt") == "x = 2\none\\r\ntwo"


def test_what_a_command_did_to_files_is_taken_back_as_one_change(env: SweTextEnv):
    said(env, "bash echo > new.py; rm notes.txt; echo >> calc.py")
    assert said(env, "undo") == "taken back in calc.py, new.py, notes.txt"
    assert env.files["calc.py"] == BUG
    assert said(env, "bash ls; wc -l < calc.py") == "calc.py\nnotes.txt\npkg\n8"


def test_files_that_are_no_text_stay_in_the_sandbox_alone(env: SweTextEnv):
    said(env, r"bash printf '\377' > binary; mkdir -p .git __pycache__; echo 1 > .git/x; echo 1 > __pycache__/y.py")
    assert set(env.files) == {"calc.py", "notes.txt", "pkg/deep/other.py"}
    assert said(env, "bash wc -c < binary; cat .git/x") == "1\n1"


def test_new_files_that_are_too_large_or_too_many_are_left_out_and_told(
    env: SweTextEnv, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(shell, "LARGEST_FILE", 1000)
    monkeypatch.setattr(shell, "MOST_NEW_FILES", 5)
    text = said(env, "bash head -c 2000 /dev/zero > large.txt; for i in 1 2 3 4 5 6 7; do echo > n$i.txt; done")
    assert "3 new files are too large or too many to be kept: large.txt" in text
    assert len(env.files) == 3 + 5
    assert said(env, "bash ls | wc -l").startswith("11")


def test_how_a_command_ended_is_told(env: SweTextEnv, monkeypatch: pytest.MonkeyPatch):
    assert said(env, "bash true") == "[it ran, and printed nothing]"
    assert said(env, "bash echo out; exit 3") == "out\n[exit status 3]"
    assert said(env, "bash\nx=1\necho $x") == "1"
    assert "it is written: bash COMMAND" in said(env, "bash ")
    assert "[the rest of the output was cut]" in said(env, "bash yes | head -c 3000000")
    monkeypatch.setattr(shell, "SECONDS", 0.5)
    assert said(env, "bash echo so far; sleep 60") == "so far\n[it did not end in time and was killed]"


def test_a_daemon_does_not_outlive_its_command_and_earlier_files_do(env: SweTextEnv):
    start = time.monotonic()
    said(env, "bash echo kept > kept.txt; (setsid sleep 100 &) ; sleep 100 & echo $!")
    assert time.monotonic() - start < 20
    assert said(env, "bash cat kept.txt; cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -c 'sleep 1[0]0'") == (
        "kept\n0\n[exit status 1]"
    )


def test_a_link_that_leads_out_brings_nothing_back_and_takes_nothing_in(env: SweTextEnv):
    said(env, "bash ln -s /etc/passwd leak.txt; ln -s /etc folder; mv calc.py gone.py; ln -s /etc/passwd calc.py")
    assert set(env.files) == {"gone.py", "notes.txt", "pkg/deep/other.py"}
    assert "no file leak.txt" in said(env, "open leak.txt")
    said(env, "str_replace_editor create folder/new.txt --file_text x")
    assert "the sandbox refuses" in said(env, "bash true")


def test_a_sandbox_has_no_network_and_nothing_of_the_hosts(env: SweTextEnv):
    connect = 'import socket; socket.create_connection(("1.1.1.1", 53), 2)'
    assert "OSError" in said(env, f"bash python3 -c '{connect}'")
    assert "PATH" in (names := said(env, "bash env"))
    assert not [line for line in names.splitlines() if "KEY" in line or "HOME=/root" in line]
