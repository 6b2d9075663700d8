"""Elites side by side: their paths over the map, and a clip of all at play."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from scripts.results.clips import FRAME_SECONDS, LAST_FRAME_SECONDS, Picture, captioned, write_gif
from scripts.results.figures import figure, look

FloatArray = npt.NDArray[np.float64]
WIDEST = 960
"""Pixels of a grid of clips."""
GAP = 2
_GREY = "#c4c9d1"


@dataclass(frozen=True)
class Chart:
    """What lies under paths.

    Attributes:
        picture: (h, w, 3); None: there is none.
        edges: positions at its edges, ((left, right), (bottom, top)).
        ends: where episodes ended, (n, 2), where there is no picture.
        downward: the second number of a place grows downward.
    """

    picture: Picture | None = None
    edges: tuple[tuple[float, float], tuple[float, float]] = ((0.0, 1.0), (0.0, 1.0))
    ends: FloatArray | None = None
    downward: bool = False


def draw_elites(
    path: Path, outcome: Any, rewards: tuple[FloatArray, FloatArray], indices: Sequence[int], chart: Chart
) -> Path:
    """Paths over the map, each with its elite's index, and rewards then and now.

    Args:
        path: the .png.
        outcome: `Outcome` with the place after every step.
        rewards: when they were kept, and played again.
        indices: of the elites.
        chart: under the paths.
    """
    with figure(path, 1, 2, 4.8, 4.4, width_ratios=(1.25, 1)) as (_, (places, bars)):
        if chart.picture is not None:
            places.imshow(chart.picture, extent=(*chart.edges[0], *chart.edges[1]), alpha=0.45)
        elif chart.ends is not None:
            x, y = chart.ends[:: max(1, len(chart.ends) // 20_000)].T
            places.scatter(x, y, s=4, color=_GREY, linewidths=0)
        outline = {"facecolor": "white", "edgecolor": "none", "pad": 1.0, "alpha": 0.85}
        for row, index in enumerate(indices):
            walked = outcome.paths[row, : outcome.lengths[row]]
            style = look(row) | {"linewidth": 1.8}
            places.plot(*walked.T, **style)
            places.plot(*walked[-1], "o", color=style["color"], markersize=6, markeredgecolor="white")
            places.annotate(
                str(index), walked[-1], xytext=(5, 4), textcoords="offset points", fontsize=8, bbox=outline, zorder=9
            )
        places.set_title("Paths of elites")
        if chart.downward:
            places.invert_yaxis()
        places.grid(visible=False)
        places.set_aspect("equal", adjustable="box" if chart.picture is not None else "datalim")
        _draw_rewards(bars, rewards, indices)
    return path


def _draw_rewards(axes: Any, rewards: tuple[FloatArray, FloatArray], indices: Sequence[int]) -> None:
    rows = np.arange(len(indices))[::-1]
    for row, then, now in zip(rows, *rewards, strict=True):
        axes.plot([then, now], [row, row], color=_GREY, linewidth=2)
    axes.scatter(rewards[0], rows, s=46, facecolors="none", edgecolors="#D55E00", label="when it was kept", zorder=3)
    axes.scatter(rewards[1], rows, s=16, color="#0072B2", label="played again", zorder=4)
    axes.set_yticks(rows, [str(index) for index in indices])
    axes.set_ylim(-0.7, len(indices) - 0.3)
    axes.set_ylabel("elite")
    axes.set_xlabel("reward")
    axes.set_title("What they are paid")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=2)


def write_grid(path: Path, clips: Sequence[Sequence[Picture]], labels: Sequence[str]) -> Path:
    """A GIF of clips that play side by side; whoever is through stays at its last picture.

    Args:
        path: the .gif; it appears when it is complete.
        clips: of pictures of one size, at least one each.
        labels: over each.
    """
    columns = ceil(sqrt(len(clips)))
    wide = min(clips[0][0].shape[1], WIDEST // columns)
    cells = [
        [captioned(_scaled(picture, wide), label) for picture in clip]
        for clip, label in zip(clips, labels, strict=True)
    ]
    blank = np.full_like(cells[0][0], 255)
    pictures = []
    for now in range(max(map(len, cells))):
        row = [cell[min(now, len(cell) - 1)] for cell in cells]
        row += [blank] * (-len(row) % columns)
        lines = [_joined(row[at : at + columns], axis=1) for at in range(0, len(row), columns)]
        pictures.append(_joined(lines, axis=0))
    seconds = [FRAME_SECONDS] * (len(pictures) - 1) + [LAST_FRAME_SECONDS]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_gif(path, pictures, seconds)
    return path


def _joined(pictures: Sequence[Picture], axis: int) -> Picture:
    """Side by side (1) or one below the other (0), a white line between them."""
    room = [(0, 0), (0, 0), (0, 0)]
    room[axis] = (0, GAP)
    parts = [np.pad(picture, room, constant_values=255) for picture in pictures[:-1]]
    return np.concatenate([*parts, pictures[-1]], axis=axis)


def _scaled(picture: Picture, wide: int) -> Picture:
    height, width = picture.shape[:2]
    if width == wide:
        return picture
    size = (wide, max(1, round(height * wide / width)))
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS))
