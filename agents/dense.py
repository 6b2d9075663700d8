"""Stacks of linear layers as one operation with its gradient: no graph of small steps.

With batches of a few hundred rows and layers of 64, tracing costs more than multiplying.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

ACTIVATIONS = (nn.Tanh, nn.ReLU)


@dataclass(frozen=True)
class Stack:
    """Linear layers, one on the other.

    Attributes:
        layers: weight (out, in) and bias (out,) of each.
        activations: what follows each, `nn.Tanh`, `nn.ReLU` or None.
    """

    layers: tuple[tuple[Tensor, Tensor], ...]
    activations: tuple[type[nn.Module] | None, ...]

    @classmethod
    def of(cls, *modules: nn.Module) -> Stack | None:
        """What these modules do one after the other; None where it is more than that."""
        layers: list[tuple[Tensor, Tensor]] = []
        activations: list[type[nn.Module] | None] = []
        for module in _leaves(modules):
            if type(module) is nn.Linear and module.bias is not None:
                layers.append((module.weight, module.bias))
                activations.append(None)
            elif type(module) in ACTIVATIONS and layers and activations[-1] is None:
                activations[-1] = type(module)
            else:
                return None
        return cls(tuple(layers), tuple(activations)) if layers else None


def _leaves(modules: Sequence[nn.Module]) -> Iterator[nn.Module]:
    for module in modules:
        if type(module) is nn.Sequential:
            yield from _leaves(list(module))
        else:
            yield module


def through(inputs: Tensor, *stacks: Stack) -> tuple[Tensor, ...]:
    """What each stack makes of the same inputs (n, in): (n, out) each."""
    parameters = [tensor for stack in stacks for layer in stack.layers for tensor in layer]
    result: tuple[Tensor, ...] = _Through.apply(inputs, [stack.activations for stack in stacks], *parameters)
    return result


class _Through(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, inputs: Tensor, activations: list[tuple[type[nn.Module] | None, ...]], *parameters: Tensor
    ) -> tuple[Tensor, ...]:
        outputs, layer = [inputs], 0
        for stack in activations:
            output = inputs
            for activation in stack:
                output = torch.addmm(parameters[layer + 1], output, parameters[layer].t())
                if activation is nn.Tanh:
                    output.tanh_()
                elif activation is nn.ReLU:
                    output.relu_()
                outputs.append(output)
                layer += 2
        ctx.save_for_backward(*outputs, *parameters)
        ctx.activations = activations
        ends = [sum(len(stack) for stack in activations[: index + 1]) for index in range(len(activations))]
        return tuple(outputs[end] for end in ends)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        layers = sum(len(stack) for stack in ctx.activations)
        outputs, parameters = ctx.saved_tensors[: layers + 1], ctx.saved_tensors[layers + 1 :]
        by_parameters: list[Tensor | None] = [None] * len(parameters)
        by_inputs: Tensor | None = None
        first = 0
        for stack, gradient in zip(ctx.activations, gradients, strict=True):
            for layer in reversed(range(first, first + len(stack))):
                activation, output = stack[layer - first], outputs[layer + 1]
                if activation is nn.Tanh:
                    gradient = torch.ops.aten.tanh_backward(gradient, output)
                elif activation is nn.ReLU:
                    gradient = torch.ops.aten.threshold_backward(gradient, output, 0)
                weight, before = parameters[2 * layer], outputs[layer if layer > first else 0]
                by_parameters[2 * layer] = gradient.t() @ before
                by_parameters[2 * layer + 1] = gradient.sum(0)
                if layer > first:
                    gradient = gradient @ weight
                elif ctx.needs_input_grad[0]:
                    by_inputs = gradient @ weight if by_inputs is None else by_inputs.addmm_(gradient, weight)
            first += len(stack)
        return by_inputs, None, *by_parameters
