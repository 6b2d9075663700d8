"""A grid of behaviours that holds the best of every cell.

Source: Mouret & Clune 2015, "Illuminating search spaces by mapping elites".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from agents.quality_diversity.coverage import cells_of
from agents.quality_diversity.members import NAMES, Archive, Members
from agents.quality_diversity.novelty import FloatArray, IntArray
from foundation.checks import whole

LARGEST = 1_000_000
"""Cells of a grid."""
REFUSED, BETTER, NEW = 0, 1, 2


class GridArchive:
    """One individual a cell.

    Args:
        template: members of no rows: the widths.
        low, high: of the descriptors, (d,).
        bins: along each dimension.
        ties: whoever is as good as a cell's holder takes its place, which lets plateaus drift.

    Raises:
        ValueError: bounds that do not fit the descriptors, or more cells than `LARGEST`.
    """

    def __init__(self, template: Members, low: FloatArray, high: FloatArray, bins: int = 50, ties: bool = True) -> None:
        whole("bins", bins)
        self.low: FloatArray = np.asarray(low, np.float64)
        self.high: FloatArray = np.asarray(high, np.float64)
        dimensions = template.descriptors.shape[1]
        if self.low.shape != (dimensions,) or self.high.shape != (dimensions,):
            raise ValueError(
                f"a grid from {self.low.tolist()} to {self.high.tolist()} for descriptors of {dimensions} numbers: "
                "give a lower and an upper bound for each"
            )
        if not (self.high > self.low).all():
            raise ValueError(
                f"a grid from {self.low.tolist()} to {self.high.tolist()} is empty: high must be above low"
            )
        if bins**dimensions > LARGEST:
            raise ValueError(
                f"bins={bins} in {dimensions} dimensions are {bins**dimensions} cells, more than {LARGEST}: "
                "give fewer bins or a descriptor of fewer numbers"
            )
        self.bins, self.ties = bins, ties
        self.rows: IntArray = np.full(bins**dimensions, -1, np.int64)
        """The row of each cell's holder, −1: nobody."""
        self.holders = Archive(template)
        self.clipped = 0
        """Descriptors that lay beyond the grid and were counted in the cell at its border."""

    def __len__(self) -> int:
        return len(self.holders)

    @property
    def members(self) -> Members:
        """The holders, in the order in which their cells were reached."""
        return self.holders.members

    def add(self, members: Members) -> IntArray:
        """Put these in, as if one after the other; of each, by what was there before: (n,).

        Returns:
            `NEW`: its cell was empty, `BETTER`: it is better than the holder (or, with `ties`, as
            good), `REFUSED`. Of several for a cell only the best stays: among equals the last or,
            without `ties`, the first.
        """
        n = len(members)
        descriptors = members.descriptors
        self.clipped += int(((descriptors < self.low) | (descriptors > self.high)).any(axis=1).sum())
        cells = cells_of(descriptors, self.low, self.high, self.bins)
        rows = self.rows[cells]
        held = np.full(n, -np.inf)
        held[rows >= 0] = self.members.rewards[rows[rows >= 0]]
        better = members.rewards >= held if self.ties else members.rewards > held
        status = np.where(rows < 0, NEW, np.where(better, BETTER, REFUSED))
        position = np.arange(n) if self.ties else -np.arange(n)
        order = np.lexsort((position, members.rewards, cells))
        last = np.append(cells[order][1:] != cells[order][:-1], True) if n else np.zeros(0, bool)
        winners = np.sort(order[last])
        winners = winners[status[winners] != REFUSED]
        kept = self.members
        for row in winners[rows[winners] >= 0]:
            for name in NAMES:
                getattr(kept, name)[rows[row]] = getattr(members, name)[row]
        fresh = winners[rows[winners] < 0]
        self.rows[cells[fresh]] = len(self.holders) + np.arange(len(fresh))
        self.holders.add(members.rows(fresh))
        return status

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self.rows.copy(), "holders": self.holders.state_dict(), "clipped": self.clipped}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.rows = np.array(state["rows"])
        self.holders.load_state_dict(state["holders"])
        self.clipped = state["clipped"]
