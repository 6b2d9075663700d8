"""Actions of a car: from an index or a few keys to RocketSim's eight controls.

Columns of controls: throttle, steer, pitch, yaw, roll (-1 to 1), jump, boost, handbrake (0 or 1).
"""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from envs.typing import Array, BoolArray

Controls = npt.NDArray[np.float32]
COLUMNS = ("throttle", "steer", "pitch", "yaw", "roll", "jump", "boost", "handbrake")


def lookup_table() -> Controls:
    """(90, 8): the table that Nexto and rlgym use; 24 rows for the floor, 66 for the air.

    >>> lookup_table()[8].tolist()
    [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    """
    rows = []
    for throttle, steer, boost, handbrake in itertools.product((-1, 0, 1), (-1, 0, 1), (0, 1), (0, 1)):
        if not (boost and throttle != 1):
            rows.append([throttle or boost, steer, 0, steer, 0, 0, boost, handbrake])
    for pitch, yaw, roll, jump, boost in itertools.product((-1, 0, 1), (-1, 0, 1), (-1, 0, 1), (0, 1), (0, 1)):
        if (jump and yaw) or (pitch == roll == jump == 0):
            continue
        handbrake = int(bool(jump and (pitch or yaw or roll)))
        rows.append([boost, yaw, pitch, yaw, roll, jump, boost, handbrake])
    return np.array(rows, np.float32)


def shoot_table() -> Controls:
    """(9, 8): full throttle, with and without boost, and backwards, each with every steering."""
    rows = [[1, steer, 0, steer, 0, 0, boost, 0] for boost in (0, 1) for steer in (-1, 0, 1)]
    rows += [[-1, steer, 0, steer, 0, 0, 0, 0] for steer in (-1, 0, 1)]
    return np.array(rows, np.float32)


class ActionParser(ABC):
    """Actions of all cars to controls."""

    space: spaces.Space[Any]

    @abstractmethod
    def __call__(self, actions: Array) -> Controls:
        """(rows, 8) controls for (rows, ...) actions.

        Raises:
            ValueError: an action outside the space.
        """

    @abstractmethod
    def nearest(self, controls: Controls) -> Array:
        """(rows, ...) the actions that come nearest to (rows, 8) controls."""

    @abstractmethod
    def masks(self, on_ground: BoolArray, boost: Array, has_flip: BoolArray) -> BoolArray:
        """(rows, actions): which actions differ from another that needs less. Inputs (rows,)."""


class TableActions(ActionParser):
    """One of a table's rows."""

    def __init__(self, table: Controls) -> None:
        self.table = table
        self.space = spaces.Discrete(len(table))
        self._boosts, self._jumps = table[:, 6] > 0, table[:, 5] > 0

    def __call__(self, actions: Array) -> Controls:
        chosen = np.asarray(actions).reshape(-1)
        if chosen.dtype.kind not in "iu":
            if not (np.isfinite(chosen).all() and (chosen == np.round(chosen)).all()):
                raise ValueError(f"actions are {chosen.tolist()}; expected whole numbers")
            chosen = chosen.astype(np.int64)
        if len(chosen) and (chosen.min() < 0 or chosen.max() >= len(self.table)):
            raise ValueError(f"actions are {chosen.tolist()}; expected 0 to {len(self.table) - 1}")
        return self.table[chosen]

    def nearest(self, controls: Controls) -> Array:
        distances = np.square(controls[:, None] - self.table[None]).sum(axis=2)
        actions: Array = distances.argmin(axis=1)
        return actions

    def masks(self, on_ground: BoolArray, boost: Array, has_flip: BoolArray) -> BoolArray:
        allowed = ~(self._boosts[None] & (boost <= 0)[:, None])
        allowed &= ~(self._jumps[None] & ~(on_ground | has_flip)[:, None])
        return allowed


class KeyboardActions(ActionParser):
    """Lucy's keys: throttle, steer (back, none, ahead), jump, boost, handbrake.

    In the air the same keys turn the car:

    pitch = -throttle, so that ahead is nose down; yaw = steer without the handbrake, roll = steer
    with it.
    """

    def __init__(self) -> None:
        self.space = spaces.MultiDiscrete([3, 3, 2, 2, 2])

    def __call__(self, actions: Array) -> Controls:
        keys = np.asarray(actions)
        if keys.ndim != 2 or keys.shape[1] != 5 or not np.isfinite(keys).all():
            raise ValueError(f"actions have shape {keys.shape} or are not finite; expected (cars, 5)")
        limits = np.array([2, 2, 1, 1, 1])
        if (keys < 0).any() or (keys > limits).any() or (keys != np.round(keys)).any():
            raise ValueError(f"actions are {keys.tolist()}; expected whole numbers up to {limits.tolist()}")
        throttle, steer = keys[:, 0] - 1.0, keys[:, 1] - 1.0
        jump, boost, handbrake = keys[:, 2], keys[:, 3], keys[:, 4]
        columns = (throttle, steer, -throttle, steer * (1 - handbrake), steer * handbrake, jump, boost, handbrake)
        return np.stack(columns, axis=1).astype(np.float32)

    def nearest(self, controls: Controls) -> Array:
        keys = [np.rint(controls[:, 0]) + 1, np.rint(controls[:, 1]) + 1, *(controls[:, 5:] > 0.5).T]
        return np.stack(keys, axis=1).astype(np.int64)

    def masks(self, on_ground: BoolArray, boost: Array, has_flip: BoolArray) -> BoolArray:
        allowed = np.ones((len(boost), 12), np.bool_)
        allowed[:, 7] = on_ground | has_flip  # jump
        allowed[:, 9] = boost > 0
        return allowed


ACTIONS = {
    "lookup": lambda: TableActions(lookup_table()),
    "shoot": lambda: TableActions(shoot_table()),
    "keyboard": KeyboardActions,
}
"""Name -> parser, for `actions=`."""
