"""Chain: 61 cells in a row, paid at the right end, with a small reward that leads nowhere.

Source: Devidze et al. 2022 (EXPLORS).
"""

from __future__ import annotations

import numpy as np

from envs.catalogue import NAMESPACE, Option, Request
from envs.classic.tabular import TabularEnv, TabularVecEnv, slipping
from envs.classic.worlds import World
from foundation.tabular_mdp import TabularMDP

CELLS, START = 61, 40
LEFT, RIGHT = range(2)
ABSORBING = CELLS
HORIZON, GAMMA = 40, 0.99
DISTRACTION, DISTRACTED = 0.01, (25, LEFT)
"""What the distractor pays, and for which state and action."""


def chain(distractor: bool = False) -> TabularMDP:
    """Start in cell 40 and go right: cell 60 pays 1 for every further step to the right.

    A move is any action's with probability .05. Left of cell 0 is the end.

    Args:
        distractor: .01 for going left from cell 25.
    """
    intended = np.full((CELLS + 1, 2), ABSORBING)
    intended[:CELLS, LEFT] = np.arange(CELLS) - 1
    intended[0, LEFT] = ABSORBING
    intended[:CELLS, RIGHT] = np.minimum(np.arange(CELLS) + 1, CELLS - 1)
    rewards = np.zeros((CELLS + 1, 2))
    rewards[CELLS - 1, RIGHT] = 1.0
    if distractor:
        rewards[DISTRACTED] += DISTRACTION
    start = np.zeros(CELLS + 1)
    start[START] = 1.0
    places = (*((cell, 0) for cell in range(CELLS)), None)
    return TabularMDP(slipping(intended, CELLS + 1, 0.05), rewards, GAMMA, start, (ABSORBING,), places)


class ChainVecEnv(TabularVecEnv):
    """Chains behind SB3's vector interface; what is seen is the cell's number.

    Args:
        request: see `WorldVecEnv`.
        distractor: see `chain`.
        max_episode_steps: the time limit.
    """

    title = "Chain"
    limit = HORIZON

    def __init__(self, request: Request, *, distractor: bool = False, max_episode_steps: int | None = None) -> None:
        super().__init__(request, chain(distractor), max_episode_steps)


class ChainEnv(TabularEnv):
    """One chain behind gymnasium's interface."""

    worlds = ChainVecEnv


ID = f"{NAMESPACE}TabularChain-v0"
WORLDS = (World(ID, ChainEnv, (Option("classic/chain", ID, steps=200_000),)),)
