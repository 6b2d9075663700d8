"""Interquartile means and bootstrap intervals over seeds, and intervals of rates.

The estimators are rliable's (Agarwal et al. 2021, "Deep Reinforcement Learning at the Edge of the
Statistical Precipice"): the interquartile mean and the percentile interval of the stratified
bootstrap over runs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from foundation.checks import number, whole

FloatArray = NDArray[np.float64]
REPETITIONS = 2000
"""Bootstrap resamples: beyond it the bounds of five seeds move by under 1 % of their width."""


class Interval(NamedTuple):
    """An estimate and its bounds, which are NaN where nothing can be said."""

    value: float
    low: float
    high: float


class Band(NamedTuple):
    """An estimate and its pointwise bounds along a learning curve, (points,) each."""

    value: FloatArray
    low: FloatArray
    high: FloatArray


def iqm(x: ArrayLike) -> float:
    """The interquartile mean: of what is left after a quarter of all values is cut at either end.

    Fewer than four values are too few to cut any: this is their mean.

    Raises:
        ValueError: without values or for values that are not finite.

    >>> iqm([0, 1, 2, 100])
    1.5
    """
    from rliable.metrics import aggregate_iqm

    return float(aggregate_iqm(_scores(x)))


def interval(x: ArrayLike, confidence: float = 0.95, reps: int = REPETITIONS, seed: int = 0) -> Interval:
    """`iqm` over runs and the percentile interval of its stratified bootstrap.

    One run says nothing about the spread of runs: its bounds are NaN. Two give their own range as
    bounds, which is too narrow. NumPy's global random state is left as it was.

    Args:
        x: (n_runs,), or (n_runs, n_tasks) where tasks are the strata.
        confidence: coverage, between 0 and 1.
        reps: bootstrap resamples.
        seed: of the resampling; the same seed gives the same bounds.

    Raises:
        ValueError: without values, for values that are not finite, or an impossible confidence.
    """
    number("confidence", confidence, above=0, below=1)
    scores = _scores(x)
    if len(scores) == 1:
        return Interval(iqm(scores), math.nan, math.nan)
    from scipy.stats import trim_mean  # rliable's aggregate_iqm, for all resamples at once

    resamples = np.stack(list(_resampled(scores, reps, seed)))
    samples = trim_mean(resamples.reshape(reps, -1), 0.25, axis=1)
    low, high = _percentiles(samples, confidence)
    return Interval(iqm(scores), float(low), float(high))


def band(curves: ArrayLike, confidence: float = 0.95, reps: int = REPETITIONS, seed: int = 0) -> Band:
    """`interval` at every point of learning curves.

    Args:
        curves: (n_runs, points). A point that any run lacks (NaN) is NaN in the result.

    Raises:
        ValueError: for another shape, without runs, or an impossible confidence.
    """
    number("confidence", confidence, above=0, below=1)
    curves = np.asarray(curves, np.float64)
    if curves.ndim != 2 or not len(curves):
        raise ValueError(f"curves have shape {curves.shape}; expected (n_runs, points) with at least one run")
    result = Band(*(np.full(curves.shape[1], np.nan) for _ in range(3)))
    known = np.isfinite(curves).all(axis=0)
    if not known.any():
        return result
    from scipy.stats import trim_mean  # rliable's aggregate_iqm, for all points at once

    scores = curves[:, known]
    result.value[known] = trim_mean(scores, 0.25, axis=0)
    if len(scores) > 1:
        resamples = np.stack([sample[:, 0] for sample in _resampled(scores[:, None, :], reps, seed)])
        samples = trim_mean(resamples, 0.25, axis=1)
        result.low[known], result.high[known] = _percentiles(samples, confidence)
    return result


def wilson(successes: int, trials: int, confidence: float = 0.95) -> Interval:
    """A rate with Wilson's score interval (Wilson 1927).

    It is sensible at 0 % and 100 %, where the normal interval is a point.

    Raises:
        ValueError: without trials, for impossible counts or confidence.
    """
    number("confidence", confidence, above=0, below=1)
    if trials < 1 or not 0 <= successes <= trials:
        raise ValueError(f"{successes} successes of {trials} trials: expected 0 <= successes <= trials, trials >= 1")
    z = NormalDist().inv_cdf(0.5 + confidence / 2.0)
    rate = successes / trials
    centre = rate + z * z / (2 * trials)
    spread = z * math.sqrt(rate * (1 - rate) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    # At the ends the bound is exact; rounding must not carry it past what was observed.
    low = 0.0 if successes == 0 else (centre - spread) / scale
    high = 1.0 if successes == trials else (centre + spread) / scale
    return Interval(rate, low, high)


def _scores(x: ArrayLike) -> FloatArray:
    """(n_runs, n_tasks)"""
    scores = np.asarray(x, np.float64)
    if scores.ndim == 1:
        scores = scores[:, None]
    if scores.ndim != 2 or not scores.size or not np.isfinite(scores).all():
        raise ValueError(
            f"an interval needs finite values, (n_runs,) or (n_runs, n_tasks), at least one; got shape {np.shape(x)}, "
            f"{int((~np.isfinite(scores)).sum())} of them NaN or infinite: leave such runs out first"
        )
    return scores


def _percentiles(samples: FloatArray, confidence: float) -> FloatArray:
    tail = 50.0 * (1.0 - confidence)
    return np.asarray(np.percentile(samples, [tail, 100.0 - tail], axis=0), np.float64)


def _resampled(scores: FloatArray, reps: int, seed: int) -> Iterator[FloatArray]:
    """`reps` stratified resamples of (n_runs, n_tasks, ...)."""
    whole("reps", reps)
    from rliable.library import StratifiedBootstrap

    bootstrap = StratifiedBootstrap(scores)
    with _global_numpy_seed(seed):  # rliable 1.2 draws its indices from NumPy's global generator, whatever it is told
        samples = [positional[0] for positional, _ in bootstrap.bootstrap(reps)]
    return iter(samples)


@contextmanager
def _global_numpy_seed(seed: int) -> Iterator[None]:
    state: Any = np.random.get_state()  # noqa: NPY002
    np.random.seed(seed)  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(state)  # noqa: NPY002
