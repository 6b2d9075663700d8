"""Feature extractors for NetHack's entries, and their passes in shards of the batch."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import VecMonitor

import envs
from agents import build
from agents.features import FEATURES, BaselineFeatures, CompactFeatures, features_for
from agents.features.shards import MIN_SHARD, Shards
from agents.policies import LeanMultiInputPolicy
from envs.nethack.observations import ENTRIES, ObservationLayout

KEY_ROOM = "MiniHack-KeyRoom-S5-v0"
EVERYTHING = tuple(
    entry for entry in ENTRIES if entry not in ("inv_strs", "screen_descriptions", "program_state", "internal", "misc")
)


def batch(space: spaces.Dict, rows: int, seed: int = 0) -> dict[str, torch.Tensor]:
    space.seed(seed)
    samples = [space.sample() for _ in range(rows)]
    return {key: torch.as_tensor(np.stack([sample[key] for sample in samples])) for key in space.spaces}


@pytest.mark.parametrize("extractor", [CompactFeatures, BaselineFeatures])
def test_every_entry_of_nethack_is_read_whatever_its_type(extractor):
    space = ObservationLayout(EVERYTHING).space()
    space.spaces["events"] = spaces.Box(0, 1, (2,), np.float32)
    module = extractor(space)
    features = module(batch(space, 3))
    assert features.shape == (3, module.features_dim)
    assert torch.isfinite(features).all()


@pytest.mark.parametrize("extractor", [CompactFeatures, BaselineFeatures])
def test_features_depend_on_every_entry(extractor):
    space = ObservationLayout(("glyphs_crop", "blstats", "inv_glyphs", "message")).space()
    torch.manual_seed(0)
    module, observations = extractor(space), batch(space, 2)
    before = module(observations)
    for key, other in batch(space, 2, seed=1).items():
        assert not torch.allclose(module({**observations, key: other}), before), key


@pytest.mark.parametrize("threads", [2, 3])
def test_shards_give_the_values_and_gradients_of_the_whole_batch(threads):
    space = ObservationLayout().space()
    torch.manual_seed(0)
    whole = CompactFeatures(space, threads=1)
    sharded = CompactFeatures(space, threads=threads)
    sharded.load_state_dict(whole.state_dict())
    observations = batch(space, threads * MIN_SHARD + 7)
    weights = torch.randn(whole.features_dim)
    for module in (whole, sharded):
        (module(observations) @ weights).square().mean().backward()
    torch.testing.assert_close(sharded(observations), whole(observations))
    for (name, expected), (_, actual) in zip(whole.named_parameters(), sharded.named_parameters(), strict=True):
        torch.testing.assert_close(actual.grad, expected.grad, rtol=1e-4, atol=1e-6, msg=name)


def test_a_batch_too_small_to_share_and_a_pass_without_gradients_stay_in_the_callers_thread():
    space = ObservationLayout().space()
    module = CompactFeatures(space, threads=2)
    module(batch(space, MIN_SHARD))
    with torch.no_grad():
        module(batch(space, 4 * MIN_SHARD))
    assert module._shards.threads._pool is None


def test_shards_survive_pickling_and_copying_without_their_threads():
    space = ObservationLayout().space()
    module = CompactFeatures(space, threads=2)
    observations = batch(space, 2 * MIN_SHARD)
    expected = module(observations)
    for again in (pickle.loads(pickle.dumps(module)), copy.deepcopy(module)):
        torch.testing.assert_close(again(observations), expected)
        again(observations).sum().backward()
        assert all(parameter.grad is not None for parameter in again.parameters())


def test_an_error_in_a_shard_reaches_the_caller():
    module = torch.nn.Linear(2, 2)

    def broken(observations):
        raise ArithmeticError("in the shard")

    with pytest.raises(ArithmeticError, match="in the shard"):
        Shards(module, broken, 2)({"x": torch.zeros(4 * MIN_SHARD, 2)})
    with pytest.raises(ValueError, match="at least one"):
        Shards(module, broken, 0)


def test_the_lean_policy_has_sb3s_networks_values_and_probabilities():
    venv = VecMonitor(envs.make_vec(KEY_ROOM, 4, seed=0))
    kwargs = {"features_extractor_class": CompactFeatures}
    sb3 = PPO("MultiInputPolicy", venv, seed=3, policy_kwargs=kwargs, device="cpu").policy
    lean = PPO(LeanMultiInputPolicy, venv, seed=3, policy_kwargs=kwargs, device="cpu").policy
    observations = {key: torch.as_tensor(array) for key, array in venv.reset().items()}
    with torch.no_grad():
        actions, values, log_probabilities = lean(observations)
        expected_values, expected_log_probabilities, _ = sb3.evaluate_actions(observations, actions)
        torch.testing.assert_close(values, expected_values)
        torch.testing.assert_close(log_probabilities, expected_log_probabilities)
        best, _, _ = lean(observations, deterministic=True)
        assert torch.equal(best, sb3(observations, deterministic=True)[0])
        drawn = torch.cat([lean({key: tensor[:1] for key, tensor in observations.items()})[0] for _ in range(3000)])
        shares = torch.bincount(drawn, minlength=10) / 3000
        expected = sb3.get_distribution({key: tensor[:1] for key, tensor in observations.items()}).distribution.probs[0]
    assert (shares - expected).abs().max() < 0.04
    venv.close()


def test_training_with_shards_follows_training_without():
    def train(threads):
        venv = VecMonitor(envs.make_vec(KEY_ROOM, 8, seed=0))
        model = build("ppo", venv, seed=0, threads=threads, n_steps=32, batch_size=128, n_epochs=2)
        model.learn(512)
        venv.close()
        return [parameter.detach() for parameter in model.policy.parameters()]

    for single, sharded in zip(train(1), train(2), strict=True):
        torch.testing.assert_close(single, sharded, rtol=1e-3, atol=1e-5)


def test_features_are_chosen_by_the_space_or_refused_with_the_reason():
    glyphs, numbers = ObservationLayout().space(), spaces.Box(-1, 1, (3,), np.float32)
    assert features_for(glyphs) == (CompactFeatures, {})
    assert features_for(numbers) is None
    assert features_for(glyphs, "baseline")[0] is FEATURES["baseline"]
    with pytest.raises(ValueError, match="compact"):
        features_for(glyphs, "compakt")
    with pytest.raises(ValueError, match="dictionary"):
        features_for(numbers, "compact")
    with pytest.raises(ValueError, match="glyphs"):
        features_for(spaces.Dict({"x": numbers}), "baseline")
