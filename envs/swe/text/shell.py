"""Commands of an agent's own, in its sandbox; what they do to files comes back to the workspace."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from envs.swe.sandbox.sandbox import Execution, Sandbox
from envs.swe.text.workspace import LARGEST_FILE, MOST_NEW_FILES, UNREAD, Refusal, Workspace

SECONDS = 30.0
"""A command may take."""


@dataclass(frozen=True)
class Ran:
    """A command's end; `left_out` are new files that were not read back."""

    execution: Execution
    left_out: tuple[str, ...]


class Shell:
    """One sandbox for one episode. It is taken with the first command.

    Files that commands write stay there for later ones, also those that are no text.

    Args:
        take: gives an empty sandbox; may raise SandboxLost.
    """

    def __init__(self, take: Callable[[], Sandbox]) -> None:
        self._take = take
        self._sandbox: Sandbox | None = None
        self._there: dict[str, str] = {}

    def run(self, command: str, workspace: Workspace) -> Ran:
        """Raises SandboxLost; Refusal where the files cannot go in or come out."""
        try:
            sandbox = self._ready(workspace.files)
            execution = sandbox.execute(["bash", "-c", command], SECONDS)
            found = readable(sandbox.tree())
        except ValueError as error:
            raise Refusal(f"the sandbox refuses: {error}") from error
        kept, left_out = within_limits(found, self._there)
        self._there = kept
        if changes := changed(workspace.files, kept):
            workspace.replace(changes)
        return Ran(execution, left_out)

    def _ready(self, files: Mapping[str, str]) -> Sandbox:
        if self._sandbox is None:
            self._sandbox = self._take()
            self._sandbox.reset(files)
        else:
            self._bring(self._sandbox, files)
        self._there = dict(files)
        return self._sandbox

    def _bring(self, sandbox: Sandbox, files: Mapping[str, str]) -> None:
        if gone := sorted(set(self._there) - set(files)):
            sandbox.execute(["rm", "-f", "--", *gone])
        for path, text in files.items():
            if self._there.get(path) != text:
                sandbox.write(path, text.encode())


def readable(tree: Mapping[str, bytes]) -> dict[str, str]:
    """The files that are text, without those that are no source."""
    texts = {}
    for path, content in tree.items():
        if not UNREAD & set(path.split("/")):
            try:
                texts[path] = content.decode()
            except UnicodeDecodeError:
                continue
    return texts


def within_limits(found: Mapping[str, str], before: Mapping[str, str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """What is kept of files that were found, and the new ones that are too large or too many."""
    kept = {path: text for path, text in found.items() if path in before}
    left_out = []
    for path in sorted(set(found) - set(before)):
        if len(found[path]) <= LARGEST_FILE and len(kept) < len(before) + MOST_NEW_FILES:
            kept[path] = found[path]
        else:
            left_out.append(path)
    return kept, tuple(left_out)


def changed(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, str | None]:
    """Path -> text of every file that differs, None for one that is gone."""
    different: dict[str, str | None] = {path: text for path, text in after.items() if before.get(path) != text}
    return different | dict.fromkeys(set(before) - set(after))
