"""Codes between a message and an action, of an entropy that is bounded.

A sender that may tell at most R bits a step has the coupling see a code T of the message instead of
the message: H(T) <= R. The encoder keeps as much of the message as fits, a coupling does the rest.

Source: Ebrahimi, Chen & Khisti 2024, "Minimum Entropy Coupling with Bottleneck": algorithm 1
(greedy encoder), theorem 3 (encoders near a deterministic one).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numba import njit

from agents.coding.couplings import Coupling, greedy_coupling, share_out
from agents.coding.masses import IntArray, entropy, entropy_of, log2_of
from foundation.checks import number

SLACK = 1e-9
"""Bits by which an entropy may exceed a rate: rounding, no more."""


@dataclass(frozen=True)
class Encoding:
    """A code for each message; of one message a part may have another.

    Attributes:
        codes: (messages,) from 0; -1 for messages without mass.
        n_codes: how many there are.
        moved: (message, code, mass): so much of this message's mass has that code instead
            (theorem 3); None where every message has one code.
    """

    codes: IntArray
    n_codes: int
    moved: tuple[int, int, int] | None = None

    def masses(self, of_messages: IntArray) -> IntArray:
        """Masses of the codes, (codes,), given those of the messages."""
        known = self.codes >= 0
        masses = np.zeros(self.n_codes, np.int64)
        np.add.at(masses, self.codes[known], of_messages[known])
        if self.moved:
            message, code, mass = self.moved
            masses[self.codes[message]] -= mass
            masses[code] += mass
        return masses

    def information(self, of_messages: IntArray) -> float:
        """I(message; code) in bits."""
        told = entropy(self.masses(of_messages))
        if self.moved:
            message, _, mass = self.moved
            whole = int(of_messages[message])
            told -= whole / float(of_messages.sum()) * entropy([mass, whole - mass])
        return max(0.0, told)


def ebim(masses: IntArray, rate: float, refine: bool = False) -> Encoding:
    """The greedy deterministic encoder: a code of at most `rate` bits that keeps much of a message.

    Merges the two least likely codes where that is enough, or else the two most likely, until the
    entropy fits. Merging the most likely makes a prefix of the descending masses, so that the
    entropy after every such step is a sum of what is known: one pass.

    Args:
        masses: (messages,) whole numbers.
        rate: bits, not below 0.
        refine: what the rate still allows is used up by `refine`; see there.

    Raises:
        ValueError: a rate below 0.
    """
    number("rate", rate, least=0)
    order = np.argsort(-masses, kind="stable")
    codes, n_codes = _ebim(masses, order, float(rate) + SLACK)
    encoding = Encoding(codes, n_codes)
    return refined(masses, encoding, rate) if refine else encoding


def refined(masses: IntArray, encoding: Encoding, rate: float) -> Encoding:
    """A deterministic encoder brought to `rate` bits by moving mass of one cell (theorem 3).

    Below the rate, a part of the message that is the smallest share of its code gets a new code.
    Above it, a part of the least likely message of the least likely code gets the most likely code.

    A message that has no room to move, as in codes of one message each, leaves all as it is.
    """
    number("rate", rate, least=0)
    of_codes = encoding.masses(masses)
    now = entropy(of_codes)
    if now < rate - SLACK:
        known = encoding.codes >= 0
        shares = np.full(len(masses), np.inf)
        shares[known] = masses[known] / of_codes[encoding.codes[known]]
        message = int(shares.argmin())
        code = int(encoding.codes[message])
        if masses[message] == of_codes[code]:
            return encoding
        most = int(min(masses[message], of_codes[code] // 2))
        moved = _part(np.append(of_codes, 0), code, encoding.n_codes, most, rate + SLACK, True)
        if not moved:
            return encoding
        return replace(encoding, n_codes=encoding.n_codes + 1, moved=(message, encoding.n_codes, moved))
    if now > rate + SLACK:
        least = int(of_codes.argmin())
        largest = int(np.where(np.arange(len(of_codes)) == least, -1, of_codes).argmax())
        members = np.flatnonzero(encoding.codes == least)
        message = int(members[masses[members].argmin()])
        moved = _part(of_codes, least, largest, int(masses[message]), rate + SLACK, False)
        return replace(encoding, moved=(message, largest, moved))
    return encoding


def uniform_quantiser(masses: IntArray, rate: float) -> Encoding:
    """⌊2**rate⌋ bins of messages side by side, whatever their masses: the baseline.

    Raises:
        ValueError: a rate below 0.
    """
    number("rate", rate, least=0)
    n = len(masses)
    bins = max(1, min(n, int(np.floor(2.0 ** min(rate, 40.0) + SLACK))))
    codes = np.where(masses > 0, np.arange(n) // -(-n // bins), -1)
    used, codes[codes >= 0] = np.unique(codes[codes >= 0], return_inverse=True)
    return Encoding(codes, len(used))


def ebim_or_refined(masses: IntArray, rate: float) -> Encoding:
    """`ebim`, and theorem 3 where it tells nothing: two equals cannot be told in under a bit."""
    encoding = ebim(masses, rate)
    return refined(masses, encoding, rate) if dead_end(masses, encoding) else encoding


def dead_end(masses: IntArray, encoding: Encoding) -> bool:
    """Whether something is left to tell and the code tells nothing of it."""
    return encoding.n_codes == 1 and int(np.count_nonzero(masses)) > 1


ENCODERS: Mapping[str, Callable[[IntArray, float], Encoding]] = {
    "ebim": ebim_or_refined,
    "ebim_deterministic": ebim,
    "quantiser": uniform_quantiser,
}


def bottlenecked_coupling(
    belief: IntArray,
    policy: IntArray,
    rate: float,
    encoder: Callable[[IntArray, float], Encoding] = ebim_or_refined,
    coupling: Callable[[IntArray, IntArray], Coupling] = greedy_coupling,
) -> Coupling:
    """The joint of messages and actions that goes through a code; marginals exact to the unit.

    Codes are coupled with actions. What a code shares with an action is then shared among its
    messages in proportion to their masses, one message after the other (`share_out`): that is
    p(m, t) ν(t, a) / p(t) to within about a unit of 2**-40.

    Args:
        belief: (messages,) masses.
        policy: (actions,) masses with the same sum.
        rate: bits of the code.
        encoder: of `ENCODERS`.
        coupling: of `couplings.COUPLINGS`.
    """
    return through(encoder(belief, rate), belief, policy, coupling)


def through(
    encoding: Encoding,
    belief: IntArray,
    policy: IntArray,
    coupling: Callable[[IntArray, IntArray], Coupling] = greedy_coupling,
) -> Coupling:
    """`bottlenecked_coupling` with a code that is already made."""
    if encoding.moved is None and encoding.n_codes == np.count_nonzero(belief):
        return coupling(belief, policy)  # every message has its own code: nothing is in the way
    shape = (len(belief), len(policy))
    table = coupling(encoding.masses(belief), policy).dense()
    members = np.argsort(encoding.codes, kind="stable")
    members = members[encoding.codes[members] >= 0]
    parts, ends = belief[members], np.cumsum(np.bincount(encoding.codes[members], minlength=encoding.n_codes))
    moved = np.array(encoding.moved or (-1, -1, 0), np.int64)
    rows, columns, masses = _through(table, members, parts, ends, moved)
    if encoding.moved:  # its message may stand with one action by two codes
        return _merged(rows, columns, masses, shape)
    return Coupling(rows, columns, masses, shape)


def _merged(rows: IntArray, columns: IntArray, masses: IntArray, shape: tuple[int, int]) -> Coupling:
    places, where = np.unique(rows * shape[1] + columns, return_inverse=True)
    sums = np.zeros(len(places), np.int64)
    np.add.at(sums, where, masses)
    return Coupling(places // shape[1], places % shape[1], sums, shape)


# Compiled ----------------------------------------------------------------------------------------


@njit(cache=True, nogil=True, error_model="numpy")
def _through(table: Any, members: Any, parts: Any, ends: Any, moved: Any) -> Any:
    """Rows, columns and masses of messages and actions; see `through`."""
    n, actions = len(members), table.shape[1]
    most = (n + 1) * actions
    rows, columns, masses = np.empty(most, np.int64), np.empty(most, np.int64), np.empty(most, np.int64)
    count, start = 0, 0
    ids, amounts = np.empty(n + 1, np.int64), np.empty(n + 1, np.int64)
    for code in range(len(ends)):
        size = 0
        for at in range(start, ends[code]):
            ids[size], amounts[size] = members[at], parts[at]
            if members[at] == moved[0]:
                amounts[size] -= moved[2]
            size += 1 if amounts[size] else 0
        start = ends[code]
        if code == moved[1] and moved[2]:
            ids[size], amounts[size] = moved[0], moved[2]
            size += 1
        where = np.flatnonzero(table[code])
        if size == 1 or len(where) == 1:
            for k in range(size):
                for column in where:
                    share = table[code, column] if size == 1 else amounts[k]
                    rows[count], columns[count], masses[count] = ids[k], column, share
                    count += 1
            continue
        told, at, shared = share_out(ids[:size], amounts[:size], where, table[code][where])
        for k in range(len(told)):
            rows[count], columns[count], masses[count] = told[k], at[k], shared[k]
            count += 1
    return rows[:count], columns[:count], masses[:count]


@njit(cache=True, nogil=True, error_model="numpy")
def _ebim(masses: Any, order: Any, rate: Any) -> Any:
    """Codes and their number; `order` is descending. H = log2 S - Σ m log2 m / S of the codes."""
    codes = np.full(len(masses), -1, np.int64)
    n = 0
    while n < len(order) and masses[order[n]] > 0:
        n += 1
    weighed, left, total = np.empty(n + 1, np.float64), 0.0, 0
    for k in range(n):
        mass = masses[order[k]]
        if k and mass == masses[order[k - 1]]:
            weighed[k] = weighed[k - 1]
        else:
            weighed[k] = mass * log2_of(mass)
        total += mass
        left += weighed[k]
    bits = log2_of(total)
    prefix, merges = n, False  # how many of the most likely are one code; whether the last two are
    if entropy_of(masses) <= rate:
        prefix = 1
    else:
        head, head_weighed = masses[order[0]], weighed[0]
        left -= weighed[0]
        for k in range(1, n):
            if k < n - 1:
                pair = masses[order[n - 2]] + masses[order[n - 1]]
                gained = pair * log2_of(pair) - weighed[n - 2] - weighed[n - 1]
                if bits - (head_weighed + left + gained) / total <= rate:
                    prefix, merges = k, True
                    break
            head += masses[order[k]]
            head_weighed = head * log2_of(head)
            left -= weighed[k]
            if bits - (head_weighed + left) / total <= rate:
                prefix = k + 1
                break
    for k in range(n):
        codes[order[k]] = max(0, k - prefix + 1)
    n_codes = n - prefix + 1
    if merges:
        codes[order[n - 1]] -= 1
        n_codes -= 1
    return codes, n_codes


@njit(cache=True, nogil=True, error_model="numpy")
def _part(masses: Any, source: Any, target: Any, most: Any, rate: Any, largest: Any) -> Any:
    """How much of `source` to move to `target` for an entropy up to `rate`, by halving.

    The largest such part where moving adds entropy, else the smallest; at most `most`.
    """
    low, high = 0, most + 1  # of the largest: low fits, high does not
    if not largest:
        low, high = -1, most  # of the smallest: low does not fit; high is the best there is
    moved = masses.copy()
    while high - low > 1:
        part = (low + high) >> 1
        moved[source], moved[target] = masses[source] - part, masses[target] + part
        fits = entropy_of(moved) <= rate
        if largest == fits:
            low = part
        else:
            high = part
    return low if largest else high
