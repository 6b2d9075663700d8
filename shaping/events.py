"""Rewards for named things that happen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium import spaces

from foundation.checks import number
from foundation.naming import nearest
from shaping.registry import register_term
from shaping.terms import (
    Array,
    BoolArray,
    FloatArray,
    Info,
    Observations,
    RewardTerm,
    RewardTermError,
    Setting,
    Transitions,
)

Predicate = Callable[[Transitions], BoolArray]


@register_term("events")
class EventsTerm(RewardTerm):
    """Pays for named events: what the environment reports in ``info["events"]``, and predicates of one's own.

    The bits of what an episode has achieved are published, so that the shaped problem stays Markov.

    Args:
        events: names read from ``info["events"]``, a tuple that is absent where nothing happened. Others are ignored.
        rewards: reward of an event; 1 where none is given.
        once: pay an event the first time in an episode only, otherwise every time (an agent may then farm it).
        ordered: pay an event only after all that stand before it in ``events``; one that comes too early does not
            count as achieved. Several on one step count in their order.
        publish: add the achieved bits (len(event_names),) to the observation.
        predicates: further events by name, as functions of `Transitions` to (n_envs,) of bool.

    Raises:
        ValueError: no event at all, a name twice, a reward for no event, ``ordered`` without ``once``.
    """

    card = {"events": "events"}
    requires = frozenset({"events"})

    def __init__(
        self,
        events: Sequence[str] = (),
        rewards: Mapping[str, float] | None = None,
        once: bool = True,
        ordered: bool = False,
        publish: bool = True,
        predicates: Mapping[str, Predicate] | None = None,
    ) -> None:
        if isinstance(events, str):
            raise ValueError(f"events is a list of names, not the one text {events!r}; write [{events}]")
        self.event_names = tuple(events)
        self.predicates = dict(predicates or {})
        self.names = (*self.event_names, *self.predicates)
        if not self.names:
            raise ValueError("events is empty; name at least one event that the environment detects")
        twice = sorted({name for name in self.names if self.names.count(name) > 1})
        if twice:
            raise ValueError(f"events names {', '.join(twice)} more than once")
        for name, reward in (rewards or {}).items():
            if name not in self.names:
                hint = nearest(name, self.names) or f" There are {', '.join(self.names)}."
                raise ValueError(f"a reward is given for {name!r}, which is not among events.{hint}")
            number(f"the reward of event {name!r}", reward)
        if ordered and not once:
            raise ValueError("ordered=true pays each event once, in order; it cannot be combined with once=false")
        self.rewards = [float((rewards or {}).get(name, 1.0)) for name in self.names]
        self.once = once
        self.ordered = ordered
        self.publish = publish
        if not self.event_names:
            self.requires = frozenset()
        self._column = {name: column for column, name in enumerate(self.event_names)}

    def bind(self, setting: Setting) -> None:
        self.achieved = np.zeros((setting.n_envs, len(self.names)), dtype=bool)
        if self.publish:
            self.observation_space = spaces.Box(0.0, 1.0, (len(self.names),), np.float32)

    def reset(self, observations: Observations, infos: Sequence[Info], mask: BoolArray) -> None:
        self.achieved[mask] = False

    def __call__(self, batch: Transitions) -> FloatArray:
        rewards = np.zeros(len(batch))
        if self.predicates:
            return self._with_predicates(batch, rewards)
        for index, info in enumerate(batch.infos):
            if "events" in info:  # rare: most steps make nothing happen
                columns = {self._column[name] for name in info["events"] if name in self._column}
                if columns:
                    rewards[index] = self._pay(index, sorted(columns))
        return rewards

    def observe(self) -> Array:
        return self.achieved.astype(np.float32)  # a copy: buffers keep what they are given

    def state_dict(self) -> dict[str, Any]:
        return {"achieved": self.achieved.copy()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.achieved = np.array(state["achieved"])

    def _pay(self, index: int, columns: Sequence[int]) -> float:
        achieved, reward = self.achieved[index], 0.0
        for column in columns:
            if self.ordered and not achieved[:column].all():
                break
            if not (self.once and achieved[column]):
                reward += self.rewards[column]
            achieved[column] = True
        return reward

    def _with_predicates(self, batch: Transitions, rewards: FloatArray) -> FloatArray:
        hits = np.zeros(self.achieved.shape, dtype=bool)
        for index, info in enumerate(batch.infos):
            for name in info.get("events", ()):
                if name in self._column:
                    hits[index, self._column[name]] = True
        for column, (name, predicate) in enumerate(self.predicates.items(), start=len(self.event_names)):
            happened = np.asarray(predicate(batch))
            if happened.shape != (len(batch),):
                raise RewardTermError(
                    f"predicate {name!r} of reward term {self.name!r} returned shape {happened.shape}, "
                    f"expected {(len(batch),)}"
                )
            hits[:, column] = happened
        for row in np.flatnonzero(hits.any(axis=1)).tolist():
            rewards[row] = self._pay(row, np.flatnonzero(hits[row]).tolist())
        return rewards
