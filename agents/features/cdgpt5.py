"""The NetHack features of team CDGPT5, which Motif and ONI use: the crop, status, message.

| | `cdgpt5` | `cdgpt5_light` |
| --- | --- | --- |
| 12 × 12 characters | a picture, 6 × 6 pixels each; convolutions, 512 | embeddings, two, 128 |
| bottom line | two layers of 128, and as it is | one of 32, and as it is |
| message | bytes / 255, two layers of 128 | mean of character embeddings, 32 |
| what reward terms publish | as it is | as it is |

ELU everywhere. Source: Zheng et al. 2024 (arXiv 2410.23022), appendix, after the NeurIPS 2021
NetHack Challenge's baseline. The paper follows it with a GRU of 512; SB3's RecurrentPPO has an
LSTM: agent=recurrent_ppo/nethack.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from PIL import Image, ImageDraw, ImageFont
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import Tensor, nn

WINDOW, PIXELS = 12, 6
CROP = WINDOW + 1  # crops are odd, with the hero in the middle; the last row and column are left out
MOST_PUBLISHED = 64  # numbers of an entry that is not ours
READ = ("chars_crop", "colors_crop", "raw_blstats", "message")
PALETTE = np.array(
    [(85, 85, 85), (205, 49, 49), (13, 188, 121), (229, 142, 16), (59, 110, 234), (188, 63, 188), (17, 168, 205),
     (229, 229, 229), (40, 40, 40), (241, 106, 76), (35, 240, 139), (245, 245, 67), (110, 160, 255), (214, 112, 214),
     (41, 230, 219), (255, 255, 255)], np.float32,
) / 255  # fmt: skip
"""NetHack's sixteen colours; its black is drawn dark grey, or it could not be seen."""


def status_scales() -> Tensor:
    """What nle's 27 bottom-line numbers are multiplied by.

    0 leaves out score, depth, level numbers and conditions.
    """
    scales = np.zeros(27, np.float32)
    scales[0], scales[1] = 1 / 79, 1 / 21
    scales[2:9] = 1 / 10  # attributes
    scales[[10, 11]] = 1 / 10  # hit points
    scales[13] = 1 / 1000  # gold
    scales[[14, 15, 16, 17, 18]] = 1 / 10  # energy, armour class, monster level, experience level
    scales[19] = 1 / 100  # experience points
    scales[20] = 1 / 1000  # turn
    scales[21] = scales[22] = 1.0  # hunger, load
    return torch.from_numpy(scales)


def glyph_atlas() -> Tensor:
    """(256, 6, 6) in [0, 1]: every character, drawn."""
    font = ImageFont.load_default(size=7)
    atlas = np.zeros((256, PIXELS, PIXELS), np.float32)
    for code in range(33, 127):
        picture = Image.new("L", (4 * PIXELS, 4 * PIXELS))
        ImageDraw.Draw(picture).text((0, 0), chr(code), fill=255, font=font)
        box = picture.getbbox()
        if box is not None:
            left = min(box[0], max(0, (box[0] + box[2] - PIXELS) // 2))
            top = max(0, min(box[1], 2))
            atlas[code] = np.asarray(picture.crop((left, top, left + PIXELS, top + PIXELS)), np.float32) / 255
    return torch.from_numpy(atlas)


class _Features(BaseFeaturesExtractor):
    """Refuses what it cannot read.

    Raises:
        ValueError: entries are missing, or the crop has another size; says what to ask the
            environment for.
    """

    def __init__(self, observation_space: spaces.Space[Any], width: int) -> None:
        entries = observation_space.spaces if isinstance(observation_space, spaces.Dict) else {}
        missing = [key for key in READ if key not in entries]
        if missing or entries["chars_crop"].shape != (CROP, CROP):
            raise ValueError(
                f"these features read {', '.join(READ)} with a crop of {CROP}, and here are "
                f"{', '.join(entries) or observation_space}: give env.kwargs.observation_keys=[{','.join(READ)}] "
                f"env.kwargs.crop_size={CROP}"
            )
        published = {key: box for key, box in entries.items() if key not in READ}
        for key, box in published.items():
            if not isinstance(box, spaces.Box) or int(np.prod(box.shape)) > MOST_PUBLISHED:
                raise ValueError(
                    f"these features do not read {key!r} ({box}): take it out of env.kwargs.observation_keys"
                )
        self._published = tuple(published)
        more = sum(int(np.prod(box.shape or ())) for box in published.values())
        super().__init__(observation_space, width + more)
        self.register_buffer("scales", status_scales())

    def status(self, observations: dict[str, Tensor]) -> Tensor:
        """(batch, 27) in [-5, 5]."""
        return (observations["raw_blstats"].float() * self.get_buffer("scales")).clamp(-5.0, 5.0)

    def joined(self, codes: list[Tensor], observations: dict[str, Tensor]) -> Tensor:
        """Codes side by side, and what terms publish."""
        return torch.cat([*codes, *(observations[key].flatten(1).float() for key in self._published)], dim=1)


def _window(grid: Tensor) -> Tensor:
    return grid[:, :WINDOW, :WINDOW].long()


class CDGPT5Features(_Features):
    """The paper's sizes: 512 + 128 + 27 + 128 = 795 numbers."""

    def __init__(self, observation_space: spaces.Space[Any]) -> None:
        super().__init__(observation_space, 795)
        self.register_buffer("atlas", glyph_atlas())
        self.register_buffer("palette", torch.from_numpy(PALETTE))
        self.crop = nn.Sequential(
            nn.Conv2d(3, 32, 8, stride=4), nn.ELU(), nn.Conv2d(32, 64, 4, stride=2), nn.ELU(),
            nn.Conv2d(64, 128, 3, stride=2), nn.ELU(), nn.Flatten(), nn.Linear(1152, 512), nn.ELU(),
        )  # fmt: skip
        self.numbers = nn.Sequential(nn.Linear(27, 128), nn.ELU(), nn.Linear(128, 128), nn.ELU())
        self.words = nn.Sequential(nn.Linear(256, 128), nn.ELU(), nn.Linear(128, 128), nn.ELU())

    def render(self, observations: dict[str, Tensor]) -> Tensor:
        """(batch, 3, 72, 72) in [0, 1]."""
        shapes = self.get_buffer("atlas")[_window(observations["chars_crop"])]  # (batch, 12, 12, 6, 6)
        colours = self.get_buffer("palette")[_window(observations["colors_crop"]) % 16]  # (batch, 12, 12, 3)
        picture = torch.einsum("byxvu,byxc->bcyvxu", shapes, colours)
        return picture.reshape(len(shapes), 3, WINDOW * PIXELS, WINDOW * PIXELS)

    def forward(self, observations: dict[str, Tensor]) -> Tensor:
        status = self.status(observations)
        message = observations["message"].float() / 255
        codes = [self.crop(self.render(observations)), self.numbers(status), status, self.words(message)]
        return self.joined(codes, observations)


class CDGPT5LightFeatures(_Features):
    """The same entries for a CPU: 128 + 32 + 27 + 32 = 219 numbers."""

    def __init__(self, observation_space: spaces.Space[Any]) -> None:
        super().__init__(observation_space, 219)
        self.characters, self.colours = nn.Embedding(256, 12), nn.Embedding(16, 4)
        self.crop = nn.Sequential(
            nn.Conv2d(16, 32, 3, padding=1), nn.ELU(), nn.Conv2d(32, 32, 3, stride=2, padding=1), nn.ELU(),
            nn.Flatten(), nn.Linear(32 * 36, 128), nn.ELU(),
        )  # fmt: skip
        self.numbers = nn.Sequential(nn.Linear(27, 32), nn.ELU())
        self.letters = nn.EmbeddingBag(256, 16, mode="mean")
        self.words = nn.Sequential(nn.Linear(16, 32), nn.ELU())

    def forward(self, observations: dict[str, Tensor]) -> Tensor:
        characters = self.characters(_window(observations["chars_crop"]))
        colours = self.colours(_window(observations["colors_crop"]) % 16)
        crop = torch.cat([characters, colours], dim=3).permute(0, 3, 1, 2).contiguous()
        status = self.status(observations)
        words = self.words(self.letters(observations["message"].long()))
        return self.joined([self.crop(crop), self.numbers(status), status, words], observations)
