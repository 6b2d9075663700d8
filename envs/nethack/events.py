"""Events of NetHack: named predicates on a transition, for a batch of games.

`before` and `now` are nle's arrays of the state before and after the step, (n, ...); `text` the
messages of the step, screens that NLE skips included. An event is true on the step that makes it
true.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from nle import nethack

from envs.nethack.kernels import HUNGER_POINTS, count_glyphs, opened_doors
from envs.typing import Array, BoolArray, IntArray
from foundation.naming import unknown

CMAP = nethack.GLYPH_CMAP_OFF
DOORWAY, CLOSED_DOOR = CMAP + 12, CMAP + 15
STAIRS_DOWN, LADDER_DOWN = CMAP + 24, CMAP + 26
FLOOR_LOW, FLOOR_HIGH = CMAP + 19, CMAP + 23
NEW_ROOM_CELLS = 9


def object_glyph(name: str) -> int:
    """The glyph of the object that NetHack calls `name` (its true name)."""
    for index in range(nethack.NUM_OBJECTS):
        if nethack.OBJ_NAME(nethack.objclass(index)) == name:
            return int(nethack.GLYPH_OBJ_OFF + index)
    raise ValueError(f"NetHack knows no object called {name!r}")


SKELETON_KEY = object_glyph("skeleton key")


def count(array: Array, low: int, high: int) -> IntArray:
    """How many entries of each game lie in [low, high): (n, ...) -> (n,)."""
    out = np.empty(len(array), np.int64)
    count_glyphs(array.reshape(len(array), -1), low, high, out)
    return out


@dataclass(frozen=True)
class Step:
    """What a predicate may look at: nle's arrays before and after the step, and its words.

    `counts` carries what was counted after the last step over to this one, where it is what was
    before.
    """

    before: Mapping[str, Array]
    now: Mapping[str, Array]
    text: Sequence[bytes]
    counts: dict[tuple[str, int, int], IntArray] = field(default_factory=dict)

    def stat(self, column: int) -> tuple[IntArray, IntArray]:
        """A column of the bottom line before and after."""
        return self.before["blstats"][:, column], self.now["blstats"][:, column]

    def same_level(self) -> BoolArray:
        columns = [nethack.NLE_BL_DNUM, nethack.NLE_BL_DLEVEL]
        return np.asarray((self.before["blstats"][:, columns] == self.now["blstats"][:, columns]).all(axis=1))

    def counted(self, key: str, low: int, high: int) -> tuple[IntArray, IntArray]:
        """How many entries of `key` lie in [low, high), before and after."""
        was = self.counts.get((key, low, high))
        before = count(self.before[key], low, high) if was is None else was
        now = self.counts[key, low, high] = count(self.now[key], low, high)
        return before, now

    def says(self, pattern: re.Pattern[bytes]) -> BoolArray:
        return np.array([bool(words) and pattern.search(words) is not None for words in self.text])


def picked_up_key(step: Step) -> BoolArray:
    """A key came into the inventory."""
    before, now = step.counted("inv_glyphs", SKELETON_KEY, SKELETON_KEY + 1)
    return now > before


def opened_door(step: Step) -> BoolArray:
    """A closed door became an open, broken or empty one, on the same level."""
    opened = np.zeros(len(step.now["glyphs"]), np.bool_)
    opened_doors(step.before["glyphs"], step.now["glyphs"], CLOSED_DOOR, DOORWAY, opened)
    return opened & step.same_level() if opened.any() else opened


def picked_up_item(step: Step) -> BoolArray:
    """The inventory has one more entry."""
    before, now = step.counted("inv_glyphs", 0, nethack.MAX_GLYPH)
    return now > before


def found_gold(step: Step) -> BoolArray:
    """The purse is fuller."""
    before, now = step.stat(nethack.NLE_BL_GOLD)
    return now > before


def new_room(step: Step) -> BoolArray:
    """At least nine more cells of floor are in view than a step ago, on the same level."""
    before, now = step.counted("glyphs", FLOOR_LOW, FLOOR_HIGH)
    seen = now - before >= NEW_ROOM_CELLS
    return seen & step.same_level() if seen.any() else seen


def saw_stairs(step: Step) -> BoolArray:
    """A way down is in view that was not."""
    before, now = step.counted("glyphs", STAIRS_DOWN, LADDER_DOWN + 1)
    return (before == 0) & (now > 0)


def deeper_level(step: Step) -> BoolArray:
    """The hero stands on a deeper level than a step ago."""
    before, now = step.stat(nethack.NLE_BL_DEPTH)
    return now > before


def gained_level(step: Step) -> BoolArray:
    """The hero's experience level rose."""
    before, now = step.stat(nethack.NLE_BL_XP)
    return now > before


def gained_experience(step: Step) -> BoolArray:
    """The hero's experience points rose."""
    before, now = step.stat(nethack.NLE_BL_EXP)
    return now > before


def ate(step: Step) -> BoolArray:
    """The hero is better fed."""
    before, now = step.before["internal"][:, HUNGER_POINTS], step.now["internal"][:, HUNGER_POINTS]
    return now > before


_KILL = re.compile(rb"You (kill|destroy) ")


def killed_monster(step: Step) -> BoolArray:
    """The game says that the hero killed or destroyed something."""
    return step.says(_KILL)


EVENTS: dict[str, Callable[[Step], BoolArray]] = {
    predicate.__name__: predicate
    for predicate in (
        picked_up_key, opened_door, picked_up_item, found_gold, new_room, saw_stairs,
        deeper_level, gained_level, gained_experience, ate, killed_monster,
    )
}  # fmt: skip
TEXT_EVENTS = frozenset({"killed_monster"})
READ = ("glyphs", "blstats", "internal", "inv_glyphs")


class EventDetector:
    """The chosen events of a batch of games, step by step.

    Raises:
        ValueError: for an unknown event, with the nearest names.
    """

    def __init__(self, names: Sequence[str], raw: Mapping[str, Array]) -> None:
        for name in names:
            if name not in EVENTS:
                raise unknown("event of NetHack", name, EVENTS)
        self.names = tuple(names)
        self._raw = {key: raw[key] for key in READ}
        self._before = {key: raw[key].copy() for key in READ}
        self._counts: dict[tuple[str, int, int], IntArray] = {}

    @property
    def reads_text(self) -> bool:
        """Does one of the events need the words of the step?"""
        return bool(TEXT_EVENTS & set(self.names))

    def remember(self, restarted: bool) -> None:
        """Keep the present as the state before the next step.

        `restarted`: games have begun anew since `detect`.
        """
        if restarted:
            self._counts.clear()
        for key, array in self._raw.items():
            np.copyto(self._before[key], array)

    def detect(self, text: Sequence[bytes], out: BoolArray) -> None:
        """Write (n, number of events) booleans for the step between `remember` and now."""
        step = Step(self._before, self._raw, text, self._counts)
        for column, name in enumerate(self.names):
            out[:, column] = EVENTS[name](step)
