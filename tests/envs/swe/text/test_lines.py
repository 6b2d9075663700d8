"""Lines as editors and compilers count them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envs.swe.text.lines import change_of, lines_of, with_lines
from envs.swe.text.scripted import edit_of


@pytest.mark.parametrize(
    ("text", "first", "last", "written", "after"),
    [
        ("a\nb\nc\n", 1, 1, "x\n", "x\nb\nc\n"),
        ("a\nb\nc\n", 3, 3, "x\n", "a\nb\nx\n"),
        ("a\nb\nc\n", 4, 4, "x\n", "a\nb\nc\nx\n"),
        ("a\nb\nc\n", 1, 3, "x\n", "x\n"),
        ("a\nb\nc\n", 2, 2, "", "a\nc\n"),
        ("a\nb\nc\n", 2, 2, "\n", "a\n\nc\n"),
        ("a\nb", 2, 2, "x\n", "a\nx"),
        ("a\nb", 1, 1, "x\ny\n", "x\ny\nb"),
        ("a\nb", 3, 3, "x\n", "a\nb\nx"),
        ("a\r\nb\r\n", 2, 2, "x\ny\n", "a\r\nx\r\ny\r\n"),
        ("a\r\nb", 3, 3, "x\n", "a\r\nb\r\nx"),
        ("\ta\n\tb\n", 2, 2, "\t\tx\n", "\ta\n\t\tx\n"),
        ("", 1, 1, "x\n", "x\n"),
        ("a\n", 1, 1, "", ""),
    ],
)
def test_lines_are_replaced_where_they_are_counted_and_end_as_the_file_ends_them(
    text: str, first: int, last: int, written: str, after: str
):
    assert with_lines(text, first, last, written) == after


def test_a_form_feed_and_a_line_separator_end_no_line():
    assert lines_of("a\x0cb\u2028c\x85d\ne") == ["a\x0cb\u2028c\x85d\n", "e"]


TEXTS = st.lists(st.sampled_from(["a\n", "b\n", "\n", "  c\n"]), max_size=8).map("".join)


@given(TEXTS, TEXTS)
def test_a_change_and_the_edit_of_it_make_one_text_of_the_other(before: str, after: str):
    change = change_of(before, after)
    lines = lines_of(before)
    assert "".join([*lines[: change.first - 1], *change.lines, *lines[change.last :]]) == after
    if before != after:
        head, *written, _ = edit_of(before, after).split("\n")
        first, last = map(int, head.removeprefix("edit ").split(":"))
        assert with_lines(before, first, last, "".join(f"{line}\n" for line in written)) == after


def test_there_is_no_edit_between_equal_texts_or_for_the_last_line_feed_alone():
    for before, after in (("a\n", "a\n"), ("a\n", "a")):
        with pytest.raises(ValueError, match="but for ends of lines"):
            edit_of(before, after)
