"""Structures of rewards: R = F w, with fewer weights than there are pairs of state and action."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy import sparse

from foundation.naming import unknown
from foundation.tabular_mdp import TabularMDP
from shaping.designed.operators import Matrix

Rectangle = tuple[int, int, int, int]
"""First and last column, first and last row."""

ROOM_BLOCKS: tuple[Rectangle, ...] = (
    (0, 2, 0, 2),
    (3, 5, 0, 2),
    (4, 6, 0, 2),
    (0, 2, 3, 5),
    (0, 2, 4, 6),
    (3, 5, 3, 5),
    (3, 5, 4, 6),
    (4, 6, 3, 5),
    (4, 6, 4, 6),
)
"""Blocks of the 7 by 7 room of Devidze et al. 2024; what overlaps adds up."""
ROOM_GOAL = 48
LINE_KEY_LEAVES: Mapping[str, tuple[int, ...]] = {
    "elsewhere without the key": (0, *range(2, 9)),
    "at the goal without the key": (9,),
    "at the key": (1,),
    "elsewhere with the key": tuple(range(10, 19)),
    "at the goal with the key": (19,),
}
"""Leaves of the tree of Devidze et al. 2024 over the states of the line with a key."""
NAMES = ("each", "states", "room_blocks", "line_key_tree")


def structure(name: str, mdp: TabularMDP) -> Matrix:
    """F by name, (states · actions, columns); absorbing states are in no column.

    | name | a weight for |
    | --- | --- |
    | each | every pair of state and action |
    | states | every state |
    | room_blocks | every action in each of 9 overlapping blocks of the room, and at its goal |
    | line_key_tree | every action in each of 5 leaves of a tree over the line with a key |

    Raises:
        ValueError: an unknown name, or a process of another size than the structure's.
    """
    if name == "each":
        return each(mdp)
    if name == "states":
        return groups(mdp, [(state,) for state in _paying(mdp)], by_action=False)
    if name == "room_blocks":
        _refuse_size(name, mdp, 50, 4)
        return groups(mdp, [*rectangles(mdp, ROOM_BLOCKS), (ROOM_GOAL,)])
    if name == "line_key_tree":
        _refuse_size(name, mdp, 21, 3)
        return groups(mdp, list(LINE_KEY_LEAVES.values()))
    raise unknown("structure", name, NAMES)


def each(mdp: TabularMDP) -> Matrix:
    """A weight for every pair, state by state."""
    return groups(mdp, [(state,) for state in _paying(mdp)])


def groups(mdp: TabularMDP, states: Sequence[Sequence[int]], by_action: bool = True) -> Matrix:
    """A weight for every group of states: one an action, or one for all of them.

    Raises:
        ValueError: an empty group, or a state that is none.
    """
    actions, columns = mdp.n_actions, []
    for group in states:
        if not len(group) or not all(0 <= state < mdp.n_states for state in group):
            raise ValueError(f"a group of states is {list(group)}; expected some of 0 to {mdp.n_states - 1}")
        paying = [state for state in group if state not in mdp.absorbing]
        pairs = [[state * actions + action for state in paying] for action in range(actions)]
        columns += pairs if by_action else [[pair for column in pairs for pair in column]]
    rows = np.concatenate([np.asarray(column, np.int64) for column in columns])
    places = np.repeat(np.arange(len(columns)), [len(column) for column in columns])
    return sparse.csc_array((np.ones(len(rows)), (rows, places)), (mdp.rewards.size, len(columns)))


def rectangles(mdp: TabularMDP, blocks: Sequence[Rectangle]) -> list[tuple[int, ...]]:
    """The states of each rectangle of a map.

    Raises:
        ValueError: the process has no map, or a rectangle holds none of its states.
    """
    if not mdp.places:
        raise ValueError("a structure of rectangles needs a map, and this process has no places; use structure=each")
    inside = []
    for left, right, bottom, top in blocks:
        held = [
            state
            for state, place in enumerate(mdp.places)
            if place is not None and left <= place[0] <= right and bottom <= place[1] <= top
        ]
        if not held:
            raise ValueError(f"the rectangle {(left, right, bottom, top)} holds no state of the map")
        inside.append(tuple(held))
    return inside


def refuse_structure(mdp: TabularMDP, features: Matrix) -> None:
    """Raises ValueError where F has another height, no columns, or pays in absorbing states."""
    if features.ndim != 2 or features.shape[0] != mdp.rewards.size or not features.shape[1]:
        raise ValueError(
            f"the structure is {features.shape}; expected (states · actions, columns) with {mdp.rewards.size} rows and "
            "at least one column"
        )
    paid = np.unique(features.nonzero()[0]) // mdp.n_actions
    absorbing = sorted({int(state) for state in paid} & set(mdp.absorbing))
    if absorbing:
        raise ValueError(f"the structure pays in absorbing states ({', '.join(map(str, absorbing))}); set their rows 0")


def _paying(mdp: TabularMDP) -> list[int]:
    return [state for state in range(mdp.n_states) if state not in mdp.absorbing]


def _refuse_size(name: str, mdp: TabularMDP, states: int, actions: int) -> None:
    if (mdp.n_states, mdp.n_actions) != (states, actions):
        raise ValueError(
            f"structure={name} is for {states} states and {actions} actions; this process has {mdp.n_states} and "
            f"{mdp.n_actions}. Use structure=each or states"
        )
