"""Matches spread over processes: one plays in this process, the others in workers."""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing as mp
import signal
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
import numpy.typing as npt

from envs.rocket.matches import Matches
from envs.rocket.starts import Start, check
from envs.rocket.states import MatchStates


class MatchWorkers:
    """`Matches` in this process and `workers` more, with the same methods.

    Every process has its share of the arenas.

    Args:
        workers: processes beside this one, at least 1.
        n_arenas: at least one for every process.
        arguments, keywords: of `Matches`.

    Raises:
        ValueError: more processes than arenas.
        RuntimeError: a worker died, in any method.
    """

    def __init__(self, workers: int, n_arenas: int, *arguments: Any, **keywords: Any) -> None:
        if not 1 <= workers < n_arenas:
            raise ValueError(
                f"workers={workers}: with this process, {workers + 1} share {n_arenas} arenas, and each needs one"
            )
        bounds = np.linspace(0, n_arenas, workers + 2).astype(int).tolist()
        self._slices = [slice(low, high) for low, high in itertools.pairwise(bounds)]
        sizes = [part.stop - part.start for part in self._slices]
        self._here = Matches(sizes[0], *arguments, **keywords)
        self.n_arenas, self.n_cars, self.tick_skip = n_arenas, self._here.n_cars, self._here.tick_skip
        self.orange, self.rows = self._here.orange, self._here.rows
        context = mp.get_context("spawn")  # RocketSim and torch have threads, which a fork would lose
        self._pipes: list[Connection] = []
        self._processes: list[Any] = []
        for size in sizes[1:]:
            ours, theirs = context.Pipe()
            process = context.Process(target=_work, args=(theirs, size, arguments, keywords), daemon=True)
            process.start()
            theirs.close()
            self._pipes.append(ours)
            self._processes.append(process)
        self.states()  # all are there

    def step(self, controls: npt.NDArray[np.float32]) -> MatchStates:
        """See `Matches.step`."""
        if controls.shape != (self.n_arenas, self.n_cars, 8):
            raise ValueError(f"controls have shape {controls.shape}; expected {(self.n_arenas, self.n_cars, 8)}")
        Matches.refuse(controls)
        for pipe, part in zip(self._pipes, self._slices[1:], strict=True):
            self._send(pipe, ("step", controls[part]))
        return MatchStates.joined([self._here.step(controls[self._slices[0]]), *self._answers()])

    def states(self) -> MatchStates:
        """See `Matches.states`."""
        for pipe in self._pipes:
            self._send(pipe, ("states",))
        return MatchStates.joined([self._here.states(), *self._answers()])

    def reset(self, arena: int, start: Start) -> None:
        """See `Matches.reset`."""
        check(start, self.n_cars)
        process = next(index for index, part in enumerate(self._slices) if part.start <= arena < part.stop)
        within = arena - self._slices[process].start
        if process == 0:
            self._here.reset(within, start)
        else:
            self._send(self._pipes[process - 1], ("reset", within, start))  # nobody waits for it

    def close(self) -> None:
        """End the workers."""
        self._here.close()
        for pipe in self._pipes:
            with contextlib.suppress(OSError):
                pipe.send(("close",))
            pipe.close()
        for process in self._processes:
            process.join(timeout=5)
            if process.is_alive():
                process.kill()
        self._pipes, self._processes = [], []

    def _send(self, pipe: Connection, message: tuple[Any, ...]) -> None:
        try:
            pipe.send(message)
        except OSError as error:
            raise self._death(pipe) from error

    def _answers(self) -> list[MatchStates]:
        states = []
        for pipe in self._pipes:
            try:
                answer = pipe.recv()
            except (EOFError, OSError) as error:
                raise self._death(pipe) from error
            if isinstance(answer, Exception):
                raise answer
            states.append(answer)
        return states

    def _death(self, pipe: Connection) -> RuntimeError:
        process = self._processes[self._pipes.index(pipe)]
        process.join(timeout=1)
        return RuntimeError(
            f"a worker that plays Rocket died (exit status {process.exitcode}); go on from the last checkpoint with "
            "resume=, or with workers=0"
        )


def _work(pipe: Connection, n_arenas: int, arguments: Sequence[Any], keywords: dict[str, Any]) -> None:
    """A worker's life."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends Ctrl-C to all: the caller decides when to end
    try:
        matches = Matches(n_arenas, *arguments, **keywords)
        while True:
            what, *given = pipe.recv()
            if what == "step":
                pipe.send(matches.step(*given))
            elif what == "states":
                pipe.send(matches.states())
            elif what == "reset":
                matches.reset(*given)
            else:
                return
    except (EOFError, OSError):
        return  # the caller is gone
    except Exception as error:
        with contextlib.suppress(OSError):
            pipe.send(error)
