"""The stream of episode seeds of a vector environment.

Any place in it can be gone to, from any number of processes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from envs.typing import IntArray
from foundation.checks import one_of

BITS = 63  # of an episode's seed
EVALUATION = 1 << (BITS - 1)
"""The bit of an episode seed that only evaluation's have: the two never share an episode."""
SPLITS = ("train", "eval")


class EpisodeSeeds:
    """Seeds for the episodes of `n` environments, one after the other.

    An episode's seed is a hash of the stream's seed, the environment's index and the number of the
    episode there, of one bit less than `bits`; the highest is set apart for evaluation.

    Args:
        n: environments.
        seed: of the stream.
        split: "train" or "eval".
        first: the index of the first environment, where others are elsewhere.
        begun: (n,) where to count the episodes that have begun; memory that processes share, say.
        bits: of an episode's seed, at most 63.
        alike: every environment has the stream of the first, so that they play the same episodes.

    Raises:
        ValueError: another split.
    """

    def __init__(
        self,
        n: int,
        seed: int = 0,
        split: str = "train",
        *,
        first: int = 0,
        begun: IntArray | None = None,
        bits: int = BITS,
        alike: bool = False,
    ) -> None:
        self._mark = 1 << (bits - 1) if one_of("split", split, SPLITS) == "eval" else 0
        self._surplus = np.uint64(65 - bits)  # bits of the hash that no seed has
        self._seed, self._first, self._alike = seed, first, alike
        self._begun = np.zeros(n, np.int64) if begun is None else begun

    def __len__(self) -> int:
        return len(self._begun)

    def seed_of(self, index: int, episode: int) -> int:
        """The seed of one episode of environment `index`, counted from 0."""
        stream = 0 if self._alike else self._first + index
        words = np.random.SeedSequence([self._seed % 2**63, stream, episode])
        return int(words.generate_state(1, np.uint64)[0] >> self._surplus) | self._mark

    def next(self, index: int) -> int:
        """The seed of the next episode of environment `index`."""
        seed = self.seed_of(index, int(self._begun[index]))
        self._begun[index] += 1
        return seed

    def restart(self, seed: int) -> None:
        """Go to the beginning of the stream of another seed."""
        self._seed = seed
        self._begun[:] = 0

    def detach(self) -> None:
        """Count in memory of its own from now on: what it shared goes away."""
        self._begun = self._begun.copy()

    def state_dict(self) -> dict[str, Any]:
        """Where the stream stands: the episodes in play count as begun, and are not continued."""
        return {"episodes": self._begun.copy()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on in the stream; takes effect at the next reset.

        Raises:
            ValueError: for another number of environments.
        """
        if np.shape(state["episodes"]) != self._begun.shape:
            raise ValueError(f"the state is of {len(state['episodes'])} environments, these are {len(self)}")
        self._begun[:] = state["episodes"]
