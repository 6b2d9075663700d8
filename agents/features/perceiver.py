"""Attention over a game's things: a query (the car) reads what it needs from keys (ball, cars)."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import Tensor, nn


class Embedded(NamedTuple):
    """Observations as vectors of the network's width.

    Attributes:
        query: (batch, 1, width).
        keys: (batch, things, width).
        padding: (batch, things) bool, True where there is nothing.
    """

    query: Tensor
    keys: Tensor
    padding: Tensor

    def rows(self, index: Tensor) -> Embedded:
        """Some of the batch."""
        return Embedded(self.query[index], self.keys[index], self.padding[index])


class PerceiverFeatures(BaseFeaturesExtractor):
    """Lucy-SKG's actor or critic without its last layer.

    (batch, 1 + things, columns) to (batch, width).

    Row 0 of an observation is the query, the others are keys; the last column is 1 in rows that
    hold nothing. Only the query changes from block to block. Source: Moschopoulos et al. 2023,
    arXiv 2305.15801, and its released code; there the padding flags were added to the attention's
    logits as numbers, so that empty rows got more of it.

    Args:
        observation_space: such a matrix.
        key_features: leading columns of keys that mean something; None for all but the flag.
        width: of every vector.
        blocks: attention and feed-forward layers.
        heads: of the attention.
        feedforward: hidden units of a block.
        pre_norm: normalise before a layer, as Necto does, and not after it, as Lucy does.

    Raises:
        ValueError: another space, or numbers that do not fit.
    """

    def __init__(
        self,
        observation_space: spaces.Space[Any],
        key_features: int | None = None,
        width: int = 128,
        blocks: int = 2,
        heads: int = 4,
        feedforward: int = 512,
        pre_norm: bool = False,
    ) -> None:
        if not reads_matrix(observation_space):
            raise ValueError(f"attention reads a matrix of things, and this environment observes {observation_space}")
        for name, number in (("width", width), ("blocks", blocks), ("heads", heads), ("feedforward", feedforward)):
            if number < 1:
                raise ValueError(f"{name}={number}: expected at least 1")
        if width % heads:
            raise ValueError(f"width={width} heads={heads}: the heads share the width, which they must divide")
        super().__init__(observation_space, features_dim=width)
        assert observation_space.shape is not None
        self.heads = heads
        self.n_keys, columns = observation_space.shape[0] - 1, observation_space.shape[1] - 1
        self.key_features = columns if key_features is None else key_features
        if not 1 <= self.key_features <= columns:
            raise ValueError(f"key_features={key_features}: the observations have 1 to {columns}")
        self.embed_query = nn.Sequential(_embedding(columns, width), nn.LayerNorm(width))
        self.embed_keys = nn.Sequential(_embedding(self.key_features, width), nn.LayerNorm(width))
        self.blocks = nn.ModuleList(_Block(width, heads, feedforward, pre_norm) for _ in range(blocks))

    def forward(self, observations: Tensor) -> Tensor:
        """Features (batch, width)."""
        return self.attend(self.embed(observations))

    def embed(self, observations: Tensor) -> Embedded:
        """The first half of the network."""
        return Embedded(
            self.embed_query(observations[:, :1, :-1]),
            self.embed_keys(self.keys(observations)),
            observations[:, 1:, -1] > 0.5,
        )

    def attend(self, embedded: Embedded) -> Tensor:
        """The second half."""
        query = embedded.query
        for block in self.blocks:
            query = block(query, embedded.keys, embedded.padding)
        return query[:, 0]

    def keys(self, observations: Tensor) -> Tensor:
        """(batch, things, key_features) of observations."""
        return observations[:, 1:, : self.key_features]


def reads_matrix(space: spaces.Space[Any]) -> bool:
    """Could this be a query, keys and a column of flags?"""
    return (
        isinstance(space, spaces.Box) and len(space.shape) == 2 and min(space.shape) >= 2 and space.dtype == np.float32
    )


class CrossAttention(nn.Module):
    """LN(x + attention(x, keys)), or x + attention(LN(x), keys)."""

    def __init__(self, width: int, heads: int, pre_norm: bool = False) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.norm = nn.LayerNorm(width)
        self.pre_norm = pre_norm

    def forward(self, query: Tensor, keys: Tensor, padding: Tensor) -> Tensor:
        """(batch, 1, width)."""
        asked = self.norm(query) if self.pre_norm else query
        attended, _ = self.attention(asked, keys, keys, key_padding_mask=padding, need_weights=False)
        summed: Tensor = query + attended
        return summed if self.pre_norm else self.norm(summed)


class _Block(nn.Module):
    def __init__(self, width: int, heads: int, feedforward: int, pre_norm: bool) -> None:
        super().__init__()
        self.attention = CrossAttention(width, heads, pre_norm)
        self.feedforward = nn.Sequential(nn.Linear(width, feedforward), nn.ReLU(), nn.Linear(feedforward, width))
        self.norm = nn.LayerNorm(width)
        self.pre_norm = pre_norm

    def forward(self, query: Tensor, keys: Tensor, padding: Tensor) -> Tensor:
        query = self.attention(query, keys, padding)
        if self.pre_norm:
            return query + self.feedforward(self.norm(query))
        normed: Tensor = self.norm(query + self.feedforward(query))
        return normed


def _embedding(inputs: int, width: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU())
