"""What was evaluated, one row an evaluation: for coverage, pictures and tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from agents.quality_diversity.coverage import cells_of
from agents.quality_diversity.evaluations import Evaluations
from agents.quality_diversity.members import Elites
from agents.quality_diversity.novelty import FloatArray, IntArray
from agents.quality_diversity.searches import Extent

Array = npt.NDArray[Any]
COLUMNS = {
    "rewards": np.float32,
    "truths": np.float32,
    "middles": np.float32,
    "areas": np.int16,
    "purposes": np.uint8,
    "parents": np.int32,
}
PLACES = ("truths", "middles")
"""Where an episode ended, and where it was at its half time: two numbers each."""


class History:
    """Grows by doubling; 27 bytes an evaluation. Rows are in the order of ids.

    Args:
        extent: of the grid of coverage; None: no coverage is told.
        downward: the second number of a place grows downward, for pictures.
        bins: of the grid, along each side.
    """

    def __init__(self, extent: Extent | None, bins: int, *, downward: bool = False) -> None:
        self.extent, self.bins, self.downward = extent, bins, downward
        self.count = 0
        self.purposes: list[str] = []
        """Names of what evaluations were for, in the order in which they came."""
        self._columns: dict[str, Array] = {
            name: np.zeros((1024, 2) if name in PLACES else 1024, kind) for name, kind in COLUMNS.items()
        }
        self._reached = {place: np.zeros(bins * bins, np.bool_) for place in PLACES}

    def column(self, name: str) -> Array:
        """The rows there are of one column."""
        return self._columns[name][: self.count]

    def add(self, evaluations: Evaluations, middles: FloatArray, purpose: str, parents: IntArray) -> None:
        """One row for each; failed ones, too, with NaN for places and −inf for a reward.

        Args:
            evaluations: of a round.
            middles: where each was at half time, (n, 2).
            purpose: what they were for.
            parents: ids of whom they are mutations of, (n,); −1: of nobody.
        """
        n = len(evaluations)
        if self.count + n > len(self._columns["rewards"]):
            more = max(n, self.count)
            self._columns = {
                name: np.concatenate([rows, np.zeros((more, *rows.shape[1:]), rows.dtype)])
                for name, rows in self._columns.items()
            }
        if purpose not in self.purposes:
            self.purposes.append(purpose)
        new = slice(self.count, self.count + n)
        truths, middles = (
            np.where(evaluations.failed[:, None], np.nan, places) for places in (evaluations.truths, middles)
        )
        values = {
            "rewards": evaluations.rewards,
            "truths": truths,
            "middles": middles,
            "areas": evaluations.areas,
            "purposes": self.purposes.index(purpose),
            "parents": parents,
        }
        for name, rows in values.items():
            self._columns[name][new] = rows
        self.count += n
        self._reach(new)

    def _reach(self, rows: slice) -> None:
        """Mark the cells of these rows."""
        if self.extent is not None:
            for place, reached in self._reached.items():
                points = self._columns[place][rows].astype(np.float64)
                reached[cells_of(points, *self._bounds(), self.bins)] = True

    @property
    def coverage(self) -> float:
        """The share of cells in which an evaluation ended."""
        return float(self._reached["truths"].mean())

    @property
    def coverage_at_half_time(self) -> float:
        """The share of cells in which one was at half time."""
        return float(self._reached["middles"].mean())

    def _bounds(self) -> tuple[Array, Array]:
        low, high = np.array(self.extent, np.float64).T
        return low, high

    def save(self, path: Path, elites: Elites) -> None:
        """Write an .npz of the columns, and of what the search keeps, for pictures and a resume.

        Args:
            path: of the file.
            elites: see `Elites`.
        """
        arrays: dict[str, Any] = {name: self.column(name) for name in COLUMNS}
        arrays |= {f"elites/{name}": rows for name, rows in elites._asdict().items()}
        arrays["extent"] = np.zeros((0, 2)) if self.extent is None else np.array(self.extent, np.float64)
        arrays["downward"] = np.array(self.downward)
        arrays["names"] = np.array(self.purposes, dtype=np.str_)
        np.savez_compressed(path, **arrays)

    def load(self, path: Path) -> None:
        """Take over the columns that `save` wrote."""
        with np.load(path, allow_pickle=False) as saved:
            self.count = len(saved["rewards"])
            unknown = {"parents": np.full(self.count, -1)}  # to files that are older than the column
            known = {name: saved[name] if name in saved else unknown[name] for name in COLUMNS}
            self._columns = {name: np.array(known[name], kind) for name, kind in COLUMNS.items()}
            self.purposes = [str(name) for name in saved["names"]]
        self._reach(slice(0, self.count))
