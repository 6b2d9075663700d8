"""Edits to choose from, for an agent that picks tools and places and writes no text.

Each is an inverse mutation at a site of a file: another operator, operands exchanged, a constant
one more or less, branches exchanged, lines brought back. The right one is among them or not.
"""

from __future__ import annotations

import ast
import functools
import itertools
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from envs.swe.tasks.mutations import Mutation, chosen, proposed
from envs.swe.tasks.source import Edit, Source
from envs.swe.tasks.task import Cases, Task, Tree

TECHNIQUES = ("change_operator", "change_constant", "swap_operands", "invert_if", "remove_if", "restore_lines")
"""What a candidate may be made by; "restore_lines" is for several places, and what is missing."""
_INVERSE = ("change_operator", "change_constant", "swap_operands", "invert_if")
_OFFERED = (*_INVERSE, "remove_if")
_FAR = 99  # steps of calls to a function that no failing case reaches


@dataclass(frozen=True)
class Candidate:
    """An edit.

    Attributes:
        path: of the file.
        technique: one of `TECHNIQUES`, which says nothing of whether it is right.
        line: on which it begins, from 1, in the file as the agent finds it.
        text: the whole file after it.
        distance: calls from a failing function to where it lies; 99 where none leads there.
    """

    path: str
    technique: str
    line: int
    text: str
    distance: int = _FAR


def candidates(task: Task, path: str, count: int, seed: int, fix: bool = True) -> tuple[Candidate, ...]:
    """Edits of a file, those nearest to the failing functions, in an order drawn by seed and task.

    Args:
        task: with its reference.
        path: of the file.
        count: how many at most; where the file has fewer sites there are fewer.
        seed: of the order.
        fix: whether the right edit is among them, where the bug is in this file; without it, never.

    Raises:
        ValueError: the task has no such file, or it is no Python.
    """
    if path not in task.files:
        raise ValueError(f"{task.id} has no file {path!r}; it has {', '.join(sorted(task.files))}")
    right = right_candidate(task, path) if count else None
    size = count - (fix and right is not None)
    found = list(itertools.islice(_pool(task, path, seed), max(size, 0)))
    if fix and right is not None:
        found.append(right)
    random.Random(f"{seed} {task.id} {path}").shuffle(found)
    return tuple(found)


def right_candidate(task: Task, path: str) -> Candidate | None:
    """The edit that mends a file, named by the inverse that gives it, if one does.

    None where there is nothing to mend in it.
    """
    wanted = task.reference.get(path)
    if wanted is None or wanted == task.files[path]:
        return None
    source = Source(task.files[path])
    edit = difference(source.text, wanted)
    technique, line = "restore_lines", source.line(edit.start)
    for one in _near(source, edit):
        if _named(source, one.edits) == _named(source, [edit]):
            technique, line = one.technique, one.line
            break
    return Candidate(path, technique, line, wanted, _distance(distances(task), path, source.entity_at(line)))


def applied(task: Task, picked: Iterable[Candidate]) -> dict[str, str] | None:
    """The tree after several candidates; None where two of one file touch the same place."""
    tree = dict(task.files)
    by_path: dict[str, list[str]] = {}
    for candidate in picked:
        by_path.setdefault(candidate.path, []).append(candidate.text)
    for path, texts in by_path.items():
        merged = _merged(task.files[path], texts)
        if merged is None:
            return None
        tree[path] = merged
    return tree


def distances(task: Task) -> Mapping[tuple[str, str], int]:
    """(path, function) -> calls that lead there from the functions of the visible failing cases.

    Calls are read off the text by name, so what is called through a variable may be missed.
    """
    if not isinstance(task.checks, Cases):
        return {}
    failing = set(task.fail_to_pass) & set(task.visible)
    start = {(f"{c.module}.py", c.function) for c in task.checks.cases if c.id in failing}
    return _spread(task.files, start)


def _pool(task: Task, path: str, seed: int) -> Iterator[Candidate]:
    """Every candidate of a file but the right one, the nearest first."""
    reach = distances(task)
    source = Source(task.files[path])
    right = right_candidate(task, path)
    seen = {"", _named(source, [difference(source.text, right.text)]) if right is not None else ""}
    rng = random.Random(f"{seed} {task.id} {path} pool")
    found = [(_distance(reach, path, one.function), rng.random(), one) for one in _proposed(source.text, _OFFERED)]
    if right is not None and right.technique == "restore_lines":
        found += [(right.distance, rng.random(), one) for one in _near_misses(source, right)]
    for distance, _, one in sorted(found, key=lambda entry: entry[:2]):
        name = _named(source, one.edits)
        if name not in seen:
            seen.add(name)
            yield Candidate(path, one.technique, one.line, one.text, distance)


def _near_misses(source: Source, right: Candidate) -> Iterator[Mutation]:
    """What is missing brought back wrongly: the right edit, and another change in its function.

    For bugs that no inverse undoes, so that the right edit is not told by how it was made.
    """
    there = Source(right.text)
    function = there.entity_at(right.line)
    for one in _proposed(right.text, _INVERSE):
        if one.function == function:
            edit = difference(source.text, one.text)
            yield Mutation("restore_lines", function, right.line, (edit,), one.text)


def _near(source: Source, edit: Edit) -> list[Mutation]:
    """Inverses at the lines of an edit."""
    first, last = source.line(edit.start), source.line(edit.end)
    return [
        one for one in _proposed(source.text, _INVERSE) if first <= source.line(one.edits[-1].end) and one.line <= last
    ]


@functools.lru_cache(maxsize=64)
def _proposed(text: str, techniques: tuple[str, ...]) -> tuple[Mutation, ...]:
    return tuple(proposed(Source(text), chosen(techniques), 0))


def _named(source: Source, edits: Sequence[Edit]) -> str:
    """A name for what edits come to; "" for nothing, or where it is no Python."""
    try:
        return source.changed_hash(edits)
    except SyntaxError:
        return ""


def difference(before: str, after: str) -> Edit:
    """The one stretch of bytes in which two texts differ."""
    old, new = before.encode(), after.encode()
    start = _alike(old, new)
    most = min(len(old), len(new)) - start
    end = min(most, _alike(old[::-1], new[::-1]))
    while start and (old[start : start + 1] or b"\0")[0] & 0xC0 == 0x80:  # not within a letter
        start -= 1
    while end and old[len(old) - end] & 0xC0 == 0x80:
        end -= 1
    return Edit(start, len(old) - end, new[start : len(new) - end].decode())


def _alike(first: bytes, second: bytes) -> int:
    """How many bytes at the beginning are the same."""
    low, high = 0, min(len(first), len(second))
    while low < high:
        middle = (low + high + 1) // 2
        if first[:middle] == second[:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _merged(before: str, texts: Sequence[str]) -> str | None:
    if len(texts) == 1:
        return texts[0]
    edits = sorted(difference(before, text) for text in texts)
    if any(one.end >= other.start for one, other in itertools.pairwise(edits)):
        return None
    result = Source(before).edited(edits)
    try:
        ast.parse(result)
    except SyntaxError:
        return None
    return result


def _distance(reach: Mapping[tuple[str, str], int], path: str, function: str) -> int:
    """Of the function, or of the class or method nearest to it."""
    owner = function.partition(".")[0]
    return min(reach.get((path, function), _FAR), reach.get((path, owner), _FAR))


def _spread(files: Tree, start: Iterable[tuple[str, str]]) -> dict[tuple[str, str], int]:
    names, calls = _calls(tuple(sorted(files.items())))
    reach: dict[tuple[str, str], int] = {}
    front = {place for place in start if place in names} or set()
    distance = 0
    while front:
        reach |= dict.fromkeys(front, distance)
        front = {called for place in front for called in calls[place]} - set(reach)
        distance += 1
    return reach


@functools.lru_cache(maxsize=4096)
def _calls(
    files: tuple[tuple[str, str], ...],
) -> tuple[frozenset[tuple[str, str]], dict[tuple[str, str], set[tuple[str, str]]]]:
    """(path, function) of all, and what each may call: whatever has a name that stands in it."""
    uses: dict[tuple[str, str], set[str]] = {}
    named: dict[str, set[tuple[str, str]]] = {}
    for path, text in files:
        for entity, words in _uses(text):
            uses[path, entity] = words
            named.setdefault(entity.rpartition(".")[2], set()).add((path, entity))
    calls = {place: set().union(*(named.get(word, set()) for word in words)) for place, words in uses.items()}
    return frozenset(uses), calls


@functools.lru_cache(maxsize=4096)
def _uses(text: str) -> list[tuple[str, set[str]]]:
    found = []
    for entity in Source(text).entities:
        words = {n.id for n in ast.walk(entity.node) if isinstance(n, ast.Name)}
        words |= {n.attr for n in ast.walk(entity.node) if isinstance(n, ast.Attribute)}
        found.append((entity.name, words))
    return found
