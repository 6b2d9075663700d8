"""A designed reward, with all that it was designed by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from foundation.tabular_mdp import FloatArray
from shaping.designed.invariance import Invariance


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
        method: "exprd", "expadard", "invariance".
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
