"""Where results go, tried before there are any: an evening's points are not lost to a full disk."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path


def folder_for(out: str, names: Sequence[str]) -> Path:
    """The folder of ``out=``, to which files of these names can be written; makes nothing there.

    Raises:
        ValueError: it cannot be made or written, or something there is in a file's way.
    """
    folder = Path(out)
    there = folder.absolute()
    while not there.exists():
        there = there.parent
    if not there.is_dir():
        raise ValueError(f"out={out} cannot be made: {there} is a file. Give another out=.")
    try:
        with tempfile.NamedTemporaryFile(dir=there, prefix=".probe-") as file:
            file.write(bytes(4096))
            file.flush()
    except OSError as error:
        raise ValueError(f"out={out} cannot be written: {error}. Make room or give another out=.") from error
    for name in names:
        if (folder / name).is_dir():
            raise ValueError(f"out={out}: {folder / name} is a folder, and a file of that name is to be written")
    return folder
