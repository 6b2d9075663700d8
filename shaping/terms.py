"""The one interface: a reward term turns a batch of transitions into one float per environment."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from foundation.registry import Registry

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
Array = npt.NDArray[Any]
Observations = Array | dict[str, Array]
"""One array (n_envs, ...), or a dict of them where the environment's observation space is a Dict."""
Info = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Transitions:
    """One step of ``n_envs`` environments; the first axis of every array is the environment.

    ``next_observations`` holds the true successor, also where an episode ended (vector environments reset by
    themselves and hide it). ``terminated`` (the task ended) and ``truncated`` (time ran out) are never both true.
    Arrays belong to nobody's buffer: they may be kept, and must not be written to.
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


@dataclass(frozen=True)
class Setting:
    """What a term is told once, before the first reset."""

    n_envs: int
    observation_space: spaces.Space[Any]  # of one environment, without what terms publish
    action_space: spaces.Space[Any]
    gamma: float  # the agent's own discount
    seed: int  # this term's own: terms of one experiment draw from unrelated streams
    folder: Path | None = None  # where it may keep files that people read and edit; need not exist yet. None: nowhere


class Rollout(Sequence[Transitions]):
    """The transitions since the last update, oldest first, kept by reference."""

    def __init__(self, transitions: Iterable[Transitions]) -> None:
        self._transitions = list(transitions)

    def __len__(self) -> int:
        return len(self._transitions)

    def __getitem__(self, index: Any) -> Any:
        return self._transitions[index]

    def __iter__(self) -> Iterator[Transitions]:
        return iter(self._transitions)

    def stack(self, field: str, key: str | None = None) -> Array:
        """One array (T, n_envs, ...) of a field of `Transitions`; ``key`` names the entry of a dict observation.

        Raises:
            ValueError: no such field, or ``key`` missing, superfluous or unknown.
        """
        if field not in Transitions.__slots__ or field == "infos":
            known = ", ".join(name for name in Transitions.__slots__ if name != "infos")
            raise ValueError(f"cannot stack {field!r}; arrays of a rollout are {known}")
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


class RewardTerm(ABC):
    """A source of reward. Subclasses implement ``__call__``; everything else has a default.

    The constructor's arguments are the term's configuration: give each a type and a default, and
    ``@register_term("name")`` makes ``shaping=name`` exist. What depends on the environment belongs in `bind`.

    >>> class Haste(RewardTerm):
    ...     def __init__(self, fine: float = 0.01) -> None:
    ...         self.fine = fine
    ...
    ...     def __call__(self, batch):
    ...         return np.full(len(batch), -self.fine)
    """

    name: str = ""
    """Its name in the experiment; the registered one unless the experiment says otherwise."""

    requires: frozenset[str] = frozenset()
    """Names of the info entries it reads; the environment is asked to report them."""

    observation_space: spaces.Box | None = None
    """The space of what it publishes to the agent, known after `bind`; None: nothing."""

    registered_name: ClassVar[str] = ""

    def bind(self, setting: Setting) -> None:  # noqa: B027 - optional
        """Once, before the first reset. Raises ValueError on a setting in which the term cannot work."""

    def reset(self, observations: Observations, infos: Sequence[Info], mask: BoolArray) -> None:  # noqa: B027
        """Episodes start where ``mask`` (n_envs,) is true; other rows of the arguments mean nothing."""

    @abstractmethod
    def __call__(self, batch: Transitions) -> FloatArray:
        """The rewards (n_envs,) of one step, before transforms and weights."""

    def update(self, rollout: Rollout) -> Mapping[str, float]:
        """Learned terms: one training step on what happened since the last one. Returns its metrics."""
        return {}

    reads_rollout: bool = True
    """Does `update` read the rollout? Where no term does, its metrics alone being wanted, none is kept."""

    relabels: bool = False
    """Does it score a rollout again at its end? Then `relabel` is asked for after `update`."""

    def relabel(self) -> FloatArray | None:
        """(T, n_envs): what each step since the last call would be paid now less what it was paid; None: nothing."""
        return None

    def observe(self) -> Array:
        """What it publishes now, (n_envs, *observation_space.shape); asked only if it has an observation space.

        Asked twice where an episode ends: after the last step, for the terminal observation, and after the reset.
        """
        raise NotImplementedError(f"{type(self).__name__} has an observation_space, so it must define observe()")

    def state_dict(self) -> dict[str, Any]:
        """Everything a resume needs: numbers, arrays, tensors, and dicts and lists of them."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:  # noqa: B027
        """Take over what `state_dict` gave, after `bind`."""

    def close(self) -> None:  # noqa: B027
        """Let go of threads, processes and connections, also before `bind`."""


registry: Registry[RewardTerm] = Registry("reward term", "shaping")
"""Reward terms by name."""


class RewardTermError(ValueError):
    """A term, transform or combiner gave something that must not be trained on. Says which, and at what step."""


def reported(infos: Sequence[Info], entry: str, mask: BoolArray | None = None) -> FloatArray:
    """The numbers (n_envs,) that the environment reports as ``info[entry]``; 0 where ``mask`` is false.

    Raises:
        RewardTermError: an environment does not report it.
    """
    try:
        if mask is None:
            return np.fromiter([info[entry] for info in infos], np.float64, len(infos))
        return np.fromiter([info[entry] if row else 0.0 for info, row in zip(infos, mask, strict=True)], np.float64)
    except KeyError:
        raise RewardTermError(
            f"the environment reports no info entry {entry!r}; ask it to with report=[{entry!r}] when it is made "
            "(scripts.train does so for every entry a term requires), or choose another environment"
        ) from None
