"""Whether a policy is talkative enough for a message: its entropy, summed over an episode."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from foundation.checks import number

SLACK = 0.1
"""What episodes must carry beyond the message, as a share: couplings waste some."""


class TooLittleCapacity(ValueError):
    """Episodes do not carry the message."""


@dataclass(frozen=True)
class Capacity:
    """Bits that episodes of a policy carry.

    Attributes:
        bits: (episodes,) of pilot episodes, the sum of the policy's entropy over their steps.
    """

    bits: npt.NDArray[np.float64]

    @classmethod
    def of(cls, episodes: Sequence[npt.ArrayLike]) -> Capacity:
        """From the entropies of the policy at each step of pilot episodes.

        Args:
            episodes: a row of bits each, (steps,); steps may differ.

        Raises:
            ValueError: no episodes, or entropies below 0 or not finite.
        """
        if not len(episodes):
            raise ValueError("there are no pilot episodes: play one at least")
        rows = [np.asarray(episode, np.float64).reshape(-1) for episode in episodes]
        if any(not np.isfinite(row).all() or (row < 0).any() for row in rows):
            raise ValueError("entropies are finite and not below 0: one of a pilot episode is not")
        return cls(np.array([row.sum() for row in rows]))

    @property
    def mean(self) -> float:
        """Bits of an episode."""
        return float(self.bits.mean())

    def must_fit(self, message_bits: float, episodes: int, slack: float = SLACK) -> None:
        """Refuse a message for which so many episodes are not enough.

        Args:
            message_bits: of the message, which goes on from one episode to the next.
            episodes: that may be played.
            slack: see `SLACK`.

        Raises:
            TooLittleCapacity: says what an episode carries, how many it would take, and what else
                would do.
        """
        asked = number("message_bits", message_bits, least=0) * (1.0 + number("slack", slack, least=0))
        if asked <= episodes * self.mean:
            return
        takes = (
            f"some {math.ceil(asked / self.mean)} would be needed" if self.mean > 0 else "no number of them would do"
        )
        raise TooLittleCapacity(
            f"the message has {message_bits:.4g} bits, and an episode carries {self.mean:.3g} ({len(self.bits)} were "
            f"played to see): {takes}, and {episodes} are allowed. Allow more (episodes=), or take a shorter message, "
            "a higher temperature, or a policy that learned with more entropy"
        )
