"""The gradient of PPO's loss in closed form against autograd's, through SB3's own formulas."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from agents.sb3.closed_form import SUMS, Old, Weights, clipped_gradients


def batch(n=200, actions=7, seed=0):
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    logits = (2 * normal(n, actions)).requires_grad_()
    values = normal(n).requires_grad_()
    chosen = torch.randint(actions, (n,), generator=generator)
    log_p = torch.log_softmax(logits, 1).gather(1, chosen[:, None]).flatten().detach()
    old = Old(chosen, values.detach() + 0.3 * normal(n), log_p + 0.3 * normal(n), normal(n), normal(n))
    return logits, values, old


def loss_of_sb3(logits, values, old, weights, masks=None):
    """(loss, means of SUMS), as in SB3's PPO.train and sb3-contrib's MaskableCategorical."""
    if masks is not None:
        logits = torch.where(masks, logits, torch.tensor(-1e8, dtype=logits.dtype))
    log_p = torch.log_softmax(logits, 1)
    by_action = log_p.exp() * log_p
    entropy = -(by_action if masks is None else torch.where(masks, by_action, 0.0)).sum(1)
    log_ratio = log_p.gather(1, old.actions[:, None]).flatten() - old.log_probabilities
    ratio = log_ratio.exp()
    clipped = ratio.clamp(1 - weights.clip_range, 1 + weights.clip_range)
    policy = -torch.min(old.advantages * ratio, old.advantages * clipped).mean()
    if weights.clip_range_vf is not None:
        change = (values - old.values).clamp(-weights.clip_range_vf, weights.clip_range_vf)
        values = old.values + change
    value = functional.mse_loss(old.returns, values)
    loss = policy - weights.entropy * entropy.mean() + weights.value * value
    outside = ((ratio - 1).abs() > weights.clip_range).double().mean()
    return loss, (policy, value, entropy.mean(), (ratio - 1 - log_ratio).mean(), outside)


@pytest.mark.parametrize("clip_range_vf", [None, 0.2])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("actions", [1, 2, 7, 90])
def test_gradients_and_metrics_are_those_of_autograd(actions, masked, clip_range_vf):
    logits, values, old = batch(actions=actions)
    weights = Weights(0.2, clip_range_vf, 0.013, 0.7)
    masks = None
    if masked:
        masks = torch.rand(logits.shape, generator=torch.Generator().manual_seed(3)) < 0.5
        masks[torch.arange(len(masks)), old.actions] = True
    loss, means = loss_of_sb3(logits, values, old, weights, masks)
    expected = torch.autograd.grad(loss, (logits, values))
    by_logits, by_values, sums = clipped_gradients(logits, values, old, weights, len(values), masks)
    torch.testing.assert_close(by_logits, expected[0], rtol=0, atol=1e-14)
    torch.testing.assert_close(by_values, expected[1], rtol=0, atol=1e-14)
    for name, total, mean in zip(SUMS, sums.tolist(), means, strict=True):
        assert total / len(values) == pytest.approx(mean.item(), abs=1e-12), name
    assert 0 < sums[SUMS.index("clipped")] < len(values)  # both sides of the range were tried


def test_a_part_of_a_minibatch_gives_its_part_of_the_gradient():
    logits, values, old = batch()
    weights = Weights(0.2, None, 0.01, 0.5)
    whole, _, sums = clipped_gradients(logits, values, old, weights, 200)
    part = Old(old.actions[:80], old.values[:80], old.log_probabilities[:80], old.advantages[:80], old.returns[:80])
    first, _, _ = clipped_gradients(logits[:80], values[:80], part, weights, 200)
    assert torch.equal(first, whole[:80])
    assert sums.dtype == torch.float64


def test_at_the_old_policy_the_surrogates_tie_and_the_gradient_is_the_policy_gradient():
    logits, values, old = batch()
    log_p = torch.log_softmax(logits, 1)
    chosen = log_p.gather(1, old.actions[:, None]).flatten()
    same = Old(old.actions, old.values, chosen.detach(), old.advantages, old.returns)
    expected = torch.autograd.grad(-(old.advantages * chosen).mean(), logits)[0]
    by_logits, _, sums = clipped_gradients(logits, values, same, Weights(0.2, None, 0.0, 0.5), 200)
    torch.testing.assert_close(by_logits, expected, rtol=0, atol=1e-14)
    assert sums[SUMS.index("kl")] == pytest.approx(0, abs=1e-12)


def test_a_probability_of_zero_has_no_gradient_and_no_nan():
    logits = torch.tensor([[0.0, -1e9], [800.0, 0.0]], requires_grad=True)
    old = Old(torch.tensor([0, 0]), torch.zeros(2), torch.zeros(2), torch.ones(2), torch.zeros(2))
    by_logits, _, sums = clipped_gradients(logits, torch.zeros(2), old, Weights(0.2, None, 0.1, 0.5), 2)
    assert torch.isfinite(by_logits).all()
    assert torch.isfinite(sums).all()
