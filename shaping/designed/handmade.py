"""Rewards that need no programme: potentials, and landmarks by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from foundation.checks import number
from foundation.tabular_mdp import FloatArray, TabularMDP, solve


def pbrs(mdp: TabularMDP, potential: FloatArray) -> FloatArray:
    """R̄(s, a) + γ E[Φ(s')] − Φ(s), Φ being 0 in absorbing states; (states, actions).

    Source: Ng, Harada and Russell 1999; here in expectation over s', since the table is of (s, a).

    Raises:
        ValueError: another number of potentials, or one that is not finite.
    """
    if potential.shape != (mdp.n_states,) or not np.isfinite(potential).all():
        raise ValueError(f"potential is {potential.shape}; expected a finite number for each of {mdp.n_states} states")
    values = potential.copy()
    values[list(mdp.absorbing)] = 0.0
    shaped: FloatArray = mdp.rewards + mdp.gamma * mdp.transitions @ values - values[:, None]
    return shaped


def landmarks(mdp: TabularMDP, states: Sequence[int], pay: float = 1.0) -> FloatArray:
    """R̄, and at some states ±`pay`: plus for the best action, minus for the others.

    It changes the best policy, as a rule; see `invariant`.

    Raises:
        ValueError: a state that is none, or absorbing.
    """
    number("pay", pay)
    for state in states:
        if not 0 <= state < mdp.n_states or state in mdp.absorbing:
            raise ValueError(f"landmark {state} is no state that can be paid in; there are {mdp.n_states}")
    rewards = mdp.rewards.copy()
    rows = list(states)
    policy = solve(mdp).policy
    rewards[rows] -= pay
    rewards[rows, policy[rows]] += 2.0 * pay
    return rewards
