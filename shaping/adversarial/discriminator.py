"""A network that tells an expert's pairs of observation and action from an agent's."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations
from torch.nn.utils.parametrize import is_parametrized

from foundation.checks import number, whole
from shaping.adversarial.closed_form import Layers

SLOPE = 0.1
"""Of the leaky rectifiers, below 0."""
GAIN = math.sqrt(2 / (1 + SLOPE**2))
"""Of the orthogonal start of hidden layers; the head's is `HEAD_GAIN`."""
HEAD_GAIN = 0.01
WIDEST = 4096  # numbers in a layer; an orthogonal start of more takes minutes


class Pairs(NamedTuple):
    """Rows of observations and actions, as the network gets them.

    Attributes:
        observations: (n, observation_width) float32.
        actions: (n, action_width) float32; of width 0 where only states count.
    """

    observations: Tensor
    actions: Tensor

    def rows(self, rows: Tensor) -> Pairs:
        """Some of them."""
        return Pairs(self.observations[rows], self.actions[rows])

    def detach(self) -> Pairs:
        """The same without gradients."""
        return Pairs(self.observations.detach(), self.actions.detach())


class Discriminator(nn.Module):
    """z = D(s, a): positive where it takes the pair for the expert's.

    Leaky rectifiers, orthogonal start, biases 0, one logit at the end. Source: Blondé, Strasser and
    Kalousis 2020, "Lipschitzness Is All You Need To Tame Off-policy Generative Adversarial
    Imitation Learning", and their code. The layers are made from a seed of their own; torch's
    global random stream is left as it was.

    Args:
        observation_width: numbers in a row of observations.
        action_width: numbers in a row of actions; 0: there are none.
        hidden: widths of the hidden layers.
        spectral_norm: divide the hidden layers' weights by their largest singular value (Miyato et
            al. 2018); the head is left alone, as in the authors' code.
        observation_clip: observations are cut to ±this inside the network, so that gradients with
            respect to what came in are 0 beyond it. The authors' 5; None: they are not cut.
        state_only: actions do not count; they may have any width.
        head_gain: of the head's orthogonal start.
        seed: of the first weights.

    Raises:
        ValueError: a number out of range.
    """

    def __init__(
        self,
        observation_width: int,
        action_width: int = 0,
        hidden: Sequence[int] = (100, 100),
        *,
        spectral_norm: bool = False,
        observation_clip: float | None = None,
        state_only: bool = False,
        head_gain: float = HEAD_GAIN,
        seed: int = 0,
    ) -> None:
        super().__init__()
        whole("observation_width", observation_width)
        whole("action_width", action_width, least=0)
        for width in hidden:
            whole("hidden", width, most=WIDEST)
        self.observation_clip = None if observation_clip is None else number("clip", observation_clip, above=0)
        self.state_only = state_only
        widths = [observation_width + (0 if state_only else action_width), *hidden]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            layers: list[nn.Module] = []
            for before, after in itertools.pairwise(widths):
                layer = _orthogonal(before, after, GAIN)
                layers += [parametrizations.spectral_norm(layer) if spectral_norm else layer, nn.LeakyReLU(SLOPE)]
            self.layers = nn.Sequential(*layers, _orthogonal(widths[-1], 1, head_gain))

    def forward(self, observations: Tensor, actions: Tensor) -> Tensor:
        """Logits (n,)."""
        logits: Tensor = self.layers(self.rows(observations, actions))
        return logits[:, 0]

    def rows(self, observations: Tensor, actions: Tensor) -> Tensor:
        """What the first layer is given, (n, width)."""
        if self.observation_clip is not None:
            observations = observations.clamp(-self.observation_clip, self.observation_clip)
        return observations if self.state_only else torch.cat([observations, actions], dim=1)

    def numbers(self) -> Layers | None:
        """Weights and biases where they lie, so that they may learn; None: some are computed.

        Spectral norms are, and so is whatever does not lie on the CPU.
        """
        layers = [layer for layer in self.layers if isinstance(layer, nn.Linear)]
        if any(is_parametrized(layer) or layer.weight.device.type != "cpu" for layer in layers):
            return None
        weights, biases = ([getattr(layer, name).detach().numpy() for layer in layers] for name in ("weight", "bias"))
        return Layers(weights, biases, SLOPE)

    def at_rest(self, observations: Tensor, actions: Tensor) -> Tensor:
        """Logits (n,) with their gradients, while spectral norms stand still."""
        training = self.training
        self.eval()
        try:
            logits: Tensor = self(observations, actions)
            return logits
        finally:
            self.train(training)

    @torch.no_grad()
    def score(self, pairs: Pairs) -> Tensor:
        """Logits (n,) to pay by: without gradients, at rest."""
        return self.at_rest(*pairs)

    def plain_state(self) -> dict[str, Tensor]:
        """A copy of its weights, for a checkpoint."""
        return {name: tensor.detach().clone() for name, tensor in self.state_dict().items()}

    def load_plain_state(self, state: Mapping[str, Any]) -> None:
        """Take over what `plain_state` gave.

        Raises:
            ValueError: it is of another network.
        """
        here = self.state_dict()
        shapes = [{name: tuple(tensor.shape) for name, tensor in each.items()} for each in (here, state)]
        if shapes[0] != shapes[1]:
            raise ValueError(
                f"the saved network has {shapes[1]}, this one {shapes[0]}: resume with the same keys, hidden, "
                "spectral_norm and state_only"
            )
        self.load_state_dict(dict(state))


def _orthogonal(before: int, after: int, gain: float) -> nn.Linear:
    layer = nn.Linear(before, after)
    nn.init.orthogonal_(layer.weight, gain)
    nn.init.zeros_(layer.bias)
    return layer
