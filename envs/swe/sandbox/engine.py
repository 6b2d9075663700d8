"""A Docker Engine of one's own, for machines where none runs."""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import IO

import docker

from envs.swe.sandbox.docker import ENGINE_ERRORS, connect

START_SECONDS = 60.0
DETACH = 2
"""umount2's MNT_DETACH."""


class LocalEngine:
    """dockerd with all that it has in one folder, which goes with it.

    No bridge and no rules for packets: containers have no network anyway. A context manager; it is
    closed at the interpreter's end too, and dockerd ends when the thread that started it does.

    Attributes:
        host: what DOCKER_HOST has to be to reach it.

    Raises:
        ValueError: dockerd or the rights to run it are missing, or it does not start.
    """

    def __init__(self) -> None:
        if reason := unavailable():
            raise ValueError(f"no Docker Engine can be started here: {reason}")
        self.folder = Path(tempfile.mkdtemp(prefix="breadcrumb-engine-"))
        self.host = f"unix://{self.folder}/docker.sock"
        self._owner = os.getpid()
        self.log = self.folder / "log"
        with self.log.open("wb") as log:
            self.process = start(self.folder, self.host, log)
        atexit.register(self.close)
        self._wait()

    def client(self, timeout: float = 60) -> docker.DockerClient:
        """Raises ValueError where the Engine is gone."""
        return connect(timeout, self.host)

    def close(self) -> None:
        """Ends containers, Engine, mounts and files. May be called twice."""
        if os.getpid() != self._owner or not self.folder.exists():
            return
        atexit.unregister(self.close)
        self._remove_containers()
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        end_processes(self.folder)
        unmount(self.folder)
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> LocalEngine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _remove_containers(self) -> None:
        """Quicker than dockerd's own end, which asks each container and waits ten seconds."""
        with contextlib.suppress(ValueError, *ENGINE_ERRORS):
            client = self.client(10)
            for container in client.api.containers(quiet=True, all=True):
                client.api.remove_container(container["Id"], force=True, v=True)
            client.close()

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            with contextlib.suppress(ValueError):
                self.client(5).close()
                return
            time.sleep(0.05)
        said = "\n".join(self.log.read_text(errors="replace").splitlines()[-5:])
        self.close()
        raise ValueError(f"dockerd did not start within {START_SECONDS:g} s. Its last words: {said}")


def unavailable() -> str:
    """Why no Engine can be started here; "" where one can."""
    if os.geteuid() != 0:
        return "it needs root. Name a running one by DOCKER_HOST, or use bubblewrap"
    for program in ("dockerd", "setpriv"):
        if shutil.which(program, path=_path()) is None:
            return f"{program} is not on PATH. On Debian and Ubuntu: apt-get install docker.io"
    return ""


def start(folder: Path, host: str, log: IO[bytes]) -> subprocess.Popen[bytes]:
    words = [str(shutil.which("setpriv", path=_path())), "--pdeathsig", "TERM"]
    words += [str(shutil.which("dockerd", path=_path())), "--host", host, "--iptables=false", "--bridge=none"]
    words += ["--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec", "--pidfile", f"{folder}/pid"]
    environment = {"PATH": _path(), "HOME": str(folder), "TMPDIR": str(folder)}
    return subprocess.Popen(
        words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, start_new_session=True
    )


def end_processes(folder: Path) -> None:
    """containerd, its shims and what runs in containers, if dockerd left any.

    Somebody may have asked for a container while the Engine ended: nobody owns it then.
    """
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if int(entry.name) != os.getpid() and _belongs(entry, f"{folder}/"):
                os.kill(int(entry.name), signal.SIGKILL)


def _belongs(process: Path, folder: str) -> bool:
    """Does its command line name the folder, or does its root lie there?"""
    if folder.encode() in (process / "cmdline").read_bytes():
        return True
    mounts = (process / "mountinfo").read_text(errors="replace").splitlines()
    return any(line.split()[4] == "/" and f"upperdir={folder}" in line for line in mounts)


def unmount(folder: Path) -> None:
    """Whatever is mounted under a folder, the newest first."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    points = [line.split()[4].replace("\\040", " ") for line in lines]
    libc = ctypes.CDLL(None)
    for point in reversed(points):
        if point.startswith(f"{folder}/"):
            libc.umount2(point.encode(), DETACH)


def _path() -> str:
    """Daemons lie in folders that a person's PATH may lack."""
    return f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin"
