"""Plain values as JSON that keeps their types, so that they are compared where no program runs.

A description is [type, content]: ["int", "3"], ["list", [...]], ["dict", [[key, value], ...]].
`envs.swe.grading.runner` writes the same inside a sandbox.
"""

from __future__ import annotations

import ast
import json
from typing import Any

Description = list[Any]
DEEPEST = 50
"""Levels of a value; what is deeper is no plain value."""


def describe(value: object, depth: int = DEEPEST) -> Description:
    """A plain value's description, equal for equal values of equal types: sets and dicts sorted.

    Raises ValueError for anything else.

    >>> describe((True, {"a": 2.0}))
    ['tuple', [['bool', 'True'], ['dict', [[['str', 'a'], ['float', '2.0']]]]]]
    """
    kind = type(value)
    if depth == 0:
        raise ValueError("the value is nested too deeply to be compared")
    if kind in (int, bool, type(None), complex):
        return [kind.__name__, repr(value)]
    if isinstance(value, bytes) and kind is bytes:
        return ["bytes", value.hex()]
    if isinstance(value, str) and kind is str:
        return ["str", value]
    if isinstance(value, float) and kind is float:
        return ["float", repr(value + 0.0)]  # -0.0 equals 0.0
    if isinstance(value, list | tuple) and kind in (list, tuple):
        return [kind.__name__, [describe(item, depth - 1) for item in value]]
    if isinstance(value, set | frozenset) and kind in (set, frozenset):
        return [kind.__name__, sorted((describe(item, depth - 1) for item in value), key=json.dumps)]
    if isinstance(value, dict) and kind is dict:
        pairs = ([describe(key, depth - 1), describe(item, depth - 1)] for key, item in value.items())
        return ["dict", sorted(pairs, key=json.dumps)]
    raise ValueError(f"a {kind.__name__} is no plain value")


def parse(text: str) -> Any:
    """The value of a `repr`: literals, set(), frozenset(...), inf, nan; nothing is executed.

    Raises ValueError.

    >>> parse("[(1,), set(), -inf]")
    [(1,), set(), -inf]
    """
    try:
        return _value(ast.parse(text.strip(), mode="eval").body)
    except (SyntaxError, RecursionError, MemoryError, TypeError) as error:
        raise ValueError(f"{text[:80]!r} is not the repr of a plain value: {error}") from error


def canonical(description: object, depth: int = DEEPEST) -> Description:
    """A sandbox's description, in the order that `describe` gives. Raises ValueError for none."""
    if depth == 0 or not (isinstance(description, list) and len(description) == 2):
        raise ValueError("not a description")
    kind, content = description
    if kind in ("list", "tuple", "set", "frozenset") and isinstance(content, list):
        items = [canonical(item, depth - 1) for item in content]
        return [kind, sorted(items, key=json.dumps) if kind.endswith("set") else items]
    if kind == "dict" and isinstance(content, list) and all(isinstance(pair, list) for pair in content):
        pairs = [[canonical(item, depth - 1) for item in pair] for pair in content]
        return [kind, sorted(pairs, key=json.dumps)]
    if kind in ("int", "bool", "NoneType", "complex", "bytes", "str", "float", "raises") and isinstance(content, str):
        return [kind, "0.0" if description == ["float", "-0.0"] else content]
    raise ValueError("not a description")


def _value(node: ast.expr) -> Any:
    if isinstance(node, ast.List):
        return [_value(item) for item in node.elts]
    if isinstance(node, ast.Tuple):
        return tuple(_value(item) for item in node.elts)
    if isinstance(node, ast.Set):
        return {_value(item) for item in node.elts}
    if isinstance(node, ast.Dict):
        if None in node.keys:
            raise ValueError("** is no part of a plain value")
        keys = [_value(key) for key in node.keys if key is not None]
        return dict(zip(keys, map(_value, node.values), strict=True))
    if isinstance(node, ast.Name) and node.id in ("inf", "nan"):
        return float(node.id)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_value(node.operand)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("set", "frozenset"):
        items = [_value(item) for item in node.args[:1]]
        return {"set": set, "frozenset": frozenset}[node.func.id](*items)
    return ast.literal_eval(node)


def same(description: object, expected: Description) -> bool:
    """Whether a sandbox's description is that of the expected value; NaN is NaN."""
    try:
        return canonical(description) == expected
    except (ValueError, RecursionError, TypeError):
        return False
