"""Where the scores of yes end and those of no begin."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np


def calibrated(achieved: Sequence[float], nothing: Sequence[float]) -> float:
    """The threshold with the best balanced accuracy; the middle of where it may lie.

    >>> calibrated([2.0, 1.0], [-1.0, -3.0])
    0.0
    """
    values = sorted({*achieved, *nothing})
    edges = [values[0] - 1.0, *((a + b) / 2 for a, b in itertools.pairwise(values)), values[-1] + 1.0]
    above, below = np.array(achieved), np.array(nothing)
    quality = [(above > edge).mean() + (below <= edge).mean() for edge in edges]
    best = [edge for edge, value in zip(edges, quality, strict=True) if value >= max(quality) - 1e-9]
    return float(best[len(best) // 2])
