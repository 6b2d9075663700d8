"""Where an environment's tasks come from: a file of the user's, or a set that is made once."""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from envs.swe.tasks.candidates import candidates
from envs.swe.tasks.generation import Recipe, generate
from envs.swe.tasks.outcomes import OutcomeTable, TableJudge
from envs.swe.tasks.repositories import repositories
from envs.swe.tasks.task_set import TaskSet
from envs.swe.tools.sheets import Layout, Sheets, named, sheets_of

RECIPE = Recipe(count=400, split_by="function", pairs=False, workers=2)
"""Of the tasks that are there without a file: 400 bugs, train and eval in different functions."""
CANDIDATES = 12
"""Edits of every file that the table of these tasks knows."""
VERSION = 1  # of what is kept; raise it where the same recipe makes something else

_log = logging.getLogger(__name__)


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
    kept = _default_path(".jsonl.gz")
    with _made_once(kept) as there:
        if not there:
            print(f"making {RECIPE.count} tasks once, a minute or two: {kept.parent}", flush=True)
            TaskSet(generate(RECIPE).tasks).save(kept)
    return TaskSet.load(kept)


@lru_cache(maxsize=4)
def outcome_table(tasks_path: str | None, table_path: str | None) -> OutcomeTable:
    """What the trees of the tasks come to: the user's file, the one beside it, or the default one.

    Raises:
        FileNotFoundError: tasks of the user's have no table; says how to make one.
    """
    if tasks_path is not None:
        path = Path(table_path or tasks_path.removesuffix(".gz").removesuffix(".jsonl") + ".npz")
        if not path.is_file():
            raise FileNotFoundError(
                f"{path} is not there: the tool face looks outcomes up. Make it with "
                f"python -m scripts.make_tasks {tasks_path} table=true"
            )
        return OutcomeTable.load(path)
    kept = _default_path(".npz")
    tasks = task_set(None)
    with _made_once(kept) as there:
        if not there:
            print("trying out what every edit of these tasks comes to, once", flush=True)
            table = OutcomeTable()
            choices = [
                (task, [edit for path in sorted(task.files) for edit in candidates(task, path, CANDIDATES, 0)])
                for task in tasks
            ]
            table.complete_all(choices, workers=RECIPE.workers)
            table.save(kept)
    return OutcomeTable.load(kept)


@lru_cache(maxsize=8)
def sheets(tasks_path: str | None, table_path: str | None, split: str, layout: Layout) -> Sheets:
    """The arrays of a split's tasks; kept, since reading the candidates takes a while."""
    tasks = task_set(tasks_path)
    kept = cache_folder() / f"sheets-{named(tasks.sha, layout)}-{split}-{VERSION}.npz"
    with _made_once(kept) as there:
        if not there:
            judge = TableJudge(outcome_table(tasks_path, table_path))
            sheets_of(tuple(tasks.subset(split)), judge, layout).save(kept)
    return Sheets.load(kept)


def _default_path(suffix: str) -> Path:
    corpus = [(name, sorted(one.files.items()), one.checks) for name, one in sorted(repositories().items())]
    name = hashlib.sha256(f"{VERSION} {RECIPE} {CANDIDATES} {corpus}".encode()).hexdigest()[:16]
    return cache_folder() / f"tasks-{name}{suffix}"


@contextmanager
def _made_once(path: Path) -> Iterator[bool]:
    """Is it there? Whoever is told no makes it, while others wait."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with (path.parent / f".{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield path.is_file()
