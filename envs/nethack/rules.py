"""Rewards and ends of the tasks, for a batch of games.

`PlainRules` computes MiniHack's staircase tasks, NetHackScore and NetHackStaircase with arrays over all games. Everything else
(reward managers, Sokoban, the Challenge ...) goes through `StockRules`: nle's and minihack's own methods, called game by game on
our arrays. Both report the stock status: -1 cut by the step limit, 0 running, 1 death, 2 the task is done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from nle import nethack
from nle.env.base import NLE
from nle.env.tasks import NetHackScore, NetHackStaircase

from envs.nethack.game import Game
from envs.nethack.kernels import ON_STAIRS_DOWN
from envs.nethack.tasks import minihack
from envs.typing import Array, BoolArray, FloatArray, IntArray

ABORTED, RUNNING, DEATH, SUCCESS = -1, 0, 1, 2

_TIME, _SCORE = nethack.NLE_BL_TIME, nethack.NLE_BL_SCORE


def _uses(stock: Any, owner: type, *methods: str) -> bool:
    return all(getattr(type(stock), method) is getattr(owner, method) for method in methods)


class PlainRules:
    """Tasks whose reward is a function of the bottom line and of standing on stairs. Arrays in, arrays out."""

    keys: tuple[str, ...] = ()

    def __init__(self, games: Sequence[Game], raw: Mapping[str, Array]) -> None:
        stock = games[0].stock
        self._blstats, self._internal = raw["blstats"], raw["internal"]
        self._minihack = isinstance(stock, minihack.MiniHack)
        self._staircase = isinstance(stock, NetHackStaircase)
        self._limit = int(stock._max_episode_steps)
        self._penalty_mode, self._penalty_step = stock.penalty_mode, stock.penalty_step
        self._penalty_time = stock.penalty_time
        self._win, self._lose = (stock.reward_win, stock.reward_lose) if self._minihack else (1, 0)
        self._frozen = np.zeros(len(games), np.int64)
        self._before = np.zeros_like(self._blstats)

    @staticmethod
    def fit(stock: Any) -> bool:
        """Does this task follow the plain rules, method by method?"""
        limits = _uses(stock, NLE, "_check_abort", "_get_end_status") and _uses(stock, NetHackScore, "_get_time_penalty")
        if isinstance(stock, minihack.MiniHack):
            own = _uses(stock, minihack.MiniHack, "_reward_fn", "_is_episode_end") and stock.reward_manager is None
        elif isinstance(stock, NetHackStaircase):
            own = _uses(stock, NetHackStaircase, "_reward_fn", "_is_episode_end")
        else:
            own = isinstance(stock, NetHackScore) and _uses(stock, NetHackScore, "_reward_fn", "_is_episode_end")
        return bool(limits and own)

    def reset(self, index: int, episode_seed: int) -> None:
        self._frozen[index] = 0

    def set_limit(self, max_episode_steps: int) -> None:
        self._limit = max_episode_steps

    def before_step(self, actions: IntArray) -> None:
        np.copyto(self._before, self._blstats)

    def judge(self, steps: IntArray, done: BoolArray) -> tuple[FloatArray, IntArray]:
        """Rewards (n,) and status (n,) of the step just made. `done`: nle has ended the game by itself."""
        before, now = self._before, self._blstats
        status = np.zeros(len(steps), np.int64)
        if self._staircase:
            status[self._internal[:, ON_STAIRS_DOWN] != 0] = SUCCESS
        status[steps >= self._limit] = ABORTED
        status[done] = DEATH
        elapsed = now[:, _TIME] - before[:, _TIME]
        self._frozen = np.where(elapsed == 0, self._frozen + 1, 0)
        reward = self._penalty() + elapsed * self._penalty_time
        if self._staircase:
            reward += np.where(status == SUCCESS, self._win, 0.0)
            if self._lose:
                reward += np.where((status == DEATH) | (status == ABORTED), self._lose, 0.0)
        else:
            reward += np.where(done, 0.0, now[:, _SCORE] - before[:, _SCORE])
        return reward, status

    def _penalty(self) -> FloatArray:
        frozen, step = self._frozen, self._penalty_step
        match self._penalty_mode:
            case "constant":
                return np.where(frozen > 0, step, 0.0)
            case "exp":
                return step * 2.0**frozen
            case "square":
                return step * frozen.astype(np.float64) ** 2
            case "linear":
                return step * frozen.astype(np.float64)
            case "always":
                return np.full(len(frozen), float(step))
            case other:
                raise ValueError(f"penalty_mode is constant, exp, square, linear or always, not {other!r}")


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

    def set_limit(self, max_episode_steps: int) -> None:
        pass  # the stock environment was told, and judges by itself

    def before_step(self, actions: IntArray) -> None:
        self._before = [tuple(row.copy() for row in rows) for rows in self._rows]
        self._actions = actions

    def judge(self, steps: IntArray, done: BoolArray) -> tuple[FloatArray, IntArray]:
        """Rewards (n,) and status (n,) of the step just made. `done`: nle has ended the game by itself."""
        rewards, status = np.zeros(len(steps)), np.zeros(len(steps), np.int64)
        for index, game in enumerate(self._games):
            stock, action = game.stock, int(self._actions[index])
            stock._previous_obs, stock._previous_action = self._before[index], action
            stock._steps = int(steps[index])
            stock.last_observation = self._rows[index]
            if hasattr(stock, "no_progress_timeout"):
                stock._check_abort(self._rows[index])  # NLE.step asks twice, and the Challenge counts its questions
            end = stock._get_end_status(self._rows[index], bool(done[index]))
            rewards[index] = float(stock._reward_fn(self._before[index], action, self._rows[index], end))
            status[index] = int(end)
        return rewards, status
