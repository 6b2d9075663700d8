"""Random rows of whole numbers with ties, zeros and point masses among them."""

from __future__ import annotations

import numpy as np

from agents.coding import normalised


def random_masses(rng: np.random.Generator, n: int):
    weights = rng.integers(0, rng.choice([2, 4, 1000]), n)
    weights[rng.integers(n)] += 1
    return normalised(weights)
