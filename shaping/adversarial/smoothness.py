"""How smooth the learned reward is, and what that says of the value function."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from foundation.checks import number


def kappa(norms: Tensor, tau: float, scale: float = 1.0, floor: float = 0.7) -> Tensor:
    """The factor κ that makes a reward more careful where what follows is sensitive (PURPLE).

    κ = max(floor, exp(−max(0, n − τ)² / scale)). Source: Blondé et al. 2020 and their code, which
    takes the mean of the squares over a batch and its running deviation for a scale; give a mean
    to have theirs.

    Args:
        norms: n, of any shape.
        tau: up to here nothing is changed.
        scale: of the squares.
        floor: κ is no less.

    Raises:
        ValueError: tau below 0, a scale that is not above 0, a floor outside (0, 1].
    """
    number("tau", tau, least=0)
    number("scale", scale, above=0)
    number("floor", floor, above=0, most=1)
    return torch.exp(-(norms - tau).clamp(min=0.0).square() / scale).clamp(min=floor)


def validity(norms: Tensor, slope: float) -> float:
    """C-validity: mean of exp(−max(0, n − k)²), 1 where the reward is nowhere steeper than k."""
    return float(torch.exp(-(norms - slope).clamp(min=0.0).square()).mean())


def published_q_lipschitz(
    delta: float, model: float, policy: float, gamma: float, *, steps: int | None = None, factor: float = 1.0
) -> float:
    """The paper's constant of Q: κ·δ·√((1 − (γ²C)^h) / (1 − γ²C)), C = A²·max(1, B²).

    A diagnostic and **no bound**: s' = .9 s with r = s, a policy that does nothing and γ = .9 has
    a Q of slope 5.263, and this says 1.705. It is what comes out where the square of a sum is
    bounded by the sum of squares. `safe_q_lipschitz` bounds.

    Args:
        delta: Lipschitz constant of the reward, δ.
        model, policy: A and B, bounds of the Frobenius norms of the Jacobians of dynamics
            and policy.
        gamma: discount.
        steps: h, still to go; None: without end.
        factor: κ.

    Returns:
        infinity where γ²C ≥ 1 and there is no end.

    Raises:
        ValueError: a number out of range.
    """
    _check(delta, model, policy, gamma, factor)
    ratio = gamma**2 * model**2 * max(1.0, policy**2)
    if steps is None:
        return factor * delta / math.sqrt(1 - ratio) if ratio < 1 else math.inf
    number("steps", steps, least=0)
    terms = steps if ratio == 1 else (1 - ratio**steps) / (1 - ratio)
    return factor * delta * math.sqrt(terms)


def safe_q_lipschitz(
    delta: float, model: float, policy: float, gamma: float, *, steps: int | None = None, factor: float = 1.0
) -> float:
    """A bound of Q's Lipschitz constant: κ·δ·Σ_{t<h} (γ·A·√(1 + B²))^t.

    By the chain rule, with the norms of products bounded by products of norms: a step carries a
    difference of s on to (s', a') at most A·√(1 + B²) times as large.

    Args:
        delta, model, policy, gamma, steps, factor: see `published_q_lipschitz`.

    Returns:
        infinity where the factor of a step is not below 1 and there is no end.

    Raises:
        ValueError: a number out of range.
    """
    _check(delta, model, policy, gamma, factor)
    ratio = gamma * model * math.sqrt(1 + policy**2)
    if steps is None:
        return factor * delta / (1 - ratio) if ratio < 1 else math.inf
    number("steps", steps, least=0)
    return factor * delta * (steps if ratio == 1 else (1 - ratio**steps) / (1 - ratio))


def jacobian_norms(function: Callable[[Tensor], Tensor], rows: Tensor) -> Tensor:
    """Frobenius norms of the Jacobian at each row, (n,).

    Of the whole Jacobian, each row by itself; the gradient of the outputs' sum, as the authors'
    code has it, misses what cancels.

    Args:
        function: (n, inputs) -> (n, outputs), row by row.
        rows: (n, inputs).
    """

    def single(row: Tensor) -> Tensor:
        return function(row[None])[0]

    jacobians: Tensor = torch.func.vmap(torch.func.jacrev(single))(rows)
    return jacobians.flatten(1).norm(dim=1).detach()


def _check(delta: float, model: float, policy: float, gamma: float, factor: float) -> None:
    number("delta", delta, least=0)
    number("model", model, least=0)
    number("policy", policy, least=0)
    number("gamma", gamma, least=0, most=1)
    number("factor", factor, above=0, most=1)
