"""BARFI's mathematics against autograd, closed forms and finite differences."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from gymnasium import spaces

from agents.behaviour_alignment.actors import Gaussian, Softmax
from agents.behaviour_alignment.objectives import (
    TASK,
    Curvature,
    InnerStep,
    Steps,
    alignment_reward,
    clipped,
    clipped_pull,
    discounted_to_go,
    heads_gradient,
    policy_gradient,
    policy_objective,
    potential_shaped,
    returns_gradient,
    solved_direction,
    temporal_differences,
    unrolled_pull,
)

GAMMA, BONUS = 0.9, 0.3
LENGTHS = (4, 1, 6)


def steps_of(random, lengths=LENGTHS, d=3, h=2, signals=2, actor=None):
    n = sum(lengths)
    ends = np.zeros(n, bool)
    ends[np.cumsum(lengths) - 1] = True
    blended = np.concatenate([np.ones((n, 1)), random.normal(size=(n, 1 + signals))], axis=1)
    continuous = isinstance(actor, Gaussian)
    actions = random.uniform(-1, 2, (n, actor.outputs)) if continuous else random.integers(3, size=n)
    features, looked_at = random.normal(size=(n, d)), random.normal(size=(n, h))
    return Steps(features, actions, blended, looked_at, ends, len(lengths) * 8)


def actors():
    return [
        Softmax(spaces.Discrete(3)),
        Gaussian(spaces.Box(np.array([-1.0, 0.0]), np.array([2.0, 1.0]), (2,), float), 0.4),
    ]


def torch_inner(actor, theta, heads, gamma, steps, learns_task=True):
    """The inner objective as torch computes it, with padded episodes and a power matrix."""
    x = torch.tensor(steps.features)
    outputs = x @ theta.T
    if isinstance(actor, Softmax):
        logs = torch.log_softmax(outputs, 1)
        taken = logs[torch.arange(len(x)), torch.tensor(steps.actions)]
        entropies = -(logs.exp() * logs).sum(1)
    else:
        mean = torch.tensor(actor.low) + torch.tensor(actor.range) * torch.sigmoid(outputs)
        normal = torch.distributions.Normal(mean, actor.std)
        taken, entropies = normal.log_prob(torch.tensor(steps.actions)).sum(1), normal.entropy().sum(1)
    values = torch.tensor(steps.looked_at) @ heads.T
    if not learns_task:
        values = torch.cat([values[:, :TASK], torch.ones(len(x), 1), values[:, TASK + 1 :]], 1)
    rewards = (values * torch.tensor(steps.blended)).sum(1)
    total, first = 0.0, 0
    for last in (np.flatnonzero(steps.ends) + 1).tolist():
        t = torch.arange(last - first)
        powers = torch.triu(gamma ** (t[None] - t[:, None]).clamp(min=0))
        total = total + (taken[first:last] * (powers @ rewards[first:last])).sum()
        first = last
    return total / steps.slots + BONUS * entropies.mean(), rewards


@pytest.mark.parametrize("learns_task", [True, False])
@pytest.mark.parametrize("index", [0, 1])
def test_gradient_curvature_and_pull_are_those_of_autograd(index, learns_task):
    random, actor = np.random.default_rng(1), actors()[index]
    steps = steps_of(random, actor=actor)
    theta, heads = random.normal(size=(actor.outputs, 3)), random.normal(size=(4, 2))
    t_theta, t_heads = torch.tensor(theta, requires_grad=True), torch.tensor(heads, requires_grad=True)
    t_gamma = torch.tensor(GAMMA, dtype=torch.float64, requires_grad=True)
    objective, t_rewards = torch_inner(actor, t_theta, t_heads, t_gamma, steps, learns_task)

    rewards = alignment_reward(heads, steps, learns_task)
    np.testing.assert_allclose(rewards, t_rewards.detach(), rtol=1e-10)
    weights = discounted_to_go(rewards, steps.ends, GAMMA)
    outputs = steps.features @ theta.T
    logs = actor.log_probabilities(outputs, steps.actions)
    value = policy_objective(logs, weights, actor.entropies(outputs), steps.slots, BONUS)
    assert value == pytest.approx(float(objective.detach()), rel=1e-10)

    (delta,) = torch.autograd.grad(objective, t_theta, create_graph=True)
    ours = policy_gradient(actor, theta, steps, weights, BONUS)
    np.testing.assert_allclose(ours, delta.detach(), rtol=1e-9, atol=1e-12)

    q = random.normal(size=theta.shape)
    product, by_heads, by_gamma = torch.autograd.grad(
        (delta * torch.tensor(q)).sum(), (t_theta, t_heads, t_gamma), materialize_grads=True
    )
    curvature = Curvature(actor, theta, steps, weights, BONUS)
    np.testing.assert_allclose(curvature(q), product, rtol=1e-9, atol=1e-12)
    by_reward, slope = returns_gradient(curvature.rises(q), rewards, steps.ends, GAMMA)
    np.testing.assert_allclose(heads_gradient(by_reward, steps, learns_task), by_heads, rtol=1e-9, atol=1e-12)
    assert slope == pytest.approx(float(by_gamma), rel=1e-9)


def test_returns_to_go_stop_at_an_episodes_end():
    ends = np.array([False, True, False, False, True])
    returns = discounted_to_go(np.array([1.0, 2.0, 4.0, 8.0, 16.0]), ends, 0.5)
    np.testing.assert_allclose(returns, [2.0, 2.0, 12.0, 16.0, 16.0])


def test_a_potential_moves_every_return_by_what_it_is_there():
    """Monte-Carlo: the shaped return to go is G − Φ(s), so a policy gradient sees a baseline."""
    random, ends = np.random.default_rng(2), np.array([False, False, True, False, True])
    task, potential = random.normal(size=5), random.normal(size=5)
    shaped = discounted_to_go(potential_shaped(task, potential, ends, GAMMA), ends, GAMMA)
    np.testing.assert_allclose(shaped, discounted_to_go(task, ends, GAMMA) - potential)


def test_temporal_differences_vanish_for_true_values_and_take_the_end_as_worth_nothing():
    ends = np.array([False, False, True])
    rewards = np.array([1.0, 2.0, 4.0])
    values = discounted_to_go(rewards, ends, GAMMA)
    np.testing.assert_allclose(temporal_differences(rewards, values, ends, GAMMA), 0.0, atol=1e-12)
    np.testing.assert_allclose(temporal_differences(rewards, 0 * values, ends, GAMMA), rewards)


# A bandit whose solution is known -----------------------------------------------------------------


def bandit_curvature(theta, bonus):
    """H of J = π · r + bonus · entropy at its maximum θ* = r / bonus: −bonus (diag π − π πᵀ)."""
    likely = np.exp(theta - theta.max())
    likely /= likely.sum()
    return -bonus * (np.diag(likely) - np.outer(likely, likely)), likely


@pytest.mark.parametrize("mode", ["neumann", "cg", "exact"])
def test_on_a_bandit_the_solved_direction_is_that_of_the_known_solution(mode):
    """θ* = r/b up to a constant, so d(v·θ*)/dr = v/b where v sums to 0: the sign counts."""
    rewards, bonus = np.array([1.0, 0.2, -0.5]), 0.5
    curvature, likely = bandit_curvature(rewards / bonus, bonus)
    worth = np.array([0.0, 1.0, 0.3])  # the task's: v = ∇ π · worth
    v = likely * (worth - likely @ worth)
    q = solved_direction(v, lambda u: curvature @ u, mode, eta=2.0, n_terms=400)
    change = curvature / bonus  # ∂Δ/∂r = diag π − π πᵀ = −H / bonus
    np.testing.assert_allclose(-q @ change, v / bonus, atol=1e-6)
    # the known solution again, by finite differences: π* = softmax(r / bonus)
    for k, unit in enumerate(np.eye(3)):
        up, down = (bandit_curvature((rewards + e * unit) / bonus, bonus)[1] @ worth for e in (1e-5, -1e-5))
        assert -(q @ change)[k] == pytest.approx((up - down) / 2e-5, abs=1e-6)


def test_few_small_neumann_terms_are_the_direction_itself_scaled():
    curvature = bandit_curvature(np.array([0.3, 0.0, -0.3]), 1.0)[0]
    v = np.array([0.4, -0.1, -0.3])
    q = solved_direction(v, lambda u: curvature @ u, "neumann", eta=5e-4, n_terms=5)
    np.testing.assert_allclose(q, 6 * 5e-4 * v, rtol=2e-3)
    np.testing.assert_array_equal(solved_direction(v, lambda u: curvature @ u, "first_order"), v)


def test_damping_shortens_the_exact_direction():
    curvature = -np.diag([1.0, 4.0])
    v = np.array([1.0, 1.0])
    np.testing.assert_allclose(solved_direction(v, lambda u: curvature @ u, "exact", damping=1.0), [0.5, 0.2])
    np.testing.assert_allclose(solved_direction(v, lambda u: curvature @ u, "cg", damping=1.0, n_terms=5), [0.5, 0.2])


def test_conjugate_gradients_end_where_there_is_no_maximum():
    v = np.array([1.0, 0.5])
    np.testing.assert_array_equal(solved_direction(v, lambda u: u, "cg"), v)


# Through a converged inner problem ----------------------------------------------------------------


def converged(actor, heads, gamma, steps):
    """The policy that maximises the inner problem, by Newton's method."""
    rewards = alignment_reward(heads, steps)
    weights = discounted_to_go(rewards, steps.ends, gamma)
    theta = np.zeros((actor.outputs, steps.features.shape[1]))
    for _ in range(60):
        gradient = policy_gradient(actor, theta, steps, weights, BONUS)
        theta = theta + solved_direction(gradient, Curvature(actor, theta, steps, weights, BONUS), "exact")
    assert np.abs(gradient).max() < 1e-10
    return theta


@pytest.mark.parametrize(("mode", "settings"), [("exact", {}), ("cg", {"n_terms": 60}), ("neumann", {})])
def test_the_hypergradient_is_that_of_finite_differences_through_the_converged_inner_problem(mode, settings):
    random, actor = np.random.default_rng(3), Softmax(spaces.Discrete(3))
    steps = steps_of(random, lengths=(5, 7, 6, 8), d=2)
    heads = 0.05 * random.normal(size=(4, 2))
    task = discounted_to_go(steps.blended[:, TASK].copy(), steps.ends, 0.99)

    def outer(heads, gamma):
        outputs = steps.features @ converged(actor, heads, gamma, steps).T
        return policy_objective(actor.log_probabilities(outputs, steps.actions), task, np.zeros(1), steps.slots, 0.0)

    theta = converged(actor, heads, GAMMA, steps)
    rewards = alignment_reward(heads, steps)
    curvature = Curvature(actor, theta, steps, discounted_to_go(rewards, steps.ends, GAMMA), BONUS)
    v = policy_gradient(actor, theta, steps, task)
    if mode == "neumann":
        settings = {"eta": 1.0 / 0.3, "n_terms": 3000}
    q = solved_direction(v, curvature, mode, **settings)
    by_reward, by_gamma = returns_gradient(curvature.rises(q), rewards, steps.ends, GAMMA)
    by_heads = heads_gradient(by_reward, steps)

    small = 1e-5
    for index in ((0, 0), (1, 1), (2, 0), (3, 1)):
        moved = np.zeros_like(heads)
        moved[index] = small
        difference = (outer(heads + moved, GAMMA) - outer(heads - moved, GAMMA)) / (2 * small)
        assert by_heads[index] == pytest.approx(difference, rel=1e-4, abs=1e-7)
    difference = (outer(heads, GAMMA + small) - outer(heads, GAMMA - small)) / (2 * small)
    assert by_gamma == pytest.approx(difference, rel=1e-4, abs=1e-7)


@pytest.mark.parametrize("clip", [0.0, 0.02])
def test_the_unrolled_gradient_is_that_of_finite_differences_through_the_steps(clip):
    random, actor = np.random.default_rng(4), Softmax(spaces.Discrete(3))
    batches = [steps_of(random) for _ in range(4)]
    rate = 0.5 * np.ones((3, 3))
    start, heads = random.normal(size=(3, 3)), random.normal(size=(4, 2))
    last = steps_of(random)
    task = discounted_to_go(last.blended[:, TASK].copy(), last.ends, 0.99)

    def burst(heads, gamma):
        theta, inner = start, []
        for steps in batches:
            rewards = alignment_reward(heads, steps)
            weights = discounted_to_go(rewards, steps.ends, gamma)
            gradient = policy_gradient(actor, theta, steps, weights, BONUS)
            curvature = Curvature(actor, theta, steps, weights, BONUS)

            def pull(q, steps=steps, rewards=rewards, curvature=curvature):
                by_reward, by_gamma = returns_gradient(curvature.rises(q), rewards, steps.ends, gamma)
                return heads_gradient(by_reward, steps), by_gamma

            inner.append(InnerStep(curvature, gradient, rate, clip, pull))
            theta = theta + rate * clipped(gradient, clip)
        outputs = last.features @ theta.T
        logs = actor.log_probabilities(outputs, last.actions)
        return policy_objective(logs, task, np.zeros(1), last.slots, 0.0), theta, inner

    _, theta, inner = burst(heads, GAMMA)
    if clip:
        assert any(np.linalg.norm(step.gradient) > clip for step in inner)
    by_heads, by_gamma, _ = unrolled_pull(policy_gradient(actor, theta, last, task), inner)
    small = 1e-5
    for index in ((0, 0), (1, 1), (3, 0)):
        moved = np.zeros_like(heads)
        moved[index] = small
        difference = (burst(heads + moved, GAMMA)[0] - burst(heads - moved, GAMMA)[0]) / (2 * small)
        assert by_heads[index] == pytest.approx(difference, rel=1e-5, abs=1e-9)
    difference = (burst(heads, GAMMA + small)[0] - burst(heads, GAMMA - small)[0]) / (2 * small)
    assert by_gamma == pytest.approx(difference, rel=1e-5, abs=1e-9)


def test_a_clipped_gradient_keeps_its_direction_and_its_pull_is_its_jacobian():
    gradient, direction = np.array([3.0, 4.0]), np.array([1.0, -2.0])
    np.testing.assert_allclose(clipped(gradient, 1.0), [0.6, 0.8])
    np.testing.assert_array_equal(clipped(gradient, 0.0), gradient)
    np.testing.assert_array_equal(clipped(gradient, 6.0), gradient)
    for k, unit in enumerate(np.eye(2)):
        difference = (clipped(gradient + 1e-6 * unit, 1.0) - clipped(gradient - 1e-6 * unit, 1.0)) / 2e-6
        assert clipped_pull(direction, gradient, 1.0)[k] == pytest.approx(float(difference @ direction), abs=1e-8)
