"""Unified diffs from people who may mean ill: looked at here, applied only in a sandbox."""

from __future__ import annotations

import re

import unidiff

from envs.swe.sandbox.sandbox import Sandbox
from envs.swe.sandbox.worker_sandbox import relative

MOST_BYTES, MOST_FILES, MOST_HUNKS = 1 << 20, 100, 1000
REFUSED = {
    r"^GIT binary patch|^Binary files ": "holds a binary file",
    r"^(old|new) mode |^new file mode (?!100)|^deleted file mode (?!100)": "changes what kind of file something is",
    r"^Subproject commit |^[-+]Subproject commit ": "changes a submodule",
}
"""Pattern of a line outside text -> what is wrong with it."""
WAYS = (
    ("git", "apply", "--verbose", "-"),
    ("patch", "--batch", "--no-backup-if-mismatch", "--fuzz=5", "-p1"),
)
"""As SWE-bench tries them, but for its --reject, which leaves half a patch to the next."""


def checked_patch(text: str) -> list[str]:
    """The paths that a patch touches.

    Raises ValueError for one that is too large, is no unified diff, leads out of the tree or holds
    anything but changes of text.
    """
    if len(text.encode(errors="replace")) > MOST_BYTES:
        raise ValueError(f"the patch has more than {MOST_BYTES} bytes")
    for pattern, wrong in REFUSED.items():
        if re.search(pattern, text, re.MULTILINE):
            raise ValueError(f"the patch {wrong}: expected changes of text alone")
    try:
        files = unidiff.PatchSet.from_string(text)
    except (unidiff.UnidiffParseError, ValueError, IndexError) as error:
        raise ValueError(f"the patch is no unified diff: {error}") from error
    if len(files) > MOST_FILES or sum(map(len, files)) > MOST_HUNKS:
        raise ValueError(f"the patch has more than {MOST_FILES} files or {MOST_HUNKS} hunks")
    if not files:
        raise ValueError("the patch changes no file: expected a unified diff with --- and +++ lines")
    return [relative(path) for file in files for path in sorted(_paths(file))]


def apply_patch(sandbox: Sandbox, text: str) -> bool:
    """Whether it fits the sandbox's tree; where it does not, the tree may be half changed."""
    return any(sandbox.execute(way, stdin=text.encode()).returncode == 0 for way in WAYS)


def _paths(file: unidiff.PatchedFile) -> set[str]:
    names = {file.source_file, file.target_file} - {"/dev/null"}
    return {re.sub(r"^[ab]/", "", name) for name in names}
