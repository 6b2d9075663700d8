"""The networks of an actor-critic, forward and back, in a dozen compiled loops.

A minibatch of PPO's is some three hundred operations of torch, and calling them is a good part of
its time. What stands here computes the same with the same weights, for the networks that this
project's agents have by default. The loops do not hold Python's lock, so that parts of a minibatch
are computed side by side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from gymnasium import spaces
from numba import njit
from numpy.typing import NDArray
from sb3_contrib.common.maskable.policies import MaskableActorCriticPolicy, MaskableMultiInputActorCriticPolicy
from stable_baselines3.common.policies import ActorCriticPolicy, MultiInputActorCriticPolicy
from stable_baselines3.common.torch_layers import FlattenExtractor, MlpExtractor
from torch import Tensor, nn

from agents.dense import Stack
from agents.features.distinct import Distinct
from agents.features.encoders import Numbers
from agents.features.glyphs import CompactFeatures
from agents.features.passes import (
    NONE,
    RELU,
    TANH,
    EntryPass,
    Floats,
    Gradient,
    NumbersPass,
    dense,
    dense_back,
    entry_pass,
)
from agents.policies import LeanMultiInputPolicy, LeanPolicy
from agents.sb3.closed_form import SUMS, Old, Weights, loss_gradients

POLICIES = (
    LeanPolicy, LeanMultiInputPolicy, ActorCriticPolicy, MultiInputActorCriticPolicy,
    MaskableActorCriticPolicy, MaskableMultiInputActorCriticPolicy,
)  # fmt: skip
"""Whose networks are known; not their subclasses', which may compute something else."""
KINDS: Mapping[type[nn.Module] | None, int] = {None: NONE, nn.ReLU: RELU, nn.Tanh: TANH}


class Layers:
    """A stack of linear layers for compiled loops."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.weights = tuple(weight.detach().numpy() for weight, _ in stack.layers)
        self.biases = tuple(bias.detach().numpy() for _, bias in stack.layers)
        self.kinds = np.array([KINDS[activation] for activation in stack.activations])

    def gradient(self, gradient: Gradient) -> tuple[tuple[Floats, ...], tuple[Floats, ...]]:
        """Where the gradients by weights and biases belong."""
        layers = self.stack.layers
        return tuple(gradient.by(weight) for weight, _ in layers), tuple(gradient.by(bias) for _, bias in layers)


class CompiledNetwork:
    """An actor and a critic over the same features, of float32 on a processor; see `of`."""

    def __init__(self, policy: Any, passes: Mapping[str | None, EntryPass], actor: Layers, critic: Layers) -> None:
        self._passes, self._actor, self._critic = passes, actor, critic
        self._distinct: Mapping[str, Distinct] = getattr(policy.features_extractor, "distinct", {})
        self._parameters = [parameter for parameter in policy.parameters() if parameter.requires_grad]
        self._width = sum(one.width for one in passes.values())

    @classmethod
    def of(cls, policy: Any) -> CompiledNetwork | None:
        """That of a policy; None for one that computes anything else than the loops here."""
        if type(policy) not in POLICIES or type(policy.mlp_extractor) is not MlpExtractor:
            return None
        actor = Stack.of(policy.mlp_extractor.policy_net, policy.action_net)
        critic = Stack.of(policy.mlp_extractor.value_net, policy.value_net)
        passes = _passes(policy)
        usual = all(
            parameter.dtype is torch.float32 and parameter.device.type == "cpu" and parameter.requires_grad
            for parameter in policy.parameters()
        )
        if actor is None or critic is None or passes is None or not usual:
            return None
        return cls(policy, passes, Layers(actor), Layers(critic))

    def refresh(self) -> None:
        """The weights have changed."""
        for one in self._passes.values():
            one.refresh()

    def gradient(
        self, observations: Any, old: Old, weights: Weights, rows: int, masks: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """`SUMS` over these observations, and the loss's gradient by all parameters, end to end.

        Args:
            observations: a tensor, or one an entry, (n, ...).
            old, weights, rows, masks: see `agents.sb3.closed_form.clipped_gradients`.

        Raises:
            TooManyPatches: for this way of computing it.
        """
        features, ways = self._encode(observations, len(old.actions))
        gradient = Gradient(self._parameters)
        sums = np.zeros(len(SUMS))
        by_actor, by_critic = self._actor.gradient(gradient), self._critic.gradient(gradient)
        by_features = _heads(
            features, self._actor.weights, self._actor.biases, self._actor.kinds,
            self._critic.weights, self._critic.biases, self._critic.kinds,
            np.empty((0, 0), np.bool_) if masks is None else masks.numpy(),
            old.actions.numpy(), old.values.numpy(), old.log_probabilities.numpy(),
            old.advantages.numpy(), old.returns.numpy(),
            weights.clip_range, np.inf if weights.clip_range_vf is None else weights.clip_range_vf,
            weights.entropy, weights.value, rows,
            by_actor[0], by_actor[1], by_critic[0], by_critic[1], sums,
        )  # fmt: skip
        _back_through(ways, by_features, gradient)
        return torch.from_numpy(sums), torch.from_numpy(gradient.flat)

    def _encode(self, observations: Any, n: int) -> tuple[Floats, list[Way]]:
        """Features (n, width), and how each entry became its columns of them."""
        features = np.empty((n, self._width), np.float32)
        ways: list[Way] = []
        column = 0
        for key, one in self._passes.items():
            entry = observations if key is None else observations[key]
            distinct = None if key is None else self._distinct.get(key)
            entry, which = (entry, None) if distinct is None else distinct.reduce(entry)
            codes, seen = one.forward(entry.numpy())
            if which is None:
                features[:, column : column + one.width] = codes
            else:
                _gather(codes, which.numpy(), features, column)
            ways.append(Way(one, column, None if which is None else which.numpy(), len(codes), seen))
            column += one.width
        return features, ways


class Way(NamedTuple):
    """How an entry became features: pass, first column, the code of each row, how many codes."""

    one: EntryPass
    column: int
    which: NDArray[Any] | None
    codes: int
    seen: Any


def _back_through(ways: Sequence[Way], by_features: Floats, gradient: Gradient) -> None:
    """Put what follows from the gradient by features into that by the encoders' parameters."""
    for one, column, which, codes, seen in ways:
        if which is None:
            by_codes = np.ascontiguousarray(by_features[:, column : column + one.width])
        else:
            by_codes = _scatter(by_features, which, column, one.width, codes)
        one.backward(by_codes, seen, gradient)


def _passes(policy: Any) -> dict[str | None, EntryPass] | None:
    """How the entries of a policy's observations are encoded; None for others than these."""
    extractor, space = policy.features_extractor, policy.observation_space
    if type(extractor) is FlattenExtractor and isinstance(space, spaces.Box) and space.dtype == np.float32:
        return {None: NumbersPass(int(np.prod(space.shape)))} if len(space.shape) == 1 else None
    if type(extractor) is not CompactFeatures or not policy.share_features_extractor:
        return None
    passes: dict[str | None, EntryPass] = {}
    for key, encoder in extractor.encoders.items():
        size = int(np.prod(space[key].shape))
        one = NumbersPass(size) if type(encoder) is Numbers else entry_pass(encoder)
        if one is None:
            return None
        passes[key] = one
    return passes


# Compiled loops -----------------------------------------------------------------------------------


@njit(cache=True, nogil=True, error_model="numpy")
def _forward(inputs: Any, weights: Any, biases: Any, kinds: Any) -> Any:
    outputs = [inputs]
    for layer in range(len(weights)):
        outputs.append(dense(outputs[layer], weights[layer], biases[layer], kinds[layer]))
    return outputs


@njit(cache=True, nogil=True, error_model="numpy")
def _back(outputs: Any, by: Any, weights: Any, kinds: Any, by_weights: Any, by_biases: Any) -> Any:
    for layer in range(len(weights) - 1, -1, -1):
        by = dense_back(
            by, outputs[layer + 1], outputs[layer], weights[layer], kinds[layer], by_weights[layer], by_biases[layer]
        )
    return by


@njit(cache=True, nogil=True, error_model="numpy")
def _heads(
    features: Any, actor_weights: Any, actor_biases: Any, actor_kinds: Any, critic_weights: Any, critic_biases: Any,
    critic_kinds: Any, masks: Any, actions: Any, old_values: Any, old_log_p: Any, advantages: Any, returns: Any,
    clip_range: float, clip_range_vf: float, entropy: float, value: float, rows: int, by_actor_weights: Any,
    by_actor_biases: Any, by_critic_weights: Any, by_critic_biases: Any, sums: Any,
) -> Any:  # fmt: skip
    """The gradient of PPO's loss by features; those by the heads' parameters are written."""
    actor = _forward(features, actor_weights, actor_biases, actor_kinds)
    critic = _forward(features, critic_weights, critic_biases, critic_kinds)
    logits, masked = actor[-1], len(masks) > 0
    n, n_actions = logits.shape
    log_p, p = np.empty((n, n_actions), np.float32), np.empty((n, n_actions), np.float32)
    for row in range(n):
        most = -np.inf
        for action in range(n_actions):
            if masked and not masks[row, action]:
                logits[row, action] = -1e8
            most = max(most, logits[row, action])
        total = 0.0
        for action in range(n_actions):
            total += np.exp(logits[row, action] - most)
        for action in range(n_actions):
            log_p[row, action] = logits[row, action] - most - np.log(total)
            p[row, action] = np.exp(log_p[row, action])
    by_logits, by_values = np.empty((n, n_actions), np.float32), np.empty((n, 1), np.float32)
    loss_gradients(
        log_p, p, critic[-1][:, 0], actions, old_values, old_log_p, advantages, returns, clip_range, clip_range_vf,
        entropy, value, rows, by_logits, by_values[:, 0], sums,
    )  # fmt: skip
    if masked:
        for row in range(n):
            for action in range(n_actions):
                if not masks[row, action]:
                    by_logits[row, action] = 0
    by_features = _back(actor, by_logits, actor_weights, actor_kinds, by_actor_weights, by_actor_biases)
    by_features += _back(critic, by_values, critic_weights, critic_kinds, by_critic_weights, by_critic_biases)
    return by_features


@njit(cache=True, nogil=True, error_model="numpy")
def _gather(codes: Any, which: Any, features: Any, column: int) -> None:
    for row in range(len(features)):
        for place in range(codes.shape[1]):
            features[row, column + place] = codes[which[row], place]


@njit(cache=True, nogil=True, error_model="numpy")
def _scatter(by_features: Any, which: Any, column: int, width: int, count: int) -> Any:
    by_codes = np.zeros((count, width), by_features.dtype)
    for row in range(len(by_features)):
        for place in range(width):
            by_codes[which[row], place] += by_features[row, column + place]
    return by_codes
