"""What a technique is: where in an entity it applies, and to what it changes that."""

from __future__ import annotations

import ast
import functools
import math
import random
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import cast

from envs.swe.tasks.source import Edit, Entity, Function, Source

Change = tuple[Edit, ...]
"""Edits that belong together."""


class Technique(ABC):
    """One way to put a bug into a function or class.

    Attributes:
        name: of it.
        likelihood: with which a site is changed where several may be, as in SWE-smith.
        least, most: complexity of the entities to which it is put (see `Entity`).
        kinds: of the nodes of these entities.
    """

    name: str
    likelihood: float = 0.25
    least: float = 1
    most: float = math.inf
    kinds: tuple[type[ast.AST], ...] = (ast.FunctionDef, ast.AsyncFunctionDef)

    @abstractmethod
    def sites(self, source: Source, entity: Entity, rng: random.Random) -> Iterator[Sequence[Change]]:
        """For every site, the changes that can be made there."""

    def fitting(self, source: Source) -> list[Entity]:
        """The entities that it may be put to."""
        return [
            e for e in source.entities if isinstance(e.node, self.kinds) and self.least <= e.complexity <= self.most
        ]


def body(node: Function | ast.ClassDef) -> list[ast.stmt]:
    """The statements without the docstring."""
    return node.body[1:] if ast.get_docstring(node, clean=False) is not None else node.body


@functools.lru_cache(maxsize=256)
def inner(node: ast.AST) -> tuple[ast.AST, ...]:
    """What stands in an entity's body, in order of the text, without decorators and docstrings."""
    statements = body(node) if isinstance(node, ast.ClassDef | Function) else []
    found = [child for statement in statements for child in ast.walk(statement) if hasattr(child, "lineno")]
    return tuple(sorted(found, key=_place))


def _place(node: ast.AST) -> tuple[int, ...]:
    spot = cast(ast.expr, node)
    return (spot.lineno, spot.col_offset, -(spot.end_lineno or 0), -(spot.end_col_offset or 0))


def blocks(node: ast.AST) -> Iterator[list[ast.stmt]]:
    """Every list of statements under a node, its own included."""
    for child in ast.walk(node):
        for field in ("body", "orelse", "finalbody"):
            statements = getattr(child, field, None)
            if isinstance(statements, list) and statements and isinstance(statements[0], ast.stmt):
                yield statements


def alone(source: Source, first: int, last: int, start: int, end: int) -> bool:
    """Whether nothing but white space and comments shares lines `first` to `last` with a span."""
    begin, stop = source.lines(first, last)
    after = source.segment(end, stop).strip()
    return not source.segment(begin, start).strip() and (not after or after.startswith("#"))


def without(source: Source, statement: ast.stmt, siblings: Sequence[ast.stmt]) -> Change | None:
    """The edit that takes a statement out; `pass` stands for the last of a block."""
    first, last = statement.lineno, statement.end_lineno or statement.lineno
    if not alone(source, first, last, source.start(statement), source.end(statement)):
        return None
    start, end = source.lines(first, last)
    if len(siblings) > 1:
        return (Edit(start, end, ""),)
    return (Edit(source.start(statement), source.end(statement), "pass"),)
