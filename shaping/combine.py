"""Named signals to the one scalar the agent learns from."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence

import numpy as np

from foundation.registry import Registry
from shaping.parts import Part, Setting, signals_of
from shaping.schedules import Schedule
from shaping.transitions import FloatArray, Transitions


class Combiner(Part):
    """Turns the signals of one step, "task" and those of every term, into the reward."""

    parts: tuple[str, ...] = ()
    """Names of what it reports in ``reward_terms``, "task" first, known after `bind`."""

    withheld: tuple[str, ...] = ()
    """Signals that are weighted and reported and not paid, known after `bind`."""

    def bind(self, setting: Setting) -> None:
        """Reports every signal, unless a subclass sets `parts` to something else.

        Raises:
            ValueError: the configuration names a signal that does not exist.
        """
        self.parts = setting.signals

    @abstractmethod
    def __call__(
        self, signals: Mapping[str, FloatArray], batch: Transitions, steps: int
    ) -> tuple[FloatArray, Sequence[FloatArray]]:
        """The reward (n_envs,), and its parts (n_envs,) in the order of `parts`.

        ``steps`` counts environment steps so far, this one not included.
        """

    def weights(self, steps: int) -> Mapping[str, float]:
        """Signal -> by how much one more of it counts at that step; withheld ones too.

        Raises:
            ValueError: it is no sum, so there are no such numbers.
        """
        raise ValueError(f"the combiner {type(self).__name__} is no weighted sum, so pay cannot be changed afterwards")


registry: Registry[Combiner] = Registry("combiner", "shaping")
"""Combiners by name."""


@registry.register("weighted_sum")
class WeightedSum(Combiner):
    """Σ weight(steps) · signal. A weight is a number or a `Schedule`; 1 where none is given.

    A term's name stands for all of its channels; a channel's own weight comes on top of the term's.
    ``withheld`` names signals that are reported among the parts and not paid: an `EpisodeTransform`
    decides about them when the episode is over.

    >>> combiner = WeightedSum({"events": 0.5, "rnd": "linear(1,0,1000000)"})
    >>> combiner = WeightedSum({"critic": 2.0, "critic/format": 0.1}, withheld=["critic"])
    """

    def __init__(
        self, weights: Mapping[str, float | str | Schedule] | None = None, withheld: Sequence[str] = ()
    ) -> None:
        self._given: dict[str, Schedule] = {}
        for name, weight in (weights or {}).items():
            try:
                self._given[name] = Schedule.parse(weight)
            except ValueError as error:
                raise ValueError(f"weight of {name!r}: {error}") from None
        self._held = tuple(withheld)

    def bind(self, setting: Setting) -> None:
        super().bind(setting)
        constants = dict.fromkeys(self.parts, 1.0)
        schedules: dict[str, list[Schedule]] = {signal: [] for signal in self.parts}
        for name, schedule in self._given.items():
            for signal in signals_of(name, self.parts, "a weight"):
                if schedule.is_constant:
                    constants[signal] *= schedule(0)
                else:
                    schedules[signal].append(schedule)
        self.withheld = tuple(signal for name in self._held for signal in signals_of(name, self.parts, "withheld"))
        self._order = [
            (signal, constants[signal], tuple(schedules[signal]), signal not in self.withheld) for signal in self.parts
        ]

    @property
    def is_constant(self) -> bool:
        """Does no weight change over a run?"""
        return not any(schedules for _, _, schedules, _ in self._order)

    def weights(self, steps: int) -> Mapping[str, float]:
        return {
            signal: math.prod([schedule(steps) for schedule in schedules], start=constant)
            for signal, constant, schedules, _ in self._order
        }

    def __call__(
        self, signals: Mapping[str, FloatArray], batch: Transitions, steps: int
    ) -> tuple[FloatArray, Sequence[FloatArray]]:
        total: FloatArray | None = None
        parts = []
        for signal, weight, schedules, paid in self._order:
            for schedule in schedules:
                weight *= schedule(steps)
            part = signals[signal] if weight == 1.0 else weight * signals[signal]
            parts.append(part)
            if paid:
                total = part if total is None else total + part
        return (np.zeros(len(batch)) if total is None else total), parts
