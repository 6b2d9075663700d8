"""Every technique does what it says, and leaves the rest of the file alone."""

from __future__ import annotations

import ast
import difflib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envs.swe.tasks.mutations import Mutation, chosen, combined, sampled, single
from envs.swe.tasks.repositories import repositories
from envs.swe.tasks.source import Edit, Source, ast_hash
from envs.swe.tasks.techniques import TECHNIQUES

TEXT = '''"""A module: ünïcödé before what is changed."""


class Base:
    pass


class Child(Base):
    """Kept."""

    def first(self):
        return 1

    def second(self, a, b):
        if a and b or not a:
            return a + b - 2
        elif a < b < 3:
            return (a + b) * 2
        else:
            return "é" if a else "ö"


def loop(items):
    """Kept."""
    total = 0  # of all
    try:
        for item in items:
            total += item
    except TypeError:
        total = -1
    return total
'''


def made(technique: str, text: str = TEXT) -> list[str]:
    return [mutation.text for mutation in single(Source(text), chosen([technique]), 0)]


def test_there_are_thirteen_techniques() -> None:
    assert len(TECHNIQUES) == 13
    assert all(0 < technique.likelihood < 1 for technique in TECHNIQUES.values())


@pytest.mark.parametrize(
    ("technique", "before", "after"),
    [
        ("remove_bases", "class Child(Base):", "class Child:"),
        ("remove_method", "    def first(self):\n        return 1\n", ""),
        ("invert_if", '"é" if a else "ö"', '"ö" if a else "é"'),
        ("remove_assign", "    total = 0  # of all\n", ""),
        ("remove_assign", "total += item", "pass"),
        ("remove_loop", "        for item in items:\n            total += item\n", "        pass\n"),
        ("remove_if", "        elif a < b < 3:\n            return (a + b) * 2\n", ""),
        (
            "remove_wrapper",
            "    try:\n        for item in items:\n            total += item\n"
            "    except TypeError:\n        total = -1\n",
            "    for item in items:\n        total += item\n",
        ),
        ("break_chain", "a + b - 2", "a + b"),
        ("break_chain", "a < b < 3", "b < 3"),
        ("break_chain", "a and b or not a", "not a"),
        ("change_constant", "* 2", "* 3"),
        ("change_constant", "* 2", "* 1"),
        ("change_operator", "(a + b) * 2", "(a + b) // 2"),
        ("change_operator", "(a + b) * 2", "(a - b) * 2"),
        ("change_operator", "a and b or", "a or b or"),
        ("change_operator", "a < b < 3", "a < b <= 3"),
        ("swap_operands", "(a + b) * 2", "2 * (a + b)"),
        ("swap_operands", "a + b - 2", "2 - (a + b)"),
    ],
)
def test_a_technique_changes_what_it_says(technique: str, before: str, after: str) -> None:
    assert TEXT.count(before) == 1
    if technique in ("invert_if", "change_operator", "change_constant", "break_chain", "swap_operands"):
        assert TECHNIQUES[technique].least > 1
    assert TEXT.replace(before, after) in made(technique)


def test_simple_functions_are_left_alone_by_techniques_that_want_complexity() -> None:
    simple = "def f(a):\n    return a + 1\n"
    assert not made("change_operator", simple)
    assert made("change_operator", "def f(a):\n    return a + 1 if a > 0 else a\n")


def test_docstrings_decorators_and_booleans_are_no_sites() -> None:
    text = 'def f(a):\n    """1 + 2"""\n    return True if a + 1 > 2 else False\n'
    for one in (mutation for name in TECHNIQUES for mutation in made(name, text)):
        assert '"""1 + 2"""' in one
        assert "True" in one


def test_branches_that_are_exchanged_keep_their_comments_and_lines() -> None:
    text = "def f(a, b):\n    if a > b and a > 1 and b:\n        x = 1\n        y = 2\n"
    text += "    else:\n        x = 3  # why\n    return x + 1\n"
    [changed] = made("invert_if", text)
    assert changed == text.replace(
        "        x = 1\n        y = 2\n    else:\n        x = 3  # why\n",
        "        x = 3  # why\n    else:\n        x = 1\n        y = 2\n",
    )


def test_windows_line_ends_stay() -> None:
    text = "def f(a):\r\n    b = a + 1\r\n    if a > 2:\r\n        b = 3\r\n    return b - a\r\n"
    for name in ("change_operator", "remove_if", "remove_assign"):
        for changed in made(name, text):
            assert "\n" not in changed.replace("\r\n", "")


def test_every_mutant_of_the_corpus_parses_differs_and_is_there_once() -> None:
    for repository in (repositories()["prose"], repositories()["stores"]):
        path = next(iter(repository.files))
        text = repository.files[path]
        found = single(Source(text), chosen([]), 0)
        hashes = [ast_hash(mutation.text) for mutation in found]
        assert len(set(hashes)) == len(hashes) > 100
        assert ast_hash(text) not in hashes


def test_only_the_lines_of_the_change_differ() -> None:
    text = repositories()["clock"].files["spans.py"]
    for mutation in single(Source(text), chosen(["change_operator", "remove_if", "remove_assign"]), 0):
        changed = [line for line in difflib.ndiff(text.splitlines(), mutation.text.splitlines()) if line[0] in "+-"]
        removed = text.count("\n") - mutation.text.count("\n")
        assert len(changed) <= max(2, removed + 2)


def test_the_same_seed_gives_the_same_and_another_seed_other_shuffles() -> None:
    source = Source(repositories()["search"].files["ordering.py"])
    shuffles = chosen(["shuffle_lines"])
    assert single(source, shuffles, 1) == single(source, shuffles, 1)
    assert single(source, shuffles, 1) != single(source, shuffles, 2)
    assert sampled(source, chosen([]), 3) == sampled(source, chosen([]), 3)


def test_sampled_mutants_may_change_several_sites() -> None:
    source = Source(repositories()["arithmetic"].files["matrices.py"])
    assert any(len(mutation.edits) > 1 for mutation in sampled(source, chosen(["change_constant"]), 0))


def test_two_bugs_of_a_file_are_combined_where_they_do_not_touch() -> None:
    source = Source(TEXT)
    by_text = {mutation.text: mutation for mutation in single(source, chosen([]), 0)}
    one = by_text[TEXT.replace("* 2", "* 3")]
    other = by_text[TEXT.replace("class Child(Base):", "class Child:")]
    both = combined(source, [one, other])
    assert both is not None
    assert both.text == TEXT.replace("* 2", "* 3").replace("class Child(Base):", "class Child:")
    assert both.technique == "remove_bases+change_constant"
    assert combined(source, [one, by_text[TEXT.replace("(a + b) * 2", "2 * (a + b)")]]) is None
    assert combined(source, [one, one]) is None


def test_an_unknown_technique_is_named() -> None:
    with pytest.raises(ValueError, match="no technique 'change_operators'"):
        chosen(["change_operators"])


def test_edits_that_overlap_are_refused() -> None:
    with pytest.raises(ValueError, match="overlap"):
        Source("abc").edited([Edit(0, 2, "x"), Edit(1, 3, "y")])


@given(st.text(alphabet="aé😀\n", min_size=1, max_size=8), st.sampled_from(["+", "-", "*"]))
@settings(max_examples=30, deadline=None)
def test_places_are_right_whatever_letters_stand_before(comment: str, sign: str) -> None:
    text = f"def f(a, b):\n    s = {comment!r} + {comment!r}; return (a {sign} (b)) - 1\n"
    for mutation in single(Source(text), chosen(["change_operator", "swap_operands"]), 0):
        assert isinstance(mutation, Mutation)
        ast.parse(mutation.text)
        assert mutation.text.startswith("def f(a, b):\n    s = ")
