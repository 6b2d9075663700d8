"""What can be chosen of adversarial imitation, and what of it can work together."""

from __future__ import annotations

from dataclasses import dataclass

from agents.sb3.algorithm import refuse_net_arch
from foundation.checks import number, one_of, whole
from shaping.adversarial import FORMS, VARIANTS, GradientPenalty, Labels

REWARDS = (*FORMS, "sqil", "constant", "random")
SEEN = ("pair", "state", "transition")
ABSORBING = ("none", "dac", "paper")
PURPLE = ("none", "batch", "sample")


@dataclass(frozen=True, kw_only=True)
class Imitation:
    """Settings of the learned reward; their meaning and source stand in docs/imitation.md.

    Attributes:
        reward: "minimax", "airl" and "nonsat" are forms of the discriminator's logit; "sqil" pays 1
            on demonstrations, which make up half of every batch, and 0 on the agent's own steps;
            "constant" pays `constant`; "random" the logit of a discriminator that never learns.
        constant: what "constant" pays for a step.
        subsample: one step of so many of the demonstrations is kept.
        subsample_seed: of the offsets.
        sees: what is judged: (s, a), s, or (s, s').
        d_steps: minibatches of the discriminator after every update of the critics; −1: as many as
            the demonstrations fill.
        d_batch_size: pairs of either side in one; drawn with replacement.
        d_learning_rate: Adam's.
        d_net_arch: widths of the hidden layers.
        penalty, penalty_weight, penalty_slope, penalty_one_sided, penalty_noise: see
            `GradientPenalty`.
        spectral_norm: of the hidden layers.
        labels, label_amount: see `Labels`.
        d_entropy: weight of the entropy bonus.
        obs_clip: observations are cut to ± this inside the discriminator; 0: they are not.
        standardise: observations are judged in units of the demonstrations' mean and deviation.
        absorbing: what is paid after a termination; see docs/imitation.md.
        purple: the reward's factor κ: none, one for a batch, or one for each step.
        purple_tau, purple_floor: its threshold, and the least it can be.
        fit_model: the forward model is fitted for its diagnostics, without `purple` too.
        model_learning_rate: Adam's, of the forward model.
        diagnose_every: updates between the diagnostics that need Jacobians; 0: never.

    Raises:
        ValueError: a number out of bounds, an unknown name, or settings that exclude each other.
    """

    reward: str = "minimax"
    constant: float = 1.0
    subsample: int = 1
    subsample_seed: int = 0
    sees: str = "pair"
    d_steps: int = 1
    d_batch_size: int = 64
    d_learning_rate: float = 5e-4
    d_net_arch: tuple[int, ...] = (64, 64)
    penalty: str = "wgan"
    penalty_weight: float = 10.0
    penalty_slope: float = 1.0
    penalty_one_sided: bool = True
    penalty_noise: float = 0.5
    spectral_norm: bool = False
    labels: str = "hard"
    label_amount: float = 0.1
    d_entropy: float = 1e-3
    obs_clip: float = 0.0
    standardise: bool = False
    absorbing: str = "none"
    purple: str = "none"
    purple_tau: float = 6.0
    purple_floor: float = 0.7
    fit_model: bool = False
    model_learning_rate: float = 2.5e-4
    diagnose_every: int = 500

    def __post_init__(self) -> None:
        one_of("agent.reward", self.reward, REWARDS)
        one_of("agent.sees", self.sees, SEEN)
        one_of("agent.absorbing", self.absorbing, ABSORBING)
        one_of("agent.purple", self.purple, PURPLE)
        one_of("agent.penalty", self.penalty, VARIANTS)
        number("agent.constant", self.constant)
        for name in ("subsample", "d_batch_size"):
            whole(f"agent.{name}", getattr(self, name))
        for name in ("subsample_seed", "diagnose_every"):
            whole(f"agent.{name}", getattr(self, name), least=0)
        whole("agent.d_steps", self.d_steps, least=-1)
        if self.d_steps == 0:
            raise ValueError(
                "agent.d_steps=0 teaches the discriminator nothing: expected 1 or more, or -1 for as many minibatches "
                "as the demonstrations fill; agent.reward=random is the control that never learns"
            )
        for name in ("d_learning_rate", "model_learning_rate"):
            number(f"agent.{name}", getattr(self, name), above=0)
        for name in ("penalty_weight", "penalty_slope", "penalty_noise", "d_entropy", "obs_clip", "purple_tau"):
            number(f"agent.{name}", getattr(self, name), least=0)
        number("agent.purple_floor", self.purple_floor, above=0, most=1)
        refuse_net_arch(list(self.d_net_arch))
        self.gradient_penalty(), self.expert_labels()
        self._refuse_together()

    def _refuse_together(self) -> None:
        if self.reward == "sqil":
            for name, value in (("absorbing", self.absorbing), ("purple", self.purple)):
                if value != "none":
                    raise ValueError(
                        f"agent.reward=sqil pays 1 on demonstrations and 0 elsewhere, so agent.{name}={value} has "
                        f"nothing to change: use agent.{name}=none, or a reward of a discriminator"
                    )
        if self.sees == "transition" and self.absorbing != "none":
            raise ValueError(
                f"agent.sees=transition judges (s, s'), and agent.absorbing={self.absorbing} adds pairs of state and "
                "action: use agent.sees=pair or state, or agent.absorbing=none"
            )

    @property
    def adversarial(self) -> bool:
        """Is there a discriminator that learns?"""
        return self.reward in FORMS

    @property
    def models(self) -> bool:
        """Is there a forward model?"""
        return self.fit_model or self.purple != "none"

    def gradient_penalty(self) -> GradientPenalty:
        """On the discriminator's steepness."""
        return GradientPenalty(
            variant=self.penalty,  # type: ignore[arg-type]
            weight=self.penalty_weight,
            slope=self.penalty_slope,
            one_sided=self.penalty_one_sided,
            noise=self.penalty_noise,
        )

    def expert_labels(self) -> Labels:
        """What it should say of the expert's pairs."""
        return Labels(self.labels, self.label_amount)  # type: ignore[arg-type]
