"""Gradient penalties: how steep the discriminator may be, and where that is looked at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from foundation.checks import number, one_of
from shaping.adversarial.closed_form import ROOT
from shaping.adversarial.discriminator import Pairs

VARIANTS = ("wgan", "dragan", "nagard", "bare", "none")
Variant = Literal["wgan", "dragan", "nagard", "bare", "none"]
Logits = Callable[[Tensor, Tensor], Tensor]
"""Observations (n, width) and actions (n, width) -> logits (n,)."""


class Steepness(NamedTuple):
    """What a penalty found.

    Attributes:
        loss: what it adds to the loss, weight included; a scalar with its gradient.
        norms: (n,) gradient norms at the points where it looked, without gradients; empty: nowhere.
    """

    loss: Tensor
    norms: Tensor


@dataclass(frozen=True)
class GradientPenalty:
    """λ · mean of max(0, n(x) − k)², or of (n(x) − k)², where n(x) = ‖∇D(x)‖.

    The norm is that of the gradient over (s, a) as one vector. It is taken with respect to what
    goes into the network. Source: Blondé et al. 2020; "wgan" is Gulrajani et al. 2017, "dragan"
    Kodali et al. 2017.

    Attributes:
        variant: where x lies. "wgan": on the way between a pair of the agent and one of the expert,
            as far along for the state as one uniform number says and for the action as another;
            "dragan": around the expert's pairs; "nagard": around the agent's; "bare": the agent's
            themselves; "none": there is no penalty.
        weight: λ.
        slope: k, the gradient norm that is free.
        one_sided: only steeper than k is punished; else flatter, too.
        noise: standard deviation of each coordinate, "around" a pair. The authors have 10, for
            observations that are not standardised.

    Raises:
        ValueError: an unknown variant, or a number below 0.
    """

    variant: Variant = "wgan"
    weight: float = 10.0
    slope: float = 1.0
    one_sided: bool = True
    noise: float = 0.5

    def __post_init__(self) -> None:
        one_of("penalty", self.variant, VARIANTS)
        number("penalty_weight", self.weight, least=0)
        number("slope", self.slope, least=0)
        number("noise", self.noise, least=0)

    def __call__(self, network: Logits, agent: Pairs, expert: Pairs, random: torch.Generator) -> Steepness:
        """The penalty on minibatches of equal size.

        Args:
            network: of the logits.
            agent, expert: (n, ...) rows.
            random: what is drawn comes from it.

        Raises:
            ValueError: minibatches of unlike sizes, where pairs are mixed.
        """
        if not self.looks:
            nothing = agent.observations.new_zeros(())
            return Steepness(nothing, nothing.new_zeros(0))
        norms = gradient_norms(network, self.points(agent, expert, random), create_graph=True)
        return Steepness(self.weight * self.excess(norms).square().mean(), norms.detach())

    @property
    def looks(self) -> bool:
        """Is there any penalty?"""
        return self.variant != "none" and self.weight > 0.0

    def points(self, agent: Pairs, expert: Pairs, random: torch.Generator) -> Pairs:
        """The pairs x where it looks, drawn anew; of "none" those of "wgan"."""
        if self.variant == "bare":
            return agent
        if self.variant in ("dragan", "nagard"):
            centre = expert if self.variant == "dragan" else agent
            return Pairs(*(part + self.noise * torch.randn(part.shape, generator=random) for part in centre))
        return interpolates(agent, expert, random)

    def excess(self, norms: Tensor) -> Tensor:
        """By how much each norm misses what is free."""
        return (norms - self.slope).clamp(min=0.0) if self.one_sided else norms - self.slope


def interpolates(agent: Pairs, expert: Pairs, random: torch.Generator) -> Pairs:
    """Pairs on the way from the expert's to the agent's, row by row.

    States and actions are mixed each by a uniform number of their own, as the authors' code has it.

    Raises:
        ValueError: there are not as many of both.
    """
    if len(agent.observations) != len(expert.observations):
        raise ValueError(
            f"{len(agent.observations)} pairs of the agent and {len(expert.observations)} of the expert cannot be "
            "mixed: draw minibatches of one size"
        )
    mixed = []
    for ours, theirs in zip(agent, expert, strict=True):
        share = torch.rand((len(ours), 1), generator=random)
        mixed.append(share * ours + (1 - share) * theirs)
    return Pairs(*mixed)


def gradient_norms(network: Logits, pairs: Pairs, *, create_graph: bool = False) -> Tensor:
    """‖∇D‖ at each pair, (n,), over state and action as one vector.

    Args:
        network: of the logits.
        pairs: where.
        create_graph: can the norms be descended themselves?
    """
    with torch.enable_grad():
        inputs = [part.detach().requires_grad_() for part in pairs]
        gradients = torch.autograd.grad(
            network(*inputs).sum(), inputs, create_graph=create_graph, allow_unused=True, materialize_grads=True
        )
        whole = torch.cat(gradients, dim=1)
        if create_graph:
            return (whole.square().sum(dim=1) + ROOT).sqrt()
        return whole.norm(dim=1)
