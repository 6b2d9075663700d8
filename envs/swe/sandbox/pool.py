"""Sandboxes that are ready: starting one takes longer than a hundred commands."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from envs.swe.sandbox.sandbox import Sandbox, SandboxLost
from foundation.checks import whole


class Pool:
    """At most `size` sandboxes, made when they are needed and used again after a reset.

    Threads may share a pool. A sandbox that is lost or tainted is closed, and another takes its
    place with the next `take`.

    Args:
        factory: makes a sandbox.
        size: how many there may be at once.
    """

    def __init__(self, factory: Callable[[], Sandbox], size: int = 1) -> None:
        self._factory = factory
        self.size = whole("size", size)
        self._idle: list[Sandbox] = []
        self._taken: list[Sandbox] = []
        self._places = threading.Semaphore(size)
        self._lock = threading.Lock()
        self._closed = False

    def warm(self) -> None:
        """Starts all sandboxes now."""
        taken = [self.take() for _ in range(self.size)]
        for sandbox in taken:
            self.give_back(sandbox)

    def take(self) -> Sandbox:
        """An empty sandbox, for as long as the caller likes; waits until one is free.

        Raises:
            SandboxLost: none can be made; says why.
        """
        self._places.acquire()
        try:
            sandbox = self._ready()
        except BaseException:
            self._places.release()
            raise
        with self._lock:
            self._taken.append(sandbox)
        return sandbox

    def give_back(self, sandbox: Sandbox) -> None:
        """Once for each `take`. Raises ValueError for a sandbox that is none of the pool's."""
        with self._lock:
            if not any(sandbox is taken for taken in self._taken):
                raise ValueError("this sandbox was not taken from this pool, or was given back before")
            self._taken = [taken for taken in self._taken if taken is not sandbox]
            keep = not (self._closed or sandbox.tainted)
        try:
            if keep and emptied(sandbox):
                with self._lock:
                    self._idle.append(sandbox)
            else:
                sandbox.close()
        finally:
            self._places.release()

    @contextmanager
    def lent(self) -> Iterator[Sandbox]:
        """A sandbox for a `with` block."""
        sandbox = self.take()
        try:
            yield sandbox
        finally:
            self.give_back(sandbox)

    def close(self) -> None:
        """Ends all sandboxes, those that are taken too. May be called twice."""
        with self._lock:
            self._closed = True
            sandboxes, self._idle = [*self._idle, *self._taken], []
        for sandbox in sandboxes:
            sandbox.close()

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ready(self) -> Sandbox:
        while True:
            with self._lock:
                if self._closed:
                    raise SandboxLost("the pool is closed: make another")
                sandbox = self._idle.pop() if self._idle else None
            if sandbox is None:
                return self._made()
            if sandbox.alive():
                return sandbox
            sandbox.close()

    def _made(self) -> Sandbox:
        try:
            return self._factory()
        except ValueError as error:
            raise SandboxLost(f"no sandbox to replace the last one: {error}") from error


def emptied(sandbox: Sandbox) -> bool:
    try:
        sandbox.reset({})
    except (SandboxLost, ValueError):
        return False
    return True
