"""Checkpoints that are whole or not there: a dotted name, a manifest, then a rename."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from foundation.files import sync

FORMAT, OLDEST = 2, 1
"""Version of what a checkpoint holds, and the oldest that is read.

Raised whenever one version could misread the other's. In 2 states hold no pickled arrays.
"""

MANIFEST, STATE_FILE = "manifest.json", "state.pt"
_NAME = re.compile(r"step_(\d{12})")


class CheckpointFormatError(ValueError):
    """A checkpoint of another version of Breadcrumb."""


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint whose files are all there, with the contents that its manifest says."""

    path: Path
    steps: int

    @property
    def state_file(self) -> Path:
        return self.path / STATE_FILE


def write_checkpoint(folder: Path, steps: int, write: Callable[[Path], None], keep: int = 2) -> Checkpoint:
    """Write one checkpoint; of the older ones the newest `keep - 1` stay.

    Args:
        folder: RUN/checkpoints.
        steps: environment steps so far; an intact checkpoint of the same number of steps is left as
            it is.
        write: writes the files into the empty folder that it is given.
        keep: how many checkpoints may stay, this one included.

    Raises:
        OSError: the disk is full or fails. Nothing that was there before is lost then.
    """
    folder.mkdir(parents=True, exist_ok=True)
    final = folder / f"step_{steps:012d}"
    if final.exists() and _damage(final) is None:
        return Checkpoint(final, steps)
    unfinished = folder / f".{final.name}.{os.getpid()}"
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        unfinished.mkdir()
        write(unfinished)
        files = {file.name: _seal(file) for file in sorted(unfinished.iterdir())}
        manifest = {"format": FORMAT, "steps": steps, "files": files}
        (unfinished / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")
        sync(unfinished / MANIFEST)
        sync(unfinished)
        if final.exists():  # damaged, see above
            _discard(final)
        os.rename(unfinished, final)
        sync(folder)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    for old in _folders(folder)[keep:]:
        if old != final:
            _discard(old)
    return Checkpoint(final, steps)


def latest_checkpoint(folder: Path) -> Checkpoint | None:
    """The newest intact checkpoint, or None; damaged ones are passed over with a warning.

    Raises:
        CheckpointFormatError: it was written by an older or newer version of Breadcrumb.
    """
    for path in _folders(folder):
        damage = _damage(path)
        if damage is None:
            return Checkpoint(path, int(path.name.removeprefix("step_")))
        warnings.warn(f"passing over the damaged checkpoint {path}: {damage}", stacklevel=2)
    return None


def checkpoint_at(path: Path) -> Checkpoint:
    """The checkpoint of a folder, RUN/checkpoints/step_000000081920.

    Raises:
        ValueError: it is none, is damaged, or of another format.
    """
    damage = None if _NAME.fullmatch(path.name) else "its name is not step_ and twelve digits"
    if damage := damage or _damage(path):
        raise ValueError(f"{path} is no whole checkpoint: {damage}")
    return Checkpoint(path, int(path.name.removeprefix("step_")))


def remove_unfinished(folder: Path) -> None:
    """Remove what a killed process left half-written. For who holds the run's lock alone."""
    if folder.is_dir():
        for path in folder.iterdir():
            if path.name.startswith(".step_"):
                shutil.rmtree(path, ignore_errors=True)


def _folders(folder: Path) -> list[Path]:
    """Finished checkpoints, newest first."""
    if not folder.is_dir():
        return []
    return sorted((path for path in folder.iterdir() if _NAME.fullmatch(path.name)), reverse=True)


def _damage(path: Path) -> str | None:
    """What is wrong with a checkpoint, None when it is intact."""
    try:
        manifest = json.loads((path / MANIFEST).read_text())
        version, files = manifest["format"], dict(manifest["files"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"its {MANIFEST} cannot be read ({error})"
    if version not in range(OLDEST, FORMAT + 1):
        age = "an older" if isinstance(version, int) and version < FORMAT else "a newer"
        raise CheckpointFormatError(
            f"{path} was written by {age} version of Breadcrumb (checkpoint format {version}; this one reads formats "
            f"{OLDEST} to {FORMAT}). Resume it with the version that wrote it, or start a new run."
        )
    for name, described in files.items():
        if name in ("", "..") or name != Path(name).name:
            return f"its {MANIFEST} names {name}, which lies outside"
        if not isinstance(described, dict) or set(described) != {"bytes", "sha256"}:
            return f"its {MANIFEST} does not say what {name} holds"
        file = path / name
        if not file.is_file():
            return f"{name} is missing"
        if file.stat().st_size != described["bytes"]:
            return f"{name} has {file.stat().st_size} bytes instead of {described['bytes']}"
        if _sha256(file) != described["sha256"]:
            return f"the contents of {name} are not those that were written"
    return None


def _seal(file: Path) -> dict[str, int | str]:
    sync(file)
    return {"bytes": file.stat().st_size, "sha256": _sha256(file)}


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _discard(path: Path) -> None:
    """Remove a folder such that no moment shows it half-removed under its own name."""
    dotted = path.with_name(f".{path.name}.discarded")
    shutil.rmtree(dotted, ignore_errors=True)
    os.rename(path, dotted)
    shutil.rmtree(dotted, ignore_errors=True)
