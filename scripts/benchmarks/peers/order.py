"""What a peer is told to train, and what it answers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.benchmarks.peers.played import Played
from scripts.configuration.arguments import parse


@dataclass(frozen=True)
class Order:
    """One training; the command line of a peer's process.

    Attributes:
        world: "ours" or "stock", see `key_room`.
        folder: an empty one for whatever the training writes.
        steps: environment steps at most.
        success: the rate over the last 100 episodes to stop at.
        seed: of environments and network.
    """

    world: str = "ours"
    folder: str = "."
    steps: int = 150_000
    success: float = 0.9
    seed: int = 0

    @classmethod
    def read(cls, command_line: Sequence[str], usage: str | None) -> Order:
        """The order that a command line gives."""
        return parse(command_line, cls, usage)[1]

    def command_line(self) -> list[str]:
        """The command line that gives this order."""
        return [f"{name}={value}" for name, value in vars(self).items()]

    def played(self, n_envs: int) -> Played:
        """The count of its steps and episodes."""
        return Played(Path(self.folder), n_envs, self.success)

    def over(self, played: Played) -> bool:
        """Is there nothing left to train?"""
        return played.reached() is not None or played.steps() >= self.steps


def answer(played: Played, weights: int) -> None:
    """Print what came of an order as the last line of standard output."""
    result: dict[str, Any] = {"steps": played.steps(), "seconds": round(played.seconds(), 3)}
    print("\n" + json.dumps({**result, "reached": played.reached(), "weights": weights}), flush=True)
