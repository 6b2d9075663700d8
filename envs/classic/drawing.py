"""Pictures of many small worlds at once: discs, capsules and boxes on square images.

Shapes are drawn by the distance of every pixel's centre to them, for all images together, with an
edge one pixel wide, so that a move of less than a pixel shows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.typing import Array, FloatArray

Colour = tuple[int, int, int]
Picture = NDArray[np.float32]
GROUND: Colour = (38, 42, 51)
WALL: Colour = (150, 156, 168)
GOAL: Colour = (0, 158, 115)
MOVER: Colour = (240, 228, 66)
LIMB: Colour = (86, 180, 233)
PREY: Colour = (230, 120, 60)


class Canvas:
    """`m` square images of a part of the plane.

    Args:
        m: images.
        size: pixels of a side.
        extent: ((lowest x, highest x), (lowest y, highest y)) that they show; a square.
        upwards: does y grow upwards, or down as in pictures?
        ground: the colour that everything starts with.
    """

    def __init__(
        self,
        m: int,
        size: int,
        extent: tuple[tuple[float, float], tuple[float, float]],
        upwards: bool = True,
        ground: Colour = GROUND,
    ) -> None:
        (low_x, high_x), (low_y, high_y) = extent
        self.pixel = (high_x - low_x) / size
        """How wide a pixel is on the plane."""
        middles = (np.arange(size) + 0.5) / size
        self._x: FloatArray = (low_x + middles * (high_x - low_x))[None, None, :]
        self._y: FloatArray = (low_y + (middles[::-1] if upwards else middles) * (high_y - low_y))[None, :, None]
        self._images: Picture = np.empty((m, size, size, 3), np.float32)
        self._images[:] = ground

    def discs(self, centres: Any, radius: float, colour: Colour) -> None:
        """A disc in every image, at (m, 2), or at the same place (2,) in all."""
        x, y = _columns(centres)
        self._paint(np.hypot(self._x - x, self._y - y) - radius, colour)

    def capsules(self, starts: Any, ends: Any, half_width: float, colour: Colour) -> None:
        """A line with round ends in every image, from (m, 2) to (m, 2); (2,) for all alike."""
        (from_x, from_y), (to_x, to_y) = _columns(starts), _columns(ends)
        along_x, along_y = to_x - from_x, to_y - from_y
        square = np.maximum(along_x**2 + along_y**2, 1e-12)
        share = np.clip(((self._x - from_x) * along_x + (self._y - from_y) * along_y) / square, 0.0, 1.0)
        away = np.hypot(self._x - from_x - share * along_x, self._y - from_y - share * along_y)
        self._paint(away - half_width, colour)

    def boxes(self, low: Any, high: Any, colour: Colour) -> None:
        """A box in every image, between two corners (m, 2), or (2,) for all alike."""
        (low_x, low_y), (high_x, high_y) = _columns(low), _columns(high)
        outside_x = np.maximum(low_x - self._x, self._x - high_x)
        outside_y = np.maximum(low_y - self._y, self._y - high_y)
        self._paint(np.maximum(outside_x, outside_y), colour)

    def images(self) -> Array:
        """What was drawn, (m, size, size, 3) uint8."""
        return np.rint(self._images).astype(np.uint8)

    def _paint(self, outside: FloatArray, colour: Colour) -> None:
        """Blend a colour in where the distance to a shape, negative inside, says so."""
        share = np.clip(0.5 - outside / self.pixel, 0.0, 1.0).astype(np.float32)[..., None]
        self._images += share * (np.array(colour, np.float32) - self._images)


def _columns(points: Any) -> tuple[FloatArray, FloatArray]:
    """Both coordinates of points (m, 2) or (2,), to be broadcast over images."""
    rows: FloatArray = np.atleast_2d(np.asarray(points, np.float64))
    return rows[:, 0, None, None], rows[:, 1, None, None]
