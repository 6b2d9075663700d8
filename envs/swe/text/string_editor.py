"""`str_replace_editor`: edits by texts that stand in a file once, as SWE-agent's tool has them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from envs.swe.text.desk import Command, Desk, Done, Request, whole_number
from envs.swe.text.editing import put, surroundings
from envs.swe.text.lines import ending_of, lines_of
from envs.swe.text.viewing import heading, listing, numbered, window
from envs.swe.text.workspace import Refusal, Workspace, located

USAGE = (
    "str_replace_editor view PATH [--view_range FIRST LAST] | create PATH --file_text TEXT | "
    "str_replace PATH --old_str TEXT --new_str TEXT | insert PATH --insert_line LINE --new_str TEXT | undo_edit PATH"
)
Options = Mapping[str, Sequence[str]]


def string_editor(desk: Desk, request: Request) -> Done:
    if len(request.words) < 2 or request.words[0] not in WAYS:
        raise Refusal(f"expected one of {', '.join(WAYS)} and a path; it is written: {USAGE}")
    way, known = WAYS[request.words[0]]
    return way(desk.workspace, located(request.words[1]), options(request.words[2:], known))


def options(words: Sequence[str], known: Sequence[str]) -> Options:
    """Name -> values of what begins with two dashes and is known. Raises Refusal for others."""
    found: dict[str, list[str]] = {}
    values: list[str] | None = None
    for word in words:
        if word.startswith("--") and word[2:] in known:
            values = found.setdefault(word[2:], [])
        elif values is None:
            raise Refusal(f"{word[:80]!r} is not understood here; it is written: {USAGE}")
        else:
            values.append(word)
    return found


def one(given: Options, name: str, default: str | None = None) -> str:
    """Raises Refusal where it is missing or has several values."""
    values = given.get(name, [] if default is None else [default])
    if len(values) != 1:
        raise Refusal(f"--{name} has {len(values)} values, and needs one, in quotes; it is written: {USAGE}")
    return values[0]


def view(workspace: Workspace, path: str, given: Options) -> Done:
    """A file, all of it or a range of lines, or what is in a folder."""
    if workspace.is_folder(path):
        return Done(listing(workspace, path), "look")
    span = given.get("view_range")
    workspace.show(path)
    if not span:
        return Done(window(workspace), "open", path)
    if len(span) != 2:
        raise Refusal("--view_range needs two lines, the first and the last (-1 is the end of the file)")
    lines = lines_of(workspace.text(path))
    first, last = (whole_number(word, "line") for word in span)
    last = len(lines) if last == -1 else last
    if not 1 <= first <= last <= len(lines):
        raise Refusal(f"lines {first} to {last} are not in {path}, which has {len(lines)}")
    return Done("\n".join([heading(path, lines), *numbered(lines, first, last)]), "open", path)


def create(workspace: Workspace, path: str, given: Options) -> Done:
    if path in workspace.files:
        raise Refusal(f"{path} is there already: change it with str_replace, insert or edit")
    text = one(given, "file_text")
    if not text and "file_text" not in given:
        raise Refusal(f"--file_text is missing; it is written: {USAGE}")
    put(workspace, path, text)
    return Done(f"{path} is made, with {len(lines_of(text))} lines", "edit", path)


def replace(workspace: Workspace, path: str, given: Options) -> Done:
    before = workspace.text(path)
    ending = ending_of(lines_of(before))
    old, new = (endings(one(given, *words), ending) for words in (("old_str",), ("new_str", "")))
    if not old:
        raise Refusal("--old_str is empty; insert adds lines")
    count = before.count(old)
    if count != 1:
        places = [str(before.count("\n", 0, start) + 1) for start in starts(before, old)]
        where = f"{count} times, in lines {', '.join(places[:20])}; give more of the text around it" if count else ""
        raise Refusal(f"--old_str stands in {path} {where or 'nowhere, letter for letter; look at it again'}")
    return finished(workspace, path, before.replace(old, new))


def insert(workspace: Workspace, path: str, given: Options) -> Done:
    """New lines behind a line; 0 is the beginning of the file."""
    before = workspace.text(path)
    lines = lines_of(before)
    place = whole_number(one(given, "insert_line"), "--insert_line")
    if not 0 <= place <= len(lines):
        raise Refusal(f"--insert_line {place}: {path} has {len(lines)} lines; 0 is before the first")
    ending = ending_of(lines)
    new = endings(one(given, "new_str"), ending)
    head, tail = "".join(lines[:place]), "".join(lines[place:])
    if head and not head.endswith(("\n", "\r")):
        head += ending
    elif new and not new.endswith(("\n", "\r")):
        new += ending
    return finished(workspace, path, head + new + tail)


def undo_edit(workspace: Workspace, path: str, given: Options) -> Done:
    workspace.undo_of(path)
    return Done(f"the last change of {path} is taken back", "undo", path)


def finished(workspace: Workspace, path: str, after: str) -> Done:
    before = workspace.text(path)
    note = put(workspace, path, after)
    return Done(f"{note}\n{surroundings(before, after)}", "edit", path)


def endings(text: str, ending: str) -> str:
    """A text with the line ends of the file that it goes to."""
    return text.replace("\r\n", "\n").replace("\n", ending)


def starts(text: str, part: str) -> Sequence[int]:
    found, start = [], text.find(part)
    while start >= 0:
        found.append(start)
        start = text.find(part, start + len(part))
    return found


Way = Callable[[Workspace, str, Options], Done]
WAYS: Mapping[str, tuple[Way, Sequence[str]]] = {
    "view": (view, ("view_range",)),
    "create": (create, ("file_text",)),
    "str_replace": (replace, ("old_str", "new_str")),
    "insert": (insert, ("insert_line", "new_str")),
    "undo_edit": (undo_edit, ()),
}
COMMANDS = {"str_replace_editor": Command(f"{USAGE}: the texts in quotes, as a shell has them", string_editor, "words")}
