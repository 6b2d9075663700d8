"""PPO's update for discrete actions on a processor: fewer operations, several cores, one result."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import fields, replace
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from sb3_contrib import MaskablePPO
from stable_baselines3 import PPO
from stable_baselines3.common.utils import explained_variance
from torch import Tensor, nn
from torch._utils import _flatten_dense_tensors, _unflatten_dense_tensors

from agents.features.patches import TooManyPatches
from agents.features.shards import Threads
from agents.policies import LeanPolicy
from agents.sb3.closed_form import SUMS, Old, Weights, clipped_gradients
from agents.sb3.compiled_adam import CompiledAdam
from agents.sb3.compiled_network import CompiledNetwork

MIN_PART = 32_000_000
"""Multiplications forward for a thread of its own; parts of less cost more than they save."""


class ClippedUpdate:
    """SB3's `train` of PPO, its gradient in closed form, each thread on rows of its own.

    It does what SB3's does, step for step and up to rounding; where it cannot (other actions,
    another device), SB3's own does it. Stands before an algorithm among the bases of a class.
    """

    threads: Threads | None = None
    """Cores that share a minibatch; None: this one. For networks that treat rows one by one."""

    def train(self) -> None:
        model: Any = self
        if not isinstance(model.action_space, spaces.Discrete) or model.device.type != "cpu":
            super().train()  # type: ignore[misc]
            return
        policy = model.policy
        policy.set_training_mode(True)
        model._update_learning_rate(policy.optimizer)
        remaining = model._current_progress_remaining
        clip_range = model.clip_range(remaining)
        clip_range_vf = None if model.clip_range_vf is None else model.clip_range_vf(remaining)
        weights = Weights(clip_range, clip_range_vf, model.ent_coef, model.vf_coef)
        parameters = [parameter for parameter in policy.parameters() if parameter.requires_grad]
        dense = sum(module.weight.numel() for module in policy.modules() if isinstance(module, nn.Linear))
        compiled, adam = CompiledNetwork.of(policy), None
        batches: list[np.ndarray[Any, Any]] = []  # means of `SUMS`
        divergences: list[float] = []  # of the last epoch, as SB3 has it
        stopped = False
        for _ in range(model.n_epochs):
            divergences = []
            for data in model.rollout_buffer.get(model.batch_size):
                means, gradient = self._minibatch(data, weights, parameters, dense, compiled)
                batches.append(means)
                divergences.append(float(means[SUMS.index("kl")]))
                stopped = model.target_kl is not None and divergences[-1] > 1.5 * model.target_kl
                if stopped:
                    break
                adam = adam or CompiledAdam.of(policy.optimizer, parameters)
                _step(policy.optimizer, adam, parameters, gradient, model.max_grad_norm)
            model._n_updates += 1
            if stopped:
                break
        self._record(np.array(batches), float(np.mean(divergences)), weights)

    def _minibatch(
        self,
        data: Any,
        weights: Weights,
        parameters: Sequence[Tensor],
        dense: int,
        compiled: CompiledNetwork | None,
    ) -> tuple[np.ndarray[Any, Any], Tensor]:
        """Means of `SUMS`, and the gradient by all parameters, end to end.

        `dense` weights multiply every row.
        """
        model: Any = self
        old = Old(data.actions.flatten(), data.old_values, data.old_log_prob, data.advantages, data.returns)
        rows = len(old.actions)
        if model.normalize_advantage and rows > 1:
            mean, deviation = old.advantages.mean(), old.advantages.std()
            old = replace(old, advantages=(old.advantages - mean) / (deviation + 1e-8))
        masks = getattr(data, "action_masks", None)
        masks = None if masks is None else masks.reshape(rows, -1).bool()

        def part(chosen: slice) -> tuple[Tensor, Tensor]:
            observations, mine = _rows(data.observations, chosen), _of(old, chosen)
            allowed = None if masks is None else masks[chosen]
            if compiled is not None:
                with contextlib.suppress(TooManyPatches):
                    return compiled.gradient(observations, mine, weights, rows, allowed)
            logits, values = logits_and_values(model.policy, observations)
            by_logits, by_values, sums = clipped_gradients(logits, values, mine, weights, rows, allowed)
            gradients = torch.autograd.grad(
                (logits, values), parameters, (by_logits, by_values), materialize_grads=True
            )
            return sums, _flatten_dense_tensors(gradients)

        if compiled is not None:
            compiled.refresh()
        count = 1 if self.threads is None else min(self.threads.count, rows * dense // MIN_PART)
        if self.threads is None or count < 2:
            results = [part(slice(None))]
        else:
            edges = [rows * index // count for index in range(count + 1)]
            results = self.threads.map(part, [slice(*ends) for ends in pairwise(edges)])
        sums, gradient = results[0]
        for more, gradients in results[1:]:
            sums += more
            gradient += gradients
        return (sums / rows).numpy(), gradient

    def _record(self, batches: np.ndarray[Any, Any], divergence: float, weights: Weights) -> None:
        model: Any = self
        means = dict(zip(SUMS, batches.mean(axis=0).tolist(), strict=True))
        last = dict(zip(SUMS, batches[-1].tolist(), strict=True))
        record = model.logger.record
        record("train/entropy_loss", -means["entropy"])
        record("train/policy_gradient_loss", means["policy"])
        record("train/value_loss", means["value"])
        record("train/approx_kl", divergence)
        record("train/clip_fraction", means["clipped"])
        loss = last["policy"] - weights.entropy * last["entropy"] + weights.value * last["value"]
        record("train/loss", loss)
        buffer = model.rollout_buffer
        record("train/explained_variance", explained_variance(buffer.values.flatten(), buffer.returns.flatten()))
        record("train/n_updates", model._n_updates, exclude="tensorboard")
        record("train/clip_range", weights.clip_range)
        if weights.clip_range_vf is not None:
            record("train/clip_range_vf", weights.clip_range_vf)

    def _excluded_save_params(self) -> list[str]:
        return [*super()._excluded_save_params(), "threads"]  # type: ignore[misc]


class FastPPO(ClippedUpdate, PPO):
    """SB3's PPO with a faster `train`."""


class FastMaskablePPO(ClippedUpdate, MaskablePPO):
    """sb3-contrib's MaskablePPO with a faster `train`."""


def logits_and_values(policy: Any, observations: Any) -> tuple[Tensor, Tensor]:
    """(n, actions) and (n,) of an actor-critic of SB3's with discrete actions."""
    if isinstance(policy, LeanPolicy):
        logits, values = policy.logits_and_values(observations)
        return logits, values.flatten()
    features = policy.extract_features(observations)
    if policy.share_features_extractor:
        latent_pi, latent_vf = policy.mlp_extractor(features)
    else:
        latent_pi = policy.mlp_extractor.forward_actor(features[0])
        latent_vf = policy.mlp_extractor.forward_critic(features[1])
    return policy.action_net(latent_pi), policy.value_net(latent_vf).flatten()


def _rows(observations: Any, chosen: slice) -> Any:
    if isinstance(observations, dict):
        return {key: entry[chosen] for key, entry in observations.items()}
    return observations[chosen]


def _of(old: Old, chosen: slice) -> Old:
    return Old(*(getattr(old, entry.name)[chosen] for entry in fields(old)))


def _step(
    optimizer: torch.optim.Optimizer, adam: CompiledAdam | None, parameters: Sequence[Tensor], gradient: Tensor,
    most: float,
) -> None:  # fmt: skip
    """One step down a gradient that is shortened to `most`, as `clip_grad_norm_` does it."""
    scale = min(1.0, most / (float(gradient.norm()) + 1e-6))
    if adam is not None:
        adam.step(gradient, scale)
        return
    gradient *= scale
    for parameter, part in zip(parameters, _unflatten_dense_tensors(gradient, parameters), strict=True):
        parameter.grad = part
    optimizer.step()
