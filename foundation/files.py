"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def whole_file(path: Path, *, durable: bool = False) -> Iterator[Path]:
    """A place to write to, renamed to `path` when the block ends well.

    A reader sees the old file or the new.

    The folder is made. The place has the suffix of `path`, which some writers go by.

    Args:
        path: of the file.
        durable: the contents reach the disk itself before the name does.

    Raises:
        OSError: it cannot be written; the old file, if any, is as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        yield part
        if durable:
            sync(part)
        part.replace(path)
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def replace_text(path: Path, text: str, *, durable: bool = False) -> None:
    """Write a text; see `whole_file`."""
    with whole_file(path, durable=durable) as part:
        part.write_text(text, encoding="utf-8")


def replace_json(path: Path, content: Any, *, durable: bool = False) -> None:
    """Write `content` as JSON. Raises ValueError for NaN or infinity, which JSON does not know."""
    replace_text(path, json.dumps(content, indent=1, allow_nan=False) + "\n", durable=durable)


def sync(path: Path) -> None:
    """Bring a file or folder to the disk itself."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
