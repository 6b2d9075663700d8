"""Adam (Kingma and Ba 2015, algorithm 1) in one compiled loop, on the state that torch's keeps.

With networks of 200,000 weights in two dozen tensors torch's fused step spends more on collecting
them than on computing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor

from agents.features.distinct import weights_change

PLAIN = {"weight_decay": 0, "amsgrad": False, "maximize": False, "decoupled_weight_decay": False}
"""Settings of a group that this loop knows."""


class CompiledAdam:
    """Steps of a `torch.optim.Adam`, whose state it reads and writes.

    Args:
        optimizer: with a state for all parameters; see `of`.
        parameters: in the order of the gradient.
    """

    def __init__(self, optimizer: torch.optim.Adam, parameters: Sequence[Tensor]) -> None:
        states = [optimizer.state[parameter] for parameter in parameters]
        self._group = optimizer.param_groups[0]
        self._parameters = tuple(_flat(parameter) for parameter in parameters)
        self._means = tuple(_flat(state["exp_avg"]) for state in states)
        self._squares = tuple(_flat(state["exp_avg_sq"]) for state in states)
        self._steps = [state["step"].numpy() for state in states]

    @classmethod
    def of(cls, optimizer: torch.optim.Optimizer, parameters: Sequence[Tensor]) -> CompiledAdam | None:
        """That of an optimiser; None for another than plain Adam, and before its own first step."""
        if type(optimizer) is not torch.optim.Adam or len(optimizer.param_groups) != 1:
            return None
        group = optimizer.param_groups[0]
        plain = all(group.get(name, value) == value for name, value in PLAIN.items())
        states = [optimizer.state.get(parameter) for parameter in parameters]
        tensors = [
            tensor
            for parameter, state in zip(parameters, states, strict=True)
            for tensor in (parameter, *(() if not state else (state["exp_avg"], state["exp_avg_sq"])))
        ]
        readable = all(
            tensor.dtype is torch.float32 and tensor.device.type == "cpu" and tensor.is_contiguous()
            for tensor in tensors
        )
        same = len(group["params"]) == len(parameters) and not isinstance(group["lr"], Tensor)
        return cls(optimizer, parameters) if plain and readable and same and all(states) else None

    def step(self, gradient: Tensor, scale: float = 1.0) -> None:
        """One step down a gradient, all parameters' end to end, times `scale`."""
        for step in self._steps:
            step += 1
        first, second = self._group["betas"]
        taken = float(self._steps[0])
        _step(
            self._parameters, self._means, self._squares, gradient.numpy(), np.float32(scale),
            np.float32(first), np.float32(second), np.float32(self._group["lr"] / (1 - first**taken)),
            np.float32(1 / np.sqrt(1 - second**taken)), np.float32(self._group["eps"]),
        )  # fmt: skip
        weights_change()


def _flat(tensor: Tensor) -> NDArray[np.float32]:
    return tensor.detach().numpy().reshape(-1)


# numpy's way with a division by zero: Python's checks each, which keeps loops from being vectorised
@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _descend(
    parameter: Any, mean: Any, square: Any, gradient: Any, scale: Any, first: Any, second: Any, rate: Any,
    correction: Any, eps: Any,
) -> None:  # fmt: skip
    one = np.float32(1)
    for place in range(len(parameter)):
        slope = gradient[place] * scale
        new_mean = first * mean[place] + (one - first) * slope
        new_square = second * square[place] + (one - second) * slope * slope
        mean[place], square[place] = new_mean, new_square
        parameter[place] -= rate * new_mean / (np.sqrt(new_square) * correction + eps)


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _step(
    parameters: Any, means: Any, squares: Any, gradient: Any, scale: Any, first: Any, second: Any, rate: Any,
    correction: Any, eps: Any,
) -> None:  # fmt: skip
    start = 0
    for index in range(len(parameters)):
        parameter = parameters[index]
        part = gradient[start : start + len(parameter)]
        start += len(parameter)
        _descend(parameter, means[index], squares[index], part, scale, first, second, rate, correction, eps)
