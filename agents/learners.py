"""What SB3's algorithms show of their policies to parts of the reward that read them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from sb3_contrib import QRDQN
from sb3_contrib.common.maskable.policies import MaskableActorCriticPolicy
from sb3_contrib.common.recurrent.policies import RecurrentActorCriticPolicy
from stable_baselines3 import DQN
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from torch import Tensor

from agents.features.distinct import weights_change
from shaping import FloatArray, Learner, Observations
from shaping.transitions import BoolArray

STEP = 1e-3  # length of a step that measures a rise, as a share of the weights' own


class _SB3Learner:
    keeps_rollout = False

    def __init__(self, model: Any) -> None:
        self._model = model

    def probabilities(self, observations: Observations, masks: BoolArray | None = None) -> FloatArray:
        """See `shaping.Learner`."""
        model = self._model
        if not isinstance(model.action_space, spaces.Discrete):
            raise ValueError(f"actions are {model.action_space}, and only one discrete action has a probability each")
        with torch.no_grad():
            probabilities = self._acts(self._tensors(observations), masks)
        return probabilities.cpu().numpy().astype(np.float64)

    def rises(self, weights: FloatArray) -> FloatArray:
        """See `shaping.Learner`."""
        raise ValueError(f"{type(self._model).__name__} keeps no rollout: use agent=ppo or a2c")

    def _acts(self, observations: Any, masks: BoolArray | None) -> Tensor:
        raise NotImplementedError

    def _tensors(self, observations: Observations) -> Any:
        own = self._model.observation_space
        wanted = set(own.spaces) if isinstance(own, spaces.Dict) else None
        given = set(observations) if isinstance(observations, dict) else None
        if wanted != given:
            raise ValueError(
                "the agent sees more than the environment's own observation, because a part of the reward publishes to "
                "it: what it does there cannot be asked for without"
            )
        tensors, _ = self._model.policy.obs_to_tensor(observations)
        return tensors


class OnPolicyLearner(_SB3Learner):
    """PPO, A2C and their kin, whose policy stands still from a rollout's first step to its end."""

    keeps_rollout = True

    def _acts(self, observations: Any, masks: BoolArray | None) -> Tensor:
        policy = self._model.policy
        if not isinstance(policy, MaskableActorCriticPolicy):
            distribution = policy.get_distribution(observations)
        elif masks is None:
            raise ValueError("which actions are valid is not known of observations alone: use agent=ppo")
        else:
            distribution = policy.get_distribution(observations, action_masks=masks)
        probabilities: Tensor = distribution.distribution.probs
        return probabilities

    def rises(self, weights: FloatArray) -> FloatArray:
        """See `shaping.Learner`; by central differences along the direction, for any network."""
        policy, buffer = self._model.policy, self._model.rollout_buffer
        steps = len(weights)  # the newest: of a very long rollout, parts of the reward keep no more
        if steps > buffer.pos or weights.shape != (steps, buffer.n_envs):
            raise ValueError(f"weights are {weights.shape}, and the rollout is {(buffer.pos, buffer.n_envs)}")
        flat = torch.as_tensor(weights.reshape(-1), dtype=torch.float32, device=policy.device)
        parameters = [parameter for parameter in policy.parameters() if parameter.requires_grad]
        gradient = torch.autograd.grad(
            (flat * self._log_probabilities(steps)).mean(), parameters, allow_unused=True, materialize_grads=True
        )
        length = float(torch.sqrt(sum((part * part).sum() for part in gradient)))  # type: ignore[arg-type]
        if length == 0.0:
            return np.zeros(weights.shape)
        own = float(torch.sqrt(sum((weight.detach() ** 2).sum() for weight in parameters)))
        step = STEP * own / length
        # with gradients, as encoders then find what repeats in the batch, and remember nothing
        with _moved(parameters, gradient, step):
            above = self._log_probabilities(steps).detach()
        with _moved(parameters, gradient, -step):
            below = self._log_probabilities(steps).detach()
        rises: FloatArray = ((above - below) / (2.0 * step)).cpu().numpy().astype(np.float64)
        return rises.reshape(weights.shape)

    def _log_probabilities(self, steps: int) -> Tensor:
        """Of the newest steps' actions, step by step and row by row, (T · n_envs,)."""
        policy, buffer = self._model.policy, self._model.rollout_buffer
        newest = slice(buffer.pos - steps, buffer.pos)

        def flat(array: Any) -> Tensor:
            rows = array[newest]
            return torch.as_tensor(rows.reshape(-1, *rows.shape[2:]), device=policy.device)

        held = buffer.observations
        observations = {key: flat(entry) for key, entry in held.items()} if isinstance(held, dict) else flat(held)
        actions = flat(buffer.actions)
        if isinstance(self._model.action_space, spaces.Discrete):
            actions = actions.long().flatten()
        if isinstance(policy, MaskableActorCriticPolicy):
            masks = buffer.action_masks[newest].reshape(steps * buffer.n_envs, -1)
            distribution = policy.get_distribution(observations, action_masks=masks)
        else:
            distribution = policy.get_distribution(observations)
        log_probabilities: Tensor = distribution.log_prob(actions)
        return log_probabilities


class GreedyLearner(_SB3Learner):
    """DQN and QRDQN: the best action, and with the exploration's rate any."""

    def _acts(self, observations: Any, masks: BoolArray | None) -> Tensor:
        greedy = self._model.policy._predict(observations, deterministic=True).long()
        actions, rate = int(self._model.action_space.n), self._model.exploration_rate
        return (1.0 - rate) * torch.nn.functional.one_hot(greedy.flatten(), actions).double() + rate / actions


@contextmanager
def _moved(parameters: list[Any], direction: tuple[Tensor, ...], step: float) -> Iterator[None]:
    """Weights are a step along a direction away, and to the last bit what they were afterwards."""
    kept = [parameter.detach().clone() for parameter in parameters]
    try:
        with torch.no_grad():
            for parameter, part in zip(parameters, direction, strict=True):
                parameter.add_(part, alpha=step)
        weights_change()
        yield
    finally:
        with torch.no_grad():
            for parameter, before in zip(parameters, kept, strict=True):
                parameter.copy_(before)
        weights_change()


def learner_of(model: Any) -> Learner | None:
    """What an SB3 algorithm shows of its policy; None: nothing, as where it has a memory."""
    if isinstance(model, OnPolicyAlgorithm):
        remembers = isinstance(model.policy, RecurrentActorCriticPolicy)
        return None if remembers else OnPolicyLearner(model)
    if isinstance(model, DQN | QRDQN):
        return GreedyLearner(model)
    return None
