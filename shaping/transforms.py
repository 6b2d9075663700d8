"""One term's values to other values, per step: running normalisation, clipping, the centred sigmoid."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from foundation.registry import Registry
from shaping.terms import FloatArray, Transitions


class Transform(ABC):
    """Applied to a term's values (n_envs,) before its weight. Several are applied in the order given."""

    name: str = ""
    registered_name: ClassVar[str] = ""

    @abstractmethod
    def __call__(self, values: FloatArray, batch: Transitions) -> FloatArray:
        """New values (n_envs,); the argument is left as it is."""

    def state_dict(self) -> dict[str, Any]:
        """Everything a resume needs."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:  # noqa: B027 - optional
        """Take over what `state_dict` gave."""


registry: Registry[Transform] = Registry("transform", "shaping")
"""Transforms by name."""


@registry.register("running_normalise")
class RunningNormalise(Transform):
    """Zero mean and unit deviation under statistics gathered so far, this step included.

    Mean and variance are merged batch by batch (Chan, Golub and LeVeque 1979). With ``scale_only`` the mean is not
    subtracted and the divisor is the root mean square, which unlike the deviation is not 0 for constant rewards.
    Subtracting a mean changes which policy is best where episodes differ in length; ``scale_only`` does not.
    """

    def __init__(self, scale_only: bool = False, epsilon: float = 1e-8) -> None:
        if not (math.isfinite(epsilon) and epsilon > 0):
            raise ValueError(f"epsilon must be a finite number above 0, not {epsilon}")
        self.scale_only = scale_only
        self.epsilon = epsilon
        self.count = 0
        self.mean = 0.0
        self.squares = 0.0  # sum of squared distances to the mean

    def __call__(self, values: FloatArray, batch: Transitions) -> FloatArray:
        n = len(values)
        mean = float(values.sum()) / n
        distances = values - mean
        delta, total = mean - self.mean, self.count + n
        self.squares += float(distances.dot(distances)) + delta * delta * self.count * n / total
        self.mean += delta * n / total
        self.count = total
        variance = self.squares / total
        if self.scale_only:
            return values / math.sqrt(variance + self.mean * self.mean + self.epsilon)
        return (values - self.mean) / math.sqrt(variance + self.epsilon)

    def state_dict(self) -> dict[str, Any]:
        return {"count": self.count, "mean": self.mean, "squares": self.squares}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.count, self.mean, self.squares = int(state["count"]), float(state["mean"]), float(state["squares"])


@registry.register("clip")
class Clip(Transform):
    """Values outside [low, high] become the nearer bound."""

    def __init__(self, low: float = -1.0, high: float = 1.0) -> None:
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise ValueError(f"clip needs two finite bounds with low < high, not low={low}, high={high}")
        self.low = low
        self.high = high

    def __call__(self, values: FloatArray, batch: Transitions) -> FloatArray:
        return np.minimum(np.maximum(values, self.low), self.high)


@registry.register("sigmoid")
class Sigmoid(Transform):
    """σ(slope · (r − reference)), bounded: "preference as reward" (Fu et al. 2025), with one reference reward.

    σ alone pays about ½ for every step that an episode lasts; ``centred`` subtracts that ½, so that a reward equal to
    the reference is worth nothing. Not policy-invariant, by design.
    """

    def __init__(self, reference: float = 0.0, slope: float = 1.0, centred: bool = True) -> None:
        if not (math.isfinite(reference) and math.isfinite(slope)):
            raise ValueError(f"sigmoid needs finite numbers, not reference={reference}, slope={slope}")
        self.reference = reference
        self.slope = slope
        self.centred = centred

    def __call__(self, values: FloatArray, batch: Transitions) -> FloatArray:
        # tanh is the form of the sigmoid that cannot overflow: σ(x) = ½ + ½·tanh(x/2)
        half: FloatArray = 0.5 * np.tanh((0.5 * self.slope) * (values - self.reference))
        return half if self.centred else half + 0.5
