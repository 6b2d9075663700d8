"""What is known of the message after the actions so far: whole numbers, one row a block."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt

from agents.coding.masses import TOTAL, IntArray, entropy_of, log2_of, masses_of, normalise, uniform
from agents.coding.messages import Blocks
from foundation.checks import whole

Prior = int | npt.ArrayLike
"""How many messages there are, all alike, or the probability of each."""


class Belief(Protocol):
    """What a `Codec` asks of a belief. Masses of a row sum to 2**40."""

    blocks: Blocks

    def reset(self) -> None:
        """Back to the prior."""

    def select(self) -> tuple[int, IntArray]:
        """The block to tell of next, and its masses (messages of the block,)."""

    def update(self, block: int, weights: IntArray) -> None:
        """A block's masses are in proportion to these whole numbers now."""

    def end_step(self) -> None:
        """An environment step is over."""

    def prior_entropy(self, block: int) -> float:
        """Of a block before anything was told, in bits."""

    def possible(self, digits: Sequence[int]) -> bool:
        """Whether the message with these digits is believed in at all."""

    def log2_probability(self, digits: Sequence[int]) -> float:
        """Of a message by its digits, -inf where it is impossible."""

    def decode(self) -> tuple[int, ...]:
        """The likeliest message's digits; of equals the lowest."""

    @property
    def entropy(self) -> float:
        """Bits that are left to tell."""

    @property
    def known(self) -> bool:
        """Whether a single message is left."""

    def copy(self) -> Self:
        """One that goes its own way from here."""


class FactoredBelief:
    """Independent blocks; each step tells of the one of highest entropy, ties the lowest index.

    Source: Sokota et al. 2022, factored iterative minimum-entropy coupling.

    Args:
        priors: of each block: how many messages, or the probability of each.
        first_pass: go through all blocks once before going by entropy, as the authors' code does.

    Raises:
        ValueError: priors that are none; see `masses_of`.
    """

    def __init__(self, priors: Sequence[Prior], first_pass: bool = False) -> None:
        if isinstance(priors, int) or not len(priors):
            raise ValueError(f"priors={priors}: expected one for each block, such as [256, 256]")
        self._priors: list[IntArray] = [_row(prior) for prior in priors]
        self.blocks: Blocks = Blocks(tuple(len(row) for row in self._priors))
        self._prior_entropies = np.array([entropy_of(row) for row in self._priors])
        self._first_pass = first_pass
        self.reset()

    def reset(self) -> None:
        self._rows: list[IntArray] = list(self._priors)
        self._entropies = self._prior_entropies.copy()
        self._step = 0

    def end_step(self) -> None:
        self._step += 1

    def select(self) -> tuple[int, IntArray]:
        if self._first_pass and self._step < len(self._rows) and self._entropies[self._step] > 0:
            return self._step, self._rows[self._step]
        block = int(self._entropies.argmax())
        return block, self._rows[block]

    def update(self, block: int, weights: IntArray) -> None:
        row, _ = normalise(weights)
        row.setflags(write=False)
        self._rows[block] = row
        self._entropies[block] = entropy_of(row)

    def masses(self, block: int) -> IntArray:
        """Of one block, (messages of the block,); not to be written to."""
        return self._rows[block]

    def prior_entropy(self, block: int) -> float:
        return float(self._prior_entropies[block])

    def possible(self, digits: Sequence[int]) -> bool:
        return all(row[digit] for row, digit in zip(self._rows, digits, strict=True))

    def log2_probability(self, digits: Sequence[int]) -> float:
        masses = [row[digit] for row, digit in zip(self._rows, digits, strict=True)]
        return sum(log2_of(mass) - log2_of(TOTAL) for mass in masses) if all(masses) else -np.inf

    def decode(self) -> tuple[int, ...]:
        return tuple(int(row.argmax()) for row in self._rows)

    @property
    def entropy(self) -> float:
        return float(self._entropies.sum())

    @property
    def known(self) -> bool:
        return bool(self._entropies.max() == 0.0)

    def copy(self) -> Self:
        twin = copy.copy(self)
        twin._rows, twin._entropies = list(self._rows), self._entropies.copy()
        return twin


class TabularBelief(FactoredBelief):
    """One row over all messages: exact, for as many as fit one coupling.

    Args:
        prior: how many messages, or the probability of each, (messages,).

    Raises:
        ValueError: a prior that is none; see `masses_of`.
    """

    def __init__(self, prior: Prior) -> None:
        super().__init__([prior])

    @property
    def masses_of_messages(self) -> IntArray:
        """(messages,), with the sum 2**40."""
        return self.masses(0)


def _row(prior: Prior) -> IntArray:
    if isinstance(prior, int | np.integer):
        row = uniform(whole("a block's messages", int(prior), most=1 << 22))
    else:
        row = masses_of(prior)
    row.setflags(write=False)
    return row
