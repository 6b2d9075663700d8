"""The potential-based form of signals: they guide, and the best policy stays the best."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from foundation.checks import one_of
from shaping.accumulation.accumulation import OUTCOME, Accumulation, summed
from shaping.accumulation.signal_sets import matching, total
from shaping.episodes import Episode, registry
from shaping.parts import Setting
from shaping.transitions import FloatArray


@registry.register("potential")
class SignalPotential(Accumulation):
    """Pays γ·Φ(s') − Φ(s) instead of some signals, with Φ what they have come to so far.

    Source: Ng, Harada and Russell 1999. The policy-invariant reference beside `Gated`. Φ is 0 at an
    episode's start and after termination; after truncation, where the agent goes on with V(s'), it
    stays. The sum telescopes: over an episode that terminates at gamma 1 it is 0. What is not named
    is paid as it comes. It does not look ahead, so it answers for unfinished episodes too.

    The metric "masked" is what the signals would have paid, less what was paid.

    Args:
        signals: names or patterns; the outcome's are left out.
        outcome: names or patterns of the signals that always stay rewards.
        form: "sum": Φ is the weighted sum of the signals so far. "value": a signal is itself the
            state's worth, such as the share of tests that pass, and Φ its newest value.

    Raises:
        ValueError: at `bind`, a name stands for no signal, or only the outcome is left.
    """

    def __init__(
        self,
        signals: Sequence[str] = ("*",),
        outcome: Sequence[str] = OUTCOME,
        form: Literal["sum", "value"] = "sum",
    ) -> None:
        super().__init__(outcome)
        self.signals: tuple[str, ...] = tuple(signals)
        self.form = one_of("form", form, ("sum", "value"))

    def bind(self, setting: Setting) -> None:
        super().bind(setting)
        self._bootstraps = setting.bootstraps
        self.signals = self.others(matching(self.signals, setting.signals, "a potential"))
        if not self.signals:
            raise ValueError(f"only the outcome is left: name a signal beside {', '.join(self.outcome)}")

    def __call__(self, episode: Episode) -> FloatArray | None:
        signals = summed(episode.contributions, self.signals, len(episode))
        shaping = self._shaping(signals, episode)
        self.note(episode, masked=total(episode.contributions, self.signals) - float(shaping.sum()))
        rest = [name for name in episode.signals if name not in self.signals]
        return summed(episode.contributions, rest, len(episode)) + shaping

    def _shaping(self, signals: FloatArray, episode: Episode) -> FloatArray:
        """γ·Φ(s') − Φ(s) at every step (T,)."""
        after = np.cumsum(signals) if self.form == "sum" else signals.copy()
        before = np.concatenate([np.zeros(1), after])[: len(after)]
        if episode.ending == "terminated" or (episode.ending == "truncated" and not self._bootstraps):
            after[-1:] = 0.0
        return episode.gamma * after - before
