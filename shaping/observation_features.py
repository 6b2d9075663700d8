"""Observations as rows of numbers, for small networks that learn from them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from shaping.moments import RunningMoments
from shaping.transitions import Array, Observations

Features = npt.NDArray[np.float32]

TABLE_ROWS = 2**13  # random vectors for (place, name); a power of 2. Two may share one: harmless among the thousands


class ObservationFeatures:
    """Observations to rows of float32: names through a fixed random table, numbers normalised.

    Numbers are clipped to ±5.
    """

    def __init__(
        self, space: spaces.Space[Any], keys: Sequence[str] | None, embedding: int, rng: np.random.Generator
    ) -> None:
        if isinstance(space, spaces.Dict):
            entries = dict(space.spaces)
            missing = [key for key in keys or () if key not in entries]
            if missing or (keys is not None and not keys):
                raise ValueError(f"no observation entry {', '.join(missing)}; keys can be {', '.join(entries)}")
            self.keys: tuple[str, ...] = tuple(entries) if keys is None else tuple(keys)
            chosen = {key: entries[key] for key in self.keys}
        else:
            if keys:
                raise ValueError(f"keys={list(keys)} needs named observations, but there is one array: leave keys out")
            self.keys = ()
            chosen = {"": space}
        self._tables: dict[str, Features] = {}
        self._divisor: dict[str, float] = {}
        self._moments: dict[str, RunningMoments] = {}
        self._centre: dict[str, tuple[Features, Features]] = {}
        self.width = 0
        for key, entry in chosen.items():
            shape = entry.shape
            what = f"observation entry {key!r}" if key else "the observation"
            if not isinstance(entry, spaces.Box | spaces.Discrete | spaces.MultiDiscrete | spaces.MultiBinary):
                raise ValueError(f"{what} is {entry}, which has no numbers to look at; choose others with keys")
            assert shape is not None
            size = math.prod(shape)
            if entry.dtype is not None and entry.dtype.kind in "iub" and len(shape) < 3:
                self._tables[key] = rng.standard_normal((TABLE_ROWS, embedding)).astype(np.float32)
                self.width += embedding
            else:
                if entry.dtype == np.uint8:
                    self._divisor[key] = 255.0
                self._moments[key] = RunningMoments((size,))
                self._refresh(key)
                self.width += size

    def __call__(self, observations: Observations) -> Features:
        """(n, width)"""
        parts = []
        for key, array in self._entries(observations):
            n = len(array)
            if key in self._tables:
                part = np.empty((n, self._tables[key].shape[1]), np.float32)
                _sum_of_names(array.reshape(n, -1).astype(np.int64), self._tables[key], part)
            else:
                mean, inverse = self._centre[key]
                part = self._numbers(key, array) - mean
                part *= inverse
                np.minimum(np.maximum(part, -5.0, out=part), 5.0, out=part)
            parts.append(part)
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)

    def learn(self, observations: Observations) -> None:
        """Take observations into the running statistics."""
        if self._moments:
            for key, array in self._entries(observations):
                if key in self._moments:
                    self._moments[key].add(self._numbers(key, array))
                    self._refresh(key)

    def _entries(self, observations: Observations) -> list[tuple[str, Array]]:
        if isinstance(observations, dict):
            return [(key, observations[key]) for key in self.keys]
        return [("", observations)]

    def _numbers(self, key: str, array: Array) -> Features:
        numbers: Features = array.reshape(len(array), -1).astype(np.float32)
        divisor = self._divisor.get(key)
        return numbers if divisor is None else numbers / np.float32(divisor)

    def _refresh(self, key: str) -> None:
        moments = self._moments[key]
        deviation = np.sqrt(np.maximum(moments.variance, 1e-8)) if moments.count else np.ones_like(moments.mean)
        self._centre[key] = (moments.mean.astype(np.float32), (1.0 / deviation).astype(np.float32))

    def state_dict(self) -> dict[str, Any]:
        return {
            "tables": {key: table.copy() for key, table in self._tables.items()},
            "moments": {key: moments.state_dict() for key, moments in self._moments.items()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._tables = {key: np.array(table) for key, table in state["tables"].items()}
        for key, moments in self._moments.items():
            moments.load_state_dict(state["moments"][key])
            self._refresh(key)


@numba.njit(cache=True)
def _sum_of_names(names: Any, table: Any, out: Any) -> None:
    """out[i] = Σ over places p of table[hash(p, names[i, p])] / √places."""
    mask, scale = np.uint64(len(table) - 1), np.float32(1.0 / math.sqrt(names.shape[1]))
    for i in range(names.shape[0]):
        out[i, :] = 0.0
        for place in range(names.shape[1]):
            mixed = (np.uint64(names[i, place]) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
            mixed += np.uint64(place + 1) * np.uint64(0xC2B2AE3D27D4EB4F)
            mixed ^= mixed >> np.uint64(29)
            mixed *= np.uint64(0xBF58476D1CE4E5B9)
            row = np.int64((mixed >> np.uint64(32)) & mask)
            for column in range(out.shape[1]):
                out[i, column] += table[row, column]
        for column in range(out.shape[1]):
            out[i, column] *= scale
