"""What an agent may read: printable ASCII of a bounded length."""

from __future__ import annotations

import re

CHARACTERS = "".join(map(chr, range(0x20, 0x7F))) + "\n\t"
"""The charset of both spaces; whatever else there is, is written as a backslash escape."""
LONGEST = 16_000
"""Characters of an observation."""
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def escaped(text: str) -> str:
    r"""Everything but printable ASCII, line feeds and tabs as escapes of Python's.

    >>> escaped("caf\xe9\r\n")
    'caf\\xe9\\r\n'
    """
    ascii_alone = text.encode("ascii", "backslashreplace").decode("ascii")
    return _CONTROL.sub(lambda match: ascii(match[0])[1:-1], ascii_alone)


def clipped(text: str, most: int = LONGEST) -> str:
    """Head and tail of a text that is too long, and how much is missing between them.

    >>> clipped("a" * 50 + "b" * 50, 60)
    'aaaaaaaaaaaaaaaa\\n[67 characters left out]\\nbbbbbbbbbbbbbbbbb'
    """
    if len(text) <= most:
        return text
    room = most - len(_left_out(len(text)))
    head, tail = room // 2, room - room // 2
    return text[:head] + _left_out(len(text) - room) + text[len(text) - tail :]


def observed(text: str, most: int = LONGEST) -> str:
    """A text as an observation."""
    return clipped(escaped(text), most)


def _left_out(count: int) -> str:
    return f"\n[{count} characters left out]\n"
