"""How far behaviours lie from those that are known, and whom of their neighbours they beat.

Source: Lehman & Stanley 2011, "Abandoning Objectives" (novelty) and "Evolving a Diversity of
Virtual Creatures" (local competition).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from foundation.checks import whole

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.integer[Any]]
TREE_DIMENSIONS = 10
"""Up to so many a k-d tree is faster than all distances (measured)."""
BLOCK = 2_000_000
"""Numbers that are held at once."""


def novelty_scores(queries: FloatArray, reference: FloatArray, k: int = 15, exclude_self: bool = True) -> FloatArray:
    """Mean Euclidean distance to the k nearest of the reference, (n,).

    Where there are fewer than k, the mean is over those there are; 0 where there is nobody.

    >>> novelty_scores(np.array([[0.0]]), np.array([[0.0], [1.0], [3.0]]), k=2)
    array([2.])

    Args:
        queries: behaviours, (n, d).
        reference: known ones, (m, d).
        k: neighbours.
        exclude_self: every query is in the reference too: its nearest, itself, is left out.

    Raises:
        ValueError: shapes that do not fit, NaN or infinity, or k below 1.
    """
    return NearestNeighbours(reference).novelty(queries, k, exclude_self)


def local_competition(
    queries: FloatArray,
    query_rewards: FloatArray,
    reference: FloatArray,
    rewards: FloatArray,
    k: int = 15,
    exclude_self: bool = True,
) -> FloatArray:
    """How many of its k nearest neighbours each query outdoes in reward, (n,).

    Args:
        queries, query_rewards: behaviours, (n, d), and what they were paid, (n,).
        reference, rewards: the same of those that are known, (m, d) and (m,).
        k, exclude_self: as in `novelty_scores`.

    Raises:
        ValueError: as there.
    """
    return NearestNeighbours(reference).outdone(queries, query_rewards, rewards, k, exclude_self)


class NearestNeighbours:
    """A reference to be asked several times: a tree in few dimensions, all distances in many.

    Args:
        reference: behaviours, (m, d).

    Raises:
        ValueError: no matrix, or NaN or infinity in it.
    """

    def __init__(self, reference: FloatArray) -> None:
        self.reference: FloatArray = _behaviours("reference", reference)
        few = 0 < self.reference.shape[1] <= TREE_DIMENSIONS and len(self.reference) > 0
        self._tree = cKDTree(self.reference) if few else None

    def novelty(self, queries: FloatArray, k: int = 15, exclude_self: bool = True) -> FloatArray:
        """`novelty_scores` against this reference."""
        distances, _ = self.query(queries, k, exclude_self)
        if distances.shape[1] == 0:
            return np.zeros(len(distances))
        scores: FloatArray = distances.mean(axis=1)
        return scores

    def outdone(
        self,
        queries: FloatArray,
        query_rewards: FloatArray,
        rewards: FloatArray,
        k: int = 15,
        exclude_self: bool = True,
    ) -> FloatArray:
        """`local_competition` against this reference."""
        _, nearest = self.query(queries, k, exclude_self)
        beaten: FloatArray = (np.asarray(rewards)[nearest] < np.asarray(query_rewards)[:, None]).sum(axis=1)
        return beaten.astype(np.float64)

    def query(self, queries: FloatArray, k: int = 15, exclude_self: bool = True) -> tuple[FloatArray, IntArray]:
        """Distances to the nearest, nearest first, and their rows, both (n, up to k)."""
        whole("k", k)
        queries = _behaviours("queries", queries)
        if queries.shape[1] != self.reference.shape[1]:
            raise ValueError(
                f"queries have {queries.shape[1]} numbers each and the reference {self.reference.shape[1]}: "
                "both must be descriptors of the same kind"
            )
        first = int(exclude_self)
        most = min(k + first, len(self.reference))
        if most <= first or not len(queries):
            return np.zeros((len(queries), 0)), np.zeros((len(queries), 0), np.int64)
        if self._tree is not None:
            distances, rows = self._tree.query(queries, k=np.arange(first + 1, most + 1))
            return distances, rows
        parts = [self._nearest(block, most) for block in self._blocks(queries, most)]
        distances = np.concatenate([part[0] for part in parts])[:, first:]
        return distances, np.concatenate([part[1] for part in parts])[:, first:]

    def _blocks(self, queries: FloatArray, most: int) -> Iterator[FloatArray]:
        """As many at once as `BLOCK` allows, of distances and of neighbours' coordinates."""
        size = max(1, BLOCK // max(len(self.reference), most * self.reference.shape[1]))
        for start in range(0, len(queries), size):
            yield queries[start : start + size]

    def _nearest(self, queries: FloatArray, most: int) -> tuple[FloatArray, IntArray]:
        """Those of smallest |q|² − 2qr + |r|², whose distances are then taken exactly."""
        reference = self.reference
        squares = np.einsum("md,md->m", reference, reference)
        rough = squares[None] - 2.0 * queries @ reference.T
        rows = np.argpartition(rough, most - 1, axis=1)[:, :most]
        exact = np.sqrt(np.square(reference[rows] - queries[:, None]).sum(axis=2))
        order = np.argsort(exact, axis=1, kind="stable")
        return np.take_along_axis(exact, order, axis=1), np.take_along_axis(rows, order, axis=1)


def _behaviours(name: str, values: FloatArray) -> FloatArray:
    array: FloatArray = np.asarray(values, np.float64)
    if array.ndim != 2:
        raise ValueError(f"{name} has the shape {array.shape}: expected (individuals, descriptor)")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds NaN or infinity: leave failed individuals out")
    return array
