"""A player keeps what belongs to it, and how many episodes it plays is fixed beforehand."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
from stable_baselines3.common.vec_env import DummyVecEnv, VecMonitor

from agents.players import Player, action_masks, play


class Model:
    """Remembers what it was asked with; its state counts the steps of an episode."""

    def __init__(self) -> None:
        self.starts: list[list[bool]] = []
        self.states: list[Any] = []

    def predict(self, observations: Any, state: Any, episode_start: Any, deterministic: bool) -> Any:
        self.starts.append(episode_start.tolist())
        self.states.append(state)
        return np.zeros(len(observations), int), (state or 0) + 1


def poles(n: int) -> VecMonitor:
    venv = VecMonitor(DummyVecEnv([lambda: gymnasium.make("CartPole-v1") for _ in range(n)]))
    venv.seed(0)
    return venv


def test_a_player_is_told_once_where_episodes_start_and_keeps_its_state() -> None:
    model = Model()
    player = Player(model, 2)
    player(np.zeros((2, 4)))
    player(np.zeros((2, 4)))
    player.begin(np.array([False, True]))
    player.begin(np.array([False, False]))
    player(np.zeros((2, 4)))
    assert model.starts == [[True, True], [False, False], [False, True]]
    assert model.states == [None, 1, 2]


@pytest.mark.parametrize(("n_envs", "episodes"), [(3, 7), (4, 2), (1, 3)])
def test_every_environment_plays_its_share(n_envs: int, episodes: int) -> None:
    records = play(Player(Model(), n_envs), poles(n_envs), episodes)
    assert len(records) == episodes
    assert all(record.length == record.task_return for record in records)  # a pole pays 1 a step
    assert all(record.success is None for record in records)


def test_an_environment_without_masks_has_none() -> None:
    assert action_masks(poles(1)) is None
