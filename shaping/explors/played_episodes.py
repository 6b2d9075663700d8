"""Episodes put together from the steps of several environments, and the newest of them kept."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from shaping.observation_features import Features
from shaping.transitions import BoolArray, FloatArray

IntArray = npt.NDArray[np.int64]
LONGEST_ROLLOUT = 4096  # vector steps that wait, should nobody take them
LONGEST_EPISODE = 20_000  # steps; of a longer one the last so many are kept


@dataclass(frozen=True, eq=False)
class PlayedEpisode:
    """One episode, or a piece of it.

    Attributes:
        features: of what was seen, (T, width), as they were then.
        actions: (T,).
        rewards: of the task, (T,).
        policies: π(·|s) as the agent acted then, (T, actions); (T, 0) where nobody asked.
    """

    features: Features
    actions: IntArray
    rewards: FloatArray
    policies: FloatArray

    def __len__(self) -> int:
        return len(self.rewards)

    def returns(self, gamma: float) -> FloatArray:
        """Ḡ: what the task pays from each step to the end, discounted, (T,)."""
        returns, later = np.empty(len(self)), 0.0
        for step in range(len(self) - 1, -1, -1):
            later = float(self.rewards[step]) + gamma * later
            returns[step] = later
        return returns

    def state_dict(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name).copy() for field in fields(self)}


def joined(pieces: Sequence[PlayedEpisode]) -> PlayedEpisode:
    """Pieces after each other; the last `LONGEST_EPISODE` steps of them."""
    return PlayedEpisode(
        *(
            np.concatenate([getattr(piece, field.name) for piece in pieces])[-LONGEST_EPISODE:]
            for field in fields(PlayedEpisode)
        )
    )


class PlayedEpisodes:
    """Takes steps in as they are made, and gives episodes out as they are over, in that order.

    An episode whose beginning was not seen, or that is left before its end, is forgotten.

    Args:
        n_envs: how many play.
        kept: D, how many finished episodes are kept, the newest.
    """

    def __init__(self, n_envs: int, kept: int) -> None:
        self.newest: deque[PlayedEpisode] = deque(maxlen=kept)
        """The kept episodes, oldest first."""
        self._begins = np.zeros(n_envs, bool)
        self._running: list[list[PlayedEpisode] | None] = [None] * n_envs  # None: its beginning was not seen
        self._steps: deque[tuple[Features, IntArray, FloatArray, BoolArray, BoolArray]] = deque(maxlen=LONGEST_ROLLOUT)
        self._lost = False

    def begin(self, mask: BoolArray) -> None:
        """Episodes start where ``mask`` (n_envs,) is true."""
        self._begins |= mask

    def add(self, features: Features, actions: IntArray, rewards: FloatArray, ended: BoolArray) -> None:
        """One step of all environments, each (n_envs, ...)."""
        self._lost |= len(self._steps) == LONGEST_ROLLOUT
        self._steps.append((features, actions, rewards, ended, self._begins))
        self._begins = np.zeros(len(ended), bool)

    def take(self, policies: FloatArray | None = None) -> Iterator[PlayedEpisode]:
        """Every episode that ended among the steps since the last call; each is in `newest` then.

        Args:
            policies: π(·|s) of these steps, (T, n_envs, actions).

        Raises:
            ValueError: policies are of another number of steps.
        """
        if not self._steps:
            return
        features, actions, rewards, ended, begins = (np.stack(column) for column in zip(*self._steps, strict=True))
        self._steps.clear()
        n_envs = ended.shape[1]
        if self._lost:
            self._running, self._lost = [None] * n_envs, False
        if policies is None:
            policies = np.zeros((*ended.shape, 0))
        if policies.shape[:2] != ended.shape:
            raise ValueError(f"there are policies of {policies.shape[:2]} steps, and steps of {ended.shape}")
        arrays: tuple[Any, ...] = (features, actions, rewards, policies)
        finished = []
        for env in range(n_envs):
            first = 0
            for stop in (*(np.flatnonzero(ended[:, env]) + 1).tolist(), len(ended)):
                started = np.flatnonzero(begins[first:stop, env])
                if len(started):
                    self._running[env] = []
                    first += int(started[-1])
                pieces = self._running[env]
                if pieces is not None and stop > first:
                    pieces.append(PlayedEpisode(*(array[first:stop, env] for array in arrays)))
                    if ended[stop - 1, env]:
                        finished.append((stop, env, joined(pieces)))
                    elif sum(map(len, pieces)) > 2 * LONGEST_EPISODE:
                        self._running[env] = [joined(pieces)]
                if stop > first and ended[stop - 1, env]:
                    self._running[env] = None
                first = stop
        for _, _, episode in sorted(finished, key=lambda entry: entry[:2]):
            self.newest.append(episode)
            yield episode

    def state_dict(self) -> dict[str, Any]:
        """The kept episodes. Those in play are not gone on with after a resume."""
        return {"newest": [episode.state_dict() for episode in self.newest]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.newest.clear()
        self.newest.extend(
            PlayedEpisode(**{name: np.array(array) for name, array in episode.items()}) for episode in state["newest"]
        )
