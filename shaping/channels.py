"""Rewards that the environment itself tells apart by name."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np

from foundation.naming import nearest
from shaping.registry import register_term
from shaping.terms import FloatArray, Info, RewardTerm, RewardTermError, Transitions

ENTRY = "reward_channels"


@register_term("channels")
class ChannelsTerm(RewardTerm):
    """Pays what the environment reports by name in ``info["reward_channels"]``, side by side.

    The entry is a mapping of channel -> number on every step; a channel that it leaves out is 0 on
    that step. Values are paid raw: weights, transforms and gates come later. Each channel is the
    signal "channels/<name>". Several terms may share an environment's channels.

    Args:
        names: the channels to pay; those of the environment's card where it has some.
        known: all channels that the environment may report; () for ``names`` alone.

    Raises:
        ValueError: ``names`` is empty, holds a name twice, or one that is not among ``known``.
        RewardTermError: on a step, the environment reports no mapping, a channel that is not known,
            or something else than a finite number. Says the row, the channel, and what is known.
    """

    card = {"names": "channels", "known": "channels"}
    requires = frozenset({ENTRY})

    def __init__(self, names: Sequence[str] = (), known: Sequence[str] = ()) -> None:
        self.channels = _distinct("names", names)
        if not self.channels:
            raise ValueError(f"names is empty; name at least one channel of info[{ENTRY!r}]")
        self.known = _distinct("known", known) or self.channels
        for name in self.channels:
            if name not in self.known:
                raise ValueError(f"names holds {name!r}, which is no channel here.{_hint(name, self.known)}")
        self._column = {name: column for column, name in enumerate(self.channels)}

    def __call__(self, batch: Transitions) -> FloatArray:
        values = np.zeros((len(self.channels), len(batch)))
        for row, info in enumerate(batch.infos):
            for name, value in self._reported(row, info).items():
                if name in self._column:
                    values[self._column[name], row] = self._number(row, name, value)
                elif name not in self.known:
                    raise RewardTermError(
                        f"{self._where(row, name)}, which it was not known to have.{_hint(str(name), self.known)} "
                        "Name it in names to pay it, or in known to leave it"
                    )
        return values

    def _reported(self, row: int, info: Info) -> Mapping[str, Any]:
        channels = info.get(ENTRY)
        if isinstance(channels, Mapping):
            return channels
        raise RewardTermError(
            f"environment {row} gave {channels!r} as info[{ENTRY!r}]; reward term {self.name!r} expects a mapping of "
            f"channel to number on every step, {{}} where nothing is paid. Known are {', '.join(self.known)}"
        )

    def _number(self, row: int, name: str, value: Any) -> float:
        if isinstance(value, Real) and math.isfinite(value):
            return float(value)
        raise RewardTermError(
            f"{self._where(row, name)} as {value!r}; reward term {self.name!r} expects a finite number. Find out where "
            f"it comes from. Known are {', '.join(self.known)}"
        )

    def _where(self, row: int, name: Any) -> str:
        return f"environment {row} reports the reward channel {name!r}"


def _distinct(what: str, names: Sequence[str]) -> tuple[str, ...]:
    if isinstance(names, str):
        raise ValueError(f"{what} is a list of channels, not the one text {names!r}; write [{names}]")
    for name in names:
        if not isinstance(name, str) or not name.strip():
            raise ValueError(f"{what} holds {name!r}; a channel has a name")
    twice = sorted({name for name in names if list(names).count(name) > 1})
    if twice:
        raise ValueError(f"{what} holds {', '.join(twice)} more than once")
    return tuple(names)


def _hint(name: str, known: Sequence[str]) -> str:
    return f"{nearest(name, known)} Known are {', '.join(known)}."
