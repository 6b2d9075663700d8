"""Games in worker processes that write their results straight into memory shared with the caller.

A step is two semaphores and no copy: the caller writes the actions and releases every worker, each
steps its slice of the games while the caller steps its own, each releases the caller. A worker that
dies is noticed within a second and named with the game it was playing.
"""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing as mp
import os
import signal
import time
from collections.abc import Mapping
from multiprocessing.connection import Connection
from multiprocessing.shared_memory import SharedMemory
from typing import Any, NoReturn

import gymnasium
import numpy as np
from gymnasium.envs.registration import EnvSpec

from envs.episode_seeds import EpisodeSeeds
from envs.nethack.batch import BatchConfig, GameBatch, failure
from envs.nethack.game import NetHackError
from envs.nethack.tasks import stock_id
from envs.typing import Array, IntArray

_ALIGNMENT = 64
_POLL_SECONDS = 1.0
# Waking a process that sleeps on a semaphore takes longer than a step of a few games: both sides
# look again for a moment first.
_SPIN_SECONDS = {"caller": 2e-3, "worker": 1e-4}
_STEP, _CALL, _CLOSE = 0, 1, 2
# The caller also gathers observations and infos, so it plays a little less than its share.
_OWN_SHARE = 0.95
Layout = Mapping[str, tuple[tuple[int, ...], "np.dtype[Any]"]]


def _offsets(layout: Layout) -> tuple[dict[str, int], int]:
    offsets, end = {}, 0
    for name, (shape, dtype) in layout.items():
        offsets[name] = end
        size = int(np.prod(shape)) * dtype.itemsize
        end += -(-size // _ALIGNMENT) * _ALIGNMENT
    return offsets, max(end, 1)


def _views(memory: SharedMemory, layout: Layout) -> dict[str, Array]:
    offsets, _ = _offsets(layout)
    # dtype.type: a dtype that came through a pipe spells its byte order out, which nle's binding
    # does not know.
    return {
        name: np.ndarray(shape, dtype.type, buffer=memory.buf, offset=offsets[name])
        for name, (shape, dtype) in layout.items()
    }


class WorkerPool:
    """`n_envs` games over this process and `workers` more.

    The first share is played here, so that no core waits for another.

    Raises:
        NetHackError: when a worker cannot build its games, fails or dies; all workers are stopped
            first.
    """

    def __init__(self, config: BatchConfig, n_envs: int, workers: int) -> None:
        self._config = config
        layout = {
            **config.wire(n_envs),
            "actions": ((n_envs,), np.dtype(np.int64)),
            "command": ((workers,), np.dtype(np.int64)),
            "playing": ((workers,), np.dtype(np.int64)),
            "failed": ((workers,), np.dtype(np.bool_)),
        }
        self._memory: SharedMemory | None = SharedMemory(create=True, size=_offsets(layout)[1])
        self.wire = _views(self._memory, layout)
        self.episodes = EpisodeSeeds(n_envs, config.seed, config.split, begun=self.wire["episode"], alike=config.alike)
        here = max(1, round(_OWN_SHARE * n_envs / (workers + 1)))
        bounds = [0, *np.linspace(here, n_envs, workers + 1).astype(int).tolist()]
        slices = [slice(low, high) for low, high in itertools.pairwise(bounds)]
        self._slices = slices[1:]
        context = mp.get_context("spawn")
        self._go = [context.Semaphore(0) for _ in range(workers)]
        self._ready = [context.Semaphore(0) for _ in range(workers)]
        self._pipes: list[Connection] = []
        self._processes: list[Any] = []
        self._here = GameBatch(config, {name: self.wire[name][slices[0]] for name in config.wire(1)})
        try:
            for index, part in enumerate(self._slices):
                ours, theirs = context.Pipe()
                arguments = (
                    config,
                    gymnasium.spec(stock_id(config.env_id)),
                    self._memory.name,
                    layout,
                    index,
                    part.start,
                    part.stop,
                    self._go[index],
                    self._ready[index],
                    theirs,
                )
                process = context.Process(target=_work, args=arguments, daemon=True, name=f"nethack-worker-{index}")
                process.start()
                theirs.close()
                self._pipes.append(ours)
                self._processes.append(process)
            for index in range(workers):
                self._receive(index)
        except BaseException:
            self.close()
            raise
        self.actions = self._here.actions
        self.n_actions, self.has_success = self._here.n_actions, self._here.has_success
        self.limit = self._here.limit

    def reset(self) -> None:
        self._call_all("reset")

    def step(self, actions: IntArray) -> None:
        self.wire["actions"][:] = actions
        self.wire["command"][:] = _STEP
        for go in self._go:
            go.release()
        try:
            self._here.step(actions[: self._here.n])
        except Exception:
            self.close()
            raise
        for index in range(len(self._processes)):
            self._wait(index)

    def set_seed(self, seed: int) -> None:
        self._call_all("set_seed", seed)
        self.episodes.restart(seed)

    def frame(self, index: int) -> Array:
        if index < self._here.n:
            return self._here.frame(index)
        worker = next(number for number, part in enumerate(self._slices) if part.start <= index < part.stop)
        return np.asarray(self._call(worker, "frame", index - self._slices[worker].start))

    def _call_all(self, method: str, *arguments: Any) -> None:
        getattr(self._here, method)(*arguments)
        for index in range(len(self._processes)):
            self._call(index, method, *arguments)

    def _call(self, index: int, method: str, *arguments: Any) -> Any:
        self.wire["command"][index] = _CALL
        with contextlib.suppress(OSError):  # a dead worker is reported by _wait, with its name
            self._pipes[index].send((method, arguments))
        self._go[index].release()
        self._wait(index)
        return self._receive(index)

    def _wait(self, index: int) -> None:
        ready = self._ready[index]
        if _spin(ready, _SPIN_SECONDS["caller"]) and not self.wire["failed"][index]:
            return
        while not self.wire["failed"][index] and not ready.acquire(timeout=_POLL_SECONDS):
            if not self._processes[index].is_alive() and not ready.acquire(block=False):
                self._died(index)
        if self.wire["failed"][index]:
            self._receive(index)

    def _receive(self, index: int) -> Any:
        while not self._pipes[index].poll(_POLL_SECONDS):
            if not self._processes[index].is_alive() and not self._pipes[index].poll():
                self._died(index)
        try:
            answer = self._pipes[index].recv()
        except EOFError:
            self._died(index)
        if isinstance(answer, _Failure):
            self.close()
            raise NetHackError(answer.text)
        return answer

    def _died(self, index: int) -> NoReturn:
        env = self._slices[index].start + int(self.wire["playing"][index])
        reason = f"worker {index} died (exit code {self._processes[index].exitcode})"
        words = failure(self.wire, env, env, reason)
        self.close()
        raise NetHackError(words)

    def close(self) -> None:
        """Stop the workers and free the shared memory."""
        if self._memory is None:
            return
        self.wire["command"][:] = _CLOSE
        for go in self._go:
            go.release()
        for pipe in self._pipes:
            pipe.close()
        for process in self._processes:
            process.join(timeout=2.0)
            if process.is_alive():
                process.kill()
                process.join()
        self._here.close()
        # What a checkpoint needs is there when a worker is not: a dead environment can still be
        # saved.
        self.episodes.detach()
        self.wire = {name: array.copy() for name, array in self.wire.items()}
        memory, self._memory = self._memory, None
        with contextlib.suppress(BufferError):  # a view that somebody else still holds keeps the mapping, not the name
            memory.close()
        memory.unlink()


class _Failure:
    def __init__(self, text: str) -> None:
        self.text = text


def _work(
    config: BatchConfig,
    task: EnvSpec,
    memory_name: str,
    layout: Layout,
    index: int,
    start: int,
    stop: int,
    go: Any,
    ready: Any,
    pipe: Connection,
) -> None:
    """A worker's life: build the games, step or answer whenever `go` is released, and close.

    `task` is the game as the caller's gymnasium knows it: a level of somebody's own module, say.
    """
    gymnasium.registry.setdefault(task.id, task)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the caller's business, which closes the pipe
    memory = SharedMemory(name=memory_name)
    shared = _views(memory, layout)
    command, failed = shared["command"], shared["failed"]
    try:
        wire = {name: shared[name][start:stop] for name in config.wire(stop - start)}
        batch = GameBatch(config, wire, first=start, playing=shared["playing"][index : index + 1])
    except BaseException as error:
        pipe.send(_Failure(f"{error}"))
        return
    actions, caller = shared["actions"][start:stop], os.getppid()
    pipe.send("ready")
    try:
        while True:
            if not _spin(go, _SPIN_SECONDS["worker"]):
                while not go.acquire(timeout=_POLL_SECONDS):
                    if os.getppid() != caller:  # it was killed, and nobody will ever call again
                        return
            order = command[index]
            if order == _STEP:
                batch.step(actions)
            elif order == _CLOSE or not _answer(batch, pipe):
                break
            ready.release()
    except BaseException as error:
        failed[index] = True
        with contextlib.suppress(OSError):
            pipe.send(_Failure(str(error)))
        ready.release()
    finally:
        batch.close()


def _spin(semaphore: Any, seconds: float) -> bool:
    """Try for a moment to acquire without sleeping, giving the core to whoever wants it."""
    end = time.perf_counter() + seconds
    while True:
        if semaphore.acquire(block=False):
            return True
        if time.perf_counter() > end:
            return False
        os.sched_yield()


def _answer(batch: GameBatch, pipe: Connection) -> bool:
    try:
        name, arguments = pipe.recv()
    except (EOFError, OSError):
        return False
    pipe.send(getattr(batch, name)(*arguments))
    return True
