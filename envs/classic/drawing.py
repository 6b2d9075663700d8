"""Pictures of many small worlds at once: discs, capsules and boxes on square images.

A shape is drawn by the distance of pixels' centres to it, with an edge one pixel wide, so that a
move of less than a pixel shows. Only the pixels around it are looked at.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
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
        self._x: FloatArray = low_x + middles * (high_x - low_x)
        self._y: FloatArray = low_y + (middles[::-1] if upwards else middles) * (high_y - low_y)
        self._images: Picture = np.empty((m, size, size, 3), np.float32)
        self._images[:] = ground

    def discs(self, centres: Any, radius: float, colour: Colour) -> None:
        """A disc in every image, at (m, 2), or at the same place (2,) in all."""
        self.capsules(centres, centres, radius, colour)

    def capsules(self, starts: Any, ends: Any, half_width: float, colour: Colour) -> None:
        """A line with round ends in every image, from (m, 2) to (m, 2); (2,) for all alike."""
        _capsules(self._images, self._x, self._y, self.pixel, _rows(starts), _rows(ends), half_width, _shade(colour))

    def boxes(self, low: Any, high: Any, colour: Colour) -> None:
        """A box in every image, between two corners (m, 2), or (2,) for all alike."""
        _boxes(self._images, self._x, self._y, self.pixel, _rows(low), _rows(high), _shade(colour))

    def images(self) -> Array:
        """What was drawn, (m, size, size, 3) uint8."""
        return np.rint(self._images).astype(np.uint8)


def _rows(points: Any) -> FloatArray:
    """Points (m, 2), or (1, 2) of one for all images."""
    rows: FloatArray = np.ascontiguousarray(np.atleast_2d(np.asarray(points, np.float64)))
    return rows


def _shade(colour: Colour) -> Picture:
    return np.array(colour, np.float32)


@njit(cache=True, nogil=True)
def _capsules(
    images: Any, x: Any, y: Any, pixel: float, starts: Any, ends: Any, half_width: float, colour: Any
) -> None:
    reach = half_width + pixel
    for image in range(len(images)):
        from_x, from_y = starts[min(image, len(starts) - 1)]
        to_x, to_y = ends[min(image, len(ends) - 1)]
        along_x, along_y = to_x - from_x, to_y - from_y
        square = max(along_x**2 + along_y**2, 1e-12)
        left, right = _between(x, min(from_x, to_x) - reach, max(from_x, to_x) + reach)
        top, bottom = _between(y, min(from_y, to_y) - reach, max(from_y, to_y) + reach)
        for row in range(top, bottom):
            for column in range(left, right):
                over_x, over_y = x[column] - from_x, y[row] - from_y
                share = min(max((over_x * along_x + over_y * along_y) / square, 0.0), 1.0)
                away = np.hypot(over_x - share * along_x, over_y - share * along_y)
                _blend(images[image, row, column], 0.5 - (away - half_width) / pixel, colour)


@njit(cache=True, nogil=True)
def _boxes(images: Any, x: Any, y: Any, pixel: float, low: Any, high: Any, colour: Any) -> None:
    for image in range(len(images)):
        low_x, low_y = low[min(image, len(low) - 1)]
        high_x, high_y = high[min(image, len(high) - 1)]
        left, right = _between(x, low_x - pixel, high_x + pixel)
        top, bottom = _between(y, low_y - pixel, high_y + pixel)
        for row in range(top, bottom):
            for column in range(left, right):
                outside_x = max(low_x - x[column], x[column] - high_x)
                outside_y = max(low_y - y[row], y[row] - high_y)
                _blend(images[image, row, column], 0.5 - max(outside_x, outside_y) / pixel, colour)


@njit(cache=True, nogil=True)
def _between(middles: Any, low: float, high: float) -> Any:
    """The first of evenly spaced middles that may lie between two numbers, and past the last."""
    step = middles[1] - middles[0] if len(middles) > 1 else 1.0
    one, other = (low - middles[0]) / step, (high - middles[0]) / step
    first, last = np.floor(min(one, other)), np.ceil(max(one, other)) + 1.0
    return int(min(max(first, 0.0), len(middles))), int(min(max(last, 0.0), len(middles)))


@njit(cache=True, nogil=True)
def _blend(pixel: Any, share: float, colour: Any) -> None:
    """A colour in a pixel (3,), as far as `share` says."""
    if share > 0.0:
        weight = np.float32(min(share, 1.0))
        for channel in range(3):
            pixel[channel] += weight * (colour[channel] - pixel[channel])
