"""What pays where no discriminator learns: controls, and random expert distillation."""

from __future__ import annotations

import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from foundation.checks import number, whole
from shaping.adversarial.discriminator import Discriminator, Pairs
from shaping.adversarial.losses import DiscriminatorTraining
from shaping.adversarial.rewards import reward_from_logits


class Judge(ABC):
    """Pays pairs of observation and action."""

    @abstractmethod
    def rewards(self, observations: Tensor, actions: Tensor) -> Tensor:
        """(n,), with gradients with respect to both."""

    @torch.no_grad()
    def pay(self, pairs: Pairs) -> Tensor:
        """(n,), without gradients."""
        return self.rewards(*pairs)

    def fit(self, expert: Pairs) -> None:  # noqa: B027 - optional
        """The expert's pairs are known, once, before anything is paid."""

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:  # noqa: B027 - nothing is kept
        """Take over what `state_dict` gave."""


class Learned(Judge):
    """Pays what a discriminator, as it is now, makes of a pair.

    Args:
        training: of the discriminator.
        form: see `reward_from_logits`.
    """

    def __init__(self, training: DiscriminatorTraining, form: str) -> None:
        self.training, self.form = training, form

    def rewards(self, observations: Tensor, actions: Tensor) -> Tensor:
        return reward_from_logits(self.training.network.at_rest(observations, actions), self.form)

    def state_dict(self) -> dict[str, Any]:
        return self.training.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.training.load_state_dict(state)


class RandomReward(Judge):
    """Pays what a discriminator that never learns says: smooth, and about nothing.

    Its head starts with gain 1, unlike a learning one's, or it would pay the same everywhere.

    Args:
        network: of the logits.
        form: see `reward_from_logits`.
    """

    def __init__(self, network: Discriminator, form: str = "minimax") -> None:
        self.network, self.form = network, form

    def rewards(self, observations: Tensor, actions: Tensor) -> Tensor:
        return reward_from_logits(self.network.at_rest(observations, actions), self.form)

    def state_dict(self) -> dict[str, Any]:
        return {"network": self.network.plain_state()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.network.load_plain_state(state["network"])


class ConstantReward(Judge):
    """Pays the same for everything: what is learned from it is to go on, or to be over.

    Args:
        reward: of each pair.
    """

    def __init__(self, reward: float = 1.0) -> None:
        self.reward = number("reward", reward)

    def rewards(self, observations: Tensor, actions: Tensor) -> Tensor:
        nothing = (observations.sum(dim=1) + actions.sum(dim=1)) * 0.0
        return nothing + self.reward


class RandomDistillation(Judge):
    """exp(−σ · ‖f̂ − f‖²/d): f is a fixed random network, which f̂ learned on the expert's pairs.

    Source: Wang et al. 2019, "Random Expert Distillation" (RED). σ is set so that the expert's
    pairs, at their mean error, are paid `expert_pay`; nothing is learned afterwards.

    Args:
        observation_width, action_width: of the pairs.
        hidden: width of the hidden layers: one in f, two in f̂.
        outputs: d.
        steps: of Adam, on minibatches of `batch_size` drawn with replacement.
        batch_size: see there.
        learning_rate: Adam's.
        expert_pay: reward at the expert's mean error.
        seed: of networks and minibatches.

    Raises:
        ValueError: a number out of range.
    """

    def __init__(
        self,
        observation_width: int,
        action_width: int,
        hidden: int = 64,
        outputs: int = 32,
        *,
        steps: int = 500,
        batch_size: int = 64,
        learning_rate: float = 5e-4,
        expert_pay: float = 0.9,
        seed: int = 0,
    ) -> None:
        self.steps, self.batch_size = whole("steps", steps), whole("batch_size", batch_size)
        self.learning_rate = number("learning_rate", learning_rate, above=0)
        self.expert_pay = number("expert_pay", expert_pay, above=0, below=1)
        self.sharpness = 1.0
        self._random = torch.Generator().manual_seed(seed)
        width = observation_width + action_width
        self._target = _layers(self._random, width, hidden, outputs)
        self._predictor = _layers(self._random, width, hidden, hidden, outputs)

    def fit(self, expert: Pairs) -> None:
        rows = torch.cat(expert, dim=1)
        parameters = [weights.requires_grad_() for weights in self._predictor]
        optimiser = torch.optim.Adam(parameters, lr=self.learning_rate)
        for _ in range(self.steps):
            drawn = rows[torch.randint(len(rows), (self.batch_size,), generator=self._random)]
            loss = self._errors(drawn).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        self._predictor = [weights.detach() for weights in parameters]
        self.sharpness = -math.log(self.expert_pay) / max(float(self._errors(rows).mean()), 1e-12)

    def rewards(self, observations: Tensor, actions: Tensor) -> Tensor:
        return torch.exp(-self.sharpness * self._errors(torch.cat([observations, actions], dim=1)))

    def _errors(self, rows: Tensor) -> Tensor:
        return (_through(self._predictor, rows) - _through(self._target, rows)).square().mean(dim=1)

    def state_dict(self) -> dict[str, Any]:
        return {
            "target": [weights.clone() for weights in self._target],
            "predictor": [weights.detach().clone() for weights in self._predictor],
            "sharpness": self.sharpness,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        shapes = [[tuple(weights.shape) for weights in each] for each in (self._target, state["target"])]
        if shapes[0] != shapes[1]:
            raise ValueError(f"the saved target has {shapes[1]}, this one {shapes[0]}: resume with the same keys")
        self._target = [weights.clone() for weights in state["target"]]
        self._predictor = [weights.clone() for weights in state["predictor"]]
        self.sharpness = float(state["sharpness"])


def _layers(random: torch.Generator, *widths: int) -> list[Tensor]:
    """Weights without biases, orthogonal with gain √2."""
    layers = []
    for before, after in itertools.pairwise(widths):
        layers.append(torch.nn.init.orthogonal_(torch.empty(before, after), math.sqrt(2), generator=random))
    return layers


def _through(layers: list[Tensor], rows: Tensor) -> Tensor:
    for index, weights in enumerate(layers):
        rows = rows @ weights
        if index < len(layers) - 1:
            rows = torch.nn.functional.leaky_relu(rows, 0.1)
    return rows
