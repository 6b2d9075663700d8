"""Commands that look for words and names."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Sequence

from envs.swe.text.desk import Command, Desk, Done, Request, between
from envs.swe.text.lines import bare, lines_of
from envs.swe.text.workspace import Refusal, Workspace, located

MOST_HITS = 100
LONGEST_LINE = 200


def search_folder(desk: Desk, request: Request) -> Done:
    words = between(request.words, 1, 2, "search_dir WORD [FOLDER]")
    folder = located(words[1]) if len(words) == 2 else ""
    hits = [
        f"{path}:{hit}" for path in below(desk.workspace, folder) for hit in found(words[0], desk.workspace.files[path])
    ]
    return Done(told(hits, f"{words[0]!r} in {folder or 'any file'}"), "search")


def search_file(desk: Desk, request: Request) -> Done:
    words = between(request.words, 1, 2, "search_file WORD [PATH]")
    workspace = desk.workspace
    path = located(words[1]) if len(words) == 2 else workspace.opened
    text = workspace.text(path) if len(words) == 2 else workspace.opened_text()
    return Done(told(found(words[0], text), f"{words[0]!r} in {path}"), "search")


def find_file(desk: Desk, request: Request) -> Done:
    words = between(request.words, 1, 2, "find_file PATTERN [FOLDER]")
    paths = below(desk.workspace, located(words[1]) if len(words) == 2 else "")
    hits = [path for path in paths if fnmatch.fnmatchcase(path.rpartition("/")[2], words[0])]
    return Done(told(hits, f"file {words[0]}"), "look")


def below(workspace: Workspace, folder: str) -> list[str]:
    """The paths of a folder. Raises Refusal where there is none."""
    if not workspace.is_folder(folder):
        raise Refusal(f"there is no folder {folder}; ls lists what there is")
    return sorted(path for path in workspace.files if not folder or path.startswith(f"{folder}/"))


def found(word: str, text: str) -> Sequence[str]:
    """ "LINE:text" of every line that holds a word as it is written."""
    if word not in text:
        return []
    lines = enumerate(lines_of(text), start=1)
    return [f"{number}:{bare(line)[:LONGEST_LINE]}" for number, line in lines if word in line]


def told(hits: Iterable[str], what: str) -> str:
    """The hits, or that there is none: nobody has to guess what silence means."""
    hits = list(hits)
    if not hits:
        return f"nothing found: {what}"
    more = [f"({len(hits) - MOST_HITS} more; search for a longer word)"] if len(hits) > MOST_HITS else []
    return "\n".join([f"{len(hits)} found: {what}", *hits[:MOST_HITS], *more])


COMMANDS = {
    "find_file": Command("find_file PATTERN [FOLDER]: files by name, such as *.py", find_file),
    "search_dir": Command("search_dir WORD [FOLDER]: lines of all files that hold a word", search_folder),
    "search_file": Command("search_file WORD [PATH]: the same in one file, or the open one", search_file),
}
