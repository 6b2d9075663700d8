"""Soft Q-learning: values count entropy, actions are drawn by them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3.common.vec_env import DummyVecEnv

import agents
from agents.soft_dqn import SoftDQN
from tests.agents.worlds import Counted

ALPHA = 0.5
LEARNING = {"learning_rate": 1e-2, "net_arch": [16], "learning_starts": 50, "train_freq": 1, "gradient_steps": 1,
            "target_update_interval": 50, "buffer_size": 2000, "gamma": 1.0}  # fmt: skip


class TwoChoices(Counted):
    """Two steps; the last one's action 0 pays 1, others nothing."""

    observation_space = spaces.Box(0, 1, (2,), np.float32)
    action_space = spaces.Discrete(3)

    def step(self, action: Any) -> Any:
        self.steps += 1
        return self._observe(), float(self.steps == 2 and action == 0), self.steps == 2, False, {}

    def _observe(self) -> Any:
        return np.eye(2, dtype=np.float32)[min(self.steps, 1)]


def learned(steps: int = 3000, **settings: Any) -> Any:
    env = DummyVecEnv([TwoChoices] * 4)
    return agents.build("soft_dqn", env, seed=2, **{**LEARNING, "alpha": ALPHA, **settings}).learn(steps)


def test_values_are_those_of_the_soft_bellman_equation() -> None:
    model = learned()
    with torch.no_grad():
        first, last = model.q_net(torch.eye(2)).numpy()
    np.testing.assert_allclose(last, [1.0, 0.0, 0.0], atol=0.05)
    worth = ALPHA * np.log(np.exp(1 / ALPHA) + 2)
    np.testing.assert_allclose(first, worth, atol=0.08)


def test_actions_are_drawn_by_their_values_and_the_best_is_taken_where_that_is_asked() -> None:
    model = learned()
    seen = np.tile(np.eye(2, dtype=np.float32)[1], (4000, 1))
    drawn, _ = model.predict(seen)
    expected = torch.softmax(model.q_net(torch.eye(2)[1:]).double() / ALPHA, dim=1).detach().numpy()[0]
    np.testing.assert_allclose(np.bincount(drawn, minlength=3) / 4000, expected, atol=0.03)
    assert 0.7 < expected[0] < 0.85
    assert (model.predict(seen, deterministic=True)[0] == 0).all()
    assert model.predict(seen[0])[0] in (0, 1, 2)


def test_while_it_explores_every_action_has_its_share() -> None:
    model = learned(100)
    model.exploration_rate = 1.0
    np.testing.assert_allclose(model.acts(torch.eye(2)).detach(), 1 / 3)
    learner = agents.get("soft_dqn").learner(model)
    assert learner is not None
    np.testing.assert_allclose(learner.probabilities(np.eye(2, dtype=np.float32)), 1 / 3)


def test_a_temperature_of_zero_is_dqns_and_refused() -> None:
    model = SoftDQN("MlpPolicy", DummyVecEnv([TwoChoices]), alpha=1e-6)
    values = torch.tensor([[0.2, 0.5, -1.0]])
    np.testing.assert_allclose(model.soft_values(values), [[0.5]], atol=1e-5)
    with pytest.raises(ValueError, match=r"agent.alpha=0.0: expected a number above 0"):
        agents.configured("soft_dqn", {"alpha": 0.0})
