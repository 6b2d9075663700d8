"""Sets of signals: named or by pattern, and what they come to over an episode."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

from shaping.parts import signals_of
from shaping.transitions import FloatArray


def matching(names: Sequence[str], signals: Sequence[str], what: str) -> tuple[str, ...]:
    """The signals that names, terms' names or patterns with ``*`` stand for, each once, in order.

    >>> matching(["task", "critic/f*"], ["critic/format", "critic/edit", "task"], "a level")
    ('critic/format', 'task')

    Raises:
        ValueError: one stands for none; ``what`` says what it was given for.
    """
    if isinstance(names, str):
        raise ValueError(f"{what} is a list of signals, not the one text {names!r}; write [{names}]")
    if not names:
        raise ValueError(f"{what} names no signal; signals are {', '.join(signals)}")
    chosen = {signal for name in names for signal in _named(name, signals, what)}
    return tuple(signal for signal in signals if signal in chosen)


def total(values: Mapping[str, FloatArray], names: Iterable[str]) -> float:
    """The sum of some signals over all steps, rounded once: ten times 0.1 reaches a gate of 1."""
    return math.fsum(value for name in names for value in values[name].tolist())


def _named(name: str, signals: Sequence[str], what: str) -> list[str]:
    if "*" not in name:
        return signals_of(name, signals, what)
    chosen = [signal for signal in signals if fnmatchcase(signal, name)]
    if not chosen:
        raise ValueError(
            f"{what} is given for {name!r}, which matches no signal here; signals are {', '.join(signals)}"
        )
    return chosen
