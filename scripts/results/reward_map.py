"""A reward table on the map of its process: a panel an action, a colour for what it pays."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from foundation.tabular_mdp import FloatArray, TabularMDP
from scripts.results.figures import figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = "RdBu"
MOST_WIDE, WIDE, MOST_FLAT = 4, 2.6, 0.25
"""Panels side by side, their width in inches, and the least height of a map as a share of it."""
_WALL, _CHOSEN = "#333840", "#E69F00"


def draw_map(
    path: Path, mdp: TabularMDP, rewards: FloatArray, chosen: Sequence[int] = (), actions: Sequence[str] = ()
) -> None:
    """Draw R(s, a); blue pays, red costs. Cells of chosen states have a frame.

    Without a map, states are in one row.

    Args:
        path: the .png.
        mdp: the process, with its `places`.
        rewards: R(s, a), (states, actions).
        chosen: states to frame.
        actions: words for actions; their numbers where there are none.
    """
    there = {state: place for state, place in enumerate(mdp.places) if place is not None}
    if not there:
        there = {state: (state, 0) for state in range(mdp.n_states) if state not in mdp.absorbing}
    width, height = (1 + max(place[axis] for place in there.values()) for axis in (0, 1))
    most = float(np.abs(rewards).max()) or 1.0
    columns = min(MOST_WIDE, mdp.n_actions)
    tall = WIDE * max(MOST_FLAT, min(1.0, height / width)) + 0.4
    with figure(path, -(-mdp.n_actions // columns), columns, WIDE, tall) as (drawing, axes):
        for empty in axes[mdp.n_actions :]:
            empty.set_axis_off()
        for action, panel in enumerate(axes[: mdp.n_actions]):
            grid = np.full((height, width), np.nan)
            for state, (column, row) in there.items():
                grid[row, column] = rewards[state, action]
            image = panel.imshow(
                grid,
                cmap=COLOURS,
                vmin=-most,
                vmax=most,
                origin="lower",
                aspect="equal" if height / width > MOST_FLAT else "auto",
            )
            panel.set_title(actions[action] if actions else f"action {action}")
            panel.set_xticks([])
            panel.set_yticks([])
            panel.grid(False)
            _walls(panel, mdp, there)
            for state in chosen:
                if state in there:
                    _frame(panel, there[state])
        drawing.colorbar(image, ax=list(axes), shrink=0.8, label="reward")


def _walls(panel: Axes, mdp: TabularMDP, there: dict[int, tuple[int, int]]) -> None:
    """Lines between neighbours of which neither leads to the other."""
    states = {place: state for state, place in there.items()}
    leads = mdp.transitions.max(axis=1) > 0
    for (column, row), state in states.items():
        right, above = states.get((column + 1, row)), states.get((column, row + 1))
        if right is not None and not (leads[state, right] or leads[right, state]):
            panel.plot([column + 0.5] * 2, [row - 0.5, row + 0.5], color=_WALL)
        if above is not None and not (leads[state, above] or leads[above, state]):
            panel.plot([column - 0.5, column + 0.5], [row + 0.5] * 2, color=_WALL)


def _frame(panel: Axes, place: tuple[int, int]) -> None:
    left, right, low, high = place[0] - 0.45, place[0] + 0.45, place[1] - 0.45, place[1] + 0.45
    panel.plot([left, right, right, left, left], [low, low, high, high, low], color=_CHOSEN)
