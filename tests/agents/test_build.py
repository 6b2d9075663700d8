"""Every agent learns, saves and loads; what cannot act is refused with the reason."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv

from agents.build import algorithms, build, refuse_impossible, replay_bytes

SMALL: dict[str, dict[str, Any]] = {
    "ppo": {"n_steps": 32, "batch_size": 32, "n_epochs": 1},
    "maskable_ppo": {"n_steps": 32, "batch_size": 32, "n_epochs": 1},
    "recurrent_ppo": {"n_steps": 32, "batch_size": 32, "n_epochs": 1, "lstm_hidden_size": 8},
    "a2c": {"n_steps": 16},
    "dqn": {"buffer_size": 500, "learning_starts": 50},
    "qrdqn": {"buffer_size": 500, "learning_starts": 50, "n_quantiles": 5},
    "sac": {"buffer_size": 500, "learning_starts": 50, "batch_size": 32},
    "td3": {"buffer_size": 500, "learning_starts": 50, "batch_size": 32, "action_noise_std": 0.1},
}


class Corridor(gymnasium.Env[Any, Any]):
    """A little of everything: a Dict or a vector to see, discrete or continuous actions, masks when asked."""

    def __init__(self, continuous: bool = False, entries: bool = True, masks: bool = False) -> None:
        self.entries = entries
        position = spaces.Box(-1, 1, (3,), np.float32)
        self.observation_space = spaces.Dict({"position": position}) if entries else position
        self.action_space = spaces.Box(-1, 1, (2,), np.float32) if continuous else spaces.Discrete(4)
        if masks:
            self.action_masks = lambda: np.array([True, False, True, False])

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.steps = 0
        return self._observe(), {}

    def step(self, action: Any) -> Any:
        self.steps += 1
        return self._observe(), float(np.sum(action)), self.steps >= 20, False, {}

    def _observe(self) -> Any:
        position = self.np_random.uniform(-1, 1, 3).astype(np.float32)
        return {"position": position} if self.entries else position


def corridor(**arguments: Any) -> VecEnv:
    return DummyVecEnv([lambda: Corridor(**arguments)] * 2)


@pytest.mark.parametrize("entries", [True, False])
@pytest.mark.parametrize("name", SMALL)
def test_every_agent_learns_saves_and_loads(name: str, entries: bool, tmp_path: Any) -> None:
    env = corridor(continuous=name in ("sac", "td3"), masks=name == "maskable_ppo", entries=entries)
    agent = build(name, env, seed=3, device="cpu", net_arch=[8], learning_rate=1e-3, **SMALL[name])
    agent.learn(200)
    agent.save(tmp_path / "agent.zip")
    loaded = algorithms[name].load(tmp_path / "agent.zip", device="cpu")
    observations = env.reset()
    expected, _ = agent.predict(observations, deterministic=True)
    found, _ = loaded.predict(observations, deterministic=True)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("name", "arguments", "reason"),
    [
        ("sac", {}, "continuous actions"),
        ("td3", {}, "continuous actions"),
        ("dqn", {"continuous": True}, "one discrete action"),
        ("qrdqn", {"continuous": True}, "one discrete action"),
        ("maskable_ppo", {}, "no action_masks"),
        ("maskable_ppo", {"continuous": True}, "masks discrete actions"),
    ],
)
def test_an_agent_that_cannot_act_is_refused_with_the_reason(
    name: str, arguments: dict[str, bool], reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        build(name, corridor(**arguments), seed=0, device="cpu")


@pytest.mark.parametrize(
    ("policy", "entries", "reason"),
    [
        ("CnnPolicy", False, "reads images"),
        ("CnnPolicy", True, "a single image"),
        ("MlpPolicy", True, "a single vector"),
        ("MultiInputPolicy", False, "a Dict"),
        ("CnPolicy", False, "Did you mean 'CnnPolicy'"),
    ],
)
def test_a_policy_that_cannot_read_the_observations_is_refused(policy: str, entries: bool, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        refuse_impossible("ppo", corridor(entries=entries), policy=policy)


def test_text_observations_are_refused() -> None:
    env = corridor()
    env.observation_space = spaces.Dict({"message": spaces.Text(100)})
    with pytest.raises(ValueError, match="text"):
        refuse_impossible("ppo", env)


def test_an_unknown_agent_is_answered_with_the_nearest() -> None:
    with pytest.raises(ValueError, match="Did you mean 'ppo'"):
        build("ppoo", corridor(), seed=0, device="cpu")


def test_a_misspelt_hyper_parameter_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="n_stepps"):
        build("ppo", corridor(), seed=0, device="cpu", n_stepps=3)


def test_a_replay_buffer_beyond_memory_is_refused_with_the_size_that_fits() -> None:
    env = corridor()
    assert replay_bytes(env.observation_space, env.action_space, 10) == 10 * (2 * 12 + 8 + 12)
    with pytest.raises(ValueError, match=r"agent\.buffer_size=.* or less"):
        build("dqn", env, seed=0, device="cpu", buffer_size=10**12)


def test_a_linear_learning_rate_ends_at_zero() -> None:
    agent = build("ppo", corridor(), seed=0, device="cpu", learning_rate=0.5, learning_rate_schedule="linear")
    assert agent.lr_schedule(1.0) == pytest.approx(0.5)
    assert agent.lr_schedule(0.0) == pytest.approx(0.0)
