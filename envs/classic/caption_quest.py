"""CaptionQuest: a small dungeon that says in words what happens, and pays only at its end.

Three levels of 6 by 6 cells, each with a key, a trapdoor, a boulder and a fountain on random cells.
Take the key, unlock the trapdoor, climb down, three times over; the last descent pays 1 and ends
the episode. Nothing else pays, and chance never gets there. What a step did is said in words:
`info["message"]` (and `info["caption"]`, the same).

A world of our own for language-model rewards such as ONI's (arXiv 2410.23022), whose tasks need
billions of steps.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from envs.catalogue import NAMESPACE, Option, Request
from envs.classic.worlds import Played, World, WorldEnv, WorldVecEnv
from envs.typing import BoolArray, IntArray

SIZE, LEVELS, STEP_LIMIT = 6, 3, 200
ACTIONS = ("north", "south", "west", "east", "pickup", "use", "descend", "wait")
PICKUP, USE, DESCEND, WAIT = 4, 5, 6, 7
KEY, TRAPDOOR, BOULDER, FOUNTAIN = range(4)
EVENTS = ("picked_up_key", "opened_trapdoor", "deeper_level")
REPORTS = frozenset({"message", "caption", "events"})
OBSERVATIONS = 17

CAPTIONS = (
    "",
    "You bump into a wall.",
    "You see here a brass key.",
    "There is a trapdoor here.",
    "There is a boulder here.",
    "There is a fountain here.",
    "k - a brass key.",
    "There is nothing here to pick up.",
    "You unlock the trapdoor.",
    "This trapdoor is locked.",
    "The trapdoor is already open.",
    "You have nothing to use here.",
    "You hit the boulder golem!",
    "You climb down to level 2.",
    "You climb down to level 3.",
    "You climb down to level 4.",
    "You can't go down here.",
    "You wait.",
)
"""All lines of the game, by their number."""
(_PLAIN, _WALL, _SEE, _GOT, _NOTHING, _UNLOCK, _LOCKED, _ALREADY, _USELESS, _HIT, _DOWN, _NOT_HERE, _WAITED) = (
    0, 1, 2, 6, 7, 8, 9, 10, 11, 12, 13, 16, 17,
)  # fmt: skip
HELPFUL = frozenset({CAPTIONS[_GOT], CAPTIONS[_UNLOCK], *CAPTIONS[_DOWN : _DOWN + LEVELS]})
"""The lines that say that the episode came closer to its end."""

_STEPS = np.array([[0, -1], [0, 1], [-1, 0], [1, 0]] + [[0, 0]] * 4, np.int64)
_COLOURS = {"floor": (38, 42, 51), "hero": (240, 228, 66), KEY: (230, 159, 0), TRAPDOOR: (204, 121, 167),
            BOULDER: (120, 124, 133), FOUNTAIN: (86, 180, 233), "open": (0, 158, 115)}  # fmt: skip


class CaptionQuestVecEnv(WorldVecEnv):
    """CaptionQuests behind SB3's vector interface.

    Observations are (17,) float32: the hero's place, the way to the key and the trapdoor and
    whether the hero stands on them, the way to the boulder and the fountain, whether the key is
    held and the trapdoor open, and the level.

    Args:
        request: see `WorldVecEnv`.
        dummy: "use" at the boulder gives a line that sounds like a fight won and may be had without
            end: a trap for rewards that pay the same line again and again.
        max_episode_steps: the time limit.
    """

    title = "CaptionQuest"
    limit = STEP_LIMIT
    reports = REPORTS
    known_events = EVENTS

    def __init__(self, request: Request, *, dummy: bool = False, max_episode_steps: int | None = None) -> None:
        observations = spaces.Box(-1.0, 1.0, (OBSERVATIONS,), np.float32)
        super().__init__(request, observations, spaces.Discrete(len(ACTIONS)), max_episode_steps)
        n = request.n_envs
        self.dummy = dummy
        self._texts = tuple(name for name in request.report if name != "events")
        self._events = request.events if "events" in request.report else ()
        self._hero = np.zeros((n, 2), np.int64)
        self._starts = np.zeros((n, LEVELS, 2), np.int64)
        self._things = np.zeros((n, LEVELS, 4, 2), np.int64)
        self._level = np.zeros(n, np.int64)
        self._has_key = np.zeros(n, np.bool_)
        self._open = np.zeros(n, np.bool_)

    def begin_world(self, index: int, random: np.random.Generator) -> dict[str, Any]:
        cells = np.stack([random.permutation(SIZE * SIZE)[:5] for _ in range(LEVELS)])
        places = np.stack([cells % SIZE, cells // SIZE], axis=-1)
        self._starts[index], self._things[index] = places[:, 0], places[:, 1:]
        self._hero[index] = self._starts[index, 0]
        self._level[index] = 0
        self._has_key[index] = self._open[index] = False
        return dict.fromkeys(self._texts, "")

    def play(self, actions: IntArray) -> Played:
        lines, events, solved = self._play(actions)
        said = [CAPTIONS[line] for line in lines.tolist()]
        entries: dict[str, list[Any]] = dict.fromkeys(self._texts, said)
        if self._events:
            happened: list[Any] = [None] * self.num_envs
            for index in np.flatnonzero(events.any(axis=1)).tolist():
                happened[index] = tuple(name for name in self._events if events[index, EVENTS.index(name)]) or None
            entries["events"] = happened
        return Played(solved.astype(np.float64), solved, solved, entries)

    def _play(self, actions: IntArray) -> tuple[IntArray, BoolArray, BoolArray]:
        """Lines (n,), events (n, 3) and whether the episode is solved (n,) of one step."""
        rows, n = self.rows, self.num_envs
        lines = np.zeros(n, np.int64)
        events = np.zeros((n, len(EVENTS)), np.bool_)
        moving = actions < PICKUP
        target = self._hero + _STEPS[actions]
        inside = ((target >= 0) & (target < SIZE)).all(axis=1)
        moved = moving & inside
        self._hero[moved] = target[moved]
        lines[moving & ~inside] = _WALL
        here = (self._things[rows, self._level] == self._hero[:, None]).all(axis=2)
        here[:, KEY] &= ~self._has_key
        for thing in range(4):
            lines[moved & here[:, thing]] = _SEE + thing

        wants = actions == PICKUP
        lines[wants] = np.where(here[wants, KEY], _GOT, _NOTHING)
        taken = wants & here[:, KEY]
        self._has_key |= taken
        events[:, 0] = taken

        used = actions == USE
        at_door = used & here[:, TRAPDOOR]
        unlocked = at_door & self._has_key & ~self._open
        lines[used] = _USELESS
        lines[at_door] = np.where(self._open[at_door], _ALREADY, _LOCKED)
        lines[unlocked] = _UNLOCK
        if self.dummy:
            lines[used & here[:, BOULDER]] = _HIT
        self._open |= unlocked
        events[:, 1] = unlocked

        climbs = actions == DESCEND
        lines[climbs] = np.where(here[climbs, TRAPDOOR], _LOCKED, _NOT_HERE)
        down = climbs & here[:, TRAPDOOR] & self._open
        lines[down] = _DOWN + self._level[down]
        solved = down & (self._level == LEVELS - 1)
        deeper = down & ~solved
        self._level[deeper] += 1
        self._hero[deeper] = self._starts[rows[deeper], self._level[deeper]]
        self._has_key[deeper] = self._open[deeper] = False
        events[:, 2] = down
        lines[actions == WAIT] = _WAITED
        return lines, events, solved

    def observe(self) -> npt.NDArray[np.float32]:
        things = self._things[self.rows, self._level]
        way = (things - self._hero[:, None]) / (SIZE - 1)
        on = (things == self._hero[:, None]).all(axis=2)
        values = np.zeros((self.num_envs, OBSERVATIONS), np.float32)
        values[:, 0:2] = self._hero / (SIZE - 1)
        held = self._has_key
        values[:, 2:4] = np.where(held[:, None], 0.0, way[:, KEY])
        values[:, 4] = on[:, KEY] & ~held
        values[:, 5:7], values[:, 7] = way[:, TRAPDOOR], on[:, TRAPDOOR]
        values[:, 8:10], values[:, 10:12] = way[:, BOULDER], way[:, FOUNTAIN]
        values[:, 12], values[:, 13] = held, self._open
        values[self.rows, 14 + self._level] = 1.0
        return values

    def frame(self, index: int, scale: int = 32) -> npt.NDArray[np.uint8]:
        """A picture of one world, (192, 192, 3)."""
        cells = np.empty((SIZE, SIZE, 3), np.uint8)
        cells[:] = _COLOURS["floor"]
        for thing in (FOUNTAIN, BOULDER, TRAPDOOR, KEY):
            x, y = self._things[index, self._level[index], thing]
            if not (thing == KEY and self._has_key[index]):
                cells[y, x] = _COLOURS["open" if thing == TRAPDOOR and self._open[index] else thing]
        picture = np.repeat(np.repeat(cells, scale, axis=0), scale, axis=1)
        picture[::scale] = picture[:, ::scale] = 0
        x, y = (self._hero[index] * scale).tolist()
        picture[y + scale // 4 : y + 3 * scale // 4, x + scale // 4 : x + 3 * scale // 4] = _COLOURS["hero"]
        return picture


class CaptionQuestEnv(WorldEnv):
    """One CaptionQuest behind gymnasium's interface; see `CaptionQuestVecEnv` for the arguments."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 4}
    worlds = CaptionQuestVecEnv
    usual = ("message",)


WORLDS = (
    World(
        f"{NAMESPACE}CaptionQuest-v0",
        CaptionQuestEnv,
        (
            Option(
                "classic/caption_quest",
                f"{NAMESPACE}CaptionQuest-v0",
                steps=300_000,
                events=EVENTS,
                task="Take the key, unlock the trapdoor and climb down, on every level.",
                subgoals={
                    "pick up the key": "picked_up_key",
                    "unlock the trapdoor": "opened_trapdoor",
                    "climb down": "deeper_level",
                },
            ),
        ),
    ),
)
