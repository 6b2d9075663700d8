"""Pays a sender whose message can be told from what it did, by the best guess there is."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium import spaces

from foundation.checks import whole
from shaping.learner import Learner
from shaping.registry import register_term
from shaping.terms import (
    BoolArray,
    FloatArray,
    Info,
    Observations,
    RewardTerm,
    RewardTermError,
    Rollout,
    Setting,
    Transitions,
)

ENTRY = "coding_game"
MESSAGE, MASK = "message", "action_mask"  # entries of the sender's observation


@register_term("bayes_receiver")
class BayesReceiverTerm(RewardTerm):
    """Pays 1 at an episode's end if the likeliest message is the one that the sender had.

    The receiver knows the prior and the policy, and sees states and executed actions. With π as it
    acts now,

        b(m) ∝ b(m)·[(1 − p)·π(a|s, m) + p·1[a available]/available actions]

    where p is the actuator noise. The guess is argmax b, of several the lowest number. With the
    task's reward this is RL+PR (Sokota et al. 2022, arXiv 2107.08295): `weight` is their ζ, or
    1 − w where the task's weight is w.

    Every step asks the agent what it would do with each message: (n_envs · messages) observations.
    The belief is not shown to the agent. What happened under messages that all rule it out, as
    rounding may have it, changes no belief.

    Args:
        window: over how many of the newest episodes metrics are taken.

    Raises:
        ValueError: a window below 1; at `bind`, observations without a Discrete `message`, or
            actions that are not Discrete; at `meet`, an agent that cannot say how it acts.
        RewardTermError: on a step, the environment does not report its `coding_game`.
    """

    requires = frozenset({ENTRY})
    reads_policy = True
    reads_rollout = False

    def __init__(self, window: int = 100) -> None:
        self.window = whole("window", window)
        self._learner: Learner | None = None
        self._hits: deque[float] = deque(maxlen=self.window)
        self._beliefs: deque[float] = deque(maxlen=self.window)

    def bind(self, setting: Setting) -> None:
        space = setting.observation_space
        told = space.spaces.get(MESSAGE) if isinstance(space, spaces.Dict) else None
        if not isinstance(told, spaces.Discrete) or told.start != 0:
            raise ValueError(
                f"it needs a Dict observation with a Discrete entry {MESSAGE!r}, and observations are {space}: use a "
                "world of coding_games (env=coding_games/code_grid)"
            )
        if not isinstance(setting.action_space, spaces.Discrete):
            raise ValueError(f"it needs one discrete action a step, and actions are {setting.action_space}")
        self._space, self._messages = space, int(told.n)
        self._belief: FloatArray = np.full((setting.n_envs, self._messages), 1.0 / self._messages)

    def meet(self, learner: Learner) -> None:
        first = {name: np.zeros((1, *(entry.shape or ())), entry.dtype) for name, entry in self._entries().items()}
        self._probabilities(learner, first, all_available=True)  # refuses at once what it would refuse later
        self._learner = learner

    def _entries(self) -> dict[str, spaces.Space[Any]]:
        assert isinstance(self._space, spaces.Dict)
        return dict(self._space.spaces)

    def reset(self, observations: Observations, infos: Sequence[Info], mask: BoolArray) -> None:
        for row in np.flatnonzero(mask).tolist():
            self._belief[row] = self._game(infos[row])["prior"]

    def __call__(self, batch: Transitions) -> FloatArray:
        if self._learner is None:
            raise RewardTermError(
                "bayes_receiver was not told how the agent acts: train with agents.ShapingCallback, or call "
                "ShapedVecEnv.meet before the first step"
            )
        assert isinstance(batch.observations, dict)
        games = [self._game(info) for info in batch.infos]
        n, executed = len(games), np.array([game["executed_action"] for game in games])
        chosen = self._probabilities(self._learner, batch.observations)
        likelihood = chosen.reshape(n, self._messages, -1)[np.arange(n), :, executed]
        noise = np.array([game["noise"] for game in games])
        if noise.any():
            available = self._available(batch.observations, chosen.shape[1])
            by_chance = available[np.arange(n), executed] / available.sum(axis=1)
            likelihood = (1.0 - noise)[:, None] * likelihood + (noise * by_chance)[:, None]
        joint = self._belief * likelihood
        total = joint.sum(axis=1, keepdims=True)
        self._belief = np.where(total > 0, joint / np.where(total > 0, total, 1.0), self._belief)
        paid = np.zeros(n)
        for row in np.flatnonzero(batch.terminated | batch.truncated).tolist():
            message = games[row]["message"]
            paid[row] = float(self._belief[row].argmax() == message)
            self._hits.append(paid[row])
            self._beliefs.append(float(self._belief[row, message]))
        return paid

    def _probabilities(
        self, learner: Learner, observations: Mapping[str, Any], all_available: bool = False
    ) -> FloatArray:
        """π(·|s, m) for every observation with every message, (n · messages, actions)."""
        n = len(observations[MESSAGE])
        asked = {name: np.repeat(entry, self._messages, axis=0) for name, entry in observations.items()}
        asked[MESSAGE] = np.tile(np.arange(self._messages, dtype=asked[MESSAGE].dtype), n)
        if MASK not in asked:
            return learner.probabilities(asked)
        masks = np.ones_like(asked[MASK], dtype=np.bool_) if all_available else asked[MASK].astype(np.bool_)
        return learner.probabilities(asked, masks)

    def _available(self, observations: Mapping[str, Any], actions: int) -> BoolArray:
        if MASK in observations:
            masks: BoolArray = observations[MASK].astype(np.bool_)
            return masks
        return np.ones((len(observations[MESSAGE]), actions), np.bool_)

    def _game(self, info: Info) -> Mapping[str, Any]:
        if ENTRY not in info:
            raise RewardTermError(
                f"the environment reports no info entry {ENTRY!r}; bayes_receiver guesses in worlds of coding_games"
            )
        game: Mapping[str, Any] = info[ENTRY]
        return game

    def update(self, rollout: Rollout) -> Mapping[str, float]:
        """Learns nothing.

        Metrics, over the newest episodes: "accuracy", the share that was guessed right, and
        "belief", the mean b of the true message at the end; none before an episode has ended.
        """
        if not self._hits:
            return {}
        return {"accuracy": float(np.mean(self._hits)), "belief": float(np.mean(self._beliefs))}

    def state_dict(self) -> dict[str, Any]:
        return {"hits": list(self._hits), "beliefs": list(self._beliefs)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._hits = deque(state["hits"], self.window)
        self._beliefs = deque(state["beliefs"], self.window)
