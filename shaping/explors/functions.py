"""What designers learn: a number for each action in a state, or one for the state."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor

from shaping.observation_features import Features, ObservationFeatures
from shaping.transitions import FloatArray, Observations

Kind = Literal["auto", "table", "network"]
KINDS: tuple[Kind, ...] = ("auto", "table", "network")
MOST_STATES = 1024  # of a Discrete observation that is told apart exactly
EMBEDDING = 64  # numbers that stand for a grid of names


class StateFeatures:
    """Observations as rows of numbers: a Discrete one exactly, as a place in a row of zeros.

    Others by `ObservationFeatures`, and so is a Discrete one of more than 1024 states.

    Args:
        space: of one environment's observation.
        keys: entries of a Dict observation to look at; None: all.
        random: for what stands for names.

    Raises:
        ValueError: a key that the observations lack, or an entry that has no numbers.
    """

    def __init__(self, space: spaces.Space[Any], keys: Sequence[str] | None, random: np.random.Generator) -> None:
        self.exact = isinstance(space, spaces.Discrete) and space.n <= MOST_STATES
        self._others: ObservationFeatures | None = None
        if self.exact and not keys:
            assert isinstance(space, spaces.Discrete)
            self.width, self._start = int(space.n), int(space.start)
        else:
            self._others = ObservationFeatures(space, keys, EMBEDDING, random)
            self.width = self._others.width

    def __call__(self, observations: Observations) -> Features:
        """(n, width)"""
        if self._others is not None:
            return self._others(observations)
        assert not isinstance(observations, dict)
        states = observations.reshape(-1).astype(np.int64) - self._start
        rows = np.zeros((len(states), self.width), np.float32)
        rows[np.arange(len(states)), states] = 1.0
        return rows

    def learn(self, observations: Observations) -> None:
        """Take observations into running statistics, where there are some."""
        if self._others is not None:
            self._others.learn(observations)

    def state_dict(self) -> dict[str, Any]:
        return {} if self._others is None else self._others.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        if self._others is not None:
            self._others.load_state_dict(state)


class LearnedFunction:
    """A table or a small network over rows of features, 0 everywhere at first.

    A table is linear in rows with a single 1 and takes plain gradient steps; a network has one
    hidden layer of rectifiers and takes Adam's.

    Args:
        kind: "table" or "network".
        width: of the rows.
        outputs: how many numbers it gives.
        hidden: width of the network's hidden layer.
        rate: of a gradient step.
        bound: what it gives is bounded by ±bound: a network through bound · tanh, a table by
            cutting its entries after each step. None: not at all.
        random: for the network's weights.
    """

    def __init__(
        self,
        kind: str,
        width: int,
        outputs: int,
        *,
        hidden: int,
        rate: float,
        bound: float | None,
        random: np.random.Generator,
    ) -> None:
        self._kind, self._bound = kind, bound
        self._layers: list[Features]
        if kind == "table":
            self._layers = [np.zeros((width, outputs), np.float32)]
        else:
            scaled = random.standard_normal((width, hidden)) * math.sqrt(2.0 / width)
            self._layers = [
                scaled.astype(np.float32), np.zeros(hidden, np.float32),
                np.zeros((hidden, outputs), np.float32), np.zeros(outputs, np.float32),
            ]  # fmt: skip
        # the same memory: optimisers write in place, so that scoring sees the newest weights
        self._parameters = [torch.from_numpy(layer).requires_grad_() for layer in self._layers]
        self._optimiser: torch.optim.Optimizer = (
            torch.optim.SGD(self._parameters, lr=rate)
            if kind == "table"
            else torch.optim.Adam(self._parameters, lr=rate)
        )

    def __call__(self, features: Features) -> FloatArray:
        """(n, outputs)"""
        values = features @ self._layers[0]
        if self._kind == "network":
            values = np.maximum(values + self._layers[1], 0.0) @ self._layers[2] + self._layers[3]
            if self._bound is not None:
                values = np.float32(self._bound) * np.tanh(values)
        return values.astype(np.float64)

    def tensor(self, features: Tensor) -> Tensor:
        """The same (n, outputs) with its gradient."""
        values = features @ self._parameters[0]
        if self._kind == "network":
            hidden = torch.relu(values + self._parameters[1])
            values = torch.addmm(self._parameters[3], hidden, self._parameters[2])
            if self._bound is not None:
                values = self._bound * torch.tanh(values)
        return values

    def descend(self, loss: Tensor) -> None:
        """One gradient step down the loss."""
        self._optimiser.zero_grad()
        loss.backward()
        self._optimiser.step()
        if self._kind == "table" and self._bound is not None:
            np.clip(self._layers[0], -self._bound, self._bound, out=self._layers[0])

    def state_dict(self) -> dict[str, Any]:
        return {
            "layers": [layer.copy() for layer in self._layers],
            "optimiser": _copied(self._optimiser.state_dict()),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over a state.

        Raises:
            ValueError: it is of another shape.
        """
        shapes = [layer.shape for layer in self._layers], [np.shape(layer) for layer in state["layers"]]
        if shapes[0] != shapes[1]:
            raise ValueError(
                f"the saved layers are {shapes[1]}, these {shapes[0]}: resume with the same keys, function and hidden"
            )
        for layer, saved in zip(self._layers, state["layers"], strict=True):
            layer[...] = saved
        self._optimiser.load_state_dict(_copied(state["optimiser"]))


def chosen_kind(kind: str, features: StateFeatures) -> str:
    """What "auto" stands for: a table where states are told apart exactly, else a network.

    Raises:
        ValueError: a table is asked for and they are not.
    """
    if kind == "table" and not features.exact:
        raise ValueError(
            f"function=table needs a Discrete observation of at most {MOST_STATES} states; use function=network"
        )
    return kind if kind != "auto" else "table" if features.exact else "network"


def _copied(state: Any) -> Any:
    """A state whose tensors are nobody else's."""
    if isinstance(state, Tensor):
        return state.clone()
    if isinstance(state, dict):
        return {key: _copied(value) for key, value in state.items()}
    if isinstance(state, list):
        return [_copied(value) for value in state]
    return state
