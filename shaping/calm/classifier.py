"""A small classifier of captions, distilled from a language model's answers."""

from __future__ import annotations

import itertools
import re
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from shaping.transitions import BoolArray, FloatArray

FEATURES = 2**12
MOST_TEXTS = 4_000
STEPS = 300
LEARNING_RATE = 0.5
DECAY = 3e-3


class CaptionClassifier:
    """Logistic regression on the words, pairs of words and pairs across a caption's parts; one output a subgoal.

    Classes are balanced, so that a subgoal that one caption in a hundred achieves is learned. Before the first fit, and
    for a subgoal that no answer was positive for, it says no.

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
        known: BoolArray = (positive > 0) & (positive < len(texts))
        share = np.where(labels > 0.5, 0.5 / np.maximum(positive, 1e-9), 0.5 / np.maximum(len(texts) - positive, 1e-9))
        weights, bias = np.zeros((len(used), labels.shape[1])), np.zeros(labels.shape[1])
        first_w, second_w = np.zeros_like(weights), np.zeros_like(weights)
        first_b, second_b = np.zeros_like(bias), np.zeros_like(bias)
        for step in range(1, STEPS + 1):  # Adam
            error = (1.0 / (1.0 + np.exp(-(x @ weights + bias))) - labels) * share
            for value, slope, first, second in (
                (weights, x.T @ error + DECAY * weights, first_w, second_w),
                (bias, error.sum(axis=0), first_b, second_b),
            ):
                first += 0.1 * (slope - first)
                second += 0.001 * (slope**2 - second)
                value -= (
                    LEARNING_RATE * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8) / step**0.5
                )
        self.weights = np.zeros((FEATURES, labels.shape[1]))
        self.weights[used] = weights
        self.bias = np.where(known, bias, -np.inf)

    def probabilities(self, text: str) -> FloatArray:
        """(n_subgoals,) that the text achieves each subgoal."""
        found = features(text)
        logits = self.weights[found].sum(axis=0) / np.sqrt(max(len(found), 1)) + self.bias
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
    found = {*words, *(f"{a} {b}" for a, b in itertools.pairwise(words))}
    return np.array(sorted({zlib.crc32(one.encode()) % FEATURES for one in found}), np.int64)
