"""What reward terms, transforms, combiners and episode transforms have in common."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from gymnasium import spaces

from foundation.naming import nearest
from shaping.learner import Learner
from shaping.transitions import Array, BoolArray, Info, Observations, Rollout

TASK = "task"
"""The name of the task's own reward among the signals."""


@dataclass(frozen=True)
class Setting:
    """What a part is told once, before the first reset."""

    n_envs: int
    observation_space: spaces.Space[Any]  # of one environment, without what parts publish
    action_space: spaces.Space[Any]
    gamma: float  # the agent's own discount
    seed: int  # this part's own: parts of one experiment draw from unrelated streams
    folder: Path | None = None  # where it may keep files that people read and edit; need not exist yet. None: nowhere
    signals: tuple[str, ...] = (TASK,)  # "task", then "name" of every term, or "name/channel" of each of its channels
    bootstraps: bool = True  # does the agent go on with V(s') where time ran out, as SB3's do?

    def no_more(self, terminated: BoolArray, truncated: BoolArray) -> BoolArray:
        """Where nothing follows, to the agent, so that a potential of what follows is 0."""
        return terminated if self.bootstraps else terminated | truncated


class Part(ABC):  # noqa: B024 - what a part does is its kind's to say
    """A piece of the reward: it may read infos, publish to the agent, learn, and keep a state.

    What it does with rewards is its kind's `__call__`. Everything here has a default. A constructor
    takes the part's configuration alone; what depends on the environment belongs in `bind`.
    """

    name: str = ""
    """What errors call it: the registered name; for a term, its name in the experiment."""

    registered_name: ClassVar[str] = ""

    requires: frozenset[str] = frozenset()
    """Names of the info entries it reads; the environment is asked to report them."""

    observation_space: spaces.Box | None = None
    """The space of what it publishes to the agent, known after `bind`; None: nothing."""

    reads_rollout: bool = True
    """Does `update` read the rollout? Where no part does, none is kept."""

    reads_policy: bool = False
    """Does it ask the agent how it acts? Then `meet` is called before training."""

    def bind(self, setting: Setting) -> None:  # noqa: B027 - optional
        """Once, before the first reset. Raises ValueError on a setting in which it cannot work."""

    def reset(self, observations: Observations, infos: Sequence[Info], mask: BoolArray) -> None:  # noqa: B027
        """Episodes start where ``mask`` (n_envs,) is true; other rows mean nothing."""

    def observe(self) -> Array:
        """What it publishes now, (n_envs, *observation_space.shape).

        Asked only if it has an observation space, twice where an episode ends: after the last step,
        for the terminal observation, and after the reset.
        """
        raise NotImplementedError(f"{type(self).__name__} has an observation_space, so it must define observe()")

    def meet(self, learner: Learner) -> None:  # noqa: B027 - optional
        """Training begins, with this agent. Raises ValueError where it cannot work with it."""

    def update(self, rollout: Rollout) -> Mapping[str, float]:
        """One training step on what happened since the last one. Returns metrics."""
        return {}

    @property
    def learns(self) -> bool:
        """Does it define `update`?"""
        return type(self).update is not Part.update

    def state_dict(self) -> dict[str, Any]:
        """Everything a resume needs: numbers, arrays, tensors, and dicts and lists of them."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:  # noqa: B027
        """Take over what `state_dict` gave, after `bind`."""

    def closing_remark(self) -> str | None:
        """What whoever reads the run's end should know: a sentence for screen and summary.json.

        Such as how much of its reward is missing, and why. None: nothing.
        """
        return None

    def close(self) -> None:  # noqa: B027
        """Let go of threads, processes and connections, also before `bind`."""


class RewardTermError(ValueError):
    """A part gave something that must not be trained on. Says which, and at what step."""


def signals_of(name: str, signals: Sequence[str], what: str) -> list[str]:
    """The signals that a name stands for: a signal itself, or all channels of a term.

    >>> signals_of("critic", ["task", "critic/format", "critic/edit"], "a weight")
    ['critic/format', 'critic/edit']

    Raises:
        ValueError: it names none; ``what`` says what it was given for.
    """
    chosen = [signal for signal in signals if signal == name or signal.startswith(f"{name}/")]
    if not chosen:
        hint = nearest(name, [*signals, *(signal.partition("/")[0] for signal in signals)])
        raise ValueError(
            f"{what} is given for {name!r}, which is no signal here.{hint or ' Signals are ' + ', '.join(signals)}"
        )
    return chosen
