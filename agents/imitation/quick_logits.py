"""A discriminator's rewards in a few products, as every batch of the replay buffer asks for them.

Its rows are few and its layers small, so that of torch's way most is spent on the way.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn.utils.parametrize import is_parametrized

from shaping.adversarial import CAP, Discriminator
from shaping.adversarial.discriminator import SLOPE

Array = npt.NDArray[np.float32]


class QuickLogits:
    """Logits of `network.score`, up to rounding, without gradients; spectral norms stand still.

    Args:
        network: a discriminator on the CPU. Its weights are read where they lie, so they may learn;
            those that are spectrally normed are read again after `changed`.
    """

    def __init__(self, network: Discriminator) -> None:
        self._network = network
        self._layers = [layer for layer in network.layers if isinstance(layer, nn.Linear)]
        self._normed = any(map(is_parametrized, self._layers))
        self._weights: list[tuple[Array, Array]] = []

    def changed(self) -> None:
        """The network has learned, or was loaded."""
        if self._normed:
            self._weights = []

    def __call__(self, observations: Array, seconds: Array) -> Array:
        """(n,), of rows (n, observation_width) and (n, action_width) of float32."""
        clip = self._network.observation_clip
        if clip is not None:
            observations = observations.clip(-clip, clip)
        *hidden, (head, offset) = self._weights or self._read()
        values: Any = np.concatenate([observations, seconds], axis=1)
        for weight, bias in hidden:
            values = values @ weight
            values += bias
            np.maximum(values, SLOPE * values, out=values)
        logits: Array = (values @ head)[:, 0] + offset
        return logits

    @torch.no_grad()
    def _read(self) -> list[tuple[Array, Array]]:
        training = self._network.training
        self._network.eval()  # or reading a spectrally normed weight would move its estimate
        self._weights = [(layer.weight.numpy().T, layer.bias.numpy()) for layer in self._layers]
        self._network.train(training)
        return self._weights


def quick_rewards(logits: Array, form: str) -> Array:
    """`reward_from_logits` of arrays."""
    if form == "airl":
        return logits
    if form == "nonsat":
        return -np.logaddexp(np.float32(0.0), -logits)
    return np.minimum(np.logaddexp(np.float32(0.0), logits), np.float32(CAP))
