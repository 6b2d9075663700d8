"""Actions as rows of numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from shaping.transitions import Array


class ActionFeatures:
    """Discrete actions one-hot, others as they are.

    Raises:
        ValueError: the space has no fixed number of numbers.
    """

    def __init__(self, space: spaces.Space[Any]) -> None:
        kinds = spaces.Discrete | spaces.MultiDiscrete | spaces.MultiBinary | spaces.Box
        if not isinstance(space, kinds):
            raise ValueError(f"actions are {space}, which has no numbers to look at; use redistribution=uniform")
        self._first = np.zeros(0, np.int64)  # where each choice's columns begin
        if isinstance(space, spaces.Discrete | spaces.MultiDiscrete):
            choices = np.atleast_1d(space.n if isinstance(space, spaces.Discrete) else space.nvec).ravel()
            self._first = np.concatenate([[0], np.cumsum(choices)[:-1]]) - np.atleast_1d(space.start).ravel()
            self.width = int(choices.sum())
        else:
            self.width = spaces.flatdim(space)

    def __call__(self, actions: Array) -> npt.NDArray[np.float32]:
        """(n, width)"""
        rows = actions.reshape(len(actions), -1)
        if not len(self._first):
            return rows.astype(np.float32)
        features = np.zeros((len(rows), self.width), np.float32)
        np.put_along_axis(features, rows.astype(np.int64) + self._first, 1.0, axis=1)
        return features
