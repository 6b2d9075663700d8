"""Maximum-entropy policies of a tabular process: soft value iteration, and what a policy is worth.

Both maximise E Σ_t γ^t [R + α·H(π(·|s_t))] over the available actions. α, `alpha`, is the
temperature: a large one plays at random, a small one plays for reward. Papers that write β = 1/α
call the same number cold where it is large.

Sums run over sparse transitions in one order, so that the same table gives the same bits on every
number of threads: a coding game's receiver repeats what its sender computed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order

from foundation.checks import number, whole
from foundation.tabular_mdp import AS_GOOD, FloatArray, TabularMDP

SETTLED = 1e-12
"""Soft value iteration ends when no value moves by more, relative to the largest of 1 and them."""
MOST_SWEEPS = 100_000


@dataclass(frozen=True)
class SoftPolicy:
    """A maximum-entropy policy, and its soft values.

    Attributes:
        alpha: the temperature.
        probabilities: π(a|s), (states, actions), or π_t(a|s), (horizon, states, actions); exactly 0
            where an action is not available.
        values: V(s), (states,), or V_t(s), (horizon + 1, states), whose last row is 0.
    """

    alpha: float
    probabilities: FloatArray
    values: FloatArray

    @property
    def horizon(self) -> int | None:
        """Steps that it is for; None where it does not hang on time."""
        return len(self.probabilities) if self.probabilities.ndim == 3 else None

    def at(self, state: int, step: int = 0) -> FloatArray:
        """π(·|state) at a step of the episode, counted from 0, (actions,).

        Raises:
            ValueError: the step is outside the horizon.
        """
        if self.horizon is None:
            row: FloatArray = self.probabilities[state]
        elif 0 <= step < self.horizon:
            row = self.probabilities[step, state]
        else:
            raise ValueError(f"step={step}: this policy is for steps 0 to {self.horizon - 1}")
        return row


@dataclass(frozen=True)
class Worth:
    """What a policy comes to from the start, exactly.

    Attributes:
        value: E Σ γ^t R_t.
        action_entropy: E Σ_t H(π(·|s_t)) in nats, undiscounted: what a message can be sent with.
        trajectory_entropy: H(Z) in nats, of states and actions together: `action_entropy`, and what
            chance adds by first states and transitions.
    """

    value: float
    action_entropy: float
    trajectory_entropy: float


def soft_finite(mdp: TabularMDP, horizon: int, alpha: float) -> SoftPolicy:
    """The policy for so many steps, by one sweep backwards.

        V_T = 0,   Q_t = R + γ·T V_{t+1},   V_t = α·log Σ_a exp(Q_t/α),   π_t = exp((Q_t − V_t)/α)

    In a deterministic process with γ = 1, P(Z) is proportional to exp(R(Z)/α).

    Args:
        mdp: the process.
        horizon: steps of an episode.
        alpha: the temperature; 0 is the limit of small ones: only best actions, those more often
            from which more can still happen among the best.

    Raises:
        ValueError: a horizon below 1, a negative alpha.

    Source: Sokota et al. 2022 (arXiv 2107.08295), MaxEnt value iteration; Ziebart 2010.
    """
    sweep = _Sweep(mdp, number("alpha", alpha, least=0))
    values = np.zeros((whole("horizon", horizon) + 1, mdp.n_states))
    probabilities = np.zeros((horizon, *mdp.rewards.shape))
    entropies = np.zeros(mdp.n_states)
    for step in reversed(range(horizon)):
        values[step], entropies, probabilities[step] = sweep(values[step + 1], entropies)
    return SoftPolicy(alpha, probabilities, values)


def soft_discounted(
    mdp: TabularMDP, alpha: float, *, sweeps: int | None = None, absorbing_entropy: bool = False
) -> SoftPolicy:
    """The policy that does not hang on time, by sweeps from V = 0 until they change nothing.

        Q = R + γ·T V,   V = α·log Σ_a exp(Q/α),   π = exp((Q − V)/α)

    Args:
        mdp: the process, with a discount below 1, or in which every policy ends soon enough.
        alpha: the temperature; 0 is the limit of small ones, as for `soft_finite`.
        sweeps: how many exactly; None: as many as it takes.
        absorbing_entropy: an absorbing state is worth α·log(actions), as if one more action were
            chosen there; else 0. The code of MEC-B (Ebrahimi et al. 2024) has it so.

    Raises:
        ValueError: a negative alpha, or values that do not settle.
    """
    sweep = _Sweep(mdp, number("alpha", alpha, least=0))
    absorbing = list(mdp.absorbing)
    extra = np.log(mdp.n_actions) if absorbing_entropy else 0.0
    values, entropies = np.zeros(mdp.n_states), np.zeros(mdp.n_states)
    values[absorbing], entropies[absorbing] = alpha * extra, extra
    for _ in range(MOST_SWEEPS if sweeps is None else whole("sweeps", sweeps)):
        before, entropy_before = values, entropies
        values, entropies, probabilities = sweep(before, entropy_before)
        values[absorbing], entropies[absorbing] = alpha * extra, extra
        moved = max(_change(before, values), _change(entropy_before, entropies))
        if sweeps is None and moved <= SETTLED:
            break
    else:
        if sweeps is None:
            raise ValueError(
                f"gamma={mdp.gamma}, alpha={alpha}: values grow without end, because staying is paid in entropy or "
                "reward. Give a smaller gamma, or a horizon (soft_finite)"
            )
    return SoftPolicy(alpha, probabilities, values)


def worth(mdp: TabularMDP, policy: FloatArray, horizon: int | None = None) -> Worth:
    """What any policy comes to from the start, by the states that it visits.

    Args:
        mdp: the process.
        policy: π(a|s), (states, actions), or π_t(a|s), (horizon, states, actions).
        horizon: after how many steps time runs out, of a policy that does not hang on time; None:
            never.

    Raises:
        ValueError: a policy of another shape, rows that do not sum to 1, a horizon that is not the
            policy's, or one that never ends without a horizon.
    """
    if policy.shape[-2:] != mdp.rewards.shape or policy.ndim not in (2, 3):
        raise ValueError(
            f"policy is {policy.shape}; expected {mdp.rewards.shape}, with the horizon before it or without"
        )
    if (np.abs(policy.sum(axis=-1) - 1.0) > 1e-6).any() or (policy < 0).any():
        raise ValueError("a row of the policy is no distribution: expected numbers of at least 0 with the sum 1")
    if policy.ndim == 3:
        if horizon not in (None, len(policy)):
            raise ValueError(f"horizon={horizon}: the policy is for {len(policy)} steps")
        horizon = len(policy)
    chance = _entropy(mdp.transitions)
    going = np.ones(mdp.n_states)
    going[list(mdp.absorbing)] = 0.0
    if horizon is None:
        once = _expected_visits(mdp, policy, going, 1.0)
        paid = float(_expected_visits(mdp, policy, going, mdp.gamma) @ (policy * mdp.rewards).sum(axis=1))
        acted, followed = float(once @ _entropy(policy)), float(once @ (policy * chance).sum(axis=1))
    else:
        whole("horizon", horizon)
        paid = acted = followed = 0.0
        here, discount = mdp.start * going, 1.0
        for step in range(horizon):
            now = policy if policy.ndim == 2 else policy[step]
            paid += discount * float(here @ (now * mdp.rewards).sum(axis=1))
            acted += float(here @ _entropy(now))
            followed += float(here @ (now * chance).sum(axis=1))
            here = np.einsum("s,sa,sat->t", here, now, mdp.transitions) * going
            discount *= mdp.gamma
    return Worth(paid, acted, acted + followed + float(_entropy(mdp.start)))


class _Sweep:
    """One backup: V(s') of the next step to V(s) and π(·|s).

    Entropies N, of which V = max Q + α·N + ... for small α, are what is left of them at α = 0.
    """

    def __init__(self, mdp: TabularMDP, alpha: float) -> None:
        self._mdp, self._alpha = mdp, alpha
        self._moves = csr_array(mdp.transitions.reshape(-1, mdp.n_states))
        self._absorbing = list(mdp.absorbing)

    def __call__(self, values: FloatArray, entropies: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        mdp, alpha = self._mdp, self._alpha
        q = mdp.offered(mdp.rewards + mdp.gamma * self._following(values))
        best = q.max(axis=1, keepdims=True)
        if alpha > 0:
            exponents = (q - best) / alpha
        else:
            among = q >= best - AS_GOOD * np.maximum(1.0, np.abs(best))
            exponents = np.where(among, mdp.gamma * self._following(entropies), -np.inf)
        highest = exponents.max(axis=1, keepdims=True)
        weights = np.exp(exponents - highest)
        sums = weights.sum(axis=1, keepdims=True)
        logs = (highest + np.log(sums))[:, 0]
        logs[self._absorbing] = 0.0  # nothing is chosen there
        return best[:, 0] + alpha * logs, entropies if alpha > 0 else logs, weights / sums

    def _following(self, values: FloatArray) -> FloatArray:
        expected: FloatArray = (self._moves @ values).reshape(self._mdp.rewards.shape)
        return expected


def _change(before: FloatArray, after: FloatArray) -> float:
    """By how much values moved, relative to the largest of 1 and them."""
    return float(np.abs(after - before).max() / max(1.0, float(np.abs(after).max())))


def _entropy(probabilities: FloatArray) -> FloatArray:
    """H in nats along the last axis; 0 · log 0 is 0."""
    logs = np.log(probabilities, out=np.zeros_like(probabilities), where=probabilities > 0)
    entropy: FloatArray = -(probabilities * logs).sum(axis=-1)
    return entropy


def _expected_visits(mdp: TabularMDP, policy: FloatArray, going: FloatArray, gamma: float) -> FloatArray:
    """Σ_t γ^t P(s_t = s), (states,), of states that are not absorbing.

    Raises:
        ValueError: gamma is 1 and the policy never ends.
    """
    moves = np.einsum("sa,sat->st", policy, mdp.transitions) * going * going[:, None]
    reached = np.zeros(mdp.n_states, bool)
    for state in np.flatnonzero(mdp.start * going):
        if not reached[state]:
            reached[breadth_first_order(csr_array(moves), state, return_predecessors=False)] = True
    there = np.flatnonzero(reached)
    equations = np.eye(len(there)) - gamma * moves[np.ix_(there, there)].T
    if len(there) and np.linalg.cond(equations) > 1e12:
        raise ValueError("the policy never ends, so that its entropy has no bound: give a horizon")
    visits = np.zeros(mdp.n_states)
    visits[there] = np.linalg.solve(equations, mdp.start[there]) if len(there) else 0.0
    return visits
