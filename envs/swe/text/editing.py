"""Edits of the open file by line numbers, and taking edits back.

An edit that would break a whole file's syntax is refused and leaves it as it was.
"""

from __future__ import annotations

import re

from envs.swe.text.desk import Command, Desk, Done, Request, between, whole_number
from envs.swe.text.lines import change_of, lines_of, with_lines
from envs.swe.text.syntax import fault_of, new_fault
from envs.swe.text.viewing import numbered, window
from envs.swe.text.workspace import WINDOW, Refusal, Workspace

END = "end_of_edit"
USAGE = f"edit FIRST:LAST, then the new lines, then {END}"
_AROUND = 5  # lines before and after a place that was edited


def edit(desk: Desk, request: Request) -> Done:
    first, last, written = parts(request.rest)
    workspace = desk.workspace
    before = workspace.opened_text()
    check_range(first, last, len(lines_of(before)))
    note = put(workspace, workspace.opened, with_lines(before, first, last, written))
    workspace.top = max(1, min(workspace.top, len(lines_of(workspace.opened_text()))))
    if not workspace.top <= first < workspace.top + WINDOW:
        workspace.top = max(1, first - WINDOW // 2)
    return Done(f"{note}\n{window(workspace)}", "edit", workspace.opened)


def parts(rest: str) -> tuple[int, int, str]:
    """First and last line, and the new lines. Raises Refusal for a block that is no edit."""
    lines = rest.split("\n")
    match = re.fullmatch(r"\s*(-?\d+)\s*:\s*(-?\d+)\s*", lines[0])
    if match is None:
        raise Refusal(f"expected two line numbers, such as edit 3:5; it is written: {USAGE}")
    ends = [place for place, line in enumerate(lines) if line.strip() == END]
    if not ends or any(line.strip() for line in lines[ends[-1] + 1 :]):
        raise Refusal(f"the block has to end with a line {END}; it is written: {USAGE}")
    written = "".join(f"{line}\n" for line in lines[1 : ends[-1]])
    return whole_number(match[1], "line"), whole_number(match[2], "line"), written


def check_range(first: int, last: int, count: int) -> None:
    """Raises Refusal; one past the last line is where lines are added."""
    if first == last == count + 1:
        return
    if not 1 <= first <= last <= count:
        raise Refusal(
            f"lines {first}:{last} are not in the file, which has {count}; lines count from 1, the first number is not "
            f"larger than the second, and {count + 1}:{count + 1} adds lines at the end"
        )


def put(workspace: Workspace, path: str, after: str) -> str:
    """Writes a file's new text, if it breaks nothing; what there is to say of it.

    Raises:
        Refusal: it changes nothing, or breaks the syntax; the file is as it was.
    """
    before = workspace.files.get(path, "")
    if path in workspace.files and before == after:
        raise Refusal(f"this changes nothing: {path} reads so already")
    if fault := new_fault(path, before, after):
        lines = lines_of(after)
        near = numbered(lines, max(1, fault.line - _AROUND), fault.line + _AROUND)
        place = "\n".join(near)
        raise Refusal(
            f"the edit would break the syntax of {path}, which is left as it was.\n"
            f"Line {fault.line}: {fault.message}. It would have read:\n{place}"
        )
    workspace.write(path, after)
    old = fault_of(path, after)
    still = f" It still has an old fault in line {old.line}: {old.message}." if old else ""
    return f"{path} is changed.{still}"


def surroundings(before: str, after: str) -> str:
    """The lines around what an edit changed."""
    change, lines = change_of(before, after), lines_of(after)
    last = change.first + len(change.lines) - 1 + _AROUND
    return "\n".join(numbered(lines, max(1, change.first - _AROUND), last))


def undo(desk: Desk, request: Request) -> Done:
    between(request.words, 0, 0, "undo")
    paths = desk.workspace.undo()
    return Done(f"taken back in {', '.join(paths)}", "undo", paths[0])


COMMANDS = {
    "edit": Command(f"{USAGE}: put lines in the place of the open file's lines FIRST to LAST", edit, "text"),
    "undo": Command("undo: take the last change of files back", undo),
}
