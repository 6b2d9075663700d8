"""What came out of playing genomes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from agents.quality_diversity.novelty import FloatArray, IntArray

BoolArray = npt.NDArray[np.bool_]
Images = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Evaluations:
    """An episode each of n individuals, in the order in which they were asked.

    Attributes:
        rewards: what the run pays for the episode, (n,); −inf where it failed.
        descriptors: what the search sees as behaviour, (n, d); NaN where it is learned.
        truths: ground truth behaviour, for metrics and pictures alone, (n, 2).
        areas: which reward was found, from 0, (n,); −1: none.
        lengths: steps, (n,).
        failed: not finite, or it could not be played, (n,): counted, never archived.
        views: images, (n, frames, h, w, 3), where a learned space wants them.

    Raises:
        ValueError: shapes that do not fit each other.
    """

    rewards: FloatArray
    descriptors: FloatArray
    truths: FloatArray
    areas: IntArray
    lengths: IntArray
    failed: BoolArray
    views: Images | None = None

    def __post_init__(self) -> None:
        n = len(self.rewards)
        shapes = {name: np.shape(getattr(self, name)) for name in ("rewards", "areas", "lengths", "failed")}
        wrong = [f"{name} {shape}" for name, shape in shapes.items() if shape != (n,)]
        for name, width in (("descriptors", None), ("truths", 2)):
            shape = np.shape(getattr(self, name))
            if len(shape) != 2 or shape[0] != n or width not in (None, shape[1]):
                wrong.append(f"{name} {shape}")
        if self.views is not None:
            shape = np.shape(self.views)
            if len(shape) != 5 or shape[0] != n or shape[4] != 3 or self.views.dtype != np.uint8:
                wrong.append(f"views {shape} of {self.views.dtype}")
        if wrong:
            raise ValueError(
                f"evaluations of {n} individuals with {', '.join(wrong)}: expected (n,) each, descriptors (n, d), "
                "truths (n, 2) and views (n, frames, h, w, 3) of bytes"
            )

    def __len__(self) -> int:
        return len(self.rewards)

    def rows(self, chosen: slice | IntArray | BoolArray) -> Evaluations:
        """Those of these rows."""
        columns: dict[str, Any] = {}
        for name, value in vars(self).items():
            columns[name] = None if value is None else value[chosen]
        return Evaluations(**columns)

    @classmethod
    def joined(cls, parts: list[Evaluations]) -> Evaluations:
        """One after the other; at least one."""
        columns: dict[str, Any] = {}
        for name in vars(parts[0]):
            values = [getattr(part, name) for part in parts]
            columns[name] = None if values[0] is None else np.concatenate(values)
        return cls(**columns)
