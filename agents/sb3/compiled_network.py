"""The networks of an actor-critic, forward and back, in a dozen compiled loops.

A minibatch of PPO's is some three hundred operations of torch, and calling them takes as long as
computing them. What stands here computes the same with the same weights, for the networks that this
project's agents have by default. The loops do not hold Python's lock, so that parts of a minibatch
are computed side by side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from gymnasium import spaces
from numba import njit
from numpy.typing import NDArray
from sb3_contrib.common.maskable.policies import MaskableActorCriticPolicy, MaskableMultiInputActorCriticPolicy
from stable_baselines3.common.policies import ActorCriticPolicy, MultiInputActorCriticPolicy
from stable_baselines3.common.torch_layers import FlattenExtractor, MlpExtractor
from torch import Tensor, nn

from agents.blas import one_thread
from agents.dense import Stack
from agents.features.distinct import Distinct
from agents.features.glyphs import Bag, CompactFeatures, Grid, Numbers
from agents.features.patches import arranged, as_it_was, convolve, convolve_back, stride
from agents.policies import LeanMultiInputPolicy, LeanPolicy
from agents.sb3.closed_form import SUMS, Old, Weights, loss_gradients

Floats = NDArray[np.float32]
POLICIES = (
    LeanPolicy, LeanMultiInputPolicy, ActorCriticPolicy, MultiInputActorCriticPolicy,
    MaskableActorCriticPolicy, MaskableMultiInputActorCriticPolicy,
)  # fmt: skip
"""Whose networks are known; not their subclasses', which may compute something else."""
NONE, RELU, TANH = range(3)
KINDS: Mapping[type[nn.Module] | None, int] = {None: NONE, nn.ReLU: RELU, nn.Tanh: TANH}

one_thread()


class Gradient:
    """A gradient by all parameters, end to end, and a view of it for each."""

    def __init__(self, parameters: Sequence[Tensor]) -> None:
        self.flat = np.zeros(sum(parameter.numel() for parameter in parameters), np.float32)
        self._views: dict[int, Floats] = {}
        start = 0
        for parameter in parameters:
            view = self.flat[start : start + parameter.numel()].reshape(parameter.shape)
            self._views[id(parameter)] = view
            start += parameter.numel()

    def by(self, parameter: Tensor) -> Floats:
        """The part by one parameter, to write into."""
        return self._views[id(parameter)]


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

    @property
    def outputs(self) -> int:
        return len(self.biases[-1])


class EntryPass(Protocol):
    """An entry of the observations -> its codes, and the way back."""

    width: int

    def refresh(self) -> None:
        """The weights have changed."""

    def forward(self, entry: NDArray[Any]) -> tuple[Floats, Any]:
        """Codes (rows, width), and what `backward` needs."""

    def backward(self, by_codes: Floats, seen: Any, gradient: Gradient) -> None:
        """Put what follows from the gradient by codes (rows, width) into that by the parameters."""


class Linear:
    """A linear layer and a ReLU."""

    def __init__(self, layer: nn.Module) -> None:
        assert isinstance(layer, nn.Linear)
        self.layer = layer
        self.weight, self.bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
        self.width = layer.out_features

    def forward(self, inputs: Floats, weight: Floats | None = None) -> Floats:
        """Codes of inputs (n, in); by another weight than the layer's own, where it is given."""
        codes: Floats = dense(inputs, self.weight if weight is None else weight, self.bias, RELU)
        return codes

    def backward(self, by_codes: Floats, codes: Floats, inputs: Floats, gradient: Gradient) -> Floats:
        """The gradient by inputs."""
        by_weight, by_bias = gradient.by(self.layer.weight), gradient.by(self.layer.bias)
        by_inputs: Floats = dense_back(by_codes, codes, inputs, self.weight, RELU, by_weight, by_bias)
        return by_inputs


class GridPass:
    """Embedding, two convolutions, a linear layer."""

    def __init__(self, grid: Grid) -> None:
        self._embedding = grid.embedding.weight
        self._known = self._embedding.detach().numpy()
        self._convolutions = [layer for layer in grid.convolutions if isinstance(layer, nn.Conv2d)]
        first, second = self._convolutions
        self._strides = stride(first), stride(second)
        self._out = Linear(grid.out[1])
        self.width = self._out.width
        self._channels = second.out_channels
        self.refresh()

    def refresh(self) -> None:
        """Weights in the order in which loops read them, by neighbour and by place."""
        self._arranged: list[Floats] = []
        for layer in self._convolutions:
            assert layer.bias is not None
            self._arranged += [arranged(layer.weight), layer.bias.detach().numpy()]
        self._by_place: Floats = _turned(self._out.weight.reshape(self.width, self._channels, -1))

    def forward(self, entry: NDArray[Any]) -> tuple[Floats, Any]:
        image, seen = convolve(entry.astype(np.int32), self._strides, self._known, *self._arranged)
        flat = image.reshape(len(image), -1)
        codes = self._out.forward(flat, self._by_place)
        return codes, (seen, flat, codes)

    def backward(self, by_codes: Floats, seen: Any, gradient: Gradient) -> None:
        seen, flat, codes = seen
        layer, by_weight = self._out.layer, np.empty_like(self._by_place)
        by_flat = dense_back(by_codes, codes, flat, self._by_place, RELU, by_weight, gradient.by(layer.bias))
        gradient.by(layer.weight)[:] = _turned(by_weight.reshape(self.width, -1, self._channels))
        first, _, second, _ = self._arranged
        by = convolve_back(by_flat, seen, self._known, first, second, gradient.by(self._embedding))
        for convolution, by_weights, by_bias in zip(self._convolutions, by[::2], by[1::2], strict=True):
            assert convolution.bias is not None
            gradient.by(convolution.weight)[:] = as_it_was(by_weights)
            gradient.by(convolution.bias)[:] = by_bias


class BagPass:
    """Mean of embeddings, a linear layer."""

    def __init__(self, bag: Bag) -> None:
        self._embedding, self._out = bag.bag.weight, Linear(bag.out[0])
        self._known, self.width = self._embedding.detach().numpy(), self._out.width

    def refresh(self) -> None:
        """They are read as they lie."""

    def forward(self, entry: NDArray[Any]) -> tuple[Floats, Any]:
        items = entry.astype(np.int32)
        means = _means(items, self._known)
        codes = self._out.forward(means)
        return codes, (items, means, codes)

    def backward(self, by_codes: Floats, seen: Any, gradient: Gradient) -> None:
        items, means, codes = seen
        by_means = self._out.backward(by_codes, codes, means, gradient)
        _means_back(by_means, items, gradient.by(self._embedding))


class NumbersPass:
    """Numbers as they are, or a linear layer of them."""

    def __init__(self, size: int, layer: nn.Module | None = None) -> None:
        self._layer = None if layer is None else Linear(layer)
        self.width = size if self._layer is None else self._layer.width

    def refresh(self) -> None:
        """They are read as they lie."""

    def forward(self, entry: NDArray[Any]) -> tuple[Floats, Any]:
        numbers = np.ascontiguousarray(entry.reshape(len(entry), -1), np.float32)
        codes = numbers if self._layer is None else self._layer.forward(numbers)
        return codes, (numbers, codes)

    def backward(self, by_codes: Floats, seen: Any, gradient: Gradient) -> None:
        numbers, codes = seen
        if self._layer is not None:
            self._layer.backward(by_codes, codes, numbers, gradient)


def entry_pass(encoder: nn.Module, size: int) -> EntryPass | None:
    """The pass of an encoder; None where there is none like it. `size`: numbers in its entry."""
    if type(encoder) is Grid and sum(isinstance(layer, nn.Conv2d) for layer in encoder.convolutions) == 2:
        return GridPass(encoder)
    if type(encoder) is Bag:
        return BagPass(encoder)
    if type(encoder) is Numbers:
        return NumbersPass(size)
    if isinstance(encoder, nn.Sequential) and [type(module) for module in encoder] == [Numbers, nn.Linear, nn.ReLU]:
        return NumbersPass(size, encoder[1])
    return None


class CompiledNetwork:
    """An actor and a critic over the same features, of float32 on a processor; see `of`.

    Attributes:
        dense: weights of linear layers, each of which multiplies every row at most once.
    """

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
        n = len(old.actions)
        features = np.empty((n, self._width), np.float32)
        ways = []
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
            ways.append((one, column, which, len(codes), seen))
            column += one.width
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
        for one, column, which, count, seen in ways:
            if which is None:
                by_codes = np.ascontiguousarray(by_features[:, column : column + one.width])
            else:
                by_codes = _scatter(by_features, which.numpy(), column, one.width, count)
            one.backward(by_codes, seen, gradient)
        return torch.from_numpy(sums), torch.from_numpy(gradient.flat)


def _passes(policy: Any) -> dict[str | None, EntryPass] | None:
    """How the entries of a policy's observations are encoded; None for others than these."""
    extractor, space = policy.features_extractor, policy.observation_space
    if type(extractor) is FlattenExtractor and isinstance(space, spaces.Box) and space.dtype == np.float32:
        return {None: NumbersPass(int(np.prod(space.shape)))} if len(space.shape) == 1 else None
    if type(extractor) is not CompactFeatures or not policy.share_features_extractor:
        return None
    passes: dict[str | None, EntryPass] = {}
    for key, encoder in extractor.encoders.items():
        one = entry_pass(encoder, int(np.prod(space[key].shape)))
        if one is None:
            return None
        passes[key] = one
    return passes


# Compiled loops -----------------------------------------------------------------------------------

_1, _2, _9, _QUARTER = np.float32(1), np.float32(2), np.float32(9), np.float32(0.25)
_A, _B, _C = np.float32(135135), np.float32(17325), np.float32(378)
_D, _E, _F = np.float32(62370), np.float32(3150), np.float32(28)


@njit(cache=True, nogil=True, fastmath=True)
def _tanh(values: Any) -> None:
    """In place: Lambert's continued fraction of a quarter of each, its angle doubled twice."""
    flat = values.reshape(-1)
    for index in range(len(flat)):
        x = min(max(flat[index], -_9), _9) * _QUARTER
        s = x * x
        t = x * (_A + s * (_B + s * (_C + s))) / (_A + s * (_D + s * (_E + s * _F)))
        t = _2 * t / (_1 + t * t)
        flat[index] = _2 * t / (_1 + t * t)


@njit(cache=True, nogil=True, fastmath=True)
def dense(inputs: Any, weight: Any, bias: Any, kind: int) -> Any:
    """activation(inputs (n, in) @ weight (out, in).T + bias)."""
    output = np.dot(inputs, weight.T)
    for row in range(len(output)):
        for column in range(len(bias)):
            output[row, column] += bias[column]
    if kind == RELU:
        flat = output.reshape(-1)
        for index in range(len(flat)):
            flat[index] = max(flat[index], np.float32(0))
    elif kind == TANH:
        _tanh(output)
    return output


@njit(cache=True, nogil=True, fastmath=True)
def dense_back(by_output: Any, output: Any, inputs: Any, weight: Any, kind: int, by_weight: Any, by_bias: Any) -> Any:
    """The gradient by inputs; those by weight and bias are written. `by_output` is used up."""
    for row in range(len(output)):
        for column in range(output.shape[1]):
            if kind == TANH:
                by_output[row, column] *= np.float32(1) - output[row, column] * output[row, column]
            elif kind == RELU and output[row, column] <= 0:
                by_output[row, column] = 0
            by_bias[column] += by_output[row, column]
    np.dot(by_output.T, inputs, by_weight)
    return np.dot(by_output, weight)


@njit(cache=True, nogil=True)
def _forward(inputs: Any, weights: Any, biases: Any, kinds: Any) -> Any:
    outputs = [inputs]
    for layer in range(len(weights)):
        outputs.append(dense(outputs[layer], weights[layer], biases[layer], kinds[layer]))
    return outputs


@njit(cache=True, nogil=True)
def _back(outputs: Any, by: Any, weights: Any, kinds: Any, by_weights: Any, by_biases: Any) -> Any:
    for layer in range(len(weights) - 1, -1, -1):
        by = dense_back(
            by, outputs[layer + 1], outputs[layer], weights[layer], kinds[layer], by_weights[layer], by_biases[layer]
        )
    return by


@njit(cache=True, nogil=True)
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


@njit(cache=True, nogil=True)
def _gather(codes: Any, which: Any, features: Any, column: int) -> None:
    for row in range(len(features)):
        for place in range(codes.shape[1]):
            features[row, column + place] = codes[which[row], place]


@njit(cache=True, nogil=True)
def _scatter(by_features: Any, which: Any, column: int, width: int, count: int) -> Any:
    by_codes = np.zeros((count, width), by_features.dtype)
    for row in range(len(by_features)):
        for place in range(width):
            by_codes[which[row], place] += by_features[row, column + place]
    return by_codes


@njit(cache=True, nogil=True)
def _turned(weight: Any) -> Any:
    """(out, a, b) -> (out, b * a), the last two axes changed over."""
    outputs, first, second = weight.shape
    turned = np.empty((outputs, second * first), weight.dtype)
    for output in range(outputs):
        for a in range(first):
            for b in range(second):
                turned[output, b * first + a] = weight[output, a, b]
    return turned


@njit(cache=True, nogil=True)
def _means(items: Any, table: Any) -> Any:
    n, length = items.shape
    means = np.zeros((n, table.shape[1]), table.dtype)
    for row in range(n):
        for item in range(length):
            for column in range(table.shape[1]):
                means[row, column] += table[items[row, item], column]
        for column in range(table.shape[1]):
            means[row, column] /= length
    return means


@njit(cache=True, nogil=True)
def _means_back(by_means: Any, items: Any, by_table: Any) -> None:
    n, length = items.shape
    for row in range(n):
        for item in range(length):
            for column in range(by_table.shape[1]):
                by_table[items[row, item], column] += by_means[row, column] / length
