"""Compiled loops compute what torch computes: the gradient of PPO's loss by every weight."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from stable_baselines3.common.vec_env import VecMonitor
from torch import nn

import envs
from agents import blas, build
from agents.dense import Stack
from agents.features import passes, patches
from agents.features.patches import TooManyPatches
from agents.policies import LeanMultiInputPolicy
from agents.sb3 import clipped_update, compiled_network
from agents.sb3.closed_form import Old, Weights, clipped_gradients
from agents.sb3.compiled_adam import CompiledAdam
from agents.sb3.compiled_network import CompiledNetwork, Layers

WORLDS = {
    "cartpole": ("CartPole-v1", "ppo", {}),
    "key_room": ("MiniHack-KeyRoom-S5-v0", "ppo", {}),
    "whole maps and messages": (
        "NetHackScore-v0",
        "ppo",
        {"observation_keys": ("glyphs", "message", "blstats", "inv_glyphs")},
    ),
    "masks": (envs.options()["rocket/shoot"].id, "maskable_ppo", {}),
}
SETTINGS = {"n_steps": 32, "batch_size": 96, "n_epochs": 1}
LOSSES = [Weights(0.2, None, 0.01, 0.5), Weights(0.05, 0.1, 0.0, 1.0)]


def model_in(world, **settings):
    env_id, agent, kwargs = WORLDS[world]
    model = build(agent, VecMonitor(envs.make_vec(env_id, 4, seed=3, **kwargs)), seed=3, **(SETTINGS | settings))
    model.learn(4 * SETTINGS["n_steps"])
    return model


def minibatch(model):
    data = next(iter(model.rollout_buffer.get(96)))
    old = Old(data.actions.flatten(), data.old_values, data.old_log_prob - 0.1, data.advantages, data.returns)
    masks = getattr(data, "action_masks", None)
    return data.observations, old, None if masks is None else masks.reshape(len(old.actions), -1).bool()


def by_torch(model, observations, old, weights, masks):
    logits, values = clipped_update.logits_and_values(model.policy, observations)
    by_logits, by_values, sums = clipped_gradients(logits, values, old, weights, 200, masks)
    parameters = list(model.policy.parameters())
    gradients = torch.autograd.grad((logits, values), parameters, (by_logits, by_values), materialize_grads=True)
    return sums, torch.cat([gradient.flatten() for gradient in gradients])


@pytest.mark.parametrize("weights", LOSSES)
@pytest.mark.parametrize("world", WORLDS)
def test_gradient_and_sums_are_those_of_torch(world, weights):
    model = model_in(world)
    observations, old, masks = minibatch(model)
    network = CompiledNetwork.of(model.policy)
    sums, gradient = network.gradient(observations, old, weights, 200, masks)
    expected_sums, expected = by_torch(model, observations, old, weights, masks)
    assert expected.abs().max() > 1e-3
    torch.testing.assert_close(gradient, expected, rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(sums, expected_sums, rtol=1e-4, atol=1e-4)
    model.env.close()


def test_weights_that_changed_are_read_anew():
    model = model_in("key_room")
    observations, old, _ = minibatch(model)
    network = CompiledNetwork.of(model.policy)
    with torch.no_grad():
        for parameter in model.policy.parameters():
            parameter *= 1.1
    network.refresh()
    _, gradient = network.gradient(observations, old, LOSSES[0], 200, None)
    torch.testing.assert_close(gradient, by_torch(model, observations, old, LOSSES[0], None)[1], rtol=1e-3, atol=1e-5)
    model.env.close()


def test_a_batch_with_too_many_patches_is_left_to_torch(monkeypatch):
    model = model_in("key_room")
    monkeypatch.setattr(patches, "_number", lambda *_: (False, None, None, None))
    observations, old, _ = minibatch(model)
    with pytest.raises(TooManyPatches):
        CompiledNetwork.of(model.policy).gradient(observations, old, LOSSES[0], 200, None)
    before = [parameter.detach().clone() for parameter in model.policy.parameters()]
    model.train()
    assert not all(torch.equal(one, other) for one, other in zip(before, model.policy.parameters(), strict=True))
    model.env.close()


class Mine(LeanMultiInputPolicy):
    pass


@pytest.mark.parametrize(
    "settings",
    [
        {"policy_kwargs": {"activation_fn": nn.GELU}},
        {"features": "baseline"},
        {"policy_kwargs": {"share_features_extractor": False}},
    ],
)
def test_a_network_that_computes_anything_else_is_left_to_torch(settings):
    env = VecMonitor(envs.make_vec("MiniHack-KeyRoom-S5-v0", 2, seed=3))
    assert CompiledNetwork.of(build("ppo", env, seed=3, **SETTINGS, **settings).policy) is None
    env.close()


def test_a_policy_of_somebody_elses_is_left_to_torch():
    env = VecMonitor(envs.make_vec("MiniHack-KeyRoom-S5-v0", 2, seed=3))
    model = build("ppo", env, seed=3, **SETTINGS)
    assert CompiledNetwork.of(model.policy) is not None
    model.policy.__class__ = Mine
    assert CompiledNetwork.of(model.policy) is None
    env.close()


def test_a_frozen_weight_is_left_to_torch():
    model = model_in("cartpole")
    next(model.policy.parameters()).requires_grad_(False)
    assert CompiledNetwork.of(model.policy) is None


def test_tanh_is_exact_to_single_precision():
    values = np.concatenate([np.linspace(-12, 12, 100_001), [0.0, 1e-6, -1e-6, 50.0, -50.0]]).astype(np.float32)
    expected = np.tanh(values.astype(np.float64))
    passes._tanh(values)
    np.testing.assert_allclose(values, expected, rtol=0, atol=3e-7)


def test_a_stack_in_compiled_loops_gives_what_its_modules_give():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3), nn.ReLU())
    layers = Layers(Stack.of(network))
    inputs = torch.randn(11, 5)
    outputs = compiled_network._forward(inputs.numpy(), layers.weights, layers.biases, layers.kinds)
    torch.testing.assert_close(torch.from_numpy(outputs[-1]), network(inputs))


def test_products_in_loops_are_computed_by_one_thread():
    assert blas.one_thread(), "scipy's wheel brings OpenBLAS"


def test_without_scipys_own_library_there_is_nothing_to_set(monkeypatch, tmp_path):
    monkeypatch.setattr(blas, "LIBRARIES", tmp_path)
    assert not blas.one_thread()


@pytest.mark.parametrize("world", ["key_room", "cartpole", "masks"])
def test_an_update_runs_through_compiled_loops(monkeypatch, world):
    model = model_in(world)
    used = {"networks": 0, "adam": 0}
    gradient, step = CompiledNetwork.gradient, CompiledAdam.step

    def network(self, *arguments):
        used["networks"] += 1
        return gradient(self, *arguments)

    def adam(self, *arguments):
        used["adam"] += 1
        return step(self, *arguments)

    monkeypatch.setattr(CompiledNetwork, "gradient", network)
    monkeypatch.setattr(CompiledAdam, "step", adam)
    model.train()
    assert used == {"networks": 2, "adam": 2}, "minibatches of 96 and 32"
    model.env.close()


def test_what_is_no_number_reaches_the_weights_and_ends_the_run():
    model = model_in("key_room")
    model.rollout_buffer.advantages[:] = np.nan
    model.train()
    with pytest.raises((ValueError, RuntimeError)):
        model.policy.forward({key: torch.as_tensor(entry) for key, entry in model.env.reset().items()})
    model.env.close()


def test_acting_encodes_as_the_modules_do():
    model = model_in("key_room")
    extractor = model.policy.features_extractor
    observation = {key: torch.as_tensor(entry) for key, entry in model.env.reset().items()}
    with torch.no_grad():
        acted = extractor(observation)
    memory = extractor.distinct["glyphs_crop"]._memory
    assert memory._compiled is not None
    torch.testing.assert_close(acted, extractor(observation).detach(), rtol=1e-4, atol=1e-5)
    model.env.close()
