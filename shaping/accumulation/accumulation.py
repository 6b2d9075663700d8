"""What the accumulations of an episode's signals have in common: an outcome, and metrics."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from shaping.accumulation.signal_sets import matching, total
from shaping.episodes import Episode, EpisodeTransform
from shaping.parts import TASK, Setting
from shaping.transitions import FloatArray, Rollout

OUTCOME = (TASK,)
"""The signals that say what an episode came to, unless the configuration names others."""
WINDOW = 100  # episodes in the metrics, as in the house's other statistics


class Accumulation(EpisodeTransform):
    """Base class: an episode's signals, of which some are its outcome, to its rewards.

    Metrics are means over the last 100 episodes that ended, those of earlier rollouts: a rollout's
    own episodes are decided about after `update`. "outcome" is the raw sum of the outcome signals.

    Args:
        outcome: names or patterns of the outcome signals.
    """

    reads_rollout = False

    def __init__(self, outcome: Sequence[str] = OUTCOME) -> None:
        self.outcome: tuple[str, ...] = tuple(outcome)
        self._window: deque[dict[str, float]] = deque(maxlen=WINDOW)

    def bind(self, setting: Setting) -> None:
        """Find the outcome's signals.

        Raises:
            ValueError: a name or pattern stands for no signal.
        """
        self.outcome = matching(self.outcome, setting.signals, "the outcome")

    def others(self, signals: Iterable[str]) -> tuple[str, ...]:
        """The signals that are not the outcome's."""
        return tuple(signal for signal in signals if signal not in self.outcome)

    def note(self, episode: Episode, **figures: float) -> None:
        """Take an episode that is over into the metrics."""
        if episode.ending != "cut":
            self._window.append({"outcome": total(episode.signals, self.outcome), **figures})

    def update(self, rollout: Rollout) -> Mapping[str, float]:
        """The metrics; none before an episode has ended."""
        names = self._window[0] if self._window else ()
        return {name: float(np.mean([figures[name] for figures in self._window])) for name in names}

    def state_dict(self) -> dict[str, Any]:
        return {"window": [dict(figures) for figures in self._window]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._window = deque((dict(figures) for figures in state["window"]), maxlen=WINDOW)


def summed(values: Mapping[str, FloatArray], names: Iterable[str], length: int) -> FloatArray:
    """The sum of some signals at every step (length,)."""
    steps = np.zeros(length)
    for name in names:
        steps += values[name]
    return steps
