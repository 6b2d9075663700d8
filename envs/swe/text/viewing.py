"""Commands that show files: a window of 100 numbered lines, and what there is."""

from __future__ import annotations

from envs.swe.text.desk import Command, Desk, Done, Request, between, whole_number
from envs.swe.text.lines import ENDINGS, bare, ending_of, lines_of
from envs.swe.text.workspace import WINDOW, Refusal, Workspace, located

OVERLAP = 2
"""Lines of a window that are still there after scrolling."""
MOST_NAMES = 200


def window(workspace: Workspace) -> str:
    """The open file's lines from `top` on, as they are counted, with what lies above and below."""
    lines = lines_of(workspace.opened_text())
    last = min(len(lines), workspace.top + WINDOW - 1)
    parts = [heading(workspace.opened, lines)]
    if workspace.top > 1:
        parts.append(f"({workspace.top - 1} more lines above)")
    parts += numbered(lines, workspace.top, last)
    if last < len(lines):
        parts.append(f"({len(lines) - last} more lines below)")
    return "\n".join(parts)


def heading(path: str, lines: list[str]) -> str:
    ending = ending_of(lines)
    notes = [f"{len(lines)} lines"]
    if ending != "\n":
        notes.append(f"lines end in {ENDINGS[ending]}")
    if lines and bare(lines[-1]) == lines[-1]:
        notes.append("no line feed at its end")
    return f"[File: {path} ({', '.join(notes)})]" if lines else f"[File: {path} is empty]"


def numbered(lines: list[str], first: int, last: int) -> list[str]:
    return [f"{first + place}:{bare(line)}" for place, line in enumerate(lines[first - 1 : last])]


def open_file(desk: Desk, request: Request) -> Done:
    words = between(request.words, 1, 2, "open PATH [LINE]")
    path = located(words[0])
    desk.workspace.show(path, whole_number(words[1], "line") if len(words) == 2 else 1)
    return Done(window(desk.workspace), "open", path)


def go_to(desk: Desk, request: Request) -> Done:
    (word,) = between(request.words, 1, 1, "goto LINE")
    desk.workspace.opened_text()
    desk.workspace.show(desk.workspace.opened, whole_number(word, "line"))
    return Done(window(desk.workspace), "look")


def scroll_down(desk: Desk, request: Request) -> Done:
    between(request.words, 0, 0, "scroll_down")
    workspace = desk.workspace
    last = len(lines_of(workspace.opened_text()))
    if workspace.top + WINDOW > last:
        raise Refusal(f"the window already shows the end of {workspace.opened}")
    workspace.top = min(workspace.top + WINDOW - OVERLAP, last - WINDOW + 1)
    return Done(window(workspace), "look")


def scroll_up(desk: Desk, request: Request) -> Done:
    between(request.words, 0, 0, "scroll_up")
    workspace = desk.workspace
    workspace.opened_text()
    if workspace.top == 1:
        raise Refusal(f"the window already shows the beginning of {workspace.opened}")
    workspace.top = max(1, workspace.top - WINDOW + OVERLAP)
    return Done(window(workspace), "look")


def list_files(desk: Desk, request: Request) -> Done:
    """A folder's files and folders, as `ls` does; options such as -la change nothing."""
    words = between([word for word in request.words if not word.startswith("-")], 0, 1, "ls [FOLDER]")
    return Done(listing(desk.workspace, located(words[0]) if words else ""), "look")


def listing(workspace: Workspace, folder: str) -> str:
    """Raises Refusal where there is no such folder."""
    if folder in workspace.files:
        return folder
    if not workspace.is_folder(folder):
        raise Refusal(f"there is no folder {folder}; ls lists what there is")
    start = f"{folder}/" if folder else ""
    inside = [path[len(start) :] for path in workspace.files if path.startswith(start)]
    names = sorted({name if not below else f"{name}/" for name, _, below in (path.partition("/") for path in inside)})
    more = [f"({len(names) - MOST_NAMES} more)"] if len(names) > MOST_NAMES else []
    return "\n".join([*names[:MOST_NAMES], *more])


LIST = Command("ls [FOLDER]: what is in a folder", list_files)
COMMANDS = {
    "open": Command(f"open PATH [LINE]: show {WINDOW} lines of a file, around a line", open_file),
    "goto": Command("goto LINE: show the lines around one of the open file", go_to),
    "scroll_down": Command("scroll_down: show the next lines", scroll_down),
    "scroll_up": Command("scroll_up: show the lines before", scroll_up),
    "ls": LIST,
    "list": Command("", list_files),
}
