"""How our figures look: one small style and palette for all of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from foundation.files import whole_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's palette, which every kind of colour vision tells apart, in an order that keeps
# neighbours far apart.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#444444")
DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1.5, 1.5)), (0, (6, 2, 1.5, 2)))
_INK, _FAINT = "#333840", "#d9dce1"
_DPI = 130
MOST_WIDE = 3  # panels side by side

STYLE: Any = {
    "figure.dpi": _DPI,
    "savefig.dpi": _DPI,
    "figure.constrained_layout.use": True,
    "font.size": 10,
    "font.family": "DejaVu Sans",
    "text.color": _INK,
    "axes.labelcolor": _INK,
    "axes.edgecolor": _FAINT,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": _FAINT,
    "grid.linewidth": 0.7,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "lines.linewidth": 2.0,
    "lines.solid_capstyle": "round",
    "legend.frameon": False,
    "legend.fontsize": 9,
}


@contextmanager
def figure(
    path: Path, rows: int, columns: int, width: float, height: float, width_ratios: Sequence[float] | None = None
) -> Iterator[tuple[Figure, Sequence[Axes]]]:
    """A figure in our style with its axes row by row, written to `path` when the block ends well.

    Args:
        path: the .png; it appears when it is complete.
        rows, columns: of the grid of axes.
        width, height: of one of the axes, in inches.
        width_ratios: of the columns; equal where None.
    """
    import matplotlib

    # Figures are only ever written to files. No backend is chosen for the whole process: a caller
    # may have its own.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE):
        drawing = Figure(figsize=(columns * width, rows * height))
        FigureCanvasAgg(drawing)
        axes = drawing.subplots(rows, columns, squeeze=False, width_ratios=width_ratios).ravel().tolist()
        yield drawing, axes
        with whole_file(path) as part:
            drawing.savefig(part)


@contextmanager
def panels(path: Path, count: int, width: float, height: float) -> Iterator[tuple[Figure, Sequence[Axes]]]:
    """A `figure` with `count` axes, at most `MOST_WIDE` of them side by side.

    What is left of the last row is empty.
    """
    columns = min(MOST_WIDE, count)
    with figure(path, math.ceil(count / columns), columns, width, height) as (drawing, axes):
        for empty in axes[count:]:
            empty.set_axis_off()
        yield drawing, axes[:count]


def look(index: int) -> dict[str, Any]:
    """Colour and dashes of the line number `index`: colours repeat with other dashes."""
    return {"color": COLOURS[index % len(COLOURS)], "linestyle": DASHES[index // len(COLOURS) % len(DASHES)]}


def step_axis(axes: Axes, most_ticks: int = 6) -> None:
    """The horizontal axis in environment steps, written 20k, 1.5M."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.set_xlabel("environment steps")
    axes.xaxis.set_major_locator(MaxNLocator(most_ticks))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
    axes.margins(x=0.01)


def short_text(text: str, most: int) -> str:
    """A text of at most so many characters.

    >>> short_text("a staircase down", 12)
    'a staircase…'
    """
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def rate_axis(axes: Axes) -> None:
    """The vertical axis as a rate from 0 to 100 %."""
    from matplotlib.ticker import PercentFormatter

    axes.set_ylim(-0.03, 1.03)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))


def short(value: float) -> str:
    """A number in few characters.

    >>> short(12345), short(2_000_000), short(0.5)
    ('12.3k', '2M', '0.5')
    """
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"
