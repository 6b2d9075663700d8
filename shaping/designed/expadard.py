"""EXPADARD: a reward designed anew for the learner's policy, within a structure.

Source: Devidze, Kamalaruban and Singla 2024, "Informativeness of Reward Functions in Reinforcement
Learning", section 4.
"""

from __future__ import annotations

import numpy as np

from foundation.checks import number
from foundation.tabular_mdp import FloatArray, TabularMDP, solve
from shaping.designed.operators import Matrix, target, visits
from shaping.designed.programme import Programme, Solved
from shaping.designed.result import DesignResult, verified
from shaping.designed.structures import each, refuse_structure

TEACHER_RATE = 0.4
"""How often the teacher, where its visits are counted, takes any action."""


class Expadard:
    """Designs for one policy after another; what does not hang on the policy is made once.

    For the learner's π, the design maximises

        I(R) = Σ μ_T(s) μ_π(s) π(a|s)² [A_T(s, a) − Σ_b π(b|s) A_T(s, b)]
                                       · [R(s, a) − Σ_b π(b|s) R(s, b)]

    with A_T the task's Q* − V*, μ_T the visits of a teacher who takes any action with probability
    `epsilon`, μ_π those of the learner, both discounted and over states that do not absorb. It is
    how much one step of policy gradient on R improves the learner under the task, to first order
    and looking one step ahead.

    Args:
        mdp: the process.
        features: F with R = F w; None for a weight a pair.
        r_max: bound on |R|; None for the largest |R̄|.
        epsilon: of the teacher.

    Raises:
        ValueError: a structure that does not fit, or a number out of its bounds.
    """

    def __init__(
        self,
        mdp: TabularMDP,
        features: Matrix | None = None,
        *,
        r_max: float | None = None,
        epsilon: float = TEACHER_RATE,
    ) -> None:
        self.mdp = mdp
        self.epsilon = number("epsilon", epsilon, least=0, most=1)
        self.features = each(mdp) if features is None else features
        refuse_structure(mdp, self.features)
        bound = float(np.abs(mdp.rewards).max()) if r_max is None else r_max
        meant, solution = target(mdp), solve(mdp)
        self._programme = Programme(mdp, [meant], bound)
        self._advantages: FloatArray = solution.action_values - solution.values[:, None]
        teacher = np.full(mdp.rewards.shape, self.epsilon / mdp.n_actions)
        teacher[np.arange(mdp.n_states), meant.policy] += 1.0 - self.epsilon
        self._teacher = visits(mdp, teacher)

    def gain(self, policy: FloatArray) -> FloatArray:
        """∂I/∂R for a policy, (states, actions): I is linear in R.

        Raises:
            ValueError: rows of the policy do not sum to 1.
        """
        learner = visits(self.mdp, policy)
        centred = self._advantages - (policy * self._advantages).sum(axis=1, keepdims=True)
        shares = (self._teacher * learner)[:, None] * policy**2 * centred
        gain: FloatArray = shares - policy * shares.sum(axis=1, keepdims=True)
        return gain

    def solve(self, policy: FloatArray) -> Solved:
        """The best reward for a policy, not verified; see `design`.

        Raises:
            ValueError: rows of the policy do not sum to 1.
            Infeasible: no reward of this structure leaves the best policy the best.
        """
        self._programme.gain = self.gain(policy).ravel()
        return self._programme.solve(self.features)

    def design(self, policy: FloatArray) -> DesignResult:
        """The best reward for a policy, with its informativeness and invariance; see `solve`."""
        solved = self.solve(policy)
        return verified(
            self.mdp,
            solved.rewards,
            "expadard",
            objective=solved.value,
            options={
                "r_max": self._programme.r_max,
                "epsilon": self.epsilon,
                "columns": int(self.features.shape[1]),
            },
            programmes=1,
        )


def expadard(
    mdp: TabularMDP,
    policy: FloatArray,
    features: Matrix | None = None,
    *,
    r_max: float | None = None,
    epsilon: float = TEACHER_RATE,
) -> DesignResult:
    """One design for one policy π(a|s), (states, actions); see `Expadard`."""
    return Expadard(mdp, features, r_max=r_max, epsilon=epsilon).design(policy)


def invariance_only(mdp: TabularMDP, features: Matrix | None = None, *, r_max: float | None = None) -> DesignResult:
    """Any reward of a structure that leaves the best policy the best: the solver's choice.

    Raises:
        Infeasible: there is none.
    """
    features = each(mdp) if features is None else features
    refuse_structure(mdp, features)
    bound = float(np.abs(mdp.rewards).max()) if r_max is None else r_max
    solved = Programme(mdp, [target(mdp)], bound).solve(features)
    options = {"r_max": bound, "columns": int(features.shape[1])}
    return verified(mdp, solved.rewards, "invariance", objective=0.0, options=options, programmes=1)
