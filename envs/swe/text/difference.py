"""A unified diff of two trees, as git and patch take it."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from envs.swe.tasks.task import Tree

_NO_END = "\n\\ No newline at end of file\n"


def difference(before: Tree, after: Tree) -> str:
    r"""What makes the second of the first; "" where they are the same.

    >>> print(difference({"a": "1\n"}, {"a": "2"}), end="")
    --- a/a
    +++ b/a
    @@ -1 +1 @@
    -1
    +2
    \ No newline at end of file
    """
    return "".join(
        line
        for path in sorted({*before, *after})
        if before.get(path) != after.get(path)
        for line in _of_file(path, before.get(path), after.get(path))
    )


def _of_file(path: str, old: str | None, new: str | None) -> Iterator[str]:
    names = ("/dev/null" if old is None else f"a/{path}", "/dev/null" if new is None else f"b/{path}")
    if old is None:
        yield f"diff --git a/{path} b/{path}\nnew file mode 100644\n"
    elif new is None:
        yield f"diff --git a/{path} b/{path}\ndeleted file mode 100644\n"
    for line in difflib.unified_diff(_lines(old or ""), _lines(new or ""), *names):
        yield line if line.endswith("\n") else line + _NO_END


def _lines(text: str) -> list[str]:
    """Lines as git counts them: by line feeds alone."""
    lines = text.split("\n")
    return [f"{line}\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])
