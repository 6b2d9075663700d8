"""Networks that read a message character by character.

`paper` is the encoder of ONI and Motif (arXiv 2410.23022, 2310.00166), whose 256 characters cost a
second a gradient step on a busy core; `small` reads the first 128 and is for CPUs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from torch import nn

Size = Literal["small", "paper"]
LENGTH = {"small": 128, "paper": 256}


def encode(messages: Sequence[str], size: Size = "small") -> torch.Tensor:
    """(n, characters) int64: latin-1 codes, 0 behind the end.

    `small` is cut to the longest of these messages.

    Characters outside latin-1 are read as question marks, and what is too long is cut.
    """
    most = LENGTH[size]
    codes = [message.encode("latin-1", "replace")[:most] for message in messages]
    width = most if size == "paper" else max([1, *map(len, codes)])
    table = np.zeros((len(codes), width), np.int64)
    for row, code in enumerate(codes):
        table[row, : len(code)] = np.frombuffer(code, np.uint8)
    return torch.from_numpy(table)


class SmallEncoder(nn.Module):
    """(n, characters) -> (n, 64): embedding 16, three convolutions of 32, maximum over characters.

    The convolutions are over 5, 5 and 3 characters.

    What stands behind a message's end changes nothing.
    """

    width = 64

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(256, 16, padding_idx=0)
        kernels = (5, 5, 3)
        sizes = (16, 32, 32, 32)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(sizes[i], sizes[i + 1], kernel, padding=kernel // 2) for i, kernel in enumerate(kernels)
        )
        self.output = nn.Linear(32, self.width)

    def forward(self, codes: torch.Tensor) -> torch.Tensor:
        there = (codes != 0).unsqueeze(1)
        x = self.embedding(codes).transpose(1, 2)
        for convolution in self.convolutions:
            x = torch.relu(convolution(x)) * there
        return torch.relu(self.output(x.amax(dim=2)))


class PaperEncoder(nn.Module):
    """(n, 256) -> (n, 128): the paper's, 141,824 parameters."""

    width = 128

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(256, 32, padding_idx=0)
        layers: list[nn.Module] = []
        for channels, kernel, pool in ((32, 7, 3), (64, 7, 3), (64, 3, 0), (64, 3, 0), (64, 3, 0), (64, 3, 3)):
            layers += [nn.Conv1d(channels, 64, kernel), nn.ReLU()]
            if pool:
                layers.append(nn.MaxPool1d(pool))
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Linear(5 * 64, self.width), nn.ReLU())

    def forward(self, codes: torch.Tensor) -> torch.Tensor:
        encoded: torch.Tensor = self.layers(self.embedding(codes).transpose(1, 2))
        return encoded


def classifier(size: Size) -> nn.Module:
    """Messages to (n, 2) logits, unhelpful and helpful; the paper's head has 329,730 parameters."""
    if size == "small":
        return nn.Sequential(SmallEncoder(), nn.Linear(SmallEncoder.width, 64), nn.ReLU(), nn.Linear(64, 2))
    return nn.Sequential(
        PaperEncoder(), nn.Linear(128, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Dropout(0.1),
        nn.Linear(512, 2),
    )  # fmt: skip


def ranker(size: Size) -> nn.Module:
    """Messages to (n, 1) scores; the paper's head has 165,121 parameters."""
    if size == "small":
        return nn.Sequential(SmallEncoder(), nn.Linear(SmallEncoder.width, 64), nn.ReLU(), nn.Linear(64, 1))
    return nn.Sequential(PaperEncoder(), nn.Linear(128, 256), nn.ReLU(), nn.Linear(256, 512), nn.ReLU(),
                         nn.Linear(512, 1))  # fmt: skip
