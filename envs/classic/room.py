"""Room: four chambers on 7 by 7 cells, paid at the far corner, in the versions of three papers.

Source: Devidze et al. 2021 (EXPRD), 2022 (EXPLORS) and 2024 (EXPADARD); their codes' transitions.
"""

from __future__ import annotations

import numpy as np

from envs.catalogue import NAMESPACE, Option, Request
from envs.classic.tabular import TabularEnv, TabularVecEnv, slipping
from envs.classic.worlds import World
from envs.typing import FloatArray, IntArray
from foundation.checks import one_of
from foundation.tabular_mdp import TabularMDP

SIZE = 7
ACTIONS = ("up", "left", "down", "right")
UP, LEFT, DOWN, RIGHT = range(4)
START, GOAL, ABSORBING = 8, 48, 49
GATES = (9, 15, 19, 37)
"""Cells beside the doors, as the authors list them."""
VERSIONS = ("2021", "2022", "2024")
HORIZONS = {"2021": 50, "2022": 30, "2024": 30}
DISTRACTION, DISTRACTED = 0.01, (1, UP)
"""What the distractor pays, and for which state and action."""
ACROSS = 42
"""Where down leads from the goal in the authors' code: not below it, but to the corner (0, 6)."""
_STEPS = ((0, 1), (-1, 0), (0, -1), (1, 0))


def room(version: str = "2022", distractor: bool = False) -> TabularMDP:
    """The process of one version.

    | version | moves | the goal, cell (6, 6) | discount, pay |
    | --- | --- | --- | --- |
    | 2021 | succeed with .9, else go to another neighbour | ends it by up and right | .95, 10 |
    | 2022 | succeed with .95, else any action's | pays again and again | .99, 1 |
    | 2024 | the same, but certain in the corners | ends it | .95, 10 |

    In the corner (0, 0), left and down lead out of the room, which ends the episode.

    Args:
        version: one of `VERSIONS`.
        distractor: .01 for going up from (1, 0): a reward that is there at once and leads nowhere.

    Raises:
        ValueError: another version.
    """
    one_of("version", version, VERSIONS)
    intended = _intended(version)
    transitions = _spread(intended) if version == "2021" else slipping(intended, ABSORBING + 1, 0.05)
    if version == "2024":
        for state in (0, GOAL):
            transitions[state] = np.eye(ABSORBING + 1)[intended[state]]
    pay, gamma = (1.0, 0.99) if version == "2022" else (10.0, 0.95)
    rewards = np.zeros((ABSORBING + 1, len(ACTIONS)))
    rewards[GOAL, RIGHT] = pay
    if distractor:
        rewards[DISTRACTED] += DISTRACTION
    start = np.zeros(ABSORBING + 1)
    start[START] = 1.0
    places = tuple((state % SIZE, state // SIZE) for state in range(ABSORBING))
    return TabularMDP(transitions, rewards, gamma, start, (ABSORBING,), (*places, None))


def _intended(version: str) -> IntArray:
    """Where every action leads by itself."""
    intended = np.full((ABSORBING + 1, len(ACTIONS)), ABSORBING)
    for state in range(ABSORBING):
        x, y = state % SIZE, state // SIZE
        for action, (dx, dy) in enumerate(_STEPS):
            intended[state, action] = state if _blocked(x, y, dx, dy) else state + dx + SIZE * dy
    intended[0, [LEFT, DOWN]] = ABSORBING
    intended[GOAL, DOWN] = ACROSS
    if version == "2021":
        intended[GOAL, [UP, RIGHT]] = ABSORBING
    if version == "2024":
        intended[GOAL, RIGHT] = ABSORBING
    return intended


def _blocked(x: int, y: int, dx: int, dy: int) -> bool:
    if not (0 <= x + dx < SIZE and 0 <= y + dy < SIZE):
        return True
    through_x, through_y = {x, x + dx} == {2, 3}, {y, y + dy} == {2, 3}
    return (through_x and y not in (1, 5)) or (through_y and x not in (1, 5))


def _spread(intended: IntArray) -> FloatArray:
    """.9 for what is intended, .1 over the other neighbours."""
    states = len(intended)
    transitions = np.zeros((states, intended.shape[1], states))
    for state in range(states):
        neighbours = {int(target) for target in intended[state] if target != state}
        for action, target in enumerate(intended[state]):
            others = sorted(neighbours - {int(target)})
            transitions[state, action, target] += 0.9 if others else 1.0
            for other in others:
                transitions[state, action, other] += 0.1 / len(others)
    return transitions


class RoomVecEnv(TabularVecEnv):
    """Rooms behind SB3's vector interface; what is seen is the cell's number, 7·y + x.

    Args:
        request: see `WorldVecEnv`.
        version, distractor: see `room`.
        max_episode_steps: the time limit; None for the version's own.
    """

    title = "Room"
    limit = 30

    def __init__(
        self,
        request: Request,
        *,
        version: str = "2022",
        distractor: bool = False,
        max_episode_steps: int | None = None,
    ) -> None:
        mdp = room(str(version), distractor)
        super().__init__(request, mdp, HORIZONS[str(version)] if max_episode_steps is None else max_episode_steps)


class RoomEnv(TabularEnv):
    """One room behind gymnasium's interface."""

    worlds = RoomVecEnv


ID = f"{NAMESPACE}TabularRoom-v0"
WORLDS = (World(ID, RoomEnv, (Option("classic/room", ID, steps=200_000, kwargs={"version": "2022"}),)),)
