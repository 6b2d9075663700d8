"""A combiner that learns how much each term should count, by what the task's own return says.

Source: Gupta et al. 2023, "Behavior Alignment via Reward Function Optimization" (BARFI): a reward
r = φ1(s) + r_task + Σ φ_i(s) · r_i is learned so that the policy it leads to is best on the task.
`agents/behaviour_alignment` is their algorithm; this is its blend on top of any policy-gradient
agent.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from foundation.checks import number, one_of
from shaping.combine import WeightedSum, registry
from shaping.learner import Learner
from shaping.linear_critics import LinearCritics
from shaping.observation_features import ObservationFeatures
from shaping.parts import TASK, Setting
from shaping.schedules import Schedule
from shaping.transitions import Array, BoolArray, FloatArray, Observations, Rollout, Transitions

LONGEST_ROLLOUT = 4096  # vector steps whose signals are kept, should nobody update
FADING = 0.99  # of the largest spread of the task's advantages, a rollout
EMBEDDING = 32  # numbers for an observation entry that holds names
OWN = "alignment"
"""The name of the part that is no term's: φ1."""


@registry.register("behaviour_alignment")
class BehaviourAlignment(WeightedSum):
    """weight(task) · task + Σ factor_i · weight_i · signal_i, factors learned by the task's return.

    Once a rollout each factor moves along dJ_task/dfactor. To first order, that is how much a
    policy-gradient step on the signal would raise the task's return: the inner product of two
    policy gradients, that of the task's advantages and that of the signal's. As both have scales of
    their own, advantages are taken at one spread, and the product in units of the task's own with
    itself, at most 1 either way: 1 where the signal pushes the policy just as the task does, −1
    where it pushes the other way, 0 where it does not matter.

    A rollout in which the task's advantages are smaller than before moves them less; one in which
    it paid nothing, and nothing was expected, moves nothing.

    Args:
        weights: see `WeightedSum`: what factors are multiplied with.
        withheld: see `WeightedSum`.
        learning_rate: by how much a factor moves in a rollout at an alignment of 1.
        heads: "scalar": one factor a signal. "state": factor_i(s) = 1 + z(s) · W_i and a reward
            φ1(s) = z(s) · W_1 of its own, linear in features of the observation.
        decay: by how much factors, and W, shrink at every rollout: what does not help goes to 0.
        least, most: bounds of factors.
        lambda_: of the advantages.
        keys: entries of a Dict observation that values and heads look at; None: all.

    Raises:
        ValueError: a number out of range; at `bind`, no term to weigh, or observations that have no
            numbers; at `meet`, an agent that keeps no rollout.
    """

    reads_policy = True

    def __init__(
        self,
        weights: Mapping[str, float | str | Schedule] | None = None,
        withheld: Sequence[str] = (),
        learning_rate: float = 0.5,
        heads: Literal["scalar", "state"] = "scalar",
        decay: float = 0.0,
        least: float = 0.0,
        most: float = 2.0,
        lambda_: float = 0.95,
        keys: Sequence[str] | None = None,
    ) -> None:
        super().__init__(weights, withheld)
        self.learning_rate = number("learning_rate", learning_rate, least=0)
        self.heads = one_of("heads", heads, ("scalar", "state"))
        self.decay = number("decay", decay, least=0, below=1)
        self.least = number("least", least, most=1)
        self.most = number("most", most, least=1)
        self.lambda_ = number("lambda_", lambda_, least=0, most=1)
        self.keys = None if keys is None else tuple(keys)
        self._learner: Learner | None = None

    def bind(self, setting: Setting) -> None:
        super().bind(setting)
        if len(setting.signals) < 2:
            raise ValueError("it weighs terms against the task, and there is no term: give shaping=[...] some")
        self._terms = tuple(signal for signal in setting.signals if signal != TASK)
        rng = np.random.default_rng(setting.seed)
        self._features = ObservationFeatures(setting.observation_space, self.keys, EMBEDDING, rng)
        self._scale = 1.0 / np.sqrt(self._features.width + 1)
        self._critics = LinearCritics(self._features.width, len(setting.signals), setting.gamma, self.lambda_)
        self._trace = setting.gamma * self.lambda_
        self._factors = dict.fromkeys(self._terms, 1.0)
        self._spread = 0.0
        self._paid: deque[FloatArray] = deque(maxlen=LONGEST_ROLLOUT)  # (signals, n_envs), factors left out
        self._heads: dict[str, FloatArray] = {}
        if self.heads == "state":
            self._heads = {name: np.zeros(self._features.width + 1) for name in (OWN, *self._terms)}
            self._sizes = dict.fromkeys(self._heads, 0.0)  # running mean squares of gradients
            self.parts = (*setting.signals, OWN)

    def meet(self, learner: Learner) -> None:
        if not learner.keeps_rollout:
            raise ValueError("it looks at what a policy gradient over a rollout would do, and there is none: agent=ppo")
        self._learner = learner

    def weights(self, steps: int) -> Mapping[str, float]:
        if self.heads == "state":
            raise ValueError("heads=state weighs every state anew, so pay cannot be changed afterwards: heads=scalar")
        return {name: weight * self._factors.get(name, 1.0) for name, weight in super().weights(steps).items()}

    def __call__(
        self, signals: Mapping[str, FloatArray], batch: Transitions, steps: int
    ) -> tuple[FloatArray, Sequence[FloatArray]]:
        _, parts = super().__call__(signals, batch, steps)
        self._paid.append(np.array(parts))
        factors: Mapping[str, Any] = self._factors
        own: list[FloatArray] = []
        if self.heads == "state":
            looked_at = self._looked_at(batch.observations)
            factors = {name: self._bounded(1.0 + looked_at @ self._heads[name]) for name in self._terms}
            own = [looked_at @ self._heads[OWN]]
        weighed = [
            part if name == TASK else factors[name] * part for name, part in zip(self._names, parts, strict=True)
        ]
        paid = [part for name, part in zip(self._names, weighed, strict=True) if name not in self.withheld]
        total: FloatArray = np.sum([*paid, *own], axis=0)
        return total, [*weighed, *own]

    def update(self, rollout: Rollout) -> Mapping[str, float]:
        """One step of the factors, or heads; see the class."""
        rewards = np.array(self._paid).transpose(0, 2, 1)[-len(rollout) :]  # (T, n, signals)
        self._paid.clear()
        terminated, truncated = rollout.stack("terminated"), rollout.stack("truncated")
        ended = terminated | truncated
        flat = rollout.flat("observations")
        self._features.learn(flat)
        features = self._features(flat).reshape(*rewards.shape[:2], -1)
        advantages = self._critics.advantages(
            rewards, features, self._successors(rollout, features, ended), terminated, ended
        )
        self._critics.learn(features, advantages + self._critics(features))
        task = advantages[..., 0]
        spread = float(task.std())
        self._spread = max(spread, FADING * self._spread)
        metrics: dict[str, float] = {}
        if self._learner is not None and spread > 1e-9:
            rises = self._learner.rises((task - task.mean()) / spread)
            rises -= rises.mean()  # a constant baseline: it changes no expectation
            rate = self.learning_rate * spread / self._spread
            if self.heads == "scalar":
                metrics |= self._move_factors(rises, advantages, rate)
            else:
                self._move_heads(rises, rewards, flat, ended, rate)
        if self.heads == "scalar":
            self._shrink()
            return metrics | {f"factor_{name}": factor for name, factor in self._factors.items()}
        looked_at = self._looked_at(flat)
        means = {name: self._bounded(1.0 + looked_at @ self._heads[name]).mean() for name in self._terms}
        return {f"factor_{name}": float(mean) for name, mean in means.items()}

    def _successors(self, rollout: Rollout, features: Any, ended: BoolArray) -> Any:
        """Features of what follows: the next step's, but for a rollout's and an episode's end."""
        following = np.concatenate([features[1:], features[-1:]])
        for step in sorted({*np.flatnonzero(ended.any(axis=1)).tolist(), len(rollout) - 1}):
            following[step] = self._features(rollout[step].next_observations)
        return following

    def _move_factors(self, rises: FloatArray, advantages: FloatArray, rate: float) -> dict[str, float]:
        """Factors move by what their signals' advantages have of the task's direction."""
        products = {}
        for column, name in enumerate(self._names):
            signal = advantages[..., column] - advantages[..., column].mean()
            length = float(np.linalg.norm(signal))
            products[name] = float((rises * signal).sum()) / length if length > 1e-9 else 0.0
        task = products.pop(TASK)
        metrics = {}
        for name, product in products.items():
            alignment = float(np.clip(product / task, -1.0, 1.0)) if task > 1e-9 else 0.0
            metrics[f"alignment_{name}"] = alignment
            self._factors[name] = float(np.clip(self._factors[name] + rate * alignment, self.least, self.most))
        return metrics

    def _shrink(self) -> None:
        for name, factor in self._factors.items():
            self._factors[name] = max(self.least, factor * (1.0 - self.decay))

    def _move_heads(
        self, rises: FloatArray, rewards: FloatArray, flat: Observations, ended: BoolArray, rate: float
    ) -> None:
        """Heads move along the return's gradient: features, times what a reward there is worth."""
        worth = np.empty_like(rises)
        earlier: Any = np.zeros(rises.shape[1])
        for step in range(len(rises)):
            earlier = rises[step] + self._trace * earlier
            worth[step] = earlier
            earlier = earlier * ~ended[step]
        looked_at = self._looked_at(flat)
        for name, head in self._heads.items():
            paid = 1.0 if name == OWN else rewards[..., self._names.index(name)]
            gradient = (worth * paid).reshape(-1) @ looked_at / rises.size
            self._sizes[name] = 0.9 * self._sizes[name] + 0.1 * float(gradient @ gradient)
            step_size = rate / np.sqrt(self._sizes[name] + 1e-12)
            self._heads[name] = (1.0 - self.decay) * head + step_size * gradient

    @property
    def _names(self) -> tuple[str, ...]:
        """The signals, without φ1."""
        return (TASK, *self._terms)

    def _bounded(self, factors: FloatArray) -> FloatArray:
        bounded: FloatArray = np.clip(factors, self.least, self.most)
        return bounded

    def _looked_at(self, observations: Observations) -> Array:
        """Features and a constant, (n, width + 1), of length about 1."""
        features = self._features(observations)
        return self._scale * np.concatenate([features, np.ones((len(features), 1), np.float32)], axis=1)

    def state_dict(self) -> dict[str, Any]:
        state = {
            "factors": dict(self._factors),
            "spread": self._spread,
            "features": self._features.state_dict(),
            "critics": self._critics.state_dict(),
        }
        if self.heads == "state":
            state |= {"heads": {name: head.copy() for name, head in self._heads.items()}, "sizes": dict(self._sizes)}
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._factors, self._spread = dict(state["factors"]), float(state["spread"])
        self._features.load_state_dict(state["features"])
        self._critics.load_state_dict(state["critics"])
        if self.heads == "state":
            self._heads = {name: np.array(head) for name, head in state["heads"].items()}
            self._sizes = dict(state["sizes"])

    def closing_remark(self) -> str | None:
        told = ", ".join(f"{name} {factor:.2f}" for name, factor in self._factors.items())
        return None if self.heads == "state" else f"learned factors: {told}"
