"""What every tree in an agent's reach comes to, found out once: then a step costs microseconds."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from envs.swe.grading.report import Judge, Outcome, Report, Status
from envs.swe.tasks.candidates import Candidate, applied
from envs.swe.tasks.evaluation import evaluate_all
from envs.swe.tasks.repositories import repository
from envs.swe.tasks.task import Cases, Task, Tree, tree_hash
from foundation.files import whole_file

VERSION = 1
STATUSES: tuple[Status, ...] = ("PASSED", "FAILED", "ERROR", "SKIPPED", "XFAIL", "MISSING")
"""A status is stored as its place here."""
_PASSES = ("PASSED", "XFAIL")
_TIMEOUTS = 2  # cases of a tree whose time is up before the rest is not run
_HASH = 16  # bytes of a tree's name


class NotInTable(KeyError):
    """A tree that nobody has tried out, or a test that the task has not."""

    def __str__(self) -> str:
        return str(self.args[0])


class OutcomeTable:
    """(task id, tree) -> statuses of all case ids of the task.

    Every row is kept as one byte a case. Tasks of one repository share their list of ids.
    """

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], tuple[bytes, bool]] = {}
        self._ids: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._of: dict[str, tuple[str, ...]] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, key: tuple[str, str]) -> bool:
        return key in self._rows

    def ids(self, task_id: str) -> tuple[str, ...]:
        """The case ids of a task, in the order of `codes`. Raises NotInTable."""
        if task_id not in self._of:
            raise NotInTable(f"the table knows nothing of {task_id}; make it with scripts.make_tasks table=true")
        return self._of[task_id]

    def codes(self, task_id: str, tree: str) -> bytes:
        """A byte a case, the place in `STATUSES`. `tree` is of `tree_hash`. Raises NotInTable."""
        try:
            return self._rows[task_id, tree][0]
        except KeyError:
            self.ids(task_id)
            raise NotInTable(
                f"{task_id} has no row for the tree {tree}; only candidates that `complete` was given are known: "
                "complete the table with them, or judge in a sandbox"
            ) from None

    def timed_out(self, task_id: str, tree: str) -> bool:
        """Whether a case of it, or the whole, took too long."""
        self.codes(task_id, tree)
        return self._rows[task_id, tree][1]

    def add(self, task_id: str, tree: str, statuses: Mapping[str, Status], timed_out: bool = False) -> None:
        """Keep a row. Raises ValueError where the task's other rows have other ids."""
        ids = tuple(statuses)
        ids = self._ids.setdefault(ids, ids)
        if self._of.setdefault(task_id, ids) is not ids:
            raise ValueError(f"the rows of {task_id} are of other case ids; begin a new table")
        codes = bytes(STATUSES.index(status) for status in statuses.values())
        self._rows[task_id, tree] = (codes, timed_out)

    def complete(self, task: Task, candidates: Iterable[Candidate], pairs: bool = False, workers: int = 1) -> int:
        """`complete_all` for one task."""
        return self.complete_all([(task, tuple(candidates))], pairs, workers)

    def complete_all(
        self,
        choices: Sequence[tuple[Task, Sequence[Candidate]]],
        pairs: bool = False,
        workers: int = 1,
        progress: Callable[[], object] = lambda: None,
    ) -> int:
        """Try out each task's tree and every tree with one of its candidates, or two.

        Args:
            choices: tasks generated from the corpus, with candidates of any of their files.
            pairs: also every two candidates that go together.
            workers: processes.
            progress: called after each tree.

        Returns:
            How many trees were new.

        Raises:
            ValueError: a task is not of the corpus; only that is run here.
        """
        fresh: dict[str, dict[tuple[str, str], Tree]] = {}
        for task, found in choices:
            self._check(task)
            trees = {(task.id, tree_hash(tree)): tree for tree in reachable(task, found, pairs)}
            fresh.setdefault(task.repo, {}).update({key: t for key, t in trees.items() if key not in self._rows})
        for name, new in fresh.items():
            results = evaluate_all(repository(name), list(new.values()), workers, _TIMEOUTS, progress=progress)
            for (task_id, tree), result in zip(new, results, strict=True):
                self.add(task_id, tree, result.statuses, result.timed_out)
        return sum(map(len, fresh.values()))

    def _check(self, task: Task) -> None:
        if not isinstance(task.checks, Cases) or task.bug is None or task.checks != repository(task.repo).checks:
            raise ValueError(f"{task.id} is not of the corpus, and nothing else is run here; judge it in a sandbox")

    def save(self, path: str | Path) -> Path:
        """Write to an .npz file of plain arrays, beside the task set."""
        path = Path(path)
        with whole_file(path) as part, part.open("wb") as file:
            np.savez_compressed(file, **self._arrays())  # type: ignore[arg-type]
        return path

    def _arrays(self) -> dict[str, NDArray[Any]]:
        tasks = {task: place for place, task in enumerate(self._of)}
        lists = {ids: place for place, ids in enumerate(self._ids)}
        arrays: dict[str, NDArray[Any]] = {
            "version": np.array(VERSION),
            "tasks": np.array(list(tasks), dtype=np.str_),
            "lists": np.array(["\n".join(ids) for ids in lists], dtype=np.str_),
            "list_of_task": np.array([lists[ids] for ids in self._of.values()], dtype=np.int32),
            "task_of_row": np.array([tasks[task] for task, _ in self._rows], dtype=np.int32),
            "trees": np.frombuffer(b"".join(bytes.fromhex(name) for _, name in self._rows), np.uint8),
            "timed_out": np.array([late for _, late in self._rows.values()], dtype=bool),
            "codes": np.frombuffer(b"".join(codes for codes, _ in self._rows.values()), np.uint8),
        }
        arrays["sha"] = np.array(_sha(arrays))
        return arrays

    @classmethod
    def load(cls, path: str | Path) -> OutcomeTable:
        """Read what `save` wrote.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it is damaged or of another version.
        """
        arrays = _read(Path(path))
        table = cls()
        lists = [tuple(text.split("\n")) if text else () for text in arrays["lists"].tolist()]
        table._ids = {ids: ids for ids in lists}
        tasks = arrays["tasks"].tolist()
        table._of = {task: lists[place] for task, place in zip(tasks, arrays["list_of_task"].tolist(), strict=True)}
        codes, names = arrays["codes"].tobytes(), arrays["trees"].tobytes()
        start = 0
        for row, (place, late) in enumerate(
            zip(arrays["task_of_row"].tolist(), arrays["timed_out"].tolist(), strict=True)
        ):
            end = start + len(table._of[tasks[place]])
            table._rows[tasks[place], names[_HASH * row : _HASH * (row + 1)].hex()] = (codes[start:end], late)
            start = end
        return table


def reachable(task: Task, candidates: Sequence[Candidate], pairs: bool = False) -> list[dict[str, str]]:
    """The task's tree, those with one candidate, and those with two that go together."""
    choices = [(), *((one,) for one in candidates), *(itertools.combinations(candidates, 2) if pairs else ())]
    return [tree for choice in choices if (tree := applied(task, choice)) is not None]


class TableJudge(Judge):
    """Looks verdicts up; runs nothing, ever.

    Args:
        table: that has the trees.
    """

    def __init__(self, table: OutcomeTable) -> None:
        self.table = table
        self._names: dict[tuple[str, ...], str] = {}
        self._places: dict[int, dict[str, int]] = {}

    def statuses(self, task: Task, tree: Tree, ids: Sequence[str]) -> Mapping[str, Status]:
        """Raises NotInTable for a tree or an id that the table has not."""
        codes = self.table.codes(task.id, self.name(tree))
        places = self._places_of(task)
        try:
            return {key: STATUSES[codes[places[key]]] for key in ids}
        except KeyError as error:
            raise NotInTable(f"{task.id} has no test {error}; it has {', '.join(list(places)[:3])}, ...") from None

    def grade(self, task: Task, tree: Tree) -> Report:
        """The verdict over fail_to_pass and pass_to_pass. Raises NotInTable."""
        found = self.statuses(task, tree, (*task.fail_to_pass, *task.pass_to_pass))
        late = self.table.timed_out(task.id, self.name(tree))
        outcome: Outcome = "pass" if all(status in _PASSES for status in found.values()) and not late else "fail"
        return Report("empty" if tree == task.files else outcome, found, invalid="timeout" if late else "")

    def name(self, tree: Tree) -> str:
        """`tree_hash`, remembered: texts that were seen before are not hashed again."""
        key = (*sorted(tree), *(tree[path] for path in sorted(tree)))
        found = self._names.get(key)
        if found is None:
            if len(self._names) >= _REMEMBERED:
                self._names.clear()
            found = self._names[key] = tree_hash(tree)
        return found

    def _places_of(self, task: Task) -> dict[str, int]:
        ids = self.table.ids(task.id)
        if id(ids) not in self._places:
            self._places[id(ids)] = {key: place for place, key in enumerate(ids)}
        return self._places[id(ids)]


_REMEMBERED = 20_000  # trees' names; their texts are those of the candidates


def _read(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        version, sha = int(arrays["version"]), str(arrays.pop("sha"))
    except FileNotFoundError:
        raise
    except (ValueError, KeyError, OSError, EOFError, TypeError, BadZipFile) as error:
        raise ValueError(f"{path} is no outcome table, or damaged: {error}; make it anew") from error
    if version != VERSION:
        raise ValueError(f"{path} is of version {version}, and this reads {VERSION}; make it anew")
    if _sha(arrays) != sha:
        raise ValueError(f"{path} is damaged: its arrays are not those that were written; make it anew")
    return arrays


def _sha(arrays: Mapping[str, NDArray[Any]]) -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(name.encode() + np.ascontiguousarray(arrays[name]).tobytes())
    return digest.hexdigest()
