"""The linear programme behind a design: rewards within bounds that leave a policy the best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import sparse
from scipy.optimize import linprog

from foundation.checks import number
from foundation.tabular_mdp import FloatArray, IntArray, TabularMDP
from shaping.designed.informativeness import Measure
from shaping.designed.operators import Matrix, Target, advantages

SLACK = 1e-5
"""Gaps are asked for but for this share, so that the task's own reward is always inside."""
TANGENT_ERROR, MOST_TANGENTS = 1e-7, 60
INFEASIBLE = 2


class Infeasible(ValueError):
    """No reward of this structure leaves the best policy the best."""


@dataclass(frozen=True)
class Solved:
    """A programme's best reward.

    Attributes:
        weights: w, one a column of the structure.
        rewards: R = F w, (states, actions).
        value: of the objective.
    """

    weights: FloatArray
    rewards: FloatArray
    value: float


@dataclass(frozen=True)
class _Rows:
    """Rows `of_rewards` R + `of_losses` u ≥ `least`."""

    of_rewards: Matrix
    of_losses: Matrix
    least: FloatArray


class Programme:
    """max gain · R − Σ u − l1 ‖R‖₁ over R = F w with |R| ≤ r_max and A_∞ R ≥ δ/(1 + 1e-5).

    u are the losses of informativeness, so that −Σ u is I(R). Rows are made once; each `solve`
    takes its columns of them.

    Args:
        mdp: the process.
        targets: policies that stay the best.
        r_max: bound on |R|.
        gain: a linear objective over pairs, (states · actions,); None: none.
        measure: the informativeness that counts; None: none.
        l1: the price of a unit of reward.

    Raises:
        ValueError: a bound that is not above 0, or a negative price.
    """

    def __init__(
        self,
        mdp: TabularMDP,
        targets: Sequence[Target],
        r_max: float,
        *,
        gain: FloatArray | None = None,
        measure: Measure | None = None,
        l1: float = 0.0,
    ) -> None:
        self._shape = mdp.rewards.shape
        self.r_max = number("r_max", r_max, above=0)
        self.l1 = number("l1", l1, least=0)
        self.gain: FloatArray = np.zeros(mdp.rewards.size) if gain is None else gain
        self.solved = 0
        """Linear programmes solved so far."""
        self._link = "none" if measure is None else measure.link
        self._ahead, self._wanted, self._owners = _margins(mdp, targets, measure)
        self._losses = int(self._owners.max()) + 1 if len(self._owners) else 0
        self._share = 1.0 / (len(targets) * len(measure.horizons) * mdp.n_states) if measure else 0.0
        self._fixed = [self._kept_best(mdp, meant) for meant in targets]
        if self._link in ("hinge", "linear"):
            every = np.arange(len(self._wanted))
            self._fixed.append(_Rows(self._ahead, self._owned(every), self._wanted))

    def solve(self, features: Matrix) -> Solved:
        """The best reward of a structure.

        Args:
            features: F, (states · actions, columns); nothing at absorbing states.

        Raises:
            Infeasible: no reward of this structure leaves the policies the best.
            RuntimeError: the solver gave up.
        """
        if self._link != "exp":
            return self._solve(features, self._fixed)[0]
        rows = [*self._fixed, self._tangents(np.zeros(len(self._wanted)), np.arange(len(self._wanted)))]
        for _ in range(MOST_TANGENTS):
            solved, losses = self._solve(features, rows)
            margins = self._ahead @ solved.rewards.ravel() - self._wanted
            true = np.exp(-margins)
            worst = np.zeros(self._losses)
            np.maximum.at(worst, self._owners, true)
            missing = self._share * float((worst - losses).sum())
            solved = replace(solved, value=solved.value - missing)
            if missing < TANGENT_ERROR:
                break
            under = np.flatnonzero(true > losses[self._owners] + 1e-12)
            rows.append(self._tangents(margins[under], under))
        return solved

    def _solve(self, features: Matrix, rows: Sequence[_Rows]) -> tuple[Solved, FloatArray]:
        """The best reward and the losses u."""
        columns, held = features.shape[1], sparse.csr_array(features)
        held = held[np.unique(held.nonzero()[0])]
        parts = _partition(held)
        priced = held.shape[0] if self.l1 else 0
        rewards, losses = [row.of_rewards @ features for row in rows], [row.of_losses for row in rows]
        least = [row.least for row in rows]
        if not parts:
            rewards += [-held, held]
            least += [np.full(held.shape[0], -self.r_max)] * 2
        if priced:
            rewards += [-held, held]
            least += [np.zeros(priced)] * 2
        height = sum(len(part) for part in least)
        blocks = [sparse.vstack(rewards)]
        if self._losses:
            below = height - sum(part.shape[0] for part in losses)
            blocks.append(sparse.vstack([*losses, sparse.csr_array((below, self._losses))]))
        if priced:
            above = sparse.csr_array((height - 2 * priced, priced))
            blocks.append(sparse.vstack([above, sparse.eye_array(priced), sparse.eye_array(priced)]))
        bound = self.r_max if parts else np.inf
        lowest = -np.inf if self._link == "linear" else 0.0
        bounds = [(-bound, bound)] * columns + [(lowest, np.inf)] * self._losses + [(0.0, np.inf)] * priced
        costs = np.concatenate([-(self.gain @ features), np.full(self._losses, self._share), np.full(priced, self.l1)])
        found = _solution(costs, -sparse.csc_array(sparse.hstack(blocks)), -np.concatenate(least), np.array(bounds))
        self.solved += 1
        weights: FloatArray = found.x[:columns]
        solved = Solved(weights, (features @ weights).reshape(self._shape), -float(found.fun))
        return solved, found.x[columns : columns + self._losses]

    def _kept_best(self, mdp: TabularMDP, meant: Target) -> _Rows:
        """A_∞ R ≥ b over the pairs that are not the policy's, of states that do not absorb."""
        others = np.ones(self._shape, bool)
        others[np.arange(mdp.n_states), meant.policy] = False
        others[list(mdp.absorbing)] = False
        pairs = np.flatnonzero(others)
        least = np.where(meant.worse, meant.gaps[:, None] / (1.0 + SLACK), 0.0).ravel()[pairs]
        ahead = advantages(mdp, meant.policy, None)[pairs]
        return _Rows(ahead, sparse.csr_array((len(pairs), self._losses)), least)

    def _tangents(self, margins: FloatArray, chosen: IntArray) -> _Rows:
        """u ≥ e^(−m) where it touches at given margins, of chosen rows."""
        slopes = np.exp(-margins)
        ahead = sparse.csr_array(self._ahead[chosen].multiply(slopes[:, None]))
        return _Rows(ahead, self._owned(chosen), slopes * (1.0 + margins + self._wanted[chosen]))

    def _owned(self, chosen: IntArray) -> Matrix:
        """The loss of each chosen row."""
        places = (np.arange(len(chosen)), self._owners[chosen])
        return sparse.csr_array((np.ones(len(chosen)), places), (len(chosen), self._losses))


def _margins(
    mdp: TabularMDP, targets: Sequence[Target], measure: Measure | None
) -> tuple[Matrix, FloatArray, IntArray]:
    """A_k over all pairs that are worse, δ of each row, and the number of the loss it belongs to.

    A loss is that of a target, a horizon and a state, or an action where all are summed.
    """
    blocks: list[Matrix] = []
    wanted: list[FloatArray] = [np.zeros(0)]
    owners: list[IntArray] = [np.zeros(0, np.int64)]
    count = 0
    for meant in targets if measure else ():
        assert measure is not None
        pairs = np.flatnonzero(meant.worse)
        names, owner = np.unique(pairs // mdp.n_actions if measure.over == "max" else pairs, return_inverse=True)
        for horizon in measure.counts:
            blocks.append(advantages(mdp, meant.policy, horizon)[pairs])
            wanted.append(measure.wanted(meant).ravel()[pairs])
            owners.append(owner + count)
            count += len(names)
    ahead = sparse.csr_array(sparse.vstack(blocks)) if blocks else sparse.csr_array((0, mdp.rewards.size))
    return ahead, np.concatenate(wanted), np.concatenate(owners)


def _partition(features: Matrix) -> bool:
    """Does every pair belong to at most one column, with a share of 1? Then |w| bounds |R|."""
    return bool((np.diff(features.indptr) <= 1).all() and (features.data == 1.0).all())


def _solution(costs: FloatArray, matrix: Matrix, limits: FloatArray, bounds: FloatArray) -> Any:
    scale = float(np.abs(costs).max()) or 1.0  # the solver's tolerances are absolute, and costs may be tiny
    for method in ("highs", "highs-ds", "highs-ipm"):
        found = linprog(costs / scale, A_ub=matrix, b_ub=limits, bounds=bounds, method=method)
        if found.status in (0, INFEASIBLE):
            break
    found.fun = scale * found.fun if found.fun is not None else None
    if found.status == INFEASIBLE:
        raise Infeasible(
            "no reward of this structure within the bound leaves the best policy the best: give a larger r_max, more "
            "states, or a structure with more columns (structure=each can always pay as the task does)"
        )
    if found.status != 0:
        raise RuntimeError(f"the linear programme has no solution: {found.message}")
    return found
