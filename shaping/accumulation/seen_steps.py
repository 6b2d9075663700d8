"""The features of steps whose episodes may still be running."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Features = npt.NDArray[np.float32]

MOST_STEPS = 8192  # vector steps; a longer episode is not attributed


class SeenSteps:
    """A row (n_envs, width) for each vector step without a gap, at most the newest 8192."""

    def __init__(self) -> None:
        self._rows: list[Features] = []
        self._first = 0  # number of the oldest

    def add(self, step: int, row: Features) -> None:
        """The row of a step; where it is not the next one, what was there is forgotten."""
        if step != self._first + len(self._rows):
            self._rows, self._first = [], step
        self._rows.append(row)
        if len(self._rows) > MOST_STEPS:
            self.forget(self._first + 1)

    def forget(self, before: int) -> None:
        """Forget the steps before this one."""
        gone = min(max(before - self._first, 0), len(self._rows))
        del self._rows[:gone]
        self._first += gone

    def episode(self, env: int, start: int, length: int) -> Features | None:
        """One environment's rows (length, width) from a step on; None where some are not there."""
        index = start - self._first
        if index < 0 or index + length > len(self._rows) or not length:
            return None
        return np.stack([row[env] for row in self._rows[index : index + length]])
