"""Who drives cars that are no rows: the interface of bots, and agents that were trained and learn no more."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from envs.rocket.actions import ACTIONS
from envs.rocket.observations import OBSERVATIONS, STEP_SECONDS
from envs.rocket.states import MatchStates
from envs.typing import Array, IntArray

Controls = npt.NDArray[np.float32]


class Driver(ABC):
    """Drives some cars of every arena. `begin` and `acted` are told to all drivers; most need neither."""

    @abstractmethod
    def __call__(self, states: MatchStates, cars: IntArray, time_left: Array) -> Controls:
        """Controls (K, len(cars), 8) for these cars. ``time_left``: (K,) share of the episode's time, 1 to 0."""

    def begin(self, arenas: IntArray) -> None:  # noqa: B027 - optional
        """Episodes begin in these arenas."""

    def acted(self, controls: Controls) -> None:  # noqa: B027 - optional
        """All cars do this (K, N, 8) in the step that comes."""


class FrozenAgent(Driver):
    """An agent from its file, which plays with sampled actions.

    Args:
        path: an SB3 checkpoint (.zip) of PPO, MaskablePPO, A2C, DQN or a subclass.
        observation, actions: what it was trained with: names in `OBSERVATIONS` and `ACTIONS`.
        n_arenas, orange: K, and which cars are orange (N,).
        step_seconds: between two decisions.

    Raises:
        ValueError: the file holds no such agent, or one that saw or did something else.
    """

    def __init__(
        self,
        path: str | Path,
        observation: str,
        actions: str,
        n_arenas: int,
        orange: npt.NDArray[np.bool_],
        step_seconds: float = STEP_SECONDS,
    ) -> None:
        self._observer = OBSERVATIONS[observation](n_arenas, orange, step_seconds)
        self._parser = ACTIONS[actions]()
        self._agent = _load(path)
        for what, theirs, ours in (
            ("observation", self._agent.observation_space, self._observer.space),
            ("actions", self._agent.action_space, self._parser.space),
        ):
            if theirs.shape != ours.shape or getattr(theirs, "n", None) != getattr(ours, "n", None):
                name = observation if what == "observation" else actions
                raise ValueError(f"{path}: it was trained with {what} {theirs}, and {what}={name} is {ours}")

    def __call__(self, states: MatchStates, cars: IntArray, time_left: Array) -> Controls:
        observed = self._observer(states, time_left)[:, cars]
        actions, _ = self._agent.predict(observed.reshape(-1, *observed.shape[2:]), deterministic=False)
        return self._parser(actions).reshape(*observed.shape[:2], 8)

    def begin(self, arenas: IntArray) -> None:
        self._observer.begin(arenas)

    def acted(self, controls: Controls) -> None:
        self._observer.acted(controls)


def _load(path: str | Path) -> Any:
    from sb3_contrib import MaskablePPO
    from stable_baselines3 import A2C, DQN, PPO

    for algorithm in (PPO, MaskablePPO, A2C, DQN):  # the file does not say which one wrote it
        with contextlib.suppress(Exception):
            return algorithm.load(path, device="cpu")
    raise ValueError(f"{path}: it holds no agent of PPO, MaskablePPO, A2C or DQN")
