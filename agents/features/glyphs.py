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

from typing import Any

import torch
from gymnasium import spaces
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import Tensor, nn

from agents.features.distinct import Distinct
from agents.features.encoders import Bag, Characters, Grid, Numbers, sizes
from agents.features.shards import Shards

GRIDS = ("glyphs_crop", "chars_crop", "colors_crop", "glyphs", "chars", "colors", "specials", "tty_chars", "tty_colors")
LISTS = ("inv_glyphs", "inv_oclasses", "inv_letters")
TEXTS = ("message",)
REPEATING = (*GRIDS, *LISTS, *TEXTS)
AS_IT_IS = 16  # vectors up to this length are not worth a layer


def reads_glyphs(space: spaces.Space[Any]) -> bool:
    """Does this observation space hold a map of NetHack?"""
    return isinstance(space, spaces.Dict) and any(key in space.spaces for key in GRIDS)


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
        _, length = sizes(box)
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
        _, length = sizes(box)
        if key in GRIDS:
            return Grid(box, 32, [16, 16, 16, 16, 8], [1] * 5, 256), 256
        if key in LISTS:
            return Bag(box, 32, 64), 64
        if key in TEXTS:
            return Characters(box, 16, 64, 128), 128
        if length <= AS_IT_IS:
            return Numbers(), length
        return nn.Sequential(Numbers(), nn.Linear(length, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU()), 128
