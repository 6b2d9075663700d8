"""What a population has found: where it went, what was paid there, where the budget went."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from agents.quality_diversity import ancestry
from scripts.results.figures import COLOURS, panels

FILE = "repertoire.npz"
"""In a checkpoint; written by `agents.quality_diversity`."""
Array = npt.NDArray[Any]
MOST_DOTS = 20_000
_GREY = "#c4c9d1"


def draw_repertoire(file: Path, path: Path) -> Path:
    """Where episodes ended and what is kept, how that grew, who the best came from, the budget.

    Args:
        file: of a checkpoint.
        path: the .png.

    Returns:
        `path`.

    Raises:
        ValueError: the file is none of a population's.
    """
    with np.load(file, allow_pickle=False) as saved:
        try:
            columns = {name: np.array(saved[name]) for name in ("rewards", "truths", "areas", "purposes", "extent")}
            columns["parents"] = (
                np.array(saved["parents"]) if "parents" in saved else np.full(len(saved["rewards"]), -1)
            )
            kept, paid = np.array(saved["elites/truths"]), np.array(saved["elites/rewards"])
            downward = "downward" in saved and bool(saved["downward"])
            names = [str(name) for name in saved["names"]]
        except KeyError as error:
            raise ValueError(f"{file} is none of a population's: it has no {error}") from error
    rewards = columns["rewards"].astype(float)
    finite = np.isfinite(rewards).any()
    line = ancestry(columns["parents"], int(np.argmax(rewards))) if finite else np.zeros(0, np.int64)
    with panels(path, 6, 4.0, 3.7) as (_, (places, growth, budget, areas, count, past)):
        _draw_places(places, columns, kept, paid, line)
        if downward:
            places.invert_yaxis()
        _draw_growth(growth, columns)
        _draw_budget(budget, columns["purposes"], names)
        _draw_areas(areas, columns)
        _draw_count(count, columns)
        _draw_past(past, rewards[line])
    return path


def _draw_places(axes: Any, columns: dict[str, Array], kept: Array, paid: Array, line: Array) -> None:
    """Every episode's end in grey; what is kept, by its reward; the best's ancestors, joined."""
    truths = columns["truths"]
    step = max(1, len(truths) // MOST_DOTS)
    axes.scatter(*truths[::step].T, s=2, color=_GREY, linewidths=0, label="evaluated")
    order = np.argsort(np.where(np.isfinite(paid), paid, -np.inf), kind="stable")
    dots = axes.scatter(*kept[order].T, s=7, c=paid[order], cmap="viridis", linewidths=0)
    axes.figure.colorbar(dots, ax=axes, location="bottom", shrink=0.85, aspect=30, label="reward of what is kept")
    axes.plot(*truths[line].T, color=COLOURS[1], linewidth=1.2, marker=".", markersize=5)
    axes.plot(*truths[line[:1]].T, "s", color=COLOURS[1], markersize=6, markeredgecolor="white")
    axes.plot(*truths[line[-1:]].T, "*", color=COLOURS[1], markersize=13, markeredgecolor="white")
    if len(columns["extent"]):
        axes.set_xlim(*columns["extent"][0])
        axes.set_ylim(*columns["extent"][1])
    axes.set_title("Ends, and those of the best's line")
    axes.set_aspect("equal", adjustable="datalim" if not len(columns["extent"]) else "box")


def _draw_growth(axes: Any, columns: dict[str, Array]) -> None:
    """The share of 50 × 50 cells that was reached, over evaluations."""
    axes.set_title("Coverage")
    axes.set_xlabel("evaluations")
    truths, extent = columns["truths"].astype(float), columns["extent"]
    sound = np.isfinite(truths).all(axis=1)
    if not len(extent) or not sound.any():
        axes.text(0.5, 0.5, "no bounds are known", ha="center", transform=axes.transAxes)
        return
    low, high = extent.T
    cells = np.clip((truths[sound] - low) / (high - low) * 50, 0, 49).astype(int) @ np.array([50, 1])
    first = np.zeros(len(truths))
    first[np.flatnonzero(sound)[np.unique(cells, return_index=True)[1]]] = 1.0
    axes.plot(np.arange(1, len(truths) + 1), first.cumsum() / 2500, color=COLOURS[0])
    axes.set_ylim(0, 1)


def _draw_areas(axes: Any, columns: dict[str, Array]) -> None:
    """The best reward so far of each area."""
    axes.set_title("Best reward of an area")
    axes.set_xlabel("evaluations")
    rewards, areas = columns["rewards"].astype(float), columns["areas"]
    for index, area in enumerate(np.unique(areas[areas >= 0]).tolist()):
        best = np.maximum.accumulate(np.where(areas == area, rewards, -np.inf))
        there = np.flatnonzero(np.isfinite(best))
        axes.plot(there + 1, best[there], color=COLOURS[index % len(COLOURS)], label=f"area {area}")
    if not (areas >= 0).any():
        finite = np.where(np.isfinite(rewards), rewards, -np.inf)
        best = np.maximum.accumulate(finite)
        there = np.flatnonzero(np.isfinite(best))
        axes.plot(there + 1, best[there], color=COLOURS[0], label="anywhere")
    axes.legend(loc="lower right")


def _draw_count(axes: Any, columns: dict[str, Array]) -> None:
    """How many policies were paid more than 0 so far, in each area."""
    axes.set_title("Rewarded policies")
    axes.set_xlabel("evaluations")
    paid, areas = columns["rewards"].astype(float) > 0, columns["areas"]
    found = np.unique(areas[paid & (areas >= 0)]).tolist()
    groups = {f"area {area}": paid & (areas == area) for area in found} or {"anywhere": paid}
    for index, (label, there) in enumerate(groups.items()):
        color = COLOURS[index % len(COLOURS)]
        axes.plot(np.arange(1, len(paid) + 1), np.cumsum(there), color=color, label=f"{label}: {there.sum():,}")
    axes.set_ylim(bottom=0)
    axes.legend(loc="upper left")


def _draw_past(axes: Any, rewards: Array) -> None:
    """What each ancestor of the best was paid, from the first to itself."""
    axes.set_title("Line of the best")
    axes.set_xlabel("generation")
    axes.set_ylabel("reward")
    axes.plot(np.arange(len(rewards)), rewards, color=COLOURS[1], marker=".", markersize=7)
    axes.xaxis.get_major_locator().set_params(integer=True)


def _draw_budget(axes: Any, purposes: Array, names: list[str]) -> None:
    """What evaluations were for, so far."""
    axes.set_title("Where the budget went")
    axes.set_xlabel("evaluations")
    shares = [np.cumsum(purposes == index) for index in range(len(names))]
    if shares:
        axes.stackplot(
            np.arange(1, len(purposes) + 1), *shares, labels=names, colors=[COLOURS[i % 7] for i in range(len(names))]
        )
        axes.legend(loc="upper left")
