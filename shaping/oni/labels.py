"""The data set that grows while the agent plays: messages and their scores."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

import numpy as np

from foundation.checks import number, one_of
from shaping.transitions import FloatArray

MOST = 200_000
"""Messages kept; further ones are counted and left out."""

Use = Literal["as_given", "inverted", "shuffled"]


class Labels:
    """Scores of messages, and which of them count as helpful: those above a threshold.

    Args:
        use: "inverted" turns every score round, "shuffled" gives scores to other messages than they were about: what
            the reward is worth without its meaning.
        threshold: of a helpful score.
        quantile: this quantile of all scores so far is the threshold instead.
        seed: of the shuffle.
    """

    def __init__(
        self, use: Use = "as_given", threshold: float = 0.0, quantile: float | None = None, seed: int = 0
    ) -> None:
        self.use = one_of("labels", use, get_args(Use))
        self.quantile = None if quantile is None else number("quantile", quantile, least=0, most=1)
        self._threshold = number("threshold", threshold)
        self.bind(seed)

    def bind(self, seed: int) -> None:
        """Begin anew, without any label."""
        self.threshold = self._threshold
        self.refused = 0  # not a number, or one too many
        self.texts: list[str] = []
        self._index: dict[str, int] = {}
        self._scores: list[float] = []
        self._random = np.random.default_rng(seed)

    def __len__(self) -> int:
        return len(self.texts)

    def __contains__(self, message: str) -> bool:
        return message in self._index

    def add(self, message: str, score: float | None) -> bool:
        """Take in a score; the newest of a message counts. False, and counted, where it is no finite number."""
        if not isinstance(score, int | float) or not math.isfinite(score):
            self.refused += 1
            return False
        score = -float(score) if self.use == "inverted" else float(score)
        if message in self._index:
            self._scores[self._index[message]] = score
            return True
        if len(self.texts) >= MOST:
            self.refused += 1
            return False
        self._index[message] = len(self.texts)
        self.texts.append(message)
        self._scores.append(score)
        if self.use == "shuffled":  # Fisher and Yates, from the inside out
            here, there = len(self.texts) - 1, int(self._random.integers(len(self.texts)))
            self._scores[here], self._scores[there] = self._scores[there], self._scores[here]
        return True

    def settle(self) -> bool:
        """Set the threshold anew where it is a quantile. Says whether it moved."""
        if self.quantile is None or not self._scores:
            return False
        before, self.threshold = self.threshold, float(np.quantile(self._scores, self.quantile))
        return self.threshold != before

    def score(self, message: str) -> float | None:
        """The score that counts for a message, None where there is none."""
        index = self._index.get(message)
        return None if index is None else self._scores[index]

    def helpful(self, message: str) -> bool | None:
        """Is it above the threshold? None where there is no score."""
        index = self._index.get(message)
        return None if index is None else self._scores[index] > self.threshold

    def scores(self, which: Sequence[int] | None = None) -> FloatArray:
        """All scores, or those of these places in `texts`."""
        return np.array(self._scores if which is None else [self._scores[index] for index in which], np.float64)

    def state_dict(self) -> dict[str, Any]:
        return {
            "texts": list(self.texts),
            "scores": list(self._scores),
            "threshold": self.threshold,
            "refused": self.refused,
            "random": self._random.bit_generator.state,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.texts = list(state["texts"])
        self._scores = list(state["scores"])
        self._index = {text: index for index, text in enumerate(self.texts)}
        self.refused = int(state["refused"])
        self._random.bit_generator.state = state["random"]
        if self.quantile is not None:
            self.threshold = float(state["threshold"])
