"""Imitation as a reward term: pay for what a discriminator takes for the expert's."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from foundation.checks import number, one_of, whole
from foundation.demonstrations import Demonstrations
from shaping.adversarial.baselines import ConstantReward, Judge, Learned, RandomDistillation, RandomReward
from shaping.adversarial.discriminator import HEAD_GAIN, WIDEST, Discriminator, Pairs
from shaping.adversarial.features import PairFeatures
from shaping.adversarial.losses import DiscriminatorTraining, Labels
from shaping.adversarial.penalties import GradientPenalty, gradient_norms, interpolates
from shaping.adversarial.rewards import FORMS
from shaping.adversarial.smoothness import validity
from shaping.registry import register_term
from shaping.terms import BoolArray, FloatArray, Info, Observations, RewardTerm, Rollout, Setting, Transitions
from shaping.threads import one_thread

REWARDS = (*FORMS, "red", "random", "constant")
FILE = "demonstrations.npz"
"""In the run's folder: the demonstrations that it learned from."""
_LOOKED_AT = 256  # pairs whose gradients are measured at a rollout's end


@dataclass(frozen=True)
class Judging:
    """The network that judges, and what it learns from.

    Attributes:
        hidden: width of its two hidden layers.
        spectral_norm: see `Discriminator`.
        entropy, learning_rate: see `DiscriminatorTraining`.
        batch_size: pairs of either side in a step.
        passes: how often each of the agent's pairs is learned from, on average.
        kept: the agent's newest pairs, from which minibatches are drawn.
        penalty, labels: see there.

    Raises:
        ValueError: a number out of range.
    """

    hidden: int = 64
    spectral_norm: bool = False
    entropy: float = 1e-3
    learning_rate: float = 5e-4
    batch_size: int = 64
    passes: float = 4.0
    kept: int = 2048
    penalty: GradientPenalty = field(default_factory=GradientPenalty)
    labels: Labels = field(default_factory=Labels)

    def __post_init__(self) -> None:
        whole("hidden", self.hidden, most=WIDEST)
        number("entropy", self.entropy, least=0)
        number("learning_rate", self.learning_rate, above=0)
        whole("batch_size", self.batch_size)
        number("passes", self.passes, above=0)
        whole("kept", self.kept)


@register_term("gail")
class GailTerm(RewardTerm):
    """Pays for pairs (s, a) that a discriminator takes for those of demonstrations.

    Source: Ho and Ermon 2016, "Generative Adversarial Imitation Learning", with the gradient
    penalty and the loss of Blondé et al. 2020. At every rollout's end the discriminator learns to
    tell the agent's newest pairs from the expert's. For pure imitation the task's own reward must
    not count: ``shaping.task_weight=0``.

    Args:
        demonstrations: of the expert, or their file.
        reward: "minimax", "airl" or "nonsat": see `reward_from_logits`; "red":
            `RandomDistillation`; and controls: "random", a discriminator that never learns, and
            "constant", 1 for everything.
        keys: entries of a Dict observation to look at; None: all.
        standardise: see `PairFeatures`; without it observations are cut at ±5 in the network.
        state_only: judge what was arrived at, s', instead of (s, a).
        warm_up: steps without pay that only gather the mean and deviation of observations, which
            then stand still; none where there is nothing to gather.
        env_id: of the environment, to warn where the demonstrations are of another; "": unknown.
        judging: the discriminator, and how it learns.

    Raises:
        ValueError: a word that is not known; at `bind`, no demonstrations, or such as do not fit
            the environment.
    """

    card = {"env_id": "id"}
    presets = {name: {"reward": name} for name in ("airl", "red", "random", "constant")}

    def __init__(
        self,
        demonstrations: Demonstrations | str,
        reward: str = "minimax",
        keys: Sequence[str] | None = None,
        *,
        standardise: bool = True,
        state_only: bool = False,
        warm_up: int = 1024,
        env_id: str = "",
        judging: Judging | None = None,
    ) -> None:
        self.demonstrations = demonstrations
        self.reward = one_of("reward", reward, REWARDS)
        self.keys = None if keys is None else tuple(keys)
        self.standardise, self.state_only = standardise, state_only
        self.warm_up = whole("warm_up", warm_up, least=0)
        self.env_id = env_id
        self.judging = Judging() if judging is None else judging

    @classmethod
    def from_config(
        cls,
        demonstrations: str = "",
        reward: Literal["minimax", "airl", "nonsat", "red", "random", "constant"] = "minimax",
        keys: Sequence[str] | None = None,
        standardise: bool = True,
        state_only: bool = False,
        warm_up: int = 1024,
        hidden: int = 64,
        spectral_norm: bool = False,
        penalty: Literal["wgan", "dragan", "nagard", "bare", "none"] = "wgan",
        penalty_weight: float = 10.0,
        slope: float = 1.0,
        one_sided: bool = True,
        noise: float = 0.5,
        labels: Literal["hard", "uniform", "soft", "flipped"] = "hard",
        label_amount: float = 0.1,
        entropy: float = 1e-3,
        learning_rate: float = 5e-4,
        batch_size: int = 64,
        passes: float = 4.0,
        kept: int = 2048,
        env_id: str = "",
    ) -> GailTerm:
        """The same of plain values; see `Judging`, `GradientPenalty` and `Labels`."""
        judging = Judging(
            hidden,
            spectral_norm,
            entropy,
            learning_rate,
            batch_size,
            passes,
            kept,
            GradientPenalty(penalty, penalty_weight, slope, one_sided, noise),
            Labels(labels, label_amount),
        )
        return cls(
            demonstrations,
            reward,
            keys,
            standardise=standardise,
            state_only=state_only,
            warm_up=warm_up,
            env_id=env_id,
            judging=judging,
        )

    def bind(self, setting: Setting) -> None:
        self._kept_file = None if setting.folder is None else setting.folder / FILE
        self._expert = self._demonstrations()
        self._expert.check(setting.observation_space, setting.action_space, self.env_id or None)
        if _succeeds(self._expert) and self.reward in ("minimax", "constant"):
            warnings.warn(
                f"the expert's episodes end with a success, and reward={self.reward} is never negative: who does not "
                "succeed is paid for longer. Consider reward=airl or nonsat, or leave the task's own reward in",
                stacklevel=2,
            )
        self._random = np.random.default_rng(setting.seed)
        self.features = PairFeatures(
            setting.observation_space,
            setting.action_space,
            keys=self.keys,
            standardise=self.standardise,
            with_actions=not self.state_only,
            random=self._random,
        )
        self.judge = self._judge(int(self._random.integers(2**31)))
        self._newest = Pairs(
            torch.zeros((self.judging.kept, self.features.observation_width)),
            torch.zeros((self.judging.kept, self.features.action_width)),
        )
        self._seen = 0  # pairs that came since the statistics stand still
        self._owed = 0.0  # steps of the discriminator, for pairs that came since its last ones
        self._steps = 0  # all, warm-up too
        self._settled = False
        self._paid, self._paid_steps = 0.0, 0
        self._task_paid, self._failed = False, False
        self.features.learn(self._judged(self._expert))
        if not self.features.learns or self.warm_up == 0:
            self._settle()

    def reset(self, observations: Observations, infos: Sequence[Info], mask: BoolArray) -> None:
        if self._kept_file is not None and not self._kept_file.exists():  # a run keeps what it learns from
            self._kept_file.parent.mkdir(parents=True, exist_ok=True)
            self._expert.save(self._kept_file)

    def __call__(self, batch: Transitions) -> FloatArray:
        self._steps += len(batch)
        if not self._settled:
            self.features.learn(self._judged(batch))
            if self._steps >= self.warm_up:
                self._settle()
            return np.zeros(len(batch))
        pairs = self.features(self._judged(batch), batch.actions)
        self._remember(pairs)
        paid = self._worth(pairs)
        self._paid += float(paid.sum())
        self._paid_steps += len(paid)
        return paid

    def rescore(self, batch: Transitions) -> FloatArray:
        if not self._settled:
            return np.zeros(len(batch))
        return self._worth(self.features(self._judged(batch), batch.actions))

    def update(self, rollout: Rollout) -> Mapping[str, float]:
        """The discriminator's steps: `passes` over the pairs that came since the last ones.

        Metrics: "paid", the mean reward; "expert" and "agent", mean σ(z) of minibatches,
        "accuracy", "loss", "penalty"; of gradient norms ‖∇z‖ "slope" and "steepest" (mean and
        largest on the agent's pairs), "slope_between" and "steepest_between" (on the way to the
        expert's), "validity" (C-validity on the agent's pairs).
        """
        self._look_back(rollout)
        if not self._paid_steps:
            return {}
        metrics = {"paid": self._paid / self._paid_steps}
        self._paid, self._paid_steps = 0.0, 0
        if not isinstance(self.judge, Learned):
            return metrics
        steps = int(self._owed)
        if steps:
            self._owed -= steps
            with one_thread():
                told = [self._learn(self.judge.training) for _ in range(steps)]
                metrics |= {name: float(np.mean([step[name] for step in told])) for name in told[0]}
                metrics |= self._steepness(self.judge.training.network)
        return metrics

    def closing_remark(self) -> str | None:
        remarks = []
        if not self._settled:
            remarks.append(f"nothing was paid: the run ended within warm_up={self.warm_up} steps")
        if self._task_paid:
            remarks.append(
                "the task's own reward was paid beside imitation; shaping.task_weight=0 leaves imitation alone"
            )
        if self.reward == "nonsat" and self._failed and not self._expert.ended.any():
            remarks.append(
                "episodes terminated, as the expert's never did, and reward=nonsat is never positive: to be over was "
                "better than to go on; consider airl or minimax"
            )
        return "; ".join(remarks) or None

    # -- what it is made of ----------------------------------------------------------------------

    def _demonstrations(self) -> Demonstrations:
        """Those of the run, if it has begun; else those that are given."""
        if isinstance(self.demonstrations, Demonstrations):
            return self.demonstrations
        if self._kept_file is not None and self._kept_file.exists():
            return Demonstrations.load(self._kept_file)
        if not self.demonstrations:
            raise ValueError("it imitates demonstrations, and was given none: say demonstrations=FILE.npz")
        if not Path(self.demonstrations).is_file():
            raise ValueError(f"demonstrations={self.demonstrations}: there is no such file; expected one of an expert")
        return Demonstrations.load(Path(self.demonstrations))

    def _judge(self, seed: int) -> Judge:
        widths, judging = (self.features.observation_width, self.features.action_width), self.judging
        if self.reward == "constant":
            return ConstantReward()
        if self.reward == "red":
            return RandomDistillation(*widths, judging.hidden, seed=seed)
        network = Discriminator(
            *widths,
            (judging.hidden, judging.hidden),
            spectral_norm=judging.spectral_norm,
            observation_clip=None if self.standardise else 5.0,
            state_only=self.state_only,
            head_gain=1.0 if self.reward == "random" else HEAD_GAIN,
            seed=seed,
        )
        if self.reward == "random":
            return RandomReward(network)
        training = DiscriminatorTraining(
            network,
            penalty=judging.penalty,
            labels=judging.labels,
            entropy=judging.entropy,
            learning_rate=judging.learning_rate,
            seed=seed,
        )
        return Learned(training, self.reward)

    def _settle(self) -> None:
        """From here on the same observation is the same row."""
        self._settled = True
        self._expert_pairs = self.features(self._judged(self._expert), self._expert.actions)
        with one_thread():
            self.judge.fit(self._expert_pairs)

    def _judged(self, steps: Transitions | Demonstrations) -> Observations:
        """The observations that are judged."""
        return steps.next_observations if self.state_only else steps.observations

    def _worth(self, pairs: Pairs) -> FloatArray:
        with one_thread():
            return self.judge.pay(pairs).numpy().astype(np.float64)

    def _remember(self, pairs: Pairs) -> None:
        rows = (self._seen + torch.arange(len(pairs.observations))) % self.judging.kept
        for kept, new in zip(self._newest, pairs, strict=True):
            kept[rows] = new
        self._seen += len(pairs.observations)
        self._owed += len(pairs.observations) * self.judging.passes / self.judging.batch_size

    def _drawn(self, count: int) -> tuple[Pairs, Pairs]:
        """Minibatches of the agent's newest pairs and of the expert's, with replacement."""
        agent = torch.from_numpy(self._random.integers(min(self._seen, self.judging.kept), size=count))
        expert = torch.from_numpy(self._random.integers(len(self._expert_pairs.observations), size=count))
        return self._newest.rows(agent), self._expert_pairs.rows(expert)

    def _learn(self, training: DiscriminatorTraining) -> Mapping[str, float]:
        return training.step(*self._drawn(self.judging.batch_size)).metrics()

    def _steepness(self, network: Discriminator) -> Mapping[str, float]:
        agent, expert = self._drawn(_LOOKED_AT)
        visited = gradient_norms(network.at_rest, agent)
        mixed = interpolates(agent, expert, torch.Generator().manual_seed(self._seen))
        between = gradient_norms(network.at_rest, mixed)
        return {
            "slope": float(visited.mean()),
            "steepest": float(visited.max()),
            "slope_between": float(between.mean()),
            "steepest_between": float(between.max()),
            "validity": validity(visited, self.judging.penalty.slope),
        }

    def _look_back(self, rollout: Rollout) -> None:
        """Was the task paid too, and did episodes terminate?"""
        for batch in rollout:
            self._failed = self._failed or bool(batch.terminated.any())
            self._task_paid = self._task_paid or any(
                info.get("reward_terms", {}).get("task", 0.0) != 0.0 for info in batch.infos
            )

    def state_dict(self) -> dict[str, Any]:
        return {
            "features": self.features.state_dict(),
            "judge": self.judge.state_dict(),
            "newest": [part[: min(self._seen, self.judging.kept)].clone() for part in self._newest],
            "counts": [self._seen, self._steps],
            "owed": self._owed,
            "marks": [self._settled, self._task_paid, self._failed],
            "paid": [self._paid, self._paid_steps],
            "random": self._random.bit_generator.state,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.features.load_state_dict(state["features"])
        self.judge.load_state_dict(state["judge"])
        self._seen, self._steps = (int(count) for count in state["counts"])
        self._owed = float(state["owed"])
        for kept, saved in zip(self._newest, state["newest"], strict=True):
            if len(saved) != min(self._seen, len(kept)) or saved.shape[1:] != kept.shape[1:]:
                raise ValueError(
                    f"the saved pairs are {tuple(saved.shape)}, and here there is room for {tuple(kept.shape)}: resume "
                    "with the same keys, state_only and kept"
                )
            kept[: len(saved)] = torch.as_tensor(saved)
        self._settled, self._task_paid, self._failed = (bool(mark) for mark in state["marks"])
        self._paid, self._paid_steps = float(state["paid"][0]), int(state["paid"][1])
        self._random.bit_generator.state = state["random"]
        if self._settled:
            self._expert_pairs = self.features(self._judged(self._expert), self._expert.actions)


def _succeeds(expert: Demonstrations) -> bool:
    """Do episodes end because the task was done: does the last step pay more than steps usually do?

    Where steps were left out, last ones among them, every episode that terminated counts as done.
    """
    if expert.header.subsampled > 1:
        return bool(expert.ended.all())
    return bool((expert.rewards[expert.terminated] > np.median(expert.rewards)).any())
