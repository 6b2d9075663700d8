"""The pipe to a sandbox's worker: bytes with a deadline, and messages over them."""

from __future__ import annotations

import json
import os
import select
import socket
import struct
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

LONGEST_REPLY = 64 << 20
"""Bytes of a reply's JSON: a name for every file of a tree fits many times over."""


class ChannelClosed(RuntimeError):
    """The worker is gone, or does not answer in time, or says what no worker says."""


class Channel(ABC):
    """A stream of bytes to and from a worker."""

    @abstractmethod
    def send(self, content: bytes) -> None:
        """Raises ChannelClosed."""

    @abstractmethod
    def receive(self, most: int, deadline: float) -> bytes:
        """1 to `most` bytes, before `time.monotonic()` is `deadline`. Raises ChannelClosed."""

    @abstractmethod
    def close(self) -> None: ...

    def ask(
        self, request: Mapping[str, Any], payload: bytes, seconds: float, most: int
    ) -> tuple[dict[str, Any], bytes]:
        """Sends a request; the reply and at most `most` bytes that come with it."""
        deadline = time.monotonic() + seconds
        head = json.dumps(request).encode()
        self.send(struct.pack(">QQ", len(head), len(payload)) + head + payload)
        lengths = struct.unpack(">QQ", self._exactly(16, deadline))
        if lengths[0] > LONGEST_REPLY or lengths[1] > most:
            raise ChannelClosed(f"the worker announces {lengths[1]} bytes where at most {most} can be")
        reply, content = self._exactly(lengths[0], deadline), self._exactly(lengths[1], deadline)
        try:
            return dict(json.loads(reply)), content
        except (ValueError, TypeError, RecursionError) as error:
            raise ChannelClosed(f"the worker's reply is no JSON object: {error}") from error

    def _exactly(self, count: int, deadline: float) -> bytes:
        pieces = []
        while count:
            pieces.append(self.receive(min(count, 1 << 20), deadline))
            count -= len(pieces[-1])
        return b"".join(pieces)


class ProcessChannel(Channel):
    """A process of this machine, its stdin and stdout."""

    def __init__(self, argv: Sequence[str]) -> None:
        self.process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0, env={}
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self._input, self._output = self.process.stdin.fileno(), self.process.stdout.fileno()

    def send(self, content: bytes) -> None:
        view = memoryview(content)
        try:
            while view:
                view = view[os.write(self._input, view[: 1 << 20]) :]
        except (OSError, ValueError) as error:
            raise ChannelClosed(f"the worker is gone: {error}") from error

    def receive(self, most: int, deadline: float) -> bytes:
        ready = select.select([self._output], [], [], max(0.0, deadline - time.monotonic()))[0]
        if not ready:
            raise ChannelClosed("the worker does not answer in time")
        if not (piece := os.read(self._output, most)):
            raise ChannelClosed("the worker has ended")
        return piece

    def close(self) -> None:
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()


class ExecChannel(Channel):
    """A command of an Engine's container, over its hijacked connection.

    Frames of stdout and stderr come interleaved, each after 8 bytes: the stream, three zeros, the
    length (Engine API, "Attach to a container").
    """

    def __init__(self, connection: socket.socket, response: Any) -> None:
        self._connection, self._response = connection, response
        self._left = 0
        self._stream = 1
        self.errors = b""

    def send(self, content: bytes) -> None:
        try:
            self._connection.settimeout(60)
            self._connection.sendall(content)
        except OSError as error:
            raise ChannelClosed(f"the engine does not take input: {error}") from error

    def receive(self, most: int, deadline: float) -> bytes:
        while True:
            while not self._left:
                self._stream, self._left = struct.unpack(">BxxxL", self._raw(8, deadline))
            piece = self._raw(min(most if self._stream == 1 else 4096, self._left), deadline, exactly=False)
            self._left -= len(piece)
            if self._stream == 1:
                return piece
            self.errors = (self.errors + piece)[-4096:]

    def _raw(self, count: int, deadline: float, exactly: bool = True) -> bytes:
        content = b""
        while not content or (exactly and len(content) < count):
            try:
                self._connection.settimeout(max(0.001, deadline - time.monotonic()))
                piece = self._connection.recv(count - len(content))
            except OSError as error:
                raise ChannelClosed(f"the worker does not answer in time: {error}") from error
            if not piece:
                raise ChannelClosed(f"the worker has ended. {self.errors.decode(errors='replace')}".rstrip())
            content += piece
        return content

    def close(self) -> None:
        self._connection.close()
        self._response.close()
