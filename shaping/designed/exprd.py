"""EXPRD: an informative reward in few states that leaves the best policy the best.

Source: Devidze et al. 2021, "Explicable Reward Design for Reinforcement Learning Agents".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from foundation.checks import number, whole
from foundation.tabular_mdp import FloatArray, IntArray, TabularMDP
from shaping.designed.informativeness import Measure
from shaping.designed.operators import Matrix, target
from shaping.designed.programme import Programme, Solved
from shaping.designed.result import DesignResult, verified
from shaping.designed.structures import groups, refuse_structure

TIE = 1e-9
"""Objectives that near count as the same; the lowest state is taken."""


def exprd(
    mdp: TabularMDP,
    budget: int | None = 5,
    *,
    measure: Measure | None = None,
    r_max: float | None = None,
    state_only: bool = False,
    l1: float = 0.0,
    facility: float = 0.0,
    features: Matrix | None = None,
    policies: Sequence[IntArray] = (),
    candidates: Sequence[int] | None = None,
) -> DesignResult:
    """Choose states one by one, each the one with which the best reward is the most informative.

    The first states are those in which the task pays. Every candidate is a linear programme.

    Args:
        mdp: the process.
        budget: states that may pay beside those of the task; None for all, in one programme.
        measure: what informativeness is made of; None for the paper's.
        r_max: bound on |R|; None for the largest |R̄|.
        state_only: R(s, a) = R(s). Needs a budget that makes it possible: `Infeasible` says where
            it does not.
        l1: the price of a unit of |R|, summed over pairs.
        facility: λ, the price of a state's distance (in moves) to the nearest chosen state, summed
            over states: it spreads the chosen states.
        features: F with R = F w instead of a budget, which then must be None.
        policies: best policies to design for, informativeness is the mean of theirs and each stays
            the best; () for that of the lowest action numbers.
        candidates: the states to choose from; None for all.

    Raises:
        ValueError: a budget above the number of candidates, no candidates, a structure that does
            not fit; see `Measure` and `target` for further ones.
        Infeasible: no reward of this structure leaves the best policy the best.
    """
    measure = measure or Measure()
    targets = [target(mdp, policy) for policy in policies] or [target(mdp)]
    bound = float(np.abs(mdp.rewards).max()) if r_max is None else r_max
    first = np.flatnonzero(mdp.rewards.any(axis=1)).tolist()
    number("facility", facility, least=0)
    programme = Programme(mdp, targets, bound, measure=measure, l1=l1)
    options: dict[str, Any] = {
        "budget": budget,
        "r_max": bound,
        "state_only": state_only,
        "l1": l1,
        "facility": facility,
        "policies": len(targets),
    }
    if features is not None:
        if budget is not None or state_only or candidates is not None:
            raise ValueError("a structure says where to pay: give no budget, state_only or candidates with it")
        refuse_structure(mdp, features)
        solved = programme.solve(features)
        return verified(
            mdp,
            solved.rewards,
            "exprd",
            objective=solved.value,
            options=options,
            programmes=programme.solved,
            measure=measure,
            targets=targets,
        )
    left = _candidates(mdp, first, candidates, budget)
    distances = _distances(mdp) if facility else None

    def reached(states: Sequence[int]) -> tuple[Solved, float]:
        """The best reward that pays in these states, and its objective."""
        solved = programme.solve(groups(mdp, [(state,) for state in states], by_action=not state_only))
        far = 0.0 if distances is None else facility * float(distances[:, list(states)].min(axis=1).sum())
        return solved, solved.value - far

    chosen = [*first, *left] if budget is None else list(first)
    solved, objective = reached(chosen)
    for _ in range(budget or 0):
        if measure.link == "hinge" and not facility and not l1 and objective > -TIE:
            break  # nothing is better than 0
        tried = {state: reached([*chosen, state]) for state in left}
        most = max(value for _, value in tried.values())
        state = next(state for state, (_, value) in tried.items() if value >= most - TIE)
        solved, objective = tried[state]
        chosen.append(state)
        left.remove(state)
    return verified(
        mdp,
        solved.rewards,
        "exprd",
        objective=objective,
        states=chosen,
        options=options,
        programmes=programme.solved,
        measure=measure,
        targets=targets,
    )


def _candidates(mdp: TabularMDP, first: Sequence[int], given: Sequence[int] | None, budget: int | None) -> list[int]:
    """The states to choose from, in order."""
    taken = {*first, *mdp.absorbing}
    allowed = range(mdp.n_states) if given is None else sorted(set(given))
    for state in allowed:
        if not 0 <= state < mdp.n_states:
            raise ValueError(f"candidate {state} is none of the {mdp.n_states} states")
    left = [state for state in allowed if state not in taken]
    if budget is not None:
        whole("budget", budget, least=0)
        if budget and not left:
            raise ValueError("there is no state to choose from: the candidates pay already, absorb, or are none")
        if budget > len(left):
            raise ValueError(
                f"budget={budget} is more than the {len(left)} states to choose from; give at most {len(left)}, or "
                "none for all"
            )
    return left


def _distances(mdp: TabularMDP) -> FloatArray:
    """Moves from a state to another, (from, to); the number of states where there is no way."""
    leads = mdp.transitions.max(axis=1) > 0
    distances: FloatArray = np.full(leads.shape, float(mdp.n_states))
    reached = np.eye(mdp.n_states, dtype=bool)
    distances[reached] = 0.0
    for moves in range(1, mdp.n_states):
        further = (reached @ leads) & ~reached
        if not further.any():
            break
        distances[further] = moves
        reached |= further
    return distances
