"""The files that an agent works on, what it has open, and what it can take back."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field

from envs.swe.sandbox.worker_sandbox import ROOT, relative
from envs.swe.tasks.task import Tree
from envs.swe.text.lines import lines_of

WINDOW = 100
"""Lines that are shown at once."""
LARGEST_FILE = 1 << 20
"""Characters of a file that a command may write; judges look at no larger ones."""
MOST_NEW_FILES = 1000
UNREAD = frozenset({".git", "__pycache__", ".pytest_cache", ".mypy_cache", ".hypothesis"})
"""Folders that are no part of a tree: no source, or what could bring an answer."""


class Refusal(ValueError):
    """A command that cannot be done; its words are for the agent."""


@dataclass
class Workspace:
    """A tree under work. Nothing of it lies on the host's disk.

    Attributes:
        files: path -> text, as they are now.
        opened: path of the open file, or "".
        top: the first line that is shown of it, from 1.
    """

    files: dict[str, str]
    opened: str = ""
    top: int = 1
    _history: list[dict[str, str | None]] = field(default_factory=list)
    _most_files: int = 0

    def __post_init__(self) -> None:
        self._most_files = len(self.files) + MOST_NEW_FILES

    def text(self, path: str) -> str:
        """Raises Refusal where there is no such file."""
        if path in self.files:
            return self.files[path]
        if self.is_folder(path):
            raise Refusal(f"{path or '.'} is a folder; name a file in it (ls {path or '.'} lists them)")
        near = [other for other in sorted(self.files) if posixpath.basename(other) == posixpath.basename(path)]
        raise Refusal(f"there is no file {path}" + (f"; is it {near[0]}?" if near else "; ls lists what there is"))

    def is_folder(self, path: str) -> bool:
        return path == "" or any(other.startswith(f"{path}/") for other in self.files)

    def opened_text(self) -> str:
        """Raises Refusal where no file is open."""
        if not self.opened:
            raise Refusal("no file is open; open one first: open PATH")
        if self.opened not in self.files:
            raise Refusal(f"{self.opened}, which was open, is gone; open another: open PATH")
        return self.files[self.opened]

    def show(self, path: str, line: int = 1) -> None:
        """Opens a file with a line in the middle of the window. Raises Refusal."""
        count = len(lines_of(self.text(path)))
        if not 1 <= line <= max(count, 1):
            raise Refusal(f"line {line} is not in {path}, which has {count} lines, counted from 1")
        self.opened = path
        self.top = max(1, min(line - WINDOW // 2, count - WINDOW + 1))

    def write(self, path: str, text: str) -> None:
        """Raises Refusal for what is too much, and for a path where a folder is or a file leads."""
        if len(text) > LARGEST_FILE:
            raise Refusal(f"{path} would have {len(text)} characters; a file may have {LARGEST_FILE}")
        if path not in self.files:
            self._check_new(path)
        self.replace({path: text})

    def replace(self, changes: Mapping[str, str | None]) -> None:
        """Several files at once, None for one that goes: `undo` takes all of it back."""
        self._history.append({path: self.files.get(path) for path in changes})
        self._set(changes)

    def undo(self) -> list[str]:
        """Takes the last change back; the paths that it was of. Raises Refusal where none is."""
        if not self._history:
            raise Refusal("there is nothing to take back: no file was changed")
        last = self._history.pop()
        self._set(last)
        return sorted(last)

    def undo_of(self, path: str) -> None:
        """Takes the last change of one file back. Raises Refusal where none is."""
        for place in reversed(range(len(self._history))):
            entry = self._history[place]
            if path in entry:
                self._set({path: entry.pop(path)})
                if not entry:
                    del self._history[place]
                return
        raise Refusal(f"there is nothing to take back in {path}: it was not changed")

    def _set(self, changes: Mapping[str, str | None]) -> None:
        for path, text in changes.items():
            if text is None:
                self.files.pop(path, None)
            else:
                self.files[path] = text

    def _check_new(self, path: str) -> None:
        if self.is_folder(path):
            raise Refusal(f"{path or '.'} is a folder")
        if hidden := sorted(UNREAD & set(path.split("/"))):
            raise Refusal(f"files in {hidden[0]} are no part of the repository")
        parents = path.split("/")[:-1]
        for depth in range(1, len(parents) + 1):
            if "/".join(parents[:depth]) in self.files:
                raise Refusal(f"{'/'.join(parents[:depth])} is a file, so {path} cannot lie in it")
        if len(self.files) >= self._most_files:
            raise Refusal(f"there are {len(self.files)} files already, as many as there may be")


def begun(tree: Tree) -> Workspace:
    """A workspace over a copy of a tree."""
    return Workspace(dict(tree))


def located(path: str) -> str:
    """A path of an agent's as one of the tree, "" for its root.

    >>> located("/repo/./pkg/a.py")
    'pkg/a.py'

    Raises:
        Refusal: it leads out of the tree.
    """
    in_root = path == ROOT or path.startswith(f"{ROOT}/")
    inside = path.removeprefix(ROOT).lstrip("/") if in_root else path
    names = [name for name in inside.removesuffix("/").split("/") if name != "."]
    if not inside or not names:
        return ""
    try:
        return relative("/".join(names))
    except ValueError:
        raise Refusal(f"{path!r} does not lie in the repository: name a path from its root, without ..") from None
