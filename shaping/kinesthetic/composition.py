"""Rewards composed of components, written as an expression.

    2*ball_to_goal_velocity + 0.5*krc(align, player_to_ball_distance(dispersion=1.1))

`krc(R1, ..., Rn)` is Lucy-SKG's kinesthetic reward combination: the geometric mean of |R|, negative
unless no R is. `linear(...)` is the arithmetic mean and `product(...)` the product, whose sign is
that of the product, for comparison. They nest. Sums, differences and multiplication by numbers are
written as usual.
"""

from __future__ import annotations

import ast
import math
import reprlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np

from foundation.checks import number
from foundation.naming import nearest, unknown
from shaping.kinesthetic.components import COMPONENTS, parameters
from shaping.kinesthetic.states import View, example
from shaping.transitions import FloatArray

COMBINERS = ("krc", "linear", "product")
MOST_NESTED = 100
"""Levels of an expression; a + b + c are two."""


class Expression(ABC):
    """A reward: the states as each car sees them -> (K, N)."""

    @abstractmethod
    def __call__(self, view: View) -> FloatArray:
        """The values; those of the components are kept in `view.seen`, by their text.

        Not to be written to.
        """

    @abstractmethod
    def components(self) -> Iterator[Leaf]:
        """Every component in it."""


@dataclass(frozen=True)
class Leaf(Expression):
    """A component with its parameters."""

    name: str
    arguments: tuple[tuple[str, Any], ...] = ()

    def __str__(self) -> str:
        return self._text

    @cached_property
    def _text(self) -> str:
        inner = ", ".join(f"{name}={value:g}" for name, value in self.arguments)
        return f"{self.name}({inner})" if inner else self.name

    @cached_property
    def _function(self) -> Callable[[View], FloatArray]:
        return partial(COMPONENTS[self.name], **dict(self.arguments))

    def __call__(self, view: View) -> FloatArray:
        values = view.seen.get(self._text)
        if values is None:
            values = view.seen[self._text] = self._function(view)
        return values

    def components(self) -> Iterator[Leaf]:
        yield self


@dataclass(frozen=True)
class Combination(Expression):
    """krc, linear or product of several."""

    kind: str
    parts: tuple[Expression, ...]
    eps: float = 0.0

    def __call__(self, view: View) -> FloatArray:
        return combine(self.kind, [part(view) for part in self.parts], self.eps)

    def components(self) -> Iterator[Leaf]:
        for part in self.parts:
            yield from part.components()


@dataclass(frozen=True)
class Sum(Expression):
    """Σ weight · part, and a constant."""

    terms: tuple[tuple[float, Expression], ...]
    constant: float = 0.0

    def __call__(self, view: View) -> FloatArray:
        total = np.full(view.boost.shape, self.constant)
        for weight, part in self.terms:
            total += weight * part(view)
        return total

    def components(self) -> Iterator[Leaf]:
        for _, part in self.terms:
            yield from part.components()


def combine(kind: str, values: Sequence[FloatArray], eps: float = 0.0) -> FloatArray:
    """Combine (K, N) arrays.

    krc: s (Π |R|)^(1/n), s = 1 where every R ≥ 0, else -1, so that two negatives stay negative;
    with eps s (Π (|R| + eps))^(1/n), whose slope at 0 is finite.

    Source: arXiv 2305.15801, section 3.

    >>> combine("krc", [np.array([0.25, -0.25, -0.5]), np.array([1.0, 1.0, -0.5])]).tolist()
    [0.5, -0.5, -0.5]
    """
    if kind == "linear":
        return np.asarray(sum(values) / len(values))
    if kind == "product":
        return np.asarray(math.prod(values))
    size, least = np.abs(values[0]) + eps, values[0]
    for value in values[1:]:
        size = size * (np.abs(value) + eps)
        least = np.minimum(least, value)
    root = np.sqrt(size) if len(values) == 2 else np.cbrt(size) if len(values) == 3 else size ** (1.0 / len(values))
    return np.where(least >= 0, root, -root)


def parse(text: str) -> Expression:
    """An expression from its text.

    Raises:
        ValueError: what cannot be read, with the place and what is known.
    """
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except SyntaxError as error:
        raise ValueError(f"the reward {quoted(text)} cannot be read at character {error.offset}: {error.msg}") from None
    except (RecursionError, MemoryError):  # Python's own limits
        raise _too_deep() from None
    _refuse_nesting(tree.body)
    value = _read(tree.body)
    reward = value if isinstance(value, Expression) else Sum((), value)
    _refuse_infinite(reward, text)
    return reward


def _refuse_nesting(tree: ast.expr) -> None:
    """What reads and pays it calls itself once a level, somewhere in a training run."""
    level: list[ast.AST] = [tree]
    for _ in range(MOST_NESTED):
        level = [child for node in level for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr)]
        if not level:
            return
    raise _too_deep()


def _too_deep() -> ValueError:
    return ValueError(
        f"it is nested more than {MOST_NESTED} levels deep; take signs and brackets away that do nothing, and bracket "
        "parts of a long sum"
    )


def _refuse_infinite(reward: Expression, text: str) -> None:
    """What overflows is refused now, not at the first step: tried at the ball and far from it."""
    with np.errstate(all="ignore"):
        values = reward(example())
    if not np.isfinite(values).all():
        raise _infinite(text)


def _infinite(text: str) -> ValueError:
    return ValueError(f"{quoted(text)} is not finite: a number in it is too large, or too near 0")


def quoted(text: str) -> str:
    """The text in quotes, without its middle where it is long."""
    short = reprlib.Repr()
    short.maxstring = 160
    return short.repr(text)


def _read(node: ast.expr) -> Expression | float:
    value = _value(node)
    numbers = [value.constant, *(weight for weight, _ in value.terms)] if isinstance(value, Sum) else [value]
    if not all(isinstance(each, Expression) or math.isfinite(each) for each in numbers):
        raise _infinite(ast.unparse(node))
    return value


def _value(node: ast.expr) -> Expression | float:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
        try:
            return float(node.value)
        except OverflowError:
            return math.inf
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        inner, sign = _read(node.operand), -1.0 if isinstance(node.op, ast.USub) else 1.0
        return _scaled(inner, sign) if isinstance(inner, Expression) else sign * inner
    if isinstance(node, ast.BinOp):
        return _operation(node)
    if isinstance(node, ast.Name):
        return _leaf(node.id, [])
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return _call(node, node.func.id)
    raise ValueError(f"a reward is made of components, numbers, + - * / and {', '.join(COMBINERS)}, not {_text(node)}")


def _operation(node: ast.BinOp) -> Expression | float:
    left, right = _read(node.left), _read(node.right)
    if isinstance(node.op, ast.Add | ast.Sub):
        sign = 1.0 if isinstance(node.op, ast.Add) else -1.0
        if not isinstance(left, Expression) and not isinstance(right, Expression):
            return left + sign * right
        terms: list[tuple[float, Expression]] = []
        constant = 0.0
        for factor, part in ((1.0, left), (sign, right)):
            if isinstance(part, Sum):
                terms += [(factor * weight, inner) for weight, inner in part.terms]
                constant += factor * part.constant
            elif isinstance(part, Expression):
                terms.append((factor, part))
            else:
                constant += factor * part
        return Sum(tuple(terms), constant)
    if isinstance(node.op, ast.Mult | ast.Div):
        divides = isinstance(node.op, ast.Div)
        if isinstance(right, Expression) and (divides or isinstance(left, Expression)):
            raise ValueError(f"{_text(node)}: multiply components with product(...), and divide by numbers only")
        if isinstance(right, Expression):
            assert not isinstance(left, Expression)
            return _scaled(right, left)
        if divides and right == 0:
            raise ValueError(f"{_text(node)} divides by 0")
        factor = 1.0 / right if divides else right
        return _scaled(left, factor) if isinstance(left, Expression) else left * factor
    raise ValueError(f"{_text(node)}: a reward knows + - * /")


def _call(node: ast.Call, name: str) -> Expression:
    if name not in COMBINERS:
        if name in COMPONENTS and node.args:
            raise ValueError(f"{name}: give its parameters by name: {', '.join(parameters(name)) or 'it has none'}")
        return _leaf(name, node.keywords)
    eps = 0.0
    for keyword in node.keywords:
        if keyword.arg != "eps" or name != "krc":
            raise ValueError(f"{name} has no argument {keyword.arg!r}; krc has eps")
        eps = _number(keyword.value)
        number("eps", eps, least=0)
    parts = [_read(argument) for argument in node.args]
    if len(parts) < 2 or not all(isinstance(part, Expression) for part in parts):
        raise ValueError(f"{_text(node)}: {name} combines two components or more")
    return Combination(name, tuple(part for part in parts if isinstance(part, Expression)), eps)


def _leaf(name: str, keywords: Sequence[ast.keyword]) -> Leaf:
    if name not in COMPONENTS:
        raise unknown("reward component", name, [*COMBINERS, *COMPONENTS])
    known = parameters(name)
    arguments = []
    for keyword in keywords:
        if keyword.arg not in known:
            hint = nearest(str(keyword.arg), known, most=1) or f" It has {', '.join(known) or 'none'}."
            raise ValueError(f"{name} has no parameter {keyword.arg!r}.{hint}")
        arguments.append((keyword.arg, _number(keyword.value)))
    leaf = Leaf(name, tuple(arguments))
    _refuse_infinite(leaf, str(leaf))  # its parameters, too, refuse what cannot work
    return leaf


def _number(node: ast.expr) -> float:
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        return node.value
    value = _read(node)
    if isinstance(value, Expression):
        raise ValueError(f"{_text(node)}: expected a number")
    return value


def _scaled(part: Expression, factor: float) -> Sum:
    if isinstance(part, Sum):
        return Sum(tuple((factor * weight, inner) for weight, inner in part.terms), factor * part.constant)
    return Sum(((factor, part),))


def _text(node: ast.AST) -> str:
    return repr(ast.unparse(node))
