"""One command an answer: in one block, or all of the answer."""

from __future__ import annotations

import time

import pytest

from envs.swe.text.commands import COMMANDS
from envs.swe.text.observation import CHARACTERS, LONGEST, clipped, observed
from envs.swe.text.parsing import FormatError, command_of

EDIT = "edit 1:2\nx = 1\n\n    y\nend_of_edit"


@pytest.mark.parametrize(
    ("answer", "command"),
    [
        ("I think.\n\n```\nls\n```\nThat is all.", "ls"),
        ("```bash\nopen a.py\n```", "open a.py"),
        ("open a.py 3", "open a.py 3"),
        ("\n  ls  \n", "  ls  "),
        (EDIT, EDIT),
        (f"So:\n```\n{EDIT}\n```", EDIT),
        (f"So:\r\n```\r\n{EDIT}\r\n```\r\n", EDIT),
        ("````\nedit 1:1\n```\nend_of_edit\n````", "edit 1:1\n```\nend_of_edit"),
        ("`ls` is what I use:\n```\nls\n```", "ls"),
        ("```\nno such command\n```", "no such command"),
    ],
)
def test_the_command_of_an_answer_is_found(answer: str, command: str):
    assert command_of(answer, COMMANDS) == command


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("", "is empty"),
        (" \n\t", "is empty"),
        ("I would look around.", "no block"),
        ("First:\n```\nls\n```\nthen:\n```\nsubmit\n```", "2 blocks"),
        ("```\n\n```", "block of your answer is empty"),
        ("```\nls", "no block"),
        ("`ls`", "no block"),
    ],
)
def test_anything_else_is_told_what_an_answer_looks_like(answer: str, reason: str):
    with pytest.raises(FormatError, match=reason) as error:
        command_of(answer, COMMANDS)
    assert "exactly one command" in str(error.value)


def test_an_answer_of_many_openings_is_read_at_once():
    start = time.monotonic()
    with pytest.raises(FormatError):
        command_of("```x\n" * 20_000, COMMANDS)
    assert time.monotonic() - start < 2


def test_observations_are_printable_and_bounded():
    text = observed("caf\u00e9 \u2028\x1b[0m\0\t" * 10_000)
    assert set(text) <= set(CHARACTERS)
    assert len(text) <= LONGEST
    assert "characters left out]" in text
    assert text.startswith("caf\\xe9 \\u2028\\x1b[0m\\x00\t")
    for most in (60, 100, 999):
        assert len(clipped("x" * 1000, most)) <= most
    assert clipped("x" * 60, 60) == "x" * 60
