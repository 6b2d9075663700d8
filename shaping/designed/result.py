"""A designed reward, with all that it was designed by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from foundation.tabular_mdp import FloatArray, TabularMDP
from shaping.designed.informativeness import Measure, informativeness
from shaping.designed.invariance import Invariance, invariant
from shaping.designed.operators import Target


@dataclass(frozen=True)
class DesignResult:
    """A designed reward.

    Of several best rewards the solver gives any: compare objectives, never rewards entry by entry.

    Attributes:
        rewards: R(s, a), (states, actions).
        states: those that may pay, in the order in which they were chosen.
        objective: what the design maximised; see the method.
        informativeness: I(R), computed anew from R.
        invariance: whether the best policies stay the best, solved anew from R.
        method: what made it, such as "exprd".
        options: everything that the numbers hang on.
        programmes: linear programmes solved.
    """

    rewards: FloatArray
    states: tuple[int, ...]
    objective: float
    informativeness: float
    invariance: Invariance
    method: str
    options: Mapping[str, Any] = field(default_factory=dict)
    programmes: int = 1


def verified(
    mdp: TabularMDP,
    rewards: FloatArray,
    method: str,
    *,
    objective: float | None = None,
    states: Sequence[int] | None = None,
    options: Mapping[str, Any] | None = None,
    programmes: int = 0,
    measure: Measure | None = None,
    targets: Sequence[Target] = (),
) -> DesignResult:
    """A reward with its informativeness and invariance, both worked out anew.

    Args:
        mdp: the process.
        rewards: R(s, a), (states, actions).
        method, options, programmes, measure, targets: see `DesignResult` and `informativeness`.
        objective: what the method maximised; None where that is the informativeness.
        states: those that may pay; None for those that do.
    """
    measure = measure or Measure()
    informative = informativeness(mdp, rewards, measure, targets)
    paying = np.flatnonzero(np.abs(rewards).max(axis=1) > 1e-9).tolist() if states is None else states
    return DesignResult(
        rewards=rewards,
        states=tuple(paying),
        objective=informative if objective is None else objective,
        informativeness=informative,
        invariance=invariant(mdp, rewards),
        method=method,
        options={**(options or {}), **vars(measure)},
        programmes=programmes,
    )
