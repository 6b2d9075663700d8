"""NetHackVecEnv: the fast path as an SB3 vector environment, in one process or several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from gymnasium import spaces
from stable_baselines3.common.vec_env.base_vec_env import VecEnvStepReturn

from envs.batched import BatchedVecEnv, refuse
from envs.catalogue import EnvDescription, Request
from envs.episode_seeds import EpisodeSeeds
from envs.nethack.batch import FLOAT_REPORTS, REPORTS, TEXT_REPORTS, BatchConfig, GameBatch
from envs.nethack.captions import action_name
from envs.nethack.events import EVENTS
from envs.nethack.kernels import out_of_range
from envs.nethack.statistics import STATISTICS
from envs.nethack.workers import WorkerPool
from envs.typing import Array, IntArray


class Backend(Protocol):
    """Where the games live: a `GameBatch` here or a `WorkerPool`. Results lie in `wire`."""

    episodes: EpisodeSeeds

    @property
    def wire(self) -> Mapping[str, Array]: ...
    @property
    def n_actions(self) -> int: ...
    @property
    def actions(self) -> IntArray: ...
    @property
    def has_success(self) -> bool: ...
    @property
    def limit(self) -> int: ...
    def reset(self) -> None: ...
    def step(self, actions: IntArray) -> None: ...
    def set_seed(self, seed: int) -> None: ...
    def frame(self, index: int) -> Array: ...
    def close(self) -> None: ...


class NetHackVecEnv(BatchedVecEnv):
    """`n_envs` NetHack or MiniHack games behind SB3's vector interface.

    Observations are fresh arrays at every step. A time limit is `TimeLimit.truncated`; the last
    observation of an episode is the last screen of the living game. `infos[i]` holds what
    `config.report` names and, on an episode's last step, `terminal_observation`, `end_status` (-1
    limit, 1 death, 2 success), `episode_seed`, `stats` if they are reported (see
    `envs.nethack.statistics`) and, where the task knows success, `is_success`.

    Args:
        config: the task and what to report.
        n_envs: how many games.
        workers: 0 plays in this process; k >= 1 spreads the games over it and k more, which share
            memory.
        render_mode: "rgb_array" or None.

    Raises:
        ValueError: for an impossible configuration.
        NetHackError: from `step_wait`, when a game or its worker dies: names the environment, its
            seed and last action.
    """

    def __init__(self, config: BatchConfig, n_envs: int, *, workers: int = 0, render_mode: str | None = None) -> None:
        request = Request(n_envs, config.seed, config.split, workers, config.report, config.events, render_mode)
        description = EnvDescription(config.env_id, REPORTS, tuple(EVENTS))
        refuse(description, request)  # before games are built
        if workers >= n_envs:
            raise ValueError(
                f"workers={workers}: expected a number from 0 (this process alone) to n_envs - 1 = {n_envs - 1}"
            )
        self.config = config
        self._backend: Backend
        self._backend = WorkerPool(config, n_envs, workers) if workers else GameBatch(config, config.allocate(n_envs))
        wire = self._backend.wire
        super().__init__(
            description,
            request,
            config.layout.space(),
            spaces.Discrete(self._backend.n_actions),
            episodes=self._backend.episodes,
        )
        self._wire = wire
        self._observation = {
            key.split("/", 1)[1]: array for key, array in wire.items() if key.startswith("observation/")
        }
        self._terminal = {key.split("/", 1)[1]: array for key, array in wire.items() if key.startswith("terminal/")}
        self._floats = [name for name in config.report if name in FLOAT_REPORTS]
        self._texts = [name for name in config.report if name in TEXT_REPORTS]
        self._done = np.zeros(n_envs, np.bool_)
        self._actions = np.zeros(n_envs, np.int64)
        self._closed = False

    @property
    def max_episode_steps(self) -> int:
        """Steps after which an episode is cut."""
        return self._backend.limit

    @property
    def action_names(self) -> list[str]:
        """The words for its actions, in order."""
        return [action_name(int(key)) for key in self._backend.actions]

    def reset(self) -> dict[str, Array]:
        """Start new episodes everywhere; their infos are in `reset_infos`."""
        self._backend.reset()
        self.reset_infos = [{} for _ in range(self.num_envs)]
        self._start_infos(range(self.num_envs))
        return self._observations()

    def step_async(self, actions: Array) -> None:
        self._actions = np.asarray(actions, np.int64).reshape(-1)
        if self._actions.shape != (self.num_envs,):
            raise ValueError(f"actions have shape {np.shape(actions)}; expected ({self.num_envs},)")
        if out_of_range(self._actions, self._backend.n_actions):
            raise ValueError(
                f"actions are {self._actions.tolist()}; this task has actions 0 to {self._backend.n_actions - 1}"
            )

    def step_wait(self) -> VecEnvStepReturn:
        self._backend.step(self._actions)
        wire = self._wire
        np.logical_or(wire["terminated"], wire["truncated"], out=self._done)
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        self._fill_infos(infos)
        if self._done.any():
            self._finish_infos(infos)
        return self._observations(), wire["reward"].astype(np.float32), self._done.copy(), infos

    def _observations(self) -> dict[str, Array]:
        return {key: array.copy() for key, array in self._observation.items()}

    def _fill_infos(self, infos: list[dict[str, Any]]) -> None:
        wire, names = self._wire, self.config.events
        if names and wire["event"].any():
            happened: dict[int, list[str]] = {}
            for index, column in np.argwhere(wire["event"]).tolist():
                happened.setdefault(index, []).append(names[column])
            for index, which in happened.items():
                infos[index]["events"] = tuple(which)
        for name in self._floats:
            for info, value in zip(infos, wire[f"report/{name}"].tolist(), strict=True):
                info[name] = value
        for name in self._texts:
            for info, text in zip(infos, wire[f"report/{name}"], strict=True):
                info[name] = _text(text)

    def _finish_infos(self, infos: list[dict[str, Any]]) -> None:
        wire = self._wire
        ended = np.flatnonzero(self._done).tolist()
        for index in ended:
            info = infos[index]
            info["terminal_observation"] = {key: array[index].copy() for key, array in self._terminal.items()}
            info["TimeLimit.truncated"] = bool(wire["truncated"][index])
            info["end_status"] = int(wire["status"][index])
            info["episode_seed"] = int(wire["ended_seed"][index])
            if "stats" in wire:
                info["stats"] = dict(zip(STATISTICS, wire["stats"][index].tolist(), strict=True))
            if self._backend.has_success:
                info["is_success"] = bool(wire["status"][index] == 2)
            self.reset_infos[index] = {}
        self._start_infos(ended)

    def _start_infos(self, which: Sequence[int] | range) -> None:
        for index in which:
            info = self.reset_infos[index]
            info["episode_seed"] = int(self._wire["seed"][index])
            for name in self._floats:
                info[name] = float(self._wire[f"start/{name}"][index])
            for name in self._texts:
                info[name] = _text(self._wire[f"start/{name}"][index])

    def seed(self, seed: int | None = None) -> list[int | None]:
        """See `BatchedVecEnv.seed`.

        Games in other processes draw their seeds there, so all are told.
        """
        if seed is not None:
            self._backend.set_seed(int(seed))
        return [seed] * self.num_envs

    def frame(self, index: int) -> Array:
        """The picture of one game, (376, 1264, 3) uint8."""
        return self._backend.frame(index)

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._backend.close()


def _text(data: Array) -> str:
    return data.tobytes().rstrip(b"\0").decode("utf-8", "replace")
