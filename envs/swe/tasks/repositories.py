"""The repositories of the corpus: their sources and cases, read as text."""

from __future__ import annotations

import ast
import functools
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable

from envs.swe.tasks.plain_values import written
from envs.swe.tasks.task import Case, Cases
from foundation.naming import unknown


@dataclass(frozen=True)
class Repository:
    """Modules that may import one another, and what their functions should give.

    Attributes:
        name: of the folder in the corpus.
        files: path -> text.
        checks: the cases of all modules, in the order of their ids in the files.
    """

    name: str
    files: Mapping[str, str]
    checks: Cases


@functools.cache
def repositories() -> Mapping[str, Repository]:
    """Every repository of the corpus by its name, in order."""
    folders = sorted((f for f in files("envs.swe.corpus").iterdir() if _is_repository(f)), key=lambda f: f.name)
    return {folder.name: _read(folder) for folder in folders}


def repository(name: str) -> Repository:
    """One of them. Raises ValueError with the nearest names."""
    known = repositories()
    if name not in known:
        raise unknown("repository", name, known)
    return known[name]


def read_cases(module: str, text: str) -> tuple[Case, ...]:
    """Cases of a module, of lines `function(arguments) == expected`.

    A method is called as `Class(arguments).method(arguments)`; what should fail stands as
    `raises(ValueError)`. Empty lines and those that begin with # are left out.

    Raises:
        ValueError: a line is none; names it.
    """
    counts: Counter[str] = Counter()
    return tuple(_numbered(module, text, counts))


def _numbered(module: str, text: str, counts: Counter[str]) -> Iterator[Case]:
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            function, arguments, expected = _parts(line)
        except (SyntaxError, ValueError, AttributeError, TypeError) as error:
            raise ValueError(
                f"{module}.cases, line {number}: {line[:80]!r} is no case ({error}); write "
                "function(arguments) == expected, with plain values"
            ) from error
        yield Case(f"{module}::{function}[{counts[function]}]", module, function, arguments, expected)
        counts[function] += 1


def _parts(line: str) -> tuple[str, str, str]:
    comparison = ast.parse(line, mode="eval").body
    if not isinstance(comparison, ast.Compare) or not isinstance(comparison.ops[0], ast.Eq):
        raise ValueError("there is no ==")
    call = comparison.left
    if not isinstance(call, ast.Call) or call.keywords:
        raise ValueError("there is no call with positional arguments before the ==")
    values = tuple(ast.literal_eval(argument) for argument in call.args)
    function, values = _called(call.func, values)
    return function, written(values), _expected(comparison.comparators[0])


def _called(called: ast.expr, values: tuple[object, ...]) -> tuple[str, tuple[object, ...]]:
    if isinstance(called, ast.Attribute) and isinstance(called.value, ast.Call):
        made = tuple(ast.literal_eval(argument) for argument in called.value.args)
        return f"{ast.unparse(called.value.func)}.{called.attr}", (made, *values)
    return ast.unparse(called), values


def _expected(node: ast.expr) -> str:
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "raises":
        return f"raises {ast.unparse(node.args[0])}"
    return written(ast.literal_eval(node))


def _is_repository(folder: Traversable) -> bool:
    return folder.is_dir() and not folder.name.startswith(("_", "."))


def _read(folder: Traversable) -> Repository:
    sources = {f.name: f.read_text("utf-8") for f in folder.iterdir() if f.name.endswith(".py")}
    cases: list[Case] = []
    for path in sorted(sources):
        module = path.removesuffix(".py")
        cases += read_cases(module, folder.joinpath(f"{module}.cases").read_text("utf-8"))
    return Repository(folder.name, dict(sorted(sources.items())), Cases(tuple(cases)))
