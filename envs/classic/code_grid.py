"""CodeGrid and CodeGridNoisy: small grids on which a message is sent while walking to a goal.

Source: Sokota et al. 2022 (arXiv 2107.08295), CodeGrid; Ebrahimi et al. 2024 (arXiv 2410.21666),
the noisy grid of their code.
"""

from __future__ import annotations

import numpy as np

from envs.catalogue import NAMESPACE, Option, Request
from envs.classic.tabular import MaskedTabularEnv, MaskedTabularVecEnv, TabularEnv, TabularVecEnv
from envs.classic.worlds import World
from envs.typing import FloatArray
from foundation.checks import number
from foundation.tabular_mdp import TabularMDP

ACTIONS = ("up", "right", "down", "left")
_STEPS = ((-1, 0), (0, 1), (1, 0), (0, -1))  # (row, column)
SIZE, GOAL = 4, 15
HORIZON = 8
NOISY_SIZE, NOISY_START, NOISY_GOAL, NOISY_TRAP = 8, (5, 4), (0, 7), (1, 7)
NOISY_HORIZON = 200
"""Steps after which an episode on the noisy grid is cut; the authors name no limit."""


def code_grid() -> TabularMDP:
    """Walk from one corner of 4 by 4 cells to the opposite one, which pays 1 and ends it.

    A state is 4·row + column, and an action one of `ACTIONS`. Moves off the grid are not available;
    who makes one all the same stays where he is. There is no discount.
    """
    cells = [divmod(cell, SIZE) for cell in range(SIZE * SIZE)]
    available = np.array(
        [[_within(row + down, column + right, SIZE) for down, right in _STEPS] for row, column in cells]
    )
    transitions = np.zeros((len(cells), len(ACTIONS), len(cells)))
    for state, (row, column) in enumerate(cells):
        for action, (down, right) in enumerate(_STEPS):
            moves = available[state, action] and state != GOAL
            transitions[state, action, (row + down) * SIZE + column + right if moves else state] = 1.0
    rewards = transitions[:, :, GOAL].copy()
    rewards[GOAL] = 0.0
    places = tuple((column, SIZE - 1 - row) for row, column in cells)
    return TabularMDP(transitions, rewards, 1.0, np.eye(len(cells))[0], (GOAL,), places, available)


def code_grid_noisy(slip: float = 0.1) -> tuple[TabularMDP, FloatArray]:
    """8 by 8 cells with a wall along the diagonal, and what entering each state pays.

    A move goes where it is meant to with 1 − 2·slip and to either side with `slip`; what is blocked
    stays. (row 0, column 7) pays 1, the cell below it −1, and both end it. The discount is .95.
    The obstacles are the cells (i, i) from i = 1; their states are never entered.

    Args:
        slip: probability of either side.

    Raises:
        ValueError: a slip outside of 0 to .5.
    """
    number("slip", slip, least=0, most=0.5)
    n = NOISY_SIZE * NOISY_SIZE
    goal, trap = (row * NOISY_SIZE + column for row, column in (NOISY_GOAL, NOISY_TRAP))
    transitions = np.zeros((n, len(ACTIONS), n))
    for state in range(n):
        beside = [_noisy_step(state, move) for move in range(len(ACTIONS))]
        for action in range(len(ACTIONS)):
            for turn, share in ((0, 1.0 - 2.0 * slip), (1, slip), (-1, slip)):
                following = state if state in (goal, trap) else beside[(action + turn) % len(ACTIONS)]
                transitions[state, action, following] += share
    transitions[[goal, trap]] = np.eye(n)[[goal, trap]][:, None]
    entering = np.zeros(n)
    entering[[goal, trap]] = 1.0, -1.0
    rewards = transitions @ entering
    rewards[[goal, trap]] = 0.0
    start = np.zeros(n)
    start[NOISY_START[0] * NOISY_SIZE + NOISY_START[1]] = 1.0
    cells = [divmod(state, NOISY_SIZE) for state in range(n)]
    places = tuple(None if _obstacle(*cell) else (cell[1], NOISY_SIZE - 1 - cell[0]) for cell in cells)
    return TabularMDP(transitions, rewards, 0.95, start, (goal, trap), places), entering


def _within(row: int, column: int, size: int) -> bool:
    return 0 <= row < size and 0 <= column < size


def _obstacle(row: int, column: int) -> bool:
    return row == column and row > 0


def _noisy_step(state: int, move: int) -> int:
    row, column = divmod(state, NOISY_SIZE)
    row, column = row + _STEPS[move][0], column + _STEPS[move][1]
    return row * NOISY_SIZE + column if _within(row, column, NOISY_SIZE) and not _obstacle(row, column) else state


class CodeGridVecEnv(MaskedTabularVecEnv):
    """CodeGrids behind SB3's vector interface; what is seen is the cell's number.

    Args:
        request: see `WorldVecEnv`.
        max_episode_steps: the time limit.
    """

    title = "CodeGrid"
    limit = HORIZON

    def __init__(self, request: Request, *, max_episode_steps: int | None = None) -> None:
        super().__init__(request, code_grid(), max_episode_steps)


class CodeGridEnv(MaskedTabularEnv):
    """One CodeGrid behind gymnasium's interface."""

    worlds = CodeGridVecEnv


class CodeGridNoisyVecEnv(TabularVecEnv):
    """Noisy grids behind SB3's vector interface; what is seen is the cell's number.

    Args:
        request: see `WorldVecEnv`.
        slip: see `code_grid_noisy`.
        max_episode_steps: the time limit.
    """

    title = "CodeGridNoisy"
    limit = NOISY_HORIZON

    def __init__(self, request: Request, *, slip: float = 0.1, max_episode_steps: int | None = None) -> None:
        mdp, entering = code_grid_noisy(slip)
        super().__init__(request, mdp, max_episode_steps, entering)


class CodeGridNoisyEnv(TabularEnv):
    """One noisy grid behind gymnasium's interface."""

    worlds = CodeGridNoisyVecEnv


ID, NOISY_ID = f"{NAMESPACE}CodeGrid-v0", f"{NAMESPACE}CodeGridNoisy-v0"
WORLDS = (
    World(ID, CodeGridEnv, (Option("classic/code_grid", ID, steps=50_000),)),
    World(NOISY_ID, CodeGridNoisyEnv, (Option("classic/code_grid_noisy", NOISY_ID, steps=200_000),)),
)
