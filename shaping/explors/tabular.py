"""The exact tabular trainer: six ways to design a reward, for a learner whose states are a table.

Source: Devidze et al. 2022, "Exploration-Guided Reward Shaping for Reinforcement Learning under
Sparse Rewards" (EXPLORS), with its baselines; SORS: Memarian et al. 2021; LIRPG: Zheng et al. 2018,
as the authors of EXPLORS simplify it.

r̂(s,a,s') = R(s,a) + φ(s,a) + B(s'), where φ and B are the designer's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from foundation.checks import number, one_of, whole
from foundation.tabular_mdp import FloatArray, IntArray, TabularMDP
from shaping.explors import compiled_training
from shaping.explors.compiled_training import Process, Rates

Designer = Literal["orig", "explob", "selfrs", "sors", "lirpg", "explors"]
TabularLearner = Literal["reinforce", "q_learning"]
DESIGNERS: tuple[Designer, ...] = get_args(Designer)
LEARNERS: tuple[TabularLearner, ...] = get_args(TabularLearner)
CLIP = {"reinforce": np.inf, "q_learning": 0.01}
"""Bound of |φ| of selfrs and explors, where none is given: a learner's own."""


@dataclass(frozen=True)
class Settings:
    """Numbers of a training; the defaults are those of the authors' tabular code.

    Attributes:
        design_every: N_r, episodes between two steps of the designer.
        learn_every: N_p, episodes between two steps of the learner.
        kept: |D|, the newest episodes that the designer looks at.
        recent: the newest episodes that the learner looks at; at most `kept`.
        learning_rate: of REINFORCE.
        q_rate, exploration: of Q-learning: α, and ε of its ε-greedy policy.
        design_rate, critic_rate: η of φ and of V.
        bonus, most_bonus: λ and B_max of the count bonus B(s) = λ/√((λ/B_max)² + n(s)).
        pairs: of episodes in a step of sors.
        clip: bound of |φ| of selfrs and explors; None: 0.01 for Q-learning, none for REINFORCE.
        evaluate_every: episodes between two evaluations.

    Raises:
        ValueError: a number out of range.
    """

    design_every: int = 5
    learn_every: int = 2
    kept: int = 10
    recent: int = 5
    learning_rate: float = 0.1
    q_rate: float = 0.1
    exploration: float = 0.05
    design_rate: float = 0.01
    critic_rate: float = 0.01
    bonus: float = 1.0
    most_bonus: float = 1.0
    pairs: int = 10
    clip: float | None = None
    evaluate_every: int = 100

    def __post_init__(self) -> None:
        for name in ("design_every", "learn_every", "kept", "pairs", "evaluate_every"):
            whole(name, getattr(self, name))
        whole("recent", self.recent, most=self.kept)
        for name in ("learning_rate", "design_rate", "critic_rate", "bonus"):
            number(name, getattr(self, name), least=0)
        number("most_bonus", self.most_bonus, above=0)
        number("q_rate", self.q_rate, least=0, most=1)
        number("exploration", self.exploration, least=0, most=1)
        if self.clip is not None:
            number("clip", self.clip, above=0)


@dataclass(frozen=True)
class Training:
    """What a training came to.

    Attributes:
        episodes: at which the policy was evaluated, before that episode was played; the last is
            the end.
        returns: the exact discounted return of R within the horizon at each of them.
        policy: π(a|s) at the end, (states, actions).
        designed: φ(s, a) at the end.
        values: V(s), the designer's own estimate of R's return.
        counts: n(s), visits that the bonus knows of.
    """

    episodes: IntArray
    returns: FloatArray
    policy: FloatArray
    designed: FloatArray
    values: FloatArray
    counts: FloatArray

    def reached(self, least: float) -> int | None:
        """The first evaluated episode with at least this return; None: never."""
        there = np.flatnonzero(self.returns >= least)
        return int(self.episodes[there[0]]) if len(there) else None


def train(
    mdp: TabularMDP,
    designer: Designer,
    learner: TabularLearner = "reinforce",
    *,
    horizon: int,
    episodes: int,
    seed: int,
    settings: Settings | None = None,
) -> Training:
    """Train a learner on what a designer pays, and evaluate it on the process's own reward.

    Evaluation solves for the acting policy's return within the horizon: nothing is played, so no
    visit is counted.

    Args:
        mdp: the process; its discount is the learner's and the designer's.
        designer: "orig" pays R alone, "explob" adds B, "selfrs" adds φ, "explors" both; "sors" and
            "lirpg" add a φ that is learned otherwise.
        learner: "reinforce" on a softmax table, or "q_learning".
        horizon: steps of an episode.
        episodes: how many.
        seed: of everything that is drawn.
        settings: the authors' where None.

    Raises:
        ValueError: an unknown designer or learner, or a number out of range.
    """
    one_of("designer", designer, DESIGNERS)
    one_of("learner", learner, LEARNERS)
    whole("horizon", horizon)
    whole("episodes", episodes)
    settings = settings or Settings()
    clip = CLIP[learner] if settings.clip is None else settings.clip
    rates = Rates(
        settings.learning_rate, settings.q_rate, settings.exploration, settings.design_rate, settings.critic_rate,
        settings.bonus, settings.most_bonus, clip, settings.design_every, settings.learn_every, settings.kept,
        settings.recent, settings.pairs,
    )  # fmt: skip
    at = np.append(np.arange(0, episodes, settings.evaluate_every), episodes)
    returns, policy, designed, values, counts = compiled_training.trained(
        process(mdp),
        rates,
        DESIGNERS.index(designer),
        learner == "q_learning",
        horizon,
        episodes,
        settings.evaluate_every,
        np.random.default_rng(seed),
    )
    return Training(at, returns, policy, designed, values, counts)


def process(mdp: TabularMDP) -> Process:
    """An MDP as compiled loops read it: of each state and action only what can follow."""
    most = int((mdp.transitions > 0).sum(axis=2).max())
    successors = np.argsort(-mdp.transitions, axis=2, kind="stable")[:, :, :most]
    chances = np.take_along_axis(mdp.transitions, successors, axis=2)
    ends = np.zeros(mdp.n_states, bool)
    ends[list(mdp.absorbing)] = True
    return Process(np.ascontiguousarray(successors), chances, mdp.rewards, np.cumsum(mdp.start), ends, float(mdp.gamma))
