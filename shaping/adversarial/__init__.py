"""Adversarial imitation: who tells expert from agent, how smooth that is, and what it pays."""

from shaping.adversarial.baselines import ConstantReward, Judge, Learned, RandomDistillation, RandomReward
from shaping.adversarial.discriminator import Discriminator, Pairs
from shaping.adversarial.features import ActionFeatures, PairFeatures
from shaping.adversarial.losses import DiscriminatorTraining, Judgement, Labels, bernoulli_entropy, judge
from shaping.adversarial.penalties import VARIANTS, GradientPenalty, Steepness, gradient_norms, interpolates
from shaping.adversarial.rewards import CAP, FORMS, reward_from_logits
from shaping.adversarial.smoothness import (
    jacobian_norms,
    kappa,
    published_q_lipschitz,
    safe_q_lipschitz,
    validity,
)
from shaping.adversarial.term import GailTerm, Judging

__all__ = [
    "CAP",
    "FORMS",
    "VARIANTS",
    "ActionFeatures",
    "ConstantReward",
    "Discriminator",
    "DiscriminatorTraining",
    "GailTerm",
    "GradientPenalty",
    "Judge",
    "Judgement",
    "Judging",
    "Labels",
    "Learned",
    "PairFeatures",
    "Pairs",
    "RandomDistillation",
    "RandomReward",
    "Steepness",
    "bernoulli_entropy",
    "gradient_norms",
    "interpolates",
    "jacobian_norms",
    "judge",
    "kappa",
    "published_q_lipschitz",
    "reward_from_logits",
    "safe_q_lipschitz",
    "validity",
]
