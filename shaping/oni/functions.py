"""What a message is worth: the three reward functions of ONI, and those it is compared with.

Source: Zheng et al. 2024, *Online Intrinsic Rewards for Decision Making Agents from Large Language
Model Feedback*, arXiv 2410.23022, section 4. Motif: Klissarov et al. 2023, arXiv 2310.00166. ELLM's
bag of words: the paper's baseline.
"""

from __future__ import annotations

import json
import math
import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, get_args

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from foundation.checks import number, one_of, whole
from shaping.moments import RunningMoments
from shaping.oni.labels import Labels
from shaping.oni.networks import Size, classifier, encode, ranker
from shaping.transitions import FloatArray

TIE = 0.2
"""Two scores that differ by less are a tie, in pairs made of scores."""
FEW_LABELS = 25_000  # up to here the network is fitted many times an update, later once
LEARNED = 0.02  # the loss above its floor at which fitting rests until there are new labels
CHUNK = 1024  # messages scored at once
MOST_Z = 10.0
"""Bound of a normalised score.

As long as hardly anything was said, deviations are next to nothing, and any other message would be
thousands of them away.
"""
PRIOR = 1e-4  # rows of mean 0 and variance 1 that ONI's moments begin with; its batches are unbiased


class RewardFunction(ABC):
    """Messages to rewards.

    `fit` is called at every rollout's end, `values` for messages as they come.
    """

    name: ClassVar[str] = ""
    """In configurations and checkpoints."""

    labelled: ClassVar[bool] = True
    """Does it learn from labels, so that somebody must give them?"""

    immediate: ClassVar[bool] = False
    """Does every new label change values at once, without a fit?"""

    size: Size | None = None
    """Of its network, where it has one."""

    def bind(self, labels: Labels, seed: int) -> None:  # noqa: B027 - optional
        """Begin anew: the growing data set, and the seed of whatever is drawn."""

    @abstractmethod
    def values(self, messages: Sequence[str]) -> FloatArray:
        """Rewards (n,) before the count decay; 0 as long as nothing was learned."""

    def fit(self, seen: Mapping[str, int]) -> Mapping[str, float]:
        """Learn from the labels so far.

        ``seen``: message -> occurrences since the last call. Returns metrics.

        Afterwards values may be other ones.
        """
        return {}

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:  # noqa: B027 - optional
        """Take over what `state_dict` gave."""


class Retrieval(RewardFunction):
    """1 for a message that was labelled helpful, else 0: a table.

    What was never labelled is worth nothing.
    """

    name, immediate = "retrieval", True

    def bind(self, labels: Labels, seed: int) -> None:
        self._labels = labels

    def values(self, messages: Sequence[str]) -> FloatArray:
        return np.array([1.0 if self._labels.helpful(message) else 0.0 for message in messages])


class Counting(RewardFunction):
    """1 for every message: what the count decay is worth alone."""

    name, labelled = "count", False

    def values(self, messages: Sequence[str]) -> FloatArray:
        return np.ones(len(messages))


@dataclass(frozen=True)
class Fitting:
    """How a network of messages is fitted.

    Args:
        network: "small", or "paper" for its sizes.
        learning_rate: of Adam.
        batch_size: examples of a gradient step.
        gradient_steps: of a fit, at most.

    Raises:
        ValueError: a number out of range, no such size.
    """

    network: Size = "small"
    learning_rate: float = 1e-3
    batch_size: int = 64
    gradient_steps: int = 32

    def __post_init__(self) -> None:
        one_of("network", self.network, get_args(Size))
        number("learning_rate", self.learning_rate, above=0, most=1)
        whole("batch_size", self.batch_size)
        whole("gradient_steps", self.gradient_steps)


class Learned(RewardFunction):
    """A network that is fitted while the agent plays; 0 until its first fit.

    Up to 25,000 labels it makes `Fitting.gradient_steps` whenever it is behind (new labels, or a
    loss that is not low), above that a single one. The paper makes 32 whenever labels arrive, which
    never end there; in a small world they do.

    Args:
        fitting: the network's size, and how it is fitted.
    """

    def __init__(self, fitting: Fitting | None = None) -> None:
        self.fitting = fitting or Fitting()
        self.size: Size = self.fitting.network

    @abstractmethod
    def build(self) -> nn.Module:
        """The network, of messages as `encode` gives them."""

    def bind(self, labels: Labels, seed: int) -> None:
        self.labels = labels
        with torch.random.fork_rng(devices=[]):  # torch's own random numbers stay as they were
            torch.manual_seed(seed)
            self.network = self.build()
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=self.fitting.learning_rate)
        self.ready = False
        self._random = np.random.default_rng(seed)
        self._learned_from = 0
        self._loss = math.inf

    @abstractmethod
    def loss(self, places: np.ndarray[Any, np.dtype[np.int64]]) -> tuple[torch.Tensor, float]:
        """The loss on labels from these places, and the part of it that no network can avoid."""

    @abstractmethod
    def ratings(self, messages: Sequence[str]) -> FloatArray:
        """What the network says of the messages (n,)."""

    def learnable(self) -> bool:
        """Are there enough labels to learn from?"""
        return len(self.labels) > 0

    def fit(self, seen: Mapping[str, int]) -> dict[str, float]:
        n = len(self.labels)
        behind = n > self._learned_from or self._loss > LEARNED
        if self.learnable() and (behind or n >= FEW_LABELS):
            self._learned_from = n
            self._gradient_steps(self.fitting.gradient_steps if n < FEW_LABELS else 1)
            self.ready = True
        return {"loss": self._loss} if self.ready else {}

    def _gradient_steps(self, steps: int) -> None:
        self.network.train()
        losses = []
        for _ in range(steps):
            loss, floor = self.loss(self._random.integers(len(self.labels), size=self.fitting.batch_size))
            self.optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(self.network.parameters(), 10.0)
            self.optimizer.step()
            losses.append(float(loss.detach()) - floor)
        self.network.eval()
        self._loss = float(np.mean(losses[-8:]))

    def output(self, places: np.ndarray[Any, np.dtype[np.int64]]) -> torch.Tensor:
        """The network's output for these places of the data set.

        A place that comes often is computed once.
        """
        distinct, where = np.unique(places, return_inverse=True)
        outputs: torch.Tensor = self.network(encode([self.labels.texts[place] for place in distinct], self.size))
        return outputs[torch.from_numpy(where)]

    def forward(self, messages: Sequence[str]) -> torch.Tensor:
        """The network's output, without gradients."""
        parts = []
        with torch.no_grad():
            for start in range(0, len(messages), CHUNK):
                parts.append(self.network(encode(messages[start : start + CHUNK], self.size)))
        return torch.cat(parts)

    def values(self, messages: Sequence[str]) -> FloatArray:
        return self.ratings(messages) if self.ready and messages else np.zeros(len(messages))

    def state_dict(self) -> dict[str, Any]:
        return {
            "network": {name: tensor.clone() for name, tensor in self.network.state_dict().items()},
            "optimizer": self.optimizer.state_dict(),
            "ready": self.ready,
            "learned_from": self._learned_from,
            "loss": self._loss,
            "random": self._random.bit_generator.state,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.network.eval()
        self.ready = bool(state["ready"])
        self._learned_from = int(state["learned_from"])
        self._loss = float(state["loss"])
        self._random.bit_generator.state = state["random"]


class Classification(Learned):
    """1 where the probability of helpful exceeds ``eta``; also for unseen messages.

    The loss is the cross-entropy on helpful or not.
    """

    name = "classification"

    def __init__(self, eta: float = 0.5, fitting: Fitting | None = None) -> None:
        super().__init__(fitting)
        self._eta = number("eta", eta, least=0, most=1)

    def build(self) -> nn.Module:
        return classifier(self.size)

    def learnable(self) -> bool:
        """Is anything unhelpful? From helpful labels alone the network learns that all is good."""
        return bool((self.labels.scores() <= self.labels.threshold).any())

    def loss(self, places: np.ndarray[Any, np.dtype[np.int64]]) -> tuple[torch.Tensor, float]:
        targets = torch.from_numpy((self.labels.scores(places.tolist()) > self.labels.threshold).astype(np.int64))
        return functional.cross_entropy(self.output(places), targets), 0.0

    def ratings(self, messages: Sequence[str]) -> FloatArray:
        helpful = torch.softmax(self.forward(messages), dim=1)[:, 1].double().numpy()
        return np.asarray(helpful > self._eta, np.float64)


class Ranking(Learned):
    """z · [z > tau], z a learned score under the running mean and deviation of all that was met.

    z is at most `MOST_Z`, and the moments are those of the paper's code.

    Learned from pairs: -Σ (1-l) log u₁ + l log u₂ with u the softmax of both scores, l = 0, 1 or ½
    where the first is better, the second, or neither by `TIE`. The released code of the paper
    computes z · [z > tau] and pays the raw score; ``normalise=False`` does that.
    """

    name = "ranking"

    def __init__(self, tau: float = 0.0, normalise: bool = True, fitting: Fitting | None = None) -> None:
        super().__init__(fitting)
        self.tau = number("tau", tau)
        self.normalise = normalise

    def build(self) -> nn.Module:
        return ranker(self.size)

    def bind(self, labels: Labels, seed: int) -> None:
        super().bind(labels, seed)
        self.moments = RunningMoments((), prior=PRIOR, unbiased=True)

    def learnable(self) -> bool:
        scores = self.labels.scores()
        return len(scores) > 1 and float(np.ptp(scores)) >= TIE

    def loss(self, places: np.ndarray[Any, np.dtype[np.int64]]) -> tuple[torch.Tensor, float]:
        others = self._random.integers(len(self.labels), size=len(places))
        scores = self.labels.scores()
        both = self.output(np.concatenate([places, others]))[:, 0]
        return pair_loss(both[: len(places)], both[len(places) :], preference(scores[places], scores[others]))

    def raw(self, messages: Sequence[str]) -> FloatArray:
        """The learned scores (n,)."""
        return np.asarray(self.forward(messages)[:, 0].double().numpy())

    def fit(self, seen: Mapping[str, int]) -> dict[str, float]:
        metrics = super().fit(seen)
        if self.ready and seen:
            self.moments.add(np.repeat(self.raw(list(seen)), list(seen.values())))
        return metrics

    def ratings(self, messages: Sequence[str]) -> FloatArray:
        scores = self.raw(messages)
        if not self.normalise:
            return scores
        if self.moments.count < 1:
            return np.zeros(len(messages))
        z = self.normalised(scores)
        return np.where(z > self.tau, z, 0.0)

    def normalised(self, scores: FloatArray) -> FloatArray:
        """Scores in running deviations from the running mean, at most `MOST_Z`."""
        deviation = math.sqrt(float(self.moments.variance) + 1e-8)
        return np.clip((scores - float(self.moments.mean)) / deviation, -MOST_Z, MOST_Z)

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"moments": self.moments.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        super().load_state_dict(state)
        self.moments.load_state_dict(state["moments"])


class Motif(Ranking):
    """The ranking fitted once, before play, on a file of pairs, and frozen; so are the moments.

    The file holds a JSON object a line: ``{"first": "...", "second": "...", "better": 1}``, better
    being 1, 2, or 0 for neither. The threshold is the median of the file's normalised scores, as in
    Motif.

    Raises:
        ValueError: no such file, or a line that is no such object.
    """

    name, labelled = "motif", False
    EPOCHS = 200

    def __init__(self, pairs: str | Path, normalise: bool = True, fitting: Fitting | None = None) -> None:
        super().__init__(0.0, normalise, fitting)
        self._pairs = read_pairs(pairs)

    def bind(self, labels: Labels, seed: int) -> None:
        super().bind(Labels(), seed)
        first, second, wanted = self._pairs
        codes = encode(first, self.size), encode(second, self.size)
        self.network.train()
        batches = -(-len(wanted) // self.fitting.batch_size)
        for _ in range(self.EPOCHS):
            for rows in np.array_split(self._random.permutation(len(wanted)), batches):
                scored = self.network(codes[0][rows])[:, 0], self.network(codes[1][rows])[:, 0]
                loss, floor = pair_loss(*scored, wanted[rows])
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
            self._loss = float(loss.detach()) - floor
            if self._loss < LEARNED:
                break
        self.network.eval()
        scores = self.raw([*first, *second])
        self.moments = RunningMoments(())  # of the file alone
        self.moments.add(scores)
        self.tau = float(np.median(self.normalised(scores)))
        self.ready = True

    def fit(self, seen: Mapping[str, int]) -> dict[str, float]:
        return {"loss": self._loss}


class Cosine(RewardFunction):
    """The cosine of the word vectors' sums of message and goal: ELLM's bag of words.

    It is 0 at or below a threshold.

    Args:
        goal: in a sentence.
        tau: the threshold.
        vectors: file of word vectors, ``word x₁ x₂ ...`` a line (fastText's and GloVe's text form);
            None: every word is its own direction.

    Raises:
        ValueError: an empty goal, no such file, or none of the goal's words in it.
    """

    name, labelled = "cosine", False

    def __init__(self, goal: str, tau: float = 0.0, vectors: str | Path | None = None) -> None:
        self._tau = number("tau", tau)
        self._vectors = None if vectors is None else read_vectors(vectors)
        if not words(goal):
            raise ValueError("function=cosine compares messages with a goal; give goal=, a sentence")
        if self._vectors is not None and not any(word in self._vectors for word in words(goal)):
            raise ValueError(f"vectors={vectors} knows no word of the goal {goal!r}")
        self._goal = goal

    def values(self, messages: Sequence[str]) -> FloatArray:
        similarities = np.array([self._cosine(message) for message in messages])
        return np.where(similarities > self._tau, similarities, 0.0) if len(similarities) else similarities

    def _cosine(self, message: str) -> float:
        if self._vectors is None:
            said, wanted = Counter(words(message)), Counter(words(self._goal))
            product = float(sum(said[word] * wanted[word] for word in said))
            length = math.sqrt(sum(n * n for n in said.values()) * sum(n * n for n in wanted.values()))
        else:
            a, b = self._sum(message), self._sum(self._goal)
            product, length = float(a @ b), float(np.linalg.norm(a) * np.linalg.norm(b))
        return product / length if length > 0 else 0.0

    def _sum(self, text: str) -> FloatArray:
        assert self._vectors is not None
        known = [self._vectors[word] for word in words(text) if word in self._vectors]
        width = len(next(iter(self._vectors.values())))
        return np.sum(known, axis=0) if known else np.zeros(width)


def words(text: str) -> list[str]:
    """Lower-case words, without punctuation.

    >>> words("You see here a brass key.")
    ['you', 'see', 'here', 'a', 'brass', 'key']
    """
    return re.findall(r"[a-z0-9']+", text.lower())


def preference(first: FloatArray, second: FloatArray) -> FloatArray:
    """0 where the first score is better, 1 where the second is, ½ for a tie.

    >>> preference(np.array([1.0, 0.0, 0.1]), np.array([0.0, 1.0, 0.0])).tolist()
    [0.0, 1.0, 0.5]
    """
    return np.where(np.abs(first - second) < TIE, 0.5, np.where(first > second, 0.0, 1.0))


def pair_loss(first: torch.Tensor, second: torch.Tensor, wanted: FloatArray) -> tuple[torch.Tensor, float]:
    """The loss of pairs of scores (n,), and its floor: a tie costs log 2 at best.

    `wanted` is as `preference` gives it.
    """
    target = torch.from_numpy(1.0 - wanted).to(first.dtype)
    floor = float(np.mean(wanted == 0.5)) * math.log(2.0)
    return functional.binary_cross_entropy_with_logits(first - second, target), floor


def read_pairs(path: str | Path) -> tuple[list[str], list[str], FloatArray]:
    """First messages, second messages, and what is wanted of each pair; see `Motif`."""
    first, second, wanted = [], [], []
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"pairs={path}: it cannot be read ({error})") from error
    for place, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            pair = json.loads(line)
            texts, better = (pair["first"], pair["second"]), {0: 0.5, 1: 0.0, 2: 1.0}[pair["better"]]
            if not all(isinstance(text, str) for text in texts):
                raise TypeError("messages are texts")
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(
                f'pairs={path}, line {place}: expected {{"first": "...", "second": "...", "better": 0, 1 or 2}} '
                f"({type(error).__name__}: {error})"
            ) from None
        first.append(texts[0])
        second.append(texts[1])
        wanted.append(better)
    if not wanted:
        raise ValueError(f"pairs={path}: it holds no pair")
    return first, second, np.array(wanted)


def read_vectors(path: str | Path) -> dict[str, FloatArray]:
    """Word vectors from a text file; a first line of two numbers, fastText's, is left out."""
    vectors: dict[str, FloatArray] = {}
    width = 0
    try:
        with Path(path).open(encoding="utf-8") as file:
            for place, line in enumerate(file, start=1):
                word, *numbers = line.split()
                if place == 1 and len(numbers) == 1:
                    continue
                width = width or len(numbers)
                if len(numbers) != width or not numbers:
                    raise ValueError(f"line {place} has {len(numbers)} numbers, not {width}")
                vectors[word.lower()] = np.array(numbers, np.float64)
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise ValueError(f"vectors={path}: it cannot be read ({error})") from error
    if not vectors:
        raise ValueError(f"vectors={path}: it holds no vector")
    return vectors
