"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
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


def read_json(path: Path) -> dict[str, Any]:
    """A JSON file that holds an object.

    Raises:
        ValueError: it is damaged, or holds something else; names the file.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:  # bytes that are no text are one, too
        raise ValueError(f"{path} is damaged: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} is damaged: it holds no JSON object")
    return content


def folder_for(out: str | Path, names: Sequence[str] = ()) -> Path:
    """The folder of ``out=``, to which files of these names can be written; makes nothing there.

    For who works long before there is something to write.

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


def sync(path: Path) -> None:
    """Bring a file or folder to the disk itself."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
