"""What the sandboxes of this process hold: the same after their end as before their beginning."""

from __future__ import annotations

import os
from pathlib import Path

import docker


def leavings(client: docker.DockerClient | None = None) -> dict[str, list[str]]:
    """Containers, processes, mounts, control groups and files.

    Args:
        client: of the Engine whose containers count, and whose own mounts do not; None: bubblewrap
            alone.
    """
    own = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    folder = None if client is None else _folder(client)
    programs = [Path(f"/proc/{pid}/comm").read_text().strip() for pid in own]
    return {
        "containers": sorted(item.id for item in client.containers.list(all=True)) if client else [],
        "processes": sorted(name for name in programs if name in ("sh", "bwrap")),
        "mounts": [line for line in mounts if "breadcrumb-engine" not in line or (folder and folder in line)],
        "groups": sorted(map(str, Path("/sys/fs/cgroup").glob(f"*/breadcrumb/{os.getpid()}-*"))),
        "files": sorted(path.name for path in Path("/var/tmp").glob("breadcrumb-*/tmp*")),
    }


def _folder(client: docker.DockerClient) -> str | None:
    path = getattr(client.api.get_adapter(client.api.base_url), "socket_path", None)
    return None if path is None else str(Path(path).parent)
