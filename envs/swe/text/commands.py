"""All commands of the text face, and how a turn's words become one of them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping

from envs.swe.rules import Turn
from envs.swe.text import editing, running, searching, string_editor, viewing
from envs.swe.text.desk import Command, Desk, Done, Request, between
from envs.swe.text.workspace import Refusal


def submit(desk: Desk, request: Request) -> Done:
    between(request.words, 0, 0, "submit")
    return Done("submitted", "submit")


COMMANDS: Mapping[str, Command] = {
    **viewing.COMMANDS,
    **searching.COMMANDS,
    **editing.COMMANDS,
    **string_editor.COMMANDS,
    **running.COMMANDS,
    "submit": Command("submit: hand the repository in as it is; this ends your work", submit),
}


def carry_out(desk: Desk, text: str) -> tuple[str, Turn]:
    """Does what a command says; the words of its answer, never none, and the turn for the rules.

    Raises SandboxLost.
    """
    name, rest = named(text)
    try:
        if name not in COMMANDS:
            raise Refusal(f"there is no such command; there are {', '.join(COMMANDS)}")
        command = COMMANDS[name]
        done = command.run(desk, request(command, rest))
    except Refusal as refusal:
        return f"{name}: {refusal}", Turn("", done=False)
    return done.text or "[done, there is nothing to show]", Turn(done.kind, done.done, path=done.path)


def named(text: str) -> tuple[str, str]:
    """A command's name and what stands behind it."""
    match = re.match(r"\s*(\S+)[ \t]?", text)
    return (match[1], text[match.end() :]) if match else ("", "")


def request(command: Command, rest: str) -> Request:
    """Raises Refusal for quotes that do not close, and for a second line where one is meant."""
    if command.reads == "text":
        return Request((), rest)
    if command.reads == "line" and "\n" in rest.rstrip():
        raise Refusal("one command a turn, on one line; the rest of the block was not understood")
    try:
        return Request(shlex.split(rest), rest)
    except ValueError as error:
        raise Refusal(f"the quotes cannot be read ({error}); write texts with spaces as 'a b'") from error
