"""A small classifier of captions, distilled from a language model's answers."""

from __future__ import annotations

import itertools
import re
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from shaping.transitions import BoolArray, FloatArray

FEATURES = 2**12
MOST_TEXTS = 4_000
STEPS = 300
LEARNING_RATE = 0.5
DECAY = 3e-3


class CaptionClassifier:
    """Logistic regression on a caption's words and pairs of words; one output a subgoal.

    Classes are balanced, so that a subgoal that one caption in a hundred achieves is learned.
    Before the first fit, and for a subgoal that no answer was positive for, it says no.

    Args:
        n_subgoals: outputs.
        seed: kept for repetition; the fit itself draws nothing.
    """

    def __init__(self, n_subgoals: int, seed: int = 0) -> None:
        self.seed = seed
        self.weights: FloatArray = np.zeros((FEATURES, n_subgoals))
        self.bias: FloatArray = np.full(n_subgoals, -np.inf)

    def fit(self, texts: Sequence[str], labels: FloatArray) -> None:
        """Learn from texts and labels (number of texts, n_subgoals) in [0, 1], from scratch.

        Only the newest `MOST_TEXTS` count.
        """
        texts, labels = texts[-MOST_TEXTS:], labels[-MOST_TEXTS:]
        columns = [features(text) for text in texts]
        used, places = np.unique(np.concatenate([*columns, np.zeros(0, np.int64)]), return_inverse=True)
        x = np.zeros((len(texts), len(used)))
        rows = np.repeat(np.arange(len(texts)), [len(column) for column in columns])
        x[rows, places] = 1.0
        x /= np.sqrt(np.maximum(x.sum(axis=1, keepdims=True), 1.0))
        positive = labels.sum(axis=0)
        learnable: BoolArray = (positive > 0) & (positive < len(texts))
        share = np.where(labels > 0.5, 0.5 / np.maximum(positive, 1e-9), 0.5 / np.maximum(len(texts) - positive, 1e-9))
        inputs, targets, share = torch.from_numpy(x), torch.from_numpy(labels), torch.from_numpy(share)
        weights = torch.zeros(len(used), labels.shape[1], dtype=torch.float64, requires_grad=True)
        bias = torch.zeros(labels.shape[1], dtype=torch.float64, requires_grad=True)
        groups: list[dict[str, Any]] = [{"params": [weights], "weight_decay": DECAY}, {"params": [bias]}]
        optimizer = torch.optim.Adam(groups, lr=LEARNING_RATE)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: (step + 1) ** -0.5)
        for _ in range(STEPS):
            optimizer.zero_grad()
            logits = torch.addmm(bias, inputs, weights)
            functional.binary_cross_entropy_with_logits(logits, targets, share, reduction="sum").backward()
            optimizer.step()
            schedule.step()
        self.weights = np.zeros((FEATURES, labels.shape[1]))
        self.weights[used] = weights.detach().numpy()
        self.bias = np.where(learnable, bias.detach().numpy(), -np.inf)

    def probabilities(self, text: str) -> FloatArray:
        """(n_subgoals,) that the text achieves each subgoal."""
        columns = features(text)
        logits = self.weights[columns].sum(axis=0) / np.sqrt(max(len(columns), 1)) + self.bias
        return np.asarray(1.0 / (1.0 + np.exp(-np.clip(logits, -50, 50))))

    def decide(self, text: str) -> tuple[int, ...]:
        """The subgoals that are likelier than not."""
        return tuple(np.flatnonzero(self.probabilities(text) > 0.5).tolist())

    def state_dict(self) -> dict[str, Any]:
        return {"weights": self.weights.copy(), "bias": self.bias.copy()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.weights, self.bias = np.array(state["weights"]), np.array(state["bias"])


def features(text: str) -> np.ndarray:
    """Different features of a text, as sorted columns: words and neighbouring pairs."""
    words = re.findall(r"[a-z]+|[^\sa-z]", text.lower())
    distinct = {*words, *(f"{first} {second}" for first, second in itertools.pairwise(words))}
    return np.array(sorted({zlib.crc32(words.encode()) % FEATURES for words in distinct}), np.int64)
