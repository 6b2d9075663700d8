"""Actions of several keys: "apply the key to a door", and the extended tasks' questions.

minihack looks for the key in inventory strings and for the door in screen descriptions, which nle
has to write for every cell at every step. Glyphs say the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from minihack.envs.keyroom import MiniHackKeyDoor
from nle.nethack import Command

from envs.nethack.events import CLOSED_DOOR, SKELETON_KEY
from envs.nethack.extended_tasks import ExtendedActions
from envs.nethack.game import ESCAPE, QUESTIONS_FOR_THE_AGENT, SPACE, Game
from envs.nethack.kernels import IN_YN_FUNCTION, WAITING_FOR_SPACE

_DIRECTIONS = "ykuh.lbjn"  # the nine cells around the hero, row by row
_UNLOCK_LIMIT = 1000


class UnlockDoor:
    """APPLY next to a closed door with the key in hand: key, direction, yes, and into the door.

    It walks into the door until that is open.

    The same key presses as `minihack.envs.keyroom.MiniHackKeyDoor.step`, which the step itself then
    follows with a plain APPLY.
    """

    keys = ("glyphs", "inv_glyphs", "inv_letters", "blstats")

    def __init__(self, game: Game) -> None:
        self._game = game

    @classmethod
    def bind(cls, game: Game) -> Callable[[], None]:
        return cls(game)

    @staticmethod
    def action(stock: Any) -> int:
        """The index of APPLY among the task's actions, -1 if the agent does not have it."""
        return next((index for index, action in enumerate(stock.actions) if action == Command.APPLY), -1)

    def __call__(self) -> None:
        letter, direction = self._key(), self._door()
        if letter is None or direction is None:
            return
        press, game = self._game.press, self._game
        for code in (int(Command.APPLY), letter, direction, ord("y")):
            press(code)
        game.settle(game.rows)
        for _ in range(_UNLOCK_LIMIT):
            press(direction)
            game.settle(game.rows)
            if self._door() is None or game.is_done():
                return

    def _key(self) -> int | None:
        rows = self._game.rows
        places = (rows["inv_glyphs"] == SKELETON_KEY).nonzero()[0]
        return int(rows["inv_letters"][places[0]]) if len(places) else None

    def _door(self) -> int | None:
        rows = self._game.rows
        x, y = rows["blstats"][:2].tolist()
        glyphs = rows["glyphs"]
        for place, direction in enumerate(_DIRECTIONS):
            row, column = y + place // 3 - 1, x + place % 3 - 1
            inside = 0 <= row < glyphs.shape[0] and 0 <= column < glyphs.shape[1]
            if inside and glyphs[row, column] in (CLOSED_DOOR, CLOSED_DOOR + 1):
                return ord(direction)
        return None


class ExtendedKeys:
    """A key press in a task with extended actions, and the presses that belong to it.

    Where the game asks ("What do you want to drink? [fg or ?*]", "Pay? [yn]") the action `y`, which
    is also northwest, chooses the first letter that is listed and any other action cancels; "In
    what direction?" takes what it gets. CAST chooses the first spell. When the game says that a
    skill can be enhanced, the first one is.
    """

    questions = (*QUESTIONS_FOR_THE_AGENT, b"drink", b"Pay?", b"Drink from")
    _offered = re.compile(rb"\[([a-zA-Z$])")
    _skill = b"more confident in your"

    def __init__(self, game: Game) -> None:
        self._game = game
        self._press, self._internal, self._message = game.press, game.rows["internal"], game.rows["message"]

    @staticmethod
    def fit(stock: Any) -> bool:
        """Does the task have them?"""
        return isinstance(stock, ExtendedActions)

    def __call__(self, code: int) -> None:
        if self._internal[IN_YN_FUNCTION]:
            code = self._answer(code)
        self._press(code)
        if code == int(Command.CAST) and self._internal[WAITING_FOR_SPACE]:
            self._press(ord("a"))
        if self._message[0] and self._skill in self._message.tobytes():
            self._enhance()

    def _answer(self, code: int) -> int:
        offered = self._offered.search(self._message.tobytes())
        if offered is None:
            return code
        return offered[1][0] if code == ord("y") else int(ESCAPE)

    def _enhance(self) -> None:
        game = self._game
        game.keep_message()
        for _ in range(10):
            if not self._internal[WAITING_FOR_SPACE]:
                break
            self._press(SPACE)
        self._press(int(Command.ENHANCE))
        if self._internal[WAITING_FOR_SPACE]:  # the menu of skills
            self._press(ord("a"))


def macro_for(stock: Any) -> type[UnlockDoor] | None:
    """The macro that this task's own `step` contains, or None.

    Raises:
        ValueError: when the task overrides `step` in a way that nobody has taught us.
    """
    step = type(stock).step
    if step is MiniHackKeyDoor.step:
        return UnlockDoor
    if step.__module__ in ("nle.env.base", "minihack.base"):
        return None
    raise ValueError(f"{type(stock).__name__} has a step() of its own, which the fast path does not know")
