"""A finished episode's signals to its rewards."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from foundation.checks import number
from foundation.registry import Registry
from shaping.parts import Part, Setting, signals_of
from shaping.transitions import FloatArray, Info

Ending = Literal["terminated", "truncated", "cut"]


@dataclass(frozen=True)
class Episode:
    """One environment's episode: what every part of the reward said at each of its T steps.

    ``ending`` is "cut" for an episode that is not over yet: the end of a rollout cuts it.
    """

    signals: Mapping[str, FloatArray]  # (T,) each, raw: after transforms, before weights; withheld ones too
    weights: Mapping[str, FloatArray]  # (T,) each, at that step
    paid: FloatArray  # (T,), when the steps were taken
    ending: Ending
    last_info: Info  # of its last step so far
    gamma: float  # the agent's own discount
    env: int = 0  # its row in the vector environment
    start: int = 0  # number of its first step, as `Rollout.first` counts them

    @cached_property
    def contributions(self) -> dict[str, FloatArray]:
        """Signal -> weight times signal (T,)."""
        return {name: self.weights[name] * values for name, values in self.signals.items()}

    def __len__(self) -> int:
        return len(self.paid)


class EpisodeTransform(Part):
    """Decides an episode's rewards with the whole episode in view."""

    @abstractmethod
    def __call__(self, episode: Episode) -> FloatArray | None:
        """The rewards (T,) that the steps should have had, or None: leave them as they are.

        Most transforms answer None to an episode that is cut; it comes again when it is longer or
        over. One that does not look ahead may answer for the steps so far.
        """


registry: Registry[EpisodeTransform] = Registry("episode transform", "shaping")
"""Episode transforms by name."""


@registry.register("per_step")
class PerStep(EpisodeTransform):
    """Every step gets the weighted sum of its own contributions.

    With weights 1 that is what a combiner that withholds nothing pays. It does not look ahead, so
    it answers for unfinished episodes too.
    """

    def __init__(self, weights: Mapping[str, float] | None = None) -> None:
        self._given = {name: number(f"the weight of {name!r}", weight) for name, weight in (weights or {}).items()}

    def bind(self, setting: Setting) -> None:
        self._weights = dict.fromkeys(setting.signals, 1.0)
        for name, weight in self._given.items():
            for signal in signals_of(name, setting.signals, "a weight"):
                self._weights[signal] *= weight

    def __call__(self, episode: Episode) -> FloatArray | None:
        total = np.zeros(len(episode))
        for name, values in episode.contributions.items():
            total += self._weights[name] * values
        return total


@registry.register("terminal_release")
class TerminalRelease(EpisodeTransform):
    """What was withheld during an episode is paid on its last step.

    The undiscounted sum stays. With a discount below 1 an early reward is worth less than under
    `PerStep`, so shorter episodes gain.
    """

    def __call__(self, episode: Episode) -> FloatArray | None:
        if episode.ending == "cut":
            return None
        wanted = episode.paid.copy()
        wanted[-1] += sum(float(values.sum()) for values in episode.contributions.values()) - float(episode.paid.sum())
        return wanted
