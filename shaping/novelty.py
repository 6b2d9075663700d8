"""Count-based novelty: reward falls with the number of visits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from foundation.checks import number, one_of, whole
from shaping.registry import register_term
from shaping.terms import Array, BoolArray, FloatArray, Info, Observations, RewardTerm, Setting, Transitions

HashArray = npt.NDArray[np.uint64]


@register_term("count")
class CountTerm(RewardTerm):
    """Pays N(s')^-power, N counting visits to s' with this one; 1/√N by default (Strehl and Littman 2008, MBIE-EB).

    States are told apart by a 64-bit hash of chosen observation entries (Tang et al. 2017 hash likewise). An episode's
    first state counts as visited without pay.

    Args:
        keys: entries of a Dict observation that make a state; None: all of them.
        power: above 0; ½ is 1/√N, 1 is 1/N.
        scope: "lifetime": N over all episodes and environments. "episodic": N in the running episode. "product": the
            product of both bonuses, so that what is old news pays little and going in circles less (as NGU combines
            the two, Badia et al. 2020).
        resolution: above 0: numbers that are not integers are rounded to multiples of it; 0: they must match exactly.
        max_states: bound of the lifetime table. When it is full, the half that was visited least is forgotten and
            would be new again. One state takes about 150 bytes.

    Raises:
        ValueError: a number out of range; at `bind`, a key that the observations lack.
    """

    def __init__(
        self,
        keys: Sequence[str] | None = None,
        power: float = 0.5,
        scope: Literal["lifetime", "episodic", "product"] = "lifetime",
        resolution: float = 0.0,
        max_states: int = 1_000_000,
    ) -> None:
        self.keys = None if keys is None else tuple(keys)
        self.power = number("power", power, above=0)
        self.scope = one_of("scope", scope, ("lifetime", "episodic", "product"))
        self.resolution = number("resolution", resolution, least=0)
        self.max_states = whole("max_states", max_states, least=2)
        self._lifetime: dict[int, int] = {}
        self._episodic: list[dict[int, int]] = []

    def bind(self, setting: Setting) -> None:
        space = setting.observation_space
        if isinstance(space, spaces.Dict):
            keys = tuple(space.spaces) if self.keys is None else self.keys
            missing = [key for key in keys if key not in space.spaces]
            if missing or not keys:
                raise ValueError(f"no observation entry {', '.join(missing)}; keys can be {', '.join(space.spaces)}")
            self._keys: tuple[str, ...] = keys
        elif self.keys:
            raise ValueError(f"keys={list(self.keys)} needs named observations, but there is one array: leave keys out")
        else:
            self._keys = ()
        self._hash = RowHash()
        self._episodic = [{} for _ in range(setting.n_envs)]

    def reset(self, observations: Observations, infos: Sequence[Info], mask: BoolArray) -> None:
        hashes = self._states(observations)
        for index in np.flatnonzero(mask).tolist():
            self._episodic[index] = {hashes[index]: 1}
            self._visit(hashes[index])

    def __call__(self, batch: Transitions) -> FloatArray:
        hashes = self._states(batch.next_observations)
        n = len(hashes)
        if self.scope == "lifetime":
            visits = np.array([self._visit(state) for state in hashes], np.float64)
            return visits**-self.power
        counts = []
        for table, state in zip(self._episodic, hashes, strict=True):
            count = table.get(state, 0) + 1
            table[state] = count
            counts.append(count * self._visit(state) if self.scope == "product" else count)
        bonus: FloatArray = np.array(counts, np.float64).reshape(n) ** -self.power
        return bonus

    def _visit(self, state: int) -> int:
        if self.scope == "episodic":
            return 1
        table = self._lifetime
        count = table.get(state, 0) + 1
        table[state] = count
        if len(table) > self.max_states:
            keep = sorted(table, key=table.__getitem__)[len(table) // 2 :]
            self._lifetime = {state: table[state] for state in keep}
        return count

    def _states(self, observations: Observations) -> list[int]:
        if isinstance(observations, dict):
            arrays: list[Array] = [observations[key] for key in self._keys]
        else:
            arrays = [observations]
        if self.resolution:
            arrays = [_rounded(array, self.resolution) for array in arrays]
        return self._hash(arrays).tolist()

    def state_dict(self) -> dict[str, Any]:
        return {
            "lifetime": _table(self._lifetime),
            "episodic": [_table(table) for table in self._episodic],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._lifetime = dict(zip(state["lifetime"][0].tolist(), state["lifetime"][1].tolist(), strict=True))
        self._episodic = [dict(zip(keys.tolist(), counts.tolist(), strict=True)) for keys, counts in state["episodic"]]


class RowHash:
    """64-bit hashes of the rows of arrays, the same in every process and on every resume.

    Each 8-byte word is multiplied by an odd constant of its place, folded, multiplied again and summed: a multilinear
    hash (Lemire and Kaser 2014) whose fold brings differences in high bits down, where a product alone would lose them.
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


def _table(counts: Mapping[int, int]) -> tuple[HashArray, npt.NDArray[np.int64]]:
    return (
        np.fromiter(counts.keys(), np.uint64, len(counts)),
        np.fromiter(counts.values(), np.int64, len(counts)),
    )
