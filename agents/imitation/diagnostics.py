"""How smooth reward, dynamics, policy and value are, measured on the replay buffer."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from agents.imitation.learned_reward import LearnedReward
from agents.imitation.relabelled import RelabelledReplayBuffer
from shaping.adversarial import jacobian_norms, published_q_lipschitz, safe_q_lipschitz, validity

ROWS = 64


def diagnose(
    reward: LearnedReward, buffer: RelabelledReplayBuffer, actor: Any, critic: Any, *, gamma: float, seed: Any
) -> dict[str, float]:
    """Metrics by name, over `ROWS` steps of the buffer; nothing that learns is touched.

    Source: section 5 of Blondé et al. 2020, with the norms of whole Jacobians. `d_slope_replay_*`
    are of the logit, `validity` is mean exp(−max(0, n − k)²), `reward_slope` the largest ‖∇r‖,
    `policy_jacobian` and, with a forward model, `model_jacobian` means of Frobenius norms, B̂ and Â;
    `gamma2_c` is γ²C; `q_slope` mean ‖∇Q‖ over (s, a). `q_lipschitz_published` is the paper's
    constant, which is no bound, `q_lipschitz_safe` one under the same assumptions; both are of
    these measurements, with means for Â and B̂.

    Args:
        reward, buffer: of the agent.
        actor: (n, width) -> (n, size), the deterministic policy.
        critic: (states, actions) -> (n, 1), the first of the critics.
        gamma: of the learner.
        seed: of the steps that are looked at; the streams that learning draws from are left alone.
    """
    random = np.random.default_rng(seed)
    rows, envs = random.integers(buffer.filled(), size=ROWS), random.integers(buffer.n_envs, size=ROWS)
    observations, actions, successors = (torch.as_tensor(part).float() for part in buffer.steps(rows, envs)[:3])
    metrics: dict[str, float] = {}
    delta = 0.0
    if reward.settings.adversarial or reward.settings.reward == "random":
        slopes = reward.gradient_of_logit(observations, actions, successors)
        delta = float(reward.gradient_of_reward(observations, actions, successors).max()) * reward.factor
        metrics["d_slope_replay_mean"], metrics["d_slope_replay_max"] = float(slopes.mean()), float(slopes.max())
        metrics["validity"] = validity(slopes, reward.settings.penalty_slope)
        metrics["reward_slope"] = delta
    device = next(critic.__self__.parameters()).device
    states, acts = observations.to(device), actions.to(device)
    policy = metrics["policy_jacobian"] = float(jacobian_norms(actor, states).mean())
    with torch.enable_grad():
        inputs = [states.requires_grad_(), acts.requires_grad_()]
        gradients = torch.autograd.grad(critic(*inputs).sum(), inputs)
    metrics["q_slope"] = float(torch.cat(gradients, dim=1).norm(dim=1).mean())
    if reward.model is not None:
        together = torch.cat([observations, actions], dim=1).detach()
        model = metrics["model_jacobian"] = float(jacobian_norms(reward.model, together).mean())
        metrics["gamma2_c"] = gamma**2 * model**2 * max(1.0, policy**2)
        metrics["q_lipschitz_published"] = published_q_lipschitz(delta, model, policy, gamma)
        metrics["q_lipschitz_safe"] = safe_q_lipschitz(delta, model, policy, gamma)
    return metrics
