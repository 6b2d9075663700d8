"""Worlds of Gupta et al. 2023 pay a heuristic beside the task: the reward channel "heuristic"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from envs.typing import FloatArray

CHANNEL = "heuristic"
REPORTS = frozenset({"reward_channels"})


def channels(values: FloatArray) -> Mapping[str, Sequence[Any]]:
    """The entry of a step: {"heuristic": number} a world."""
    return {"reward_channels": [{CHANNEL: value} for value in values.tolist()]}
