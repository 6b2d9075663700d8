"""LineKey as a table: take the key at one end of a line, then leave by the other.

Source: Devidze et al. 2024 (EXPADARD).
"""

from __future__ import annotations

import numpy as np

from envs.catalogue import NAMESPACE, Option, Request
from envs.classic.tabular import TabularEnv, TabularVecEnv
from envs.classic.worlds import World
from foundation.tabular_mdp import TabularMDP

CELLS = 10
LEFT, RIGHT, PICK = range(3)
START, KEY, WITH_KEY = 5, 1, CELLS
"""The first cell, the key's, and the first of the states with the key."""
GOAL, ABSORBING = 2 * CELLS - 1, 2 * CELLS
HORIZON, GAMMA, PAY, SLIP = 30, 0.95, 10.0, 0.1


def line_key() -> TabularMDP:
    """Ten cells without the key, states 0 to 9, and ten with it, 10 to 19.

    Picking in cell 1 gives the key and leads to state 10; going right from 19 pays 10 and ends the
    episode, and so does, without pay, going left from 0. With probability .1 any other move goes
    the other way.
    """
    ways = np.full((ABSORBING + 1, 2), ABSORBING)
    cells = np.arange(CELLS)
    for first in (0, WITH_KEY):
        ways[first + cells, LEFT] = first + np.maximum(cells - 1, 0)
        ways[first + cells, RIGHT] = first + np.minimum(cells + 1, CELLS - 1)
    ways[0, LEFT] = ways[GOAL, RIGHT] = ABSORBING
    transitions = np.zeros((ABSORBING + 1, 3, ABSORBING + 1))
    rows = np.arange(ABSORBING + 1)
    for move, other in ((LEFT, RIGHT), (RIGHT, LEFT)):
        transitions[rows, move, ways[:, move]] += 1.0 - SLIP
        transitions[rows, move, ways[:, other]] += SLIP
    transitions[rows, PICK, rows] = 1.0
    transitions[KEY, PICK] = np.eye(ABSORBING + 1)[WITH_KEY]
    transitions[GOAL, RIGHT] = np.eye(ABSORBING + 1)[ABSORBING]
    rewards = np.zeros((ABSORBING + 1, 3))
    rewards[GOAL, RIGHT] = PAY
    start = np.zeros(ABSORBING + 1)
    start[START] = 1.0
    places = (*((int(cell), 0) for cell in cells), *((int(cell), 1) for cell in cells), None)
    return TabularMDP(transitions, rewards, GAMMA, start, (ABSORBING,), places)


class LineKeyVecEnv(TabularVecEnv):
    """LineKeys behind SB3's vector interface; what is seen is the state's number.

    Args:
        request: see `WorldVecEnv`.
        max_episode_steps: the time limit.
    """

    title = "LineKey"
    limit = HORIZON

    def __init__(self, request: Request, *, max_episode_steps: int | None = None) -> None:
        super().__init__(request, line_key(), max_episode_steps)


class LineKeyEnv(TabularEnv):
    """One line with a key behind gymnasium's interface."""

    worlds = LineKeyVecEnv


ID = f"{NAMESPACE}TabularLineKey-v0"
WORLDS = (World(ID, LineKeyEnv, (Option("classic/line_key", ID, steps=200_000),)),)
