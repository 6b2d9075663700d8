"""What the discriminator is shown of a step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from agents.imitation.expert import Expert
from agents.imitation.settings import Imitation
from shaping.adversarial import Pairs

Array = npt.NDArray[Any]
Arrays = tuple[Array, Array]
LEAST_DEVIATION = 1e-3
"""Of an observation's number that hardly varies in the demonstrations."""


class View:
    """Makes rows of steps into the discriminator's rows, of agent and expert alike.

    Where absorbing states are told, a state and an action have one more number: 0 in real ones, and
    in the absorbing pair 1, where all others are 0.

    Args:
        settings: `sees`, `absorbing`, `standardise`.
        observation_width, action_width: of a step.
        expert: whose mean and deviation are the unit; None: loaded with `load_state_dict`.
    """

    def __init__(
        self, settings: Imitation, observation_width: int, action_width: int, expert: Expert | None = None
    ) -> None:
        self.standardise = settings.standardise
        self.sees, self.flags = settings.sees, settings.absorbing != "none"
        self._widths = observation_width, action_width
        self.mean, self.deviation = torch.zeros(observation_width), torch.ones(observation_width)
        if settings.standardise and expert is not None:
            self.mean = torch.as_tensor(expert.observations.mean(axis=0))
            self.deviation = torch.as_tensor(expert.observations.std(axis=0)).clamp(min=LEAST_DEVIATION)

    @property
    def widths(self) -> tuple[int, int]:
        """Of the two parts of a row."""
        width, size = self._widths
        second = {"pair": size + self.flags, "state": 0, "transition": width}[self.sees]
        return width + self.flags, second

    def __call__(
        self,
        observations: Tensor | npt.NDArray[Any],
        actions: Tensor | npt.NDArray[Any],
        next_observations: Tensor | npt.NDArray[Any],
        absorbing: npt.NDArray[np.bool_] | None = None,
    ) -> Pairs:
        """Rows (n, ...), differentiable by what comes in; `absorbing` (n,) become that pair."""
        first = self._state(observations)
        if self.sees == "state":
            second = first.new_zeros((len(first), 0))
        elif self.sees == "transition":
            second = self._state(next_observations)
        else:
            second = torch.as_tensor(actions, dtype=torch.float32)
            if self.flags:
                second = torch.nn.functional.pad(second, (0, 1))
        if absorbing is not None and absorbing.any():
            rows = torch.as_tensor(absorbing)
            pair = self.absorbing(1)
            first = torch.where(rows[:, None], pair.observations, first)
            second = torch.where(rows[:, None], pair.actions, second) if self.sees == "pair" else second
        return Pairs(first, second)

    def rows(self, observations: Array, actions: Array, next_observations: Array, absorbing: Array) -> Arrays:
        """The same as arrays of float32, for `quick_logits`."""
        parts = [self._rows(observations)]
        if self.sees == "pair":
            parts.append(_flagged(actions) if self.flags else actions)
        else:
            parts.append(self._rows(next_observations) if self.sees == "transition" else parts[0][:, :0])
        if self.flags and absorbing.any():
            for part in parts:
                part[absorbing] = 0.0
                part[absorbing, -1:] = 1.0
        return parts[0], parts[1]

    def _rows(self, observations: Array) -> Array:
        if self.standardise:
            observations = (observations - self.mean.numpy()) / self.deviation.numpy()
        observations = observations.astype(np.float32, copy=False)
        return _flagged(observations) if self.flags else observations

    def absorbing(self, count: int) -> Pairs:
        """So many absorbing pairs."""
        first, second = (torch.zeros((count, width)) for width in self.widths)
        first[:, -1] = 1.0
        if self.sees == "pair":
            second[:, -1] = 1.0
        return Pairs(first, second)

    def _state(self, observations: Tensor | npt.NDArray[Any]) -> Tensor:
        state = (torch.as_tensor(observations, dtype=torch.float32) - self.mean) / self.deviation
        return torch.nn.functional.pad(state, (0, 1)) if self.flags else state

    def state_dict(self) -> dict[str, Tensor]:
        """The unit."""
        return {"mean": self.mean.clone(), "deviation": self.deviation.clone()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take over what `state_dict` gave."""
        self.mean, self.deviation = state["mean"].cpu().clone(), state["deviation"].cpu().clone()


def _flagged(rows: Array) -> Array:
    """A copy with one more column, of zeros."""
    return np.concatenate([rows, np.zeros((len(rows), 1), np.float32)], axis=1)
