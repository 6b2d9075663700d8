"""Finished episodes to learn from again."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

Features = npt.NDArray[np.float32]


class EpisodeMemory:
    """The newest finished episodes, together at most so many steps.

    Args:
        most: steps of all episodes together; one that is longer than that is not kept.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._episodes: deque[tuple[Features, float]] = deque()
        self._steps = 0
        self.count = 0
        """How many were added, those that have left included."""

    def add(self, features: Features, outcome: float) -> None:
        """An episode's steps (T, width) and what it came to."""
        self.count += 1
        if len(features) > self._most:
            return
        self._episodes.append((features, outcome))
        self._steps += len(features)
        while self._steps > self._most:
            self._steps -= len(self._episodes.popleft()[0])

    def __len__(self) -> int:
        return len(self._episodes)

    def sample(self, rng: np.random.Generator, n: int) -> list[tuple[Features, float]]:
        """At most n different episodes."""
        chosen = rng.choice(len(self), min(n, len(self)), replace=False)
        return [self._episodes[index] for index in chosen.tolist()]

    def state_dict(self) -> dict[str, Any]:
        return {
            "features": [features.copy() for features, _ in self._episodes],
            "outcomes": [outcome for _, outcome in self._episodes],
            "count": self.count,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        features = [np.array(rows, np.float32) for rows in state["features"]]
        self._episodes = deque(zip(features, map(float, state["outcomes"]), strict=True))
        self._steps, self.count = sum(map(len, features)), int(state["count"])
