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
    if not torch.is_grad_enabled():
        return tuple(_outputs(inputs, stack)[-1] for stack in stacks)
    parameters = [tensor for stack in stacks for layer in stack.layers for tensor in layer]
    result: tuple[Tensor, ...] = _Through.apply(inputs, stacks, *parameters)
    return result


def _outputs(inputs: Tensor, stack: Stack) -> list[Tensor]:
    """What each layer of a stack gives."""
    outputs = [inputs]
    for (weight, bias), activation in zip(stack.layers, stack.activations, strict=True):
        output = torch.addmm(bias, outputs[-1], weight.t())
        if activation is nn.Tanh:
            output.tanh_()
        elif activation is nn.ReLU:
            output.relu_()
        outputs.append(output)
    return outputs[1:]


class _Through(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, inputs: Tensor, stacks: Sequence[Stack], *parameters: Tensor) -> tuple[Tensor, ...]:
        by_stack = [_outputs(inputs, stack) for stack in stacks]
        ctx.save_for_backward(inputs, *(output for outputs in by_stack for output in outputs), *parameters)
        ctx.activations = [stack.activations for stack in stacks]
        return tuple(outputs[-1] for outputs in by_stack)

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
