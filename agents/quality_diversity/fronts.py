"""Who is dominated by whom, and how crowded it is around those who are not.

Source: Deb et al. 2002, "A fast and elitist multiobjective genetic algorithm: NSGA-II".
"""

from __future__ import annotations

from bisect import bisect_right

import numpy as np

from agents.quality_diversity.novelty import FloatArray, IntArray


def pareto_fronts(objectives: FloatArray) -> IntArray:
    """The front of each, (n,), 0 the first: those that nobody left dominates.

    Who dominates is at least as good in every objective and better in one; equals share a front.

    >>> pareto_fronts(np.array([[2.0, 0.0], [0.0, 2.0], [0.0, 1.0]]))
    array([0, 0, 1])

    Args:
        objectives: (n, m), more is better; −inf is allowed.

    Raises:
        ValueError: no matrix, no objectives, or NaN.
    """
    values = _objectives(objectives)
    return _two(values) if values.shape[1] == 2 else _many(values)


def crowding_distance(objectives: FloatArray, fronts: IntArray | None = None) -> FloatArray:
    """How far apart the neighbours within the front are, (n,); infinite at a front's ends.

    Gaps are in units of the objective's range within the front, and summed; an objective that does
    not vary adds nothing.

    Args:
        objectives: (n, m).
        fronts: of each, (n,); None: all are one front.

    Raises:
        ValueError: as `pareto_fronts`.
    """
    values = _objectives(objectives)
    fronts = np.zeros(len(values), np.int64) if fronts is None else fronts
    distances = np.zeros(len(values))
    for front in np.unique(fronts):
        rows = np.flatnonzero(fronts == front)
        for column in values[rows].T:
            order = np.argsort(column, kind="stable")
            low, high = column[order[0]], column[order[-1]]
            if not high > low:
                continue
            distances[rows[order[[0, -1]]]] = np.inf
            if np.isfinite(high - low):
                distances[rows[order[1:-1]]] += (column[order[2:]] - column[order[:-2]]) / (high - low)
    return distances


def front_order(objectives: FloatArray) -> IntArray:
    """Rows, best first: by front, then the least crowded, then as they came, (n,)."""
    fronts = pareto_fronts(objectives)
    return np.lexsort((-crowding_distance(objectives, fronts), fronts))


def _objectives(objectives: FloatArray) -> FloatArray:
    values: FloatArray = np.asarray(objectives, np.float64)
    if values.ndim != 2 or values.shape[1] < 1 or np.isnan(values).any():
        raise ValueError(f"objectives of the shape {values.shape}: expected (individuals, objectives) without NaN")
    return values


def _two(values: FloatArray) -> IntArray:
    """Going down the first objective, a front is beaten where its best second one is."""
    fronts = np.zeros(len(values), np.int64)
    best: list[float] = []
    """−(the best second objective) of every front so far: growing."""
    before: tuple[float, float] | None = None
    front = 0
    for row in np.lexsort((-values[:, 1], -values[:, 0])):
        point = (float(values[row, 0]), float(values[row, 1]))
        if point != before:
            before = point
            front = bisect_right(best, -point[1])
            if front == len(best):
                best.append(-point[1])
            else:
                best[front] = -point[1]
        fronts[row] = front
    return fronts


def _many(values: FloatArray) -> IntArray:
    at_least = (values[:, None] >= values[None]).all(axis=2)
    dominates = np.asarray(at_least & (values[:, None] > values[None]).any(axis=2))
    beaten_by = dominates.sum(axis=0)
    fronts = np.full(len(values), -1, np.int64)
    front = 0
    while (fronts < 0).any():
        rows = np.flatnonzero((fronts < 0) & (beaten_by == 0))
        fronts[rows] = front
        beaten_by = beaten_by - dominates[rows].sum(axis=0)
        front += 1
    return fronts
