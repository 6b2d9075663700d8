"""Lines of a file as an editor counts them: from 1, each with the ending that it has."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+")
ENDINGS = {"\n": "LF", "\r\n": "CRLF", "\r": "CR"}


def lines_of(text: str) -> list[str]:
    r"""With their endings, as Python's compiler counts them: a form feed ends no line.

    >>> lines_of("a\r\nb\x0c\n\nend")
    ['a\r\n', 'b\x0c\n', '\n', 'end']
    """
    return _LINE.findall(text)


def bare(line: str) -> str:
    """Without its ending."""
    return line.rstrip("\r\n")


def ending_of(lines: Sequence[str]) -> str:
    """The ending that most lines have; a line feed where none has any."""
    counts = Counter(line[len(bare(line)) :] for line in lines)
    del counts[""]
    return counts.most_common(1)[0][0] if counts else "\n"


def with_lines(text: str, first: int, last: int, written: str) -> str:
    r"""A text whose lines `first` to `last` are those of `written`; with none, they are gone.

    New lines get the ending that the file's lines have, and a file without one at its end stays so.
    `first` may be one past the last line: then the lines are added.

    >>> with_lines("a\r\nb", 2, 2, "c\nd\n")
    'a\r\nc\r\nd'
    """
    lines = lines_of(text)
    ending = ending_of(lines)
    new = [bare(line) + ending for line in lines_of(written)]
    kept_before, kept_after = lines[: first - 1], lines[last:]
    if kept_before and bare(kept_before[-1]) == kept_before[-1] and (new or kept_after):
        kept_before[-1] += ending
    ended = not lines or bare(lines[-1]) != lines[-1]
    if new and not kept_after and not ended:
        new[-1] = bare(new[-1])
    return "".join([*kept_before, *new, *kept_after])


@dataclass(frozen=True)
class Change:
    """Where two texts differ, in lines: `first` to `last` of the old, and what stands there now.

    `last` is `first - 1` where lines only came in.
    """

    first: int
    last: int
    lines: tuple[str, ...]

    @property
    def added(self) -> int:
        """How many lines more there are."""
        return len(self.lines) - (self.last - self.first + 1)


def change_of(before: str, after: str) -> Change:
    """The one stretch of lines in which two texts differ."""
    old, new = lines_of(before), lines_of(after)
    start = _alike(old, new)
    end = min(_alike(old[::-1], new[::-1]), len(old) - start, len(new) - start)
    return Change(start + 1, len(old) - end, tuple(new[start : len(new) - end]))


def _alike(one: Sequence[str], other: Sequence[str]) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))
