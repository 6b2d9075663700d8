"""Pictures of runs side by side: learning curves, parts of the reward, statistics of episodes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scripts.results.comparison import STATISTICS, Row, by_arm, known_values
from scripts.results.curves import FloatArray, common_grid
from scripts.results.figures import figure, look, panels, rate_axis, step_axis
from scripts.results.intervals import band, interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TITLES = {"success_rate": "Success rate", "task_return_mean": "Task return"}


def draw_curves(rows: Sequence[Row], path: Path, metric: str = "success_rate") -> Path:
    """Learning curves of `metric` with 95 % bands, beside its final values.

    At the end every seed is a dot, and the interval is a bar.

    Raises:
        ValueError: no row has the metric's curve.
    """
    if metric == STATISTICS:
        return draw_statistics(rows, path)
    arms = {arm: arm_rows for arm, arm_rows in by_arm(rows).items() if any(metric in row.curves for row in arm_rows)}
    if not arms:
        has = sorted({name for row in rows for name in row.curves})
        raise ValueError(f"no run has a learning curve of {metric!r}; these runs have {', '.join(has) or 'none'}")
    with figure(path, 1, 2, 5.4, 4.0, width_ratios=[2.4, 1]) as (drawing, (left, right)):
        for index, arm_rows in enumerate(arms.values()):
            _draw_band(left, index, [row.curves[metric] for row in arm_rows if metric in row.curves])
            final = known_values([row.metrics.get(metric) for row in arm_rows])
            if final:
                _draw_final(right, index, final)
        title = TITLES.get(metric, metric.replace("_", " ").capitalize())
        left.set_title(f"{title} in training")
        if metric in TITLES:
            left.set_ylabel("mean of the last 100 episodes")
        step_axis(left)
        right.set_title("At the end")
        right.set_xticks(range(len(arms)), ["" for _ in arms])
        right.set_xlim(-0.6, len(arms) - 0.4)
        right.grid(axis="x", visible=False)
        for axes in (left, right):
            if metric == "success_rate":
                rate_axis(axes)
        _legend(drawing, list(arms))
        drawing.supxlabel("interquartile mean and 95 % bootstrap interval over seeds", fontsize=8.5, color="#6b7280")
    return path


def draw_statistics(rows: Sequence[Row], path: Path) -> Path:
    """Curves of all that the environment tells of its episodes.

    Raises:
        ValueError: it tells nothing.
    """
    names = list(dict.fromkeys(name for row in rows for name in row.curves if name.startswith(f"{STATISTICS}_")))
    if not names:
        raise ValueError("no run has statistics of its episodes: their environment tells none")
    arms = by_arm(rows)
    with panels(path, len(names), 3.9, 2.9) as (drawing, axes):
        for panel, name in zip(axes, names, strict=True):
            for index, arm_rows in enumerate(arms.values()):
                _draw_band(panel, index, [row.curves[name] for row in arm_rows if name in row.curves])
            panel.set_title(name.removeprefix(f"{STATISTICS}_"))
            panel.set_ylabel("mean of 100 episodes")
            step_axis(panel, 5)
        _legend(drawing, list(arms))
    return path


def draw_rewards(rows: Sequence[Row], path: Path) -> Path | None:
    """The parts of the reward, one panel an arm: mean sum over an episode. None without any."""
    arms = {arm: arm_rows for arm, arm_rows in by_arm(rows).items() if any(row.parts for row in arm_rows)}
    if not arms:
        return None
    names = list(dict.fromkeys(name for arm_rows in arms.values() for row in arm_rows for name in row.parts))
    with panels(path, len(arms), 3.9, 3.3) as (drawing, axes):
        for panel, (arm, arm_rows) in zip(axes, arms.items(), strict=True):
            for index, name in enumerate(names):
                _draw_band(panel, index, [row.parts[name] for row in arm_rows if name in row.parts])
            panel.axhline(0, color="#9aa0a8", linewidth=0.8)
            panel.set_title(arm, wrap=True)
            panel.set_ylabel("sum over an episode, weighted")
            step_axis(panel, 5)
        _legend(drawing, names)
    return path


def _draw_band(axes: Axes, index: int, curves: Sequence[tuple[FloatArray, FloatArray]]) -> None:
    """One arm's curves over the steps that all of them cover, where there are some."""
    grid, values = common_grid(curves)
    if len(grid):
        around = band(values)
        axes.plot(grid, around.value, **look(index))
        axes.fill_between(grid, around.low, around.high, color=look(index)["color"], alpha=0.18, linewidth=0)


def _draw_final(axes: Axes, index: int, values: Sequence[float]) -> None:
    colour = look(index)["color"]
    value, low, high = interval(values)
    if not np.isnan(low):
        axes.plot([index, index], [low, high], color=colour, linewidth=9, alpha=0.3, solid_capstyle="butt")
    axes.plot([index - 0.16, index + 0.16], [value, value], color=colour, linewidth=2.5)
    spread = np.linspace(-0.09, 0.09, len(values)) if len(values) > 1 else [0.0]
    axes.scatter(index + np.asarray(spread), values, s=16, color=colour, edgecolor="white", linewidth=0.6, zorder=3)


def _legend(drawing: Any, names: Sequence[str]) -> None:
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], **look(index)) for index in range(len(names))]
    columns = max(1, min(len(names), 130 // (max(map(len, names)) + 10)))
    drawing.legend(handles, list(names), loc="outside upper left", ncols=columns)
