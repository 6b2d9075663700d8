"""What Python's compiler says of an edit: does it break a file that was whole?

Line numbers count from 1 everywhere here. An editor that counts from 0 beside a linter that counts
from 1 takes good edits back (SWE-agent, issues 1466 and 1479).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

from envs.swe.text.lines import Change, change_of


@dataclass(frozen=True)
class Fault:
    """The first thing in a file that is no Python."""

    line: int
    message: str


def fault_of(path: str, text: str) -> Fault | None:
    """None for a file that compiles, or that is no Python by its name. Nothing is executed."""
    if not path.endswith(".py"):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(text, path, "exec", dont_inherit=True)
    except SyntaxError as error:
        return Fault(error.lineno or 1, error.msg or "invalid syntax")
    except (ValueError, RecursionError, MemoryError, OverflowError) as error:
        return Fault(1, str(error) or type(error).__name__)
    return None


def new_fault(path: str, before: str, after: str) -> Fault | None:
    """The fault that an edit brings; None where there is none, or the same was there before."""
    fault = fault_of(path, after)
    if fault is None:
        return None
    old = fault_of(path, before)
    return None if old is not None and _same(old, fault, change_of(before, after)) else fault


def _same(old: Fault, new: Fault, change: Change) -> bool:
    """Is it the old fault, where the edit has moved it to, or a try to mend it?"""
    if change.first <= old.line <= change.last:
        return change.first <= new.line <= change.last + change.added
    moved = old.line + (change.added if old.line > change.last else 0)
    return (new.line, new.message) == (moved, old.message)
