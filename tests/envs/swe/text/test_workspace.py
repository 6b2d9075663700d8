"""No path leads out, and every change can be taken back."""

from __future__ import annotations

import pytest

from envs.swe.text.workspace import LARGEST_FILE, MOST_NEW_FILES, Refusal, begun, located


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "..", "../x", "a/../../x", "/", "a//b", "a\0b", "/repo/../etc", "/repository/a", "~/../a"]
)
def test_a_path_that_leads_out_is_refused(path: str):
    with pytest.raises(Refusal, match="does not lie in the repository"):
        located(path)


@pytest.mark.parametrize(
    ("path", "inside"),
    [("a.py", "a.py"), ("./a.py", "a.py"), ("/repo/p/a.py", "p/a.py"), (".", ""), ("/repo", ""), ("/repo/", ""),
     ("p/", "p"), ("./", ""), ("p/./q", "p/q")],
)  # fmt: skip
def test_a_path_may_begin_at_the_root_as_the_sandbox_names_it(path: str, inside: str):
    assert located(path) == inside


def test_changes_are_taken_back_in_their_order():
    work = begun({"a": "1"})
    work.write("a", "2")
    work.write("b", "1")
    work.write("a", "3")
    assert work.undo() == ["a"]
    assert work.files == {"a": "2", "b": "1"}
    assert [work.undo(), work.undo()] == [["b"], ["a"]]
    assert work.files == {"a": "1"}
    with pytest.raises(Refusal, match="nothing to take back"):
        work.undo()


def test_one_files_last_change_is_taken_back_alone():
    work = begun({"a": "1", "b": "1"})
    work.replace({"a": "2", "b": "2"})
    work.write("b", "3")
    work.undo_of("a")
    assert work.files == {"a": "1", "b": "3"}
    assert [work.undo(), work.undo()] == [["b"], ["b"]]
    assert work.files == {"a": "1", "b": "1"}
    with pytest.raises(Refusal, match="was not changed"):
        work.undo_of("a")


def test_what_is_too_much_is_refused():
    work = begun({"a": "1"})
    with pytest.raises(Refusal, match="a file may have"):
        work.write("a", "x" * (LARGEST_FILE + 1))
    for number in range(MOST_NEW_FILES):
        work.write(f"n{number}", "")
    with pytest.raises(Refusal, match="as many as there may be"):
        work.write("more", "")


def test_no_file_lies_in_a_file_or_in_a_folders_place_or_in_a_history():
    work = begun({"p/a": "1"})
    for path, reason in (("p", "is a folder"), ("p/a/b", "p/a is a file"), (".git/config", "no part"), ("", "folder")):
        with pytest.raises(Refusal, match=reason):
            work.write(path, "")
    assert work.files == {"p/a": "1"}
