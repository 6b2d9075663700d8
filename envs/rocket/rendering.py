"""A match from above: field, pads, cars with heading and boost, the ball and its height."""

from __future__ import annotations

import functools
import math

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from envs.rocket.meshes import Field
from envs.rocket.states import BIG_PADS, PADS, MatchStates

SCALE = 26.0  # uu a pixel
EDGE = 14  # pixels around the field
STRIP = 26  # for the ball's height
_GRASS, _LINE, _WALL = (46, 74, 52), (96, 128, 100), (22, 26, 32)
_BLUE, _ORANGE, _BALL = (64, 132, 255), (255, 142, 36), (240, 240, 240)
_PAD, _PAD_TAKEN = (250, 214, 70), (84, 92, 70)
_CAR = np.array([[80, 0], [-50, 42], [-30, 0], [-50, -42]], np.float64) * 2.6  # drawn larger than life


def picture(states: MatchStates, arena: int) -> npt.NDArray[np.uint8]:
    """One arena, (height, width, 3); the orange goal is at the top.

    Args:
        states: of all arenas.
        arena: which.
    """
    image = _field().copy()
    draw = ImageDraw.Draw(image)
    for place, big, there in zip(PADS.tolist(), BIG_PADS.tolist(), states.pads[arena].tolist(), strict=True):
        x, y = _pixel(place[0], place[1])
        size = 5 if big else 2
        draw.ellipse([x - size, y - size, x + size, y + size], fill=_PAD if there else _PAD_TAKEN)
    for car in range(len(states.orange)):
        _draw_car(draw, states, arena, car)
    bx, by, bz = states.ball_position[arena].tolist()
    x, y = _pixel(bx, by)
    radius = (91.25 + bz / 8) / SCALE
    draw.ellipse([x - 4, y - 4, x + 4, y + 4], fill=(20, 34, 24))
    draw.ellipse([x - radius, y - radius, x + radius, y + radius], outline=_BALL, width=2)
    _draw_height(draw, image, bz)
    return np.asarray(image)


def _pixel(x: float, y: float) -> tuple[float, float]:
    field = Field()  # the game's axes are left-handed: seen from above with +y up, +x points left
    return EDGE + (field.side - x) / SCALE, EDGE + (field.goal_back - y) / SCALE


@functools.cache
def _field() -> Image.Image:
    field = Field()
    width = round(2 * field.side / SCALE) + 2 * EDGE + STRIP
    height = round(2 * field.goal_back / SCALE) + 2 * EDGE
    image = Image.new("RGB", (width + width % 2, height + height % 2), _WALL)
    draw = ImageDraw.Draw(image)
    cut = field.corner - field.side
    corners = [(field.side, cut), (field.corner - field.back, field.back)]
    ring = [(x, y) for x, y in corners] + [(-x, y) for x, y in corners[::-1]]
    ring += [(-x, -y) for x, y in corners] + [(x, -y) for x, y in corners[::-1]]
    draw.polygon([_pixel(x, y) for x, y in ring], fill=_GRASS, outline=_LINE)
    for sign, colour in ((1, _ORANGE), (-1, _BLUE)):
        ends = [
            _pixel(-field.goal_half_width, sign * field.back),
            _pixel(field.goal_half_width, sign * field.goal_back),
        ]
        xs, ys = sorted(p[0] for p in ends), sorted(p[1] for p in ends)
        draw.rectangle([xs[0], ys[0], xs[1], ys[1]], fill=tuple(c // 3 for c in colour), outline=colour)
    draw.line([_pixel(-field.side, 0), _pixel(field.side, 0)], fill=_LINE)
    x, y = _pixel(0, 0)
    draw.ellipse([x - 40, y - 40, x + 40, y + 40], outline=_LINE)
    return image


def _draw_car(draw: ImageDraw.ImageDraw, states: MatchStates, arena: int, car: int) -> None:
    x, y, z = states.car_position[arena, car].tolist()
    forward = states.car_forward[arena, car]
    angle = math.atan2(float(forward[1]), float(forward[0]))
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    corners = [_pixel(x + dx, y + dy) for dx, dy in (_CAR * (1 + z / 4000) @ turn.T).tolist()]
    colour = _ORANGE if states.orange[car] else _BLUE
    if states.demolished[arena, car]:
        draw.polygon(corners, outline=(120, 120, 120))
        return
    draw.polygon(corners, fill=colour)
    px, py = _pixel(x, y)
    draw.rectangle([px - 8, py + 9, px + 8, py + 11], fill=(40, 40, 40))
    draw.rectangle([px - 8, py + 9, px - 8 + 16 * float(states.boost[arena, car]), py + 11], fill=_PAD)


def _draw_height(draw: ImageDraw.ImageDraw, image: Image.Image, z: float) -> None:
    """The ball's height as a bar at the right edge."""
    right, low, high = image.width - EDGE, image.height - 2 * EDGE, 2 * EDGE
    draw.line([(right, low), (right, high)], fill=_LINE)
    y = low + (high - low) * min(1.0, max(0.0, z / Field().ceiling))
    draw.ellipse([right - 5, y - 5, right + 5, y + 5], fill=_BALL)
