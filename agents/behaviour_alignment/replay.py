"""Whole episodes, oldest out first, in arrays that are made once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from agents.behaviour_alignment.objectives import Array, BoolArray, FloatArray

IntArray = npt.NDArray[np.int64]


class EpisodeReplay:
    """The newest `capacity` episodes, padded to `horizon` steps.

    Args:
        capacity: episodes.
        horizon: steps of the longest.
        observation, action: an example of each, whose shape and type count.
        signals: names of the rewards kept a step, the task's first.
    """

    def __init__(self, capacity: int, horizon: int, observation: Array, action: Array, signals: Sequence[str]) -> None:
        self.capacity, self.horizon, self.signals = capacity, horizon, tuple(signals)
        shape = (capacity, horizon)
        self.observations: Array = np.zeros((*shape, *observation.shape), observation.dtype)
        self.actions: Array = np.zeros((*shape, *action.shape), action.dtype)
        self.rewards: FloatArray = np.zeros((*shape, len(self.signals)))
        self.lengths: IntArray = np.zeros(capacity, np.int64)
        self.added = 0
        """Episodes so far, those that have left included."""

    def __len__(self) -> int:
        return min(self.added, self.capacity)

    def add(self, observations: Sequence[Array], actions: Sequence[Array], rewards: Sequence[Sequence[float]]) -> None:
        """An episode.

        Raises:
            ValueError: it is longer than the longest.
        """
        length = len(actions)
        if length > self.horizon:
            raise ValueError(
                f"an episode has {length} steps, and agent.horizon={self.horizon} was said to be the longest: give "
                f"agent.horizon={length} or more"
            )
        row = self.added % self.capacity
        self.observations[row, :length] = observations
        self.actions[row, :length] = actions
        self.rewards[row, :length] = rewards
        self.lengths[row] = length
        self.added += 1

    def newest(self, count: int) -> IntArray:
        """The rows of the newest episodes, oldest of them first; fewer where there are fewer."""
        there = min(count, len(self))
        return np.arange(self.added - there, self.added) % self.capacity

    def before(self, newest: int) -> IntArray:
        """The rows of all episodes but the newest so many, oldest first."""
        kept = max(0, len(self) - newest)
        first = self.added - len(self)
        return np.arange(first, first + kept) % self.capacity

    def steps(self, rows: IntArray) -> tuple[Array, Array, FloatArray, BoolArray]:
        """Observations, actions, rewards (N, signals) and ends of these episodes, all steps."""
        lengths = self.lengths[rows]
        if len(rows) == 1:
            row, length = int(rows[0]), int(lengths[0])
            ends = np.zeros(length, np.bool_)
            ends[-1] = True
            return self.observations[row, :length], self.actions[row, :length], self.rewards[row, :length], ends
        last = np.cumsum(lengths)
        which = np.repeat(rows, lengths)
        when = np.arange(last[-1]) - np.repeat(last - lengths, lengths)
        ends = np.zeros(last[-1], np.bool_)
        ends[last - 1] = True
        return self.observations[which, when], self.actions[which, when], self.rewards[which, when], ends

    def state_dict(self) -> dict[str, Any]:
        """What is filled, without padding."""
        rows = np.arange(len(self))
        empty = len(rows) == 0
        observations, actions, rewards, _ = (self.observations[:0, 0],) * 4 if empty else self.steps(rows)
        return {
            "observations": np.ascontiguousarray(observations),
            "actions": self.actions[:0, 0] if empty else np.ascontiguousarray(actions),
            "rewards": self.rewards[:0, 0] if empty else np.ascontiguousarray(rewards),
            "lengths": self.lengths[rows].copy(),
            "added": self.added,
            "signals": list(self.signals),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on with it.

        Raises:
            ValueError: it holds other signals, or more or longer episodes than fit.
        """
        lengths = np.asarray(state["lengths"], np.int64)
        if tuple(state["signals"]) != self.signals:
            raise ValueError(f"the stored episodes have {', '.join(state['signals'])}, here are {self.signals}")
        if len(lengths) > self.capacity or (len(lengths) and lengths.max() > self.horizon):
            raise ValueError(
                f"{len(lengths)} stored episodes of up to {lengths.max()} steps do not fit into buffer={self.capacity} "
                f"of horizon={self.horizon}"
            )
        first = 0
        for row, length in enumerate(lengths.tolist()):
            last = first + length
            self.observations[row, :length] = state["observations"][first:last]
            self.actions[row, :length] = state["actions"][first:last]
            self.rewards[row, :length] = state["rewards"][first:last]
            first = last
        self.lengths[: len(lengths)] = lengths
        self.added = int(state["added"])
