"""The fast path against nle's and minihack's own: same seeds and actions, every array and reward.

nle rolls the game's own dice while it writes `screen_descriptions` (to describe an object from afar
it makes one), and minihack always asks for them. To throw the same dice our side asks for them here
too.
"""

from __future__ import annotations

import numpy as np
import pytest

from envs.nethack.batch import BatchConfig, GameBatch
from envs.nethack.game import game_seeds
from envs.nethack.rules import PlainRules, StockRules
from envs.nethack.tasks import stock_environment

KEYS = ("glyphs", "chars", "colors", "blstats", "message", "inv_glyphs", "inv_letters")
PLAIN = (
    "MiniHack-Room-5x5-v0", "MiniHack-Room-Ultimate-15x15-v0", "MiniHack-KeyRoom-S5-v0", "MiniHack-KeyRoom-Dark-S15-v0",
    "MiniHack-Corridor-R3-v0", "MiniHack-River-v0", "MiniHack-MazeWalk-9x9-v0", "NetHackScore-v0",
    "NetHackStaircase-v0",
)  # fmt: skip
BY_STOCK_CODE = (
    "MiniHack-Eat-v0", "MiniHack-ExploreMaze-Easy-v0", "MiniHack-Memento-Short-F2-v0", "MiniHack-Sokoban1a-v1",
    "MiniHack-WoD-Easy-Restricted-v0", "NetHackStaircasePet-v0", "NetHackOracle-v0", "NetHackGold-v0", "NetHackEat-v0",
    "NetHackScout-v0", "NetHackChallenge-v0",
)  # fmt: skip


class Stock:
    """The stock environment with seeds that take, and the last screen put aside."""

    def __init__(self, env_id: str, **task) -> None:
        keys = [*KEYS, "tty_chars", "screen_descriptions", "inv_strs"] if "MiniHack" in env_id else list(KEYS)
        if "Sokoban" in env_id:
            keys = ["chars", *[key for key in keys if key != "chars"]]  # its own code looks for chars by position
        self.env = stock_environment(env_id, observation_keys=keys, fix_moon_phase=True, **task)
        self.last = None
        quit_game = self.env._quit_game

        def keep_then_quit(observation, done):
            self.last = self._copy(self.env._get_observation(observation))
            quit_game(observation, done)

        self.env._quit_game = keep_then_quit

    @staticmethod
    def _copy(observation):
        return {key: observation[key].copy() for key in KEYS}

    def reset(self, episode_seed: int):
        self.env.nethack._pynethack.set_initial_seeds(*game_seeds(episode_seed), False, None)
        return self._copy(self.env.reset()[0])

    def step(self, action: int):
        self.last = None
        observation, reward, done, _, info = self.env.step(action)
        return self.last or self._copy(observation), reward, done, int(info["end_status"])


def assert_same(ours: dict, theirs: dict, where: str) -> None:
    for key in KEYS:
        np.testing.assert_array_equal(
            ours["raw_blstats" if key == "blstats" else key], theirs[key], err_msg=f"{key} {where}"
        )


def play(env_id: str, n: int, steps: int, **task) -> tuple[GameBatch, int]:
    entries = tuple("raw_blstats" if key == "blstats" else key for key in KEYS)
    described = ("screen_descriptions",) if "MiniHack" in env_id else ()
    config = BatchConfig(env_id, observation_keys=entries + described, seed=11, task=task)
    wire = config.allocate(n)
    batch = GameBatch(config, wire)
    stocks = [Stock(env_id, **task) for _ in range(n)]
    rng = np.random.default_rng(5)
    batch.reset()
    ours = {key: wire[f"observation/{key}"] for key in entries}
    for index, stock in enumerate(stocks):
        assert_same(
            {key: array[index] for key, array in ours.items()}, stock.reset(int(wire["seed"][index])), "at reset"
        )
    episodes = 0
    for step in range(steps):
        actions = rng.integers(len(batch.actions), size=n)
        batch.step(actions)
        for index, stock in enumerate(stocks):
            where = f"of environment {index} after step {step}"
            observation, reward, done, status = stock.step(int(actions[index]))
            ended = bool(wire["terminated"][index] or wire["truncated"][index])
            assert ended == done, where
            assert wire["status"][index] == status, where
            assert wire["truncated"][index] == (status == -1), where
            assert wire["reward"][index] == pytest.approx(reward, abs=1e-9), where
            if done:
                episodes += 1
                if status != 1:  # the screen of a dead hero is blank in the stock environment
                    last = {key: wire[f"terminal/{key}"][index] for key in entries}
                    assert_same(last, observation, f"at the end {where}")
                observation = stock.reset(int(wire["seed"][index]))
            assert_same({key: array[index] for key, array in ours.items()}, observation, where)
    for stock in stocks:
        stock.env.close()
    return batch, episodes


@pytest.mark.parametrize("env_id", PLAIN)
def test_plain_tasks_equal_the_stock_path_step_by_step_through_resets(env_id):
    batch, episodes = play(env_id, n=2, steps=500, max_episode_steps=90)
    assert isinstance(batch.rules, PlainRules)
    assert episodes >= 10
    batch.close()


@pytest.mark.parametrize("env_id", BY_STOCK_CODE)
def test_other_tasks_equal_the_stock_path_step_by_step_through_resets(env_id):
    batch, episodes = play(env_id, n=2, steps=250, max_episode_steps=60)
    assert isinstance(batch.rules, StockRules)
    assert episodes >= 4
    batch.close()


@pytest.mark.parametrize("mode", ["constant", "exp", "square", "linear", "always"])
def test_penalty_modes_equal_the_stock_path(mode):
    batch, _ = play(
        "MiniHack-Room-5x5-v0",
        n=1,
        steps=150,
        max_episode_steps=30,
        penalty_mode=mode,
        penalty_time=-0.02,
        reward_lose=-1,
    )
    batch.close()


def test_deaths_equal_the_stock_path():
    batch, episodes = play("MiniHack-Room-Monster-15x15-v0", n=4, steps=600, reward_lose=-1)
    assert episodes >= 8
    batch.close()
