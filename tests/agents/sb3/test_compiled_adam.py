"""Adam's steps in a compiled loop are those of torch, on torch's own state."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from agents.features import distinct
from agents.sb3.compiled_adam import CompiledAdam


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 7), nn.Linear(7, 2))


def gradients(count):
    torch.manual_seed(1)
    return [torch.randn(5 * 7 + 7 + 7 * 2 + 2) * scale for scale in torch.logspace(-4, 1, count)]


def torchs_step(optimizer, parameters, gradient):
    start = 0
    for parameter in parameters:
        parameter.grad = gradient[start : start + parameter.numel()].view_as(parameter).clone()
        start += parameter.numel()
    optimizer.step()


def test_ten_steps_and_what_they_leave_behind_are_those_of_torch():
    one, other = network(), network()
    settings = {"lr": 0.01, "betas": (0.8, 0.99), "eps": 1e-5, "fused": True}
    expected, ours = (torch.optim.Adam(each.parameters(), **settings) for each in (one, other))
    theirs, mine = list(one.parameters()), list(other.parameters())
    assert CompiledAdam.of(ours, mine) is None, "the first step is the optimiser's"
    first, *others = gradients(11)
    torchs_step(expected, theirs, first)
    torchs_step(ours, mine, first)
    compiled = CompiledAdam.of(ours, mine)
    for index, gradient in enumerate(others):
        expected.param_groups[0]["lr"] = ours.param_groups[0]["lr"] = 0.01 / (index + 1)
        torchs_step(expected, theirs, gradient)
        compiled.step(gradient)
    for actual, wanted in zip(mine, theirs, strict=True):
        torch.testing.assert_close(actual, wanted, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(ours.state_dict()["state"], expected.state_dict()["state"], rtol=1e-5, atol=1e-7)
    again = network()
    torch.optim.Adam(again.parameters(), **settings).load_state_dict(copy.deepcopy(ours.state_dict()))


@pytest.mark.parametrize("settings", [{"weight_decay": 0.1}, {"amsgrad": True}, {"maximize": True}])
def test_another_adam_is_left_to_torch(settings):
    module = network()
    optimizer = torch.optim.Adam(module.parameters(), **settings)
    torchs_step(optimizer, list(module.parameters()), gradients(1)[0])
    assert CompiledAdam.of(optimizer, list(module.parameters())) is None


def test_other_optimisers_and_other_precisions_are_left_to_torch():
    module = network()
    assert CompiledAdam.of(torch.optim.SGD(module.parameters()), list(module.parameters())) is None
    assert CompiledAdam.of(torch.optim.AdamW(module.parameters()), list(module.parameters())) is None
    double = network().double()
    optimizer = torch.optim.Adam(double.parameters())
    torchs_step(optimizer, list(double.parameters()), gradients(1)[0].double())
    assert CompiledAdam.of(optimizer, list(double.parameters())) is None


def test_a_step_is_noticed_by_those_who_remember_what_weights_made():
    module = network()
    optimizer = torch.optim.Adam(module.parameters())
    torchs_step(optimizer, list(module.parameters()), gradients(1)[0])
    before = distinct._optimiser_steps[0]
    CompiledAdam.of(optimizer, list(module.parameters())).step(gradients(1)[0])
    assert distinct._optimiser_steps[0] == before + 1
