"""Pictures of NetHack: the map in tiles under the message, as an array."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from nle import nethack
from PIL import Image, ImageDraw, ImageFont

from envs.nethack.captions import words
from envs.nethack.game import Game
from envs.typing import Array, BoolArray

TILE = nethack.TILE_SHAPE[0]
_STRIP = 20
_INK, _PAPER = (235, 235, 235), (0, 0, 0)


class Renderer:
    """Draws one game in nle's tiles, the message above, the bottom line below.

    Pictures are (376, 1264, 3) uint8.

    Raises:
        RuntimeError: when nle cannot read its own tile files.
    """

    def __init__(self, game: Game) -> None:
        self._game = game
        if not game.stock.nethack.setup_tiles():
            raise RuntimeError("nle could not read its tile files: its installation is damaged, install nle again")
        self._map = np.zeros(nethack.TILE_RENDER_SHAPE, np.uint8)
        self._font = ImageFont.load_default(14)

    def frame(self) -> Array:
        """A new picture of the game as it is."""
        self._game.stock.nethack.draw_frame(self._map)
        blstats = self._game.rows["blstats"]
        status = (
            f"HP {blstats[nethack.NLE_BL_HP]}/{blstats[nethack.NLE_BL_HPMAX]}   "
            f"depth {blstats[nethack.NLE_BL_DEPTH]}   "
            f"gold {blstats[nethack.NLE_BL_GOLD]}   turn {blstats[nethack.NLE_BL_TIME]}"
        )
        message = words([self._game.rows["message"].tobytes().rstrip(b"\0")])
        return np.concatenate([self._strip(message), self._map, self._strip(status)])

    def _strip(self, text: str) -> Array:
        image = Image.new("RGB", (self._map.shape[1], _STRIP), _PAPER)
        ImageDraw.Draw(image).text((4, 1), text, fill=_INK, font=self._font)
        return np.asarray(image)


def trim(frames: Sequence[Array], margin: int = TILE, min_width: int = 480) -> list[Array]:
    """Cut the black columns and rows of the map that no frame of a clip uses.

    Message and bottom line stay.

    Args:
        frames: pictures of one game, of one size.
        margin: black pixels to leave around the map.
        min_width: so many columns are kept at least, for the words.

    Returns:
        As many frames, of one common size that is even in both directions.

    Raises:
        ValueError: without frames.
    """
    if not frames:
        raise ValueError("there are no frames to trim")
    used: BoolArray = np.zeros(frames[0].shape[:2], np.bool_)
    for frame in frames:
        used |= frame.any(axis=2)
    used = used[_STRIP : len(used) - _STRIP]
    rows, columns = np.flatnonzero(used.any(axis=1)), np.flatnonzero(used.any(axis=0))
    if not len(rows):
        return list(frames)
    top, bottom = max(0, rows[0] - margin), min(used.shape[0], rows[-1] + 1 + margin)
    bottom -= (bottom - top) % 2
    middle = (columns[0] + columns[-1]) // 2
    width = min(used.shape[1], max(min_width, columns[-1] + 1 - columns[0] + 2 * margin)) // 2 * 2
    left = int(np.clip(middle - width // 2, 0, used.shape[1] - width))
    return [
        np.concatenate(
            [
                frame[:_STRIP, :width],
                frame[_STRIP + top : _STRIP + bottom, left : left + width],
                frame[-_STRIP:, :width],
            ]
        )
        for frame in frames
    ]
