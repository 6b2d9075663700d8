"""A finite Markov decision process as arrays, checked, and its optimal policy.

`table_of` makes one of an environment that tells its table as gymnasium's do, in `P`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from foundation.checks import number

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

SUMS_TO_ONE = 1e-9
"""By how much probabilities may miss a sum of 1."""
AS_GOOD = 1e-10
"""An action whose value is that near to the best is one of the best."""


@dataclass(frozen=True)
class TabularMDP:
    """States and actions by number.

    Attributes:
        transitions: T(s'|s, a), (states, actions, states).
        rewards: R(s, a), (states, actions).
        gamma: the discount, in [0, 1]; 1 only where every policy comes to an end.
        start: probabilities of first states, (states,).
        absorbing: states that nothing leaves and nothing pays in; an episode ends on entering one.
        places: where each state lies on a map, (column, row) with row 0 at the bottom, None for
            those that lie nowhere; () where there is no map.
        available: which actions may be taken, (states, actions); None: all of them. `transitions`
            and `rewards` of the others say what happens to who takes one all the same.

    Raises:
        ValueError: shapes that do not fit, a row of probabilities that does not sum to 1, a number
            that is not finite, an absorbing state that is left or pays, a state in which no action
            may be taken; says which.
    """

    transitions: FloatArray
    rewards: FloatArray
    gamma: float
    start: FloatArray
    absorbing: tuple[int, ...] = ()
    places: tuple[tuple[int, int] | None, ...] = field(default=())
    available: BoolArray | None = None

    def __post_init__(self) -> None:
        number("gamma", self.gamma, least=0, most=1)
        states, actions = self.rewards.shape if self.rewards.ndim == 2 else (0, 0)
        if self.transitions.shape != (states, actions, states) or not states or not actions:
            raise ValueError(
                f"transitions are {self.transitions.shape} and rewards {self.rewards.shape}; expected (states, "
                "actions, states) and (states, actions)"
            )
        if self.start.shape != (states,):
            raise ValueError(f"start is {self.start.shape}; expected a probability for each of {states} states")
        for name in ("transitions", "rewards", "start"):
            if not np.isfinite(getattr(self, name)).all():
                raise ValueError(f"{name} has a number that is not finite")
        if (self.transitions < 0).any() or (self.start < 0).any():
            raise ValueError("a probability is below 0")
        sums = self.transitions.sum(axis=2)
        wrong = np.argwhere(np.abs(sums - 1.0) > SUMS_TO_ONE)
        if len(wrong):
            state, action = (int(index) for index in wrong[0])
            raise ValueError(
                f"the probabilities of what follows state {state} and action {action} sum to "
                f"{sums[state, action]:.12g}, not 1 ({len(wrong)} such rows)"
            )
        if abs(self.start.sum() - 1.0) > SUMS_TO_ONE:
            raise ValueError(f"the probabilities of first states sum to {self.start.sum():.12g}, not 1")
        if self.places and len(self.places) != states:
            raise ValueError(f"there are {len(self.places)} places for {states} states")
        for state in self.absorbing:
            if not 0 <= state < states:
                raise ValueError(f"absorbing state {state} is none of the {states} states")
            if not (self.transitions[state, :, state] == 1.0).all():
                raise ValueError(f"state {state} is called absorbing, and is left")
            if self.rewards[state].any():
                raise ValueError(f"absorbing state {state} pays {self.rewards[state].tolist()}; it must pay 0")
        if self.available is not None:
            if self.available.shape != (states, actions) or self.available.dtype != np.bool_:
                raise ValueError(
                    f"available is {self.available.dtype} {self.available.shape}; expected a bool for each of "
                    f"{states} states and {actions} actions"
                )
            stuck = np.flatnonzero(~self.available.any(axis=1))
            if len(stuck):
                raise ValueError(f"no action is available in state {int(stuck[0])}; give it at least one")

    @property
    def n_states(self) -> int:
        return self.rewards.shape[0]

    @property
    def n_actions(self) -> int:
        return self.rewards.shape[1]

    def offered(self, action_values: FloatArray) -> FloatArray:
        """Action values (states, actions) with −inf where an action may not be taken."""
        return action_values if self.available is None else np.where(self.available, action_values, -np.inf)


@dataclass(frozen=True)
class Solution:
    """The optimal policy and what it is worth.

    Attributes:
        values: V*(s), (states,).
        action_values: Q*(s, a), (states, actions).
        policy: the best action, (states,); of several, the one with the lowest number.
        best: which actions are among the best, (states, actions).
    """

    values: FloatArray
    action_values: FloatArray
    policy: IntArray
    best: npt.NDArray[np.bool_]


def evaluate(mdp: TabularMDP, policy: FloatArray, rewards: FloatArray | None = None) -> FloatArray:
    """V(s) of a policy (states, actions), exactly, by solving the linear equations.

    Args:
        mdp: the process.
        policy: π(a|s).
        rewards: R(s, a) instead of the process's own.

    Raises:
        ValueError: rows of the policy do not sum to 1, or gamma is 1 and it never ends.
    """
    if policy.shape != mdp.rewards.shape or (np.abs(policy.sum(axis=1) - 1.0) > 1e-6).any():
        raise ValueError(f"a policy has a row of probabilities a state, {mdp.rewards.shape}, each with the sum 1")
    rewards = mdp.rewards if rewards is None else rewards
    moves = np.einsum("sa,sat->st", policy, mdp.transitions)
    paid = (policy * rewards).sum(axis=1)
    going = np.setdiff1d(np.arange(mdp.n_states), mdp.absorbing)
    equations = np.eye(len(going)) - mdp.gamma * moves[np.ix_(going, going)]
    if np.linalg.cond(equations) > 1e12:
        raise ValueError(
            f"gamma={mdp.gamma} and a policy that never ends: values have no limit. Give a smaller gamma, or an "
            "absorbing state that is always reached"
        )
    values = np.zeros(mdp.n_states)
    values[going] = np.linalg.solve(equations, paid[going])
    return values


def solve(mdp: TabularMDP, rewards: FloatArray | None = None) -> Solution:
    """The optimal policy over the available actions by policy iteration, exact up to rounding.

    Args:
        mdp: the process.
        rewards: R(s, a) instead of the process's own.

    Raises:
        ValueError: gamma is 1 and a policy on the way never ends.
    """
    rewards = mdp.rewards if rewards is None else rewards
    policy = mdp.offered(np.zeros(rewards.shape)).argmax(axis=1)
    for _ in range(10 * mdp.n_states * mdp.n_actions):
        values = evaluate(mdp, np.eye(mdp.n_actions)[policy], rewards)
        action_values = rewards + mdp.gamma * mdp.transitions @ values
        choices = mdp.offered(action_values)
        best = choices.max(axis=1)
        held = action_values[np.arange(mdp.n_states), policy]
        better = best > held + AS_GOOD * np.maximum(1.0, np.abs(best))
        if not better.any():
            break
        policy = np.where(better, choices.argmax(axis=1), policy)
    among = choices >= best[:, None] - AS_GOOD
    return Solution(best, action_values, among.argmax(axis=1), among)


def best_return(mdp: TabularMDP, horizon: int) -> float:
    """The best discounted return from the start within so many steps."""
    values = np.zeros(mdp.n_states)
    for _ in range(horizon):
        values = mdp.offered(mdp.rewards + mdp.gamma * mdp.transitions @ values).max(axis=1)
    return float(mdp.start @ values)


def table_of(env: Any, gamma: float) -> TabularMDP:
    """The process of an environment that tells its table, as FrozenLake, Taxi and CliffWalking do.

    `P[state][action]` lists (probability, next state, reward, terminated). States keep their
    numbers. Where some step terminates, one state more, the last, absorbs: every such step leads
    there, since a table may go on from the state that it names.

    Args:
        env: with `P`, and `initial_state_distrib` or a reset that returns the first state.
        gamma: the discount.

    Raises:
        ValueError: there is no `P`, or it is no table of probabilities; says where.
    """
    world = env.unwrapped
    table = getattr(world, "P", None)
    if table is None:
        raise ValueError(
            f"{world} has no table P: expected P[state][action] = [(probability, next, reward, terminated)]"
        )
    try:
        states, actions = len(table), len(table[0])
        ends = any(step[3] for state in range(states) for action in range(actions) for step in table[state][action])
        transitions = np.zeros((states + ends, actions, states + ends))
        rewards = np.zeros((states + ends, actions))
        for state in range(states):
            for action in range(actions):
                for probability, following, reward, terminated in table[state][action]:
                    transitions[state, action, states if terminated else following] += probability
                    rewards[state, action] += probability * reward
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise ValueError(
            f"{world}: P is no table ({type(error).__name__}: {error}); expected P[state][action] = [(probability, "
            "next, reward, terminated)] with states and actions counted from 0"
        ) from error
    start = np.zeros(states + ends)
    begun = getattr(world, "initial_state_distrib", None)
    if begun is None:
        start[int(env.reset(seed=0)[0])] = 1.0
    else:
        start[:states] = begun
    if not ends:
        return TabularMDP(transitions, rewards, gamma, start)
    transitions[states, :, states] = 1.0
    return TabularMDP(transitions, rewards, gamma, start, (states,))
