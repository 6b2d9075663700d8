"""What an agent of the tool face can do in each task and what that comes to, as arrays."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from envs.swe.grading.report import Judge
from envs.swe.rules import target_files
from envs.swe.tasks.candidates import TECHNIQUES, Candidate, applied, candidates
from envs.swe.tasks.task import Task, Tree
from foundation.files import whole_file

FEATURES = (*TECHNIQUES, "distance", "reached")
"""Of a candidate: what it is made by (one-hot), calls between a failing function and its place
(a share of 4, at most 1), and whether a failing function calls its place at all."""
_FAR = 4
Slots = tuple[tuple[Candidate, ...], ...]
"""The candidates of every file slot."""
PASSES = ("PASSED", "XFAIL")


@dataclass(frozen=True)
class Layout:
    """How many places there are, and what stands in them.

    Attributes:
        files: slots for files.
        candidates: slots for edits of a file.
        fix: is the right edit among them?
        seed: of the order of files and candidates.
    """

    files: int = 4
    candidates: int = 6
    fix: bool = True
    seed: int = 0


@dataclass(frozen=True)
class Sheets:
    """The tasks (T) as arrays over file slots (F) and candidates (K).

    Attributes:
        exists: (T, F) is there a file in the slot?
        targets: (T, F) does it hold a failing function's name?
        offered: (T, F, K) is there a candidate?
        features: (T, F, K, len(FEATURES)) float32.
        fraction: (T, 1 + F·K) share of visible tests that pass: the tree as it is, then with each
            candidate.
        passed: (T, 1 + F·K) is every test passed, the hidden ones too?
    """

    exists: NDArray[np.bool_]
    targets: NDArray[np.bool_]
    offered: NDArray[np.bool_]
    features: NDArray[np.float32]
    fraction: NDArray[np.float32]
    passed: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.exists)

    def save(self, path: Path) -> None:
        """Write to an .npz file of plain arrays."""
        with whole_file(path) as part, part.open("wb") as file:
            np.savez_compressed(file, **{entry.name: getattr(self, entry.name) for entry in fields(self)})

    @classmethod
    def load(cls, path: Path) -> Sheets:
        """Read what `save` wrote. Raises ValueError for another file."""
        try:
            with np.load(path, allow_pickle=False) as arrays:
                return cls(**{entry.name: arrays[entry.name] for entry in fields(cls)})
        except FileNotFoundError:
            raise
        except (KeyError, EOFError, ValueError, OSError, BadZipFile) as error:
            raise ValueError(f"{path} holds no sheets of tasks: {error}. Remove it; it is made anew") from error


def file_slots(task: Task, layout: Layout) -> tuple[str, ...]:
    """The files of a task by their slots.

    Raises:
        ValueError: there are more files than slots.
    """
    paths = sorted(task.files)
    if len(paths) > layout.files:
        raise ValueError(f"{task.id} has {len(paths)} files, and there are {layout.files} slots: files={len(paths)}")
    random.Random(f"{layout.seed} {task.id} files").shuffle(paths)
    return tuple(paths)


def candidate_slots(task: Task, layout: Layout) -> Slots:
    """The candidates of every file slot."""
    return tuple(
        candidates(task, path, layout.candidates, layout.seed, layout.fix) for path in file_slots(task, layout)
    )


def sheets_of(tasks: Sequence[Task], slots: Sequence[Slots], judge: Judge, layout: Layout) -> Sheets:
    """The arrays of some tasks.

    Args:
        tasks: judged by `Cases`.
        slots: the `candidate_slots` of each.
        judge: knows every tree with one candidate.
        layout: of the slots.

    Raises:
        ValueError: a task has more files than there are slots.
        KeyError: a table lacks a tree, with what to do.
    """
    places = layout.files * layout.candidates
    shape = (len(tasks), layout.files, layout.candidates)
    sheets = Sheets(
        np.zeros(shape[:2], np.bool_),
        np.zeros(shape[:2], np.bool_),
        np.zeros(shape, np.bool_),
        np.zeros((*shape, len(FEATURES)), np.float32),
        np.zeros((len(tasks), 1 + places), np.float32),
        np.zeros((len(tasks), 1 + places), np.bool_),
    )
    for row, (task, offered) in enumerate(zip(tasks, slots, strict=True)):
        _fill(sheets, row, task, offered, judge, layout)
    return sheets


def _fill(sheets: Sheets, row: int, task: Task, slots: Slots, judge: Judge, layout: Layout) -> None:
    targets = target_files(task)
    sheets.fraction[row, 0] = _fraction(task, judge, task.files)
    for slot, (path, offered) in enumerate(zip(file_slots(task, layout), slots, strict=True)):
        sheets.exists[row, slot] = True
        sheets.targets[row, slot] = path in targets
        for place, candidate in enumerate(offered):
            tree = applied(task, [candidate])
            assert tree is not None  # one candidate alone always goes
            index = 1 + slot * layout.candidates + place
            sheets.offered[row, slot, place] = True
            sheets.features[row, slot, place] = _features(candidate)
            sheets.fraction[row, index] = _fraction(task, judge, tree)
            sheets.passed[row, index] = judge.grade(task, tree).outcome == "pass"


def _features(candidate: Candidate) -> list[float]:
    made = [float(candidate.technique == technique) for technique in TECHNIQUES]
    near = min(candidate.distance, _FAR) / _FAR
    return [*made, near, float(candidate.distance < _FAR)]


def _fraction(task: Task, judge: Judge, tree: Tree) -> float:
    statuses = judge.statuses(task, tree, public_ids(task))
    return sum(status in PASSES for status in statuses.values()) / max(len(statuses), 1)


def public_ids(task: Task) -> tuple[str, ...]:
    """The tests that an agent may run."""
    return task.visible or (*task.fail_to_pass, *task.pass_to_pass)


def named(tasks_sha: str, layout: Layout) -> str:
    """A name for the sheets of a task set under a layout."""
    return hashlib.sha256(f"{tasks_sha} {layout}".encode()).hexdigest()[:16]
