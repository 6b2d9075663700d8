"""What happened: one step of all environments, and the steps since the last update."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
Array = npt.NDArray[Any]
Observations = Array | dict[str, Array]
"""One array (n_envs, ...), or a dict of them where the observation space is a Dict."""
Info = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Transitions:
    """One step of ``n_envs`` environments; the first axis of every array is the environment.

    ``next_observations`` holds the true successor, also where an episode ended (vector environments
    reset by themselves and hide it). ``terminated`` (the task ended) and ``truncated`` (time ran
    out) are never both true. Arrays belong to nobody's buffer: they may be kept, and must not be
    written to.
    """

    observations: Observations
    actions: Array  # (n_envs,) or (n_envs, action_dim)
    rewards: FloatArray  # (n_envs,), the task's own
    next_observations: Observations
    terminated: BoolArray  # (n_envs,)
    truncated: BoolArray  # (n_envs,)
    infos: Sequence[Info]

    def __len__(self) -> int:
        return len(self.rewards)


class Rollout(Sequence[Transitions]):
    """The transitions since the last update, oldest first, kept by reference.

    ``first`` is the number of the oldest: vector steps since the `Shaper` was made.
    """

    def __init__(self, transitions: Iterable[Transitions], first: int = 0) -> None:
        self._transitions = list(transitions)
        self.first = first

    def __len__(self) -> int:
        return len(self._transitions)

    def __getitem__(self, index: Any) -> Any:
        return self._transitions[index]

    def __iter__(self) -> Iterator[Transitions]:
        return iter(self._transitions)

    def stack(self, field: str, key: str | None = None) -> Array:
        """One array (T, n_envs, ...) of a field of `Transitions`.

        ``key`` names the entry of a dict observation.

        Raises:
            ValueError: no such field, or ``key`` missing, superfluous or unknown.
        """
        if field not in Transitions.__slots__ or field == "infos":
            arrays = ", ".join(name for name in Transitions.__slots__ if name != "infos")
            raise ValueError(f"cannot stack {field!r}; arrays of a rollout are {arrays}")
        if not self._transitions:
            raise ValueError("this rollout is empty: there is nothing to stack")
        values = [getattr(batch, field) for batch in self._transitions]
        if isinstance(values[0], dict):
            if key not in values[0]:
                raise ValueError(f"{field} has no entry {key!r}; it has {', '.join(values[0])}")
            values = [value[key] for value in values]
        elif key is not None:
            raise ValueError(f"{field} is one array here, so it has no entry {key!r}")
        return np.stack(values)

    def flat(self, field: str) -> Observations:
        """The rows of all steps below each other, (T · n_envs, ...); a dict stays one.

        Raises:
            ValueError: see `stack`.
        """
        first = getattr(self[0], field) if len(self) and field in Transitions.__slots__ else None
        if isinstance(first, dict):
            return {key: np.concatenate([getattr(batch, field)[key] for batch in self]) for key in first}
        stacked = self.stack(field)
        return stacked.reshape(-1, *stacked.shape[2:])
