"""When an emitter is worth running, how far it reaches, and when it has come to a stop.

Source: Paolo et al. 2021, "Sparse Reward Exploration via Novelty Search and Emitters" (SERENE), and
its code.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.spatial.distance import cdist

from agents.quality_diversity.novelty import FloatArray
from foundation.checks import one_of, whole

SIGMA_RULES = ("paper", "per_dim")
STOPS = ("custom", "original")
ENTRIES = 3
"""Steps at either end that are compared for an improvement."""
WINDOW = 20
SHARE = 0.3


def emitter_sigma(genome: FloatArray, others: FloatArray, rule: str = "paper", fallback: float = 0.05) -> float:
    """How far an emitter mutates: a third of the way to the nearest other genome.

    "paper" takes this as every gene's deviation, so that a step is √D times as long, several times
    the way itself; "per_dim" divides it by √D.

    Args:
        genome: (D,).
        others: of everybody else in population and offspring, (n, D).
        rule: "paper" or "per_dim".
        fallback: where the nearest is the same or there is nobody.

    Raises:
        ValueError: an unknown rule.
    """
    one_of("sigma_rule", rule, SIGMA_RULES)
    nearest = float(cdist(genome[None], others).min()) if len(others) else 0.0
    if not nearest > 0:
        return fallback
    return nearest / 3.0 / (math.sqrt(len(genome)) if rule == "per_dim" else 1.0)


def improvement(values: Sequence[FloatArray] | FloatArray, local: bool = False) -> float:
    """By how much the last three steps are better than the first three, on average; at least 0.

    >>> improvement(np.array([[0.0], [0.0], [0.0], [1.0], [1.0], [4.0]]))
    2.0

    Args:
        values: what each of the population was worth, a row a step, (steps, population).
        local: compared with the three steps before the last three instead.

    Returns:
        0 where there is nothing to compare or anything compared is not finite.
    """
    if len(values) < 2:
        return 0.0
    start = max(0, len(values) - 2 * ENTRIES) if local else 0
    first = np.asarray(values[start : start + ENTRIES])
    last = np.asarray(values[-ENTRIES:])
    if not (np.isfinite(first).all() and np.isfinite(last).all()):
        return 0.0
    return max(0.0, float(last.mean() - first.mean()))


def patience(dim: int, rule: str = "custom", steps: int = 0, population: int = 6) -> int:
    """Steps that an emitter of genomes of `dim` genes is left before it may stop.

    >>> [patience(dim) for dim in (94, 63, 228, 574)]
    [433, 330, 880, 2033]
    """
    if one_of("stop", rule, STOPS) == "custom":
        return int(20 * dim / population + 120)
    return int(max(int(30 * dim / population + 120), 0.2 * steps))


def stagnated(
    values: Sequence[FloatArray] | FloatArray, dim: int, rule: str = "custom", window: int | None = None
) -> bool:
    """Whether an emitter gets no better.

    "custom" compares the first and the last 20 of the latest steps: it stops where the median or
    the largest is no larger. "original" is that of CMA-ES: the first and the last 30 % of a longer
    window, and it stops where the medians of the steps' largest and of their medians are no larger.

    Args:
        values: a row a step, (steps, population).
        dim: genes.
        rule: "custom" or "original".
        window: so many steps instead of `patience`.

    Raises:
        ValueError: an unknown rule, or a window below 1.
    """
    population = len(values[0]) if len(values) else 1
    span = patience(dim, rule, len(values), population)
    if window is not None:
        span = whole("window", window)
    if len(values) <= span:
        return False
    latest = np.asarray(values[-span:])
    if rule == "custom":
        first, last = latest[:WINDOW], latest[-WINDOW:]
        return bool(np.median(first) >= np.median(last) or first.max() >= last.max())
    share = max(1, int(SHARE * span))
    first, last = latest[:share], latest[-share:]
    largest = np.median(first.max(axis=1)) >= np.median(last.max(axis=1))
    return bool(largest and np.median(np.median(first, axis=1)) >= np.median(np.median(last, axis=1)))
