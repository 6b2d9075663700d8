"""The one interface: a reward term turns a batch of transitions into one float per environment."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from foundation.registry import Registry
from shaping.parts import Part, RewardTermError, Setting
from shaping.transitions import Array, BoolArray, FloatArray, Info, Observations, Rollout, Transitions


class RewardTerm(Part):
    """A source of reward. Subclasses implement ``__call__``; everything else has a default.

    The constructor's arguments are the term's configuration: give each a type and a default, and
    ``@register_term("name")`` makes ``shaping=name`` exist. What depends on the environment belongs
    in `bind`.

    >>> class Haste(RewardTerm):
    ...     def __init__(self, fine: float = 0.01) -> None:
    ...         self.fine = fine
    ...
    ...     def __call__(self, batch):
    ...         return np.full(len(batch), -self.fine)
    """

    # What the configuration of an experiment should know of the class ----------------------------

    card: ClassVar[Mapping[str, str]] = {}
    """Constructor argument -> the entry of the environment's card that is its default."""

    defaults: ClassVar[Mapping[str, Any]] = {}
    """Further defaults of its configuration, such as a weight that is not 1."""

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """Name -> arguments: ``shaping=oni/ranking`` is the term oni with its preset ranking."""

    event_names: tuple[str, ...] = ()
    """Of a term that requires events: those it needs detected, known before `bind`; (): all."""

    def take_up(self, folder: Path) -> None:
        """Take up what it keeps in its folder for people, who may have edited it: a run goes on.

        Called before its needs are looked at, so that events named there are asked for. `bind` says
        the folder again.

        Raises:
            ValueError: what was edited cannot be gone on with.
        """

    # What it pays --------------------------------------------------------------------------------

    channels: tuple[str, ...] = ()
    """Names of what it pays side by side, known before `bind`; (): one reward without a name.

    Each is a signal of its own, "name/channel", with a weight of its own on top of the term's.
    """

    @abstractmethod
    def __call__(self, batch: Transitions) -> FloatArray:
        """One step's rewards, before transforms and weights: (n_envs,) or (channels, n_envs)."""

    @property
    def signals(self) -> tuple[str, ...]:
        """The names of its signals: its own, or one a channel."""
        return tuple(f"{self.name}/{channel}" for channel in self.channels) or (self.name,)

    # Pay that changes ----------------------------------------------------------------------------

    relabels: bool = False
    """Does it score a rollout again at its end? Then `relabel` is asked for after `update`."""

    def relabel(self) -> FloatArray | None:
        """What each step since the last call would be paid now, less what it was; None: nothing.

        (T, n_envs), or (channels, T, n_envs).
        """
        return None

    def rescore(self, batch: Transitions) -> FloatArray:
        """What transitions of any time would be paid now: (n,), or (channels, n).

        For a term whose reward is a function of the transition alone and of what it has learned.
        Off-policy agents then ask again when they sample. Nothing is counted and nothing learned
        here; the batch has any length and its infos are empty.
        """
        raise NotImplementedError(f"the reward of {type(self).__name__} cannot be asked for again")

    @property
    def rescores(self) -> bool:
        """Does it define `rescore`?"""
        return type(self).rescore is not RewardTerm.rescore


registry: Registry[RewardTerm] = Registry("reward term", "shaping")
"""Reward terms by name."""


def reported(infos: Sequence[Info], entry: str, mask: BoolArray | None = None) -> FloatArray:
    """The numbers (n_envs,) reported as ``info[entry]``; 0 where ``mask`` is false.

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


# A term's file needs this module alone.
__all__ = [
    "Array",
    "BoolArray",
    "FloatArray",
    "Info",
    "Observations",
    "RewardTerm",
    "RewardTermError",
    "Rollout",
    "Setting",
    "Transitions",
    "registry",
    "reported",
]
