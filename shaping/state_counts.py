"""States told apart by hashes of chosen observation entries, and how often each was visited."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from foundation.checks import number, whole
from shaping.transitions import Array, Observations

HashArray = npt.NDArray[np.uint64]


class StateHashes:
    """Observations to a 64-bit hash each, of chosen entries (Tang et al. 2017 hash likewise).

    Args:
        space: of one environment's observation.
        keys: entries of a Dict observation that make a state; None: all of them.
        resolution: above 0: numbers that are not integers are rounded to multiples of it; 0: they
            must match exactly.

    Raises:
        ValueError: a key that the observations lack, or a negative resolution.
    """

    def __init__(self, space: spaces.Space[Any], keys: Sequence[str] | None, resolution: float) -> None:
        self._resolution = number("resolution", resolution, least=0)
        self._keys: tuple[str, ...] = ()
        if isinstance(space, spaces.Dict):
            self._keys = tuple(space.spaces) if keys is None else tuple(keys)
            missing = [key for key in self._keys if key not in space.spaces]
            if missing or not self._keys:
                raise ValueError(f"no observation entry {', '.join(missing)}; keys can be {', '.join(space.spaces)}")
        elif keys:
            raise ValueError(f"keys={list(keys)} needs named observations, but there is one array: leave keys out")
        self._hash = RowHash()

    def __call__(self, observations: Observations) -> list[int]:
        """One hash a row."""
        if isinstance(observations, dict):
            arrays: list[Array] = [observations[key] for key in self._keys]
        else:
            arrays = [observations]
        if self._resolution:
            arrays = [_rounded(array, self._resolution) for array in arrays]
        hashes: list[int] = self._hash(arrays).tolist()
        return hashes


class Visits:
    """How often each of many states was visited, in a table of bounded size.

    Args:
        max_states: when so many are known, the half that was visited least is forgotten and would
            be new again. One state takes about 150 bytes.

    Raises:
        ValueError: `max_states` is below 2.
    """

    def __init__(self, max_states: int) -> None:
        self._max_states = whole("max_states", max_states, least=2)
        self._table: dict[int, int] = {}

    def __call__(self, state: int) -> int:
        """How often it was."""
        return self._table.get(state, 0)

    def __len__(self) -> int:
        return len(self._table)

    def add(self, state: int) -> int:
        """A further visit. Returns how many there were with this one."""
        table = self._table
        count = table.get(state, 0) + 1
        table[state] = count
        if len(table) > self._max_states:
            keep = sorted(table, key=table.__getitem__)[len(table) // 2 :]
            self._table = {state: table[state] for state in keep}
        return count

    def arrays(self) -> tuple[HashArray, npt.NDArray[np.int64]]:
        """States and how often they were visited, for a `state_dict`."""
        return table_arrays(self._table)

    def load(self, arrays: Sequence[Array]) -> None:
        """Take over what `arrays` gave."""
        self._table = dict(zip(arrays[0].tolist(), arrays[1].tolist(), strict=True))


class RowHash:
    """64-bit hashes of the rows of arrays, the same in every process and on every resume.

    Each 8-byte word is multiplied by an odd constant of its place, folded, multiplied again and
    summed: a multilinear hash (Lemire and Kaser 2014) whose fold brings differences in high bits
    down, where a product alone would lose them.
    """

    def __init__(self) -> None:
        self._constants: dict[int, tuple[HashArray, HashArray]] = {}

    def __call__(self, arrays: Sequence[Array]) -> HashArray:
        """One hash a row, (n,); ``arrays`` are (n, ...) each."""
        rows = [_bytes(array) for array in arrays]
        joined = rows[0] if len(rows) == 1 else np.concatenate(rows, axis=1)
        spare = -joined.shape[1] % 8
        if spare:
            padded = np.zeros((len(joined), joined.shape[1] + spare), np.uint8)
            padded[:, :-spare] = joined
            joined = padded
        words = np.ascontiguousarray(joined).view(np.uint64)
        first, second = self._of(words.shape[1])
        mixed = words * first
        mixed ^= mixed >> np.uint64(32)
        mixed *= second
        hashes: HashArray = mixed.sum(axis=1, dtype=np.uint64)
        hashes ^= hashes >> np.uint64(29)
        return hashes

    def _of(self, n_words: int) -> tuple[HashArray, HashArray]:
        if n_words not in self._constants:
            rng = np.random.default_rng(0x9E3779B97F4A7C15)
            both = rng.integers(0, 2**64, size=(n_words, 2), dtype=np.uint64) | np.uint64(1)
            self._constants[n_words] = (both[:, 0].copy(), both[:, 1].copy())
        return self._constants[n_words]


def _bytes(array: Array) -> npt.NDArray[np.uint8]:
    if array.dtype.kind == "f":
        array = array + 0.0  # -0.0 and 0.0 are one state
    return np.ascontiguousarray(array).reshape(len(array), -1).view(np.uint8)


def _rounded(array: Array, resolution: float) -> Array:
    if array.dtype.kind != "f":
        return array
    return np.rint(array / resolution).astype(np.int64)


def table_arrays(counts: Mapping[int, int]) -> tuple[HashArray, npt.NDArray[np.int64]]:
    """A table of counts as two arrays: states, and their counts."""
    return (
        np.fromiter(counts.keys(), np.uint64, len(counts)),
        np.fromiter(counts.values(), np.int64, len(counts)),
    )
