"""Feature extractors for NetHack: glyphs are looked up, never read as numbers.

Each entry of a Dict observation is encoded by its kind, and the codes are concatenated:

| entry | compact (learns in minutes on two cores) | baseline (NetHack baselines' size) |
| --- | --- | --- |
| `*_crop` | embedding 8, two 3x3 convolutions of 16, 64 | embedding 32, five of 16 to 8, 256 |
| `glyphs`, `chars` (whole map) | the same, strided | the same five |
| `inv_glyphs` | mean embedding, 32 | mean embedding, 64 |
| `blstats` and other numbers | linear 32 | two layers of 128 |
| `message` | mean of character embeddings, 32 | character CNN, 128 |
| `colors*`, `specials` | as a map of their own | the same |
| short vectors (achieved bits and the like) | as they are | as they are |

Sources: the NetHack Learning Environment's and MiniHack's baseline agents (Küttler et al. 2020,
appendix; Samvelyan et al. 2021, appendix).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import Tensor, nn

from agents.dense import Stack, through
from agents.features.distinct import Distinct
from agents.features.patches import embed_and_convolve
from agents.features.shards import Shards

GRIDS = ("glyphs_crop", "chars_crop", "colors_crop", "glyphs", "chars", "colors", "specials", "tty_chars", "tty_colors")
LISTS = ("inv_glyphs", "inv_oclasses", "inv_letters")
TEXTS = ("message",)
REPEATING = (*GRIDS, *LISTS, *TEXTS)
AS_IT_IS = 16  # vectors up to this length are not worth a layer


def reads_glyphs(space: spaces.Space[Any]) -> bool:
    """Does this observation space hold a map of NetHack?"""
    return isinstance(space, spaces.Dict) and any(key in space.spaces for key in GRIDS)


def _sizes(box: spaces.Box) -> tuple[int, int]:
    """How many different values an integer entry has, and its length."""
    return int(np.max(box.high)) + 1, int(np.prod(box.shape))


class Grid(nn.Module):
    """Embedding and convolutions: integers (batch, height, width) -> (batch, features)."""

    def __init__(self, box: spaces.Box, embedding: int, channels: list[int], strides: list[int], features: int) -> None:
        super().__init__()
        values, _ = _sizes(box)
        self.embedding = nn.Embedding(values, embedding)
        self.values = values
        layers: list[nn.Module] = []
        previous = embedding
        for width, stride in zip(channels, strides, strict=True):
            layers += [nn.Conv2d(previous, width, 3, stride=stride, padding=1), nn.ReLU()]
            previous = width
        self.convolutions = nn.Sequential(*layers)
        height, width_ = box.shape
        for stride in strides:
            height, width_ = math.ceil(height / stride), math.ceil(width_ / stride)
        self.out = nn.Sequential(nn.Flatten(), nn.Linear(previous * height * width_, features), nn.ReLU())

    def forward(self, grid: Tensor) -> Tensor:
        layers = [layer for layer in self.convolutions if isinstance(layer, nn.Conv2d)]
        image = embed_and_convolve(grid, self.embedding, layers)
        last = self.out[1]
        assert isinstance(last, nn.Linear)
        if len(image) < last.out_features:
            flat, weight = image.flatten(1), last.weight
        else:  # channels last in memory: flattened as they lie, with weights that are put in this order
            flat = image.permute(0, 2, 3, 1).flatten(1)
            weight = last.weight.view(last.out_features, image.shape[1], -1).transpose(1, 2).flatten(1)
        return through(flat, Stack(((weight, last.bias),), (nn.ReLU,)))[0]


class Bag(nn.Module):
    """Mean embedding of a list (batch, length) of integers -> (batch, features)."""

    def __init__(self, box: spaces.Box, embedding: int, features: int) -> None:
        super().__init__()
        values, _ = _sizes(box)
        self.bag = nn.EmbeddingBag(values, embedding, mode="mean")
        self.out = nn.Sequential(nn.Linear(embedding, features), nn.ReLU())

    def forward(self, items: Tensor) -> Tensor:
        stack = Stack.of(self.out)
        assert stack is not None
        return through(self.bag(items.long()), stack)[0]


class Numbers(nn.Module):
    """Numbers of any type and shape -> (batch, length) floats."""

    def forward(self, numbers: Tensor) -> Tensor:
        return numbers.flatten(1).float()


class _Characters(nn.Module):
    """Character CNN over (batch, length) bytes -> (batch, features)."""

    def __init__(self, box: spaces.Box, embedding: int, channels: int, features: int) -> None:
        super().__init__()
        values, _length = _sizes(box)
        self.embedding = nn.Embedding(values, embedding)
        self.convolutions = nn.Sequential(
            nn.Conv1d(embedding, channels, 7), nn.ReLU(), nn.MaxPool1d(3),
            nn.Conv1d(channels, channels, 7), nn.ReLU(), nn.MaxPool1d(3),
            nn.Conv1d(channels, channels, 3), nn.ReLU(), nn.AdaptiveMaxPool1d(4), nn.Flatten(),
        )  # fmt: skip
        self.out = nn.Sequential(nn.Linear(4 * channels, features), nn.ReLU())

    def forward(self, text: Tensor) -> Tensor:
        return self.out(self.convolutions(self.embedding(text.long()).transpose(1, 2)))


class _ByEntry(BaseFeaturesExtractor):
    """One encoder an entry, codes side by side; rows that repeat are encoded once.

    Args:
        observation_space: a Dict of Box entries.
        threads: cores that share a training batch (see `Shards`).

    Raises:
        ValueError: for an entry that is not a Box.
    """

    remembers = False
    """Look codes up while acting? Not for target networks, see `Distinct.recall`."""

    def __init__(self, observation_space: spaces.Dict, threads: int = 1) -> None:
        super().__init__(observation_space, features_dim=1)
        encoders: dict[str, nn.Module] = {}
        size = 0
        for key, box in observation_space.spaces.items():
            if not isinstance(box, spaces.Box):
                raise ValueError(f"observation entry {key!r} is {box}; NetHack's feature extractors read Box entries")
            encoders[key], width = self.encoder(key, box)
            size += width
        self.encoders = nn.ModuleDict(encoders)
        self._features_dim = size
        self._shards = Shards(self, self.encode, threads)
        self.distinct = {key: Distinct(key) for key in encoders if key in REPEATING}

    def encoder(self, key: str, box: spaces.Box) -> tuple[nn.Module, int]:
        """The encoder of an entry and the length of its code."""
        raise NotImplementedError

    def forward(self, observations: dict[str, Tensor]) -> Tensor:
        if self.remembers and not torch.is_grad_enabled():
            return torch.cat([self._recalled(key, observations[key]) for key in self.encoders], dim=1)
        entries: dict[str, Tensor] = {}
        numbers: list[Tensor | None] = []
        for key in self.encoders:
            distinct, entry = self.distinct.get(key), observations[key]
            entries[key], which = (entry, None) if distinct is None else distinct.reduce(entry)
            numbers.append(which)
        codes = zip(self._shards(entries), numbers, strict=True)
        return torch.cat([code if which is None else code.index_select(0, which) for code, which in codes], dim=1)

    def encode(self, entries: dict[str, Tensor]) -> tuple[Tensor, ...]:
        """The code of every entry, (rows, features) each."""
        return tuple(encoder(entries[key]) for key, encoder in self.encoders.items())

    def _recalled(self, key: str, entry: Tensor) -> Tensor:
        distinct, encoder = self.distinct.get(key), self.encoders[key]
        codes: Tensor = encoder(entry) if distinct is None else distinct.recall(encoder, entry)
        return codes


class CompactFeatures(_ByEntry):
    """The small extractor: learns MiniHack tasks in minutes on two cores. See the table above."""

    def encoder(self, key: str, box: spaces.Box) -> tuple[nn.Module, int]:
        _, length = _sizes(box)
        if key in GRIDS:
            wide = length > 400
            return Grid(box, 8, [16, 16], [2, 2] if wide else [1, 1], 64), 64
        if key in LISTS or key in TEXTS:
            return Bag(box, 8 if key in LISTS else 16, 32), 32
        if length <= AS_IT_IS:
            return Numbers(), length
        return nn.Sequential(Numbers(), nn.Linear(length, 32), nn.ReLU()), 32


class BaselineFeatures(_ByEntry):
    """As large as the NetHack baselines; for RecurrentPPO and long runs. See the table above."""

    def encoder(self, key: str, box: spaces.Box) -> tuple[nn.Module, int]:
        _, length = _sizes(box)
        if key in GRIDS:
            return Grid(box, 32, [16, 16, 16, 16, 8], [1] * 5, 256), 256
        if key in LISTS:
            return Bag(box, 32, 64), 64
        if key in TEXTS:
            return _Characters(box, 16, 64, 128), 128
        if length <= AS_IT_IS:
            return Numbers(), length
        return nn.Sequential(Numbers(), nn.Linear(length, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU()), 128
