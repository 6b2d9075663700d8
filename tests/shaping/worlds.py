"""Small worlds with known answers."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv, VecEnvWrapper

from foundation.demonstrations import Demonstrations, Header
from foundation.plain_state import read_state, write_state
from foundation.tabular_mdp import TabularMDP


class Corridor(gymnasium.Env[Any, Any]):
    """Cells 0..length-1, from 0. Action 1 walks right, 0 left. 1 and termination at the last cell.

    ``info``: "distance" to the last cell in [0, 1]; "events": "left_start" when cell 1 is entered,
    "middle" at length // 2; "message": "You reach cell k." where a step changes the cell, else "";
    "reward_channels": "right" is 1 for action 1, else -1, and "moved" 1 where a step changes the
    cell, else not there.
    With ``limit``, time runs out after so many steps.
    """

    def __init__(self, length: int = 6, limit: int | None = None, dictionary: bool = False) -> None:
        self.length, self.limit, self.dictionary = length, limit, dictionary
        box = spaces.Box(0.0, 1.0, (length,), np.float32)
        self.observation_space = (
            spaces.Dict({"cells": box, "where": spaces.Box(0.0, 1.0, (1,), np.float32)}) if dictionary else box
        )
        self.action_space = spaces.Discrete(2)

    def _observe(self) -> Any:
        cells = np.zeros(self.length, np.float32)
        cells[self.cell] = 1.0
        if not self.dictionary:
            return cells
        return {"cells": cells, "where": np.array([self.cell / (self.length - 1)], np.float32)}

    def _info(self) -> dict[str, Any]:
        return {"distance": 1.0 - self.cell / (self.length - 1)}

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.cell, self.steps = 0, 0
        return self._observe(), self._info() | {"message": ""}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        before, self.cell = self.cell, max(0, self.cell + (1 if int(action) == 1 else -1))
        self.steps += 1
        terminated = self.cell == self.length - 1
        truncated = self.limit is not None and self.steps >= self.limit
        info = self._info() | {"message": f"You reach cell {self.cell}." if self.cell != before else ""}
        info["reward_channels"] = {"right": 1.0 if int(action) == 1 else -1.0}
        if self.cell != before:
            info["reward_channels"]["moved"] = 1.0
        events = tuple(
            name
            for name, cell in (("left_start", 1), ("middle", self.length // 2))
            if self.cell == cell and int(action) == 1
        )
        if events:
            info["events"] = events
        return self._observe(), float(terminated), terminated, truncated, info


def corridors(n: int, **arguments: Any) -> DummyVecEnv:
    return DummyVecEnv([lambda: Corridor(**arguments) for _ in range(n)])


def walks(dictionary: bool = False, length: int = 5) -> Demonstrations:
    """Two episodes of who walks right through the corridor."""
    steps = 2 * (length - 1)
    cells = np.eye(length, dtype=np.float32)[np.arange(steps) % (length - 1)]
    after = np.eye(length, dtype=np.float32)[np.arange(steps) % (length - 1) + 1]
    over = np.arange(steps) % (length - 1) == length - 2
    env = Corridor(length, dictionary=dictionary)

    def seen(rows: Any) -> Any:
        where = (rows.argmax(axis=1)[:, None] / (length - 1)).astype(np.float32)
        return {"cells": rows, "where": where} if dictionary else rows

    return Demonstrations.from_steps(
        Header.of("corridor", env.observation_space, env.action_space),
        observations=seen(cells),
        actions=np.ones(steps, np.int64),
        rewards=over.astype(np.float64),
        next_observations=seen(after),
        terminated=over,
        truncated=np.zeros(steps, np.bool_),
    )


def situation(n: int = 1, arenas: int = 1, **arrays: Any) -> Any:
    """A situation for kinesthetic rewards: cars behind the resting ball, or as the arrays say."""
    states: dict[str, Any] = {
        "ball_position": np.tile([0.0, 0.0, 93.0], (arenas, 1)),
        "ball_velocity": np.zeros((arenas, 3)),
        "car_position": np.tile([0.0, -1000.0, 17.0], (arenas, n, 1)),
        "car_velocity": np.zeros((arenas, n, 3)),
        "car_forward": np.tile([0.0, 1.0, 0.0], (arenas, n, 1)),
        "boost": np.full((arenas, n), 0.25),
        "on_ground": np.ones((arenas, n), bool),
        "demolished": np.zeros((arenas, n), bool),
        "touched": np.zeros((arenas, n), bool),
        "orange": np.arange(n) >= (n + 1) // 2,
        "rows": np.ones(n, bool),
        "events": {},
    }
    names = ("goal", "team_goal", "concede", "touch", "shot", "save", "demo", "demoed")
    for name, value in arrays.items():
        if name != "events":
            states[name] = np.broadcast_to(np.asarray(value, states[name].dtype), states[name].shape)
    given = arrays.get("events", {})
    states["events"] = {e: np.broadcast_to(np.asarray(given.get(e, 0.0)), (arenas, n)) for e in names}
    return SimpleNamespace(**states)


class Driven(VecEnvWrapper):
    """Reports every row as an arena's car: its way to the ball is a corridor's distance to go."""

    def reset(self) -> Any:
        observations = self.venv.reset()
        self.reset_infos = self.venv.reset_infos
        self._tell(self.reset_infos)
        return observations

    def step_wait(self) -> Any:
        observations, rewards, dones, infos = self.venv.step_wait()
        self._tell(infos)
        self._tell(self.venv.reset_infos)
        return observations, rewards, dones, infos

    def _tell(self, infos: Any) -> None:
        cars = np.zeros((1, self.num_envs, 3))
        cars[0, :, 1] = [-2000.0 * info["distance"] - 200.0 for info in infos]
        states = situation(self.num_envs, car_position=cars, orange=np.zeros(self.num_envs, bool))
        for info in infos:
            info["states"] = states

    @property
    def unwrapped(self) -> VecEnv:
        return self.venv.unwrapped


def driven(n: int, **arguments: Any) -> Driven:
    return Driven(corridors(n, **arguments))


def corridor_table(length: int, gamma: float = 0.9) -> TabularMDP:
    """A corridor as a table: the last cell absorbs, and the step onto it pays 1."""
    transitions, rewards = np.zeros((length, 2, length)), np.zeros((length, 2))
    for cell in range(length - 1):
        transitions[cell, 0, max(0, cell - 1)] = transitions[cell, 1, cell + 1] = 1.0
    transitions[-1, :, -1] = 1.0
    rewards[-2, 1] = 1.0
    places = (*((cell, 0) for cell in range(length - 1)), None)
    return TabularMDP(transitions, rewards, gamma, np.eye(length)[0], (length - 1,), places)


class Tabled(VecEnvWrapper):
    """Corridors whose observation is the cell's number, and which report their table."""

    def __init__(self, venv: VecEnv, length: int) -> None:
        super().__init__(venv, observation_space=spaces.Discrete(length))
        self.mdp = corridor_table(length)

    def reset(self) -> Any:
        observations = self.venv.reset().argmax(axis=1)
        self.reset_infos = self.venv.reset_infos
        self._tell(self.reset_infos)
        return observations

    def step_wait(self) -> Any:
        observations, rewards, dones, infos = self.venv.step_wait()
        for info in infos:
            if "terminal_observation" in info:
                info["terminal_observation"] = info["terminal_observation"].argmax()
        self._tell(infos)
        self._tell(self.venv.reset_infos)
        return observations.argmax(axis=1), rewards, dones, infos

    def _tell(self, infos: Any) -> None:
        for info in infos:
            info["mdp"] = self.mdp

    @property
    def unwrapped(self) -> VecEnv:
        return self.venv.unwrapped


def tabled(n: int, length: int, dictionary: bool = False, **arguments: Any) -> Tabled:
    """Of numbers, whatever `dictionary` says: a table's states have no entries."""
    return Tabled(corridors(n, length=length, **arguments), length)


class Sending(VecEnvWrapper):
    """Corridors in which every row has one of three messages, as senders of coding games do."""

    MESSAGES = 3

    def __init__(self, venv: VecEnv) -> None:
        seen = spaces.Dict({"observation": venv.observation_space, "message": spaces.Discrete(self.MESSAGES)})
        super().__init__(venv, observation_space=seen)
        self.sent = np.arange(venv.num_envs) % self.MESSAGES

    def reset(self) -> Any:
        observations = self.venv.reset()
        self.reset_infos = self.venv.reset_infos
        self._tell()
        return self._seen(observations)

    def step_wait(self) -> Any:
        observations, rewards, dones, infos = self.venv.step_wait()
        for row, info in enumerate(infos):
            info["coding_game"] = {**self._told(row), "executed_action": int(self.venv.actions[row])}
        for row in np.flatnonzero(dones):
            infos[row]["terminal_observation"] = {
                "observation": infos[row]["terminal_observation"],
                "message": self.sent[row],
            }
        self._tell()
        return self._seen(observations), rewards, dones, infos

    def _tell(self) -> None:
        for row, info in enumerate(self.venv.reset_infos):
            info["coding_game"] = self._told(row)

    def _told(self, row: int) -> dict[str, Any]:
        return {"message": int(self.sent[row]), "prior": np.array([0.2, 0.5, 0.3]), "noise": 0.1}

    def _seen(self, observations: Any) -> dict[str, Any]:
        return {"observation": observations, "message": self.sent.copy()}

    @property
    def unwrapped(self) -> VecEnv:
        return self.venv.unwrapped


def sending(n: int, dictionary: bool = False, **arguments: Any) -> Sending:
    """Always with named observations, whatever `dictionary` says: a message is one of them."""
    return Sending(corridors(n, **arguments))


def through_a_file(state: Any, folder: Path) -> Any:
    """A state as a resume gets it: from a file that torch reads with ``weights_only=True``."""
    write_state(state, folder / "state.pt")
    torch.load(folder / "state.pt", weights_only=True)
    return read_state(folder / "state.pt")
