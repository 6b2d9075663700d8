"""Sandboxes that are containers of a Docker Engine, wherever it runs (DOCKER_HOST)."""

from __future__ import annotations

import contextlib
import os
import socket
import weakref
from pathlib import Path
from typing import Any

import docker
import docker.errors
import docker.types
import requests

from envs.swe.sandbox.channel import ChannelClosed, ExecChannel
from envs.swe.sandbox.image import host_image
from envs.swe.sandbox.sandbox import Limits, SandboxLost
from envs.swe.sandbox.worker_sandbox import ROOT, SCRATCH, WorkerSandbox, start_worker, worker_command

LABEL, OWNER = "breadcrumb.sandbox", "breadcrumb.owner"
AGENT = "1000:1000"
SUPERVISORS = 4
"""Processes of a container that are no command's: init, sleep, the worker, one that starts."""
ENGINE_ERRORS = (docker.errors.DockerException, requests.RequestException, OSError)
HELP = (
    "start a Docker Engine, or name one by DOCKER_HOST. Without an init system, as root: "
    "mkdir engine; dockerd --data-root $PWD/engine/data --exec-root $PWD/engine/exec --pidfile $PWD/engine/pid "
    "-H unix://$PWD/engine/docker.sock --iptables=false --bridge=none & "
    "export DOCKER_HOST=unix://$PWD/engine/docker.sock "
    "(Debian: apt-get install docker.io; envs.swe.sandbox.engine.LocalEngine does the same)"
)


class DockerSandbox(WorkerSandbox):
    """A tree on a file system in memory, in a container without network, rights or a writable root.

    The main process of the container is root's and does nothing; the worker and every command are
    another user's, who holds no capability and can gain none.

    Args:
        limits: what a program may take.
        image: a name that the Engine knows, with `python3` and `sleep` on its PATH; this machine's
            Python (`envs.swe.sandbox.image`) by default.
        client: an Engine; by default the one of DOCKER_HOST.

    Raises:
        ValueError: no Engine answers, or it does not start the image; says what to do.
    """

    def __init__(
        self, limits: Limits | None = None, image: str = "", client: docker.DockerClient | None = None
    ) -> None:
        super().__init__(limits or Limits())
        self._client = client or connect()
        try:
            image = image or host_image().load(self._client)
            self._container = self._client.containers.create(image, ["sleep", "infinity"], **settings(self.limits))
        except docker.errors.ImageNotFound as error:
            raise ValueError(
                f"image={image!r}: the Engine has no such image. Pull it there, or leave it out"
            ) from error
        except ENGINE_ERRORS as error:
            raise ValueError(f"the Docker Engine did not make a container: {error}. If it is gone: {HELP}") from error
        self._finalizer = weakref.finalize(self, remove, self._client, self._container.id, os.getpid())
        try:
            self._container.start()
            self._channel = self._worker()
        except (*ENGINE_ERRORS, ChannelClosed) as error:
            self.close()
            raise ValueError(
                f"image={image!r} did not start: {error}. It needs python3 and sleep on its PATH"
            ) from error

    def _worker(self) -> ExecChannel:
        """Raises ChannelClosed and the Engine's errors."""
        api = self._client.api
        made = api.exec_create(self._container.id, worker_command(), stdin=True, user=AGENT, workdir="/")
        stream = api.exec_start(made["Id"], socket=True)
        channel = ExecChannel(getattr(stream, "_sock", stream), stream)
        start_worker(channel, self._settings())
        return channel

    def _reopen(self) -> ExecChannel | None:
        try:
            return self._worker()
        except (*ENGINE_ERRORS, ChannelClosed):
            return None

    def _lost(self, error: Exception) -> SandboxLost:
        try:
            self._container.reload()
            state = f"its container is {self._container.status}"
        except ENGINE_ERRORS as unreachable:
            state = f"the Docker Engine does not answer ({unreachable})"
        return super()._lost(RuntimeError(f"{error}; {state}"))

    def _end(self) -> None:
        if finalizer := getattr(self, "_finalizer", None):
            finalizer()


def connect(timeout: float = 60, host: str = "") -> docker.DockerClient:
    """The Engine at `host`, or that of DOCKER_HOST. Raises ValueError, with how to get one."""
    try:
        client = docker.DockerClient(host, timeout=timeout) if host else docker.from_env(timeout=timeout)
        client.ping()
    except ENGINE_ERRORS as error:
        raise ValueError(f"no Docker Engine answers: {error}. What to do: {HELP}") from error
    return client


def unavailable() -> str:
    """Why there is no Engine here; "" where there is."""
    try:
        connect(5).close()
    except ValueError as error:
        return str(error)
    return ""


def settings(limits: Limits) -> dict[str, Any]:
    """Arguments of `docker.models.containers.ContainerCollection.create`."""
    own = "uid=1000,gid=1000,nosuid,nodev"
    tmpfs = {ROOT: f"size={limits.disk_mib}m,nr_inodes={limits.files},mode=700,exec,{own}"}
    tmpfs |= dict.fromkeys(SCRATCH, f"size=16m,nr_inodes=4000,mode=700,exec,{own}")
    sizes = {"core": 0, "fsize": limits.file_mib << 20, "nofile": 1024}
    return {
        "labels": {LABEL: "1", OWNER: owner()},
        "network_mode": "none",
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "read_only": True,
        "tmpfs": tmpfs,
        "mem_limit": f"{limits.memory_mib}m",
        "memswap_limit": f"{limits.memory_mib}m",
        "pids_limit": limits.processes + SUPERVISORS,
        "ulimits": [docker.types.Ulimit(name=name, soft=most, hard=most) for name, most in sizes.items()],
        "log_config": docker.types.LogConfig(type="none"),
        "init": True,
        "user": "0:0",
        "hostname": "sandbox",
        "working_dir": "/",
    }


def remove(client: docker.DockerClient, container: str, owner_pid: int) -> None:
    """A container and all that is in it; nothing where it is gone already, or in a fork's copy."""
    if os.getpid() == owner_pid:
        with contextlib.suppress(*ENGINE_ERRORS):
            client.api.remove_container(container, force=True, v=True)


def clean_strays(client: docker.DockerClient | None = None, everything: bool = False) -> int:
    """Removes containers whose process on this machine is gone; how many.

    With `everything`, all that this program ever made, those in use and of other machines too.
    """
    client = client or connect()
    strays = [
        container
        for container in client.containers.list(all=True, filters={"label": LABEL}, ignore_removed=True)
        if everything or abandoned(container.labels.get(OWNER, ""))
    ]
    for container in strays:
        with contextlib.suppress(docker.errors.NotFound):
            container.remove(force=True, v=True)
    return len(strays)


def owner() -> str:
    """This process: machine, id and when it started, as ids come again."""
    return f"{socket.gethostname()}:{os.getpid()}:{_started(os.getpid())}"


def abandoned(name: str) -> bool:
    machine, _, rest = name.rpartition(":")[0].rpartition(":")
    started = name.rpartition(":")[2]
    return machine == socket.gethostname() and rest.isdigit() and _started(int(rest)) != started


def _started(pid: int) -> str:
    """Clock ticks since the machine started, field 22 of proc(5)'s stat; "" for no process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return ""
