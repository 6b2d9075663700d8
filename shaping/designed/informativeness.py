"""How soon a reward tells a learner what to do: informativeness.

Source: Devidze et al. 2021, "Explicable Reward Design for Reinforcement Learning Agents".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from foundation.checks import one_of, whole
from foundation.tabular_mdp import FloatArray, TabularMDP
from shaping.designed.operators import Target, advantages, target

COUNTED = ("h+1", "h")
LINKS = ("hinge", "linear", "exp")
OVERS = ("max", "sum")
GAPS = ("state", "action")


@dataclass(frozen=True)
class Measure:
    """What informativeness is made of.

    I(R) = −1/(|H| |S|) Σ_h Σ_s over_a link((A_k R)(s, a) − δ), over the actions that are worse; the
    absorbing states are among the |S|. Best is 0 with link=hinge.

    Attributes:
        horizons: H, steps that a learner looks ahead.
        counted: rewards within a horizon: k = h + 1, as the code of 2021 has it, or k = h, as that
            of 2024.
        link: of the margin m: hinge max(0, −m), linear −m, exp e^(−m).
        over: the worst action of a state, or the sum of all that are worse.
        gap: δ is the state's, its least loss, or each action's own.

    Raises:
        ValueError: an unknown word, no horizons, or one that counts no reward.
    """

    horizons: tuple[int, ...] = (1, 4, 8, 16, 32)
    counted: Literal["h+1", "h"] = "h+1"
    link: Literal["hinge", "linear", "exp"] = "hinge"
    over: Literal["max", "sum"] = "max"
    gap: Literal["state", "action"] = "state"

    def __post_init__(self) -> None:
        if not self.horizons:
            raise ValueError("horizons is empty; give some, such as 1,4,8,16,32")
        for name, words in (("counted", COUNTED), ("link", LINKS), ("over", OVERS), ("gap", GAPS)):
            one_of(name, getattr(self, name), words)
        for horizon in self.horizons:
            whole("horizons", horizon, least=0 if self.counted == "h+1" else 1)

    @property
    def counts(self) -> tuple[int, ...]:
        """How many rewards each horizon counts."""
        return tuple(horizon + (self.counted == "h+1") for horizon in self.horizons)

    def wanted(self, meant: Target) -> FloatArray:
        """δ of every pair, (states, actions)."""
        if self.gap == "action":
            return meant.losses
        gaps: FloatArray = np.where(meant.worse, meant.gaps[:, None], 0.0)
        return gaps

    def linked(self, margins: FloatArray) -> FloatArray:
        """The link of margins of any shape."""
        if self.link == "hinge":
            return np.maximum(0.0, -margins)
        return -margins if self.link == "linear" else np.exp(-margins)


def informativeness(
    mdp: TabularMDP, rewards: FloatArray, measure: Measure | None = None, targets: Sequence[Target] = ()
) -> float:
    """I(R); the mean over targets where there are several.

    Args:
        mdp: the process, whose own reward says what is best.
        rewards: R(s, a), (states, actions).
        measure: its options; None for those of the paper.
        targets: best policies; () for that of the lowest action numbers.

    Raises:
        ValueError: rewards of another shape.
    """
    measure = measure or Measure()
    if rewards.shape != mdp.rewards.shape:
        raise ValueError(f"rewards are {rewards.shape}; expected (states, actions), {mdp.rewards.shape}")
    targets = tuple(targets) or (target(mdp),)
    total = 0.0
    for meant in targets:
        for count in measure.counts:
            ahead = (advantages(mdp, meant.policy, count) @ rewards.ravel()).reshape(rewards.shape)
            losses = measure.linked(ahead - measure.wanted(meant))
            if measure.over == "sum":
                total += float(losses[meant.worse].sum())
            else:
                worst = np.where(meant.worse, losses, -np.inf).max(axis=1)
                total += float(worst[np.isfinite(worst)].sum())
    return -total / (len(targets) * len(measure.horizons) * mdp.n_states)
