"""Worlds that are a table: a state is a number, and so is what the agent sees."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces

from envs.catalogue import Request
from envs.classic.worlds import Played, WorldEnv, WorldVecEnv
from envs.typing import Array, BoolArray, FloatArray, IntArray
from foundation.tabular_mdp import TabularMDP

SCALE = 32  # pixels of a cell
_FLOOR, _WALL, _HERO, _NOWHERE = (38, 42, 51), (230, 159, 0), (240, 228, 66), (0, 0, 0)


class TabularVecEnv(WorldVecEnv):
    """Copies of one tabular MDP, stepped together; ``info["mdp"]`` is that MDP, for all the same.

    Args:
        request: see `WorldVecEnv`.
        mdp: what is played; entering one of its absorbing states ends the episode.
        max_episode_steps: the time limit.
        entering: what is paid for entering each state, (states,); a step then pays that, and
            `mdp.rewards` are what it comes to on average. None: a step pays `mdp.rewards`.
    """

    reports = frozenset({"mdp"})
    draws = 1

    def __init__(
        self,
        request: Request,
        mdp: TabularMDP,
        max_episode_steps: int | None = None,
        entering: FloatArray | None = None,
    ) -> None:
        super().__init__(request, spaces.Discrete(mdp.n_states), spaces.Discrete(mdp.n_actions), max_episode_steps)
        self.mdp = mdp
        self.entering = entering
        self.states: IntArray = np.zeros(request.n_envs, np.int64)
        self._cumulative: FloatArray = np.cumsum(mdp.transitions, axis=2)
        self._cumulative /= self._cumulative[:, :, -1:]
        self._starts: FloatArray = np.cumsum(mdp.start) / mdp.start.sum()
        self._ends: BoolArray = np.isin(np.arange(mdp.n_states), mdp.absorbing)
        self._first: dict[str, Any] = {"mdp": mdp} if "mdp" in self.reported else {}
        self._entries = {name: [value] * request.n_envs for name, value in self._first.items()}

    def begin_world(self, index: int, random: np.random.Generator) -> dict[str, Any]:
        self.states[index] = np.searchsorted(self._starts, random.random(), side="right")
        return self._first

    def play(self, actions: IntArray) -> Played:
        left = self.states
        self.states = (self._cumulative[left, actions] <= self.chance).sum(axis=1)
        rewards = self.mdp.rewards[left, actions] if self.entering is None else self.entering[self.states]
        return Played(rewards, self._ends[self.states], entries=self._entries)

    def observe(self) -> IntArray:
        return self.states.copy()

    def frame(self, index: int) -> Array:
        """The map with the hero on it, 32 pixels a cell; walls are where nothing leads across."""
        picture = drawn_map(self.mdp)
        place = self.mdp.places[self.states[index]]
        if place is not None:
            column, row = place[0] * SCALE, len(picture) - (place[1] + 1) * SCALE
            picture[row + 8 : row + SCALE - 8, column + 8 : column + SCALE - 8] = _HERO
        return picture


class TabularEnv(WorldEnv):
    """One tabular world behind gymnasium's interface."""

    _world: TabularVecEnv

    @property
    def mdp(self) -> TabularMDP:
        """The process that is played."""
        return self._world.mdp

    @property
    def P(self) -> dict[int, dict[int, list[tuple[float, int, float, bool]]]]:
        """The table as gymnasium has it: [state][action] -> (probability, next, reward, over)."""
        mdp, entering, ends = self.mdp, self._world.entering, self.mdp.absorbing
        return {
            state: {
                action: [
                    (
                        float(mdp.transitions[state, action, following]),
                        following,
                        float(mdp.rewards[state, action] if entering is None or state in ends else entering[following]),
                        following in ends,
                    )
                    for following in np.flatnonzero(mdp.transitions[state, action]).tolist()
                ]
                for action in range(mdp.n_actions)
            }
            for state in range(mdp.n_states)
        }

    @property
    def initial_state_distrib(self) -> FloatArray:
        """Probabilities of first states, (states,), under gymnasium's name."""
        return self.mdp.start


class MaskedTabularVecEnv(TabularVecEnv):
    """Of an MDP that says which actions are `available`.

    An agent without masks may take the others: what they do is the table's.
    """

    row_methods = ("action_masks",)

    def action_masks(self) -> BoolArray:
        """Which actions are available now, (n, actions); sb3-contrib asks for them."""
        assert self.mdp.available is not None
        masks: BoolArray = self.mdp.available[self.states]
        return masks


class MaskedTabularEnv(TabularEnv):
    """One of them behind gymnasium's interface."""

    _world: MaskedTabularVecEnv

    def action_masks(self) -> BoolArray:
        """Which actions are available now, (actions,)."""
        masks: BoolArray = self._world.action_masks()[0]
        return masks


def drawn_map(mdp: TabularMDP) -> Array:
    """The cells of an MDP that has places, (height, width, 3) uint8."""
    there = {place: state for state, place in enumerate(mdp.places) if place is not None}
    width, height = (1 + max(place[axis] for place in there) for axis in (0, 1))
    picture = np.full((height * SCALE, width * SCALE, 3), _NOWHERE, np.uint8)
    leads = mdp.transitions.max(axis=1) > 0
    for (column, row), state in there.items():
        x, y = column * SCALE, (height - row - 1) * SCALE
        picture[y + 1 : y + SCALE, x + 1 : x + SCALE] = _FLOOR
        right, above = there.get((column + 1, row)), there.get((column, row + 1))
        if right is not None and not (leads[state, right] or leads[right, state]):
            picture[y : y + SCALE, x + SCALE - 3 : x + SCALE] = _WALL
        if above is not None and not (leads[state, above] or leads[above, state]):
            picture[y : y + 3, x : x + SCALE] = _WALL
    return picture


def slipping(intended: IntArray, n_states: int, share: float) -> FloatArray:
    """T = (1 − share) · what is intended + share · any action's, (states, actions, states).

    Args:
        intended: where each action leads by itself, (states, actions).
        n_states: how many states there are.
        share: probability that chance chooses the action.
    """
    states, actions = intended.shape
    sure = np.zeros((states, actions, n_states))
    rows, columns = np.indices(intended.shape)
    sure[rows, columns, intended] = 1.0
    mixed: FloatArray = (1.0 - share) * sure + share * sure.mean(axis=1, keepdims=True)
    return mixed
