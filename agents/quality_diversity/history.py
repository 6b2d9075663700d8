"""What was evaluated, one row an evaluation: for coverage, pictures and tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from agents.quality_diversity.coverage import cells_of, uniformity
from agents.quality_diversity.evaluations import Evaluations
from agents.quality_diversity.searches import Extent

Array = npt.NDArray[Any]
COLUMNS = {"rewards": np.float32, "truths": np.float32, "areas": np.int16, "purposes": np.uint8}
PURPOSES = 256


class History:
    """Grows by doubling; 15 bytes an evaluation.

    Args:
        extent: of the grid of coverage; None: no coverage is told.
        bins: of the grid, along each side.
    """

    def __init__(self, extent: Extent | None, bins: int) -> None:
        self.extent, self.bins = extent, bins
        self.count = 0
        self.purposes: list[str] = []
        """Names of what evaluations were for, in the order in which they came."""
        self._columns: dict[str, Array] = {
            name: np.zeros((1024, 2) if name == "truths" else 1024, kind) for name, kind in COLUMNS.items()
        }
        self._reached: npt.NDArray[np.bool_] = np.zeros(bins * bins, np.bool_)

    def column(self, name: str) -> Array:
        """The rows there are of one column."""
        return self._columns[name][: self.count]

    def add(self, evaluations: Evaluations, purpose: str) -> None:
        """One row for each; failed ones, too, with NaN for a truth and −inf for a reward."""
        n = len(evaluations)
        while self.count + n > len(self._columns["rewards"]):
            self._columns = {name: np.concatenate([rows, np.zeros_like(rows)]) for name, rows in self._columns.items()}
        if purpose not in self.purposes:
            self.purposes.append(purpose)
        new = slice(self.count, self.count + n)
        truths = np.where(evaluations.failed[:, None], np.nan, evaluations.truths)
        values = {
            "rewards": evaluations.rewards,
            "truths": truths,
            "areas": evaluations.areas,
            "purposes": self.purposes.index(purpose),
        }
        for name, rows in values.items():
            self._columns[name][new] = rows
        self.count += n
        if self.extent is not None:
            self._reached[cells_of(truths, *self._bounds(), self.bins)] = True

    @property
    def coverage(self) -> float:
        """The share of cells in which an evaluation ended."""
        return float(self._reached.mean())

    @property
    def uniformity(self) -> float:
        """See `uniformity`; of all evaluations."""
        return uniformity(self.column("truths").astype(np.float64), *self._bounds(), self.bins)

    def _bounds(self) -> tuple[Array, Array]:
        low, high = np.array(self.extent, np.float64).T
        return low, high

    def state_dict(self) -> dict[str, Any]:
        """Columns, names and the grid."""
        columns = {name: self.column(name).copy() for name in COLUMNS}
        return {"columns": columns, "purposes": list(self.purposes), "extent": self.extent, "bins": self.bins}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave."""
        self._columns = {name: np.array(rows) for name, rows in state["columns"].items()}
        self.count, self.purposes = len(self._columns["rewards"]), list(state["purposes"])
        for name, rows in self._columns.items():
            if not len(rows):
                self._columns[name] = np.zeros((1024, 2) if name == "truths" else 1024, COLUMNS[name])
        if self.extent is not None and self.count:
            self._reached[cells_of(self.column("truths").astype(np.float64), *self._bounds(), self.bins)] = True
