"""The network of `agents.features.CompactFeatures` in torch's stock modules, for all peers.

The same layers of the same widths, so as many weights, without what makes ours fast.
"""

from __future__ import annotations

import torch
from gymnasium import spaces
from torch import Tensor, nn

HIDDEN = 64
"""Width of the two layers that policy and value have each."""


def values(box: spaces.Space) -> int:
    """How many different values an integer entry has."""
    assert isinstance(box, spaces.Box)
    return int(box.high.max()) + 1


class PlainFeatures(nn.Module):
    """Entries of `key_room`'s observation, (n, ...) each, whole numbers in any type -> (n, 130).

    "events", the bits of what is achieved, may be missing: then two less.
    """

    size = 64 + 32 + 32 + 2

    def __init__(self, space: spaces.Dict) -> None:
        super().__init__()
        crop, stats = space["glyphs_crop"], space["blstats"]
        assert crop.shape is not None
        assert stats.shape is not None
        height, width = crop.shape
        self._bits = "events" in space.spaces
        self.glyphs = nn.Embedding(values(crop), 8)
        self.convolutions = nn.Sequential(
            nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 16, 3, padding=1), nn.ReLU(),
            nn.Flatten(), nn.Linear(16 * height * width, 64), nn.ReLU(),
        )  # fmt: skip
        self.stats = nn.Sequential(nn.Linear(stats.shape[0], 32), nn.ReLU())
        self.inventory = nn.EmbeddingBag(values(space["inv_glyphs"]), 8, mode="mean")
        self.inventory_out = nn.Sequential(nn.Linear(8, 32), nn.ReLU())

    def forward(self, entries: dict[str, Tensor]) -> Tensor:
        map_ = self.convolutions(self.glyphs(entries["glyphs_crop"].long()).permute(0, 3, 1, 2))
        inventory = self.inventory_out(self.inventory(entries["inv_glyphs"].long()))
        codes = [map_, self.stats(entries["blstats"].float()), inventory]
        return torch.cat([*codes, entries["events"].float()] if self._bits else codes, dim=1)


def weights(*modules: nn.Module) -> int:
    """How many weights these modules have."""
    return sum(parameter.numel() for module in modules for parameter in module.parameters())
