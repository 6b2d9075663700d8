"""A scripted player of the key rooms, so that there are keys and doors to measure a judge by.

keys = ("glyphs", "raw_blstats", "inv_glyphs")
env = gymnasium.make("breadcrumb/MiniHack-KeyRoom-S5-v0", observation_keys=keys)
player = KeyRoomPlayer(env)
observation, _ = env.reset(seed=1)
observation, *_ = env.step(player(observation))      # some ten of these to the stairs
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np
from nle import nethack
from stable_baselines3.common.vec_env import VecEnv

from envs.controllers import Expert
from envs.nethack.captions import action_name
from envs.nethack.env import NetHackEnv
from envs.nethack.events import CLOSED_DOOR, CMAP, DOORWAY, LADDER_DOWN, SKELETON_KEY, STAIRS_DOWN
from envs.nethack.kernels import LINEAR_SCALES
from envs.nethack.vec_env import NetHackVecEnv
from envs.typing import Array, BoolArray

Cell = tuple[int, int]
"""Row and column of the map."""

MOVES: dict[str, Cell] = {
    "north": (-1, 0), "east": (0, 1), "south": (1, 0), "west": (0, -1),
    "northeast": (-1, 1), "southeast": (1, 1), "southwest": (1, -1), "northwest": (-1, -1),
}  # fmt: skip
ORTHOGONAL = tuple(MOVES)[:4]
UNSEEN = CMAP
DOORS = np.arange(DOORWAY, CLOSED_DOOR + 2)  # broken, open and closed ones: nobody walks through them diagonally
CLOSED = DOORS[-2:]
OBSTACLES = np.array([*range(CMAP, DOORWAY), *CLOSED, CLOSED_DOOR + 2, CLOSED_DOOR + 3, nethack.MAX_GLYPH])
"""What is unseen, walls, closed doors, iron bars, trees."""


class KeyRoomPlayer:
    """Fetches the key, opens the door, walks to the stairs down; explores where it must.

    `player(observation)` is the index of an action. The observation holds `glyphs` (21, 79),
    `inv_glyphs` (55,) and, for the hero's place, `raw_blstats` or `blstats` (27,); the player knows
    nothing of a level but what they show. Call `reset()` between episodes. It may be asked at every
    step and obeyed at few; without diagonal moves among the actions it does without them, and
    without "pickup" and "apply" it only looks for the stairs.

    Args:
        actions: a NetHack environment, or the words for its actions in order (see
            `captions.action_name`).

    Raises:
        ValueError: the environment is not one of NetHack, or the actions lack an orthogonal move.
    """

    def __init__(self, actions: gymnasium.Env[Any, Any] | Sequence[str]) -> None:
        names = _action_names(actions) if isinstance(actions, gymnasium.Env) else list(actions)
        missing = [name for name in ORTHOGONAL if name not in names]
        if missing:
            raise ValueError(f"the scripted player walks, and these actions lack {', '.join(missing)}: {names}")
        self._index = {name: index for index, name in enumerate(names)}
        self._moves = {MOVES[name]: index for name, index in self._index.items() if name in MOVES}
        self.reset()

    def reset(self) -> None:
        """Forget the level: a new episode begins."""
        self._shown: Array | None = None
        self._start: Cell = (0, 0)
        self._trodden: set[Cell] = set()

    def __call__(self, observation: Mapping[str, Array]) -> int:
        """The index of the next action."""
        hero = _hero(observation)
        level = self._remember(observation["glyphs"], hero)
        reachable = self._reachable(level, hero)
        has_key = bool((observation["inv_glyphs"] == SKELETON_KEY).any())
        for cells, action in self._errands(level, has_key):
            if action and action not in self._index:
                continue
            target = next((cell for cell in reachable if cell in cells), None)  # the nearest
            if target == hero and action:
                return self._index[action]
            if target is not None and target != hero:
                while (before := reachable[target]) != hero:
                    target = before
                return self._moves[target[0] - hero[0], target[1] - hero[1]]
        return next(iter(self._moves.values()))

    def _remember(self, glyphs: Array, hero: Cell) -> Array:
        """The map, with what was seen at the hero's place before the hero hid it."""
        level = glyphs.copy()
        if self._shown is None:
            self._start = hero
        else:
            level[hero] = self._shown[hero]
        self._trodden.add(hero)
        self._shown = level
        return level

    def _errands(self, level: Array, has_key: bool) -> Iterator[tuple[set[Cell], str]]:
        """What there is to do, most useful first: cells to go to, and the action there if any."""
        yield _cells(np.isin(level, (STAIRS_DOWN, LADDER_DOWN))), ""
        if has_key:
            doors = _cells(np.isin(level, CLOSED))
            yield {(y + MOVES[side][0], x + MOVES[side][1]) for y, x in doors for side in ORTHOGONAL}, "apply"
        else:
            yield _cells(np.isin(level, SKELETON_KEY)), "pickup"
        unseen = np.pad(level == UNSEEN, 1)
        near = np.asarray(np.lib.stride_tricks.sliding_window_view(unseen, (3, 3)).any(axis=(2, 3)))
        yield _cells(near) - self._trodden, ""  # a cell from which something new may be seen
        if not has_key:
            yield {self._start}, "pickup"  # what the hero hides from the first step on

    def _reachable(self, level: Array, hero: Cell) -> dict[Cell, Cell]:
        """Every cell in reach, the nearest first -> the cell before it on a shortest path."""
        free = np.pad(~np.isin(level, OBSTACLES), 1)  # padded: off the map, -1 included, nobody walks
        door = np.isin(level, DOORS)
        before, queue = {hero: hero}, deque([hero])
        while queue:
            y, x = cell = queue.popleft()
            for dy, dx in self._moves:
                to = (y + dy, x + dx)
                if to in before or not free[to[0] + 1, to[1] + 1] or (dy and dx and (door[cell] or door[to])):
                    continue
                before[to] = cell
                queue.append(to)
        return before


def key_room_expert(venv: VecEnv) -> Expert:
    """`KeyRoomPlayer` in every row.

    Raises:
        ValueError: the environment does not show what it reads, or is another one.
    """
    games = venv.unwrapped
    if not isinstance(games, NetHackVecEnv):
        raise ValueError(f"the scripted player plays NetHack's own vector environment, not {type(games).__name__}")
    shown = set(getattr(games.observation_space, "spaces", ()))
    missing = [key for key in ("glyphs", "inv_glyphs") if key not in shown]
    missing += [] if shown & {"blstats", "raw_blstats"} else ["blstats"]
    if missing:
        keys = ",".join([*games.config.layout.entries, *missing])
        raise ValueError(
            f"the scripted player reads {', '.join(missing)}, and the environment shows {', '.join(sorted(shown))}: "
            f"give env.kwargs.observation_keys=[{keys}]"
        )
    players = [KeyRoomPlayer(games.action_names) for _ in range(games.num_envs)]

    def expert(observations: Any, starts: BoolArray) -> Array:
        actions = []
        for row, player in enumerate(players):
            if starts[row]:
                player.reset()
            actions.append(player({key: observations[key][row] for key in shown}))
        return np.array(actions)

    return expert


def _cells(mask: Array) -> set[Cell]:
    return {(y, x) for y, x in np.argwhere(mask).tolist()}


def _hero(observation: Mapping[str, Array]) -> Cell:
    if "raw_blstats" in observation:
        x, y = observation["raw_blstats"][:2].tolist()
    else:
        x, y = np.rint(observation["blstats"][:2] / LINEAR_SCALES[:2]).astype(int).tolist()
    return y, x


def _action_names(env: gymnasium.Env[Any, Any]) -> list[str]:
    if not isinstance(env.unwrapped, NetHackEnv):
        raise ValueError(f"the scripted player plays NetHack, not {type(env.unwrapped).__name__}")
    return [action_name(int(key)) for key in env.unwrapped._batch.actions]
