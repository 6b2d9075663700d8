"""Named signals to the one scalar the agent learns from."""

from __future__ import annotations

import difflib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from foundation.registry import Registry
from shaping.schedules import Schedule
from shaping.terms import FloatArray, Transitions


class Combiner(ABC):
    """Turns the signals of one step, "task" and one per term, into the reward."""

    name: str = ""
    registered_name: ClassVar[str] = ""

    @abstractmethod
    def bind(self, names: Sequence[str]) -> Sequence[str]:
        """Told the signals' names once. Returns the names of the parts it will report ("task" first).

        Raises:
            ValueError: the configuration names a signal that does not exist.
        """

    @abstractmethod
    def __call__(
        self, signals: Mapping[str, FloatArray], batch: Transitions, steps: int
    ) -> tuple[FloatArray, Sequence[FloatArray]]:
        """The reward (n_envs,), and its parts (n_envs,) in the order of `bind`'s answer.

        ``steps`` counts environment steps so far, this one not included.
        """

    def weight(self, name: str, steps: int) -> float:
        """By how much one more of a signal would have raised the reward at that step, for rewards that come later.

        Raises:
            ValueError: it is no sum, so there is no such number.
        """
        raise ValueError(f"{type(self).__name__} has no weights, so rewards of {name!r} cannot be changed later")

    def state_dict(self) -> dict[str, Any]:
        """Everything a resume needs."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:  # noqa: B027 - optional
        """Take over what `state_dict` gave."""


registry: Registry[Combiner] = Registry("combiner", "shaping")
"""Combiners by name."""


@registry.register("weighted_sum")
class WeightedSum(Combiner):
    """Σ weight(steps) · signal. A weight is a number or a `Schedule`; a signal without one has weight 1.

    ``withheld`` names signals that are reported among the parts and not paid: an `EpisodeTransform` decides about
    them when the episode is over.

    >>> combiner = WeightedSum({"events": 0.5, "rnd": "linear(1,0,1000000)"})
    """

    def __init__(
        self, weights: Mapping[str, float | str | Schedule] | None = None, withheld: Sequence[str] = ()
    ) -> None:
        self.weights: dict[str, Schedule] = {}
        for signal, weight in (weights or {}).items():
            try:
                self.weights[signal] = Schedule.parse(weight)
            except ValueError as error:
                raise ValueError(f"weight of {signal!r}: {error}") from None
        self.withheld = tuple(withheld)
        self._paid: list[bool] = []
        self._order: list[tuple[str, Schedule]] = []

    def bind(self, names: Sequence[str]) -> Sequence[str]:
        for kind, given in (("weight", self.weights), ("withheld", self.withheld)):
            for signal in given:
                if signal not in names:
                    near = difflib.get_close_matches(signal, names, n=3, cutoff=0.4) or list(names)
                    raise ValueError(
                        f"{kind} names {signal!r}, which is no signal here; did you mean {' or '.join(near)}?"
                    )
        one = Schedule.parse(1.0)
        self._order = [(name, self.weights.get(name, one)) for name in names]
        self._paid = [name not in self.withheld for name in names]
        return list(names)

    def weight(self, name: str, steps: int) -> float:
        return next(schedule(steps) for signal, schedule in self._order if signal == name)

    def __call__(
        self, signals: Mapping[str, FloatArray], batch: Transitions, steps: int
    ) -> tuple[FloatArray, Sequence[FloatArray]]:
        total: FloatArray | None = None
        parts = []
        for (name, schedule), paid in zip(self._order, self._paid, strict=True):
            weight = schedule(steps)
            part = signals[name] if weight == 1.0 else weight * signals[name]
            parts.append(part)
            if paid:
                total = part if total is None else total + part
        return (np.zeros(len(batch)) if total is None else total), parts
