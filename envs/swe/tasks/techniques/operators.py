"""Bugs in expressions: operators, operands, constants, chains."""

from __future__ import annotations

import ast
import random
import re
from collections.abc import Iterator, Sequence

from envs.swe.tasks.source import Edit, Entity, Source
from envs.swe.tasks.techniques.technique import Change, Technique, inner

_SIGNS: dict[type[ast.AST], tuple[str, tuple[str, ...]]] = {
    ast.Add: ("+", ("-", "*")),
    ast.Sub: ("-", ("+",)),
    ast.Mult: ("*", ("+", "//")),
    ast.Div: ("/", ("*", "//")),
    ast.FloorDiv: ("//", ("*", "%")),
    ast.Mod: ("%", ("//", "*")),
    ast.Pow: ("**", ("*",)),
    ast.LShift: ("<<", (">>",)),
    ast.RShift: (">>", ("<<",)),
    ast.BitAnd: ("&", ("|", "^")),
    ast.BitOr: ("|", ("&", "^")),
    ast.BitXor: ("^", ("|", "&")),
    ast.Lt: ("<", ("<=", ">=", ">")),
    ast.LtE: ("<=", ("<", ">", ">=")),
    ast.Gt: (">", (">=", "<=", "<")),
    ast.GtE: (">=", (">", "<", "<=")),
    ast.Eq: ("==", ("!=",)),
    ast.NotEq: ("!=", ("==",)),
    ast.Is: ("is", ("is not",)),
    ast.IsNot: ("is not", ("is",)),
    ast.In: ("in", ("not in",)),
    ast.NotIn: ("not in", ("in",)),
    ast.And: ("and", ("or",)),
    ast.Or: ("or", ("and",)),
}
"""Operator -> how it is written, and those that may stand in its place."""
_ATOMS = (ast.Name, ast.Constant, ast.Call, ast.Attribute, ast.Subscript, ast.List, ast.Dict, ast.Set, ast.JoinedStr)


class _OfExpressions(Technique):
    likelihood = 0.4
    least = 3


class ChangeOperator(_OfExpressions):
    """`a < b` becomes `a <= b`, `a + b` becomes `a - b`, `and` becomes `or`."""

    name = "change_operator"

    def sites(self, source: Source, entity: Entity, rng: random.Random) -> Iterator[Sequence[Change]]:
        for node in inner(entity.node):
            for operator, spans in operators(source, node):
                ending = "=" if isinstance(node, ast.AugAssign) else ""
                yield [tuple(Edit(*span, sign + ending) for span in spans) for sign in _SIGNS[type(operator)][1]]


class SwapOperands(_OfExpressions):
    """`a - b` becomes `b - a`, `a < b` becomes `b < a`."""

    name = "swap_operands"

    def sites(self, source: Source, entity: Entity, rng: random.Random) -> Iterator[Sequence[Change]]:
        for node in inner(entity.node):
            if isinstance(node, ast.BinOp) or (isinstance(node, ast.Compare) and len(node.ops) == 1):
                [(_, [span])] = operators(source, node)
                yield [_swapped(source, node, span)]


class BreakChain(_OfExpressions):
    """`a + b + c` becomes `a + b`, `a and b` becomes `b`, `a <= b < c` becomes `a <= b`."""

    name = "break_chain"

    def sites(self, source: Source, entity: Entity, rng: random.Random) -> Iterator[Sequence[Change]]:
        for node in inner(entity.node):
            if parts := _links(source, node):
                yield [(Edit(source.start(node), source.end(node), part),) for part in parts]


class ChangeConstant(_OfExpressions):
    """A number becomes one more or one less."""

    name = "change_constant"

    def sites(self, source: Source, entity: Entity, rng: random.Random) -> Iterator[Sequence[Change]]:
        for node in inner(entity.node):
            if (
                isinstance(node, ast.Constant)
                and isinstance(node.value, int | float)
                and not isinstance(node.value, bool)
            ):
                span = (source.start(node), source.end(node))
                yield [(Edit(*span, _number(node.value, step)),) for step in (1, -1)]


def operators(source: Source, node: ast.AST) -> Iterator[tuple[ast.AST, list[tuple[int, int]]]]:
    """The operators of an expression and where they are written, in bytes."""
    if isinstance(node, ast.BinOp):
        yield node.op, [_sign(source, source.end(node.left), source.start(node.right), node.op)]
    elif isinstance(node, ast.AugAssign):
        start, end = _sign(source, source.end(node.target), source.start(node.value), node.op)
        yield node.op, [(start, end + 1)]
    elif isinstance(node, ast.Compare):
        for left, operator, right in zip([node.left, *node.comparators], node.ops, node.comparators, strict=False):
            yield operator, [_sign(source, source.end(left), source.start(right), operator)]
    elif isinstance(node, ast.BoolOp):
        pairs = zip(node.values, node.values[1:], strict=False)
        yield node.op, [_sign(source, source.end(left), source.start(right), node.op) for left, right in pairs]


def _sign(source: Source, start: int, end: int, operator: ast.AST) -> tuple[int, int]:
    """Where an operator stands between two operands, beside brackets and comments."""
    words = _SIGNS.get(type(operator), ("@", ()))[0]
    between = re.sub(rb"#[^\n]*", lambda match: b" " * len(match[0]), source.bytes[start:end])
    found = re.search(rb"\s+".join(re.escape(word.encode()) for word in words.split()), between)
    if found is None:
        raise ValueError(f"no {words} near line {source.line(start)}")
    return start + found.start(), start + found.end()


def _swapped(source: Source, node: ast.BinOp | ast.Compare, span: tuple[int, int]) -> Change:
    left = node.left
    right = node.right if isinstance(node, ast.BinOp) else node.comparators[0]
    first, last = source.start(node), source.end(node)
    before = source.segment(first, span[0]).rstrip()
    after = source.segment(span[1], last).lstrip()
    first_end = first + len(before.encode())
    last_start = last - len(after.encode())
    return (Edit(first, first_end, _bracketed(right, after)), Edit(last_start, last, _bracketed(left, before)))


def _bracketed(node: ast.expr, text: str) -> str:
    """An operand that keeps together wherever it stands."""
    return text if isinstance(node, _ATOMS) or (text.startswith("(") and _closes_last(text)) else f"({text})"


def _closes_last(text: str) -> bool:
    """Whether the first bracket is closed by the last letter."""
    depth = 0
    for place, letter in enumerate(text):
        depth += (letter in "([{") - (letter in ")]}")
        if depth == 0:
            return place == len(text) - 1
    return False


def _links(source: Source, node: ast.AST) -> list[str]:
    """What is left of a chain without one of its links."""
    if isinstance(node, ast.BinOp) and isinstance(node.left, ast.BinOp):
        [(_, [(start, end)])] = operators(source, node)
        return [source.segment(source.start(node), start).rstrip(), source.segment(end, source.end(node)).lstrip()]
    if isinstance(node, ast.BoolOp):
        [(_, spans)] = operators(source, node)
        starts = [source.start(node), *(end for _, end in spans)]
        ends = [*(start for start, _ in spans), source.end(node)]
        parts = [source.segment(start, end).strip() for start, end in zip(starts, ends, strict=True)]
        sign = f" {_SIGNS[type(node.op)][0]} "
        return [sign.join(parts[:k] + parts[k + 1 :]) for k in range(len(parts))]
    if isinstance(node, ast.Compare) and len(node.ops) > 1:
        spans = [span for _, [span] in operators(source, node)]
        return [
            source.segment(source.start(node), spans[-1][0]).rstrip(),
            source.segment(spans[0][1], source.end(node)).lstrip(),
        ]
    return []


def _number(value: float, step: int) -> str:
    text = repr(value + step)
    return f"({text})" if text.startswith("-") else text
