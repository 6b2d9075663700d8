"""Limits on memory and processes that the kernel keeps for a group (cgroups, versions 1 and 2)."""

from __future__ import annotations

import contextlib
import os
import time
import uuid
from pathlib import Path

PARENT = "breadcrumb"


class ControlGroup:
    """A group for one sandbox; `joins` are the files that take a process's id.

    Raises OSError where this user may not make one.
    """

    def __init__(self, memory_mib: int, processes: int, root: Path = Path("/sys/fs/cgroup")) -> None:
        self.folders: list[Path] = []
        remove_abandoned(root)
        name = f"{PARENT}/{os.getpid()}-{uuid.uuid4().hex[:8]}"
        try:
            if (root / "cgroup.controllers").exists():
                self._version_2(root, name, memory_mib << 20, processes)
            else:
                self._version_1(root, name, memory_mib << 20, processes)
        except OSError:
            self.close()
            raise

    @property
    def joins(self) -> list[Path]:
        return [folder / "cgroup.procs" for folder in self.folders]

    def close(self) -> None:
        """Ends what is left in the group, and the group. May be called twice."""
        folders, self.folders = self.folders, []
        for folder in folders:
            _remove(folder)
            with contextlib.suppress(OSError):  # another group is still there
                folder.parent.rmdir()

    def _version_1(self, root: Path, name: str, memory: int, processes: int) -> None:
        self._make(root / "pids" / name, {"pids.max": processes})
        self._make(root / "memory" / name, {"memory.limit_in_bytes": memory})
        with contextlib.suppress(OSError):  # a kernel without accounting of swap
            (self.folders[-1] / "memory.memsw.limit_in_bytes").write_text(str(memory))

    def _version_2(self, root: Path, name: str, memory: int, processes: int) -> None:
        (root / PARENT).mkdir(exist_ok=True)
        for folder in (root, root / PARENT):
            (folder / "cgroup.subtree_control").write_text("+memory +pids")
        self._make(root / name, {"pids.max": processes, "memory.max": memory, "memory.swap.max": 0})

    def _make(self, folder: Path, values: dict[str, int]) -> None:
        folder.mkdir(parents=True)
        self.folders.append(folder)
        for file, value in values.items():
            if file != "memory.swap.max" or (folder / file).exists():
                (folder / file).write_text(str(value))


def remove_abandoned(root: Path) -> None:
    """Groups of processes that were killed before they could remove them."""
    for pattern in (f"{PARENT}/*-*", f"*/{PARENT}/*-*"):
        for folder in root.glob(pattern):
            if not Path(f"/proc/{folder.name.partition('-')[0]}").exists():
                _remove(folder)


def _remove(folder: Path) -> None:
    """Processes that were killed leave a group a little later."""
    for _ in range(100):
        with contextlib.suppress(OSError, ValueError):
            for pid in (folder / "cgroup.procs").read_text().split():
                os.kill(int(pid), 9)
        with contextlib.suppress(OSError):
            folder.rmdir()
            return
        if not folder.exists():
            return
        time.sleep(0.02)
