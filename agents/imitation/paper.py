"""TD3 as Blondé et al. 2020 have it: LayerNorm networks, a softer minimum, Huber's loss."""

from __future__ import annotations

import math
from typing import Any

import torch
from stable_baselines3.common.policies import ContinuousCritic
from stable_baselines3.common.utils import polyak_update
from stable_baselines3.td3.policies import Actor, TD3Policy
from torch import nn
from torch.nn import functional

LEAST_SHARE = 0.75
"""Of the smaller of two target critics; the rest is of the larger."""
ACTOR_GRADIENT = 40.0
"""The actor's gradient is cut to this norm."""
HEAD_GAIN = 0.01


class PaperPolicy(TD3Policy):
    """SB3's policy of TD3 with LayerNorm before every rectifier and the authors' first weights."""

    def make_actor(self, features_extractor: Any = None) -> Actor:
        actor = super().make_actor(features_extractor)
        assert isinstance(actor.mu, nn.Sequential)
        _normalise(actor.mu)  # an nn.Sequential
        return actor

    def make_critic(self, features_extractor: Any = None) -> ContinuousCritic:
        critic = super().make_critic(features_extractor)
        for network in critic.q_networks:
            _normalise(network)
        return critic


def paper_update(model: Any, batch_size: int) -> dict[str, float]:
    """One update of a `TD3` in place of SB3's; metrics by name.

        y = R + γ^m (1 − terminated) [¾ min(Q1', Q2') + ¼ max(Q1', Q2')],   loss: smooth L1

    Args:
        model: the TD3.
        batch_size: of the batch.
    """
    model.policy.set_training_mode(True)
    model._update_learning_rate([model.actor.optimizer, model.critic.optimizer])
    model._n_updates += 1
    batch = model.replay_buffer.sample(batch_size)
    discounts = model.gamma if batch.discounts is None else batch.discounts
    with torch.no_grad():
        noise = batch.actions.clone().normal_(0, model.target_policy_noise)
        noise = noise.clamp(-model.target_noise_clip, model.target_noise_clip)
        actions = (model.actor_target(batch.next_observations) + noise).clamp(-1, 1)
        values = torch.cat(model.critic_target(batch.next_observations, actions), dim=1)
        least, most = values.min(dim=1, keepdim=True).values, values.max(dim=1, keepdim=True).values
        target = batch.rewards + (1 - batch.dones) * discounts * (LEAST_SHARE * least + (1 - LEAST_SHARE) * most)
    losses = [functional.smooth_l1_loss(value, target) for value in model.critic(batch.observations, batch.actions)]
    loss = torch.stack(losses).sum()
    model.critic.optimizer.zero_grad()
    loss.backward()
    model.critic.optimizer.step()
    metrics = {"critic_loss": float(loss.detach())}
    if model._n_updates % model.policy_delay == 0:
        actor_loss = -model.critic.q1_forward(batch.observations, model.actor(batch.observations)).mean()
        model.actor.optimizer.zero_grad()
        actor_loss.backward()
        nn.utils.clip_grad_norm_(model.actor.parameters(), ACTOR_GRADIENT)
        model.actor.optimizer.step()
        metrics["actor_loss"] = float(actor_loss.detach())
    polyak_update(model.critic.parameters(), model.critic_target.parameters(), model.tau)
    polyak_update(model.actor.parameters(), model.actor_target.parameters(), model.tau)
    return metrics


def _normalise(network: Any) -> None:
    """LayerNorm after every hidden layer, in place; orthogonal weights, a small head, biases 0."""
    layers = [layer for layer in network if isinstance(layer, nn.Linear)]
    for layer in layers:
        nn.init.orthogonal_(layer.weight, HEAD_GAIN if layer is layers[-1] else math.sqrt(2.0))
        nn.init.zeros_(layer.bias)
    for layer in layers[:-1]:
        network.insert(list(network).index(layer) + 1, nn.LayerNorm(layer.out_features))
