"""How much of a behaviour space was reached, and how evenly."""

from __future__ import annotations

import numpy as np

from agents.quality_diversity.novelty import FloatArray, IntArray
from foundation.checks import whole


def coverage(points: FloatArray, low: FloatArray, high: FloatArray, bins: int = 50) -> float:
    """The share of a grid's cells that hold a point, in [0, 1].

    Points beyond the grid count in the cell at its border; those with NaN not at all.

    >>> coverage(np.array([[0.1, 0.1], [0.9, 0.9]]), np.zeros(2), np.ones(2), bins=2)
    0.5

    Args:
        points: (n, d).
        low, high: of the grid, (d,).
        bins: cells along each dimension.

    Raises:
        ValueError: shapes that do not fit, or a grid that is empty.
    """
    cells = cells_of(points, low, high, bins)
    return len(np.unique(cells)) / float(bins) ** np.shape(points)[1]


def uniformity(points: FloatArray, low: FloatArray, high: FloatArray, bins: int = 50) -> float:
    """1 − the Jensen-Shannon distance between where the points lie and everywhere, in [0, 1].

    The distance is the root of the divergence in nats: 1 is an even spread.

    Args, Raises: as of `coverage`; also where there is no point.
    """
    cells = cells_of(points, low, high, bins)
    if not len(cells):
        raise ValueError("uniformity of no points: give at least one that is finite")
    total = bins ** np.shape(points)[1]
    counts = np.unique(cells, return_counts=True)[1]
    share, even = counts / counts.sum(), 1.0 / total
    middle = (share + even) / 2.0
    of_points = (share * np.log(share / middle)).sum()
    of_even = (even * np.log(even / middle)).sum() + (total - len(counts)) * even * np.log(2.0)
    return float(1.0 - np.sqrt(max(0.0, (of_points + of_even) / 2.0)))


def cells_of(points: FloatArray, low: FloatArray, high: FloatArray, bins: int = 50) -> IntArray:
    """The cell of each point that is finite, as one number: (n or fewer,).

    Args, Raises: as of `coverage`.
    """
    whole("bins", bins)
    points, low, high = (np.asarray(values, np.float64) for values in (points, low, high))
    if points.ndim != 2 or low.shape != (points.shape[1],) or high.shape != low.shape:
        raise ValueError(
            f"points of the shape {points.shape} in a grid from {low.shape} to {high.shape}: expected (n, d) and (d,)"
        )
    if not (high > low).all():
        raise ValueError(f"a grid from {low.tolist()} to {high.tolist()} is empty: high must be above low")
    points = points[np.isfinite(points).all(axis=1)]
    places = np.clip(np.floor((points - low) / (high - low) * bins), 0, bins - 1).astype(np.int64)
    cells: IntArray = places @ (bins ** np.arange(points.shape[1])[::-1])
    return cells
