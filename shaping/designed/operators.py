"""By how much a policy's actions beat others under a reward, within a horizon and for ever.

Source: Devidze et al. 2021, "Explicable Reward Design for Reinforcement Learning Agents".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from foundation.tabular_mdp import FloatArray, IntArray, TabularMDP, evaluate, solve

BoolArray = npt.NDArray[np.bool_]
Matrix = Any
"""A sparse array of scipy, which says no types."""
AS_GOOD = 1e-10
"""An action whose value is that near to the best is none of those that are worse."""


@dataclass(frozen=True)
class Target:
    """A best policy, and by how much others are worse under the process's own reward.

    Attributes:
        policy: the action in each state, (states,).
        worse: which actions are not among the best, (states, actions).
        losses: δ(s, a) = V(s) − Q(s, a), (states, actions); 0 for the best.
        gaps: δ(s), the least loss of an action that is worse, (states,); 0 where all are best.
    """

    policy: IntArray
    worse: BoolArray
    losses: FloatArray
    gaps: FloatArray


def target(mdp: TabularMDP, policy: IntArray | None = None) -> Target:
    """A best policy of the process.

    Args:
        mdp: the process.
        policy: the best policy meant, (states,); None for that of the lowest action numbers.

    Raises:
        ValueError: the policy is not among the best, or gamma is 1 and a policy on the way to the
            best never ends.
    """
    solution = solve(mdp)
    chosen = solution.policy if policy is None else np.asarray(policy, np.int64)
    if chosen.shape != (mdp.n_states,) or ((chosen < 0) | (chosen >= mdp.n_actions)).any():
        raise ValueError(
            f"a policy to design for is {chosen.shape}; expected an action from 0 to {mdp.n_actions - 1} for each of "
            f"{mdp.n_states} states"
        )
    rows = np.arange(mdp.n_states)
    worse = ~solution.best
    if worse[rows, chosen].any():
        state = int(np.flatnonzero(worse[rows, chosen])[0])
        raise ValueError(
            f"a policy to design for takes action {chosen[state]} in state {state}, where "
            f"{np.flatnonzero(solution.best[state]).tolist()} are best; give a best policy"
        )
    losses = np.where(worse, solution.values[:, None] - solution.action_values, 0.0)
    gaps = np.where(worse, losses, np.inf).min(axis=1)
    return Target(chosen, worse, losses, np.where(np.isfinite(gaps), gaps, 0.0))


def advantages(mdp: TabularMDP, policy: IntArray, horizon: int | None) -> Matrix:
    """A, the linear map from rewards to what the policy's actions are ahead of others.

    (A R)(s, a) = Q(s, π(s)) − Q(s, a), Q being that of π under R: with the first `horizon` rewards,
    or all of them. That is (I_π − I) Σ_{j<k} γʲ P_πʲ, and (I_π − I)(I − γ P_π)⁻¹.

    Args:
        mdp: the process.
        policy: the action in each state, (states,).
        horizon: rewards counted; None for all.

    Returns:
        (states · actions, states · actions), the pair (s, a) being number s · actions + a.

    Raises:
        ValueError: all rewards, gamma is 1 and the policy never ends.
    """
    states, actions = mdp.rewards.shape
    moves = mdp.transitions[np.arange(states), policy]
    if horizon is None:
        sums = before = _summed_for_ever(mdp, policy, moves)
    else:
        before, sums, power = np.zeros((states, states)), np.eye(states), np.eye(states)
        for _ in range(1, horizon):
            power = mdp.gamma * power @ moves
            before, sums = sums, sums + power
        if horizon == 0:
            sums = before
    held = np.repeat(sums, actions, axis=0) - mdp.gamma * mdp.transitions.reshape(-1, states) @ before
    held[np.abs(held) < 1e-15] = 0.0
    pairs = np.arange(states) * actions + policy
    follows = sparse.csr_array((np.ones(states), (np.arange(states), pairs)), (states, states * actions))
    own = sparse.eye_array(states * actions) if horizon != 0 else sparse.csr_array((states * actions,) * 2)
    return sparse.csr_array(sparse.csr_array(held) @ follows - own)


def visits(mdp: TabularMDP, policy: FloatArray) -> FloatArray:
    """How often a policy is in each state, discounted, of those that do not absorb: μ(s), sum 1.

    Args:
        mdp: the process.
        policy: π(a|s), (states, actions).

    Raises:
        ValueError: rows of the policy do not sum to 1, or gamma is 1 and it never ends.
    """
    going = np.setdiff1d(np.arange(mdp.n_states), mdp.absorbing)
    evaluate(mdp, policy)  # refuses what has no limit
    moves = np.einsum("sa,sat->st", policy, mdp.transitions)[np.ix_(going, going)]
    counts = np.zeros(mdp.n_states)
    counts[going] = np.linalg.solve(np.eye(len(going)) - mdp.gamma * moves.T, mdp.start[going])
    if counts.sum() <= 0:
        raise ValueError("every episode starts in an absorbing state: there is nothing to design for")
    return counts / counts.sum()


def _summed_for_ever(mdp: TabularMDP, policy: IntArray, moves: FloatArray) -> FloatArray:
    """Σ γʲ Mʲ over states that do not absorb; rewards of those that do are always 0."""
    evaluate(mdp, np.eye(mdp.n_actions)[policy])  # refuses what has no limit
    going = np.setdiff1d(np.arange(mdp.n_states), mdp.absorbing)
    sums = np.zeros(moves.shape)
    sums[np.ix_(going, going)] = np.linalg.inv(np.eye(len(going)) - mdp.gamma * moves[np.ix_(going, going)])
    return sums
