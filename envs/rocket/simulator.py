"""RocketSim, initialised once a process: its collision meshes cannot be changed afterwards."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from envs.rocket.meshes import mesh_folder, read_cmf

TICKS_PER_SECOND = 120
TICK_SKIP = 8
"""Ticks between two decisions, unless told: the community's, 15 decisions a second."""

GOAL_LINE = 5124.25 + 91.25  # y of the ball's centre beyond which RocketSim counts a goal

_lock = threading.Lock()
_loaded: Path | None = None


def simulator(mesh_dir: str | Path | None = None) -> Any:
    """The module RocketSim, ready.

    Args:
        mesh_dir: a folder with soccar/*.cmf dumped from the game; None for our own, made at first
            use.

    Raises:
        ValueError: the folder has no such meshes, a mesh is broken, or this process has another
            folder's already.
    """
    import RocketSim  # type: ignore[import-not-found]

    global _loaded
    with _lock:
        folder = (mesh_folder() if mesh_dir is None else Path(mesh_dir)).resolve()
        if _loaded is not None:
            if folder != _loaded:
                raise ValueError(
                    f"mesh_dir={folder}: this process plays with the meshes of {_loaded} already, and RocketSim reads "
                    "meshes once; start another process for others"
                )
            return RocketSim
        files = sorted((folder / "soccar").glob("*.cmf"))
        if not files:
            raise ValueError(
                f"mesh_dir={folder}: there are no collision meshes in its folder soccar (*.cmf); dump them from the "
                "game with RLArenaCollisionDumper, or leave mesh_dir out for ours"
            )
        for file in files:
            read_cmf(file)  # RocketSim would end the process' hopes at its first step
        RocketSim.init(str(folder))
        _loaded = folder
        return RocketSim
