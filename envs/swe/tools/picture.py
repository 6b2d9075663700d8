"""An episode of the tool face as a picture: what was done, and how many tests pass."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from envs.typing import Array

WIDTH, HEIGHT, LINE = 320, 240, 12
_INK, _PAPER, _BAR, _REST = (225, 228, 235), (30, 33, 40), (0, 158, 115), (80, 84, 95)


def picture(title: str, said: Sequence[str], opened: int, fraction: float) -> Array:
    """(HEIGHT, WIDTH, 3) uint8: the last actions, and the share of tests that passed as a bar."""
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (WIDTH, HEIGHT), _PAPER)
    draw = ImageDraw.Draw(image)
    where = "no file is open" if opened < 0 else f"file {opened} is open"
    draw.text((8, 6), f"{title}: {where}", fill=_INK)
    room = (HEIGHT - 60) // LINE
    first = max(0, len(said) - room)
    for place, line in enumerate(said[first:]):
        draw.text((8, 28 + place * LINE), f"{first + place + 1:2d}  {line}", fill=_INK)
    draw.rectangle((8, HEIGHT - 20, WIDTH - 8, HEIGHT - 10), fill=_REST)
    draw.rectangle((8, HEIGHT - 20, 8 + round((WIDTH - 16) * fraction), HEIGHT - 10), fill=_BAR)
    return np.asarray(image)
