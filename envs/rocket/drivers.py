"""Who drives cars that are no rows: the interface of bots, and players that learn no more."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from envs.rocket.actions import ACTIONS
from envs.rocket.observations import OBSERVATIONS
from envs.rocket.saved_policy import SavedPolicy
from envs.rocket.simulator import TICK_SKIP, TICKS_PER_SECOND
from envs.rocket.states import MatchStates
from envs.typing import Array, BoolArray, IntArray

Controls = npt.NDArray[np.float32]
Player = Callable[[Array, BoolArray, BoolArray], Array]
"""(observations (rows, ...), which rows begin an episode (rows,), which actions are of use (rows,
actions)) -> actions (rows, ...)."""


class Driver(ABC):
    """Drives some cars of every arena. `begin` and `acted` tell every driver; most need neither."""

    tick_skip: int | None = None
    """Physics ticks between its decisions; None: as often as it is asked."""

    @abstractmethod
    def __call__(self, states: MatchStates, cars: IntArray, time_left: Array) -> Controls:
        """Controls (K, len(cars), 8) for these cars.

        Args:
            states: of all cars.
            cars: which to drive.
            time_left: (K,) share of the episode's time, 1 to 0.
        """

    def begin(self, arenas: IntArray, seeds: IntArray) -> None:  # noqa: B027 - optional
        """Episodes of these seeds begin in these arenas; what is random hangs on the seed."""

    def acted(self, controls: Controls) -> None:  # noqa: B027 - optional
        """All cars do this (K, N, 8) in the step that comes."""


class PlayerDriver(Driver):
    """Drives cars with any player: shows it what they observe, and does what it answers.

    A row of the player is a car; rows go arena by arena.

    Args:
        player: see `Player`.
        observation, actions: what it sees and does: names in `OBSERVATIONS` and `ACTIONS`.
        n_arenas, orange: K, and which cars are orange (N,).
        tick_skip: physics ticks between two decisions.
    """

    def __init__(
        self,
        player: Player,
        observation: str,
        actions: str,
        n_arenas: int,
        orange: BoolArray,
        tick_skip: int = TICK_SKIP,
    ) -> None:
        self.tick_skip = tick_skip
        self._player = player
        self._observer = OBSERVATIONS[observation](n_arenas, orange, tick_skip / TICKS_PER_SECOND)
        self._parser = ACTIONS[actions]()
        self._begins = np.ones(n_arenas, np.bool_)

    def __call__(self, states: MatchStates, cars: IntArray, time_left: Array) -> Controls:
        observed = self._observer(states, time_left)[:, cars]
        rows = observed.reshape(-1, *observed.shape[2:])
        actions = self._player(rows, np.repeat(self._begins, len(cars)), self._masks(states, cars))
        self._begins[:] = False
        return self._parser(actions).reshape(*observed.shape[:2], 8)

    def _masks(self, states: MatchStates, cars: IntArray) -> BoolArray:
        # an environment whose observation needs no flips does not read them, and its masks neither
        flips = states.has_flip if self._observer.reads_flips else states.on_ground
        ground, boost, flip = (array[:, cars].reshape(-1) for array in (states.on_ground, states.boost, flips))
        return self._parser.masks(ground, boost, flip)

    def begin(self, arenas: IntArray, seeds: IntArray) -> None:
        self._begins[arenas] = True
        self._observer.begin(arenas)

    def acted(self, controls: Controls) -> None:
        self._observer.acted(controls)


class FrozenAgent(PlayerDriver):
    """An agent from its file, which plays with sampled actions; see `SavedPolicy` and
    `PlayerDriver`.

    Args:
        path: a checkpoint of any of SB3's algorithms (.zip).
        trust: see `SavedPolicy`.

    Raises:
        ValueError: the file holds no agent, or one that saw or did something else.
    """

    def __init__(
        self,
        path: str | Path,
        observation: str,
        actions: str,
        n_arenas: int,
        orange: BoolArray,
        tick_skip: int = TICK_SKIP,
        trust: bool = False,
    ) -> None:
        policy = SavedPolicy(path, trust=trust)
        super().__init__(policy, observation, actions, n_arenas, orange, tick_skip)
        for what, name, theirs, ours in (
            ("observation", observation, policy.observation_space, self._observer.space),
            ("actions", actions, policy.action_space, self._parser.space),
        ):
            if theirs.shape != ours.shape or getattr(theirs, "n", None) != getattr(ours, "n", None):
                raise ValueError(f"{path}: it was trained with {what} {theirs}, and {what}={name} is {ours}")
        self._n_arenas, self._saved = n_arenas, policy

    def begin(self, arenas: IntArray, seeds: IntArray) -> None:
        super().begin(arenas, seeds)
        if len(arenas) == self._n_arenas:  # one stream of actions serves all arenas
            self._saved.seed(int(seeds[0]))
