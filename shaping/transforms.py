"""One signal's values to other values, per step: running normalisation, clipping, the centred sigmoid."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np

from foundation.checks import number
from foundation.registry import Registry
from shaping.moments import RunningMoments
from shaping.parts import Part
from shaping.transitions import FloatArray, Transitions


class Transform(Part):
    """Applied to a signal's values before its weight. Several are applied in the order given."""

    @abstractmethod
    def __call__(self, values: FloatArray, batch: Transitions) -> FloatArray:
        """New values (n_envs,); the argument is left as it is."""

    def rescore(self, values: FloatArray, batch: Transitions) -> FloatArray:
        """The same for transitions of any time, as `RewardTerm.rescore` scores them (n,).

        A transform that learns from the values it sees must not do so here.
        """
        return self(values, batch)


registry: Registry[Transform] = Registry("transform", "shaping")
"""Transforms by name."""


@registry.register("running_normalise")
class RunningNormalise(Transform):
    """Zero mean and unit deviation under statistics gathered so far, this step included.

    With ``scale_only`` the mean is not subtracted and the divisor is the root mean square, which
    unlike the deviation is not 0 for constant rewards. Subtracting a mean changes which policy is
    best where episodes differ in length; ``scale_only`` does not.
    """

    def __init__(self, scale_only: bool = False, epsilon: float = 1e-8) -> None:
        self.scale_only = scale_only
        self.epsilon = number("epsilon", epsilon, above=0)
        self.moments = RunningMoments(())

    def __call__(self, values: FloatArray, batch: Transitions) -> FloatArray:
        self.moments.add(values)
        return self.rescore(values, batch)

    def rescore(self, values: FloatArray, batch: Transitions) -> FloatArray:
        mean, variance = float(self.moments.mean), float(self.moments.variance)
        if self.scale_only:
            return values / math.sqrt(variance + mean * mean + self.epsilon)
        return (values - mean) / math.sqrt(variance + self.epsilon)

    def state_dict(self) -> dict[str, Any]:
        return self.moments.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.moments.load_state_dict(state)


@registry.register("clip")
class Clip(Transform):
    """Values outside [low, high] become the nearer bound."""

    def __init__(self, low: float = -1.0, high: float = 1.0) -> None:
        self.low = number("low", low)
        self.high = number("high", high, above=low)

    def __call__(self, values: FloatArray, batch: Transitions) -> FloatArray:
        return np.minimum(np.maximum(values, self.low), self.high)


@registry.register("sigmoid")
class Sigmoid(Transform):
    """σ(slope · (r − reference)), bounded: "preference as reward" (Fu et al. 2025).

    There is one reference reward. σ alone pays about ½ for every step that an episode lasts;
    ``centred`` subtracts that ½, so that a reward equal to the reference is worth nothing. Not
    policy-invariant, by design.
    """

    def __init__(self, reference: float = 0.0, slope: float = 1.0, centred: bool = True) -> None:
        self.reference = number("reference", reference)
        self.slope = number("slope", slope)
        self.centred = centred

    def __call__(self, values: FloatArray, batch: Transitions) -> FloatArray:
        # tanh is the form of the sigmoid that cannot overflow: σ(x) = ½ + ½·tanh(x/2)
        half: FloatArray = 0.5 * np.tanh((0.5 * self.slope) * (values - self.reference))
        return half if self.centred else half + 0.5
