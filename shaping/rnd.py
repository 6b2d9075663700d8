"""Random network distillation: reward is a learner's error on a fixed random network."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from foundation.checks import number, whole
from shaping.moments import RunningMoments
from shaping.observation_features import Features, ObservationFeatures
from shaping.registry import register_term
from shaping.terms import BoolArray, FloatArray, Info, Observations, RewardTerm, Rollout, Setting, Transitions
from shaping.threads import one_thread

WIDEST = 4096  # numbers in a layer; an orthogonal start of more takes minutes


@register_term("rnd")
class RNDTerm(RewardTerm):
    """Pays ‖f̂(s') − f(s')‖²/d over its running scale: random network distillation.

    Source: Burda et al. 2018, "Exploration by random network distillation".

    f is a fixed random network, f̂ learns to predict it on visited states, so the error is large
    where few visits were. As in the paper: observations are normalised by running statistics and
    clipped to ±5, the reward is divided by the running deviation of its own discounted return
    (never cut at an episode's end), the predictor learns from a random share of the transitions,
    networks start orthogonal and the target never learns. Unlike it: small perceptrons, not
    convolutions, one value function, statistics over the first ``warm_up`` steps (paid 0) instead
    of a random agent.

    Integer entries of one or two dimensions (glyphs, characters, a Discrete) are names, not sizes:
    each name in each place has a fixed random vector, and their sum stands for the grid. Arrays of
    bytes with three dimensions are images, divided by 255. Everything runs on one thread: these
    networks are so small that waking others costs more than they save.

    Args:
        keys: entries of a Dict observation to look at; None: all of them.
        hidden: width of the hidden layers (one in the target, two in the predictor).
        outputs: d, the number of random features to predict.
        embedding: numbers that stand for a grid of integers.
        learning_rate: Adam's.
        share: share of the transitions that the predictor learns from; the paper's "experience
            proportion".
        batch_size: of one gradient step.
        gamma: discount of the intrinsic return that scales the reward; the paper's 0.99.
        warm_up: environment steps without pay, that only gather statistics.

    Raises:
        ValueError: a number out of range; at `bind`, a key that the observations lack or that is
            not numeric.
    """

    def __init__(
        self,
        keys: Sequence[str] | None = None,
        hidden: int = 64,
        outputs: int = 32,
        embedding: int = 64,
        learning_rate: float = 1e-3,
        share: float = 0.25,
        batch_size: int = 256,
        gamma: float = 0.99,
        warm_up: int = 512,
    ) -> None:
        self.keys = None if keys is None else tuple(keys)
        self.hidden = whole("hidden", hidden, most=WIDEST)
        self.outputs = whole("outputs", outputs, most=WIDEST)
        self.embedding = whole("embedding", embedding, most=WIDEST)
        self.learning_rate = number("learning_rate", learning_rate, above=0)
        self.share = number("share", share, above=0, most=1)
        self.batch_size = whole("batch_size", batch_size)
        self.gamma = number("gamma", gamma, least=0, below=1)  # at 1 the intrinsic return has no bound
        self.warm_up = whole("warm_up", warm_up, least=0)

    def bind(self, setting: Setting) -> None:
        self._rng = np.random.default_rng(setting.seed)
        self._features = ObservationFeatures(setting.observation_space, self.keys, self.embedding, self._rng)
        width, rng = self._features.width, self._rng
        self._target = [
            _orthogonal(rng, width, self.hidden), np.zeros(self.hidden, np.float32),
            _orthogonal(rng, self.hidden, self.outputs), np.zeros(self.outputs, np.float32),
        ]  # fmt: skip
        predictor = [
            _orthogonal(rng, width, self.hidden), np.zeros(self.hidden, np.float32),
            _orthogonal(rng, self.hidden, self.hidden), np.zeros(self.hidden, np.float32),
            _orthogonal(rng, self.hidden, self.outputs), np.zeros(self.outputs, np.float32),
        ]  # fmt: skip
        self._parameters = [torch.from_numpy(array).requires_grad_() for array in predictor]
        self._predictor = predictor  # the same memory: Adam writes in place, so scoring always sees the newest weights
        self._goal = [torch.from_numpy(array) for array in self._target]
        self._optimiser = torch.optim.Adam(self._parameters, lr=self.learning_rate)
        self._returns: FloatArray = np.zeros(setting.n_envs)
        self._scale = RunningMoments(())
        self._steps = 0

    def reset(self, observations: Observations, infos: Sequence[Info], mask: BoolArray) -> None:
        """Nothing: the intrinsic return goes on over episodes (section 2.3 of the paper)."""

    def __call__(self, batch: Transitions) -> FloatArray:
        if self._steps < self.warm_up:
            self._features.learn(batch.next_observations)
        errors = self._errors(self._features(batch.next_observations))
        self._returns = self.gamma * self._returns + errors
        self._scale.add(self._returns)
        self._steps += len(batch)
        if self._steps <= self.warm_up:
            return np.zeros(len(batch))
        deviation = math.sqrt(float(self._scale.variance))
        # without a spread there is no scale to measure novelty on yet
        return errors / deviation if deviation > 1e-12 else np.zeros(len(batch))

    def update(self, rollout: Rollout) -> Mapping[str, float]:
        """One pass over a random share of the visited states.

        Metrics: "loss", "intrinsic_return_std".
        """
        if not len(rollout):
            return {}
        successors: list[Any] = [batch.next_observations for batch in rollout]
        joined: Observations
        if isinstance(successors[0], dict):
            joined = {key: np.concatenate([row[key] for row in successors]) for key in self._features.keys}
        else:
            joined = np.concatenate(successors)
        n = sum(len(batch) for batch in rollout)
        if self._steps >= self.warm_up:  # the warm-up counted its own steps
            self._features.learn(joined)
        chosen = np.flatnonzero(self._rng.random(n) < self.share)
        self._rng.shuffle(chosen)
        with one_thread():
            losses = [
                self._learn(joined, chosen[i : i + self.batch_size]) for i in range(0, len(chosen), self.batch_size)
            ]
        metrics = {"intrinsic_return_std": math.sqrt(float(self._scale.variance))}
        if losses:
            metrics["loss"] = float(np.mean(losses))
        return metrics

    def _learn(self, observations: Observations, rows: npt.NDArray[np.intp]) -> float:
        some: Observations
        if isinstance(observations, dict):
            some = {key: array[rows] for key, array in observations.items()}
        else:
            some = observations[rows]
        features = torch.from_numpy(self._features(some))
        loss = (_forward_torch(self._parameters, features) - _forward_torch(self._goal, features)).square().mean()
        self._optimiser.zero_grad()
        loss.backward()
        self._optimiser.step()
        return float(loss.detach())

    def _errors(self, features: Features) -> FloatArray:
        difference = _forward(self._predictor, features) - _forward(self._target, features)
        errors: FloatArray = np.einsum("ij,ij->i", difference, difference).astype(np.float64)
        errors /= self.outputs
        return errors

    def state_dict(self) -> dict[str, Any]:
        return {
            "target": [array.copy() for array in self._target],
            "predictor": [array.copy() for array in self._predictor],
            "optimiser": self._optimiser.state_dict(),
            "features": self._features.state_dict(),
            "returns": self._returns.copy(),
            "scale": self._scale.state_dict(),
            "steps": self._steps,
            "rng": self._rng.bit_generator.state,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        for kind, here in (("target", self._target), ("predictor", self._predictor)):
            for array, saved in zip(here, state[kind], strict=True):
                if array.shape != np.shape(saved):
                    raise ValueError(
                        f"the saved {kind} has a layer of shape {np.shape(saved)}, this one {array.shape}: resume with "
                        "the same keys, hidden, outputs and embedding"
                    )
                array[...] = saved
        self._optimiser.load_state_dict(state["optimiser"])
        self._features.load_state_dict(state["features"])
        self._returns = np.array(state["returns"])
        self._scale.load_state_dict(state["scale"])
        self._steps = int(state["steps"])
        self._rng.bit_generator.state = state["rng"]


def _orthogonal(rng: np.random.Generator, rows: int, columns: int) -> Features:
    """Orthogonal weights with gain √2, as the paper's code starts them."""
    tall = rng.standard_normal((max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(tall)
    q *= np.sign(np.diag(r))
    return np.ascontiguousarray(math.sqrt(2.0) * (q if rows >= columns else q.T), dtype=np.float32)


def _forward(layers: Sequence[Features], features: Features) -> Features:
    values = features
    for index in range(0, len(layers), 2):
        values = values @ layers[index]
        values += layers[index + 1]
        if index < len(layers) - 2:
            np.maximum(values, 0.0, out=values)
    return values


def _forward_torch(layers: Sequence[torch.Tensor], features: torch.Tensor) -> torch.Tensor:
    values = features
    for index in range(0, len(layers), 2):
        values = torch.addmm(layers[index + 1], values, layers[index])
        if index < len(layers) - 2:
            values = torch.relu(values)
    return values
