"""Which keyword arguments something takes, by looking at it: nothing is built to find out."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any


def keywords(target: Callable[..., Any]) -> frozenset[str] | None:
    """The keyword arguments that a function or class takes, None where that cannot be known.

    A constructor that hands the rest on (`super().__init__(**kwargs)`) takes its base class's too,
    but for those that it fixes itself.

    >>> class Base:
    ...     def __init__(self, size=1, lit=True): ...
    >>> sorted(keywords(Base))
    ['lit', 'size']
    >>> keywords(lambda **anything: None) is None
    True
    """
    if not isinstance(target, type):
        return None if _rest(inspect.signature(target).parameters.values()) else named(target)
    accepted: set[str] = set()
    fixed: set[str] = set()
    for cls in target.__mro__[:-1]:
        if "__init__" not in vars(cls):
            continue
        constructor = cls.__init__  # type: ignore[misc]
        parameters = list(inspect.signature(constructor).parameters.values())[1:]
        accepted |= _named(parameters) - fixed
        rest = _rest(parameters)
        if not rest:
            return frozenset(accepted)
        handed = _handed_on(constructor, rest)
        if handed is None:
            return None
        accepted |= handed.taken - fixed
        fixed |= handed.fixed
    return None


def named(target: Callable[..., Any]) -> frozenset[str]:
    """The keyword arguments that a signature names, whatever `**kwargs` it has besides."""
    return _named(inspect.signature(target).parameters.values())


def _named(parameters: Iterable[inspect.Parameter]) -> frozenset[str]:
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return frozenset(parameter.name for parameter in parameters if parameter.kind in kinds)


def _rest(parameters: Iterable[inspect.Parameter]) -> str:
    """The name of `**kwargs`, "" where there are none."""
    return next((parameter.name for parameter in parameters if parameter.kind is parameter.VAR_KEYWORD), "")


@dataclass(frozen=True)
class _HandedOn:
    taken: frozenset[str]  # names that the constructor itself reads from its **kwargs
    fixed: frozenset[str]  # names that it passes on beside them, so that nobody else can


def _handed_on(constructor: Any, rest: str) -> _HandedOn | None:
    """What a constructor does with its `**rest`, None where it is more than can be followed."""
    try:
        source = inspect.getsource(constructor)
        tree = ast.parse(f"if True:\n{source}" if source[0].isspace() else source)
    except (OSError, TypeError, SyntaxError):
        return None
    taken, fixed = set(), set()
    understood: set[ast.AST] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(attr="__init__"), keywords=passed):
                rests = [word.value for word in passed if word.arg is None and _is(word.value, rest)]
                if rests:
                    fixed |= {word.arg for word in passed if word.arg is not None}
                    understood |= set(rests)
            case ast.Call(func=ast.Attribute(value=used, attr="pop" | "get"), args=[ast.Constant(str(word)), *_]):
                if _is(used, rest):
                    taken.add(word)
                understood.add(used)
            case ast.Compare(left=ast.Constant(str(word)), ops=[ast.In() | ast.NotIn()], comparators=[used]):
                if _is(used, rest):
                    taken.add(word)
                understood.add(used)
            case ast.Subscript(value=used, slice=ast.Constant(str(word)), ctx=context):
                if _is(used, rest) and isinstance(context, ast.Load):
                    taken.add(word)
                understood.add(used)
    uses = {node for node in ast.walk(tree) if _is(node, rest)}
    return _HandedOn(frozenset(taken), frozenset(fixed)) if uses <= understood else None


def _is(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name
