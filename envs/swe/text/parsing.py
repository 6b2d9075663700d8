"""The one command in what a language model answers, as mini-swe-agent reads it."""

from __future__ import annotations

import re
from collections.abc import Collection

_OPENING = re.compile(r"[ \t]*(`{3,})[^`]*")
FORMAT = (
    "Answer with what you think, if you like, and exactly one command, in one block between two lines of three "
    "backticks:\n\n```\nsearch_dir WORD\n```"
)


class FormatError(ValueError):
    """An answer that is no action; says what one looks like."""


def command_of(answer: str, names: Collection[str]) -> str:
    """The command of an answer: the inside of its one fenced block, or the whole of an answer that
    is nothing but a command.

    >>> command_of("I look around.\\n```\\nls\\n```", ["ls"])
    'ls'
    >>> command_of("open a.py 3", ["open"])
    'open a.py 3'

    Raises:
        FormatError: there is none, or more than one.
    """
    answer = answer.replace("\r\n", "\n")
    blocks = blocks_of(answer)
    if len(blocks) > 1:
        raise FormatError(f"Your answer has {len(blocks)} blocks. {FORMAT}")
    if blocks:
        if not blocks[0].strip():
            raise FormatError(f"The block of your answer is empty. {FORMAT}")
        return blocks[0]
    words = answer.split(maxsplit=1)
    if not words:
        raise FormatError(f"Your answer is empty. {FORMAT}")
    if words[0] not in names:
        raise FormatError(f"Your answer has no block with a command. {FORMAT}")
    return answer.strip("\n")


def blocks_of(answer: str) -> list[str]:
    """What stands in its fenced blocks; one that does not close is none."""
    blocks: list[str] = []
    fence, inside = "", list[str]()
    for line in answer.split("\n"):
        if not fence:
            opening = _OPENING.fullmatch(line)
            fence, inside = (opening[1] if opening else ""), []
        elif line.strip() == fence:
            blocks.append("\n".join(inside))
            fence = ""
        else:
            inside.append(line)
    return blocks
