"""Gated reward accumulation: a critic counts only where what matters more was reached."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from foundation.checks import number, one_of
from shaping.accumulation.accumulation import Accumulation, summed
from shaping.accumulation.levels import Levels
from shaping.accumulation.release import Release
from shaping.accumulation.signal_sets import total
from shaping.episodes import Episode, registry
from shaping.parts import Setting
from shaping.transitions import FloatArray


@registry.register("gated")
class Gated(Accumulation):
    """Pays a level of signals only in episodes where every higher level reached its gate (G-RA).

    Source: Sun et al. 2025, "Stabilizing Long-term Multi-turn Reinforcement Learning with Gated
    Rewards", arXiv 2508.10548, as restated by its readers: R(τ) = Σ_i m_i(τ) · Σ_t r^(i)_t, with
    m_i = 1 where R^(j)(τ) ≥ g_j for every level j above i, else 0. The highest level always counts.
    A level's R^(j) is the sum of its raw signals over the episode; weights apply to what is paid.
    An episode that a rollout's end cuts is never gated: it comes again when it is over.

    >>> import numpy as np
    >>> from gymnasium import spaces
    >>> gate = Gated(levels=[["task"], ["critic"]], gates=[1.0], release="retroactive")
    >>> space = spaces.Discrete(2)
    >>> gate.bind(Setting(1, space, space, gamma=1.0, seed=0, signals=("task", "critic")))
    >>> for outcome in (1.0, 0.0):
    ...     signals = {"task": np.array([0.0, outcome]), "critic": np.array([0.25, 0.5])}
    ...     ones = {"task": np.ones(2), "critic": np.ones(2)}
    ...     gate(Episode(signals, ones, np.zeros(2), "terminated", {}, gamma=1.0)).tolist()
    [0.25, 1.5]
    [0.0, 0.0]

    Metrics: "gate_<k>_open", the share of episodes that reached gate k (the mean multiplier with
    "multiply"), "masked", what the lower levels earned and were not paid, "outcome".

    Args:
        levels: see `Levels`; None: the task above everything else.
        gates: one for each level but the lowest; (): 0 each.
        gate_op: ">=" opens at equality, ">" does not. "multiply": m_i = Π_j max(R^(j) − g_j, 0)
            instead, low times outcome.
        gate_penalties: a closed gate also takes a lower level's negative rewards.
        low_cap: the most that a lower level pays in an episode: it is paid as it comes until its
            sum is there. None: no bound.
        low_average: a lower level pays its mean over the episode's steps, not its sum.
        release: "terminal", all on the last step, or "retroactive", each reward at its own step.
        discount_correct: see `Release`.

    Raises:
        ValueError: at construction or `bind`: levels, gates and signals do not fit together.
    """

    def __init__(
        self,
        levels: Sequence[Sequence[str]] | None = None,
        gates: Sequence[float] = (),
        gate_op: Literal[">=", ">", "multiply"] = ">=",
        gate_penalties: bool = True,
        low_cap: float | None = None,
        low_average: bool = False,
        release: Literal["terminal", "retroactive"] = "terminal",
        discount_correct: bool = False,
    ) -> None:
        super().__init__()
        self._given = Levels(levels)
        self.gates = _gates(gates, len(self._given) - 1)
        self.gate_op = one_of("gate_op", gate_op, (">=", ">", "multiply"))
        self.gate_penalties = gate_penalties
        self.low_cap = None if low_cap is None else number("low_cap", low_cap, above=0)
        self.low_average = low_average
        self._release = Release(release, "retroactive", discount_correct)

    def bind(self, setting: Setting) -> None:
        self.levels = self._given.resolved(setting.signals)
        self.outcome = self.levels[0]
        self._release.bind(setting)

    def __call__(self, episode: Episode) -> FloatArray | None:
        if episode.ending == "cut":
            return None
        reached = [self._reached(total(episode.signals, names), gate) for names, gate in self._gated()]
        rewards = summed(episode.contributions, self.outcome, len(episode))
        masked = 0.0
        for names, multiplier in zip(self.levels[1:], np.cumprod(reached).tolist(), strict=True):
            earned = summed(episode.contributions, names, len(episode))
            kept = self._kept(earned, multiplier)
            rewards += kept
            masked += float(earned.sum() - kept.sum())
        shares = {f"gate_{level}_open": share for level, share in enumerate(reached, start=1)}
        self.note(episode, masked=masked, **shares)
        return self._release(rewards, episode.gamma)

    def _gated(self) -> list[tuple[tuple[str, ...], float]]:
        return list(zip(self.levels[:-1], self.gates, strict=True))

    def _reached(self, value: float, gate: float) -> float:
        """1 where a level opens its gate, else 0; with "multiply", how far it is beyond it."""
        if self.gate_op == "multiply":
            return max(value - gate, 0.0)
        return float(value > gate or (value == gate and self.gate_op == ">="))

    def _kept(self, earned: FloatArray, multiplier: float) -> FloatArray:
        """What a lower level is paid (T,) of what it earned (T,)."""
        if multiplier == 0.0:
            return np.zeros(len(earned)) if self.gate_penalties else np.minimum(earned, 0.0)
        kept = earned / len(earned) if self.low_average else earned
        if self.low_cap is not None:
            kept = np.diff(np.minimum(np.cumsum(kept), self.low_cap), prepend=0.0)
        return multiplier * kept


def _gates(gates: Sequence[float], count: int) -> tuple[float, ...]:
    if gates and len(gates) != count:
        raise ValueError(
            f"gates has {len(gates)} numbers for {count + 1} levels; give {count}, one for each level but the lowest"
        )
    return tuple(number(f"gate {level}", gate) for level, gate in enumerate(gates or [0.0] * count, start=1))
