"""The Rocket tasks and their cards."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from envs.catalogue import NAMESPACE, Option

_SITUATIONS: dict[str, float] = {"kickoff": 0.4, "kickoff_like": 0.2, "random": 0.4}
TASKS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        f"{NAMESPACE}RocketShoot-v0": {
            "blue": 1, "orange": 0, "observation": "shoot", "actions": "shoot", "starts": {"shoot": 1.0},
            "seconds": 6.0, "no_touch_seconds": None,
        },
        f"{NAMESPACE}RocketGoalie-v0": {
            "blue": 1, "orange": 0, "starts": {"goalie": 1.0}, "seconds": 6.0, "no_touch_seconds": None,
        },
        f"{NAMESPACE}Rocket1v1-v0": {"blue": 1, "orange": 1, "starts": _SITUATIONS},
        f"{NAMESPACE}Rocket2v2-v0": {"blue": 2, "orange": 2, "starts": _SITUATIONS, "observation": "lucy"},
        f"{NAMESPACE}Rocket3v3-v0": {"blue": 3, "orange": 3, "starts": _SITUATIONS, "observation": "lucy"},
    }
)  # fmt: skip
"""Id -> what is played; every entry can be given anew: `make_vec(id, n, seconds=30.0)`."""


def _card(name: str, task: str, steps: int, words: str) -> Option:
    return Option(
        f"rocket/{name}",
        f"{NAMESPACE}Rocket{task}-v0",
        steps=steps,
        events=("touch", "goal"),
        task=words,
        statistics=True,
    )


OPTIONS = (
    _card("shoot", "Shoot", 300_000, "Drive to the ball and shoot it into the orange goal."),
    _card("goalie", "Goalie", 300_000, "Keep the ball out of your goal."),
    _card("1v1", "1v1", 3_000_000, "Score more goals than the other car."),
    _card("2v2", "2v2", 10_000_000, "Score more goals than the other team."),
    _card("3v3", "3v3", 10_000_000, "Score more goals than the other team."),
)
