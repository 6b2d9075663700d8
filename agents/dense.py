"""Stacks of linear layers: what several modules do one after the other, in so many operations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

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
    return tuple(_output(inputs, stack) for stack in stacks)


def _output(inputs: Tensor, stack: Stack) -> Tensor:
    output = inputs
    for (weight, bias), activation in zip(stack.layers, stack.activations, strict=True):
        output = torch.addmm(bias, output, weight.t())
        if activation is nn.Tanh:
            output = output.tanh_()
        elif activation is nn.ReLU:
            output = output.relu_()
    return output
