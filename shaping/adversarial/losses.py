"""How a discriminator learns: its loss, its labels, and steps on minibatches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, softplus

from foundation.checks import number, one_of
from shaping.adversarial.closed_form import Array, Layers, Punished, gradients
from shaping.adversarial.discriminator import Discriminator, Pairs
from shaping.adversarial.penalties import GradientPenalty

LABELS = ("hard", "uniform", "soft", "flipped")
UNIFORM = (0.7, 1.2)
"""Between which "uniform" labels lie."""


@dataclass(frozen=True)
class Labels:
    """What the discriminator should say of the expert's pairs; of the agent's it is always 0.

    Attributes:
        kind: "hard", 1; "uniform", drawn between .7 and 1.2 for each pair (Salimans et al. 2016);
            "soft", 1 − amount/2; "flipped", 1, but 0 for a share `amount` drawn anew each time.
        amount: of "soft" and "flipped", from 0 to 1.

    Raises:
        ValueError: an unknown kind, or an amount out of range.
    """

    kind: Literal["hard", "uniform", "soft", "flipped"] = "hard"
    amount: float = 0.1

    def __post_init__(self) -> None:
        one_of("labels", self.kind, LABELS)
        number("label_amount", self.amount, least=0, most=1)

    def __call__(self, count: int, random: torch.Generator) -> Tensor:
        """(count,)"""
        if self.kind == "uniform":
            return UNIFORM[0] + (UNIFORM[1] - UNIFORM[0]) * torch.rand(count, generator=random)
        if self.kind == "soft":
            return torch.full((count,), 1.0 - self.amount / 2)
        if self.kind == "flipped":
            return (torch.rand(count, generator=random) >= self.amount).float()
        return torch.ones(count)


class Judgement(NamedTuple):
    """The loss of one minibatch, a scalar, of `judge` with its gradient, and what it is made of.

    Attributes:
        loss: cross-entropies − entropy bonus + penalty.
        agent, expert: (n,) logits.
        penalty: as it stands in the loss.
        norms: gradient norms where the penalty looked; see `Steepness`.
    """

    loss: Tensor
    agent: Tensor
    expert: Tensor
    penalty: Tensor
    norms: Tensor

    def metrics(self) -> dict[str, float]:
        """Numbers: "expert" and "agent" are means of σ(z), "accuracy" is of both sides together."""
        agent, expert = self.agent.detach(), self.expert.detach()
        right = (agent < 0).float().mean() + (expert > 0).float().mean()
        return {
            "loss": float(self.loss.detach()),
            "penalty": float(self.penalty.detach()),
            "expert": float(torch.sigmoid(expert).mean()),
            "agent": float(torch.sigmoid(agent).mean()),
            "accuracy": float(right / 2),
        }


def bernoulli_entropy(logits: Tensor) -> Tensor:
    """Entropy of σ(z), in nats; of any shape.

    >>> round(float(bernoulli_entropy(torch.zeros(()))), 4)
    0.6931
    """
    return softplus(logits) - torch.sigmoid(logits) * logits


def judge(
    network: Discriminator,
    agent: Pairs,
    expert: Pairs,
    *,
    penalty: GradientPenalty,
    labels: Labels,
    entropy: float,
    random: torch.Generator,
) -> Judgement:
    """mean BCE(z_agent, 0) + mean BCE(z_expert, y) − entropy · mean H(σ(z)) + penalty.

    Args:
        network: that judges.
        agent, expert: rows; of one size where the penalty mixes them.
        penalty, labels: see there.
        entropy: weight of the bonus, the mean entropy over the logits of both.
        random: labels and points of the penalty are drawn from it.
    """
    ours, theirs = network(*agent), network(*expert)
    told_apart = binary_cross_entropy_with_logits(ours, torch.zeros_like(ours))
    told_apart = told_apart + binary_cross_entropy_with_logits(theirs, labels(len(theirs), random))
    unsure = bernoulli_entropy(torch.cat([ours, theirs])).mean()
    steepness = penalty(network, agent, expert, random)
    return Judgement(told_apart - entropy * unsure + steepness.loss, ours, theirs, steepness.loss, steepness.norms)


class DiscriminatorTraining:
    """A discriminator, its optimiser, and everything drawn on the way.

    Args:
        network: that learns.
        penalty: on its steepness.
        labels: of the expert.
        entropy: weight of the bonus for being unsure.
        learning_rate: Adam's.
        seed: of what is drawn.

    Raises:
        ValueError: a number out of range.
    """

    def __init__(
        self,
        network: Discriminator,
        *,
        penalty: GradientPenalty | None = None,
        labels: Labels | None = None,
        entropy: float = 1e-3,
        learning_rate: float = 5e-4,
        seed: int = 0,
    ) -> None:
        self.network = network
        self.penalty = GradientPenalty() if penalty is None else penalty
        self.labels = Labels() if labels is None else labels
        self.entropy = number("entropy", entropy, least=0)
        rate = number("learning_rate", learning_rate, above=0)
        self.optimiser = torch.optim.Adam(network.parameters(), lr=rate, fused=True)
        self.random = torch.Generator().manual_seed(seed)

    def step(self, agent: Pairs, expert: Pairs) -> Judgement:
        """One step of Adam on minibatches of one size; what they came to before it."""
        if not self.network.training:
            self.network.train()
        layers = self.network.numbers()
        if layers is None:
            judgement = self._by_autograd(agent, expert)
        else:
            judgement = self._written_out(layers, agent, expert)
        self.optimiser.step()
        return judgement

    def _by_autograd(self, agent: Pairs, expert: Pairs) -> Judgement:
        """`judge`, and its gradient in the parameters."""
        judgement = judge(
            self.network,
            agent,
            expert,
            penalty=self.penalty,
            labels=self.labels,
            entropy=self.entropy,
            random=self.random,
        )
        self.optimiser.zero_grad()
        judgement.loss.backward()
        return judgement

    @torch.no_grad()
    def _written_out(self, layers: Layers, agent: Pairs, expert: Pairs) -> Judgement:
        """The same, with the same draws."""
        labels = self.labels(len(expert.observations), self.random)
        points = self.penalty.points(agent, expert, self.random) if self.penalty.looks else None
        learned = gradients(
            layers,
            np.concatenate([self.network.rows(*pairs).numpy() for pairs in (agent, expert)]),
            labels.numpy(),
            self.entropy,
            Punished(self.penalty.weight, self.penalty.slope, self.penalty.one_sided),
            None if points is None else self.network.rows(*points).numpy(),
            None if points is None else self._within(points),
        )
        written = [array for pair in zip(learned.weights, learned.biases, strict=True) for array in pair]
        for parameter, gradient in zip(self.network.parameters(), written, strict=True):
            parameter.grad = torch.from_numpy(gradient)
        logits, n = torch.from_numpy(learned.logits), len(agent.observations)
        loss, penalty = torch.tensor(learned.loss), torch.tensor(learned.penalty)
        return Judgement(loss, logits[:n], logits[n:], penalty, torch.from_numpy(learned.norms))

    def _within(self, points: Pairs) -> Array | None:
        clip = self.network.observation_clip
        if clip is None:
            return None
        within = (points.observations.abs() <= clip).float()
        seen = within if self.network.state_only else torch.cat([within, torch.ones_like(points.actions)], dim=1)
        return seen.numpy()

    def state_dict(self) -> dict[str, Any]:
        """Network, optimiser and random stream, copied."""
        return {
            "network": self.network.plain_state(),
            "optimiser": copied(self.optimiser.state_dict()),
            "random": self.random.get_state().clone(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave.

        Raises:
            ValueError: it is of another network.
        """
        self.network.load_plain_state(state["network"])
        self.optimiser.load_state_dict(copied(state["optimiser"]))
        self.random.set_state(torch.as_tensor(state["random"], dtype=torch.uint8))


def copied(state: Any) -> Any:
    """A state whose tensors are nobody else's."""
    if isinstance(state, Tensor):
        return state.clone()
    if isinstance(state, Mapping):
        return {key: copied(value) for key, value in state.items()}
    if isinstance(state, list):
        return [copied(value) for value in state]
    return state
