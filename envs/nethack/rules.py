"""Rewards and ends of the tasks, for a batch of games.

`PlainRules` computes MiniHack's staircase tasks, NetHackScore and NetHackStaircase with arrays over
all games. Everything else (reward managers, Sokoban, the Challenge ...) goes through `StockRules`:
nle's and minihack's own methods, called game by game on our arrays. Both report the stock status:
-1 cut by the step limit, 0 running, 1 death, 2 the task is done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from nle.env.base import NLE
from nle.env.tasks import NetHackScore, NetHackStaircase

from envs.nethack.extended_tasks import NetHackRewardFreeExtendedActions
from envs.nethack.game import Game
from envs.nethack.kernels import PENALTY_MODES, judge_plain
from envs.nethack.tasks import minihack
from envs.typing import Array, BoolArray, FloatArray, IntArray
from foundation.checks import one_of

ABORTED, RUNNING, DEATH, SUCCESS = -1, 0, 1, 2


def _uses(stock: Any, owner: type, *methods: str) -> bool:
    return all(getattr(type(stock), method) is getattr(owner, method) for method in methods)


def _is_free(stock: Any) -> bool:
    return isinstance(stock, NetHackRewardFreeExtendedActions)


class PlainRules:
    """Tasks paid by the bottom line and by standing on stairs. Arrays in, arrays out."""

    keys: tuple[str, ...] = ()

    def __init__(self, games: Sequence[Game], raw: Mapping[str, Array]) -> None:
        stock = games[0].stock
        self._blstats, self._internal = raw["blstats"], raw["internal"]
        self._staircase = isinstance(stock, NetHackStaircase)
        self._free = _is_free(stock)
        self._limit = int(stock._max_episode_steps)
        self._penalty_mode = PENALTY_MODES.index(one_of("penalty_mode", stock.penalty_mode, PENALTY_MODES))
        self._penalty_step, self._penalty_time = float(stock.penalty_step), float(stock.penalty_time)
        win, lose = (stock.reward_win, stock.reward_lose) if isinstance(stock, minihack.MiniHack) else (1, 0)
        self._win, self._lose = float(win), float(lose)
        self._frozen = np.zeros(len(games), np.int64)
        self._before = np.zeros_like(self._blstats)

    @staticmethod
    def fit(stock: Any) -> bool:
        """Does this task follow the plain rules, method by method?"""
        limits = _uses(stock, NLE, "_check_abort", "_get_end_status") and _uses(
            stock, NetHackScore, "_get_time_penalty"
        )
        if isinstance(stock, minihack.MiniHack):
            plain = _uses(stock, minihack.MiniHack, "_reward_fn", "_is_episode_end") and stock.reward_manager is None
        elif isinstance(stock, NetHackStaircase):
            plain = _uses(stock, NetHackStaircase, "_reward_fn", "_is_episode_end")
        else:
            plain = isinstance(stock, NetHackScore) and _uses(stock, NetHackScore, "_is_episode_end")
            plain = plain and (_is_free(stock) or _uses(stock, NetHackScore, "_reward_fn"))
        return bool(limits and plain)

    def reset(self, index: int, episode_seed: int) -> None:
        self._frozen[index] = 0

    def set_limit(self, max_episode_steps: int) -> None:
        self._limit = max_episode_steps

    def before_step(self, actions: IntArray) -> None:
        np.copyto(self._before, self._blstats)

    def judge(self, steps: IntArray, done: BoolArray, reward: FloatArray, status: IntArray) -> int:
        """Write rewards (n,) and status (n,) of the step just made; how many episodes it ended.

        Args:
            steps: (n,) lengths of the episodes so far.
            done: (n,) nle has ended the game by itself.
        """
        ended = judge_plain(
            self._blstats, self._before, self._internal, steps, done, self._frozen, self._limit, self._penalty_mode,
            self._penalty_step, self._penalty_time, self._staircase, self._win, self._lose, reward, status,
        )  # fmt: skip
        if self._free:
            reward[:] = 0.0
        return ended


class StockRules:
    """Any other task: its own class decides, on our arrays."""

    def __init__(self, games: Sequence[Game], raw: Mapping[str, Array]) -> None:
        self._games = games
        self._rows = []
        for game in games:
            stock = game.stock
            stock.nethack._obs_buffers = {key: game.rows[key] for key in stock._observation_keys}
            stock.nethack._obs = tuple(game.rows[key] for key in stock._observation_keys)
            self._rows.append(stock.nethack._obs)
        self._before: list[tuple[Array, ...]] = [() for _ in games]
        self._actions: IntArray = np.zeros(len(games), np.int64)

    def reset(self, index: int, episode_seed: int) -> None:
        stock = self._games[index].stock
        stock._steps = 0
        stock.last_observation = self._rows[index]
        manager = getattr(stock, "reward_manager", None)
        if manager is not None:
            manager.reset()
        if hasattr(stock, "no_progress_timeout"):  # NetHackChallenge.reset
            stock._turns, stock._no_progress_count = None, 0
            stock._check_abort(self._rows[index])
        stock.dungeon_explored = {}  # NetHackScout.reset; nobody else reads it
        if hasattr(stock, "begin"):
            stock.begin(self._rows[index])

    def set_limit(self, max_episode_steps: int) -> None:
        pass  # the stock environment was told, and judges by itself

    def before_step(self, actions: IntArray) -> None:
        self._before = [tuple(row.copy() for row in rows) for rows in self._rows]
        self._actions = actions

    def judge(self, steps: IntArray, done: BoolArray, reward: FloatArray, status: IntArray) -> int:
        """See `PlainRules.judge`."""
        for index, game in enumerate(self._games):
            stock, action = game.stock, int(self._actions[index])
            stock._previous_obs, stock._previous_action = self._before[index], action
            stock._steps = int(steps[index])
            stock.last_observation = self._rows[index]
            if hasattr(stock, "no_progress_timeout"):
                stock._check_abort(self._rows[index])  # NLE.step asks twice, and the Challenge counts its questions
            end = stock._get_end_status(self._rows[index], bool(done[index]))
            reward[index] = float(stock._reward_fn(self._before[index], action, self._rows[index], end))
            status[index] = int(end)
        return int(np.count_nonzero(status))
