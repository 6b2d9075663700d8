"""Unified diffs as text: which files they touch, and their reverse."""

from __future__ import annotations

import re
from collections.abc import Iterator

_HUNK = re.compile(r"@@ -(\d+(?:,(\d+))?) \+(\d+(?:,(\d+))?) @@(.*)", re.DOTALL)
_EXCHANGED = {
    "new file mode": "deleted file mode",
    "deleted file mode": "new file mode",
    "old mode": "new mode",
    "new mode": "old mode",
    "rename from": "rename to",
    "rename to": "rename from",
}


def touched(patch: str) -> tuple[str, ...]:
    """Paths of the files that a patch changes, makes or deletes, in order, each once.

    Raises:
        ValueError: a hunk ends before its lines do.
    """
    found: dict[str, None] = {}
    for part in _parts(patch):
        if isinstance(part, str) and part.startswith(("--- ", "+++ ")) and (path := _path(part)):
            found[path] = None
    return tuple(found)


def reversed_patch(patch: str) -> str:
    """The patch that takes a patch back.

    Raises:
        ValueError: it is binary, has no hunks, or a hunk ends before its lines do.
    """
    if "\nGIT binary patch" in patch or re.search(r"^Binary files .* differ$", patch, re.MULTILINE):
        raise ValueError("the patch is binary, which cannot be taken back here")
    parts = list(_parts(patch))
    if all(isinstance(part, str) for part in parts):
        raise ValueError("the patch has no hunks, so there is nothing to take back")
    outside = [_header(part) if isinstance(part, str) else part for part in parts]
    lines: list[str] = []
    for part in _in_order(outside):
        lines += _turned(part) if isinstance(part, list) else [part]
    return "\n".join(lines)


def _parts(patch: str) -> Iterator[str | list[str]]:
    """Lines outside hunks, and hunks as lists of lines: their headers say how many there are."""
    lines = patch.split("\n")
    place = 0
    while place < len(lines):
        match = _HUNK.fullmatch(lines[place])
        if match is None:
            yield lines[place]
            place += 1
            continue
        end = _end(lines, place + 1, int(match[2] or 1), int(match[4] or 1))
        yield lines[place:end]
        place = end


def _end(lines: list[str], place: int, old: int, new: int) -> int:
    """Where a hunk ends that has so many old and new lines to come."""
    while old > 0 or new > 0 or (place < len(lines) and lines[place].startswith("\\")):
        if place >= len(lines) or lines[place][:1] not in ("", " ", "-", "+", "\\"):
            raise ValueError(f"a hunk of the patch ends too early, in its line {place + 1}")
        sign = lines[place][:1] or " "
        old -= sign in " -"
        new -= sign in " +"
        place += 1
    return place


def _turned(hunk: list[str]) -> list[str]:
    match = _HUNK.fullmatch(hunk[0])
    assert match is not None
    result = [f"@@ -{match[3]} +{match[1]} @@{match[5]}"]
    gone: list[str] = []
    come: list[str] = []
    into = result
    for line in hunk[1:]:
        if line.startswith("+"):
            into = gone
            into.append("-" + line[1:])
        elif line.startswith("-"):
            into = come
            into.append("+" + line[1:])
        elif line.startswith("\\"):
            into.append(line)
        else:
            result += [*gone, *come, line]
            gone, come, into = [], [], result
    return [*result, *gone, *come]


def _header(line: str) -> str:
    for word, other in _EXCHANGED.items():
        if line.startswith(word + " "):
            return other + line[len(word) :]
    if match := re.fullmatch(r"index (\w+)\.\.(\w+)(.*)", line):
        return f"index {match[2]}..{match[1]}{match[3]}"
    if line.startswith(("--- ", "+++ ")):
        return _named("+++ " if line[0] == "-" else "--- ", line[4:])
    if match := re.fullmatch(r"diff --git a/(.+) b/(.+)", line):
        return f"diff --git a/{match[2]} b/{match[1]}"
    return line


def _named(sign: str, name: str) -> str:
    """A path under the other sign, and the other of git's prefixes."""
    if name.startswith(("a/", "b/")):
        name = ("a/" if sign == "--- " else "b/") + name[2:]
    return sign + name


def _in_order(parts: list[str | list[str]]) -> list[str | list[str]]:
    """The line of the old file before that of the new, as they were."""
    result = list(parts)
    for first, second in (("+++ ", "--- "), ("new mode ", "old mode "), ("rename to ", "rename from ")):
        for k in range(len(result) - 1):
            one, other = result[k], result[k + 1]
            if isinstance(one, str) and isinstance(other, str) and one.startswith(first) and other.startswith(second):
                result[k], result[k + 1] = other, one
    return result


def _path(line: str) -> str:
    """The path of a "--- " or "+++ " line, "" for /dev/null."""
    name = line[4:].split("\t")[0].rstrip("\r")
    if name == "/dev/null":
        return ""
    return name[2:] if name.startswith(("a/", "b/")) else name
