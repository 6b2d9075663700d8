"""The issue of a generated task in words: made of failing cases, never of the diff."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence

from envs.swe.tasks.task import Case

_MOST = 2  # cases that it tells of
_LONGEST = 300  # letters of a result


def statement(cases: Sequence[Case], observed: Mapping[str, str | None]) -> str:
    """What a user would report.

    Args:
        cases: that fail, the first of which are told of.
        observed: case id -> what came instead, as `Evaluation.results` has it.
    """
    first = cases[0]
    lines = [f"`{first.function}` in `{first.module}.py` does not do what it should.", ""]
    for case in cases[:_MOST]:
        lines.append(f"`{call(case)}` {_came_to(observed[case.id])}, expected {_wanted(case.expected)}.")
    return "\n".join(lines)


def call(case: Case) -> str:
    """A case as it is written in a program: `Calendar([]).free(0, 5)`."""
    if "." not in case.function:
        return f"{case.function}{_tuple(case.arguments)}"
    name, method = case.function.split(".")
    made, rest = _first(case.arguments)
    return f"{name}{_tuple(made)}.{method}({rest})"


def _came_to(observed: str | None) -> str:
    if observed is None:
        return "does not return"
    if observed.startswith("no module: "):
        return f"cannot be called, for the import fails ({_cut(observed.removeprefix('no module: '))})"
    if observed.startswith("raises "):
        return f"raised {_cut(observed.removeprefix('raises '))}"
    return f"returned `{_cut(observed)}`"


def _wanted(expected: str) -> str:
    return f"it to raise {expected[7:]}" if expected.startswith("raises ") else f"`{_cut(expected)}`"


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}... ({len(text) - _LONGEST} characters left out)"


def _tuple(text: str) -> str:
    """`(1,)` as the arguments of a call: `(1)`."""
    return text[:-2] + ")" if text.endswith(",)") else text


def _first(arguments: str) -> tuple[str, str]:
    """The first member of a tuple in writing, and the rest."""
    members = ast.parse(arguments, mode="eval").body
    assert isinstance(members, ast.Tuple)
    texts = [ast.get_source_segment(arguments, member) or "" for member in members.elts]
    return texts[0], ", ".join(texts[1:])
