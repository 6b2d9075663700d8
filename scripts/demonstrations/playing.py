"""Lets somebody play and keeps every step: an agent of a run, or an expert of the environment."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from stable_baselines3.common.utils import set_random_seed
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper, VecMonitor
from stable_baselines3.common.vec_env.base_vec_env import VecEnvStepReturn

import envs
from agents import action_masks
from agents.players import BoolArray, Player, play
from envs.controllers import Expert
from foundation.demonstrations import Array, Demonstrations, Header, Observations
from foundation.naming import nearest
from scripts.running.run_directory import load_run

SCRIPTED = "scripted"
PACKAGES = ("gymnasium", "numpy", "stable-baselines3", "mujoco", "nle", "minihack", "rocketsim")
"""What a header tells the version of, where it is installed."""


class Recorder(VecEnvWrapper):
    """Keeps the steps of the first `quota` episodes of every row.

    It stands right over the environments' monitor: what is seen there is the environment's own
    observation, and what is paid the task's own reward.

    Args:
        venv: the environments.
        quota: episodes of each row.
    """

    def __init__(self, venv: VecEnv, quota: list[int]) -> None:
        super().__init__(venv)
        self._quota = quota
        self._running: list[list[tuple[Any, ...]]] = [[] for _ in quota]
        self._episodes: list[list[list[tuple[Any, ...]]]] = [[] for _ in quota]
        self._seen: Any = None
        self._actions: Any = None

    def reset(self) -> Any:
        self._seen = self.venv.reset()
        self._running = [[] for _ in self._quota]
        return self._seen

    def step_async(self, actions: Any) -> None:
        self._actions = np.array(actions)
        self.venv.step_async(actions)

    def step_wait(self) -> VecEnvStepReturn:
        result: Any = self.venv.step_wait()
        observations, rewards, dones, infos = result
        for row, quota in enumerate(self._quota):
            if len(self._episodes[row]) >= quota:
                continue
            over, late = bool(dones[row]), bool(infos[row].get("TimeLimit.truncated", False))
            after = infos[row]["terminal_observation"] if over else _row(observations, row)
            self._running[row].append(
                (_row(self._seen, row), self._actions[row], float(rewards[row]), after, over and not late, late)
            )
            if over:
                self._episodes[row].append(self._running[row])
                self._running[row] = []
        self._seen = observations
        return observations, rewards, dones, infos

    def demonstrations(self, header: Header) -> Demonstrations:
        """What was kept, row after row."""
        episodes = [episode for of_row in self._episodes for episode in of_row]
        seen, actions, rewards, after, terminated, truncated = zip(
            *(step for each in episodes for step in each), strict=True
        )
        return Demonstrations.from_steps(
            header,
            observations=stacked(seen),
            actions=np.stack(actions),
            rewards=np.array(rewards),
            next_observations=stacked(after),
            terminated=np.array(terminated),
            truncated=np.array(truncated),
            episode_starts=np.cumsum([0, *(len(each) for each in episodes[:-1])]),
        )


class ExpertPlayer(Player):
    """An expert of an environment as a player."""

    def __init__(self, expert: Expert, n_envs: int) -> None:
        super().__init__(None, n_envs)
        self._expert = expert

    def predict(self, observations: Any, state: Any, starts: BoolArray) -> tuple[Array, Any]:
        return self._expert(observations, starts), None


def play_expert(
    name: str, env_id: str, env_kwargs: Mapping[str, Any], episodes: int, *, n_envs: int, seed: int
) -> Demonstrations:
    """Episodes of an expert that needs no training.

    Args:
        name: of one of `envs.experts(env_id)`; "" for the best.
        env_id, env_kwargs: the environment.
        episodes: how many.
        n_envs: environments side by side, no more than `episodes` are made.
        seed: of the episodes, those that a run of this seed trains on; none that any is evaluated
            on.

    Raises:
        ValueError: there is no such expert; names those that there are.
    """
    known = envs.experts(env_id)
    if not known:
        raise ValueError(
            f"{env_id} has no scripted expert. Train an agent and give its run directory: "
            "python -m scripts.record_demonstrations RUN out=FILE.npz"
        )
    name = name or next(iter(known))
    if name not in known:
        raise ValueError(f"{env_id} has no expert {name!r}.{nearest(name, known)} It has {', '.join(known)}.")
    rows = _whole_arenas(min(n_envs, episodes), env_id, env_kwargs)
    recorder = Recorder(VecMonitor(envs.make_vec(env_id, rows, seed=seed, **env_kwargs)), _quota(episodes, rows))
    try:
        play(ExpertPlayer(known[name](recorder), rows), recorder, episodes)
        return recorder.demonstrations(_header(recorder, env_id, env_kwargs, f"scripted: {name}", seed))
    finally:
        recorder.close()


def play_run(
    run_dir: str | Path, episodes: int, *, n_envs: int, seed: int, deterministic: bool, trust: bool
) -> Demonstrations:
    """Episodes of a run's agent, in the run's own environment.

    What parts of its reward publish is seen by the agent, and not recorded: demonstrations hold the
    environment's own observations, and the task's own reward.

    Args:
        run_dir: a run directory with a checkpoint.
        episodes, n_envs, seed: see `play_expert`.
        deterministic: take the likeliest action instead of sampling.
        trust: let the run execute code; see `load_run`.

    Raises:
        Untrusted, FileNotFoundError, ValueError: see `load_run`.
    """
    run = load_run(run_dir, trust=trust)
    env = run.config.env
    model = run.load_agent()
    stack = run.experiment().build_env(
        split="train", n_envs=min(n_envs, episodes), workers=0, seed=seed, publishing_only=True
    )
    try:
        stack.load_learned(run.state()["shaping"])
        recorder = Recorder(stack.venv, _quota(episodes, stack.num_envs))
        stack.venv = recorder
        set_random_seed(seed)
        player = run.agent.player(model, stack.num_envs, deterministic=deterministic, masks=action_masks(stack))
        play(player, stack, episodes)
        words = f"{run.choices['agent']} after {int(model.num_timesteps)} steps"
        return recorder.demonstrations(_header(recorder, env.id, env.kwargs, words, seed))
    finally:
        stack.close()


def stacked(rows: Any) -> Observations:
    """Observations of single steps as arrays (steps, ...)."""
    if isinstance(rows[0], dict):
        return {key: np.stack([row[key] for row in rows]) for key in rows[0]}
    return np.stack(rows)


def canonical(env_id: str) -> str:
    """The gymnasium id of an environment. Raises ValueError for one that nobody knows."""
    return envs.describe(env_id).id


def versions() -> dict[str, str]:
    """Package -> version, of what episodes may hang on."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _header(venv: VecEnv, env_id: str, env_kwargs: Mapping[str, Any], source: str, seed: int) -> Header:
    return Header.of(
        canonical(env_id),
        venv.observation_space,
        venv.action_space,
        env_kwargs=dict(env_kwargs),
        source=source,
        seed=seed,
        versions=versions(),
    )


def _quota(episodes: int, rows: int) -> list[int]:
    """How many episodes each row plays; as `play` has it."""
    return [(episodes + index) // rows for index in range(rows)]


def _whole_arenas(rows: int, env_id: str, env_kwargs: Mapping[str, Any]) -> int:
    together = envs.rows_together(env_id, **env_kwargs)
    return -(-rows // together) * together


def _row(observations: Any, row: int) -> Any:
    if isinstance(observations, dict):
        return {key: array[row] for key, array in observations.items()}
    return observations[row]
