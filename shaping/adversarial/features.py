"""Observations and actions as the rows of numbers that a discriminator judges."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from gymnasium import spaces

from shaping.adversarial.discriminator import Pairs
from shaping.observation_features import Features, ObservationFeatures
from shaping.transitions import Array, Observations

EMBEDDING = 64
"""Numbers that stand for a grid of names."""


class PairFeatures:
    """Observations and actions -> `Pairs`.

    Gradients of a discriminator are taken with respect to these numbers: standardised ones, and of
    names (glyphs, characters) the sum of their fixed random vectors.

    Args:
        observation_space, action_space: of one environment.
        keys: entries of a Dict observation to look at; None: all.
        standardise: numbers to mean 0 and deviation 1, cut at ±5, names by a table; see
            `ObservationFeatures`. False: the numbers as they are, of a Box alone.
        with_actions: False: rows of actions have width 0.
        random: of the tables.

    Raises:
        ValueError: a space that has no numbers, or keys that are not there.
    """

    def __init__(
        self,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        *,
        keys: Sequence[str] | None = None,
        standardise: bool = True,
        with_actions: bool = True,
        random: np.random.Generator,
    ) -> None:
        self._standardised: ObservationFeatures | None = None
        if standardise:
            self._standardised = ObservationFeatures(observation_space, keys, EMBEDDING, random)
            self.observation_width = self._standardised.width
        elif isinstance(observation_space, spaces.Box) and not keys:
            self.observation_width = math.prod(observation_space.shape)
        else:
            raise ValueError(
                f"standardise=false takes numbers as they are, and observations are {observation_space}: leave "
                "standardise=true, or observe one Box"
            )
        self._actions = ActionFeatures(action_space) if with_actions else None
        self.action_width = 0 if self._actions is None else self._actions.width

    def __call__(self, observations: Observations, actions: Array) -> Pairs:
        """(n, ...) of both."""
        states = self.observations(observations)
        acts = np.zeros((len(states), 0), np.float32) if self._actions is None else self._actions(actions)
        return Pairs(torch.from_numpy(states), torch.from_numpy(acts))

    def observations(self, observations: Observations) -> Features:
        """(n, observation_width)"""
        if self._standardised is not None:
            return self._standardised(observations)
        assert not isinstance(observations, dict)
        return np.ascontiguousarray(observations.reshape(len(observations), -1), np.float32)

    @property
    def learns(self) -> bool:
        """Are there numbers whose mean and deviation have to be learned?"""
        return self._standardised is not None and bool(self._standardised.state_dict()["moments"])

    def learn(self, observations: Observations) -> None:
        """Take observations into the running mean and deviation."""
        if self._standardised is not None:
            self._standardised.learn(observations)

    def state_dict(self) -> dict[str, Any]:
        return {} if self._standardised is None else self._standardised.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        if self._standardised is not None:
            self._standardised.load_state_dict(state)


class ActionFeatures:
    """Actions in the environment's own units -> rows of numbers.

    Of a Box with bounds, from −1 to 1, so that no unit makes a gradient large; of one without,
    as they are. Of discrete actions a 1 for each that is chosen.

    Raises:
        ValueError: actions of another kind.
    """

    def __init__(self, space: spaces.Space[Any]) -> None:
        self._space = space
        if isinstance(space, spaces.Box):
            self.width = math.prod(space.shape)
            bounded = space.bounded_below & space.bounded_above
            with np.errstate(invalid="ignore", over="ignore"):
                middle, half = (space.high + space.low) / 2, (space.high - space.low) / 2
            self._middle = np.where(bounded, middle, 0.0).ravel().astype(np.float32)
            self._half = np.where(bounded & (half > 0), half, 1.0).ravel().astype(np.float32)
        elif isinstance(space, spaces.Discrete):
            self._choices, self._starts = np.array([int(space.n)]), np.array([int(space.start)])
            self.width = int(space.n)
        elif isinstance(space, spaces.MultiDiscrete):
            self._choices, self._starts = space.nvec.ravel().astype(np.int64), space.start.ravel().astype(np.int64)
            self.width = int(self._choices.sum())
        elif isinstance(space, spaces.MultiBinary):
            self.width = math.prod(space.shape)
        else:
            raise ValueError(f"actions are {space}; expected Box, Discrete, MultiDiscrete or MultiBinary")

    def __call__(self, actions: Array) -> Features:
        """(n, ...) -> (n, width)"""
        flat = np.asarray(actions).reshape(len(actions), -1)
        if isinstance(self._space, spaces.Box):
            rows: Features = (flat.astype(np.float32) - self._middle) / self._half
            return rows
        if isinstance(self._space, spaces.MultiBinary):
            return flat.astype(np.float32)
        chosen: npt.NDArray[np.int64] = flat.astype(np.int64) - self._starts
        chosen += np.concatenate([[0], np.cumsum(self._choices)[:-1]])
        rows = np.zeros((len(flat), self.width), np.float32)
        np.put_along_axis(rows, chosen, 1.0, axis=1)
        return rows
