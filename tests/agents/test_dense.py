"""Stacks of linear layers in one operation: values and gradients of the modules they stand for."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import nn

from agents.dense import Stack, through


def network(*sizes, activation=nn.Tanh, last=None):
    layers = []
    for inputs, outputs in itertools.pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), activation()]
    layers = layers[:-1] if last is None else [*layers[:-1], last()]
    return nn.Sequential(*layers).double()


@pytest.mark.parametrize("activation", [nn.Tanh, nn.ReLU])
@pytest.mark.parametrize("last", [None, nn.ReLU, nn.Tanh])
def test_several_stacks_over_one_input_have_the_values_and_gradients_of_their_modules(activation, last):
    torch.manual_seed(0)
    one, other = network(5, 7, 3, activation=activation), network(5, 4, activation=activation, last=last)
    inputs = torch.randn(11, 5, dtype=torch.float64, requires_grad=True)
    outputs, expected = through(inputs, Stack.of(one), Stack.of(other)), (one(inputs), other(inputs))
    torch.testing.assert_close(outputs, expected, rtol=0, atol=1e-12)
    wanted_of = [inputs, *one.parameters(), *other.parameters()]
    given = [torch.randn_like(output) for output in expected]
    torch.testing.assert_close(
        torch.autograd.grad(outputs, wanted_of, given),
        torch.autograd.grad(expected, wanted_of, given),
        rtol=0,
        atol=1e-12,
    )


def test_inputs_that_do_not_learn_and_an_output_that_nobody_uses_have_no_gradient_to_pay_for():
    one, other = network(3, 2), network(3, 2)
    inputs = torch.randn(4, 3, dtype=torch.float64)
    output, _ = through(inputs, Stack.of(one), Stack.of(other))
    output.sum().backward()
    expected = network(3, 2)
    expected.load_state_dict(one.state_dict())
    expected(inputs).sum().backward()
    torch.testing.assert_close(one[0].weight.grad, expected[0].weight.grad, rtol=0, atol=1e-12)
    assert other[0].weight.grad is None


def test_modules_one_after_the_other_are_one_stack():
    first, second = network(3, 4, last=nn.Tanh), nn.Linear(4, 2).double()
    inputs = torch.randn(6, 3, dtype=torch.float64)
    (output,) = through(inputs, Stack.of(first, second))
    torch.testing.assert_close(output, second(first(inputs)), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "modules",
    [
        [nn.Linear(3, 3, bias=False)],
        [nn.Linear(3, 3), nn.GELU()],
        [nn.Linear(3, 3), nn.Tanh(), nn.Tanh()],
        [nn.ReLU(), nn.Linear(3, 3)],
        [nn.Flatten(), nn.Linear(3, 3)],
        [nn.Identity()],
        [],
    ],
)
def test_what_is_more_than_linear_layers_is_left_to_its_modules(modules):
    assert Stack.of(*modules) is None
