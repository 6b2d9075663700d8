"""Where an environment's tasks come from: a file of the user's, or a set that is made once."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import chain
from pathlib import Path

from envs.swe.tasks.generation import Recipe, generate
from envs.swe.tasks.outcomes import OutcomeTable, TableJudge
from envs.swe.tasks.repositories import repositories
from envs.swe.tasks.task import Task
from envs.swe.tasks.task_set import TaskSet
from envs.swe.tools.sheets import Layout, Sheets, Slots, candidate_slots, named, sheets_of

RECIPE = Recipe(count=240, split_by="function", pairs=False, workers=2)
"""Of the tasks that are there without a file: bugs of train and eval lie in different functions."""
VERSION = 1  # of what is kept; raise it where the same recipe makes something else


def cache_folder() -> Path:
    """Where what was made once lies."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "breadcrumb" / "swe"


@lru_cache(maxsize=4)
def task_set(path: str | None) -> TaskSet:
    """The tasks of a file (`scripts.make_tasks`), or the default ones, made if they are not there.

    Raises:
        FileNotFoundError, ValueError: no such file, or it is damaged.
    """
    if path is not None:
        return TaskSet.load(path)
    kept = cache_folder() / f"tasks-{_default_name()}.jsonl.gz"
    with _made_once(kept) as there:
        if not there:
            print(f"making {RECIPE.count} tasks, once: {kept}", flush=True)
            TaskSet(generate(RECIPE).tasks).save(kept)
    return TaskSet.load(kept)


def tasks_of(path: str | None, split: str) -> tuple[Task, ...]:
    """The tasks of a split, in the file's order."""
    return task_set(path).subset(split).tasks


@lru_cache(maxsize=8)
def sheets(tasks_path: str | None, split: str, layout: Layout) -> Sheets:
    """The arrays of a split's tasks, kept once they are made.

    Trees that no table beside the tasks knows are tried out, which is for generated tasks alone.

    Raises:
        ValueError: tasks of another kind.
    """
    kept = cache_folder() / f"sheets-{named(task_set(tasks_path).sha, layout)}-{split}-{VERSION}.npz"
    with _made_once(kept) as there:
        if not there:
            tasks = tasks_of(tasks_path, split)
            print(f"trying out what every edit of {len(tasks)} {split} tasks comes to, once: {kept}", flush=True)
            slots = [candidate_slots(task, layout) for task in tasks]
            sheets_of(tasks, slots, TableJudge(_table(tasks_path, tasks, slots)), layout).save(kept)
    return Sheets.load(kept)


def _table(tasks_path: str | None, tasks: Sequence[Task], slots: Sequence[Slots]) -> OutcomeTable:
    """The table beside a file of tasks, if there is one, completed."""
    beside = None if tasks_path is None else Path(tasks_path.removesuffix(".gz").removesuffix(".jsonl") + ".npz")
    table = OutcomeTable.load(beside) if beside is not None and beside.is_file() else OutcomeTable()
    choices = [(task, list(chain(*offered))) for task, offered in zip(tasks, slots, strict=True)]
    table.complete_all(choices, workers=RECIPE.workers)
    return table


def _default_name() -> str:
    corpus = [(name, sorted(one.files.items()), one.checks) for name, one in sorted(repositories().items())]
    return hashlib.sha256(f"{VERSION} {RECIPE} {corpus}".encode()).hexdigest()[:16]


@contextmanager
def _made_once(path: Path) -> Iterator[bool]:
    """Is it there? Whoever is told no makes it, while others wait."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with (path.parent / f".{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield path.is_file()
