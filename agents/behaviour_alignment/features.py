"""What policy, critic and heads see of a state: fixed features, none of them learned."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium import spaces

from agents.behaviour_alignment.objectives import Array, FloatArray

FEATURES = ("fourier", "tiles", "random_relu", "one_hot")
MOST = 20_000
"""Features that a state may have."""
MOST_AUTO = 1_024
"""Fourier features beyond which `auto` takes random ones."""


class StateFeatures(ABC):
    """Features of states, `width` of them."""

    width: int

    @abstractmethod
    def __call__(self, observations: Array) -> FloatArray:
        """(n, width) of (n, ...)."""


class Fourier(StateFeatures):
    """cos(π c · s) for every c in {0..order}^k, s being the state between its bounds as [0, 1]^k.

    Konidaris et al. 2011's coupled basis. States beyond the bounds count as on them.

    Args:
        low, high: (k,) the bounds.
        order: the highest frequency.
    """

    def __init__(self, low: FloatArray, high: FloatArray, order: int) -> None:
        self._low, self._span, self._order = low, high - low, order
        self.width = (order + 1) ** len(low)
        _refuse_width("order", order, self.width, len(low))

    def __call__(self, observations: Array) -> FloatArray:
        places = np.clip((observations.reshape(len(observations), -1) - self._low) / self._span, 0.0, 1.0)
        # e^(iπ c·s) is a product over coordinates, ten times as fast as a cosine for each feature
        waves = np.exp((1j * np.pi) * places[..., None] * np.arange(self._order + 1))
        product = waves[:, 0]
        for coordinate in range(1, places.shape[1]):
            product = (product[:, :, None] * waves[:, None, coordinate]).reshape(len(places), -1)
        return np.ascontiguousarray(product.real)


class Tiles(StateFeatures):
    """Tile coding: `tilings` grids of `tiles` to a coordinate, each shifted by a part of a tile.

    Tiling i is shifted by i · (1, 3, 5, ...) / tilings tiles (Miller and Glanz 1996).

    Args:
        low, high: (k,) the bounds.
        tilings, tiles: see above.
    """

    def __init__(self, low: FloatArray, high: FloatArray, tilings: int, tiles: int) -> None:
        self._low, self._span, self._tiles = low, high - low, tiles
        k = len(low)
        shifts = np.arange(tilings)[:, None] * (2 * np.arange(k) + 1)[None] / tilings
        self._shifts: FloatArray = shifts % 1.0  # (tilings, k), in tiles
        across = tiles + 1
        self._strides = across ** np.arange(k)
        self._first = np.arange(tilings) * across**k
        self.width = tilings * across**k
        _refuse_width("tiles", tiles, self.width, k)

    def __call__(self, observations: Array) -> FloatArray:
        places = np.clip((observations.reshape(len(observations), -1) - self._low) / self._span, 0.0, 1.0)
        cells = np.floor(places[:, None] * self._tiles + self._shifts).astype(np.int64)
        cells = np.minimum(cells, self._tiles)
        features = np.zeros((len(places), self.width))
        features[np.arange(len(places))[:, None], self._first + cells @ self._strides] = 1.0
        return features


class RandomReLU(StateFeatures):
    """A hidden layer of random weights that are never learned.

    Args:
        weights: (width, k + 1), the last column the bias; see `random_weights`.
    """

    def __init__(self, weights: FloatArray) -> None:
        self._weights = weights
        self.width = len(weights)

    def __call__(self, observations: Array) -> FloatArray:
        seen = observations.reshape(len(observations), -1).astype(np.float64)
        hidden: FloatArray = np.maximum(seen @ self._weights[:, :-1].T + self._weights[:, -1], 0.0)
        return hidden


def random_weights(space: spaces.Box, width: int, random: np.random.Generator) -> FloatArray:
    """Weights for `RandomReLU`, distributed as torch's linear layers start."""
    size = int(np.prod(space.shape))
    return random.uniform(-1.0, 1.0, (width, size + 1)) / math.sqrt(size)


class OneHot(StateFeatures):
    """A feature for every state."""

    def __init__(self, space: spaces.Discrete) -> None:
        self.width, self._start = int(space.n), int(space.start)

    def __call__(self, observations: Array) -> FloatArray:
        features = np.zeros((len(observations), self.width))
        features[np.arange(len(observations)), observations.reshape(-1) - self._start] = 1.0
        return features


class WithBias(StateFeatures):
    """Features and, last, a constant 1: what torch's linear layers add by themselves.

    In the grid world it counts: most of its best policy is the same everywhere, and a bias beside
    the basis's own constant learns that twice as fast.

    Args:
        features: the others; None for a constant alone, of heads that are numbers.
    """

    def __init__(self, features: StateFeatures | None) -> None:
        self._features = features
        self.width = 1 + (0 if features is None else features.width)
        self.constant: FloatArray = np.zeros(self.width)
        """Weights under which every state has the value 1."""
        self.constant[-1] = 1.0

    def __call__(self, observations: Array) -> FloatArray:
        ones = np.ones((len(observations), 1))
        return ones if self._features is None else np.concatenate([self._features(observations), ones], axis=1)


def kind_for(space: spaces.Space[Any], kind: str, ranges: Sequence[Sequence[float]] | None, order: int) -> str:
    """The kind of features for observations of a space; "auto" chooses.

    Raises:
        ValueError: observations that have no such features; says what would do.
    """
    if isinstance(space, spaces.Dict):
        raise ValueError(
            f"agent=barfi sees one vector or one number, and this environment observes {', '.join(space.spaces)}. "
            "Give agent=ppo shaping.combiner.name=behaviour_alignment, which learns what terms count for any "
            "observations."
        )
    if isinstance(space, spaces.Discrete):
        if kind not in ("auto", "one_hot"):
            raise ValueError(f"agent.features={kind} needs a vector of numbers, and observations are {space}: one_hot")
        return "one_hot"
    if not isinstance(space, spaces.Box) or not space.shape:
        raise ValueError(
            f"agent=barfi sees a Box of numbers or one Discrete number, and this environment's observations are "
            f"{space}. Give agent=ppo shaping.combiner.name=behaviour_alignment."
        )
    if kind == "one_hot":
        raise ValueError(f"agent.features=one_hot needs Discrete observations, and these are {space}: give auto")
    size = int(np.prod(space.shape))
    if ranges is not None and len(ranges) != size:
        raise ValueError(f"agent.ranges has {len(ranges)} pairs, and observations are {size} numbers: one pair each")
    bounded = ranges is not None or bool(np.isfinite([space.low, space.high]).all())
    if kind == "auto":
        return "fourier" if bounded and (order + 1) ** size <= MOST_AUTO else "random_relu"
    if kind in ("fourier", "tiles") and not bounded:
        raise ValueError(
            f"agent.features={kind} needs bounds, and observations are {space}. Give agent.ranges=[[low,high],...], "
            "one pair a number, or agent.features=random_relu."
        )
    return kind


def bounds(space: spaces.Box, ranges: Sequence[Sequence[float]] | None) -> tuple[FloatArray, FloatArray]:
    """(k,) lows and highs: the ranges given, or the space's."""
    if ranges is not None:
        low, high = np.array(ranges, np.float64).T
        return low, high
    return space.low.reshape(-1).astype(np.float64), space.high.reshape(-1).astype(np.float64)


def _refuse_width(setting: str, value: int, width: int, coordinates: int) -> None:
    if width > MOST:
        raise ValueError(
            f"agent.{setting}={value} makes {width:,} features of {coordinates} numbers, and {MOST:,} are the most "
            "there may be: give less, or agent.features=random_relu"
        )
