"""The outcome alone: every critic is left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from shaping.accumulation.accumulation import OUTCOME, Accumulation, summed
from shaping.accumulation.release import Release
from shaping.accumulation.signal_sets import total
from shaping.episodes import Episode, registry
from shaping.parts import Setting
from shaping.transitions import FloatArray


@registry.register("outcome_only")
class OutcomeOnly(Accumulation):
    """Pays the outcome's signals and nothing else; the sparse baseline of `Gated`.

    The others are still measured: the metric "masked" is what they would have paid.

    Args:
        outcome: names or patterns of the signals that are paid.
        release: "per_step" or "terminal".
        discount_correct: see `Release`.
    """

    def __init__(
        self,
        outcome: Sequence[str] = OUTCOME,
        release: Literal["per_step", "terminal"] = "per_step",
        discount_correct: bool = False,
    ) -> None:
        super().__init__(outcome)
        self._release = Release(release, "per_step", discount_correct)

    def bind(self, setting: Setting) -> None:
        super().bind(setting)
        self._release.bind(setting)

    def __call__(self, episode: Episode) -> FloatArray | None:
        if episode.ending == "cut" and self._release.is_terminal:
            return None
        self.note(episode, masked=total(episode.contributions, self.others(episode.signals)))
        return self._release(summed(episode.contributions, self.outcome, len(episode)), episode.gamma)
