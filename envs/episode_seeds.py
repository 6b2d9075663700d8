"""The stream of episode seeds of a vector environment: any place in it can be gone to, from any number of processes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

EVALUATION = 1 << 62
"""The bit of an episode seed that only evaluation's have: the two never share an episode."""
SPLITS = ("train", "eval")


class EpisodeSeeds:
    """Seeds for the episodes of `n` environments, one after the other.

    Args:
        n: environments.
        seed: of the stream.
        split: "train" or "eval".

    Raises:
        ValueError: another split.
    """

    def __init__(self, n: int, seed: int, split: str) -> None:
        if split not in SPLITS:
            raise ValueError(f'split is "train" or "eval", not {split!r}')
        self._seed, self._mark = seed, EVALUATION if split == "eval" else 0
        self._begun = np.zeros(n, np.int64)

    def next(self, index: int) -> int:
        """The seed of the next episode of environment `index`."""
        words = np.random.SeedSequence([self._seed % 2**63, index, int(self._begun[index])])
        self._begun[index] += 1
        return int(words.generate_state(1, np.uint64)[0] >> np.uint64(2)) | self._mark

    def restart(self, seed: int) -> None:
        """Go to the beginning of the stream of another seed."""
        self._seed = seed
        self._begun[:] = 0

    def state_dict(self) -> dict[str, Any]:
        """Where the stream stands: the episodes in play count as begun, and are not continued."""
        return {"episodes": self._begun.copy()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on in the stream; takes effect at the next reset.

        Raises:
            ValueError: for another number of environments.
        """
        if np.shape(state["episodes"]) != self._begun.shape:
            raise ValueError(f"the state is of {len(state['episodes'])} environments, these are {len(self._begun)}")
        self._begun[:] = state["episodes"]
