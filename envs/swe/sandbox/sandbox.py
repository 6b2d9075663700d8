"""What a sandbox is: a small machine with a tree of files, on which commands run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from envs.swe.tasks.task import Tree


@dataclass(frozen=True)
class Limits:
    """What a program may take."""

    memory_mib: int = 256
    processes: int = 64
    disk_mib: int = 64
    files: int = 20_000
    file_mib: int = 32
    output_kib: int = 1024
    seconds: float = 10.0


@dataclass(frozen=True)
class Execution:
    """What a command came to.

    `output` is stdout and stderr together, the first `Limits.output_kib`; `returncode` is 137 after
    a kill.
    """

    returncode: int
    output: bytes
    timed_out: bool = False
    truncated: bool = False


class SandboxLost(RuntimeError):
    """The sandbox is gone: its episode is truncated and never scored; the pool brings another."""


class Sandbox(ABC):
    """One tree, one agent. Every call may raise SandboxLost.

    Attributes:
        tainted: something happened that a reset does not undo for certain; a pool does not hand
            such a sandbox out again.
    """

    tainted: bool = False

    @abstractmethod
    def reset(self, tree: Tree) -> None:
        """Nothing of what was there stays: no file, no process."""

    @abstractmethod
    def execute(self, argv: Sequence[str], seconds: float | None = None, stdin: bytes = b"") -> Execution:
        """Runs a command in the root of the tree, as nobody in particular.

        Its processes end with it; what it wrote stays.
        """

    @abstractmethod
    def read(self, path: str) -> bytes:
        """A regular file under the tree.

        Raises ValueError for any other path, FileNotFoundError where there is none.
        """

    @abstractmethod
    def write(self, path: str, content: bytes) -> None:
        """Raises ValueError for a path that does not lie under the tree."""

    @abstractmethod
    def tree(self) -> dict[str, bytes]:
        """Every regular file under the root, within the limits."""

    @abstractmethod
    def alive(self) -> bool: ...

    @abstractmethod
    def close(self) -> None:
        """May be called twice."""
