"""A behaviour space that is learned from images of the search's own individuals."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from agents.quality_diversity.autoencoder import PIXELS, Autoencoder, parameters_are_finite
from agents.quality_diversity.evaluations import Images
from agents.quality_diversity.novelty import FloatArray, IntArray
from foundation.checks import number, one_of, whole

INCREASES = 4
"""Validation errors above the best, one after the other, that end a training."""
SAME = 1e-6
"""Codes whose deviations are all below this tell nobody apart."""
ENCODED_AT_ONCE = 512
LEAST_FOR_VALIDATION = 5


@dataclass(frozen=True, kw_only=True)
class Learning:
    """Settings of a learned space.

    Attributes:
        network: "small" (32 × 32 pixels), "stax" or "taxons" (64 × 64).
        code: numbers for a frame.
        frames: images of an episode; their codes are concatenated and their errors summed.
        training: learn at all; without, codes are of first weights.
        reset: begin every training with new weights.
        epochs: of a training, at most.
        patience: end it where the error on a fifth that was left out grows.
        batch, rate: of Adam.
        most_views: individuals that a training looks at, drawn at random; None: all.

    Raises:
        ValueError: a number that cannot be, or an unknown network.
    """

    network: str = "small"
    code: int = 10
    frames: int = 1
    training: bool = True
    reset: bool = False
    epochs: int = 100
    patience: bool = True
    batch: int = 128
    rate: float = 1e-3
    most_views: int | None = None

    def __post_init__(self) -> None:
        one_of("network", self.network, PIXELS)
        for name in ("code", "frames", "epochs", "batch"):
            whole(name, getattr(self, name))
        number("rate", self.rate, above=0)
        if self.most_views is not None:
            whole("most_views", self.most_views)


class LearnedSpace:
    """Descriptors are an autoencoder's codes, surprise is its error.

    Args:
        settings: see `Learning`.
        seed: of first weights, and of what a training draws.
    """

    def __init__(self, settings: Learning | None = None, *, seed: int = 0) -> None:
        self.settings = settings or Learning()
        self.random = np.random.default_rng(seed)
        self.network = self._fresh_network()
        self.trainings = 0
        self.interval = 1
        self.next_training = 1
        self.collapsed = False
        """Codes are all the same: novelty says nothing."""
        self.remarked = False
        self.last: dict[str, float] = {}

    @property
    def view(self) -> tuple[int, ...]:
        """What is looked at of an individual: (frames, h, w, 3)."""
        pixels = PIXELS[self.settings.network]
        return (self.settings.frames, pixels, pixels, 3)

    @property
    def size(self) -> int:
        """Numbers in a descriptor."""
        return self.settings.frames * self.settings.code

    def encode(self, views: Images) -> tuple[FloatArray, FloatArray]:
        """Descriptors (n, frames · code) and surprise (n,) of views (n, frames, h, w, 3)."""
        n = len(views)
        images = views.reshape(-1, *self.view[1:])
        codes: FloatArray = np.zeros((len(images), self.settings.code))
        errors: FloatArray = np.zeros(len(images))
        self.network.eval()
        with torch.no_grad():
            for start in range(0, len(images), ENCODED_AT_ONCE):
                block = slice(start, start + ENCODED_AT_ONCE)
                pixels = _pixels(images[block])
                code, again = self.network(pixels)
                codes[block] = code.numpy()
                errors[block] = (again - pixels).square().mean(dim=(1, 2, 3)).numpy()
        return codes.reshape(n, self.size), errors.reshape(n, self.settings.frames).sum(axis=1)

    def is_due(self, chunks: int) -> bool:
        """Whether to train after so many chunks: 1, 3, 6, 10, … (once asked, the next is later)."""
        if not self.settings.training or chunks < self.next_training:
            return False
        self.interval += 1
        self.next_training = chunks + self.interval
        return True

    def train(self, views: Sequence[Images]) -> None:
        """Learn from groups of individuals' views, (n, frames, h, w, 3) each."""
        settings = self.settings
        images = self._drawn(views)
        if not len(images):
            return
        before = copy.deepcopy(self.network.state_dict())
        if settings.reset:
            self.network = self._fresh_network()
        rows = self.random.permutation(len(images))
        held_out = len(rows) // 5 if settings.patience and len(rows) >= LEAST_FOR_VALIDATION else 0
        self.last = self._fit(images, rows[held_out:], rows[:held_out])
        self.trainings += 1
        if not parameters_are_finite(self.network):
            self.network.load_state_dict(before)
            self.last = {"ae_diverged": 1.0}
        self._look_for_collapse(images)

    def metrics(self) -> dict[str, float]:
        """What is logged of it."""
        counts = {"ae_trainings": float(self.trainings), "ae_collapsed": float(self.collapsed)}
        return counts | self.last

    def closing_remark(self) -> str | None:
        """What must be known at a run's end."""
        if not self.remarked:
            return None
        return (
            "The learned behaviour space fell together into one point in the course of the run: selection was at "
            "random while it was so. Other images, a smaller learning rate or more frames may help."
        )

    def state_dict(self) -> dict[str, Any]:
        """Weights and counters: tensors, arrays and plain values."""
        return {
            "network": {name: tensor.clone() for name, tensor in self.network.state_dict().items()},
            "random": copy.deepcopy(self.random.bit_generator.state),
            "trainings": self.trainings,
            "interval": self.interval,
            "next_training": self.next_training,
            "collapsed": self.collapsed,
            "remarked": self.remarked,
            "last": dict(self.last),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from another of the same settings."""
        self.network.load_state_dict(state["network"])
        self.random.bit_generator.state = state["random"]
        self.trainings, self.interval = state["trainings"], state["interval"]
        self.next_training, self.collapsed = state["next_training"], state["collapsed"]
        self.remarked, self.last = state["remarked"], dict(state["last"])

    # Training -------------------------------------------------------------------------------------

    def _fresh_network(self) -> Autoencoder:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(self.random.integers(2**31)))
            return Autoencoder(self.settings.network, self.settings.code)

    def _drawn(self, views: Sequence[Images]) -> Images:
        """The frames of everybody, or of `most_views`: (m, h, w, 3)."""
        total = sum(map(len, views))
        if self.settings.most_views is not None and total > self.settings.most_views:
            chosen = np.sort(self.random.permutation(total)[: self.settings.most_views])
            starts = np.cumsum([0, *map(len, views)])
            groups = zip(views, starts[:-1], starts[1:], strict=True)
            views = [group[chosen[(chosen >= low) & (chosen < high)] - low] for group, low, high in groups]
        return np.concatenate([group.reshape(-1, *self.view[1:]) for group in views])

    def _fit(self, images: Images, rows: IntArray, held_out: IntArray) -> dict[str, float]:
        """Adam on the squared error, stopped early by the rows that are held out."""
        settings = self.settings
        optimiser = torch.optim.Adam(self.network.parameters(), lr=settings.rate)
        lowest, increases = np.inf, 0
        told: dict[str, float] = {}
        for epoch in range(settings.epochs):
            self.network.train()
            order = self.random.permutation(rows)
            total = 0.0
            for start in range(0, len(order), settings.batch):
                pixels = _pixels(images[order[start : start + settings.batch]])
                loss = nn.functional.mse_loss(self.network(pixels)[1], pixels)
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                total += float(loss.detach()) * len(pixels)
            told = {"ae_loss": total / len(order), "ae_epochs": epoch + 1.0, "ae_images": float(len(images))}
            if epoch and len(held_out):
                error = self._error(images, held_out)
                told["ae_validation"] = error
                increases = increases + 1 if error > lowest else 0
                lowest = min(lowest, error)
                if increases >= INCREASES:
                    break
        return told

    def _error(self, images: Images, rows: IntArray) -> float:
        self.network.eval()
        total = 0.0
        with torch.no_grad():
            for start in range(0, len(rows), ENCODED_AT_ONCE):
                pixels = _pixels(images[rows[start : start + ENCODED_AT_ONCE]])
                total += float((self.network(pixels)[1] - pixels).square().mean(dim=(1, 2, 3)).sum())
        return total / len(rows)

    def _look_for_collapse(self, images: Images) -> None:
        """Different images and yet one code; whoever all look the same is no fault of the space."""
        sample = images[:ENCODED_AT_ONCE]
        frames = self.settings.frames
        codes, _ = self.encode(np.repeat(sample[:, None], frames, axis=1))
        differ = bool((sample != sample[0]).any())
        self.collapsed = differ and bool((codes.std(axis=0) < SAME).all())
        if self.collapsed and not self.remarked:
            self.remarked = True
            warnings.warn(
                "the learned behaviour space gives every image the same code: selection is at random until a "
                "later training tells them apart",
                stacklevel=2,
            )


def _pixels(images: Images) -> Tensor:
    """(n, h, w, 3) of bytes to (n, 3, h, w) in [0, 1]."""
    return torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2))).float().div_(255.0)
