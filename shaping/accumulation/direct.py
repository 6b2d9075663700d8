"""Direct accumulation: the sum of all signals, whatever became of the episode."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from shaping.accumulation.accumulation import OUTCOME, Accumulation, summed
from shaping.accumulation.release import Release
from shaping.accumulation.signal_sets import total
from shaping.episodes import Episode, registry
from shaping.parts import Setting
from shaping.transitions import FloatArray


@registry.register("direct")
class Direct(Accumulation):
    """Every signal counts, each step its weighted sum (D-RA); the control of `Gated`.

    Source: Sun et al. 2025, arXiv 2508.10548: R(τ) = Σ_i Σ_t r^(i)_t. With ``release="terminal"``
    it is the gate that is always open, paid at the end: what moving the pay alone does.

    Args:
        outcome: names or patterns of the signals that the metric "outcome" tells of.
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
        counted = self.counted(episode.signals)
        left_out = [name for name in episode.signals if name not in counted]
        self.note(episode, masked=total(episode.contributions, left_out))
        return self._release(summed(episode.contributions, counted, len(episode)), episode.gamma)

    def counted(self, signals: Iterable[str]) -> tuple[str, ...]:
        """The signals that are paid, of all of an episode's."""
        return tuple(signals)
