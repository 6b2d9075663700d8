"""Statements in another order, each a block of whole lines."""

from __future__ import annotations

import ast
import random
from collections.abc import Sequence

from envs.swe.tasks.source import Edit, Source, first_line
from envs.swe.tasks.techniques.technique import Change, alone


def reordered(source: Source, statements: Sequence[ast.stmt], rng: random.Random) -> Change | None:
    """The statements' lines in a drawn order that is not theirs; None where there is none.

    What lies between the statements, comments and empty lines, stays where it is.
    """
    if len(statements) < 2 or not all(_whole(source, statement) for statement in statements):
        return None
    order = list(range(len(statements)))
    while order == sorted(order):
        rng.shuffle(order)
    return exchanged(source, statements, order)


def exchanged(source: Source, statements: Sequence[ast.stmt], order: Sequence[int]) -> Change:
    """At the place of statement i stands statement order[i]."""
    spans = [source.lines(first_line(s), s.end_lineno or s.lineno) for s in statements]
    texts = [source.segment(*span).rstrip("\r\n") for span in spans]
    ends = [source.segment(*span)[len(text) :] for span, text in zip(spans, texts, strict=True)]
    return tuple(Edit(*span, texts[other] + end) for span, other, end in zip(spans, order, ends, strict=True))


def _whole(source: Source, statement: ast.stmt) -> bool:
    first, last = statement.lineno, statement.end_lineno or statement.lineno
    return alone(source, first, last, source.start(statement), source.end(statement))
