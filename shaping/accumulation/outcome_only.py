"""The outcome alone: every critic is left out."""

from __future__ import annotations

from collections.abc import Iterable

from shaping.accumulation.direct import Direct
from shaping.episodes import registry


@registry.register("outcome_only")
class OutcomeOnly(Direct):
    """Pays the outcome's signals and nothing else; the sparse baseline of `Gated`.

    The others are still measured: the metric "masked" is what they would have paid.

    Args:
        outcome: names or patterns of the signals that are paid.
        release, discount_correct: as those of `Direct`.
    """

    def counted(self, signals: Iterable[str]) -> tuple[str, ...]:
        return self.outcome
