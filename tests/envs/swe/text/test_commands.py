"""What every command that needs no sandbox does, and what it refuses."""

from __future__ import annotations

import pytest

from envs.swe.text.commands import carry_out
from envs.swe.text.desk import Desk
from tests.envs.swe.text.repository import desk

LONG = "".join(f"x{number} = {number}\n" for number in range(1, 251))


def done(at: Desk, text: str) -> str:
    words, turn = carry_out(at, text)
    assert turn.done, words
    return words


def refused(at: Desk, text: str) -> str:
    before = dict(at.workspace.files)
    words, turn = carry_out(at, text)
    assert turn.parsed
    assert not turn.done
    assert at.workspace.files == before
    return words


def shown(text: str) -> tuple[int, int]:
    """First and last number of the lines that are shown."""
    numbers = [int(line.split(":")[0]) for line in text.splitlines() if line.split(":")[0].isdigit()]
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    return numbers[0], numbers[-1]


def test_a_window_has_100_lines_and_moves():
    at = desk(a=LONG)
    assert shown(done(at, "open a.py")) == (1, 100)
    assert "(150 more lines below)" in done(at, "open a.py")
    assert shown(done(at, "scroll_down")) == (99, 198)
    assert shown(done(at, "scroll_down")) == (151, 250)
    assert "the end of a.py" in refused(at, "scroll_down")
    assert shown(done(at, "scroll_up")) == (53, 152)
    assert shown(done(at, "scroll_up")) == (1, 100)
    assert "the beginning of a.py" in refused(at, "scroll_up")
    assert shown(done(at, "goto 125")) == (75, 174)
    assert shown(done(at, "open a.py 250")) == (151, 250)
    assert "125:x125 = 125" in done(at, "goto 125")


@pytest.mark.parametrize("line", ["0", "251", "-1", "x", "1.5", "--5", "9999999999"])
def test_a_line_that_is_not_there_is_refused(line: str):
    at = desk(a=LONG)
    done(at, "open a.py")
    assert "line" in refused(at, f"goto {line}")
    assert "line" in refused(at, f"open a.py {line}")


def test_nothing_is_shown_of_what_is_not_there():
    at = desk(p__a="x = 1\n")
    assert "is it p/a.py?" in refused(at, "open a.py")
    assert "is a folder" in refused(at, "open p")
    assert "no file is open" in refused(at, "scroll_down")
    assert "no file is open" in refused(at, "edit 1:1\nend_of_edit")
    assert "does not lie in" in refused(at, "open /etc/passwd")
    assert "it is written" in refused(at, "open")
    assert "there is no such command" in refused(at, "vim a.py")
    assert "the quotes" in refused(at, "search_dir 'a")
    assert "one command a turn" in refused(at, "ls\nsubmit")


def test_folders_are_listed():
    at = desk(a="", p__b="", p__q__c="")
    assert done(at, "ls") == done(at, "list .") == done(at, "ls -la /repo") == "a.py\np/"
    assert done(at, "ls p") == "b.py\nq/"
    assert "no folder" in refused(at, "ls r")


def test_searches_say_where_and_say_when_there_is_nothing():
    at = desk(a="def add():\n    pass\n", p__b="\n\nadd()\n")
    assert done(at, "search_dir add") == "2 found: 'add' in any file\na.py:1:def add():\np/b.py:3:add()"
    assert done(at, "search_dir 'def add' .").startswith("1 found")
    assert done(at, "search_dir add p").endswith("p\np/b.py:3:add()")
    assert done(at, "search_dir zzz") == "nothing found: 'zzz' in any file"
    assert done(at, "search_file add p/b.py").endswith("3:add()")
    assert "no file is open" in refused(at, "search_file add")
    assert done(at, "find_file b.*").endswith("p/b.py")
    assert "nothing found" in done(at, "find_file c.py")
    assert "no folder" in refused(at, "search_dir add r")


def test_an_edit_replaces_the_lines_that_it_names_and_shows_them():
    at = desk(a="a = 1\nb = 2\n")
    done(at, "open a.py")
    assert "2:\tc = [" in refused(at, "edit 2:2\n\tc = [\nend_of_edit")
    assert "2:c = 3" in done(at, "edit 2:2\nc = 3\nd = 4\nend_of_edit")
    assert at.workspace.files["a.py"] == "a = 1\nc = 3\nd = 4\n"
    done(at, "edit 4:4\ne = 5\nend_of_edit")
    done(at, "edit 1:1\nend_of_edit\n\n")
    assert at.workspace.files["a.py"] == "c = 3\nd = 4\ne = 5\n"
    assert "taken back in a.py" in done(at, "undo")
    assert at.workspace.files["a.py"] == "a = 1\nc = 3\nd = 4\ne = 5\n"


@pytest.mark.parametrize(
    ("block", "reason"),
    [
        ("edit 0:1\nx = 1\nend_of_edit", "count from 1"),
        ("edit 2:1\nx = 1\nend_of_edit", "not larger than the second"),
        ("edit 2:3\nx = 1\nend_of_edit", "are not in the file, which has 2"),
        ("edit 4:4\nx = 1\nend_of_edit", "3:3 adds lines at the end"),
        ("edit 1:1\nx = 1", "end with a line end_of_edit"),
        ("edit 1:1\nx = 1\nend_of_edit\nls", "end with a line end_of_edit"),
        ("edit one:two\nend_of_edit", "two line numbers"),
        ("edit 1\nend_of_edit", "two line numbers"),
        ("edit 1:1\na = 1\nend_of_edit", "changes nothing"),
    ],
)
def test_an_edit_that_makes_no_sense_is_refused(block: str, reason: str):
    at = desk(a="a = 1\nb = 2\n")
    done(at, "open a.py")
    assert reason in refused(at, block)


def test_a_correct_edit_beside_an_old_fault_stands_and_the_fault_is_told():
    at = desk(a="a = 1\n" * 5 + "f = = 6\n" + "g = 7\n")
    done(at, "open a.py")
    assert "an old fault in line 6" in done(at, "edit 7:7\ng = 8\nend_of_edit")
    assert at.workspace.files["a.py"].endswith("f = = 6\ng = 8\n")


def test_line_ends_stay_as_they_were():
    at = desk(a="a = 1\r\nb = 2")
    assert "CRLF, no line feed at its end" in done(at, "open a.py")
    done(at, "edit 1:1\nx = 1\ny = 1\nend_of_edit")
    done(at, "str_replace_editor str_replace a.py --old_str 'x = 1\ny' --new_str 'z = 1\nw'")
    done(at, "str_replace_editor insert a.py --insert_line 1 --new_str 'v = 1'")
    done(at, "str_replace_editor insert a.py --insert_line 4 --new_str 'u = 1'")
    assert at.workspace.files["a.py"] == "z = 1\r\nv = 1\r\nw = 1\r\nb = 2\r\nu = 1"


def test_a_text_is_replaced_only_where_it_stands_once():
    at = desk(a="a = 1\nb = 1\nc = 2\n")
    assert "2 times, in lines 1, 2" in refused(at, "str_replace_editor str_replace a.py --old_str '= 1' --new_str x")
    assert "nowhere" in refused(at, "str_replace_editor str_replace a.py --old_str '= 3' --new_str x")
    assert "is empty" in refused(at, "str_replace_editor str_replace a.py --old_str '' --new_str x")
    assert "0 values" in refused(at, "str_replace_editor str_replace a.py --new_str x")
    assert "break the syntax" in refused(at, "str_replace_editor str_replace a.py --old_str 'a = 1' --new_str 'a ='")
    assert "3:c = 5" in done(at, "str_replace_editor str_replace a.py --old_str 'c = 2' --new_str 'c = 5'")
    done(at, "str_replace_editor str_replace a.py --old_str 'b = 1\n'")
    assert at.workspace.files["a.py"] == "a = 1\nc = 5\n"
    done(at, "str_replace_editor undo_edit a.py")
    assert at.workspace.files["a.py"] == "a = 1\nb = 1\nc = 5\n"


def test_the_string_editor_views_makes_and_inserts():
    at = desk(p__a="a = 1\nb = 2\n")
    assert done(at, "str_replace_editor view p") == "a.py"
    assert shown(done(at, "str_replace_editor view p/a.py --view_range 2 -1")) == (2, 2)
    assert shown(done(at, "str_replace_editor view p/a.py")) == (1, 2)
    assert "which has 2" in refused(at, "str_replace_editor view p/a.py --view_range 2 3")
    done(at, "str_replace_editor create p/new.py --file_text 'x = 1\n'")
    assert "there already" in refused(at, "str_replace_editor create p/new.py --file_text ''")
    assert "--file_text" in refused(at, "str_replace_editor create p/newer.py")
    assert "break the syntax" in refused(at, "str_replace_editor create p/b.py --file_text 'x ='")
    done(at, "str_replace_editor insert p/new.py --insert_line 0 --new_str 'w = 0'")
    assert at.workspace.files["p/new.py"] == "w = 0\nx = 1\n"
    assert "has 2 lines" in refused(at, "str_replace_editor insert p/new.py --insert_line 3 --new_str x")
    assert "does not lie in" in refused(at, "str_replace_editor create ../x.py --file_text ''")
    assert "expected one of view" in refused(at, "str_replace_editor delete p/a.py")
    assert "is not understood" in refused(at, "str_replace_editor undo_edit p/a.py now")


def test_every_answer_says_something():
    at = desk(a="")
    assert done(at, "open a.py") == "[File: a.py is empty]"
    assert done(at, "edit 1:1\nx = 1\nend_of_edit")
