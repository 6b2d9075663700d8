"""Telling a message by the actions of a policy that does not know it.

Sender and receiver hold the same `Codec` and feed it the same: what the policy gives each action,
and which was executed. The sender's alone knows a message, and draws actions that tell of it.

Source: Sokota, Schroeder de Witt, Igl, Zintgraf, Torr, Strohmeier, Kolter, Whiteson & Foerster
2022, "Communicating via Markov Decision Processes"; merging: Sokota et al. 2024, "Computing
Low-Entropy Couplings for Large-Support Distributions"; rates: see `bottleneck`.
"""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
from numba import njit

from agents.coding.beliefs import Belief
from agents.coding.bottleneck import ENCODERS, dead_end, through
from agents.coding.couplings import COUPLINGS, Coupling
from agents.coding.grid import Grid
from agents.coding.masses import FloatArray, IntArray, checked, entropy, normalise
from agents.coding.messages import Message
from foundation.checks import number, one_of

TOLERANCE = 1e-7
"""What two players' probabilities may differ by, in `Codec.certain`."""


class MessageImpossible(ValueError):
    """Nobody believes in the message any more, or an action was executed that nobody plays."""


class _Stage(NamedTuple):
    """One coupling of a step."""

    block: int
    coupling: Coupling
    actions: IntArray  # (columns,) the action of each column
    dead_end: bool = False  # its code tells nothing


class Codec:
    """Both players' side of a coding game: beliefs, couplings, and what to play.

    >>> from agents.coding.beliefs import TabularBelief
    >>> sender, receiver = (Codec(TabularBelief(2)) for _ in range(2))
    >>> action = sender.choose(1, [0.5, 0.5], np.random.default_rng(0))
    >>> receiver.update([0.5, 0.5], action)
    >>> receiver.decode()
    1

    Averaged over messages as likely as the belief says, actions have exactly the probabilities of
    the policy on the grid, `grid.policy(probabilities)`, whatever the coupling, prior or rate: so
    it is paid the same whether it tells anything or not.

    Args:
        belief: of this player, at its prior; it is the codec's from now on.
        grid: what policies are rounded to.
        coupling: "greedy", "cicalese" or "independent", which tells nothing.
        noise: probability that what is executed is drawn anew among available actions; with it an
            action tells less, and no message is ever ruled out.
        rate: at most this share, above 0 up to 1, of a block's prior entropy is told of it in a
            step; None tells all that fits.
        encoder: of a rate; see `bottleneck.ENCODERS`.
        merge: where several actions tell the same, couple them again in the same step. By default
            it is done where it can be: without noise and rate.
        impossible: what a message without mass, or an action that nobody plays, does: "raise", or
            "ignore": the sender plays the policy, the receiver learns nothing, `lost` is set.

    Raises:
        ValueError: settings out of bounds, or merging with noise or a rate.

    Attributes:
        belief: what is known now.
        margin: the least distance of a probability to a boundary of the grid since `reset`, until
            the message is known.
        capacity: bits of entropy that the policy had since `reset`.
        steps: updates since `reset`.
        lost: whether something impossible was ignored.
        dead_ends: steps in which the encoder told nothing though something was left.
    """

    def __init__(
        self,
        belief: Belief,
        *,
        grid: Grid | None = None,
        coupling: str = "greedy",
        noise: float = 0.0,
        rate: float | None = None,
        encoder: str = "ebim",
        merge: bool | None = None,
        impossible: str = "raise",
    ) -> None:
        number("noise", noise, least=0, most=1)
        if rate is not None:
            number("rate", rate, above=0, most=1)
        if merge and (noise or rate is not None):
            raise ValueError(
                "merge=True couples again once an action is known, which noise hides and a rate forbids: leave merge "
                "out, or noise=0 and rate=None"
            )
        self.grid = Grid() if grid is None else grid
        self.coupling = one_of("coupling", coupling, COUPLINGS)
        self.encoder = one_of("encoder", encoder, ENCODERS)
        self.impossible = one_of("impossible", impossible, ("raise", "ignore"))
        self.noise = float(noise)
        self.rate = None if rate is None else float(rate)
        self.merge = (not noise and rate is None) if merge is None else bool(merge)
        self.belief = belief
        self._join = COUPLINGS[coupling]
        self._message: Message | None = None
        self._digits_of_message: tuple[int, ...] = ()
        self.reset()

    def reset(self) -> None:
        """A new message begins."""
        self.belief.reset()
        self.margin, self.capacity, self.steps = math.inf, 0.0, 0
        self.lost, self.dead_ends = False, 0
        self._kept: tuple[bytes, _Stage | None] | None = None

    # The sender ----------------------------------------------------------------------------------

    def sender_probabilities(
        self, message: Message, probabilities: npt.ArrayLike, available: npt.ArrayLike | None = None
    ) -> FloatArray:
        """What a sender with this message plays now, (actions,).

        Args:
            message: a whole number, or digits of the belief's blocks.
            probabilities: of the policy, (actions,).
            available: (actions,) bool; what is not available gets exactly 0. None: all are.

        Raises:
            MessageImpossible: the message has no mass, and `impossible` is "raise".
            ValueError: probabilities that are none, a mask that leaves none of them, or no message
                of the blocks.
        """
        weights, _, _ = self._weights(probabilities, available)
        digits = self._digits(message)
        if digits is None:
            return weights / weights.sum()
        return self._tree(self.belief, weights, lambda block: np.array([digits[block]]))[0]

    def all_sender_probabilities(
        self, probabilities: npt.ArrayLike, available: npt.ArrayLike | None = None
    ) -> FloatArray:
        """`sender_probabilities` of every message of one block, (messages, actions).

        Messages without mass have a row of zeros.

        Raises:
            ValueError: as there, or there are several blocks.
        """
        if len(self.belief.blocks.sizes) > 1:
            raise ValueError("messages of several blocks are too many for a table: ask for one message at a time")
        weights, _, _ = self._weights(probabilities, available)
        every = np.arange(self.belief.blocks.count)
        return self._tree(self.belief, weights, lambda block: every)

    def choose(
        self,
        message: Message,
        probabilities: npt.ArrayLike,
        rng: np.random.Generator,
        available: npt.ArrayLike | None = None,
    ) -> int:
        """An action of a sender with this message; nothing is updated.

        Raises:
            MessageImpossible, ValueError: as `sender_probabilities`.
        """
        weights, _, _ = self._weights(probabilities, available)
        digits = self._digits(message)
        if digits is None:
            self.lost = True
            return _drawn(weights, rng)
        belief, stage = self.belief, self._first_stage(weights)
        while stage is not None:
            told = stage.coupling.row(digits[stage.block])
            column = _drawn(told, rng)
            together = self._together(stage, column)
            if len(together) == 1:
                return int(stage.actions[column])
            if belief is self.belief:
                belief = belief.copy()
            weights = self._follow(belief, stage, together, weights)
            stage = self._stage(belief, weights)
        return _drawn(weights, rng)

    # Both players --------------------------------------------------------------------------------

    def update(
        self, probabilities: npt.ArrayLike, executed_action: int, available: npt.ArrayLike | None = None
    ) -> None:
        """What was executed is known: both players learn from it alike.

        Args:
            probabilities, available: as `sender_probabilities`.
            executed_action: which action the environment made.

        Raises:
            MessageImpossible: nobody plays that action, and `impossible` is "raise".
            ValueError: as `sender_probabilities`, or no such action.
        """
        weights, margin, possible = self._weights(probabilities, available)
        action = int(executed_action)
        if not 0 <= action < len(weights):
            raise ValueError(f"executed_action={action}: expected a whole number from 0 to {len(weights) - 1}")
        known = self.belief.known
        played = known or (possible[action] if self.noise else weights[action] > 0)
        if not played and self.impossible == "raise":
            raise MessageImpossible(
                f"action {action} was executed, and the policy gives it nothing: the players' policies differ, or "
                "something else acted. Give noise= where it may, or impossible='ignore' to go on without learning"
            )
        if not played:
            self.lost = True
        elif not known:  # once it is, nothing can go wrong
            self._warn_of_dead_ends(self._first_stage(weights))
            if self.noise:
                self._learn_through_noise(weights, action, int(possible.sum()))
            else:
                self._learn(weights, action)
        self.margin = self.margin if known else min(self.margin, margin)
        self.capacity += entropy(weights)
        self.steps += 1
        self._kept = None
        self.belief.end_step()

    def decode(self) -> int:
        """The likeliest message, the lowest of equals."""
        return self.belief.blocks.number(self.belief.decode())

    def decode_digits(self) -> tuple[int, ...]:
        """The likeliest message of each block."""
        return self.belief.decode()

    def belief_in(self, message: Message) -> float:
        """The probability of a message now; see `log2_belief_in` for many blocks."""
        return 2.0 ** self.log2_belief_in(message)

    def log2_belief_in(self, message: Message) -> float:
        """log2 of the probability of a message now, -inf where it is impossible."""
        return self.belief.log2_probability(self.belief.blocks.digits(message))

    @property
    def entropy(self) -> float:
        """Bits that are left to tell."""
        return self.belief.entropy

    def certain(self, tolerance: float = TOLERANCE) -> bool:
        """Whether who differs by less than `tolerance` in every probability came to the same.

        A sender whose episode is not certain plays it again.
        """
        return self.margin > tolerance

    def copy(self) -> Self:
        """One that goes its own way from here."""
        twin = copy.copy(self)
        twin.belief = self.belief.copy()
        return twin

    # A step is a tree: couplings, each of the actions that tell the same by the one before -------

    def _stage(self, belief: Belief, weights: IntArray) -> _Stage | None:
        """Couple the actions that are left with a block; None where nothing is left to tell."""
        actions = weights.nonzero()[0]
        block, row = belief.select()
        if len(actions) == 1 or np.count_nonzero(row) == 1:
            return None
        policy, _ = normalise(weights[actions])
        if self.rate is None:
            return _Stage(block, self._join(row, policy), actions)
        encoding = ENCODERS[self.encoder](row, self.rate * belief.prior_entropy(block))
        return _Stage(block, through(encoding, row, policy, self._join), actions, dead_end(row, encoding))

    def _first_stage(self, weights: IntArray) -> _Stage | None:
        """The step's first coupling, kept from `choose` for `update`."""
        key = weights.tobytes()
        if self._kept is None or self._kept[0] != key:
            self._kept = (key, self._stage(self.belief, weights))
        return self._kept[1]

    def _together(self, stage: _Stage, column: int) -> IntArray:
        """The columns that tell the same as this one, to be coupled again; where not, itself."""
        if not self.merge or len(stage.actions) == 1:
            return np.array([column])
        made = stage.coupling
        alike = _proportional(made.rows, made.columns, made.masses, made.shape[0], made.shape[1], column)
        return np.array([column]) if len(alike) == made.shape[1] else alike

    def _follow(self, belief: Belief, stage: _Stage, together: IntArray, weights: IntArray) -> IntArray:
        """Learn that the action is one of these columns; the weights of their actions."""
        told = stage.coupling.column(together[0])
        for column in together[1:]:
            told += stage.coupling.column(column)
        belief.update(stage.block, told)
        kept = np.zeros_like(weights)
        kept[stage.actions[together]] = weights[stage.actions[together]]
        return kept

    def _learn(self, weights: IntArray, action: int) -> None:
        stage = self._first_stage(weights)
        while stage is not None:
            column = int(np.searchsorted(stage.actions, action))
            together = self._together(stage, column)
            weights = self._follow(self.belief, stage, together, weights)
            stage = self._stage(self.belief, weights) if len(together) > 1 else None

    def _learn_through_noise(self, weights: IntArray, action: int, available: int) -> None:
        """b'(m) in proportion to (1 - noise) ν(m, a) + noise / available b(m), for a executed."""
        stage = self._first_stage(weights)
        if stage is None:
            return
        _, row = self.belief.select()
        column = int(np.searchsorted(stage.actions, action))
        met = column < len(stage.actions) and stage.actions[column] == action
        told = stage.coupling.column(column) if met else np.zeros_like(row)
        likely = np.rint(told * (1.0 - self.noise) + row * (self.noise / available)).astype(np.int64)
        self.belief.update(stage.block, np.where(row > 0, np.maximum(likely, 1), 0))

    def _warn_of_dead_ends(self, stage: _Stage | None) -> None:
        if stage is None or not stage.dead_end:
            return
        if not self.dead_ends:
            warnings.warn(
                f"the encoder {self.encoder!r} tells nothing at rate={self.rate} though {self.entropy:.3g} bits are "
                "left: raise the rate, or take encoder='ebim', which goes on by theorem 3",
                RuntimeWarning,
                stacklevel=3,
            )
        self.dead_ends += 1

    def _tree(self, belief: Belief, weights: IntArray, rows: Callable[[int], IntArray]) -> FloatArray:
        """P(action) for some messages, (k, actions); `rows` says where they stand in a block."""
        stage = self._stage(belief, weights)
        if stage is None:
            block, row = belief.select()
            here = (row[rows(block)] > 0)[:, None]
            return here * (weights / weights.sum())
        table = stage.coupling.dense()[rows(stage.block)]
        shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
        told = np.zeros((len(table), len(weights)))
        left = list(range(len(stage.actions)))
        while left:
            together = self._together(stage, left[0])
            if len(together) == 1:
                told[:, stage.actions[left[0]]] = shares[:, left[0]]
            else:
                further = belief.copy()
                kept = self._follow(further, stage, together, weights)
                told += shares[:, together].sum(axis=1, keepdims=True) * self._tree(further, kept, rows)
            left = [column for column in left if column not in together]
        return told

    # What comes in -------------------------------------------------------------------------------

    def _weights(
        self, probabilities: npt.ArrayLike, available: npt.ArrayLike | None
    ) -> tuple[IntArray, float, npt.NDArray[np.bool_]]:
        """Weights on the grid, their margin, and which actions are available."""
        row = checked(probabilities)
        if available is not None:
            mask = np.asarray(available, np.bool_)
            if mask.shape != row.shape:
                raise ValueError(f"available is {mask.shape} for {len(row)} actions: give one for each")
            row = np.where(mask, row, 0.0)
            total = row.sum()
            if not total > 0:
                raise ValueError(
                    "the mask leaves no action that the policy plays: mask the policy's logits before the softmax"
                )
            if total != 1.0:
                row = row / total
        weights, margin = self.grid.round(row)
        return weights, margin, row > 0 if available is None else mask

    def _digits(self, message: Message) -> tuple[int, ...] | None:
        """A message's digits; None where it has no mass and that is ignored."""
        if message is not self._message or not isinstance(message, int):  # whole numbers do not change
            self._message, self._digits_of_message = message, self.belief.blocks.digits(message)
        if self.belief.possible(self._digits_of_message):
            return self._digits_of_message
        if self.impossible == "raise":
            raise MessageImpossible(
                f"message {str(message)[:80]} has no mass: it is outside the prior's support, or the actions so far "
                "rule it out. Give it a prior above 0, noise= where actions may fail, or impossible='ignore' to play "
                "the policy"
            )
        return None


def _drawn(weights: IntArray, rng: np.random.Generator) -> int:
    """An index in proportion to whole-number weights."""
    ends = weights.cumsum()
    return int(np.searchsorted(ends, rng.integers(ends[-1]), side="right"))


# Compiled ----------------------------------------------------------------------------------------


@njit(cache=True, nogil=True, error_model="numpy")
def _proportional(rows: Any, columns: Any, masses: Any, n_rows: Any, n_columns: Any, column: Any) -> Any:
    """The columns in proportion to one, itself among them, exactly: products of 80 bits as two
    numbers."""
    told = np.zeros(n_rows, np.int64)
    sums = np.zeros(n_columns, np.int64)
    size, met, seen = 0, np.zeros(n_columns, np.int64), np.zeros(n_columns, np.int64)
    for k in range(len(rows)):
        sums[columns[k]] += masses[k]
        seen[columns[k]] += 1
        if columns[k] == column:
            told[rows[k]] = masses[k]
            size += 1
    for k in range(len(rows)):
        at = columns[k]
        ours, theirs = told[rows[k]], masses[k]
        high = (ours >> 20) * sums[at] + (((ours & 0xFFFFF) * sums[at]) >> 20)
        other = (theirs >> 20) * sums[column] + (((theirs & 0xFFFFF) * sums[column]) >> 20)
        low = ((ours & 0xFFFFF) * sums[at]) & 0xFFFFF
        if high == other and low == ((theirs & 0xFFFFF) * sums[column]) & 0xFFFFF:
            met[at] += 1
    return np.flatnonzero((met == size) & (seen == size))
