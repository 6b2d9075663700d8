"""How a belief in a message ran, step by step, as pictures: a chart, and the play itself."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from scripts.results.clips import FRAME_SECONDS, LAST_FRAME_SECONDS, Picture, captioned, write_gif
from scripts.results.figures import figure, rate_axis, short

FloatArray = npt.NDArray[np.float64]
MOST_ROWS = 256
"""Rows of a chart; of a longer message so many blocks, evenly spaced, are shown."""
MOST_LOOKS = 240
"""About so many looks at a whole message, a frame of the clip each."""
_UNKNOWN, _KNOWN, _GROUND = np.array([196, 201, 209]), np.array([0, 114, 178]), (255, 255, 255)
_PANEL_WIDTH, _LEAST_HEIGHT = 340, 260


@dataclass(frozen=True)
class Course:
    """What a receiver believed, looked at after some of the steps.

    Attributes:
        steps: (looks,) after which, counted from 0; the last is the last step.
        certainty: (looks, blocks) probability of the true value of every block.
        guesses: (looks, blocks) the likeliest values.
        left: (looks,) bits that are not known yet.
        bits: of the whole message.
        rewards: of the task, of every step.
        episode_starts: (episodes,) the rows of first steps.
    """

    steps: npt.NDArray[np.int64]
    certainty: npt.NDArray[np.float32]
    guesses: npt.NDArray[np.int64]
    left: FloatArray
    bits: float
    rewards: FloatArray
    episode_starts: npt.NDArray[np.int64]

    def of_blocks(self, blocks: slice) -> Course:
        """The same of some blocks alone; what is left is of all."""
        return replace(self, certainty=self.certainty[:, blocks], guesses=self.guesses[:, blocks])


def draw_course(path: Path, course: Course, title: str) -> Path:
    """The belief in the true message over time, block by block, over the bits that are unknown.

    Args:
        path: the .png.
        course: to draw.
        title: over it.
    """
    steps, blocks = len(course.rewards), course.certainty.shape[1]
    rows = np.unique(np.linspace(0, blocks - 1, min(blocks, MOST_ROWS)).round().astype(int))
    with figure(path, 2, 1, 8.6, 3.1) as (_, (above, below)):
        shades = above.imshow(
            course.certainty[:, rows].T,
            aspect="auto",
            interpolation="nearest",
            cmap="Blues",
            vmin=0.0,
            vmax=1.0,
            extent=(0, steps, blocks, 0),
        )
        above.set_title(title)
        above.set_ylabel("block of the message")
        above.grid(visible=False)
        above.figure.colorbar(shades, ax=above, label="belief in its true value", pad=0.01)
        below.plot(course.steps + 1, course.left, color="#D55E00")
        below.set_ylabel("bits not known yet")
        below.set_ylim(bottom=0)
        below.set_xlim(0, steps)
        below.set_xlabel("steps of play")
        for axes in (above, below):
            for start in course.episode_starts[1:]:
                axes.axvline(start, color="#333840", linewidth=0.6, alpha=0.5)
        whole = below.twinx()
        whole.plot(course.steps + 1, course.certainty.mean(axis=1), color="#0072B2")
        whole.set_ylabel("mean belief")
        rate_axis(whole)
        whole.grid(visible=False)
    return path


def write_play(path: Path, frames: Sequence[Picture], course: Course, characters: bool) -> Path:
    """A GIF of the play with the message beside it as a receiver knows it, growing out of the grey.

    Args:
        path: the .gif.
        frames: one before each step that was looked at, (looks,) pictures of one size.
        course: of the same looks.
        characters: blocks are bytes of a text; else each is a square.
    """
    starts = course.episode_starts
    pictures, paid = [], np.cumsum(course.rewards)
    for look, (frame, step) in enumerate(zip(frames, course.steps.tolist(), strict=True)):
        episode = int(np.searchsorted(starts, step, side="right"))
        first = int(starts[episode - 1])
        before = paid[first - 1] if first else 0.0
        caption = f"episode {episode}   step {step - first + 1}   return {short(float(paid[step] - before))}"
        left = float(course.left[look])
        panel = revealed(course.guesses[look], course.certainty[look], left, left / course.bits, characters)
        pictures.append(beside(captioned(_tall(frame), caption), panel))
    seconds = [FRAME_SECONDS / 2] * (len(pictures) - 1) + [3 * LAST_FRAME_SECONDS]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_gif(path, pictures, seconds)
    return path


def revealed(guesses: Any, certainty: Any, left: float, share: float, characters: bool) -> Picture:
    """The likeliest message: grey where nothing is known, blue where it is certain.

    Args:
        guesses, certainty: (blocks,)
        left, share: bits that are not known yet, and their share of all.
        characters: see `write_play`.
    """
    blocks = len(guesses)
    columns = math.ceil(math.sqrt(blocks * (1.6 if characters else 1.0)))
    cell = max(6, min(26, (_PANEL_WIDTH - 20) // columns))
    lines = math.ceil(blocks / columns)
    height = max(_LEAST_HEIGHT, lines * cell + 60)
    picture = Image.new("RGB", (_PANEL_WIDTH, height), _GROUND)
    pen = ImageDraw.Draw(picture)
    font = ImageFont.load_default(max(7, int(cell * 0.8)))
    for block, (guess, sure) in enumerate(zip(guesses, certainty, strict=True)):
        x, y = 10 + block % columns * cell, 10 + block // columns * cell
        colour = tuple((_UNKNOWN + (_KNOWN - _UNKNOWN) * float(sure)).astype(int).tolist())
        if characters:
            letter = chr(int(guess)) if 32 <= guess < 127 else "·"
            pen.text((x, y), letter, fill=colour, font=font)
        else:
            pen.rectangle((x, y, x + cell - 2, y + cell - 2), fill=colour)
    known = 1.0 - share
    pen.rectangle((10, height - 22, 10 + (_PANEL_WIDTH - 20), height - 14), fill=tuple(_UNKNOWN.tolist()))
    pen.rectangle((10, height - 22, 10 + (_PANEL_WIDTH - 20) * known, height - 14), fill=tuple(_KNOWN.tolist()))
    pen.text((10, height - 42), f"{left:.0f} bits to go", fill=(51, 56, 64), font=ImageFont.load_default(13))
    return np.asarray(picture)


def beside(left: Picture, right: Picture) -> Picture:
    """Two pictures side by side, the shorter one on white."""
    height = max(left.shape[0], right.shape[0])
    parts = [np.pad(each, [(0, height - each.shape[0]), (0, 0), (0, 0)], constant_values=255) for each in (left, right)]
    return np.concatenate(parts, axis=1)


def _tall(frame: Picture) -> Picture:
    """At least as tall as the panel beside it."""
    height, width = frame.shape[:2]
    factor = max(1.0, min(3.0, _LEAST_HEIGHT / height))
    if factor == 1.0:
        return frame
    size = (round(width * factor), round(height * factor))
    return np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.NEAREST))
