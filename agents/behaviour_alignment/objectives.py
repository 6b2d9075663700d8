"""The mathematics of BARFI: blend, returns, both objectives' gradients, and the hypergradient.

Every function is pure, and every derivative is written out: a policy that is linear in its features
needs no tape. Source: Gupta et al. 2023, "Behavior Alignment via Reward Function Optimization"
(NeurIPS).

Arrays of steps are flat: the steps of all episodes one after the other, (N, ...), with `ends`
(N,) true on an episode's last step. Everything is ascended.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numba
import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
Array = npt.NDArray[Any]

OWN, TASK = 0, 1
"""Columns of a blend: what the state itself is paid (φ1), and the task's reward (φ2)."""
CUTOFF = 1e-9
"""Curvatures that are a smaller share of the largest count as none."""


class Actor(Protocol):
    """A distribution over actions whose parameters are linear in features; see `actors`."""

    def scores(self, outputs: FloatArray, actions: Array) -> FloatArray:
        """∇ log π(a) with respect to the outputs, (N, outputs)."""

    def entropies(self, outputs: FloatArray) -> FloatArray:
        """Of every step's distribution, (N,), in nats."""

    def entropy_scores(self, outputs: FloatArray) -> FloatArray:
        """∇ entropy with respect to the outputs, (N, outputs)."""

    def score_changes(
        self, outputs: FloatArray, actions: Array, weights: FloatArray, bonus: float, along: FloatArray
    ) -> FloatArray:
        """How weights · scores + bonus · entropy scores change as outputs move along `along`."""


@dataclass(frozen=True)
class Steps:
    """Steps of some episodes, with what objectives ask of them.

    Attributes:
        features: (N, d) of the states, for policy and critic.
        actions: (N,) or (N, size).
        blended: (N, K), what is blended: 1, the task's reward, every signal.
        looked_at: (N, h) features of the states that the heads see.
        ends: (N,) true on an episode's last step.
        slots: episodes times steps of the longest possible one: what sums are divided by.
    """

    features: FloatArray
    actions: Array
    blended: FloatArray
    looked_at: FloatArray
    ends: BoolArray
    slots: int


# The blend ----------------------------------------------------------------------------------------


def head_values(heads: FloatArray, looked_at: FloatArray, learns_task: bool = True) -> FloatArray:
    """φ of every step, (N, K); the task's column is 1 where it is not learned.

    Args:
        heads: (K, h).
        looked_at: (N, h).
        learns_task: is φ2 learned?
    """
    values: FloatArray = looked_at @ heads.T
    if not learns_task:
        values[:, TASK] = 1.0
    return values


def alignment_reward(heads: FloatArray, steps: Steps, learns_task: bool = True) -> FloatArray:
    """r_φ = φ1(s) + φ2(s) · task + Σ φ3_i(s) · signal_i, (N,)."""
    reward: FloatArray = (head_values(heads, steps.looked_at, learns_task) * steps.blended).sum(axis=1)
    return reward


def heads_gradient(by_reward: FloatArray, steps: Steps, learns_task: bool = True) -> FloatArray:
    """What derivatives with respect to rewards (N,) are with respect to the heads, (K, h)."""
    gradient: FloatArray = (by_reward[:, None] * steps.blended).T @ steps.looked_at
    if not learns_task:
        gradient[TASK] = 0.0
    return gradient


def potential_shaped(task: FloatArray, potential: FloatArray, ends: BoolArray, gamma: float) -> FloatArray:
    """task + γ Φ(next step) − Φ(this step), Φ being 0 after an episode's last step, (N,).

    Args:
        task: (N,).
        potential: (N,), Φ at every step. One that depends on the action is no potential: then the
            best policy may change.
        ends, gamma: of the episodes.
    """
    following = np.append(potential[1:], 0.0)
    following[ends] = 0.0
    return task + gamma * following - potential


# Returns ------------------------------------------------------------------------------------------


@numba.njit(cache=True)  # type: ignore[untyped-decorator, unused-ignore]
def discounted_to_go(rewards: FloatArray, ends: BoolArray, gamma: float) -> FloatArray:
    """G_t = Σ_{j≥t} γ^(j−t) r_j within every episode, (N,)."""
    returns = np.empty_like(rewards)
    later = 0.0
    for step in range(len(rewards) - 1, -1, -1):
        later = rewards[step] + (0.0 if ends[step] else gamma * later)
        returns[step] = later
    return returns


@numba.njit(cache=True)  # type: ignore[untyped-decorator, unused-ignore]
def returns_gradient(
    weights: FloatArray, rewards: FloatArray, ends: BoolArray, gamma: float
) -> tuple[FloatArray, float]:
    """The derivatives of Σ_t weight_t · G_t with respect to every reward, (N,), and to γ."""
    by_reward = np.empty_like(rewards)
    by_gamma = 0.0
    trace, slope = 0.0, 0.0  # Σ_{t≤j} γ^(j−t) w_t, and its derivative with respect to γ
    fresh = True
    for step in range(len(rewards)):
        if fresh:
            trace, slope = 0.0, 0.0
        slope = trace + gamma * slope
        trace = weights[step] + gamma * trace
        by_reward[step] = trace
        by_gamma += rewards[step] * slope
        fresh = ends[step]
    return by_reward, by_gamma


def temporal_differences(rewards: FloatArray, values: FloatArray, ends: BoolArray, gamma: float) -> FloatArray:
    """r + γ V(next step) − V(this step), V being 0 after an episode's last step, (N,)."""
    return potential_shaped(rewards, values, ends, gamma)


# Objectives ---------------------------------------------------------------------------------------


def policy_objective(
    log_probabilities: FloatArray, weights: FloatArray, entropies: FloatArray, slots: int, bonus: float
) -> float:
    """Σ log π(a_t|s_t) · weight_t / slots + bonus · mean entropy.

    Dividing by slots, not by steps, is part of the estimator: long episodes count more.
    """
    return float(log_probabilities @ weights) / slots + bonus * float(entropies.mean())


def policy_gradient(
    actor: Actor, policy: FloatArray, steps: Steps, weights: FloatArray, bonus: float = 0.0
) -> FloatArray:
    """∇ of `policy_objective` with respect to a policy (outputs, d); weights are constants."""
    outputs = steps.features @ policy.T
    pull = (weights / steps.slots)[:, None] * actor.scores(outputs, steps.actions)
    if bonus:
        pull += bonus / len(weights) * actor.entropy_scores(outputs)
    gradient: FloatArray = pull.T @ steps.features
    return gradient


class Curvature:
    """The Hessian H of `policy_objective` at a policy, as what it does to a direction.

    Args:
        actor, policy, steps, weights, bonus: of `policy_gradient`.
    """

    def __init__(self, actor: Actor, policy: FloatArray, steps: Steps, weights: FloatArray, bonus: float = 0.0) -> None:
        self._actor, self._steps = actor, steps
        self._outputs: FloatArray = steps.features @ policy.T
        self._weights, self._bonus = weights / steps.slots, bonus / len(weights)

    def __call__(self, direction: FloatArray) -> FloatArray:
        """H · direction, (outputs, d)."""
        along = self._steps.features @ direction.T
        changes = self._actor.score_changes(self._outputs, self._steps.actions, self._weights, self._bonus, along)
        product: FloatArray = changes.T @ self._steps.features
        return product

    def rises(self, direction: FloatArray) -> FloatArray:
        """The derivative of log π(a_t|s_t) along a direction, over slots, (N,)."""
        along = self._steps.features @ direction.T
        scores = self._actor.scores(self._outputs, self._steps.actions)
        rises: FloatArray = (scores * along).sum(axis=1) / self._steps.slots
        return rises


# The hypergradient --------------------------------------------------------------------------------

MODES = ("neumann", "cg", "exact", "first_order")


def solved_direction(
    direction: FloatArray,
    curvature: Callable[[FloatArray], FloatArray],
    mode: str,
    *,
    eta: float = 5e-4,
    n_terms: int = 5,
    damping: float = 0.0,
) -> FloatArray:
    """q ≈ −H⁻¹ v: the direction in which the inner problem's solution answers the outer gradient v.

    With it the hypergradient is qᵀ ∂Δ/∂φ, Δ being the inner gradient (implicit function theorem:
    0 = Δ(θ*, φ) gives dθ*/dφ = −H⁻¹ ∂Δ/∂φ).

    Args:
        direction: v, of any shape.
        curvature: u -> H u; H is symmetric, and negative definite around a maximum.
        mode: "neumann": η Σ_{i=0..n} (I + η H)^i v, which tends to the solution where every
            |1 + η · eigenvalue| < 1, and for small η·n is about (n + 1) η v. "cg": n + 1 steps of
            conjugate gradients on damping − H, which end where the curvature is not negative.
            "exact": all of H, and its pseudo-inverse, less damping. "first_order": v itself.
        eta, n_terms, damping: η, n, and what is taken off H's diagonal ("cg", "exact").
    """
    if mode == "first_order":
        return direction
    if mode == "neumann":
        power, total = direction, direction.copy()
        for _ in range(n_terms):
            power = power + eta * curvature(power)
            total += power
        return eta * total
    if mode == "cg":
        return _conjugate_gradients(direction, lambda u: damping * u - curvature(u), n_terms + 1)
    identity = np.eye(direction.size).reshape(-1, *direction.shape)
    columns = np.stack([damping * u - curvature(u) for u in identity]).reshape(direction.size, direction.size)
    roots, vectors = np.linalg.eigh(0.5 * (columns + columns.T))
    kept = np.abs(roots) > CUTOFF * max(float(np.abs(roots).max()), 1e-300)
    vectors = vectors[:, kept]
    solved: FloatArray = vectors @ ((vectors.T @ direction.ravel()) / roots[kept])
    return solved.reshape(direction.shape)


def _conjugate_gradients(
    target: FloatArray, operator: Callable[[FloatArray], FloatArray], iterations: int
) -> FloatArray:
    solution, residual = np.zeros_like(target), target.copy()
    search, square = residual.copy(), float((residual * residual).sum())
    enough = 1e-20 * square
    for _ in range(iterations):
        if square <= enough:
            break
        image = operator(search)
        bend = float((search * image).sum())
        if bend <= 0.0:  # no maximum in this direction
            return target.copy() if not solution.any() else solution
        length = square / bend
        solution += length * search
        residual -= length * image
        before, square = square, float((residual * residual).sum())
        search = residual + square / before * search
    return solution


@dataclass(frozen=True)
class InnerStep:
    """One step of an inner burst, as `unrolled_pull` goes back through it.

    Attributes:
        curvature: u -> H u of the step's objective where the step was taken.
        gradient: Δ there.
        rate: what the step multiplied the (clipped) gradient with, elementwise; the optimiser's
            own state counts as constant.
        clip: the longest gradient; 0 for any.
        pull: q -> qᵀ ∂Δ/∂(heads, logit of the discount) of the step's batch.
    """

    curvature: Callable[[FloatArray], FloatArray]
    gradient: FloatArray
    rate: FloatArray
    clip: float
    pull: Callable[[FloatArray], tuple[FloatArray, float]]


def unrolled_pull(direction: FloatArray, inner: Sequence[InnerStep]) -> tuple[FloatArray, float, FloatArray]:
    """The gradient through an inner burst θ ← θ + rate · clip(Δ(θ, φ)), backwards.

    Args:
        direction: v at the burst's end.
        inner: its steps, first to last.

    Returns:
        The gradients of the heads and of the discount's logit, and v brought back to the start.
    """
    heads: Any = 0.0
    logit = 0.0
    for step in reversed(inner):
        pulled = clipped_pull(step.rate * direction, step.gradient, step.clip)
        by_heads, by_logit = step.pull(pulled)
        heads, logit = heads + by_heads, logit + by_logit
        direction = direction + step.curvature(pulled)
    return heads, logit, direction


def clipped(gradient: FloatArray, longest: float) -> FloatArray:
    """A gradient of at most so much length; 0: of any."""
    length = float(np.linalg.norm(gradient))
    return gradient * (longest / length) if longest and length > longest else gradient


def clipped_pull(direction: FloatArray, gradient: FloatArray, longest: float) -> FloatArray:
    """A direction times the Jacobian of `clipped` at `gradient`."""
    length = float(np.linalg.norm(gradient))
    if not longest or length <= longest:
        return direction
    unit = gradient / length
    return longest / length * (direction - unit * float((unit * direction).sum()))
