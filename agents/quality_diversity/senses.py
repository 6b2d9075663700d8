"""What a small policy sees of an environment, where it is there, and what is drawn of that."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

Array = npt.NDArray[Any]
FloatArray = npt.NDArray[np.float64]
POSITION = "position"
"""The entry of the infos that says where one is, two numbers, in worlds that have it."""
USUAL_PLACES = {"raw_blstats": ((0.0, 79.0), (0.0, 21.0)), "blstats": ((0.0, 1.0), (0.0, 1.0))}
"""Entries of Dict observations (NetHack's) whose first two numbers are a place -> its bounds."""
WIDEST = 1e6  # wider bounds than this are no bounds of places
_PLACE = re.compile(r"(\w*)\[(\d+),(\d+)\]")


class Senses:
    """Observations as one row of numbers, actions of outputs in [−1, 1], places and pictures.

    Whole numbers with bounds, such as names, are seen in [−1, 1]: they are far too large for a
    small network's tanh. Others are seen as they are.

    Args:
        observations, actions: the environment's spaces.
        keys: entries of a Dict observation that are seen, one after the other; () for all.
        place: "position", "[0,1]" or "entry[0,1]"; "" for the usual: what `tells` has, blstats'
            first two numbers, or the first two that are seen.
        picture: the entry whose grid of names or numbers is drawn; "" for none.
        size: of a picture, in pixels.
        tells: the infos have a "position".

    Raises:
        ValueError: entries or numbers that are not there; actions that are neither one choice nor
            one vector with bounds.
    """

    def __init__(
        self,
        observations: spaces.Space[Any],
        actions: spaces.Space[Any],
        *,
        keys: tuple[str, ...] = (),
        place: str = "",
        picture: str = "",
        size: int = 32,
        tells: bool = False,
    ) -> None:
        self._space = observations
        self._dict = observations if isinstance(observations, spaces.Dict) else None
        self.keys = _keys(observations, keys)
        seen = [observations] if self._dict is None else [self._dict[key] for key in self.keys]
        self.width = sum(map(_width, seen))
        self._seen = [_scaled(space) for space in seen]
        self.size = size
        self._actions = actions
        if isinstance(actions, spaces.Discrete):
            self.outputs = int(actions.n)
        elif isinstance(actions, spaces.Box) and len(actions.shape) == 1 and actions.is_bounded():
            self.outputs = int(actions.shape[0])
        else:
            raise ValueError(f"a population acts by one choice or one bounded vector, and actions are {actions}")
        self._entry, self._numbers = self._place(place, tells)
        self._grid = self._picture(picture)
        self._colours = np.random.default_rng(0).integers(40, 256, (997, 3), dtype=np.uint8)
        self._colours[0] = 0

    def vector(self, observations: Any) -> FloatArray:
        """(n, width)"""
        entries = [observations] if self._dict is None else [observations[key] for key in self.keys]
        rows = [
            ((np.asarray(entry, np.float64) - middle) / half).reshape(len(entry), -1)
            for entry, (middle, half) in zip(entries, self._seen, strict=True)
        ]
        return rows[0] if len(rows) == 1 else np.concatenate(rows, axis=1)

    def actions(self, outputs: FloatArray) -> Array:
        """What is done, of (n, outputs): the largest one's choice, or all in the actions' units."""
        if isinstance(self._actions, spaces.Discrete):
            chosen: Array = outputs.argmax(axis=1) + self._actions.start
            return chosen
        assert isinstance(self._actions, spaces.Box)
        low, high = self._actions.low, self._actions.high
        scaled: Array = (low + (outputs + 1.0) / 2.0 * (high - low)).astype(self._actions.dtype)
        return scaled

    def position(self, observation: Any, info: Mapping[str, Any]) -> FloatArray:
        """Where one is, (2,), by one observation and its info."""
        if self._entry == POSITION:
            return np.asarray(info[POSITION], np.float64)
        seen = observation[self._entry] if self._entry else observation
        return np.asarray(seen, np.float64).reshape(-1)[list(self._numbers)]

    @property
    def extent(self) -> list[list[float]] | None:
        """Bounds of a place, ((low, high), (low, high)), where they are known."""
        if self._entry == POSITION:
            return None
        if self._entry in USUAL_PLACES and self._numbers == (0, 1):
            return [list(bounds) for bounds in USUAL_PLACES[self._entry]]
        space: Any = self._space if self._dict is None else self._dict[self._entry]
        sides = [[float(bound.reshape(-1)[number]) for bound in (space.low, space.high)] for number in self._numbers]
        return sides if all(0 < high - low < WIDEST for low, high in sides) else None

    @property
    def downward(self) -> bool:
        """Does the second number of a place grow downward, as on NetHack's screen?"""
        return self._entry in USUAL_PLACES

    @property
    def draws(self) -> bool:
        """Is there a picture?"""
        return bool(self._grid)

    def picture(self, observation: Any) -> Array:
        """(size, size, 3) uint8: names as colours, the grid stretched over the picture."""
        grid = np.asarray(observation[self._grid]).astype(np.int64)
        rows = np.arange(self.size) * grid.shape[0] // self.size
        columns = np.arange(self.size) * grid.shape[1] // self.size
        return self._colours[grid[np.ix_(rows, columns)] % len(self._colours)]

    def _place(self, place: str, tells: bool) -> tuple[str, tuple[int, int]]:
        if place in ("", POSITION):
            if tells:
                return POSITION, (0, 1)
            if place:
                raise ValueError("agent.place=position: this environment does not say where one is; give entry[0,1]")
            usual = [key for key in USUAL_PLACES if self._dict is not None and key in self._dict.spaces]
            place = f"{(usual or self.keys or ('',))[0]}[0,1]"
        found = _PLACE.fullmatch(place)
        if found is None:
            raise ValueError(f"agent.place={place}: expected position, [0,1] or entry[0,1]")
        entry, numbers = found[1], (int(found[2]), int(found[3]))
        if (self._dict is None) == bool(entry) or (self._dict is not None and entry not in self._dict.spaces):
            has = "one vector" if self._dict is None else ", ".join(self._dict.spaces)
            raise ValueError(f"agent.place={place}: observations are {has}")
        width = self.width if self._dict is None else _width(self._dict[entry])
        if max(numbers) >= width:
            raise ValueError(f"agent.place={place}: there are {width} numbers, counted from 0")
        return entry, numbers

    def _picture(self, picture: str) -> str:
        if not picture:
            return ""
        grids = [] if self._dict is None else [key for key, space in self._dict.items() if _is_grid(space)]
        if picture not in grids:
            raise ValueError(
                f"agent.picture={picture}: expected an entry that is a grid of names; there "
                f"{'are ' + ', '.join(grids) if grids else 'is none'}"
            )
        return picture


def _keys(observations: spaces.Space[Any], keys: tuple[str, ...]) -> tuple[str, ...]:
    if not isinstance(observations, spaces.Dict):
        if keys:
            raise ValueError(f"agent.keys={list(keys)}: observations have no entries, they are {observations}")
        return ()
    for key in keys:
        if key not in observations.spaces:
            raise ValueError(f"agent.keys: there is no entry {key!r}; there are {', '.join(observations.spaces)}")
    return keys or tuple(observations.spaces)


def _scaled(space: spaces.Space[Any]) -> tuple[Any, Any]:
    """What is subtracted, and what that is divided by."""
    assert isinstance(space, spaces.Box)
    if not np.issubdtype(space.dtype, np.integer):
        return 0.0, 1.0
    low, high = space.low.astype(np.float64), space.high.astype(np.float64)
    return (high + low) / 2.0, np.maximum(high - low, 1.0) / 2.0


def _width(space: spaces.Space[Any]) -> int:
    if not isinstance(space, spaces.Box):
        raise ValueError(f"a population sees numbers (Box), and an observation is {space}: choose others by agent.keys")
    return int(np.prod(space.shape))


def _is_grid(space: spaces.Space[Any]) -> bool:
    return isinstance(space, spaces.Box) and len(space.shape) == 2 and np.issubdtype(space.dtype, np.integer)
