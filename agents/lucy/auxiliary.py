"""The two auxiliary tasks: which kind of reward comes next, and what the situation is.

Both read what the actor embedded and shape it by their gradients. Source: Moschopoulos et al. 2023,
arXiv 2305.15801, and its released code.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, smooth_l1_loss

from agents.features.perceiver import CrossAttention, Embedded

POSITIVE, NEGATIVE, NEITHER = range(3)


class RewardPrediction(nn.Module):
    """From the last observations, is the reward of this step positive, negative, or neither?

    Args:
        width, heads: of the actor's network.
        hidden: units of the LSTM.
    """

    def __init__(self, width: int, heads: int, hidden: int = 32) -> None:
        super().__init__()
        self.attention = CrossAttention(width, heads)
        self.lstm = nn.LSTM(width, hidden, batch_first=True)
        self.classify = nn.Linear(hidden, 3)

    def forward(self, embedded: Embedded, windows: Tensor) -> Tensor:
        """Logits (batch, 3).

        Args:
            embedded: observations.
            windows: (batch, length) which of them each sequence is made of, the oldest first; -1
                before the first.
        """
        seen = self.attention(*embedded)[:, 0]
        there = (windows >= 0)[..., None]
        last, _ = self.lstm(torch.where(there, seen[windows.clamp(min=0)], 0.0))
        logits: Tensor = self.classify(last[:, -1])
        return logits

    @staticmethod
    def classes(rewards: Tensor, threshold: float) -> Tensor:
        """(batch,) of 0 to 2 for rewards (batch,)."""
        classes = torch.full(rewards.shape, NEITHER, device=rewards.device)
        classes[rewards > threshold] = POSITIVE
        classes[rewards < -threshold] = NEGATIVE
        return classes

    @staticmethod
    def loss(logits: Tensor, classes: Tensor) -> Tensor:
        """Cross-entropy."""
        return cross_entropy(logits, classes)


class StateRepresentation(nn.Module):
    """Reconstructs the keys of an observation through a bottleneck of sixteen numbers.

    Args:
        width, heads: of the actor's network.
        n_keys, key_features: of the observations.
        relu_output: end in a ReLU as the released code does, which cannot reconstruct what is
            negative.
    """

    def __init__(self, width: int, heads: int, n_keys: int, key_features: int, relu_output: bool = False) -> None:
        super().__init__()
        self.attention = CrossAttention(width, heads)
        sizes = (width, 32, 16, 32, 128, 512, 512)
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(sizes):
            layers += [nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs), nn.ReLU()]
        layers.append(nn.Linear(sizes[-1], n_keys * key_features))
        if relu_output:
            layers.append(nn.ReLU())
        self.reconstruct = nn.Sequential(*layers)

    def forward(self, embedded: Embedded) -> Tensor:
        """(batch, n_keys · key_features) of two rows or more: batch normalisation needs them."""
        reconstruction: Tensor = self.reconstruct(self.attention(*embedded)[:, 0])
        return reconstruction

    @staticmethod
    def loss(reconstruction: Tensor, keys: Tensor) -> Tensor:
        """Smooth L1 to keys (batch, n_keys, key_features)."""
        return smooth_l1_loss(reconstruction, keys.flatten(1))


def windows(
    rows: npt.NDArray[np.int64], ages: npt.NDArray[np.int64], length: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The sequences that end at these rows, as a set of rows and places in it.

    A rollout has `ages.size` rows, an environment's one after another, so the step before row i is
    row i - 1.

    Args:
        rows: (batch,).
        ages: of all rows: steps since the episode, or the rollout, began.
        length: of a sequence.

    Returns:
        The different rows that are needed, sorted, and (batch, length) places in them, the oldest
        first and -1 before the first step: a row that many sequences share is embedded once.
    """
    back = np.arange(length - 1, -1, -1)
    wanted, there = rows[:, None] - back, back <= ages[rows][:, None]
    needed, places = np.unique(wanted[there], return_inverse=True)
    sequences = np.full(wanted.shape, -1, np.int64)
    sequences[there] = places
    return needed, sequences


def ages(episode_starts: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    """(steps, envs) flags of first steps -> steps since the episode, or the rollout, began.

    >>> ages(np.array([[0.0], [0.0], [1.0], [0.0]], np.float32))[:, 0].tolist()
    [0, 1, 0, 1]
    """
    steps = np.arange(len(episode_starts))[:, None]
    return np.asarray(steps - np.maximum.accumulate(np.where(episode_starts > 0, steps, 0), axis=0))
