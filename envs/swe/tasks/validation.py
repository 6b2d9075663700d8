"""Which mutants are tasks: something fails, something passes, nothing hangs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from envs.swe.grading.report import Status
from envs.swe.tasks.evaluation import evaluate_all
from envs.swe.tasks.repositories import Repository

Verdict = Literal["valid", "equivalent", "timeout", "no pass"]
_PASSES = ("PASSED", "XFAIL")
T = TypeVar("T")


@dataclass(frozen=True)
class Split:
    """The ids of a valid mutant.

    Attributes:
        fail_to_pass, pass_to_pass: stable ids that the bug breaks and does not.
        visible: about half of each, at least one that fails.
    """

    fail_to_pass: tuple[str, ...]
    pass_to_pass: tuple[str, ...]
    visible: tuple[str, ...]


def stable(repository: Repository, runs: int = 3) -> tuple[str, ...]:
    """Ids of the cases that the sources as they are pass in every run; the others are of no use."""
    evaluations = evaluate_all(repository, [repository.files] * runs)
    return steady([evaluation.statuses for evaluation in evaluations])


def steady(runs: Sequence[Mapping[str, Status]]) -> tuple[str, ...]:
    """Ids that passed in every run, in order."""
    return tuple(key for key in runs[0] if all(run.get(key) in _PASSES for run in runs))


def verdict(statuses: Mapping[str, Status], ids: Sequence[str], timed_out: bool) -> Verdict:
    """Whether a mutant is a task.

    Args:
        statuses: of its run.
        ids: the stable ones.
        timed_out: whether something took too long.
    """
    if timed_out:
        return "timeout"
    passed = sum(statuses.get(key) in _PASSES for key in ids)
    if passed == len(ids):
        return "equivalent"
    return "valid" if passed else "no pass"


def split_ids(statuses: Mapping[str, Status], ids: Sequence[str], seed: str, share: float = 0.5) -> Split:
    """Which ids fail, which pass, and which of them an agent may run.

    Args:
        statuses: of a valid mutant.
        ids: the stable ones.
        seed: by which the visible ones are drawn.
        share: of the ids that are visible.
    """
    failing = tuple(key for key in ids if statuses.get(key) not in _PASSES)
    passing = tuple(key for key in ids if statuses.get(key) in _PASSES)
    seen = {*_drawn(failing, share, seed, 1), *_drawn(passing, share, seed, 0)}
    return Split(failing, passing, tuple(key for key in ids if key in seen))


def by_hash(items: Iterable[T], seed: str) -> list[T]:
    """In an order that depends on the seed and each item's own text alone."""
    return sorted(items, key=lambda item: hashlib.sha256(f"{seed} {item}".encode()).digest())


def _drawn(ids: Sequence[str], share: float, seed: str, least: int) -> list[str]:
    return by_hash(ids, seed)[: max(least, round(share * len(ids)))]
