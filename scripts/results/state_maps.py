"""What an agent thinks of states, over two numbers of its observation, and how it came to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from foundation.checks import whole
from scripts.results.curves import STEPS, finite, has_values, read_progress
from scripts.results.figures import figure, look, panels, step_axis
from scripts.running.run_directory import Run

FloatArray = npt.NDArray[np.float64]
CELLS = 60
"""Of a map, in either direction."""
CURVES = ("train/discount", "train/direction_norm", "train/hypergradient_norm", "train/entropy")
SHARES = "train/share_"


def refuse_coordinates(space: spaces.Space[object], x: int, y: int) -> spaces.Box:
    """The space, where maps can be drawn over these two numbers of it.

    Raises:
        ValueError: they are no two numbers of a vector.
    """
    if not isinstance(space, spaces.Box) or len(space.shape) != 1 or space.shape[0] < 2:
        raise ValueError(f"maps are drawn over two numbers of a vector, and this run's agent observes {space}")
    for name, value in (("x", x), ("y", y)):
        whole(name, value, least=0, most=space.shape[0] - 1)
    if x == y:
        raise ValueError(f"x={x} and y={y} are the same number of the observation: give two")
    return space


def states_over(
    space: spaces.Box, x: int, y: int, at: Sequence[float] = (), extent: Sequence[float] = ()
) -> tuple[npt.NDArray[np.float32], tuple[float, float, float, float]]:
    """Observations on a grid, (CELLS², size), row after row from below, and the grid's extent.

    Args:
        space: of the observations.
        x, y: the numbers that vary.
        at: the others' values, all numbers; () for the middle of their bounds, or 0.
        extent: x low, x high, y low, y high; () for the space's own bounds.

    Raises:
        ValueError: values that are missing, or bounds that are infinite.
    """
    low, high = space.low.astype(float), space.high.astype(float)
    bounded = np.isfinite(low) & np.isfinite(high)
    base = np.where(bounded, 0.5 * (np.where(bounded, low, 0.0) + np.where(bounded, high, 0.0)), 0.0)
    if at:
        if len(at) != len(base):
            raise ValueError(f"at={list(at)}: expected {len(base)} numbers, an observation")
        base = np.array(at, float)
    if extent:
        if len(extent) != 4 or not (extent[0] < extent[1] and extent[2] < extent[3]):
            raise ValueError(f"extent={list(extent)}: expected x low, x high, y low, y high")
        corners = [float(value) for value in extent]
    else:
        for number in (x, y):
            if not bounded[number]:
                raise ValueError(f"the observation's number {number} has no bounds: give extent=XLOW,XHIGH,YLOW,YHIGH")
        corners = [float(low[x]), float(high[x]), float(low[y]), float(high[y])]
    columns, rows = np.linspace(corners[0], corners[1], CELLS), np.linspace(corners[2], corners[3], CELLS)
    across, up = np.meshgrid(columns, rows)
    states = np.tile(base, (CELLS * CELLS, 1))
    states[:, x], states[:, y] = across.ravel(), up.ravel()
    return states.astype(np.float32), (corners[0], corners[1], corners[2], corners[3])


def draw_maps(
    maps: Mapping[str, FloatArray], corners: tuple[float, float, float, float], labels: tuple[str, str], path: Path
) -> None:
    """Every map in a panel of its own; white is 0."""
    with panels(path, len(maps), 3.6, 3.1) as (drawing, axes):
        for panel, (name, values) in zip(axes, maps.items(), strict=True):
            most = max(float(np.abs(values).max()), 1e-9)
            picture = panel.imshow(
                values.reshape(CELLS, CELLS), origin="lower", extent=corners, aspect="auto", cmap="PuOr", vmin=-most,
                vmax=most,
            )  # fmt: skip
            panel.set_title(name)
            panel.set_xlabel(labels[0])
            panel.set_ylabel(labels[1])
            panel.grid(False)
            drawing.colorbar(picture, ax=panel)


def draw_course(run: Path, path: Path) -> Path | None:
    """Discount, norms and entropy over training, and what share of the reward each part was.

    None where the run recorded none of them.
    """
    columns = read_progress(run)
    curves = [name for name in CURVES if has_values(columns, name)]
    shares = [name for name in columns if name.startswith(SHARES) and has_values(columns, name)]
    if not curves and not shares:
        return None
    with figure(path, 1, len(curves) + bool(shares), 3.4, 2.7) as (_, axes):
        for panel, name in zip(axes, curves, strict=False):
            panel.plot(*finite(columns[STEPS], columns[name]), color=look(0)["color"], linewidth=1.4)
            panel.set_title(name.removeprefix("train/").replace("_", " "))
            if name.endswith("_norm"):
                panel.set_yscale("log")
            step_axis(panel, 4)
        if shares:
            panel = axes[-1]
            for index, name in enumerate(shares):
                label = name.removeprefix(SHARES)
                panel.plot(*finite(columns[STEPS], columns[name]), label=label, **{**look(index), "linewidth": 1.4})
            panel.set_title("share of what is paid")
            panel.set_ylim(-0.02, 1.02)
            panel.legend()
            step_axis(panel, 4)
    return path


def maps_of_run(
    run: Run, x: int, y: int, at: Sequence[float] = (), extent: Sequence[float] = ()
) -> tuple[dict[str, FloatArray], tuple[float, float, float, float]]:
    """What a run's newest agent thinks of states, by name, and the extent of the grid.

    Raises:
        ValueError: its agent draws no maps, or not over these numbers.
    """
    model = run.load_agent()
    space = refuse_coordinates(model.observation_space, x, y)
    states, corners = states_over(space, x, y, at, extent)
    maps = dict(run.agent.maps(model, states))
    if not maps:
        raise ValueError(f"agent={run.agent.name} has no maps to draw; agent=barfi has those of its blend's factors")
    return maps, corners
