"""EXPLORS: a reward that the agent learns for itself, and a bonus for what it seldom visited."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import torch
from gymnasium import spaces

from foundation.checks import number, one_of, whole
from shaping.explors.functions import LearnedFunction
from shaping.explors.self_designed import SelfDesignedTerm
from shaping.learner import Learner
from shaping.registry import register_term
from shaping.state_counts import StateHashes, Visits
from shaping.terms import (
    BoolArray,
    FloatArray,
    Info,
    Observations,
    RewardTermError,
    Rollout,
    Setting,
    Transitions,
)

PAYS = ("both", "designed", "bonus")
CRITIC_RATES = {"table": 0.01, "network": 5e-3}
"""η of V, where none is given: the authors'."""


@register_term("explors")
class ExplorsTerm(SelfDesignedTerm):
    """Pays R_φ(s, a) + B(s'): exploration-guided reward shaping (Devidze et al. 2022).

    B(s) = λ/√((λ/B_max)² + n(s)), 0 where the episode terminated; then n counts the state left.
    After every N_r episodes, over the newest D, with Ḡ the discounted return-to-go of the task and
    π as it was when the steps were taken,

        φ += η_φ Σ π(a|s) (Ḡ − V(s)) [∇R_φ(s,a) − Σ_b π(b|s) ∇R_φ(s,b)]
        V += η_V · mean (Ḡ − V(s)) ∇V(s)

    so that R_φ raises actions that came out better than V expected, as far as the policy takes
    them, and lowers their rivals. A network takes Adam's steps along the same directions.

    π is asked once a rollout, which no update interrupts. For PPO and A2C that is the policy that
    acted; for DQN it is but for ε, which is taken as it is at the rollout's end.

    Args:
        pays: "both"; "designed", R_φ alone, which is SelfRS; "bonus", B alone, which is ExploB and
            works with any actions.
        keys, function, hidden, bound, every, kept, design_rate, warm_up: see `SelfDesignedTerm`.
            `keys` are also what makes a state for B.
        critic_rate: η of V; None: 0.01 for a table, 0.005 of Adam for a network.
        bonus, most_bonus: λ and B_max; at λ = 0 there is no bonus.
        resolution: for B, numbers that are not integers are rounded to multiples of it; 0: they
            must match exactly.
        max_states: bound of the table of counts; see `Visits`.

    Raises:
        ValueError: see `SelfDesignedTerm`; at `meet`, an agent that cannot say how it acts.
    """

    reads_policy = True
    presets = {"selfrs": {"pays": "designed"}, "explob": {"pays": "bonus"}}

    def __init__(
        self,
        pays: Literal["both", "designed", "bonus"] = "both",
        keys: Sequence[str] | None = None,
        function: Literal["auto", "table", "network"] = "auto",
        hidden: int = 64,
        bound: float | None = None,
        every: int = 5,
        kept: int = 10,
        design_rate: float | None = None,
        critic_rate: float | None = None,
        warm_up: int = 0,
        bonus: float = 1.0,
        most_bonus: float = 1.0,
        resolution: float = 0.1,
        max_states: int = 1_000_000,
    ) -> None:
        super().__init__(keys, function, hidden, bound, every, kept, design_rate, warm_up)
        self.pays = one_of("pays", pays, PAYS)
        self.critic_rate = None if critic_rate is None else number("critic_rate", critic_rate, above=0)
        self.bonus = number("bonus", bonus, least=0)
        self.most_bonus = number("most_bonus", most_bonus, above=0)
        self.resolution = number("resolution", resolution, least=0)
        self.max_states = whole("max_states", max_states, least=2)
        self._designs, self._explores = self.pays != "bonus", self.pays != "designed"
        self.reads_policy = self.reads_rollout = self._designs
        self._learner: Learner | None = None

    def bind(self, setting: Setting) -> None:
        self._space = setting.observation_space
        self._states = StateHashes(setting.observation_space, self.keys, self.resolution)
        self._visits = Visits(self.max_states)
        self._explored, self._explored_steps = 0.0, 0
        if self._designs:
            super().bind(setting)
            self._critic = LearnedFunction(
                self._kind,
                self._features.width,
                1,
                hidden=self.hidden,
                rate=CRITIC_RATES[self._kind] if self.critic_rate is None else self.critic_rate,
                bound=None,
                random=self._random,
            )

    def meet(self, learner: Learner) -> None:
        learner.probabilities(_somewhere(self._space))  # refuses at once what it would refuse later
        self._learner = learner

    def reset(self, observations: Observations, infos: Sequence[Info], mask: BoolArray) -> None:
        if self._designs:
            super().reset(observations, infos, mask)

    def __call__(self, batch: Transitions) -> FloatArray:
        paid = super().__call__(batch) if self._designs else np.zeros(len(batch))
        if self._explores:
            explored = self._bonuses(batch)
            for state in self._states(batch.observations):
                self._visits.add(state)
            self._explored += float(explored.sum())
            self._explored_steps += len(batch)
            paid = paid + explored
        return paid

    def rescore(self, batch: Transitions) -> FloatArray:
        paid = super().rescore(batch) if self._designs else np.zeros(len(batch))
        return paid + self._bonuses(batch) if self._explores else paid

    def _bonuses(self, batch: Transitions) -> FloatArray:
        """B(s') as of now, (n,)."""
        if self.bonus == 0.0:
            return np.zeros(len(batch))
        visits = np.array([self._visits(state) for state in self._states(batch.next_observations)], np.float64)
        bonuses: FloatArray = self.bonus / np.sqrt((self.bonus / self.most_bonus) ** 2 + visits)
        return np.where(batch.terminated, 0.0, bonuses)

    def update(self, rollout: Rollout) -> Mapping[str, float]:
        """The steps of φ and V; see the class.

        Metrics: "designed" and "bonus", means of what was paid, "states" that were counted, and
        "value_error", the root mean square of Ḡ − V(s).
        """
        metrics = dict(super().update(rollout)) if self._designs else {}
        if self._explores:
            metrics["bonus"] = self._explored / max(self._explored_steps, 1)
            metrics["states"] = len(self._visits)
            self._explored, self._explored_steps = 0.0, 0
        return metrics

    def policies(self, rollout: Rollout) -> FloatArray:
        if self._learner is None:
            raise RewardTermError(
                "explors was not told how the agent acts: train with agents.ShapingCallback, or call "
                "ShapedVecEnv.meet before the first update"
            )
        probabilities = self._learner.probabilities(rollout.flat("observations"))
        return probabilities.reshape(len(rollout), -1, self._actions)

    def design(self) -> Mapping[str, float]:
        episodes = list(self._episodes.newest)
        features = np.concatenate([episode.features for episode in episodes])
        actions = np.concatenate([episode.actions for episode in episodes])
        policies = np.concatenate([episode.policies for episode in episodes])
        returns = np.concatenate([episode.returns(self._gamma) for episode in episodes])
        rows = torch.from_numpy(features)
        surprises = returns - self._critic(features)[:, 0]
        weights = policies[np.arange(len(actions)), actions] * surprises
        chosen = np.eye(self._actions)[actions] - policies
        direction = torch.from_numpy((weights[:, None] * chosen).astype(np.float32))
        self._designed.descend(-(direction * self._designed.tensor(rows)).sum())
        wanted = torch.from_numpy(returns.astype(np.float32))
        self._critic.descend(0.5 * (wanted - self._critic.tensor(rows)[:, 0]).square().mean())
        return {"value_error": float(np.sqrt(np.mean(surprises**2)))}

    def closing_remark(self) -> str | None:
        return super().closing_remark() if self._designs else None

    def state_dict(self) -> dict[str, Any]:
        state: dict[str, Any] = {"visits": self._visits.arrays()}
        if self._designs:
            state |= super().state_dict() | {"critic": self._critic.state_dict()}
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._visits.load(state["visits"])
        if self._designs:
            super().load_state_dict(state)
            self._critic.load_state_dict(state["critic"])


def _somewhere(space: spaces.Space[Any]) -> Observations:
    """One observation, (1, ...), as it might be; no random stream is used up."""
    if isinstance(space, spaces.Dict):
        return {key: np.asarray(_somewhere(entry)) for key, entry in space.spaces.items()}
    if isinstance(space, spaces.Box):
        return np.clip(np.zeros(space.shape), space.low, space.high).astype(space.dtype)[None]
    if isinstance(space, spaces.Discrete):
        return np.array([space.start], np.int64)
    return np.zeros((1, *(space.shape or ())), space.dtype)
