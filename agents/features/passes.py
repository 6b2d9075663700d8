"""Encoders forward and back in compiled loops, of the same weights as their modules.

The loops do not hold Python's lock.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor, nn

from agents.blas import one_thread
from agents.features.encoders import Bag, Grid, Numbers
from agents.features.patches import arranged, as_it_was, convolve, convolve_back, stride

Floats = NDArray[np.float32]
NONE, RELU, TANH = range(3)

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


def entry_pass(encoder: nn.Module) -> EntryPass | None:
    """The pass of an encoder, in single precision on a processor; None where there is none."""
    parameters = list(encoder.parameters())
    if any(one.device.type != "cpu" or one.dtype is not torch.float32 for one in parameters):
        return None
    if type(encoder) is Grid and sum(isinstance(layer, nn.Conv2d) for layer in encoder.convolutions) == 2:
        return GridPass(encoder)
    if type(encoder) is Bag:
        return BagPass(encoder)
    if isinstance(encoder, nn.Sequential) and [type(module) for module in encoder] == [Numbers, nn.Linear, nn.ReLU]:
        return NumbersPass(0, encoder[1])
    return None


# Compiled loops -----------------------------------------------------------------------------------

_1, _2, _9, _QUARTER = np.float32(1), np.float32(2), np.float32(9), np.float32(0.25)
_A, _B, _C = np.float32(135135), np.float32(17325), np.float32(378)
_D, _E, _F = np.float32(62370), np.float32(3150), np.float32(28)


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _tanh(values: Any) -> None:
    """In place: Lambert's continued fraction of a quarter of each, its angle doubled twice."""
    flat = values.reshape(-1)
    for index in range(len(flat)):
        x = min(max(flat[index], -_9), _9) * _QUARTER
        s = x * x
        t = x * (_A + s * (_B + s * (_C + s))) / (_A + s * (_D + s * (_E + s * _F)))
        t = _2 * t / (_1 + t * t)
        flat[index] = _2 * t / (_1 + t * t)


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
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


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
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


@njit(cache=True, nogil=True, error_model="numpy")
def _turned(weight: Any) -> Any:
    """(out, a, b) -> (out, b * a), the last two axes changed over."""
    outputs, first, second = weight.shape
    turned = np.empty((outputs, second * first), weight.dtype)
    for output in range(outputs):
        for a in range(first):
            for b in range(second):
                turned[output, b * first + a] = weight[output, a, b]
    return turned


@njit(cache=True, nogil=True, error_model="numpy")
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


@njit(cache=True, nogil=True, error_model="numpy")
def _means_back(by_means: Any, items: Any, by_table: Any) -> None:
    n, length = items.shape
    for row in range(n):
        for item in range(length):
            for column in range(by_table.shape[1]):
                by_table[items[row, item], column] += by_means[row, column] / length
