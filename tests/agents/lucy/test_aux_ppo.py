"""Attention ignores what is not there; the auxiliary losses leave PPO's own arithmetic alone."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv, VecMonitor

import agents
import envs
from agents import build
from agents.features import PerceiverFeatures
from agents.lucy import AuxiliaryPolicy, AuxPPO
from agents.lucy.auxiliary import ages, windows
from shaping import ShapedVecEnv, make_term
from tests.agents.worlds import Counted

SPACE = spaces.Box(-np.inf, np.inf, (8, 64), np.float32)
SMALL: dict[str, Any] = {"key_features": 23, "width": 16, "blocks": 1, "heads": 2, "feedforward": 16}


class Things(Counted):
    """A matrix like Lucy's; pays 1 for the action that the query names; over or cut in the end."""

    observation_space = SPACE
    action_space = spaces.Discrete(3)

    def __init__(self, length: int = 7, cut: bool = False) -> None:
        self.length, self.cut = length, cut

    def step(self, action: Any) -> Any:
        self.steps += 1
        paid = float(action == self.wanted)
        over = self.steps >= self.length
        return self._observe(), paid, over and not self.cut, over and self.cut, {}

    def _observe(self) -> Any:
        self.wanted = int(self.np_random.integers(3))
        matrix = np.zeros((8, 64), np.float32)
        matrix[:4, :23] = self.np_random.normal(size=(4, 1))  # a few numbers can tell all of it
        matrix[0, :3] = np.eye(3)[self.wanted]
        matrix[4:, 63] = 1.0
        return matrix


def things(n_envs: int = 4, **arguments: Any) -> VecEnv:
    return DummyVecEnv([lambda: Things(**arguments)] * n_envs)


def agent(env: VecEnv, **keywords: Any) -> AuxPPO:
    keywords = {"n_steps": 16, "batch_size": 32, "n_epochs": 2, "seed": 1, "sequence_length": 5, **keywords}
    return AuxPPO(
        "MlpPolicy", env, policy_kwargs={"features_extractor_kwargs": SMALL, "net_arch": []}, device="cpu", **keywords
    )


def test_the_network_has_the_paper_s_size() -> None:
    network = PerceiverFeatures(SPACE, key_features=23)
    assert sum(weights.numel() for weights in network.parameters()) == 441_344


@pytest.mark.parametrize("pre_norm", [False, True])
def test_what_stands_in_padded_rows_changes_nothing_and_real_rows_do(pre_norm: bool) -> None:
    network = PerceiverFeatures(SPACE, **SMALL, pre_norm=pre_norm)
    observations = torch.as_tensor(np.stack([things().reset()[0] for _ in range(3)]))
    before = network(observations)
    observations[:, 4:, :63] = 100.0
    torch.testing.assert_close(network(observations), before)
    observations[:, 3, :23] += 1.0
    assert not torch.allclose(network(observations), before)


def test_the_order_of_the_cars_changes_nothing() -> None:
    network = PerceiverFeatures(SPACE, **SMALL)
    observations = torch.as_tensor(things().reset())
    order = [0, 3, 1, 2, 7, 5, 6, 4]
    torch.testing.assert_close(network(observations[:, order]), network(observations))


def test_sequences_stop_at_the_episode_s_and_the_rollout_s_start() -> None:
    starts = np.array([[0.0, 1.0], [0.0, 0.0], [1.0, 0.0], [0.0, 0.0]], np.float32)
    flat = ages(starts).T.reshape(-1)  # as SB3 flattens: one environment after another
    assert flat.tolist() == [0, 1, 0, 1, 0, 1, 2, 3]
    needed, places = windows(np.array([3, 4, 7]), flat, 3)
    assert needed.tolist() == [2, 3, 4, 5, 6, 7]
    assert places.tolist() == [[-1, 0, 1], [-1, -1, 2], [3, 4, 5]]


def test_without_tasks_it_is_ppo_to_the_bit() -> None:
    ours = agent(things(), reward_prediction=0.0, state_representation=0.0, clip_range_vf=0.5)
    ours.learn(192)
    policy_kwargs = {"features_extractor_kwargs": SMALL, "net_arch": [], "tasks": []}
    theirs = PPO(
        AuxiliaryPolicy, things(), policy_kwargs=policy_kwargs, n_steps=16, batch_size=32, n_epochs=2, seed=1,
        device="cpu", clip_range_vf=0.5,
    )  # fmt: skip
    theirs.learn(192)
    for name, weights in theirs.policy.state_dict().items():
        assert torch.equal(ours.policy.state_dict()[name], weights), name


@pytest.mark.parametrize("tasks", ["reward", "state", "both"])
def test_the_losses_fall_and_the_actor_s_embedding_learns_from_them(tasks: str) -> None:
    env = things()
    model = agent(
        env, reward_prediction=float(tasks != "state"), state_representation=float(tasks != "reward"),
        learning_rate=3e-3, n_steps=64, batch_size=64, n_epochs=4, reward_threshold=0.5,
    )  # fmt: skip
    seen: dict[str, list[float]] = {"reward_prediction_loss": [], "state_representation_loss": []}
    model.learn(256)
    for _ in range(8):
        model.learn(256, reset_num_timesteps=False)
        for name, values in seen.items():
            if f"train/{name}" in model.logger.name_to_value:
                values.append(model.logger.name_to_value[f"train/{name}"])
    on = [name for name, values in seen.items() if values]
    assert on == {
        "reward": ["reward_prediction_loss"], "state": ["state_representation_loss"], "both": list(seen)
    }[tasks]  # fmt: skip
    for name in on:
        assert np.mean(seen[name][-3:]) < np.mean(seen[name][:3])


def test_rewards_are_classified_as_paid_not_with_the_value_that_sb3_adds_at_truncations() -> None:
    env = things(n_envs=2, length=3, cut=True)
    model = agent(env, n_steps=6, batch_size=12)
    with torch.no_grad():
        model.policy.value_net.bias.fill_(50.0)  # what would be added
    model.learn(12)
    assert model.rollout_buffer.rewards.max() > 10
    assert model._rewards.max() <= 1.0


def test_a_last_minibatch_of_one_row_is_learned_from() -> None:
    model = agent(things(n_envs=1), n_steps=17, batch_size=16)
    model.learn(34)
    assert all(torch.isfinite(weights).all() for weights in model.policy.parameters())


def test_it_learns_saves_and_loads_with_its_tasks_and_optimiser(tmp_path: Any) -> None:
    env = things()
    settings = {
        "policy_kwargs": {"features_extractor_kwargs": SMALL}, "n_steps": 64, "batch_size": 64, "n_epochs": 4,
        "learning_rate": 3e-3, "gamma": 0.5, "sequence_length": 5,
    }  # fmt: skip
    lucy, config = agents.get("lucy"), agents.configured("lucy", settings)
    model: Any = lucy.make(env, config, seed=1)
    model.learn(12_000)
    observations = env.reset()
    wanted = observations[:, 0, :3].argmax(axis=1)
    actions, _ = model.predict(observations, deterministic=True)
    assert (actions == wanted).mean() >= 0.75
    lucy.save(model, tmp_path)
    loaded = lucy.load(tmp_path, env, config)
    assert isinstance(loaded, AuxPPO)
    for name, weights in model.policy.state_dict().items():
        assert torch.equal(loaded.policy.state_dict()[name], weights), name
    kept, restored = model.policy.optimizer.state_dict(), loaded.policy.optimizer.state_dict()
    assert len(kept["state"]) == len(restored["state"]) == len(list(model.policy.parameters()))
    loaded.learn(64)  # and goes on


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"reward_prediction": -1.0}, "reward_prediction=-1.0: expected"),
        ({"reward_threshold": float("nan")}, "reward_threshold=nan: expected"),
        ({"sequence_length": 0}, "sequence_length=0: expected at least 1"),
    ],
)
def test_impossible_numbers_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        agent(things(), **arguments)


def test_environments_without_a_matrix_are_refused_with_what_would_do() -> None:
    with pytest.raises(ValueError, match="observation=lucy"):
        build("lucy", DummyVecEnv([lambda: gymnasium.make("CartPole-v1")]))
    matches = envs.make_vec("Rocket2v2-v0", 4, report=["events"], events=["touch"])
    shaped = ShapedVecEnv(VecMonitor(matches), {"events": make_term("events", events=["touch"])}, gamma=0.99)
    with pytest.raises(ValueError, match="shaping=kinesthetic"):
        build("lucy", shaped)
    with pytest.raises(ValueError, match="width=16 heads=3"):
        PerceiverFeatures(SPACE, width=16, heads=3)
    with pytest.raises(ValueError, match="1 to 63"):
        PerceiverFeatures(SPACE, key_features=64)
