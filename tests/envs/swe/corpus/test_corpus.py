"""The corpus is right: what its cases expect is found by other means too."""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections import Counter
from pathlib import Path

import pytest

from envs.swe.tasks.plain_values import written
from envs.swe.tasks.repositories import read_cases, repositories
from envs.swe.tasks.task import Case

_FILE = Path(__file__).with_name("other_means.py")
_spec = importlib.util.spec_from_file_location("other_means", _FILE)
assert _spec is not None
assert _spec.loader is not None
_module = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_module)
MEANS = _module.MEANS

BEYOND = {
    "break_lines('ab  cd   ef', 5)",  # textwrap counts the spaces that it then drops
    "initials('  x   y ')",  # the other keeps the spaces
}
"""Cases in which the other means mean something else."""
CASES = [case for repository in repositories().values() for case in repository.checks.cases]


@pytest.mark.parametrize("function", sorted({f"{case.module}.{case.function}" for case in CASES} & set(MEANS)))
def test_expected_values_are_found_by_other_means_too(function: str) -> None:
    for case in CASES:
        if f"{case.module}.{case.function}" == function and not beyond(case):
            arguments = ast.literal_eval(case.arguments)
            if case.expected.startswith("raises "):
                with pytest.raises(Exception):  # noqa: B017 - which it is, is the corpus's own
                    MEANS[function](*arguments)
            else:
                expected = ast.literal_eval(case.expected)
                got = MEANS[function](*arguments)
                assert type(got) is type(expected), case.id
                assert got == expected, case.id


def beyond(case: Case) -> bool:
    return any(
        text.startswith(f"{case.function}(")
        and text.endswith(case.arguments.removeprefix("(").removesuffix(",)").removesuffix(")") + ")")
        for text in BEYOND
    )


def test_most_functions_have_other_means() -> None:
    known = sum(f"{case.module}.{case.function}" in MEANS for case in CASES)
    assert known > 0.8 * len(CASES)


def test_every_case_is_written_once_and_ids_are_unique() -> None:
    for repository in repositories().values():
        counts = Counter((case.module, case.function, case.arguments) for case in repository.checks.cases)
        assert not [call for call, count in counts.items() if count > 1]
        assert len({case.id for case in repository.checks.cases}) == len(repository.checks.cases)


def test_no_module_hides_one_of_the_standard_library_or_of_another_repository() -> None:
    names = [path.removesuffix(".py") for repository in repositories().values() for path in repository.files]
    assert not set(names) & set(sys.stdlib_module_names)
    assert len(names) == len(set(names))
    assert 14 <= len(names) <= 20


def test_every_public_function_of_the_corpus_has_cases() -> None:
    for repository in repositories().values():
        asked = {(case.module, case.function.split(".")[0]) for case in repository.checks.cases}
        for path, text in repository.files.items():
            module = path.removesuffix(".py")
            functions = {node.name for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)}
            untested = {name for name in functions if (module, name) not in asked}
            assert len(untested) <= 2, f"{module}: {untested}"  # reached through others


def test_arguments_and_expected_values_are_in_canonical_form() -> None:
    for case in CASES:
        assert written(ast.literal_eval(case.arguments)) == case.arguments
        if not case.expected.startswith("raises "):
            assert written(ast.literal_eval(case.expected)) == case.expected


@pytest.mark.parametrize(
    "line", ["merge([1])", "merge(x) == 1", "merge(k=1) == 2", "1 == 1", "merge( == 3", "f(1) == object"]
)
def test_a_line_that_is_no_case_is_named(line: str) -> None:
    with pytest.raises(ValueError, match=r"spans.cases, line 2: .* is no case"):
        read_cases("spans", f"total([]) == 0\n{line}\n")


def test_an_object_that_equals_everything_has_no_written_form() -> None:
    class Liar(int):
        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = int.__hash__

    with pytest.raises(TypeError, match="Liar is no plain value"):
        written([Liar(3)])
    assert written([True]) != written([1])
    assert written((1,)) == "(1,)"
    assert written(set()) == "set()"
    assert written({"b", "a"}) == "{'a', 'b'}"
