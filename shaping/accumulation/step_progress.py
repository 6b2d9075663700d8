"""Stepwise progress attribution: one final reward, spread over the steps that led to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from foundation.checks import number, one_of, whole
from shaping.accumulation.accumulation import OUTCOME, Accumulation, summed
from shaping.accumulation.action_features import ActionFeatures
from shaping.accumulation.episode_memory import EpisodeMemory
from shaping.accumulation.progress_estimator import ProgressEstimator
from shaping.accumulation.seen_steps import Features, SeenSteps
from shaping.episodes import Episode, registry
from shaping.observation_features import ObservationFeatures
from shaping.parts import Setting
from shaping.transitions import FloatArray, Rollout, Transitions

NEVER = 2**62


@registry.register("step_progress")
class StepProgress(Accumulation):
    """Pays α·c_t + β·g_t, with c_t a learned contribution to the outcome R and Σ c_t ≈ R (SPA).

    Source: Wang et al. 2025, "SPA-RL: Reinforcing LLM Agents via Stepwise Progress Attribution",
    arXiv 2505.20732: the formula, not the released scripts, which overwrite c_t. R is the weighted
    sum of the outcome's signals, g_t that of all others ("the action could be executed" there).

    It learns from finished episodes, those of earlier rollouts too. Until ``warm_up`` of them were
    seen, and for an episode of more than 8192 steps, R stays where it was paid. An episode that a
    rollout's end cuts is left as it is until it is over.

    Metrics: "loss", "explained", the share of R's variance that Σ c_t explains before the remainder
    is added, and "outcome".

    Args:
        outcome: names or patterns of the signals that are redistributed.
        redistribution: "learned", or "uniform": every step gets R/T.
        alpha, beta: weights of c and g. The paper's code has beta 0.5.
        return_equivalent: spread R − Σ c_t evenly, so that an episode's sum stays α·R exactly.
        estimator: learns c.
        keys: entries of a Dict observation that it looks at; None: all of them.
        embedding: numbers that stand for a grid of integers, see `ObservationFeatures`.
        updates: gradient steps after a rollout in which episodes ended.
        warm_up: episodes to see before anything is attributed.
        memory: steps of finished episodes to learn from again.

    Raises:
        ValueError: a number out of range; at `bind`, observations or actions without numbers.
    """

    def __init__(
        self,
        outcome: Sequence[str] = OUTCOME,
        redistribution: Literal["learned", "uniform"] = "learned",
        alpha: float = 1.0,
        beta: float = 0.5,
        return_equivalent: bool = True,
        estimator: ProgressEstimator | None = None,
        keys: Sequence[str] | None = None,
        embedding: int = 64,
        updates: int = 8,
        warm_up: int = 32,
        memory: int = 20_000,
    ) -> None:
        super().__init__(outcome)
        self.redistribution = one_of("redistribution", redistribution, ("learned", "uniform"))
        self.reads_rollout = self.redistribution == "learned"
        self.alpha, self.beta = number("alpha", alpha), number("beta", beta)
        self.return_equivalent = return_equivalent
        self.estimator = estimator or ProgressEstimator()
        self.keys = None if keys is None else tuple(keys)
        self.embedding = whole("embedding", embedding, most=4096)
        self.updates = whole("updates", updates)
        self.warm_up = whole("warm_up", warm_up)
        self.memory = EpisodeMemory(whole("memory", memory))

    @classmethod
    def from_config(
        cls,
        outcome: Sequence[str] = OUTCOME,
        redistribution: Literal["learned", "uniform"] = "learned",
        alpha: float = 1.0,
        beta: float = 0.5,
        return_equivalent: bool = True,
        network: Literal["mlp", "gru"] = "mlp",
        hidden: int = 64,
        learning_rate: float = 1e-3,
        weight_decay: float = 0.01,
        batch_size: int = 16,
        keys: Sequence[str] | None = None,
        embedding: int = 64,
        updates: int = 8,
        warm_up: int = 32,
        memory: int = 20_000,
    ) -> StepProgress:
        """The same, with the estimator's arguments beside its own; see `ProgressEstimator`."""
        estimator = ProgressEstimator(network, hidden, learning_rate, weight_decay, batch_size)
        return cls(
            outcome,
            redistribution,
            alpha,
            beta,
            return_equivalent,
            estimator,
            keys,
            embedding,
            updates,
            warm_up,
            memory,
        )

    def bind(self, setting: Setting) -> None:
        super().bind(setting)
        self._seen, self._needed, self._learned_from = SeenSteps(), NEVER, 0
        if not self.reads_rollout:
            return
        self._rng = np.random.default_rng(setting.seed)
        self._observations = ObservationFeatures(setting.observation_space, self.keys, self.embedding, self._rng)
        self._actions = ActionFeatures(setting.action_space)
        self.estimator.build(self._observations.width + self._actions.width, setting.seed)

    def __call__(self, episode: Episode) -> FloatArray | None:
        if episode.ending == "cut":
            self._needed = min(self._needed, episode.start)
            return None
        outcome = summed(episode.contributions, self.outcome, len(episode))
        grounding = summed(episode.contributions, self.others(episode.signals), len(episode))
        return self.alpha * self._attributed(episode, outcome) + self.beta * grounding

    def _attributed(self, episode: Episode, outcome: FloatArray) -> FloatArray:
        """Contributions (T,) to an outcome that was paid at these steps (T,)."""
        final = float(outcome.sum())
        if self.redistribution == "uniform":
            self.note(episode)
            return np.full(len(outcome), final / max(len(outcome), 1))
        features = self._seen.episode(episode.env, episode.start, len(episode))
        attributes = features is not None and self._is_trained
        contributions = self.estimator(features) if features is not None and attributes else outcome
        if features is not None:
            self.memory.add(features, final)
        self.note(episode, attributed=float(attributes), final=final, predicted=float(contributions.sum()))
        if self.return_equivalent:
            return contributions + (final - contributions.sum()) / max(len(outcome), 1)
        return contributions

    @property
    def _is_trained(self) -> bool:
        return self._learned_from >= self.warm_up

    # -- learning ----------------------------------------------------------------------------------

    def update(self, rollout: Rollout) -> Mapping[str, float]:
        """Take the steps' features, and learn where episodes have ended since the last time."""
        if not self.reads_rollout:
            return super().update(rollout)
        self._seen.forget(min(self._needed, rollout.first))
        self._needed = NEVER
        for step, batch in enumerate(rollout, start=rollout.first):
            self._seen.add(step, self._features(batch))
        figures = dict(super().update(rollout))
        metrics = {name: figures[name] for name in ("outcome", "attributed") if name in figures}
        return metrics | self._explained() | self._learn()

    def _features(self, batch: Transitions) -> Features:
        """(n_envs, width) of observations and actions."""
        self._observations.learn(batch.observations)
        return np.concatenate([self._observations(batch.observations), self._actions(batch.actions)], axis=1)

    def _learn(self) -> dict[str, float]:
        if self.memory.count == self._learned_from or not len(self.memory):
            return {}
        self._learned_from = self.memory.count
        losses = [
            self.estimator.learn(self.memory.sample(self._rng, self.estimator.batch_size)) for _ in range(self.updates)
        ]
        return {"loss": float(np.mean(losses))}

    def _explained(self) -> dict[str, float]:
        """1 − the mean squared error over R's variance, of the window's attributed episodes."""
        pairs = [(row["final"], row["predicted"]) for row in self._window if row["attributed"]]
        finals, predictions = np.array(pairs, np.float64).reshape(-1, 2).T
        spread = float(finals.var()) if len(finals) else 0.0
        return {"explained": 1.0 - float(np.square(finals - predictions).mean()) / spread} if spread > 1e-12 else {}

    # -- state -------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Everything but the steps of running episodes, which no resume continues."""
        if not self.reads_rollout:
            return super().state_dict()
        return super().state_dict() | {
            "observations": self._observations.state_dict(),
            "estimator": self.estimator.state_dict(),
            "memory": self.memory.state_dict(),
            "learned_from": self._learned_from,
            "rng": self._rng.bit_generator.state,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        super().load_state_dict(state)
        if not self.reads_rollout:
            return
        self._observations.load_state_dict(state["observations"])
        self.estimator.load_state_dict(state["estimator"])
        self.memory.load_state_dict(state["memory"])
        self._learned_from = int(state["learned_from"])
        self._rng.bit_generator.state = state["rng"]
        self._seen, self._needed = SeenSteps(), NEVER
