"""Learning curves: progress.csv as arrays, common step grids, when a curve reaches a level."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scripts.running.progress_csv import STEPS, read_rows

FloatArray = NDArray[np.float64]
RETURN, LENGTH, SUCCESS = "rollout/ep_rew_mean", "rollout/ep_len_mean", "rollout/success_rate"
SHAPED = "rollout/shaped_return_mean"


def read_progress(run_dir: str | Path) -> dict[str, FloatArray]:
    """The columns of RUN/progress.csv that hold anything, (rows,) each, NaN where a cell is empty.

    A last line that was cut off while it was written is left out.

    Raises:
        FileNotFoundError: the run has written no progress.csv.
        ValueError: it has no `time/total_timesteps` column or no row.
    """
    path = Path(run_dir) / "progress.csv"
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist: no run directory, or its run ended before the first rollout")
    names, rows = read_rows(path)
    if names and STEPS not in names:
        raise ValueError(f"{path} has no column {STEPS!r}; expected a progress.csv written by scripts.train")
    if not names:
        raise ValueError(f"{path} is empty: its run ended before the first rollout, or the file was cut")
    table = np.array([[_number(row.get(name)) for name in names] for row in rows], np.float64).reshape(-1, len(names))
    table = table[np.isfinite(table[:, names.index(STEPS)])]
    if not len(table):
        raise ValueError(f"{path} has no rows yet: wait for the first rollout")
    return {name: table[:, column] for column, name in enumerate(names) if np.isfinite(table[:, column]).any()}


def finite(steps: FloatArray, values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The points of a curve that have a value."""
    known = np.isfinite(steps) & np.isfinite(values)
    return steps[known], values[known]


def common_grid(curves: Sequence[tuple[FloatArray, FloatArray]], points: int = 120) -> tuple[FloatArray, FloatArray]:
    """Curves of one configuration on one step grid, over the steps that all of them cover.

    Returns:
        steps (points,) and values (curves, points), linearly interpolated. Empty arrays when
        nothing is covered by all.

    >>> rising = np.array([0.0, 10.0]), np.array([0.0, 20.0])
    >>> level = np.array([4.0, 8.0]), np.array([3.0, 3.0])
    >>> steps, values = common_grid([rising, level], points=3)
    >>> steps.tolist(), values.tolist()
    ([4.0, 6.0, 8.0], [[8.0, 12.0, 16.0], [3.0, 3.0, 3.0]])
    """
    curves = [finite(*curve) for curve in curves]
    if not curves or any(not len(steps) for steps, _ in curves):
        return np.empty(0), np.empty((len(curves), 0))
    start, end = max(steps[0] for steps, _ in curves), min(steps[-1] for steps, _ in curves)
    if end < start:
        return np.empty(0), np.empty((len(curves), 0))
    grid = np.unique(np.linspace(start, end, points))
    return grid, np.stack([np.interp(grid, steps, values) for steps, values in curves])


def steps_to(steps: ArrayLike, values: ArrayLike, level: float) -> int | None:
    """The first step count at which the curve stands at `level` or above; None if it never does.

    >>> steps_to([100, 200, 300], [0.1, 0.9, 0.5], level=0.8)
    200
    """
    reached = np.flatnonzero(np.asarray(values, np.float64) >= level)
    return int(np.asarray(steps)[reached[0]]) if len(reached) else None


def thinned(steps: FloatArray, values: FloatArray, points: int = 60) -> tuple[list[int], list[float]]:
    """At most `points` points of a curve, first and last among them, rounded for people to read."""
    steps, values = finite(steps, values)
    if not len(steps):
        return [], []
    chosen = np.unique(np.linspace(0, len(steps) - 1, min(points, len(steps))).round().astype(int))
    return [int(steps[i]) for i in chosen], [round(float(values[i]), 4) for i in chosen]


def _number(cell: str | None) -> float:
    try:
        return float(cell or "nan")
    except ValueError:
        return float("nan")


def reward_parts(columns: dict[str, FloatArray]) -> dict[str, FloatArray]:
    """Name of a part -> its mean sum over an episode, the task first."""
    names = [name for name in columns if name.startswith("reward/") and has_values(columns, name)]
    names.sort(key=lambda name: (name != "reward/task", name))
    return {name.removeprefix("reward/"): columns[name] for name in names}


def has_values(columns: dict[str, FloatArray], name: str) -> bool:
    """Is there such a column, with a value anywhere?"""
    return name in columns and bool(np.isfinite(columns[name]).any())
