"""Gradient ascent with running sizes, as torch's RMSprop and Adam have them, over plain arrays."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from agents.behaviour_alignment.objectives import FloatArray

KINDS = ("rmsprop", "adam")
EPSILON = 1e-8


def fresh_state(shape: tuple[int, ...]) -> dict[str, Any]:
    """Of an optimiser that has seen nothing: plain values, which its owner keeps and saves."""
    return {"steps": 0, "mean": np.zeros(shape), "square": np.zeros(shape)}


class Ascent:
    """One parameter's optimiser.

    Args:
        kind: "rmsprop" (α = .99) or "adam" (β = .9, .999).
        rate: the learning rate.
        state: of `fresh_state`, or of an earlier one; written to.
    """

    def __init__(self, kind: str, rate: float, state: dict[str, Any]) -> None:
        self.kind, self.rate, self.state = kind, rate, state

    def step(self, gradient: FloatArray) -> FloatArray:
        """Take in a gradient; what the parameter changes by."""
        rates = self.rates(gradient)
        change: FloatArray = rates * (self.state["mean"] if self.kind == "adam" else gradient)
        return change

    def rates(self, gradient: FloatArray) -> FloatArray:
        """Take in a gradient; what it, or Adam's running mean, is multiplied with elementwise."""
        state = self.state
        state["steps"] += 1
        if self.kind == "rmsprop":
            state["square"] = 0.99 * state["square"] + 0.01 * gradient * gradient
            rates: FloatArray = self.rate / (np.sqrt(state["square"]) + EPSILON)
            return rates
        state["mean"] = 0.9 * state["mean"] + 0.1 * gradient
        state["square"] = 0.999 * state["square"] + 0.001 * gradient * gradient
        unbiased = state["square"] / (1.0 - 0.999 ** state["steps"])
        rate = self.rate / (1.0 - 0.9 ** state["steps"])
        return np.asarray(rate / (np.sqrt(unbiased) + EPSILON))

    def copy(self) -> Ascent:
        """Another that goes on from the same state."""
        return Ascent(self.kind, self.rate, copy.deepcopy(self.state))
