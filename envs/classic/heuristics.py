"""Worlds of Gupta et al. 2023 pay a heuristic beside the task: the reward channel "heuristic"."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from envs.typing import FloatArray

CHANNEL = "heuristic"
REPORTS = frozenset({"reward_channels"})


def channels(values: FloatArray, reported: Collection[str]) -> Mapping[str, Sequence[Any]]:
    """The entry of a step, {"heuristic": number} a world; none where it is not among `reported`."""
    if REPORTS.isdisjoint(reported):
        return {}
    return {"reward_channels": [{CHANNEL: value} for value in values.tolist()]}
