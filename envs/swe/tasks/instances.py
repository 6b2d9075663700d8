"""Instances of SWE-bench, SWE-smith and their kin, from a file or a data set's folder, as tasks.

Fields and traps: SWE-bench writes its two test lists as JSON within a string, SWE-smith as lists;
SWE-smith's `patch` is the bug, so that what mends it is its reverse, and there is no test patch.
"""

from __future__ import annotations

import gzip
import importlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from envs.swe.tasks.patches import reversed_patch, touched
from envs.swe.tasks.task import Task, TestSuite
from foundation.checks import one_of

KINDS = ("auto", "bench", "smith")
_NEEDED = ("instance_id", "repo", "patch", "FAIL_TO_PASS", "PASS_TO_PASS")
_SMITH = re.compile(r".+\.[0-9a-f]{7,8}\.\w+")
_COMMAND = ("python", "-m", "pytest", "-rA", "-p", "no:cacheprovider")
_SUFFIXES = (".json", ".jsonl", ".json.gz", ".jsonl.gz", ".parquet")


def load_instances(place: str | Path, kind: str = "auto", split: str = "eval") -> tuple[Task, ...]:
    """Tasks of a .json, .jsonl (or these with .gz) or .parquet file, or of all in a folder.

    Args:
        place: of the file or folder.
        kind: "bench" where `patch` mends, "smith" where it is the bug; "auto" tells by the id,
            owner__name-NUMBER or owner__name.COMMIT.technique__hash.
        split: that the tasks are said to be of.

    Raises:
        FileNotFoundError: there is no such place.
        ValueError: a file cannot be read, or an instance is incomplete; names line and instance.
    """
    one_of("kind", kind, KINDS)
    tasks: dict[str, Task] = {}
    for path in _files(Path(place)):
        for where, row in _rows(path):
            task = instance(row, where, kind, split)
            if task.id in tasks:
                raise ValueError(f"{where}: {task.id} is there twice; leave one out")
            tasks[task.id] = task
    if not tasks:
        raise ValueError(f"{place} holds no instances")
    return tuple(tasks.values())


def instance(row: Any, where: str, kind: str = "auto", split: str = "eval") -> Task:
    """One row as a task; `where` names it in errors. Raises ValueError for what is wrong."""
    if not isinstance(row, Mapping):
        raise ValueError(f"{where}: expected an object with instance_id, repo, ..., got {type(row).__name__}")
    name = row.get("instance_id")
    where = f"{where} ({name})" if isinstance(name, str) and name else where
    if missing := [field for field in _NEEDED if row.get(field) is None]:
        raise ValueError(f"{where} has no {', '.join(missing)}; an instance of SWE-bench or SWE-smith has them")
    patch, is_bug = _text(row, "patch", where), _is_bug(row, kind)
    fail_to_pass = _ids(row, "FAIL_TO_PASS", where)
    if not fail_to_pass:
        raise ValueError(f"{where}: FAIL_TO_PASS is empty, so nothing would tell a mended tree; leave it out")
    try:
        mending = reversed_patch(patch) if is_bug else patch
        tests = touched(_text(row, "test_patch", where))
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error
    return Task(
        id=_text(row, "instance_id", where),
        repo=_text(row, "repo", where),
        files={},
        statement=_text(row, "problem_statement", where),
        checks=TestSuite(_COMMAND, _text(row, "test_patch", where), tests),
        fail_to_pass=fail_to_pass,
        pass_to_pass=_ids(row, "PASS_TO_PASS", where),
        patch=mending,
        image=_text(row, "image_name", where),
        workdir="/testbed",
        base_commit=_text(row, "base_commit", where),
        split=split,
    )


def _is_bug(row: Mapping[str, Any], kind: str) -> bool:
    if kind != "auto":
        return kind == "smith"
    return _SMITH.match(str(row["instance_id"])) is not None


def _ids(row: Mapping[str, Any], field: str, where: str) -> tuple[str, ...]:
    """A list of test ids, also one that is JSON in a string."""
    value = row[field]
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError as error:
            raise ValueError(f"{where}: {field} is a text that is no JSON list: {value[:60]!r}") from error
    if hasattr(value, "tolist"):  # an array of a data frame
        value = value.tolist()
    if not isinstance(value, list | tuple) or not all(isinstance(entry, str) for entry in value):
        raise ValueError(f"{where}: {field} is no list of test ids but {str(value)[:60]!r}")
    return tuple(dict.fromkeys(value))


def _text(row: Mapping[str, Any], field: str, where: str) -> str:
    value = row.get(field)
    if value is None or value != value:  # NaN is what a data frame makes of nothing
        return ""
    if not isinstance(value, str):
        raise ValueError(f"{where}: {field} is no text but {type(value).__name__}")
    return value


def _files(place: Path) -> Sequence[Path]:
    if place.is_dir():
        found = sorted(path for path in place.rglob("*") if path.name.endswith(_SUFFIXES) and path.is_file())
        found = [path for path in found if path.name not in ("dataset_info.json", "dataset_dict.json", "state.json")]
        if not found:
            arrow = " It holds .arrow files: save it with to_json()." if any(place.rglob("*.arrow")) else ""
            raise ValueError(f"{place} holds no file that ends in {', '.join(_SUFFIXES)}.{arrow}")
        return found
    if not place.exists():
        raise FileNotFoundError(f"there is no {place}; give a .json, .jsonl or .parquet file, or a folder of them")
    if not place.name.endswith(_SUFFIXES):
        raise ValueError(f"{place} is not read: expected a name that ends in {', '.join(_SUFFIXES)}")
    return [place]


def _rows(path: Path) -> Iterator[tuple[str, Any]]:
    if path.suffix == ".parquet":
        yield from ((f"{path}, row {k}", row) for k, row in enumerate(_parquet(path), start=1))
        return
    text = _content(path)
    if ".jsonl" in path.name:
        yield from _json_lines(path, text)
        return
    try:
        content = json.loads(text)
    except ValueError as error:
        raise ValueError(f"{path} is no JSON: {error}; one instance a line is a .jsonl file") from error
    rows = list(content.values()) if isinstance(content, dict) and "instance_id" not in content else content
    rows = [rows] if isinstance(rows, dict) else rows
    if not isinstance(rows, list):
        raise ValueError(f"{path} holds no list of instances but {type(rows).__name__}")
    yield from ((f"{path}, instance {k}", row) for k, row in enumerate(rows, start=1))


def _json_lines(path: Path, text: str) -> Iterator[tuple[str, Any]]:
    for number, line in enumerate(text.split("\n"), start=1):  # not splitlines: texts may hold \x85 and the like
        if line.strip():
            try:
                yield f"{path}, line {number}", json.loads(line)
            except ValueError as error:
                raise ValueError(f"{path}, line {number} is no JSON: {error}") from error


def _content(path: Path) -> str:
    data = path.read_bytes()
    try:
        return (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode("utf-8-sig")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is damaged: {error}") from error


def _parquet(path: Path) -> Sequence[Any]:
    try:
        arrow, parquet = importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        raise ValueError(
            f"{path} is a parquet file, which needs pyarrow: install it (pip install pyarrow), or save the data set as "
            ".jsonl, with to_json() of its own library"
        ) from error
    try:
        rows: Sequence[Any] = parquet.read_table(path).to_pylist()
    except (OSError, arrow.ArrowException) as error:
        raise ValueError(f"{path} is damaged: {error}") from error
    return rows
