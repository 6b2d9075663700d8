"""Equal rows are encoded once.

A batch of a text game says the same thing many times: of 256 rows of a rollout some 115 windows
and 15 inventories are distinct. Their codes are computed once and gathered; the gradients of equal
rows are summed on the way back. Values are those of the plain pass, gradients up to rounding.

While an agent acts, its weights stand still from one update to the next: a code that was computed
in this rollout is looked up.
"""

from __future__ import annotations

import contextlib
import logging
from typing import Any

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_post_hook

from agents.features.passes import EntryPass, entry_pass
from agents.features.patches import TooManyPatches

Rows = NDArray[Any]
"""(n, words) unsigned integers, contiguous: an entry's rows, whatever they mean."""
IntArray = NDArray[np.int64]

WORTH = 0.75  # share of rows that are distinct up to which it pays: finding them costs a few microseconds a row
REMEMBERED = 4_096  # codes that are kept while acting

_log = logging.getLogger(__name__)


class RowTable:
    """Numbers distinct rows from 0 on, in the order in which they come.

    Open addressing over a 64-bit hash; rows of one hash are compared, so that no two different ones
    ever share a number.

    Args:
        capacity: of different rows.
        words: numbers in a row.
        kind: their type, an unsigned integer.
    """

    def __init__(self, capacity: int, words: int, kind: np.dtype[Any]) -> None:
        self.rows: Rows = np.empty((capacity, words), kind)
        """The rows by their numbers; `len(self)` of them are there."""
        self._slots = np.full(1 << (2 * capacity - 1).bit_length(), -1, np.int32)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def clear(self) -> None:
        """Forget every row."""
        self._slots.fill(-1)
        self._count = 0

    def number(self, rows: Rows) -> IntArray:
        """The numbers (n,) of these rows; new ones are added, up to `capacity` in all."""
        numbers = np.empty(len(rows), np.int64)
        self._count = _number(rows, self.rows, self._slots, self._count, numbers)
        return numbers


@njit(cache=True, nogil=True)
def _number(rows: Any, known: Any, slots: Any, count: int, numbers: Any) -> int:
    n, words = rows.shape
    last = np.uint64(len(slots) - 1)
    for row in range(n):
        mixed = np.uint64(14695981039346656037)  # FNV-1a over words
        for word in range(words):
            mixed = (mixed ^ np.uint64(rows[row, word])) * np.uint64(1099511628211)
        slot = (mixed ^ (mixed >> np.uint64(32))) & last
        while True:
            candidate = slots[slot]
            if candidate < 0:
                slots[slot] = count
                for word in range(words):
                    known[count, word] = rows[row, word]
                numbers[row] = count
                count += 1
                break
            same = True
            for word in range(words):
                if known[candidate, word] != rows[row, word]:
                    same = False
                    break
            if same:
                numbers[row] = candidate
                break
            slot = (slot + np.uint64(1)) & last
    return count


class Distinct:
    """What repeats in one entry of the observations, in batches and from step to step.

    Every batch is judged by itself, by counting and not by the clock: a run repeats itself, and one
    that was interrupted goes on as it would have.

    Args:
        name: of the entry, for the log.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._said = False
        self._memory: _Memory | None = None

    def reduce(self, entry: Tensor) -> tuple[Tensor, Tensor | None]:
        """The distinct rows of a batch, and which of them every row (n,) is.

        The second is None, and the first the whole batch, where it is not worth it; the log says so
        the first time.
        """
        if not _is_readable(entry):
            return entry, None
        rows = as_words(entry)
        table = RowTable(len(rows), rows.shape[1], rows.dtype)
        numbers = table.number(rows)
        if len(table) > WORTH * len(rows):
            if not self._said:
                _log.info("%d of %d rows of %s are distinct: all are encoded", len(table), len(rows), self._name)
            self._said = True
            return entry, None
        return entry[torch.from_numpy(_first(numbers, len(table)))], torch.from_numpy(numbers)

    def recall(self, encoder: nn.Module, entry: Tensor) -> Tensor:
        """Codes (n, features) to act on; those that these weights have made before are looked up.

        Weights may have changed where any optimiser took a step, or a tensor of the encoder was
        written to in place, as `load_state_dict` does. What goes past both (``parameter.data``, as
        target networks are updated) may not be used with it.
        """
        if not _is_readable(entry):
            codes: Tensor = encoder(entry)
            return codes
        rows = as_words(entry)
        if self._memory is None:
            self._memory = _Memory(encoder, rows.shape[1], rows.dtype)
        return self._memory.codes(entry, rows)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_memory": None}


def _is_readable(entry: Tensor) -> bool:
    return entry.device.type == "cpu" and 1 < len(entry) <= REMEMBERED


def _first(numbers: IntArray, count: int) -> IntArray:
    """Where each number comes first."""
    first = np.empty(count, np.int64)
    first[numbers[::-1]] = np.arange(len(numbers) - 1, -1, -1)
    return first


_optimiser_steps = [0]
"""Of this process. Fused optimisers change weights without the counters that tensors have."""


def weights_change(*_: Any) -> None:
    """Something has written to weights past the counters that tensors have, as optimisers do."""
    _optimiser_steps[0] += 1


register_optimizer_step_post_hook(weights_change)


class _Memory:
    """Codes by row, as long as the weights that made them stand still."""

    def __init__(self, encoder: nn.Module, words: int, kind: np.dtype[Any]) -> None:
        self._encoder, self._parameters = encoder, list(encoder.parameters())
        self._table = RowTable(REMEMBERED, words, kind)
        self._codes: Tensor | None = None
        self._version = (-1, -1)
        self._compiled: EntryPass | None = None

    def codes(self, entry: Tensor, rows: Rows) -> Tensor:
        """The codes of `rows`; those that are new are computed."""
        version = (_optimiser_steps[0], sum(parameter._version for parameter in self._parameters))
        if version != self._version or len(self._table) + len(rows) > REMEMBERED:
            self._table.clear()
            if version != self._version:
                self._compiled = entry_pass(self._encoder)
            self._version = version
        before = len(self._table)
        numbers = self._table.number(rows)
        new = len(self._table) - before
        if new:
            computed = self._computed(entry[torch.from_numpy(_first(numbers, before + new)[before:])])
            if self._codes is None:
                self._codes = computed.new_empty((REMEMBERED, computed.shape[1]))
            self._codes[before : before + new] = computed
        assert self._codes is not None
        return self._codes.index_select(0, torch.from_numpy(numbers))

    def _computed(self, entry: Tensor) -> Tensor:
        if self._compiled is not None:
            with contextlib.suppress(TooManyPatches):
                return torch.from_numpy(self._compiled.forward(entry.numpy())[0])
        codes: Tensor = self._encoder(entry)
        return codes


def as_words(entry: Tensor) -> Rows:
    """A batch's rows as unsigned integers of the widest kind that fits."""
    rows = entry.detach().contiguous().numpy().reshape(len(entry), -1)
    bytes_ = rows.shape[1] * rows.itemsize
    width = next(width for width in (8, 4, 2, 1) if bytes_ % width == 0 and rows.itemsize <= 8)
    return rows.view(f"u{width}")
