"""What encodes one entry of NetHack's observations: maps, lists, numbers, texts."""

from __future__ import annotations

import math

import numpy as np
from gymnasium import spaces
from torch import Tensor, nn

from agents.dense import Stack, through
from agents.features.patches import embed_and_convolve


def sizes(box: spaces.Box) -> tuple[int, int]:
    """How many different values an integer entry has, and its length."""
    return int(np.max(box.high)) + 1, int(np.prod(box.shape))


class Grid(nn.Module):
    """Embedding and convolutions: integers (batch, height, width) -> (batch, features)."""

    def __init__(self, box: spaces.Box, embedding: int, channels: list[int], strides: list[int], features: int) -> None:
        super().__init__()
        values, _ = sizes(box)
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
        values, _ = sizes(box)
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


class Characters(nn.Module):
    """Character CNN over (batch, length) bytes -> (batch, features)."""

    def __init__(self, box: spaces.Box, embedding: int, channels: int, features: int) -> None:
        super().__init__()
        values, _length = sizes(box)
        self.embedding = nn.Embedding(values, embedding)
        self.convolutions = nn.Sequential(
            nn.Conv1d(embedding, channels, 7), nn.ReLU(), nn.MaxPool1d(3),
            nn.Conv1d(channels, channels, 7), nn.ReLU(), nn.MaxPool1d(3),
            nn.Conv1d(channels, channels, 3), nn.ReLU(), nn.AdaptiveMaxPool1d(4), nn.Flatten(),
        )  # fmt: skip
        self.out = nn.Sequential(nn.Linear(4 * channels, features), nn.ReLU())

    def forward(self, text: Tensor) -> Tensor:
        return self.out(self.convolutions(self.embedding(text.long()).transpose(1, 2)))
