"""What commands work with, and what they answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from envs.swe.grading.report import Judge
from envs.swe.tasks.task import Task
from envs.swe.text.shell import Shell
from envs.swe.text.workspace import Refusal, Workspace


@dataclass
class Desk:
    """All that a command may reach.

    Attributes:
        task: the commands show nothing of it but visible tests.
        workspace: its tree under work.
        judge: runs visible tests, in a sandbox that no agent uses.
        shell: runs the agent's own commands, in its sandbox.
    """

    task: Task
    workspace: Workspace
    judge: Judge
    shell: Shell


@dataclass(frozen=True)
class Done:
    """What a command came to: words for the agent, and what the rules see (`rules.Turn`)."""

    text: str
    kind: str
    path: str = ""
    done: bool = True


@dataclass(frozen=True)
class Request:
    """A command as it was written.

    Attributes:
        words: its first line, or all of it, as a shell would split it, without its name.
        rest: what stands behind its name, as it is.
    """

    words: Sequence[str]
    rest: str


@dataclass(frozen=True)
class Command:
    """A command.

    Attributes:
        usage: how it is written, and what it does, for the prompt.
        run: does it. Raises Refusal.
        reads: "line" for one line of words, "words" for words that may hold line ends in quotes,
            "text" for a command that reads `Request.rest` itself.
    """

    usage: str
    run: Callable[[Desk, Request], Done]
    reads: str = "line"


def between(words: Sequence[str], least: int, most: int, usage: str) -> Sequence[str]:
    """The words, if there are so many. Raises Refusal with how it is written."""
    if not least <= len(words) <= most:
        raise Refusal(f"{len(words)} arguments; it is written: {usage}")
    return words


def whole_number(text: str, what: str) -> int:
    """Raises Refusal."""
    if not re.fullmatch(r"-?[0-9]{1,9}", text):
        raise Refusal(f"{what} {text!r} is no whole number")
    return int(text)
