"""Transitions of NetHack in words: one plain ASCII line of at most 300 characters.

The same transition has the same words.

"apply. Never mind. closed door became open door" "pickup. g - a key named The Master Key of
Thievery. gained: key" "moved. You see here a rusty lamp. in view: staircase down"
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from nle import nethack

from envs.nethack.kernels import visible_changes
from envs.typing import Array, IntArray

MAX_LENGTH = 300
MOST_CHANGES = 64
"""Cells of one step that are looked at; a level that comes into view changes more."""
MOST_KNOWN = 20_000
COMPASS = frozenset({"north", "east", "south", "west", "northeast", "southeast", "southwest", "northwest"})
READ = ("glyphs", "blstats", "inv_glyphs")
_SCENERY = frozenset(
    {"", "dark part of a room", "wall", "floor of a room", "corridor", "lit corridor", "doorway", "stone", "no glyph"}
)
_STATS = (
    ("hp", nethack.NLE_BL_HP),
    ("gold", nethack.NLE_BL_GOLD),
    ("experience", nethack.NLE_BL_EXP),
    ("experience level", nethack.NLE_BL_XP),
    ("depth", nethack.NLE_BL_DEPTH),
)
_STAT_COLUMNS = [column for _, column in _STATS]
_POSITION = [nethack.NLE_BL_X, nethack.NLE_BL_Y]


@functools.cache
def glyph_name(glyph: int) -> str:
    """What a glyph shows: "closed door", "jackal corpse", "pet kitten"; "" where it has no name."""
    if glyph >= nethack.MAX_GLYPH or glyph < 0:
        return "no glyph"
    if nethack.glyph_is_body(glyph):
        return f"{nethack.permonst(glyph - nethack.GLYPH_BODY_OFF).mname} corpse"
    if nethack.glyph_is_statue(glyph):
        return f"statue of a {nethack.permonst(glyph - nethack.GLYPH_STATUE_OFF).mname}"
    if nethack.glyph_is_monster(glyph):
        name = str(nethack.permonst(nethack.glyph_to_mon(glyph)).mname)
        return f"pet {name}" if nethack.glyph_is_pet(glyph) else name
    if nethack.glyph_is_object(glyph):
        return _object_name(nethack.glyph_to_obj(glyph))
    if nethack.glyph_is_cmap(glyph):
        return str(nethack.symdef.from_idx(nethack.glyph_to_cmap(glyph)).explanation)
    return ""


def _object_name(index: int) -> str:
    # The look of an unidentified object is what a player knows; its true name would be a leak.
    item = nethack.objclass(index)
    look = nethack.OBJ_DESCR(item)
    name = nethack.OBJ_NAME(item)
    if not look:
        return str(name)
    kind = {
        nethack.POTION_CLASS: "{} potion",
        nethack.SCROLL_CLASS: "scroll labeled {}",
        nethack.WAND_CLASS: "{} wand",
        nethack.RING_CLASS: "{} ring",
        nethack.SPBOOK_CLASS: "{} spellbook",
        nethack.AMULET_CLASS: "{} amulet",
    }.get(ord(item.oc_class) if isinstance(item.oc_class, str) else item.oc_class, "{}")
    return kind.format(look)


_BROKEN = re.compile(rb"Can't open '\w+' file\.? +Program in disorder! *")
"""What nle says because some files are missing in its package; nothing that happens in the game."""


def words(messages: list[bytes]) -> str:
    """Message bytes as text: latin-1, without control characters, repeated spaces or non-ASCII."""
    text = _BROKEN.sub(b"", b" ".join(messages)).decode("latin-1").encode("ascii", "replace").decode("ascii")
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())


class Captioner:
    """Captions of a batch of games, step by step.

    What the hero or a monster stands on is hidden, not gone: cells where the hero stood or stands
    say nothing, and of a cell that a monster enters or leaves only the monster counts. Steps in a
    compass direction are "move" or "moved": which way seldom matters, and eight times fewer
    captions mean eight times fewer questions to whoever reads them.

    Args:
        raw: nle's arrays of the games, (n, ...); `READ` is needed.
        actions: the keys that the actions stand for, (number of actions,).
    """

    def __init__(self, raw: Mapping[str, Array], actions: IntArray) -> None:
        self._now = {key: raw[key] for key in READ}
        self._before = {key: array.copy() for key, array in self._now.items()}
        self._actions = [action_name(int(action)) for action in actions]
        n = len(self._now["glyphs"])
        self._counts = np.zeros(n, np.int64)
        self._changes = np.zeros((2, n, MOST_CHANGES), np.int64)
        self._known: dict[tuple[int, bytes, bool], str] = {}

    def remember(self) -> None:
        """Keep the present as the state before the next step."""
        for key, array in self._now.items():
            np.copyto(self._before[key], array)

    def captions(self, rows: IntArray, last_actions: IntArray, text: Sequence[bytes]) -> list[str]:
        """The step between `remember` and now, in words, for some of the games.

        Args:
            rows: which games.
            last_actions: of all games, as indices into `actions`.
            text: the messages of all games' steps.
        """
        before, now = self._before, self._now
        was, became = self._changes
        visible_changes(
            before["glyphs"], now["glyphs"], before["blstats"], now["blstats"], rows, _NAMED, was, became, self._counts
        )
        stats = (before["blstats"][:, _STAT_COLUMNS] != now["blstats"][:, _STAT_COLUMNS]).any(axis=1)
        items = (before["inv_glyphs"] != now["inv_glyphs"]).any(axis=1)
        moved = (before["blstats"][:, _POSITION] != now["blstats"][:, _POSITION]).any(axis=1).tolist()
        eventful = ((self._counts > 0) | stats | items).tolist()
        actions = last_actions.tolist()
        captions = []
        for row in rows.tolist():
            plain = (actions[row], text[row], moved[row])
            caption = None if eventful[row] else self._known.get(plain)
            if caption is None:
                caption = self._caption(row, self._actions[actions[row]], text[row], moved[row])
                if not eventful[row]:
                    if len(self._known) >= MOST_KNOWN:
                        self._known.clear()
                    self._known[plain] = caption
            captions.append(caption)
        return captions

    def _caption(self, row: int, action: str, text: bytes, moved: bool) -> str:
        if action in COMPASS:
            parts = ["moved" if moved else "move"]
        else:
            parts = [action, "moved"] if moved else [action]
        message = words([text]).rstrip(".")
        parts += [message] if message else []
        before, now = self._before, self._now
        was, became = Counter(_item_names(before["inv_glyphs"][row])), Counter(_item_names(now["inv_glyphs"][row]))
        parts += [f"gained: {_listed(became - was)}"] if became - was else []
        parts += [f"lost: {_listed(was - became)}"] if was - became else []
        parts += self._map_changes(row)
        for name, column in _STATS:
            change = int(now["blstats"][row, column] - before["blstats"][row, column])
            parts += [f"{name} {change:+d}"] if change else []
        return ". ".join(parts)[:MAX_LENGTH]

    def _map_changes(self, row: int) -> list[str]:
        vanished: Counter[str] = Counter()
        appeared: Counter[str] = Counter()
        turned: Counter[str] = Counter()
        count = int(self._counts[row])
        for was, became in zip(*self._changes[:, row, :count].tolist(), strict=True):
            if was >= 0 and became >= 0:
                turned[f"{glyph_name(was)} became {glyph_name(became)}"] += 1
            elif was >= 0:
                vanished[glyph_name(was)] += 1
            else:
                appeared[glyph_name(became)] += 1
        came, went = appeared - vanished, vanished - appeared  # what went from one cell to another did neither
        parts = sorted(turned)
        parts += [f"gone: {_listed(went)}"] if went else []
        parts += [f"in view: {_listed(came)}"] if came else []
        return parts


def map_text(raw: Mapping[str, Array], row: int) -> str:
    """The part of a game's map that shows something, one line of characters a row of the map."""
    chars = raw["chars"][row]
    shown = chars != ord(" ")
    if not shown.any():
        return ""
    ys, xs = np.flatnonzero(shown.any(axis=1)), np.flatnonzero(shown.any(axis=0))
    lines = chars[ys[0] : ys[-1] + 1, xs[0] : xs[-1] + 1]
    return "\n".join(bytes(line).decode("latin-1").rstrip() for line in lines)


def crop_text(raw: Mapping[str, Array], row: int, size: int) -> str:
    """The `size` by `size` characters around the hero, a space between any two of a line."""
    x, y = raw["blstats"][row, _POSITION].tolist()
    half = size // 2
    window = np.full((size, size), ord(" "), np.uint8)
    height, width = raw["chars"].shape[1:]
    top, left = max(0, y - half), max(0, x - half)
    bottom, right = min(height, y + half + 1), min(width, x + half + 1)
    if top < bottom and left < right:
        part = raw["chars"][row, top:bottom, left:right]
        window[top - y + half : bottom - y + half, left - x + half : right - x + half] = part
    return "\n".join(" ".join(bytes(line).decode("latin-1")).rstrip() for line in window)


def _listed(names: Counter[str]) -> str:
    return ", ".join(sorted(names))


def _item_names(glyphs: Array) -> list[str]:
    return [glyph_name(glyph) for glyph in glyphs[glyphs != nethack.MAX_GLYPH].tolist()]


def action_name(action: int) -> str:
    """The word for a key: "north", "apply", "pickup"; the key itself where nle has no name."""
    for kind in (
        nethack.CompassDirection,
        nethack.CompassDirectionLonger,
        nethack.MiscDirection,
        nethack.MiscAction,
        nethack.Command,
    ):
        for member in kind:
            if int(member) == int(action):
                return _SPELLED.get(member.name, member.name.lower())
    return chr(int(action))


_SPELLED = {
    "N": "north", "E": "east", "S": "south", "W": "west",
    "NE": "northeast", "SE": "southeast", "SW": "southwest", "NW": "northwest",
}  # fmt: skip


NOTHING, THING, CREATURE = 0, 1, 2


def _kind(glyph: int) -> int:
    if nethack.glyph_is_monster(glyph) and not nethack.glyph_is_body(glyph) and not nethack.glyph_is_statue(glyph):
        return CREATURE
    return NOTHING if glyph_name(glyph) in _SCENERY else THING


_NAMED = np.array([_kind(glyph) for glyph in range(nethack.MAX_GLYPH)] + [NOTHING], np.int8)
"""What a glyph is to a caption, by its number."""
