"""NetHackVecEnv: the fast path as an SB3 vector environment, in this process or over worker processes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from gymnasium import spaces
from stable_baselines3.common.vec_env.base_vec_env import VecEnv, VecEnvIndices, VecEnvStepReturn

from envs.nethack.batch import FLOAT_REPORTS, TEXT_REPORTS, BatchConfig, GameBatch
from envs.nethack.kernels import out_of_range
from envs.nethack.statistics import STATISTICS
from envs.nethack.workers import WorkerPool
from envs.typing import Array, IntArray


class Backend(Protocol):
    """Where the games live: a `GameBatch` in this process or a `WorkerPool`. Results lie in `wire`."""

    @property
    def wire(self) -> Mapping[str, Array]: ...
    @property
    def n_actions(self) -> int: ...
    @property
    def has_success(self) -> bool: ...
    def reset(self) -> None: ...
    def step(self, actions: IntArray) -> None: ...
    def episodes(self) -> IntArray: ...
    def set_episodes(self, episodes: IntArray) -> None: ...
    def set_seed(self, seed: int) -> None: ...
    def frame(self, index: int) -> Array: ...
    def close(self) -> None: ...


class NetHackVecEnv(VecEnv):
    """`n_envs` NetHack or MiniHack games behind SB3's vector interface.

    Observations are fresh arrays at every step. A time limit is `TimeLimit.truncated`; the last observation of an
    episode is the
    last screen of the living game. `infos[i]` holds what `config.report` names and, on an episode's last step,
    `terminal_observation`,
    `end_status` (-1 limit, 1 death, 2 success), `episode_seed`, `stats` if they are reported (see
    `envs.nethack.statistics`) and, where the task knows success, `is_success`.

    Args:
        config: the task and what to report.
        n_envs: how many games.
        workers: 0 plays in this process; k >= 1 spreads the games over it and k more, which share memory.
        render_mode: "rgb_array" or None.

    Raises:
        ValueError: for an impossible configuration.
        NetHackError: from `step_wait`, when a game or its worker dies: names the environment, its seed and last action.
    """

    def __init__(self, config: BatchConfig, n_envs: int, *, workers: int = 0, render_mode: str | None = None) -> None:
        if n_envs < 1:
            raise ValueError(f"n_envs is {n_envs}; at least one environment is needed")
        if not 0 <= workers < n_envs:
            raise ValueError(
                f"workers is {workers}; it must lie between 0 (this process alone) and n_envs - 1 = {n_envs - 1}"
            )
        if render_mode not in (None, "rgb_array"):
            raise ValueError(f'render_mode is {render_mode!r}; NetHack renders "rgb_array" or nothing (None)')
        self.config = config
        self.render_mode = render_mode
        self._backend: Backend
        self._backend = WorkerPool(config, n_envs, workers) if workers else GameBatch(config, config.allocate(n_envs))
        wire = self._backend.wire
        super().__init__(n_envs, config.layout.space(), spaces.Discrete(self._backend.n_actions))
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

    def reset(self) -> dict[str, Array]:
        """Start new episodes everywhere and return their first observations; their infos are in `reset_infos`."""
        if any(seed is not None for seed in self._seeds):
            self.seed(next(seed for seed in self._seeds if seed is not None))
            self._reset_seeds()
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

    # Seeds and state -----------------------------------------------------------------------------------------------

    def seed(self, seed: int | None = None) -> list[int | None]:
        """Restart the stream of episode seeds from `seed` at the next reset; None leaves it as it is."""
        if seed is not None:
            self._backend.set_seed(int(seed))
        return [seed] * self.num_envs

    def state_dict(self) -> dict[str, Any]:
        """Where the stream of episode seeds stands: the episodes in play count as begun, and are not continued."""
        return {"episodes": self._backend.episodes()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on in the stream of episode seeds; takes effect at the next reset.

        Raises:
            ValueError: for another number of environments.
        """
        episodes = np.asarray(state["episodes"], np.int64)
        if episodes.shape != (self.num_envs,):
            raise ValueError(f"the state is of {len(episodes)} environments, these are {self.num_envs}")
        self._backend.set_episodes(episodes)

    # The rest of SB3's interface -----------------------------------------------------------------------------------

    def get_images(self) -> Sequence[Array | None]:
        if self.render_mode != "rgb_array":
            return [None] * self.num_envs
        return [self._backend.frame(index) for index in range(self.num_envs)]

    def render(self, mode: str | None = None) -> Array | None:
        """The picture of the first game (height, width, 3) uint8, or None without render_mode="rgb_array"."""
        return self._backend.frame(0) if self.render_mode == "rgb_array" else None

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._backend.close()

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """The same attribute of this object for every environment: the games have none of their own."""
        return [getattr(self, attr_name)] * len(list(self._get_indices(indices)))

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        setattr(self, attr_name, value)

    def has_attr(self, attr_name: str) -> bool:
        return hasattr(self, attr_name)

    def env_method(self, method_name: str, *args: Any, indices: VecEnvIndices = None, **kwargs: Any) -> list[Any]:
        raise AttributeError(f"the games of a NetHackVecEnv have no methods of their own, so no {method_name!r}")

    def env_is_wrapped(self, wrapper_class: type, indices: VecEnvIndices = None) -> list[bool]:
        return [False] * len(list(self._get_indices(indices)))


def _text(data: Array) -> str:
    return data.tobytes().rstrip(b"\0").decode("utf-8", "replace")
