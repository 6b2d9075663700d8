"""Potential-based shaping."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from gymnasium import spaces

from foundation.checks import number, one_of
from shaping.registry import register_term
from shaping.terms import (
    BoolArray,
    FloatArray,
    Info,
    Observations,
    RewardTerm,
    RewardTermError,
    Setting,
    Transitions,
    reported,
)

Potential = Callable[[Observations, Sequence[Info]], FloatArray]


@register_term("potential")
class PotentialTerm(RewardTerm):
    """F = γ·Φ(s') − Φ(s), γ the agent's own; keeps the best policies the best.

    Source: Ng, Harada and Russell 1999.

    Φ(s') is 0 after termination, and stays Φ(s') after truncation, where the agent goes on with
    V(s'). For an agent that does not (REINFORCE) it is 0 there, too (Grzes 2017).

    Args:
        potential: Φ. The name of an info entry (a float), ``observation:KEY`` for a scalar entry of
            the observation, ``module:function``, or a function. A function takes (observations,
            infos) and returns (n_envs,); where episodes start, rows of running ones mean nothing.
        scale: Φ is multiplied by it; below 0 where the entry is a distance.
        truncation: Φ(s') after truncation, "keep" or "zero"; "auto" is as the agent needs it.

    Raises:
        ValueError: at construction or `bind`, for a potential that cannot be found or read.
        RewardTermError: Φ is not finite, or the environment does not report the entry.
    """

    card = {"potential": "potential.entry", "scale": "potential.scale"}

    def __init__(
        self,
        potential: str | Potential = "explored",
        scale: float = 1.0,
        truncation: Literal["auto", "keep", "zero"] = "auto",
    ) -> None:
        self.potential = potential
        self.scale = number("scale", scale)
        self.truncation = one_of("truncation", truncation, ("auto", "keep", "zero"))
        self._entry = self._key = None
        self._function: Potential | None = None
        if callable(potential):
            self._function = potential
        elif potential.startswith("observation:"):
            self._key = potential.removeprefix("observation:")
        elif ":" in potential:
            self._function = _find(potential)
        elif potential:
            self._entry = potential
            self.requires = frozenset({potential})
        else:
            raise ValueError("potential is empty; name an info entry, 'observation:KEY' or 'module:function'")

    def bind(self, setting: Setting) -> None:
        self.gamma = setting.gamma
        self._zero_at_truncation = self.truncation == "zero" or (self.truncation == "auto" and not setting.bootstraps)
        self.current = np.zeros(setting.n_envs)
        if self._key is None:
            return
        space = setting.observation_space
        if not isinstance(space, spaces.Dict) or self._key not in space.spaces:
            entries = ", ".join(space.spaces) if isinstance(space, spaces.Dict) else "one array without names"
            raise ValueError(
                f"potential {self.potential!r}: the observation has no entry {self._key!r}; it has {entries}"
            )
        if math.prod(space[self._key].shape or ()) != 1:
            raise ValueError(f"potential {self.potential!r} must be one number, but the entry is {space[self._key]}")

    def reset(self, observations: Observations, infos: Sequence[Info], mask: BoolArray) -> None:
        values = self._evaluate(observations, infos, mask)
        self.current[mask] = self._finite(values, mask)[mask]

    def __call__(self, batch: Transitions) -> FloatArray:
        following = self._evaluate(batch.next_observations, batch.infos, None)
        if np.count_nonzero(batch.terminated):
            following[batch.terminated] = 0.0  # whatever the potential says there
        if self._zero_at_truncation and np.count_nonzero(batch.truncated):
            following[batch.truncated] = 0.0
        reward: FloatArray = self.gamma * following - self.current
        self.current = following
        return reward

    def state_dict(self) -> dict[str, Any]:
        return {"current": self.current.copy()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.current = np.array(state["current"])

    def _evaluate(self, observations: Observations, infos: Sequence[Info], mask: BoolArray | None) -> FloatArray:
        if self._entry is not None:
            values = reported(infos, self._entry, mask)
        elif self._key is not None:
            assert isinstance(observations, dict)
            values = observations[self._key].reshape(len(infos)).astype(np.float64)
        else:
            assert self._function is not None
            values = np.array(self._function(observations, infos), dtype=np.float64)
            if values.shape != self.current.shape:
                raise RewardTermError(
                    f"potential of {self.name!r} has shape {values.shape}, expected {self.current.shape}"
                )
        return values if self.scale == 1.0 else self.scale * values

    def _finite(self, values: FloatArray, mask: BoolArray) -> FloatArray:
        bad = np.flatnonzero(mask & ~np.isfinite(values))
        if len(bad):
            raise RewardTermError(
                f"the potential of reward term {self.name!r} is {values[bad[0]]} for environment {bad[0]}; "
                "it must be a finite number in every state that does not end the task"
            )
        return values


def _find(path: str) -> Potential:
    module_name, _, function_name = path.partition(":")
    try:
        function = getattr(importlib.import_module(module_name), function_name)
    except (ImportError, AttributeError) as error:
        raise ValueError(
            f"potential {path!r} cannot be found: {error}; write it as 'package.module:function'"
        ) from error
    if not callable(function):
        raise ValueError(f"potential {path!r} is a {type(function).__name__}, not a function")
    return function
