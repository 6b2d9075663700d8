"""A Python file as text and as tree: where its nodes lie, and edits that leave the rest alone."""

from __future__ import annotations

import ast
import hashlib
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

_DECISIONS = (ast.If, ast.IfExp, ast.For, ast.While, ast.comprehension, ast.ExceptHandler, ast.With, ast.BinOp)
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, order=True)
class Edit:
    """Bytes `start` to `end` of the UTF-8 text become `text`."""

    start: int
    end: int
    text: str


@dataclass(frozen=True)
class Entity:
    """A function, method or class.

    Attributes:
        name: "merge", "Calendar" or "Calendar.book".
        node: of the tree.
        complexity: 1, and 1 for each branch, loop, handler, comparison and binary operator.
    """

    name: str
    node: Function | ast.ClassDef
    complexity: int

    @property
    def top(self) -> str:
        """The function or class at the top of the module that it is of."""
        return self.name.partition(".")[0]


class Source:
    """A file.

    Args:
        text: of it.

    Raises:
        SyntaxError: it is no Python.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.tree = ast.parse(text)
        self.bytes = text.encode()
        self._hashes: dict[tuple[int, int], str] = {}
        self._starts = [0, *(match.end() for match in re.finditer(rb"\r\n|\r|\n", self.bytes))]

    def start(self, node: ast.AST) -> int:
        """Where a node begins, in bytes."""
        return self._starts[node.lineno - 1] + node.col_offset  # type: ignore[attr-defined]

    def end(self, node: ast.AST) -> int:
        """Where it ends."""
        return self._starts[node.end_lineno - 1] + node.end_col_offset  # type: ignore[attr-defined]

    def segment(self, start: int, end: int) -> str:
        """The text between two places."""
        return self.bytes[start:end].decode()

    def lines(self, first: int, last: int) -> tuple[int, int]:
        """Where the lines `first` to `last` (from 1, both included) begin and end, in bytes."""
        end = self._starts[last] if last < len(self._starts) else len(self.bytes)
        return self._starts[first - 1], end

    def line(self, place: int) -> int:
        """The line, from 1, of a place."""
        return bisect_right(self._starts, place)

    def indentation(self, line: int) -> str:
        """The white space before a line."""
        text = self.segment(*self.lines(line, line))
        return text[: len(text) - len(text.lstrip(" \t"))]

    def edited(self, edits: Sequence[Edit]) -> str:
        """The text after edits.

        Raises ValueError where two overlap.
        """
        result = self.bytes
        last = len(self.bytes) + 1
        for edit in sorted(edits, reverse=True):
            if edit.end > last:
                raise ValueError(f"two edits overlap near line {self.line(edit.start)}; apply one of them")
            result = result[: edit.start] + edit.text.encode() + result[edit.end :]
            last = edit.start
        return result.decode()

    def changed_hash(self, edits: Sequence[Edit]) -> str:
        """Names what edits come to: `ast_hash` of the statements that they touch, after them.

        "" where they change nothing but layout.

        Raises:
            SyntaxError: the statements are no Python any more.
        """
        first, last = self.line(min(e.start for e in edits)), self.line(max(max(e.start, e.end - 1) for e in edits))
        touched = [s for s in self.tree.body if first_line(s) <= last and (s.end_lineno or 0) >= first]
        begin = min([first, *(first_line(s) for s in touched)])
        end = self.lines(1, max([last, *(s.end_lineno or 0 for s in touched)]))[1]
        start = self.lines(begin, begin)[0]
        longer = sum(len(edit.text.encode()) - (edit.end - edit.start) for edit in edits)
        name = ast_hash(self.edited(edits).encode()[start : end + longer].decode())
        if (start, end) not in self._hashes:
            self._hashes[start, end] = ast_hash(self.segment(start, end))
        return "" if name == self._hashes[start, end] else f"{begin}-{name}"

    @cached_property
    def entities(self) -> tuple[Entity, ...]:
        """Functions, classes and their methods, in order; those within functions are of these."""
        return tuple(_entities(self.tree, ""))

    def entity_at(self, line: int) -> str:
        """The innermost entity of a line; "" outside all."""
        names = [e.name for e in self.entities if first_line(e.node) <= line <= (e.node.end_lineno or 0)]
        return names[-1] if names else ""


def first_line(node: ast.stmt) -> int:
    """The line on which a statement begins, decorators included."""
    decorators = getattr(node, "decorator_list", [])
    return min([node.lineno, *(decorator.lineno for decorator in decorators)])


def ast_hash(text: str) -> str:
    """The same for programs that differ in layout, comments and docstrings alone.

    Raises:
        SyntaxError: it is no Python.
    """
    tree = ast.parse(text)
    _strip(tree)
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()[:16]


def complexity(node: ast.AST) -> int:
    """See `Entity`."""
    score = 1
    for inner in ast.walk(node):
        if isinstance(inner, _DECISIONS):
            score += 1
        elif isinstance(inner, ast.Compare):
            score += len(inner.ops)
        elif isinstance(inner, ast.BoolOp):
            score += len(inner.values) - 1
    return score


def _strip(node: ast.Module | ast.ClassDef | Function) -> None:
    """Take docstrings out, of what stands within functions too."""
    if ast.get_docstring(node, clean=False) is not None:
        node.body = node.body[1:]
    for child in node.body:
        if isinstance(child, ast.ClassDef | Function):
            _strip(child)


def _entities(node: ast.AST, prefix: str) -> Iterator[Entity]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef | Function):
            yield Entity(prefix + child.name, child, complexity(child))
        if isinstance(child, ast.ClassDef):
            yield from _entities(child, prefix + child.name + ".")
