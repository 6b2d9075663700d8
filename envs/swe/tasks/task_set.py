"""Many tasks in one file, named by what it holds.

The file is JSON lines, gzipped where its name ends in .gz: a header, the texts that tasks share,
the lists of cases, then the tasks, which name texts and cases by their hashes.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from envs.swe.tasks.task import Bug, Case, Cases, Task, TestSuite
from envs.swe.tasks.validation import by_hash
from foundation.files import whole_file
from foundation.naming import unknown

FORMAT = "breadcrumb tasks"
VERSION = 1
_TEXTS = ("id", "repo", "statement", "patch", "image", "workdir", "base_commit", "split")
_IDS = ("fail_to_pass", "pass_to_pass", "visible")


@dataclass(frozen=True)
class TaskSet:
    """Tasks in an order.

    Attributes:
        tasks: their ids differ.
    """

    tasks: tuple[Task, ...]

    def __post_init__(self) -> None:
        if len(self._by_id) < len(self.tasks):
            raise ValueError(f"two tasks are called {_twice(task.id for task in self.tasks)!r}; ids must differ")

    def __len__(self) -> int:
        return len(self.tasks)

    def __iter__(self) -> Iterator[Task]:
        return iter(self.tasks)

    def __getitem__(self, task_id: str) -> Task:
        """A task by its id. Raises KeyError with the nearest ids."""
        if task_id not in self._by_id:
            raise KeyError(str(unknown("task", task_id, self._by_id)))
        return self._by_id[task_id]

    @cached_property
    def _by_id(self) -> Mapping[str, Task]:
        return {task.id: task for task in self.tasks}

    def subset(self, split: str) -> TaskSet:
        """The tasks of a split. Raises ValueError where there are none."""
        found = tuple(task for task in self.tasks if task.split == split)
        if not found:
            there = ", ".join(sorted({task.split for task in self.tasks})) or "none"
            raise ValueError(f"no task is of the split {split!r}; there are those of: {there}")
        return TaskSet(found)

    def ordered(self, seed: int) -> TaskSet:
        """The same tasks in an order that the seed and their ids decide, and nothing else."""
        names = by_hash((task.id for task in self.tasks), f"{seed} tasks")
        return TaskSet(tuple(self[name] for name in names))

    @cached_property
    def sha(self) -> str:
        """Names the contents: 64 hexadecimal digits."""
        return hashlib.sha256("\n".join(self._body).encode()).hexdigest()

    @cached_property
    def _body(self) -> tuple[str, ...]:
        return tuple(_lines(self.tasks))

    def save(self, place: str | Path) -> Path:
        """Write to a file, or into a folder (no .json in its name) as tasks-SHA.jsonl.gz.

        Returns:
            The file.
        """
        path = Path(place)
        if ".json" not in path.name:
            path = path / f"tasks-{self.sha[:12]}.jsonl.gz"
        header = {"format": FORMAT, "version": VERSION, "tasks": len(self.tasks), "sha": self.sha}
        content = "\n".join([json.dumps(header), *self._body]) + "\n"
        with whole_file(path) as part:
            data = content.encode()
            part.write_bytes(gzip.compress(data, 6, mtime=0) if path.suffix == ".gz" else data)
        return path

    @classmethod
    def load(cls, path: str | Path) -> TaskSet:
        """Read what `save` wrote.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it is damaged, or of another version; says where.
        """
        lines = _read(Path(path))
        header = _header(Path(path), lines[0] if lines else "")
        body = lines[1:]
        if hashlib.sha256("\n".join(body).encode()).hexdigest() != header.get("sha"):
            raise ValueError(
                f"{path} is damaged: its {len(body)} lines are not those that were written; make it anew with "
                "python -m scripts.make_tasks"
            )
        return cls(tuple(_tasks(Path(path), body)))


def _header(path: Path, line: str) -> dict[str, Any]:
    try:
        header = json.loads(line)
        named = header["format"] == FORMAT
        version = header["version"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is no task set: its first line is no header; see scripts.make_tasks") from error
    if not named or version != VERSION:
        raise ValueError(f"{path} is of version {version}, and this reads {VERSION}; make it anew")
    return dict(header)


def _read(path: Path) -> list[str]:
    data = path.read_bytes()
    try:
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
        return data.decode().removesuffix("\n").split("\n")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is damaged: {error}; make it anew with python -m scripts.make_tasks") from error


def _lines(tasks: Sequence[Task]) -> Iterator[str]:
    texts: dict[str, str] = {}
    checks: dict[str, dict[str, Any]] = {}
    known: dict[int, str] = {}
    rows = [_row(task, texts, checks, known) for task in tasks]
    for name, text in sorted(texts.items()):
        yield json.dumps({"text": name, "content": text})
    for name, check in sorted(checks.items()):
        yield json.dumps({"checks": name, "content": check})
    for row in rows:
        yield json.dumps({"task": row})


def _row(task: Task, texts: dict[str, str], checks: dict[str, dict[str, Any]], known: dict[int, str]) -> dict[str, Any]:
    name = known.get(id(task.checks))
    if name is None:
        content = {"kind": type(task.checks).__name__, **asdict(task.checks)}
        name = known[id(task.checks)] = _sha(json.dumps(content))
        checks[name] = content
    return {
        **{field: getattr(task, field) for field in _TEXTS},
        **{field: _indices(task, field) for field in _IDS},
        "files": _stored(task.files, texts),
        "reference": _stored(task.reference, texts),
        "checks": name,
        "bug": None if task.bug is None else asdict(task.bug),
    }


def _indices(task: Task, field: str) -> list[Any]:
    """Ids as numbers of cases where there are cases, which takes a tenth of the room."""
    ids = getattr(task, field)
    if isinstance(task.checks, TestSuite):
        return list(ids)
    places = _places(task.checks)
    return [places.get(key, key) for key in ids]


@functools.lru_cache(maxsize=8)
def _places(checks: Cases) -> dict[str, int]:
    return {case.id: place for place, case in enumerate(checks.cases)}


def _stored(files: Mapping[str, str], texts: dict[str, str]) -> dict[str, str]:
    names = {path: _sha(text) for path, text in sorted(files.items())}
    texts.update({names[path]: files[path] for path in names})
    return names


def _tasks(path: Path, lines: Iterable[str]) -> Iterator[Task]:
    texts: dict[str, str] = {}
    checks: dict[str, Cases | TestSuite] = {}
    for number, line in enumerate(lines, start=2):
        try:
            entry = json.loads(line)
            if "text" in entry:
                texts[entry["text"]] = entry["content"]
            elif "checks" in entry:
                checks[entry["checks"]] = _checks(entry["content"])
            else:
                yield _task(entry["task"], texts, checks)
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise ValueError(f"{path}, line {number} is damaged: {error!r}; make the file anew") from error


def _checks(content: dict[str, Any]) -> Cases | TestSuite:
    kind = content.pop("kind")
    if kind == "Cases":
        return Cases(tuple(Case(**case) for case in content["cases"]))
    if kind == "TestSuite":
        return TestSuite(
            tuple(content["command"]), content["test_patch"], tuple(content["test_files"]), content["parser"]
        )
    raise ValueError(f"checks of the kind {kind!r}")


def _task(row: dict[str, Any], texts: Mapping[str, str], checks: Mapping[str, Cases | TestSuite]) -> Task:
    check = checks[row["checks"]]
    cases = check.cases if isinstance(check, Cases) else ()
    ids = {f: tuple(cases[key].id if isinstance(key, int) else key for key in row[f]) for f in _IDS}
    return Task(
        **{field: row[field] for field in _TEXTS},
        **ids,  # type: ignore[arg-type]
        files={path: texts[name] for path, name in row["files"].items()},
        reference={path: texts[name] for path, name in row["reference"].items()},
        checks=check,
        bug=None if row["bug"] is None else Bug(**row["bug"]),
    )


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def _twice(names: Iterable[str]) -> str:
    seen: set[str] = set()
    return next((name for name in names if name in seen or seen.add(name)), "")  # type: ignore[func-returns-value]
