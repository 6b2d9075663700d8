"""The tool face's moves as actions of the text face, so that both can play the same episode."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from envs.swe.rules import failing_words
from envs.swe.tasks.candidates import Candidate, applied
from envs.swe.tasks.task import Task
from envs.swe.text.editing import END
from envs.swe.text.lines import change_of, lines_of, with_lines

Step = Sequence[Any]
"""("list",), ("search",), ("open", path), ("apply", Candidate), ("test",), ("undo",) or
("submit",)."""


def actions(task: Task, steps: Iterable[Step]) -> Iterator[str]:
    """The action of each step, in a block. Steps may be made while they are played.

    Raises:
        ValueError: a step is none of these, or a candidate cannot be applied to what is there.
    """
    script = Script(task)
    for step in steps:
        yield script.action(step)


class Script:
    """Steps as actions, over what the files read after those before.

    Args:
        task: that is played, as it begins.
    """

    def __init__(self, task: Task) -> None:
        self._task = task
        self._picked: list[Candidate] = []

    def action(self, step: Step) -> str:
        """See `actions`."""
        name = step[0]
        if name == "open":
            return fenced(f"open {step[1]}")
        if name == "apply":
            return self._apply(step[1])
        if name == "undo":
            del self._picked[-1:]
        plain = {"list": "ls", "test": "run_tests", "undo": "undo", "submit": "submit", "search": self._search()}
        if name not in plain:
            raise ValueError(f"step {step!r}: expected one of open, apply, {', '.join(plain)}")
        return fenced(plain[name])

    def _search(self) -> str:
        words = failing_words(self._task)
        return f"search_dir {words[0]}" if words else "search_dir def"

    def _apply(self, candidate: Candidate) -> str:
        before = applied(self._task, self._picked) or {}
        after = applied(self._task, [*self._picked, candidate])
        if after is None:
            raise ValueError(f"the edit of {candidate.path}, line {candidate.line}, touches one that is there already")
        self._picked.append(candidate)
        return fenced(edit_of(before[candidate.path], after[candidate.path]))


def edit_of(before: str, after: str) -> str:
    """The `edit` command that makes one text of another.

    Raises:
        ValueError: they are the same, or differ in what ends a line alone.
    """
    change, old = change_of(before, after), lines_of(before)
    first, last, lines = change.first, change.last, list(change.lines)
    if last < first <= len(old):  # lines that only come in replace the one that they stand before
        last = first
        lines.append(old[first - 1])
    last = max(first, last)
    written = "".join(line if line.endswith(("\n", "\r")) else f"{line}\n" for line in lines)
    if before == after or with_lines(before, first, last, written) != after:
        raise ValueError("no edit of lines makes one text of the other: they are the same but for ends of lines")
    return f"edit {first}:{last}\n{written}{END}"


def fenced(command: str) -> str:
    """A command in a block that no line of it ends."""
    fence = "```"
    while fence in command:
        fence += "`"
    return f"{fence}\n{command}\n{fence}"
