"""Sandboxes of Linux namespaces alone: no Engine, no image to import, a start of some 50 ms.

Weaker than a container in one way: without root there is no control group, and memory is limited
for each process (RLIMIT_AS) instead of for all.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import weakref
from pathlib import Path
from typing import Any

from envs.swe.sandbox.channel import ChannelClosed, ProcessChannel
from envs.swe.sandbox.control_group import ControlGroup
from envs.swe.sandbox.image import host_image
from envs.swe.sandbox.sandbox import Limits
from envs.swe.sandbox.worker_sandbox import ROOT, SCRATCH, WorkerSandbox, start_worker, worker_command

NOBODY = 65_530
"""The user that root becomes before bubblewrap starts: between systemd's dynamic users and nobody.

Root that starts bubblewrap with --uid 1000 is still root for files of the host in a bind mount
(tried with bubblewrap 0.8): a file of mode 600 could be read and written.
"""
SUPERVISORS = 4
"""Processes of a group that are no command's: sh, bubblewrap, the worker, one that starts."""


class BubblewrapSandbox(WorkerSandbox):
    """A tree on file systems in memory, in namespaces of its own for everything.

    Args:
        limits: what a program may take.
        root: a folder with the file system that commands see, read only; this machine's Python
            (`envs.swe.sandbox.image`) by default.

    Raises:
        ValueError: bubblewrap is missing, too old or may not do what it must; says what to do.
    """

    def __init__(self, limits: Limits | None = None, root: Path | None = None) -> None:
        super().__init__(limits or Limits())
        if reason := unavailable():
            raise ValueError(f"no bubblewrap sandbox: {reason}")
        root = root or host_image().unpack()
        self._group = self._control_group()
        settings: dict[str, Any] = {"mount": True}
        if self._group is None:
            settings |= {"address_mib": self.limits.memory_mib, "processes": self.limits.processes + SUPERVISORS}
        command = [*joining(self._group), *unprivileged(), *namespaces(root), *worker_command()]
        self._channel = channel = ProcessChannel(command)
        self._finalizer = weakref.finalize(self, end, channel, self._group, os.getpid())
        self._start(channel, self._settings(**settings))

    def _start(self, channel: ProcessChannel, settings: str) -> None:
        try:
            reply = start_worker(channel, settings)
        except ChannelClosed as error:
            channel.process.kill()
            said = channel.process.communicate()[1].decode(errors="replace").strip()
            self.close()
            raise ValueError(f"the sandbox did not start: {said or error}. {HELP}") from error
        if not reply["seccomp"]:
            self.close()
            raise ValueError("the seccomp filter is written for x86-64 alone: use Docker on this machine")

    def _control_group(self) -> ControlGroup | None:
        try:
            return ControlGroup(self.limits.memory_mib, self.limits.processes + SUPERVISORS)
        except OSError:
            return None

    def _end(self) -> None:
        if finalizer := getattr(self, "_finalizer", None):
            finalizer()


HELP = "On Debian and Ubuntu: apt-get install bubblewrap (0.8 or newer), with unprivileged user namespaces allowed"


def unavailable() -> str:
    """Why there is no bubblewrap here; "" where there is."""
    for program in ("bwrap", *(["setpriv"] if os.geteuid() == 0 else [])):
        if shutil.which(program) is None:
            return f"{program} is not on PATH. {HELP}"
    options = subprocess.run(["bwrap", "--help"], capture_output=True, text=True, check=False).stdout
    return "" if "--disable-userns" in options else f"bwrap is older than 0.8: it has no --disable-userns. {HELP}"


def joining(group: ControlGroup | None) -> list[str]:
    """Words that enter a control group and then run what follows.

    The shell stays as the parent: --die-with-parent means the *thread* that started bubblewrap,
    and a thread of a pool may well end before its sandbox does.
    """
    files = [str(path) for path in group.joins] if group else []
    script = 'while [ "$1" != -- ]; do echo $$ > "$1"; shift; done; shift; "$@"; exit $?'
    return ["/bin/sh", "-c", script, "sandbox", *files, "--"]


def unprivileged() -> list[str]:
    if os.geteuid() != 0:
        return []
    return [str(shutil.which("setpriv")), f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]


def namespaces(root: Path) -> list[str]:
    """bubblewrap's words. CAP_SYS_ADMIN, over the namespaces alone, is for the worker, which mounts
    the tree's file system with a limit on files and gives it up before it takes a request. It is
    process 1 itself: bubblewrap's own would let a command write its memory (/proc/1/mem), and
    would outlive a reset with what was written there."""
    words = [str(shutil.which("bwrap")), "--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent"]
    words += ["--new-session", "--as-pid-1", "--uid", "1000", "--gid", "1000", "--hostname", "sandbox"]
    words += ["--cap-drop", "ALL", "--cap-add", "CAP_SYS_ADMIN", "--ro-bind", str(root), "/"]
    words += ["--proc", "/proc", "--dev", "/dev", "--remount-ro", "/dev", "--chdir", "/", "--clearenv"]
    for folder in (ROOT, *SCRATCH):
        words += ["--size", "4096", "--tmpfs", folder] if folder != "/dev/shm" else []
    return [*words, "--setenv", "PATH", "/usr/local/bin:/usr/bin:/bin", "--"]


def end(channel: ProcessChannel, group: ControlGroup | None, owner: int) -> None:
    """The worker's pipe closes, its namespaces end with it; what does not is killed."""
    if os.getpid() != owner:  # a fork's copy of the sandbox
        return
    channel.close()
    try:
        channel.process.wait(2)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(OSError):
            channel.process.kill()
        channel.process.wait(10)
    if group is not None:
        group.close()
