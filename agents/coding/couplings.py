"""Joint distributions with given marginals and little entropy, in whole numbers.

Of all joints of a message and an action with the marginals p and q, the one of least entropy tells
most about the message by the action: I = H(p) + H(q) - H(joint).

Source: Kocaoglu et al. 2017, "Entropic Causal Inference" (greedy); Cicalese, Gargano & Vaccaro
2019, "Minimum-Entropy Couplings and Their Applications"; bounds by Compton et al. 2023.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit

from agents.coding.masses import TOTAL, FloatArray, IntArray, divided, entropy, entropy_of, hand_out

INDEX_BITS = 22
"""Of a key that holds a mass and an index: 40 + 22 bits are an int64 above 0."""
LAST = (1 << INDEX_BITS) - 1
FEW = 40
"""Up to so many keys are sorted where they are made; more go to numpy's sort."""


@dataclass(frozen=True, slots=True)
class Coupling:
    """A joint of whole numbers, of which only what is not zero is kept.

    Attributes:
        rows, columns: (k,) where the masses stand; no pair twice.
        masses: (k,), all above 0.
        shape: (rows, columns) of the whole.
    """

    rows: IntArray
    columns: IntArray
    masses: IntArray
    shape: tuple[int, int]

    def dense(self) -> IntArray:
        """All masses, (rows, columns)."""
        table = np.zeros(self.shape, np.int64)
        table[self.rows, self.columns] = self.masses
        return table

    def row(self, row: int) -> IntArray:
        """Masses of one row, (columns,)."""
        masses = np.zeros(self.shape[1], np.int64)
        at = self.rows == row
        masses[self.columns[at]] = self.masses[at]
        return masses

    def column(self, column: int) -> IntArray:
        """Masses of one column, (rows,)."""
        masses = np.zeros(self.shape[0], np.int64)
        at = self.columns == column
        masses[self.rows[at]] = self.masses[at]
        return masses

    def conditional(self, row: int) -> FloatArray:
        """P(column | row), (columns,).

        Raises:
            ValueError: the row has no mass.
        """
        return _shares(self.row(row), f"row {row}")

    def posterior(self, column: int) -> FloatArray:
        """P(row | column), (rows,).

        Raises:
            ValueError: the column has no mass.
        """
        return _shares(self.column(column), f"column {column}")

    def joint_entropy(self) -> float:
        """In bits."""
        return entropy(self.masses)

    def mutual_information(self) -> float:
        """What rows and columns tell of each other, in bits."""
        rows = np.bincount(self.rows, self.masses, self.shape[0]).astype(np.int64)
        columns = np.bincount(self.columns, self.masses, self.shape[1]).astype(np.int64)
        return max(0.0, entropy(rows) + entropy(columns) - self.joint_entropy())


def greedy_coupling(p: IntArray, q: IntArray) -> Coupling:
    """Pair the largest that is left of p with the largest that is left of q, until nothing is.

    Its entropy is within log2(e)/e = .531 bits of the least there is (Compton et al. 2023), and it
    has at most n + m - 1 entries. Among equals the lowest index goes first.

    >>> greedy_coupling(np.array([6, 2]), np.array([3, 4, 1])).dense()
    array([[2, 4, 0],
           [1, 0, 1]])

    Args:
        p: (n,) whole numbers, not below 0; n up to 2**22.
        q: (m,) with the same sum, up to 2**40.

    Raises:
        ValueError: marginals that are none, or differ in their sums.
    """
    p, q = _marginals(p, q)
    rows, columns, masses, done, of_p, of_q = _greedy(p, q)
    if not done:
        _must_agree(of_p, of_q)
        rows, columns, masses = _match(np.sort(_keys(p)[0]), np.sort(_keys(q)[0]))
    return Coupling(rows, columns, masses, (len(p), len(q)))


def greedy_coupling_of(marginals: Sequence[IntArray]) -> tuple[IntArray, IntArray]:
    """The greedy coupling of any number of marginals: the largest of each are paired.

    Within (1 + log2 e)/2 = 1.22 bits of the least entropy (Compton et al. 2023).

    Returns:
        (k, marginals) indices and (k,) masses.

    Raises:
        ValueError: no marginals, marginals that are none, or sums that differ.
    """
    if not marginals:
        raise ValueError("there are no marginals: give one row of whole numbers for each")
    rows = [_marginals(marginal, marginal)[0] for marginal in marginals]
    for row in rows:
        _must_agree(_keys(rows[0])[2], _keys(row)[2])
    heaps = [[(-int(mass), index) for index, mass in enumerate(row) if mass] for row in rows]
    for heap in heaps:
        heapq.heapify(heap)
    where, masses = [], []
    while heaps[0]:
        mass = min(-heap[0][0] for heap in heaps)
        where.append([heap[0][1] for heap in heaps])
        masses.append(mass)
        for heap in heaps:
            negative, index = heap[0]
            if negative + mass:
                heapq.heapreplace(heap, (negative + mass, index))
            else:
                heapq.heappop(heap)
    return np.array(where, np.int64).reshape(-1, len(rows)), np.array(masses, np.int64)


def independent_coupling(p: IntArray, q: IntArray) -> Coupling:
    """Rows that tell nothing of columns, as nearly as whole numbers with these sums can be.

    Raises:
        ValueError: as `greedy_coupling`.
    """
    p, q = _marginals(p, q)
    _must_agree(_keys(p)[2], _keys(q)[2])
    members, every = np.flatnonzero(p), np.arange(len(q))
    rows, columns, masses = share_out(members, p[members], every, q)
    return Coupling(rows, columns, masses, (len(p), len(q)))


def cicalese_coupling(p: IntArray, q: IntArray) -> Coupling:
    """The coupling of Cicalese, Gargano & Vaccaro (2019), algorithm 1: the published alternative.

    Its entropy is within 1 bit of `majorisation_bound`. An ablation of `greedy_coupling`.

    Raises:
        ValueError: as `greedy_coupling`.
    """
    p, q = _marginals(p, q)
    _must_agree(_keys(p)[2], _keys(q)[2])
    by_p, by_q = np.argsort(-p, kind="stable"), np.argsort(-q, kind="stable")
    n = max(len(p), len(q))
    descending_p, descending_q = np.zeros(n, np.int64), np.zeros(n, np.int64)
    descending_p[: len(p)], descending_q[: len(q)] = p[by_p], q[by_q]
    rows, columns, masses = _cicalese(descending_p, descending_q, meet(descending_p, descending_q))
    return Coupling(by_p[rows], by_q[columns], masses, (len(p), len(q)))


COUPLINGS: Mapping[str, Callable[[IntArray, IntArray], Coupling]] = {
    "greedy": greedy_coupling,
    "cicalese": cicalese_coupling,
    "independent": independent_coupling,
}


def majorisation_bound(p: IntArray, q: IntArray) -> float:
    """Bits that every joint of p and q has at least: the entropy of their meet in majorisation."""
    p, q = _marginals(p, q)
    n = max(len(p), len(q))
    padded = [np.concatenate([np.sort(row)[::-1], np.zeros(n - len(row), np.int64)]) for row in (p, q)]
    return float(entropy_of(meet(*padded)))


def meet(p: IntArray, q: IntArray) -> IntArray:
    """The greatest that both majorise, of two descending rows of one length."""
    return np.diff(np.minimum(np.cumsum(p), np.cumsum(q)), prepend=0)


def _marginals(p: IntArray, q: IntArray) -> tuple[IntArray, IntArray]:
    p, q = np.asarray(p), np.asarray(q)
    for name, row in (("p", p), ("q", q)):
        if row.ndim != 1 or not 0 < len(row) <= LAST or row.dtype.kind not in "iu":
            raise ValueError(
                f"{name} is {row.dtype} of shape {row.shape}; expected one row of 1 to {LAST} whole numbers. "
                "Probabilities go through masses_of; larger sets of messages are cut into blocks (FactoredBelief)"
            )
    return p.astype(np.int64, copy=False), q.astype(np.int64, copy=False)


def _must_agree(of_p: int, of_q: int) -> None:
    if of_p <= 0 or of_q <= 0:
        raise ValueError("a marginal has an entry below 0, nothing above 0, or a sum of more than 2**40")
    if of_p != of_q:
        raise ValueError(f"marginals sum to {of_p} and {of_q}: expected the same sum. Use normalised for both")


def _shares(masses: IntArray, name: str) -> FloatArray:
    total = masses.sum()
    if not total:
        raise ValueError(f"{name} has no mass: nothing is known given it")
    return masses / total


# Compiled ----------------------------------------------------------------------------------------


@njit(cache=True, nogil=True, error_model="numpy")
def _keys(row: Any) -> Any:
    """Masses above 0 with their indices in one number each, whether they ascend, and the sum.

    A larger key is a larger mass or, among equals, a lower index. The sum is -1 where the row is
    none.
    """
    n = len(row)
    keys = np.empty(n, np.int64)
    size, total, ascending = 0, 0, True
    for index in range(n - 1, -1, -1):  # so that equal masses ascend
        mass = row[index]
        if mass < 0 or mass > TOTAL:
            return keys[:0], True, -1
        if mass:
            keys[size] = (mass << INDEX_BITS) | (LAST - index)
            ascending = ascending and (size == 0 or keys[size] > keys[size - 1])
            size += 1
            total += mass
    if total > TOTAL:
        total = -1
    if not ascending and size <= FEW:
        for at in range(1, size):
            key, below = keys[at], at - 1
            while below >= 0 and keys[below] > key:
                keys[below + 1] = keys[below]
                below -= 1
            keys[below + 1] = key
        ascending = True
    return keys[:size], ascending, total


@njit(cache=True, nogil=True, error_model="numpy")
def _greedy(p: Any, q: Any) -> Any:
    """The greedy coupling, whether it was made, and the sums of p and q.

    It is not made where the marginals do not fit, or have many keys to sort.
    """
    ours, sorted_p, of_p = _keys(p)
    theirs, sorted_q, of_q = _keys(q)
    if sorted_p and sorted_q and of_p == of_q and of_p > 0:
        rows, columns, masses = _match(ours, theirs)
        return rows, columns, masses, True, of_p, of_q
    return ours[:0], ours[:0], ours[:0], False, of_p, of_q


@njit(cache=True, nogil=True, error_model="numpy")
def _match(ours: Any, theirs: Any) -> Any:
    """The greedy coupling of ascending keys.

    A side is what of its keys was not touched yet, from the end on, and a heap of what was left
    over of those that were; its largest is the larger of the two.
    """
    i, j = len(ours) - 1, len(theirs) - 1
    most = max(0, i + j + 1)
    rows, columns, masses = np.empty(most, np.int64), np.empty(most, np.int64), np.empty(most, np.int64)
    heap, other = np.empty(i + 2, np.int64), np.empty(j + 2, np.int64)
    size, other_size, count = 0, 0, 0
    while i >= 0 or size > 0:
        left_over = size > 0 and (i < 0 or heap[0] > ours[i])
        other_left_over = other_size > 0 and (j < 0 or other[0] > theirs[j])
        key = heap[0] if left_over else ours[i]
        other_key = other[0] if other_left_over else theirs[j]
        mass = min(key >> INDEX_BITS, other_key >> INDEX_BITS)
        rows[count], columns[count], masses[count] = LAST - (key & LAST), LAST - (other_key & LAST), mass
        count += 1
        key -= mass << INDEX_BITS
        other_key -= mass << INDEX_BITS
        size = _put_back(heap, size, key, left_over)
        other_size = _put_back(other, other_size, other_key, other_left_over)
        i -= 0 if left_over else 1
        j -= 0 if other_left_over else 1
    return rows[:count], columns[:count], masses[:count]


@njit(cache=True, nogil=True, error_model="numpy")
def _put_back(heap: Any, size: Any, key: Any, was_top: Any) -> Any:
    """What is left of a key goes (back) into the heap, if anything is; the heap's size."""
    rest = key > LAST
    if not was_top:
        if not rest:
            return size
        at = size
        while at > 0 and heap[(at - 1) >> 1] < key:
            heap[at] = heap[(at - 1) >> 1]
            at = (at - 1) >> 1
        heap[at] = key
        return size + 1
    if not rest:
        size -= 1
        key = heap[size]
    at, child = 0, 1
    while child < size:
        if child + 1 < size and heap[child + 1] > heap[child]:
            child += 1
        if heap[child] <= key:
            break
        heap[at] = heap[child]
        at, child = child, 2 * child + 1
    heap[at] = key
    return size


@njit(cache=True, nogil=True, error_model="numpy")
def share_out(members: Any, parts: Any, columns: Any, held: Any) -> Any:
    """Masses of columns among members, each in proportion, exact in both sums.

    One member after the other takes its part of what the columns still hold; what rounding leaves
    goes to the largest remainders. A share is at most what a column holds, so it always comes out.

    Args:
        members: (n,) their rows, with `parts` (n,) masses.
        columns: (m,) with `held` (m,), the same sum.

    Returns:
        Rows, columns and masses above 0.
    """
    n, m = len(members), len(columns)
    rows, at = np.empty(n * m, np.int64), np.empty(n * m, np.int64)
    masses = np.empty(n * m, np.int64)
    held = held.copy()
    whole, count = held.sum(), 0
    shares, remainders = np.empty(m, np.int64), np.empty(m, np.int64)
    for member in range(n):
        left = parts[member]
        for column in range(m):
            shares[column], remainders[column] = divided(parts[member], held[column], whole)
            left -= shares[column]
        hand_out(shares, remainders, left)
        whole -= parts[member]
        for column in range(m):
            held[column] -= shares[column]
            if shares[column]:
                rows[count], at[count], masses[count] = members[member], columns[column], shares[column]
                count += 1
    return rows[:count], at[:count], masses[:count]


@njit(cache=True, nogil=True, error_model="numpy")
def _cicalese(p: Any, q: Any, z: Any) -> Any:
    """The meet on the diagonal; from the last index on, what is too much goes one left or up.

    Entries in `pending` still move: of the current column (side 0) or row (side 1).
    """
    n = len(p)
    places = np.empty((2, 2 * n), np.int64)  # row 0: columns, row 1: rows, of every entry
    masses = np.empty(2 * n, np.int64)
    pending = np.empty((2, 2 * n), np.int64)
    sizes = np.zeros(2, np.int64)
    count = 0
    for index in range(n - 1, -1, -1):
        rest = z[index]
        over = -1
        for side in range(2):
            bound = q[index] if side == 0 else p[index]
            total = z[index]
            for k in range(sizes[side]):
                total += masses[pending[side, k]]
            if total <= bound:
                for k in range(sizes[side]):
                    places[side, pending[side, k]] = index
                sizes[side] = 0
            else:  # keep what fits of those that came, then of the diagonal
                over, kept, left = side, 0, 0
                for k in range(sizes[side]):
                    entry = pending[side, k]
                    if kept + masses[entry] <= bound:
                        kept += masses[entry]
                        places[side, entry] = index
                    else:
                        pending[side, left] = entry
                        left += 1
                sizes[side] = left
                rest = bound - kept
        if rest > 0:
            places[0, count], places[1, count], masses[count] = index, index, rest
            count += 1
        if over >= 0 and z[index] > rest:
            places[1 - over, count], masses[count] = index, z[index] - rest
            pending[over, sizes[over]] = count
            sizes[over] += 1
            count += 1
    return places[1, :count], places[0, :count], masses[:count]
