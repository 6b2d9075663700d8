"""Our update of PPO is SB3's, step for step, with any number of threads."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from stable_baselines3.common.vec_env import VecMonitor

import envs
from agents import build
from agents.features.shards import Threads
from agents.sb3 import clipped_update
from agents.sb3.clipped_update import ClippedUpdate, FastPPO

TINY = {"n_steps": 64, "batch_size": 112, "n_epochs": 2}
WORLDS = {
    "cartpole": ("CartPole-v1", {}),
    "key_room": ("MiniHack-KeyRoom-S5-v0", {}),
    "masked": (envs.options()["rocket/shoot"].id, {}),
}


@pytest.fixture
def any_part_pays(monkeypatch):
    monkeypatch.setattr(clipped_update, "MIN_PART", 1)


def model_in(world, agent, threads, **settings):
    env_id, kwargs = WORLDS[world]
    env = VecMonitor(envs.make_vec(env_id, 4, seed=1, **kwargs))
    sgd = {"optimizer_class": torch.optim.SGD, "optimizer_kwargs": {}}
    return build(agent, env, seed=1, threads=threads, policy_kwargs=sgd, learning_rate=0.05, **TINY, **settings)


def after_one_update(model):
    """(weights, metrics) after a rollout and one update."""
    model.learn(4 * TINY["n_steps"])
    weights = [parameter.detach().clone() for parameter in model.policy.parameters()]
    metrics = {name: value for name, value in model.logger.name_to_value.items() if name.startswith("train/")}
    model.env.close()
    return weights, metrics


@pytest.mark.parametrize(
    ("world", "agent", "settings"),
    [
        ("cartpole", "ppo", {}),
        ("cartpole", "ppo", {"clip_range_vf": 0.01, "normalize_advantage": False}),
        ("cartpole", "ppo", {"target_kl": 1e-6}),
        ("key_room", "ppo", {}),
        ("masked", "maskable_ppo", {}),
    ],
)
@pytest.mark.usefixtures("any_part_pays")
def test_weights_and_metrics_are_those_of_sb3s_update(world, agent, settings):
    sb3s = model_in(world, agent, 1, **settings)
    sb3s.train = super(ClippedUpdate, sb3s).train
    expected, expected_metrics = after_one_update(sb3s)
    for threads in (1, 2, 3):
        weights, metrics = after_one_update(model_in(world, agent, threads, **settings))
        for actual, wanted in zip(weights, expected, strict=True):
            torch.testing.assert_close(actual, wanted, rtol=1e-4, atol=1e-5)
        assert metrics.keys() == expected_metrics.keys()
        for name, value in expected_metrics.items():
            assert metrics[name] == pytest.approx(value, rel=1e-3, abs=1e-4), name


@pytest.mark.parametrize(("least", "parts"), [(1, [2, 3]), (10**9, [])])
def test_threads_share_what_is_worth_it(monkeypatch, least, parts):
    monkeypatch.setattr(clipped_update, "MIN_PART", least)
    shared = []
    plain = Threads.map
    monkeypatch.setattr(Threads, "map", lambda self, *args: shared.append(len(args[1])) or plain(self, *args))
    for threads in (1, 2, 3):
        after_one_update(model_in("cartpole", "ppo", threads))
    assert sorted(set(shared)) == parts


@pytest.mark.usefixtures("any_part_pays")
def test_a_run_repeats_itself_with_threads():
    first, second = (after_one_update(model_in("key_room", "ppo", 2))[0] for _ in range(2))
    assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))


def test_continuous_actions_are_left_to_sb3():
    env = VecMonitor(envs.make_vec("Pendulum-v1", 4, seed=1))
    model = build("ppo", env, seed=1, threads=2, **TINY)
    assert isinstance(model, FastPPO)
    assert model.threads is None
    model.learn(4 * TINY["n_steps"])
    assert np.isfinite(model.logger.name_to_value["train/loss"])


def test_a_network_of_somebody_elses_is_not_shared_between_threads():
    from stable_baselines3.common.torch_layers import FlattenExtractor

    class Mine(FlattenExtractor):
        pass

    env = VecMonitor(envs.make_vec("CartPole-v1", 4, seed=1))
    shared = build("ppo", env, seed=1, threads=2, **TINY)
    assert isinstance(shared.threads, Threads)
    assert shared.threads.count == 2
    own = build("ppo", env, seed=1, threads=2, policy_kwargs={"features_extractor_class": Mine}, **TINY)
    assert own.threads is None
    torch.set_num_threads(1)


def test_threads_are_not_saved(tmp_path):
    model = model_in("cartpole", "ppo", 2)
    model.learn(4 * TINY["n_steps"])
    model.save(tmp_path / "model")
    assert FastPPO.load(tmp_path / "model").threads is None
