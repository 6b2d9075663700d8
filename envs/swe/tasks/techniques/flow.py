"""Bugs in the flow: branches exchanged, statements taken out or in another order."""

from __future__ import annotations

import ast
import random
from collections.abc import Iterator, Sequence

from envs.swe.tasks.source import Edit, Entity, Source
from envs.swe.tasks.techniques.orders import reordered
from envs.swe.tasks.techniques.technique import Change, Technique, alone, blocks, body, inner, without

_ORDERS = 3  # shuffles of one function


class InvertIf(Technique):
    """What stood under `if` stands under `else`, and the other way round."""

    name = "invert_if"
    least = 5

    def sites(self, source: Source, entity: Entity, rng: random.Random) -> Iterator[Sequence[Change]]:
        for node in inner(entity.node):
            if isinstance(node, ast.IfExp):
                first, second = (
                    (source.start(node.body), source.end(node.body)),
                    (source.start(node.orelse), source.end(node)),
                )
                yield [(Edit(*first, source.segment(*second)), Edit(*second, source.segment(*first)))]
            elif isinstance(node, ast.If) and node.orelse and (change := _branches(source, node)):
                yield [change]


class ShuffleLines(Technique):
    """The statements of a small function with a loop in another order."""

    name = "shuffle_lines"
    most = 10

    def sites(self, source: Source, entity: Entity, rng: random.Random) -> Iterator[Sequence[Change]]:
        statements = body(entity.node)
        if any(isinstance(node, ast.For | ast.While) for node in inner(entity.node)):
            orders = [reordered(source, statements, rng) for _ in range(_ORDERS)]
            yield [order for order in dict.fromkeys(orders) if order]


class _Remove(Technique):
    """Statements of some kinds are taken out, one a site."""

    removed: tuple[type[ast.stmt], ...]

    def sites(self, source: Source, entity: Entity, rng: random.Random) -> Iterator[Sequence[Change]]:
        for siblings in blocks(entity.node):
            for statement in siblings:
                if isinstance(statement, self.removed) and (change := without(source, statement, siblings)):
                    yield [change]


class RemoveAssign(_Remove):
    """An assignment less."""

    name = "remove_assign"
    removed = (ast.Assign, ast.AugAssign, ast.AnnAssign)


class RemoveLoop(_Remove):
    """A loop less."""

    name = "remove_loop"
    removed = (ast.For, ast.While)


class RemoveIf(_Remove):
    """An `if` with all its branches less, or one `elif`."""

    name = "remove_if"
    removed = (ast.If,)

    def sites(self, source: Source, entity: Entity, rng: random.Random) -> Iterator[Sequence[Change]]:
        yield from super().sites(source, entity, rng)
        for node in inner(entity.node):
            if isinstance(node, ast.If) and _is_elif(source, node):
                start, end = source.lines(node.lineno, node.body[-1].end_lineno or node.lineno)
                yield [(Edit(start, end, ""),)]


class RemoveWrapper(Technique):
    """What `with` or `try` wraps stands there alone."""

    name = "remove_wrapper"

    def sites(self, source: Source, entity: Entity, rng: random.Random) -> Iterator[Sequence[Change]]:
        for node in inner(entity.node):
            if isinstance(node, ast.Try | ast.With) and (text := _dedented(source, node)) is not None:
                yield [(Edit(*source.lines(node.lineno, node.end_lineno or node.lineno), text),)]


def _branches(source: Source, node: ast.If) -> Change | None:
    """The two bodies exchanged; None where the second is an `elif`, which has none."""
    if _is_elif(source, node.orelse[0]):
        return None
    spans = [source.lines(part[0].lineno, part[-1].end_lineno or 0) for part in (node.body, node.orelse)]
    if source.line(source.start(node.test)) == node.body[0].lineno:
        return None
    first, second = (source.segment(*span) for span in spans)
    return (Edit(*spans[0], _closed(second)), Edit(*spans[1], _closed(first)))


def _closed(text: str) -> str:
    return text if text.endswith("\n") else text + "\n"


def _is_elif(source: Source, node: ast.AST) -> bool:
    return isinstance(node, ast.If) and source.segment(source.start(node), source.start(node) + 4) == "elif"


def _dedented(source: Source, node: ast.Try | ast.With) -> str | None:
    first, last = node.body[0].lineno, node.body[-1].end_lineno or 0
    strings = [n for s in node.body for n in ast.walk(s) if isinstance(n, ast.Constant | ast.JoinedStr)]
    if first == node.lineno or any(n.lineno != n.end_lineno for n in strings):
        return None
    if not alone(source, node.lineno, node.end_lineno or 0, source.start(node), source.end(node)):
        return None
    depth = len(source.indentation(first)) - len(source.indentation(node.lineno))
    lines = source.segment(*source.lines(first, last)).splitlines(keepends=True)
    return "".join(line[depth:] if line.strip() else line for line in lines)
