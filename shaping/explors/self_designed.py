"""What EXPLORS and SORS share as terms: R_φ(s, a) learned from the newest episodes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from foundation.checks import number, one_of, whole
from shaping.explors.functions import KINDS, LearnedFunction, StateFeatures, chosen_kind
from shaping.explors.played_episodes import PlayedEpisodes
from shaping.observation_features import Features
from shaping.terms import BoolArray, FloatArray, Info, Observations, RewardTerm, Rollout, Setting, Transitions
from shaping.threads import one_thread

RATES = {"table": 0.01, "network": 1e-3}
"""η of R_φ, where none is given: the authors' for tables, and theirs of Adam for networks."""
BOUNDS = {"table": None, "network": 0.1}
"""Bound of |R_φ|, where none is given, as the authors have it."""


class SelfDesignedTerm(RewardTerm):
    """Pays R_φ(s, a); every so many finished episodes φ takes a step on the newest ones.

    Args:
        keys: entries of a Dict observation to look at; None: all.
        function: what R_φ is: "table", of Discrete observations; "network"; "auto" is a table where
            there can be one.
        hidden: width of the network's hidden layer.
        bound: of |R_φ|; None: 0.1 for a network, none for a table.
        every: N_r, finished episodes between two steps.
        kept: |D|, the newest episodes that a step looks at.
        design_rate: η of φ; None: 0.01 for a table, 0.001 of Adam for a network.
        warm_up: finished episodes before R_φ is paid; it learns from the first.

    Raises:
        ValueError: a number out of range; at `bind`, actions that are not discrete, or observations
            that have no numbers.
    """

    def __init__(
        self,
        keys: Sequence[str] | None,
        function: str,
        hidden: int,
        bound: float | None,
        every: int,
        kept: int,
        design_rate: float | None,
        warm_up: int,
    ) -> None:
        self.keys = None if keys is None else tuple(keys)
        self.function = one_of("function", function, KINDS)
        self.hidden = whole("hidden", hidden, most=4096)
        self.bound = None if bound is None else number("bound", bound, above=0)
        self.every = whole("every", every)
        self.kept = whole("kept", kept)
        self.design_rate = None if design_rate is None else number("design_rate", design_rate, above=0)
        self.warm_up = whole("warm_up", warm_up, least=0)

    def bind(self, setting: Setting) -> None:
        space = setting.action_space
        if not isinstance(space, spaces.Discrete):
            raise ValueError(
                f"it learns a number for each action, and actions are {space}; it needs one discrete action a step"
            )
        self._gamma = setting.gamma
        self._actions, self._first_action = int(space.n), int(space.start)
        self._random = np.random.default_rng(setting.seed)
        self._features = StateFeatures(setting.observation_space, self.keys, self._random)
        self._kind = chosen_kind(self.function, self._features)
        self._designed = LearnedFunction(
            self._kind,
            self._features.width,
            self._actions,
            hidden=self.hidden,
            rate=RATES[self._kind] if self.design_rate is None else self.design_rate,
            bound=BOUNDS[self._kind] if self.bound is None else self.bound,
            random=self._random,
        )
        self._episodes = PlayedEpisodes(setting.n_envs, self.kept)
        self._finished = 0
        self._paid, self._paid_steps = 0.0, 0

    def reset(self, observations: Observations, infos: Sequence[Info], mask: BoolArray) -> None:
        self._episodes.begin(mask)

    def __call__(self, batch: Transitions) -> FloatArray:
        features, actions = self._features(batch.observations), self._numbered(batch.actions)
        self._episodes.add(features, actions, batch.rewards, batch.terminated | batch.truncated)
        paid = self._worth(features, actions)
        self._paid += float(paid.sum())
        self._paid_steps += len(paid)
        return paid

    def rescore(self, batch: Transitions) -> FloatArray:
        return self._worth(self._features(batch.observations), self._numbered(batch.actions))

    def _numbered(self, actions: Any) -> npt.NDArray[np.int64]:
        numbers: npt.NDArray[np.int64] = np.asarray(actions).reshape(-1).astype(np.int64) - self._first_action
        return numbers

    def _worth(self, features: Features, actions: npt.NDArray[np.int64]) -> FloatArray:
        if self._finished < self.warm_up:
            return np.zeros(len(actions))
        return self._designed(features)[np.arange(len(actions)), actions]

    def update(self, rollout: Rollout) -> Mapping[str, float]:
        """Steps of φ, one after every `every` episodes that finished in the rollout.

        Metrics: "designed", the mean R_φ that was paid, and those of `design`, means over its
        steps.
        """
        told: list[Mapping[str, float]] = []
        with one_thread():
            for _ in self._episodes.take(self.policies(rollout)):
                self._finished += 1
                if self._finished % self.every == 0:
                    told.append(self.design())
        self._features.learn(rollout.flat("observations"))
        metrics = {"designed": self._paid / max(self._paid_steps, 1)}
        self._paid, self._paid_steps = 0.0, 0
        for name in dict.fromkeys(name for step in told for name in step):
            metrics[name] = float(np.mean([step[name] for step in told if name in step]))
        return metrics

    def policies(self, rollout: Rollout) -> FloatArray | None:
        """π(·|s) of the rollout's steps, (T, n_envs, actions); None where it does not matter."""
        return None

    @abstractmethod
    def design(self) -> Mapping[str, float]:
        """One step of φ on the kept episodes. Returns metrics."""

    def closing_remark(self) -> str | None:
        if self._finished < self.every:
            return f"R_φ learned nothing: {self._finished} episodes finished, and it learns after every {self.every}"
        return None

    def state_dict(self) -> dict[str, Any]:
        return {
            "features": self._features.state_dict(),
            "designed": self._designed.state_dict(),
            "episodes": self._episodes.state_dict(),
            "finished": self._finished,
            "random": self._random.bit_generator.state,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._features.load_state_dict(state["features"])
        self._designed.load_state_dict(state["designed"])
        self._episodes.load_state_dict(state["episodes"])
        self._finished = int(state["finished"])
        self._random.bit_generator.state = state["random"]
