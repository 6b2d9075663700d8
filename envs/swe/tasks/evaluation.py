"""Trees of the corpus against their cases, fast, on this machine.

For the project's own mutants of its own corpus alone; anything else belongs into a sandbox.
"""

from __future__ import annotations

import json
import math
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from envs.swe.grading.report import Status
from envs.swe.tasks.repositories import Repository
from envs.swe.tasks.task import Tree

_PROGRAM = Path(__file__).with_name("trial.py")


@dataclass(frozen=True)
class TrialLimits:
    """What a tree may take.

    Attributes:
        case_seconds: processor time of one case; then it has timed out.
        tree_seconds: whole seconds of processor time of all of them; then the process is ended.
        wall_seconds: by the clock, for what does not use the processor.
        memory_mib: address space.
    """

    case_seconds: float = 0.025
    tree_seconds: int = 10
    wall_seconds: float = 60.0
    memory_mib: int = 256


@dataclass(frozen=True)
class Evaluation:
    """What the cases of a tree came to.

    Attributes:
        repository: whose cases.
        observed: the result of each case in writing, None where its time was up, "" where it was
            not run.
        killed: the process had to be ended, or died; nothing is known of the tree's cases.
    """

    repository: Repository
    observed: tuple[str | None, ...]
    killed: bool = False

    @cached_property
    def statuses(self) -> Mapping[str, Status]:
        """Case id -> status. A case whose time was up has FAILED; MISSING is what was not run."""
        cases = self.repository.checks.cases
        return {c.id: _status(seen, c.expected) for c, seen in zip(cases, self.observed, strict=True)}

    @cached_property
    def results(self) -> Mapping[str, str | None]:
        """Case id -> what was observed."""
        return {c.id: seen for c, seen in zip(self.repository.checks.cases, self.observed, strict=True)}

    @property
    def timed_out(self) -> bool:
        """Whether a case, or the whole, took too long."""
        return self.killed or None in self.observed


class Evaluator:
    """A process that tries trees of one repository, one after the other.

    Args:
        repository: of the corpus.
        limits: of a tree.
    """

    def __init__(self, repository: Repository, limits: TrialLimits = TrialLimits()) -> None:
        self.repository = repository
        self.limits = limits
        self._process: subprocess.Popen[bytes] | None = None

    def evaluate(self, tree: Tree, most_timeouts: int = 3) -> Evaluation:
        """Run all cases.

        Args:
            tree: all files of the repository, some of them changed.
            most_timeouts: after so many cases whose time was up the rest is not run.

        Raises:
            ValueError: the tree has other files than the repository.
        """
        if set(tree) != set(self.repository.files):
            raise ValueError(
                f"the tree has other files than {self.repository.name}, {', '.join(self.repository.files)}; only "
                "mutants of the corpus are run here, give anything else to a sandbox"
            )
        changed = {path: text for path, text in tree.items() if text != self.repository.files[path]}
        reply = self._ask({"files": changed, "most_timeouts": most_timeouts})
        size = len(self.repository.checks.cases)
        if reply is None:
            return Evaluation(self.repository, ("",) * size, killed=True)
        return Evaluation(self.repository, (*reply, *[""] * (size - len(reply))))

    def close(self) -> None:
        """May be called twice."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    _closed(pipe)
            self._process = None

    def __enter__(self) -> Evaluator:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, request: Mapping[str, Any]) -> list[str | None] | None:
        """The answer; None where the process died or took too long, and is replaced."""
        process = self._process or self._start()
        try:
            _send(process, request)
            line = _line(process, self.limits.wall_seconds)
        except BrokenPipeError:
            line = b""
        if not line:
            self.close()
            return None
        answer: list[str | None] = json.loads(line)
        return answer

    def _start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-I", "-S", "-B", str(_PROGRAM)]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"PYTHONHASHSEED": "0"},
            cwd="/",
        )
        setting = {
            "memory_mib": self.limits.memory_mib,
            "seconds": self.limits.case_seconds,
            "tree_seconds": self.limits.tree_seconds,
            "files": dict(self.repository.files),
            "cases": [(case.module, case.function, case.arguments) for case in self.repository.checks.cases],
        }
        _send(self._process, setting)
        return self._process


def evaluate_all(
    repository: Repository,
    trees: Sequence[Tree],
    workers: int = 1,
    most_timeouts: int = 3,
    limits: TrialLimits = TrialLimits(),
    progress: Callable[[], object] = lambda: None,
) -> list[Evaluation]:
    """Evaluate trees of one repository, in as many processes as `workers`; in the order given."""
    local = threading.local()
    made: list[Evaluator] = []

    def one(tree: Tree) -> Evaluation:
        if not hasattr(local, "evaluator"):
            local.evaluator = Evaluator(repository, limits)
            made.append(local.evaluator)
        evaluation: Evaluation = local.evaluator.evaluate(tree, most_timeouts)
        progress()
        return evaluation

    try:
        with ThreadPoolExecutor(max(1, min(workers, len(trees)))) as pool:
            return list(pool.map(one, trees))
    finally:
        for evaluator in made:
            evaluator.close()


def _status(observed: str | None, expected: str) -> Status:
    if observed == "":
        return "MISSING"
    if observed is None:
        return "FAILED"
    if observed.startswith("no module: "):
        return "ERROR"
    if expected.startswith("raises "):
        observed = observed.partition(":")[0]
    return "PASSED" if observed == expected else "FAILED"


def _send(process: subprocess.Popen[bytes], content: Mapping[str, Any]) -> None:
    assert process.stdin is not None
    process.stdin.write(json.dumps(content).encode() + b"\n")
    process.stdin.flush()


def _line(process: subprocess.Popen[bytes], seconds: float) -> bytes:
    """A whole line; b"" at the end of the process or of the time."""
    assert process.stdout is not None
    descriptor = process.stdout.fileno()
    end = time.monotonic() + seconds
    parts: list[bytes] = []
    while not parts or not parts[-1].endswith(b"\n"):
        left = end - time.monotonic()
        ready, _, _ = select.select([descriptor], [], [], max(0.0, left) if math.isfinite(left) else None)
        part = os.read(descriptor, 1 << 16) if ready else b""
        if not part:
            return b""
        parts.append(part)
    return b"".join(parts)


def _closed(pipe: Any) -> None:
    try:
        pipe.close()
    except BrokenPipeError:  # what it had not read yet
        return
