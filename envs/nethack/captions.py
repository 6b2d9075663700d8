"""Transitions of NetHack in words: one plain ASCII line of at most 300 characters, the same for the same transition.

"apply. You unlock the door. closed door vanished, open door appeared"
"northeast. b - a key named The Master Key of Thievery. gained: skeleton key. skeleton key vanished"
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Mapping

import numpy as np
from nle import nethack

from envs.typing import Array

MAX_LENGTH = 300
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


@functools.cache
def glyph_name(glyph: int) -> str:
    """What a glyph shows: "closed door", "skeleton key", "jackal corpse", "pet kitten"; "" for what has no name."""
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


def words(messages: list[bytes]) -> str:
    """Message bytes as text: latin-1, without control characters, repeated spaces or non-ASCII."""
    text = b" ".join(messages).decode("latin-1").encode("ascii", "replace").decode("ascii")
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())


def caption(action: str, before: Mapping[str, Array], now: Mapping[str, Array], message: str) -> str:
    """One transition in words: the action, the message, what came and went.

    Args:
        action: the action's name.
        before, now: nle's arrays of one game (`READ` is needed) before and after.
        message: the words of the step.
    """
    parts = [action]
    if message:
        parts.append(message.rstrip("."))
    gained, lost = _difference(before["inv_glyphs"], now["inv_glyphs"])
    parts += [f"gained: {gained}"] if gained else []
    parts += [f"lost: {lost}"] if lost else []
    level = [nethack.NLE_BL_DNUM, nethack.NLE_BL_DLEVEL]
    if (before["blstats"][level] == now["blstats"][level]).all():
        changed = before["glyphs"] != now["glyphs"]
        if changed.any():
            appeared, vanished = _difference(before["glyphs"][changed], now["glyphs"][changed], scenery=False)
            parts += [f"{vanished} vanished"] if vanished else []
            parts += [f"{appeared} appeared"] if appeared else []
    position = [nethack.NLE_BL_X, nethack.NLE_BL_Y]
    if (before["blstats"][position] != now["blstats"][position]).any():
        parts.append("moved")
    for name, column in _STATS:
        change = int(now["blstats"][column] - before["blstats"][column])
        if change:
            parts.append(f"{name} {change:+d}")
    return ". ".join(parts)[:MAX_LENGTH]


def _difference(before: Array, now: Array, scenery: bool = True) -> tuple[str, str]:
    was, became = _names(before), _names(now)
    came = ", ".join(sorted(name for name in (became - was) if scenery or name not in _SCENERY))
    went = ", ".join(sorted(name for name in (was - became) if scenery or name not in _SCENERY))
    return came, went


def _names(glyphs: Array) -> Counter[str]:
    glyphs, counts = np.unique(glyphs[glyphs != nethack.MAX_GLYPH], return_counts=True)
    names: Counter[str] = Counter()
    for glyph, count in zip(glyphs.tolist(), counts.tolist(), strict=True):
        names[glyph_name(glyph)] += count
    return names


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
