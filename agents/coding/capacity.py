"""Whether a policy is talkative enough for a message: its entropy, summed over an episode."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from foundation.checks import number

SLACK = 0.25
"""What an episode must carry beyond the message, as a share: couplings waste some."""


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

    @property
    def spread(self) -> float:
        """Standard deviation between episodes; 0 for a single one."""
        return float(self.bits.std(ddof=1)) if len(self.bits) > 1 else 0.0

    @property
    def least(self) -> float:
        """Bits of the quietest pilot episode."""
        return float(self.bits.min())

    def fits(self, message_bits: float, slack: float = SLACK) -> bool:
        """Whether even the quietest pilot episode carries the message and `slack` of it more."""
        return self.least >= _asked(message_bits, slack)

    def episodes_for(self, message_bits: float, slack: float = SLACK) -> int:
        """How many of the quietest episodes would carry it, cut into as many messages.

        Raises:
            TooLittleCapacity: the quietest carries nothing.
        """
        asked = _asked(message_bits, slack)
        if not self.least > 0 and asked > 0:
            raise TooLittleCapacity(self._advice(message_bits, slack))
        return max(1, math.ceil(asked / self.least)) if asked else 1

    def must_fit(self, message_bits: float, slack: float = SLACK) -> None:
        """Refuse a message that episodes do not carry.

        Raises:
            TooLittleCapacity: says what they carry and what would do.
        """
        if not self.fits(message_bits, slack):
            raise TooLittleCapacity(self._advice(message_bits, slack))

    def _advice(self, message_bits: float, slack: float) -> str:
        episodes = math.ceil(_asked(message_bits, slack) / self.least) if self.least > 0 else None
        spread = f" ± {self.spread:.3g}" if len(self.bits) > 1 else ""
        return (
            f"the message has {message_bits:.4g} bits and should have {_asked(message_bits, slack):.4g} to travel "
            f"in; an episode carries {self.mean:.4g}{spread} bits, the quietest of {len(self.bits)} {self.least:.4g}. "
            "Raise the policy's temperature (or train with more entropy), play longer episodes, or "
            + (f"cut the message over {episodes} episodes" if episodes else "take another policy: this one is silent")
        )


def _asked(message_bits: float, slack: float) -> float:
    number("message_bits", message_bits, least=0)
    return message_bits * (1.0 + number("slack", slack, least=0))
