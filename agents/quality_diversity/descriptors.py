"""What of an episode is taken for behaviour.

Sources: Paolo 2022, "Learning in Sparse Rewards settings through Quality-Diversity algorithms"
(frames, signatures, images); Doncieux et al. 2019, "Novelty search: a theoretical perspective".
"""

from __future__ import annotations

import zlib
from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from agents.quality_diversity.evaluations import Images
from agents.quality_diversity.novelty import FloatArray, IntArray
from agents.quality_diversity.signatures import (
    log_signature,
    log_signature_size,
    path_signature,
    signature_size,
)
from foundation.checks import number, one_of, whole

LARGEST = 4096
"""Numbers in a descriptor."""
RANDOM = 10


class Descriptor(ABC):
    """Makes descriptors of n episodes.

    Args:
        steps: T, the longest an episode can be.
        genome: genes of an individual.
        pixels: the side of images, where some are looked at.

    Raises:
        ValueError: a descriptor of more than `LARGEST` numbers.
    """

    takes_argument = False
    """Its name goes on with a colon and a number, as in frames:5."""
    dimensions = 2
    """Coordinates of a position."""

    def __init__(self, argument: int, *, steps: int, genome: int, pixels: int) -> None:
        self.argument, self.steps, self.genome, self.pixels = argument, steps, genome, pixels
        if self.size > LARGEST:
            raise ValueError(
                f"a descriptor of {self.size} numbers, more than {LARGEST}: give a smaller order, fewer frames or "
                "smaller images, or use a signature of the path"
            )

    @property
    @abstractmethod
    def size(self) -> int:
        """Numbers in a descriptor; of a learned one, as far as it is known: 0."""

    @property
    def times(self) -> IntArray:
        """Steps (from 0, after which) whose positions it is made of, (k,)."""
        return np.zeros(0, np.int64)

    @property
    def frames(self) -> IntArray:
        """Steps whose images it is made of, (f,)."""
        return np.zeros(0, np.int64)

    @abstractmethod
    def __call__(self, paths: FloatArray, views: Images | None, genomes: FloatArray) -> FloatArray:
        """Descriptors (n, size) of positions (n, k, 2) at `times`, of images, of genomes (n, D)."""


class Frames(Descriptor):
    """Positions at so many times, evenly spread, the first moment left out."""

    takes_argument = True

    @property
    def size(self) -> int:
        return self.dimensions * self.argument

    @property
    def times(self) -> IntArray:
        return spread(self.argument, self.steps)

    def __call__(self, paths: FloatArray, views: Images | None, genomes: FloatArray) -> FloatArray:
        return paths.reshape(len(paths), self.size)


class Final(Frames):
    """The last position."""

    takes_argument = False


class Path(Frames):
    """Every position."""

    takes_argument = False

    def __init__(self, argument: int, *, steps: int, genome: int, pixels: int) -> None:
        super().__init__(steps, steps=steps, genome=genome, pixels=pixels)

    @property
    def times(self) -> IntArray:
        return np.arange(self.steps)


class Signature(Descriptor):
    """The path's signature to an order; with time as a coordinate, of 1 at the end, or its log."""

    takes_argument = True
    timed = False
    logarithm = False

    @property
    def size(self) -> int:
        size = log_signature_size if self.logarithm else signature_size
        return size(self.dimensions + self.timed, self.argument)

    @property
    def times(self) -> IntArray:
        return np.arange(self.steps)

    def __call__(self, paths: FloatArray, views: Images | None, genomes: FloatArray) -> FloatArray:
        sound = np.isfinite(paths).all(axis=(1, 2))
        descriptors: FloatArray = np.full((len(paths), self.size), np.nan)
        sign = log_signature if self.logarithm else path_signature
        followed = paths[sound]
        if self.timed:
            clock = np.broadcast_to((np.arange(self.steps) + 1.0) / self.steps, followed.shape[:2])
            followed = np.concatenate([followed, clock[..., None]], axis=2)
        if len(followed):
            descriptors[sound] = sign(followed, self.argument)
        return descriptors


class TimeSignature(Signature):
    """The signature of the path with time."""

    timed = True


class LogSignature(Signature):
    """The logarithm of the signature."""

    logarithm = True


class TimeLogSignature(Signature):
    """The logarithm of the signature of the path with time."""

    timed = True
    logarithm = True


class Genome(Descriptor):
    """The genome itself: novelty of policies."""

    @property
    def size(self) -> int:
        return self.genome

    def __call__(self, paths: FloatArray, views: Images | None, genomes: FloatArray) -> FloatArray:
        return np.array(genomes, np.float64)


class Random(Descriptor):
    """Numbers that say nothing, the same for the same genome."""

    @property
    def size(self) -> int:
        return RANDOM

    def __call__(self, paths: FloatArray, views: Images | None, genomes: FloatArray) -> FloatArray:
        rows = np.ascontiguousarray(genomes, np.float64)
        drawn = [np.random.default_rng(zlib.crc32(row.tobytes())).random(RANDOM) for row in rows]
        return np.array(drawn).reshape(len(rows), RANDOM)


class Pixels(Descriptor):
    """The last image itself, in [0, 1]."""

    @property
    def size(self) -> int:
        return 3 * self.pixels**2

    @property
    def frames(self) -> IntArray:
        return spread(1, self.steps)

    def __call__(self, paths: FloatArray, views: Images | None, genomes: FloatArray) -> FloatArray:
        assert views is not None, "a descriptor of images is given images"
        return views.reshape(len(views), -1) / 255.0


class Image(Descriptor):
    """Learned from images at so many times: what is given here is NaN, to be encoded."""

    takes_argument = True

    @property
    def size(self) -> int:
        return 0

    @property
    def frames(self) -> IntArray:
        return spread(self.argument, self.steps)

    def __call__(self, paths: FloatArray, views: Images | None, genomes: FloatArray) -> FloatArray:
        return np.full((len(genomes), 0), np.nan)


DESCRIPTORS: dict[str, type[Descriptor]] = {
    "final": Final,
    "frames": Frames,
    "path": Path,
    "signature": Signature,
    "time_signature": TimeSignature,
    "log_signature": LogSignature,
    "time_log_signature": TimeLogSignature,
    "genome": Genome,
    "random": Random,
    "pixels": Pixels,
    "image": Image,
}


def make_descriptor(name: str, *, steps: int, genome: int, pixels: int = 32) -> Descriptor:
    """One by its name: final, frames:5, path, signature:2, …, image (one frame) or image:5.

    Args:
        name: and, after a colon, how many frames or what order.
        steps: T, the longest an episode can be.
        genome: genes of an individual.
        pixels: the side of images.

    Raises:
        ValueError: there is none of that name, its number is missing, wrong or too much, or the
            descriptor is of more than `LARGEST` numbers.
    """
    whole("steps", steps)
    kind, colon, text = name.partition(":")
    made = DESCRIPTORS[one_of("descriptor", kind, DESCRIPTORS)]
    if colon and not made.takes_argument:
        raise ValueError(f"descriptor={name!r}: {kind} takes no number, leave :{text} out")
    if made.takes_argument and not colon and kind != "image":
        raise ValueError(f"descriptor={name!r}: expected a number, as in {kind}:2")
    if colon and not text.isdigit():
        raise ValueError(f"descriptor={name!r}: expected a whole number after the colon, as in {kind}:2")
    argument: Any = int(text) if colon else 1
    whole(kind, argument)
    if kind in ("frames", "image"):
        number(f"{kind} of an episode of {steps} steps", argument, least=1, most=steps)
    return made(argument, steps=steps, genome=genome, pixels=pixels)


def spread(count: int, steps: int) -> IntArray:
    """So many steps of 0 … `steps` − 1, evenly spread, without the first, (count,).

    >>> spread(5, 50)
    array([10, 20, 30, 40, 49])
    """
    return np.ceil(np.linspace(0, steps - 1, count + 1)[1:]).astype(np.int64)
