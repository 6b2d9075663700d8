"""Bugs in classes: bases and methods taken out, methods in another order."""

from __future__ import annotations

import ast
import random
from collections.abc import Iterator, Sequence

from envs.swe.tasks.source import Edit, Entity, Function, Source, first_line
from envs.swe.tasks.techniques.orders import reordered
from envs.swe.tasks.techniques.technique import Change, Technique


class RemoveBases(Technique):
    """`class Savings(Account):` becomes `class Savings:`."""

    name = "remove_bases"
    kinds = (ast.ClassDef,)

    def sites(self, source: Source, entity: Entity, rng: random.Random) -> Iterator[Sequence[Change]]:
        node = entity.node
        if isinstance(node, ast.ClassDef) and node.bases and not node.keywords:
            start = source.start(node)
            opening = source.bytes.index(b"(", start)
            closing = source.bytes.index(b")", source.end(node.bases[-1]))
            yield [(Edit(opening, closing + 1, ""),)]


class RemoveMethod(Technique):
    """One method less."""

    name = "remove_method"
    likelihood = 0.15
    kinds = (ast.ClassDef,)

    def sites(self, source: Source, entity: Entity, rng: random.Random) -> Iterator[Sequence[Change]]:
        if len(entity.node.body) < 2:
            return
        for statement in entity.node.body:
            if isinstance(statement, Function):
                start, end = source.lines(first_line(statement), statement.end_lineno or statement.lineno)
                yield [(Edit(start, end, ""),)]


class ShuffleMethods(Technique):
    """The methods in another order; a bug only where the order matters."""

    name = "shuffle_methods"
    least = 10
    kinds = (ast.ClassDef,)

    def sites(self, source: Source, entity: Entity, rng: random.Random) -> Iterator[Sequence[Change]]:
        methods = [statement for statement in entity.node.body if isinstance(statement, Function)]
        if change := reordered(source, methods, rng):
            yield [change]
