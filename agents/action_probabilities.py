"""How likely a trained model takes each action, in numbers that come out the same every time."""

from __future__ import annotations

import copy
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

from foundation.checks import number
from shaping import FloatArray

_OF_SB3 = "stable_baselines3"
_STANDARD = (torch.float32, torch.float64)


class ActionProbabilities:
    """π(a|s) of one model in one environment, along one episode after another.

    Asked for one observation at a time and computed in float64 where the network allows it, so
    that who asks again, with the same weights, on another day or in another process, gets the same
    numbers but for the last digits.

    Args:
        model: an SB3 algorithm; its weights are copied.
        temperature: logits are divided by it. Probabilities of an actor-critic become
            π^(1/temperature), normalised; Q-values are logits themselves.

    Attributes:
        actions: how many there are.
        precise: it is computed in float64; else a feature extractor knows float32 alone.
        masked: the model learned with masks, and is asked with them.

    Raises:
        ValueError: the model draws its actions from no finite distribution, or the temperature is
            not above 0.
    """

    def __init__(self, model: Any, temperature: float = 1.0) -> None:
        self.temperature = number("temperature", temperature, above=0.0)
        _refuse(model)
        self.actions = int(model.action_space.n)
        policy = _copied(model.policy)
        policy.set_training_mode(False)
        extractors = {module for module in policy.modules() if hasattr(module, "_features_dim")}
        self.precise = all(type(each).__module__.startswith(_OF_SB3) for each in extractors)
        if self.precise:
            policy.double()
            for each in extractors:
                each.register_forward_pre_hook(_as_doubles)
        self._policy: Any = policy
        self.masked = isinstance(policy, MaskableActorCriticPolicy)
        self._recurrent = isinstance(policy, RecurrentActorCriticPolicy)
        self._values = isinstance(model, DQN | QRDQN)
        self._state: Any = None
        self.begin()

    def begin(self) -> None:
        """An episode starts with the next observation: what is remembered of the last is gone."""
        self._state = None

    def __call__(self, observations: Any, mask: Any = None) -> FloatArray:
        """(actions,), sums to 1; exactly 0 where `mask` is false.

        Args:
            observations: of one environment, with its axis in front: (1, ...), or a dict of these.
            mask: (actions,) which are valid; None: all.

        Raises:
            ValueError: several observations, or a mask that leaves nothing.
        """
        tensors, side_by_side = self._policy.obs_to_tensor(observations)
        rows = next(iter(tensors.values())) if isinstance(tensors, dict) else tensors
        if not side_by_side or len(rows) != 1:
            raise ValueError(f"one observation at a time, (1, ...); got {tuple(rows.shape)}")
        valid = np.ones(self.actions, np.bool_) if mask is None else np.asarray(mask, np.bool_).reshape(-1)
        if valid.shape != (self.actions,) or not valid.any():
            raise ValueError(f"a mask says of each of {self.actions} actions whether it is valid, and one must be")
        with torch.no_grad():
            logits = self._logits(tensors, valid).reshape(-1).cpu().numpy().astype(np.float64)
        logits = np.where(valid, logits / self.temperature, -np.inf)
        weights = np.exp(logits - logits.max())
        probabilities: FloatArray = weights / weights.sum()
        return probabilities

    def _logits(self, tensors: Any, valid: Any) -> Tensor:
        policy = self._policy
        if self._values:
            network = policy.quantile_net if hasattr(policy, "quantile_net") else policy.q_net
            values: Tensor = network(tensors)
            return values.mean(dim=1) if values.ndim == 3 else values
        if self._recurrent:
            kind = next(policy.parameters()).dtype
            starts = torch.full((1,), float(self._state is None), dtype=kind)
            if self._state is None:
                self._state = 2 * (torch.zeros(policy.lstm_hidden_state_shape, dtype=kind),)
            distribution, self._state = policy.get_distribution(tensors, self._state, starts)
        elif self.masked:
            distribution = policy.get_distribution(tensors, action_masks=valid[None])
        else:
            distribution = policy.get_distribution(tensors)
        logits: Tensor = distribution.distribution.logits
        return logits


def _copied(policy: Any) -> Any:
    """Without the distribution of the last batch, which hangs on that batch's gradients."""
    last = getattr(getattr(policy, "action_dist", None), "distribution", None)
    return copy.deepcopy(policy, {id(last): None})


def _refuse(model: Any) -> None:
    name = type(model).__name__
    able = "ppo, a2c, recurrent_ppo, maskable_ppo, lucy, bc, dqn, qrdqn and soft_dqn say how likely an action is"
    if not isinstance(model.action_space, spaces.Discrete):
        raise ValueError(
            f"{name} chooses actions of {model.action_space}, which have no probability each; expected one discrete "
            f"action: {able}"
        )
    if not isinstance(model, OnPolicyAlgorithm | DQN | QRDQN):
        raise ValueError(f"{name} draws its actions from no distribution that could be asked for; {able}")


def _as_doubles(_: Any, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(_doubled(each) for each in inputs)


def _doubled(entry: Any) -> Any:
    if isinstance(entry, dict):
        return {name: _doubled(each) for name, each in entry.items()}
    return entry.double() if isinstance(entry, Tensor) and entry.dtype in _STANDARD else entry
