"""A coding game played in every way it can go: accuracy and return without sampling."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from agents.coding.codec import Codec
from agents.coding.masses import FloatArray, IntArray

State = TypeVar("State", bound=Hashable)


class Outcome(NamedTuple):
    """What may follow an action.

    Attributes:
        probability: given the state and the action.
        reward: paid on the way.
        state: where it leads; None ends the episode.
    """

    probability: float
    reward: float
    state: object


@dataclass(frozen=True)
class Exact:
    """A game in numbers that no luck is in.

    Attributes:
        accuracy: probability that the receiver decodes the message.
        returns: (messages,) expected sum of rewards given each message.
        mean_return: the same over the prior.
        information: bits that the receiver is told on average, prior entropy minus what is left.
        leaves: ends of the tree of actions and outcomes.
    """

    accuracy: float
    returns: FloatArray
    mean_return: float
    information: float
    leaves: int


def enumerate_game(
    codec: Codec,
    prior: npt.ArrayLike,
    start: State,
    policy: Callable[[State, int], npt.ArrayLike],
    outcomes: Callable[[State, int, int], Iterable[Outcome | tuple[float, float, State | None]]],
    most_leaves: int = 2_000_000,
) -> Exact:
    """Walk the tree of everything that sender, noise and environment may do.

    Args:
        codec: of a belief of one block, as both players hold it; it is not changed.
        prior: probabilities of messages, (messages,), as their draws really are.
        start: the first state.
        policy: (state, step) -> probabilities, (actions,); what is not available has exactly 0.
        outcomes: (state, step, executed action) -> what may follow.
        most_leaves: give up beyond.

    Raises:
        ValueError: a prior of another length, several blocks, or a tree that is too large.
    """
    weights = np.asarray(prior, np.float64)
    if weights.shape != (codec.belief.blocks.count,):
        raise ValueError(
            f"the prior has the shape {weights.shape}; the belief is of {codec.belief.blocks.count} messages"
        )
    walk = _Walk(policy, outcomes, most_leaves, np.zeros(len(weights)))
    first = codec.copy()
    first.reset()
    walk.visit(first, weights / weights.sum(), start, 0)
    given = np.divide(walk.returns, weights, out=np.zeros_like(weights), where=weights > 0)
    told = _entropy(weights) - walk.left
    return Exact(walk.right, given, float(walk.returns.sum()), max(0.0, told), walk.leaves)


class _Walk:
    def __init__(
        self,
        policy: Callable[..., npt.ArrayLike],
        outcomes: Callable[..., Iterable[Sequence[object]]],
        most_leaves: int,
        returns: FloatArray,
    ) -> None:
        self._policy, self._outcomes, self._most_leaves = policy, outcomes, most_leaves
        self.returns: FloatArray = returns  # (messages,) times the prior
        self.right, self.left, self.leaves = 0.0, 0.0, 0

    def visit(self, codec: Codec, joint: FloatArray, state: object, step: int) -> None:
        """`joint` (messages,): probability of each message and of all that came so far."""
        if state is None:
            self.leaves += 1
            if self.leaves > self._most_leaves:
                raise ValueError(f"the game has more than {self._most_leaves} ends: sample it, or shorten it")
            self.right += float(joint[codec.decode()])
            self.left += float(joint.sum()) * _entropy(joint)
            return
        row = np.asarray(self._policy(state, step), np.float64)
        told = joint[:, None] * codec.all_sender_probabilities(row)
        if codec.noise:
            available = row > 0
            told = (1.0 - codec.noise) * told + codec.noise * joint[:, None] * available / available.sum()
        for action in map(int, _positive(told.sum(axis=0))):
            further = codec.copy()
            further.update(row, action)
            for probability, reward, following in self._outcomes(state, step, action):
                here = told[:, action] * float(probability)  # type: ignore[arg-type]
                if not here.any():
                    continue
                self.returns += here * float(reward)  # type: ignore[arg-type]
                self.visit(further if following is None else further.copy(), here, following, step + 1)


def _positive(row: FloatArray) -> IntArray:
    return np.flatnonzero(row)


def _entropy(weights: FloatArray) -> float:
    shares = weights[weights > 0] / weights.sum()
    return float(-(shares * np.log2(shares)).sum())
