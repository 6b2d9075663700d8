"""What SB3 cannot read or would choose wrongly is refused, for every agent, at the start."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv

import agents

NUMBERS = spaces.Box(-1, 1, (3,), np.float32)
CHOICE = spaces.Discrete(3)
ROWS = spaces.MultiDiscrete([[3, 4], [2, 2]])
IMAGE = spaces.Box(0, 255, (7, 7, 3), np.uint8)
NUMBER = spaces.Box(-1, 1, (), np.float32)
SMALL: dict[str, dict[str, Any]] = {
    "ppo": {"n_steps": 16, "batch_size": 16, "n_epochs": 1},
    "recurrent_ppo": {"n_steps": 16, "batch_size": 16, "n_epochs": 1, "lstm_hidden_size": 8},
    "sac": {"buffer_size": 100, "learning_starts": 10, "batch_size": 8, "action_noise_std": 0.1},
    "td3": {"buffer_size": 100, "learning_starts": 10, "batch_size": 8},
}


class Anything(gymnasium.Env[Any, Any]):
    """Observes samples of one space, and insists on actions of the other."""

    def __init__(self, observations: spaces.Space[Any], actions: spaces.Space[Any]) -> None:
        self.observation_space, self.action_space = observations, actions

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.steps = 0
        return self.observation_space.sample(), {}

    def step(self, action: Any) -> Any:
        assert self.action_space.contains(action), action
        self.steps += 1
        return self.observation_space.sample(), 0.0, self.steps >= 7, False, {}


def world(observations: spaces.Space[Any] = NUMBERS, actions: spaces.Space[Any] = CHOICE) -> VecEnv:
    return DummyVecEnv([lambda: Anything(observations, actions)] * 2)


def made(name: str, env: VecEnv, **settings: Any) -> Any:
    agent = agents.get(name)
    config = agents.configured(name, {"net_arch": [8], **SMALL.get(name, {}), **settings})
    agent.refuse(env, config)
    return agent.make(env, config, seed=0)


@pytest.mark.parametrize(
    ("space", "reason"),
    [
        (NUMBER, "without an axis"),
        (spaces.Dict(a=NUMBER, b=NUMBERS), "'a' are one number without an axis"),
        (spaces.Box(-1, 1, (0,), np.float32), "hold no number"),
        (spaces.Dict({}), "without entries"),
        (IMAGE, "7 × 7 pixels"),
        (spaces.Dict(a=IMAGE, b=NUMBERS), "'a' is an image of 7 × 7"),
        (spaces.Discrete(4, start=2), "counted from 2"),
        (spaces.Dict(a=spaces.Discrete(3, start=1)), "'a' are counted from 1"),
        (spaces.MultiDiscrete([3, 4], start=[0, 1]), "SB3 counts from 0"),
        (ROWS, "several rows"),
        (spaces.Dict(a=ROWS), "'a' are choices in several rows"),
    ],
)
@pytest.mark.parametrize("name", ["ppo", "a2c", "dqn", "recurrent_ppo"])
def test_observations_that_sb3_cannot_read_are_refused(name: str, space: spaces.Space[Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        made(name, world(space))


@pytest.mark.parametrize(
    ("name", "space", "reason"),
    [
        *(
            (name, space, reason)
            for name in ("ppo", "a2c", "recurrent_ppo")
            for space, reason in (
                (spaces.Discrete(3, start=1), "counted from 1"),
                (spaces.MultiDiscrete([3, 2], start=[1, 0]), "counted from"),
                (ROWS, "several rows"),
                (spaces.Box(-np.inf, np.inf, (2,), np.float32), "finite bounds"),
                (spaces.Box(0, 3, (2,), np.int64), "whole numbers in a Box"),
            )
        ),
        ("dqn", spaces.Discrete(3, start=1), "counted from 1"),
        ("ppo", spaces.MultiBinary((2, 2)), "several rows"),
        ("recurrent_ppo", spaces.MultiBinary(3), "needs continuous actions"),
        ("td3", spaces.Box(0, 3, (2,), np.int64), "whole numbers in a Box"),
        ("td3", NUMBER, "without an axis"),
        ("sac", NUMBER, "without an axis"),
    ],
)
def test_actions_that_sb3_would_choose_wrongly_are_refused(name: str, space: spaces.Space[Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        made(name, world(actions=space))


@pytest.mark.parametrize("name", ["sac", "td3"])
def test_continuous_actions_in_rows_are_learned_with_noise_of_their_shape(name: str) -> None:
    rows = spaces.Box(-1, 1, (2, 2), np.float32)
    made(name, world(actions=rows), action_noise_std=0.1).learn(64)


def test_a_small_image_can_be_read_as_numbers() -> None:
    made("ppo", world(IMAGE), policy="MlpPolicy").learn(32)


def test_a_memory_cannot_read_choices_side_by_side() -> None:
    with pytest.raises(ValueError, match="cannot read MultiDiscrete"):
        made("recurrent_ppo", world(spaces.Dict(a=spaces.MultiDiscrete([3, 4]))))
    made("ppo", world(spaces.MultiDiscrete([3, 4]))).learn(32)


@pytest.mark.parametrize(
    ("name", "settings", "reason"),
    [
        ("recurrent_ppo", {"batch_size": 31}, "leave one of a single step"),
        ("a2c", {"n_steps": 0}, "agent.n_steps=0"),
        ("ppo", {"net_arch": [0]}, "agent.net_arch=0: expected a whole number of at least 1"),
        ("ppo", {"net_arch": {"pi": [8], "vf": [-4]}}, "agent.net_arch.vf=-4"),
        ("ppo", {"net_arch": {"foo": [64]}}, "layers for 'foo'; networks are pi, vf, qf"),
        ("ppo", {"net_arch": [100_000, 100_000]}, "at most 16384 units"),
        ("ppo", {"net_arch": "big"}, "expected widths in a list"),
        ("ppo", {"ent_coef": -1.0}, "agent.ent_coef=-1.0"),
        ("ppo", {"gae_lambda": 2.0}, "from 0 to 1"),
        ("ppo", {"target_kl": -1.0}, "above 0"),
        ("ppo", {"max_grad_norm": -1.0}, "above 0"),
        ("ppo", {"n_epochs": 0}, "agent.n_epochs=0"),
        ("ppo", {"learning_rate": -1.0}, "agent.learning_rate=-1.0"),
        ("ppo", {"learning_rate_schedule": "linaer"}, "Did you mean linear"),
        ("dqn", {"batch_size": 0}, "agent.batch_size=0"),
        ("dqn", {"exploration_final_eps": 2.0}, "agent.exploration_final_eps=2.0"),
        ("dqn", {"tau": -1.0}, "agent.tau=-1.0"),
        ("dqn", {"buffer_size": 0}, "agent.buffer_size=0"),
        ("dqn", {"gradient_steps": 0}, "learns nothing"),
        ("dqn", {"gradient_steps": -2}, "at least -1"),
        ("dqn", {"log_every": -1}, "agent.log_every=-1"),
        ("dqn", {"target_update_interval": -1}, "agent.target_update_interval=-1"),
        ("td3", {"policy_delay": 0}, "agent.policy_delay=0"),
        ("td3", {"action_noise_std": -1.0}, "agent.action_noise_std=-1.0"),
        ("qrdqn", {"n_quantiles": 0}, "agent.n_quantiles=0"),
    ],
)
def test_a_number_that_cannot_work_is_refused_by_name(name: str, settings: dict[str, Any], reason: str) -> None:
    continuous = spaces.Box(-1, 1, (2,), np.float32)
    with pytest.raises(ValueError, match=reason):
        made(name, world(actions=continuous if name == "td3" else CHOICE), **settings)
