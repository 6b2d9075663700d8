"""A fault that was there before is no fault of the edit's, wherever it stands."""

from __future__ import annotations

from envs.swe.text.lines import with_lines
from envs.swe.text.syntax import Fault, fault_of, new_fault

FAULTY = "a = 1\nb = 2\nc = 3\nd = 4\ne = 5\nf = = 6\ng = 7\nh = 8\n"
"""Line 6 is no Python."""


def edited(line: int, written: str, last: int = 0) -> Fault | None:
    return new_fault("a.py", FAULTY, with_lines(FAULTY, line, last or line, written))


def test_a_good_edit_stands_beside_an_old_fault():
    assert fault_of("a.py", FAULTY) == Fault(6, "invalid syntax")
    for line in (1, 5, 7, 8, 9):
        assert edited(line, "x = 0\n") is None
        assert edited(line, "x = 0\ny = 0\nz = 0\n") is None
    assert edited(3, "") is None
    assert edited(6, "f = 6\n") is None


def test_a_new_fault_before_an_old_one_is_told_with_its_line():
    assert edited(2, "b = (\n")
    assert edited(5, "e = = 5\n") == Fault(5, "invalid syntax")
    assert edited(1, "def f(:\n") == Fault(1, "invalid syntax")


def test_a_try_to_mend_an_old_fault_may_leave_one():
    assert edited(6, "f == = 6\n") is None


def test_a_file_that_was_whole_is_not_broken():
    whole = FAULTY.replace("= =", "=")
    for line in (1, 8, 9):
        assert new_fault("a.py", whole, with_lines(whole, line, line, "if:\n")) == Fault(line, "invalid syntax")
    assert new_fault("a.py", whole, whole + "return 1\n") == Fault(9, "'return' outside function")
    assert new_fault("a.py", whole, whole + "\0\n") is not None
    assert new_fault("a.py", "", "(" * 100_000) is not None


def test_other_files_have_no_syntax():
    assert new_fault("a.txt", "", "f = = 6") is None
