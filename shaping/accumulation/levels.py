"""Levels of priority: which signals count for more than which."""

from __future__ import annotations

from collections.abc import Sequence

from shaping.accumulation.signal_sets import matching
from shaping.parts import TASK

TASK_FIRST = ((TASK,), ("*",))
"""The task above everything else."""


class Levels:
    """Signals in levels, the one nearest to the goal first.

    Args:
        levels: for each level the names or patterns of its signals. A signal belongs to the first
            level that names it, so ``*`` in the last one is all the rest.

    Raises:
        ValueError: fewer than two levels.
    """

    def __init__(self, levels: Sequence[Sequence[str]] | None = None) -> None:
        self._given = [list(level) if not isinstance(level, str) else level for level in levels or TASK_FIRST]
        if len(self._given) < 2:
            raise ValueError("levels has one level; a gate needs two: [[outcome], [critic]], the highest first")

    def __len__(self) -> int:
        return len(self._given)

    def resolved(self, signals: Sequence[str]) -> tuple[tuple[str, ...], ...]:
        """The signals of each level.

        Raises:
            ValueError: a name stands for no signal, a level is left with none, or a signal is in no
                level: it would be paid whatever the gates say.
        """
        found: list[tuple[str, ...]] = []
        rest = list(signals)
        for number, level in enumerate(self._given, start=1):
            named = matching(level, signals, f"level {number}")
            found.append(tuple(signal for signal in named if signal in rest))
            rest = [signal for signal in rest if signal not in named]
            if not found[-1]:
                raise ValueError(f"level {number} is left without a signal: those above it name {', '.join(named)} too")
        if rest:
            raise ValueError(
                f"{', '.join(rest)} stand in no level; name them in one, or give the lowest the pattern '*'"
            )
        return tuple(found)
