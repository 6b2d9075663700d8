"""What sandboxes share whose inside is a worker: its questions, their limits, its loss."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from envs.swe.sandbox.channel import Channel, ChannelClosed
from envs.swe.sandbox.sandbox import Execution, Limits, Sandbox, SandboxLost
from envs.swe.tasks.task import Tree
from foundation.checks import number, whole

ROOT = "/repo"
SCRATCH = ("/tmp", "/dev/shm")
"""What a command can write besides the tree; 16 MiB and 4,000 files each."""
GRACE = 30.0
"""Seconds that a worker gets beyond a command's limit before it counts as lost."""


START_SECONDS = 60.0


class WorkerSandbox(Sandbox):
    """A sandbox whose commands and files go through `envs.swe.sandbox.worker`.

    A provider starts a worker somewhere (`_open`), ends everything (`_end`) and, where it can,
    starts a second worker beside a tree that is still there (`_reopen`).
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = checked(limits)
        self._channel: Channel | None = None
        self._why = ""

    def reset(self, tree: Tree) -> None:
        contents = {path: text.encode() for path, text in tree.items()}
        for path in contents:
            relative(path)
        files = [(path, len(content)) for path, content in contents.items()]
        self._ask({"do": "reset", "files": files}, b"".join(contents.values()))

    def execute(self, argv: Sequence[str], seconds: float | None = None, stdin: bytes = b"") -> Execution:
        seconds = self.limits.seconds if seconds is None else number("seconds", seconds, above=0)
        command = [str(word) for word in argv]
        if not command or any("\0" in word for word in command):
            raise ValueError(f"argv={command!r}: expected the words of one command, none with a NUL")
        most = self.limits.output_kib << 10
        request = {"do": "execute", "argv": command, "seconds": seconds, "output": most}
        try:
            reply, output = self._open_channel().ask(request, stdin, seconds + GRACE, most)
        except ChannelClosed as error:
            return self._recover(error)
        if "error" in reply:  # it could not even fork
            raise self._lost(RuntimeError(str(reply.get("message"))))
        return Execution(
            int(reply.get("returncode", 137)), output, bool(reply.get("timed_out")), bool(reply.get("truncated"))
        )

    def read(self, path: str) -> bytes:
        return self._ask({"do": "read", "path": relative(path)})[1]

    def write(self, path: str, content: bytes) -> None:
        if len(content) > self.limits.file_mib << 20:
            raise ValueError(f"{path!r}: {len(content)} bytes; a file may have {self.limits.file_mib} MiB")
        self._ask({"do": "write", "path": relative(path)}, content)

    def tree(self) -> dict[str, bytes]:
        reply, content = self._ask({"do": "tree"})
        files, start = {}, 0
        try:
            for path, size in reply["files"]:
                files[relative(path)] = content[start : start + size]
                start += size
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise self._lost(RuntimeError(f"the worker names no files: {error!r}")) from error
        return files

    def alive(self) -> bool:
        if self._channel is None:
            return False
        try:
            self._ask({"do": "hello"})
        except (SandboxLost, ValueError):
            return False
        return True

    def close(self) -> None:
        self._why = self._why or "it was closed"
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()
        self._end()

    @abstractmethod
    def _end(self) -> None:
        """Removes the sandbox; may be called twice."""

    def _reopen(self) -> Channel | None:
        """Another worker for the same tree, or None where that cannot be."""
        return None

    def _recover(self, error: ChannelClosed) -> Execution:
        """A command ended its worker: it counts as killed, and the sandbox as tainted."""
        self.tainted = True
        if self._channel is not None:
            self._channel.close()
        self._channel = self._reopen()
        if self._channel is None:
            raise self._lost(error) from error
        return Execution(137, b"")

    def _ask(self, request: dict[str, Any], payload: bytes = b"") -> tuple[dict[str, Any], bytes]:
        most = (self.limits.disk_mib << 20) + 1
        try:
            reply, content = self._open_channel().ask(request, payload, 2 * GRACE, most)
        except ChannelClosed as error:
            raise self._lost(error) from error
        if reply.get("error") == "missing":
            raise FileNotFoundError(reply.get("message"))
        if "error" in reply:
            raise ValueError(reply.get("message"))
        return reply, content

    def _open_channel(self) -> Channel:
        if self._channel is None:
            raise SandboxLost(f"the sandbox is gone: {self._why or 'it never started'}")
        return self._channel

    def _lost(self, error: Exception) -> SandboxLost:
        self._why = str(error)
        self.close()
        return SandboxLost(f"the sandbox is gone: {error}")

    def _settings(self, **further: Any) -> str:
        own = {"root": ROOT, "scratch": SCRATCH, "mount": False, "address_mib": None, "processes": None}
        sizes = {name: getattr(self.limits, name) for name in ("disk_mib", "files", "file_mib")}
        return json.dumps({**own, **sizes, **further})


STARTER = """
import os
def take(count, text=b""):
    while len(text) < count:
        text += os.read(0, count - len(text)) or os._exit(0)
    return text
exec(compile(take(int(take(8))), "worker", "exec"))
"""


def worker_command(python: str = "python3") -> list[str]:
    """argv of a worker, whose source is the first thing that its pipe brings (`start_worker`)."""
    return [python, "-I", "-S", "-c", STARTER]


def start_worker(channel: Channel, settings: str) -> dict[str, Any]:
    """Sends the program, so that an image needs nothing but a Python; gives what it says of itself.

    Raises ChannelClosed.
    """
    source = Path(__file__).with_name("worker.py").read_text()
    program = f"{source}\nWorker(json.loads({settings!r})).serve()\n".encode()
    channel.send(b"%08d" % len(program) + program)
    return channel.ask({"do": "hello"}, b"", START_SECONDS, 0)[0]


def relative(path: str) -> str:
    """`path`, where it can lie under a root. The worker checks again, link by link."""
    if not path or "\0" in path or any(part in ("", ".", "..") for part in path.split("/")):
        raise ValueError(f"path={path!r}: expected a relative path with / between names, without . and ..")
    return path


def checked(limits: Limits) -> Limits:
    for name in ("memory_mib", "processes", "disk_mib", "files", "file_mib", "output_kib"):
        whole(f"limits.{name}", getattr(limits, name))
    number("limits.seconds", limits.seconds, above=0)
    return limits
