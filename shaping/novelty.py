"""Count-based novelty: reward falls with the number of visits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from foundation.checks import number, one_of, whole
from shaping.registry import register_term
from shaping.state_counts import StateHashes, Visits, table_arrays
from shaping.terms import BoolArray, FloatArray, Info, Observations, RewardTerm, Setting, Transitions


@register_term("count")
class CountTerm(RewardTerm):
    """Pays N(s')^-power, N counting visits to s' with this one; 1/√N by default.

    Source: Strehl and Littman 2008, MBIE-EB.

    States are told apart by a 64-bit hash of chosen observation entries (Tang et al. 2017 hash
    likewise). An episode's first state counts as visited without pay.

    Args:
        keys: entries of a Dict observation that make a state; None: all of them.
        power: above 0; ½ is 1/√N, 1 is 1/N.
        scope: "lifetime": N over all episodes and environments. "episodic": N in the running
            episode. "product": the product of both bonuses, so that what is old news pays little
            and going in circles less (as NGU combines the two, Badia et al. 2020).
        resolution: above 0: numbers that are not integers are rounded to multiples of it; 0: they
            must match exactly.
        max_states: bound of the lifetime table. When it is full, the half that was visited least is
            forgotten and would be new again. One state takes about 150 bytes.

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
        self._lifetime = Visits(self.max_states)
        self._episodic: list[dict[int, int]] = []

    def bind(self, setting: Setting) -> None:
        self._states = StateHashes(setting.observation_space, self.keys, self.resolution)
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
        return self._lifetime.add(state)

    def state_dict(self) -> dict[str, Any]:
        return {
            "lifetime": self._lifetime.arrays(),
            "episodic": [table_arrays(table) for table in self._episodic],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._lifetime.load(state["lifetime"])
        self._episodic = [dict(zip(keys.tolist(), counts.tolist(), strict=True)) for keys, counts in state["episodic"]]
