"""Interquartile means and bootstrap intervals over seeds, and intervals of rates.

The estimators are rliable's (Agarwal et al. 2021, "Deep Reinforcement Learning at the Edge of the Statistical Precipice"):
the interquartile mean and the percentile interval of the stratified bootstrap over runs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
REPETITIONS = 2000
"""Bootstrap resamples: the bounds of five seeds move by less than a hundredth of their width beyond this number."""


def iqm(values: ArrayLike) -> FloatArray:
    """The interquartile mean over runs: the mean of what is left after a quarter is cut at either end.

    Args:
        values: (runs,) or (runs, points). With fewer than four runs nothing is cut and this is the mean.

    Returns:
        () or (points,).

    Raises:
        ValueError: without runs, for more than two dimensions or for values that are not finite.
    """
    return _iqm_of_runs(_runs(values)[:, None, ...])


def interval(
    values: ArrayLike, confidence: float = 0.95, repetitions: int = REPETITIONS, seed: int = 0
) -> tuple[FloatArray, FloatArray]:
    """The stratified bootstrap's percentile interval of `iqm` over runs; pointwise for learning curves.

    One run says nothing about the spread of runs: its bounds are NaN. Two runs give the bounds of their own range, which is
    too narrow; three or more are wanted. NumPy's global random state is left as it was.

    Args:
        values: (runs,) or (runs, points).
        confidence: coverage, between 0 and 1.
        repetitions: bootstrap resamples.
        seed: of the resampling; the same seed gives the same bounds.

    Returns:
        lower and upper bound, each () or (points,).

    Raises:
        ValueError: without runs, for values that are not finite or an impossible confidence or repetitions.
    """
    runs = _runs(values)
    _check_confidence(confidence)
    if repetitions < 1:
        raise ValueError(f"repetitions is {repetitions}; at least one bootstrap resample is needed")
    if len(runs) == 1:
        unknown = np.full(runs.shape[1:], np.nan)
        return unknown, unknown.copy()
    if (runs == runs[0]).all():
        return runs[0].copy(), runs[0].copy()
    from rliable.library import StratifiedBootstrap

    bootstrap = StratifiedBootstrap(runs[:, None, ...])
    with _global_numpy_seed(seed):  # rliable 1.2 draws its indices from NumPy's global generator, whatever it is told
        samples = np.stack([_iqm_of_runs(positional[0]) for positional, _ in bootstrap.bootstrap(repetitions)])
    tail = 50.0 * (1.0 - confidence)
    lower, upper = np.percentile(samples, [tail, 100.0 - tail], axis=0)
    return np.asarray(lower), np.asarray(upper)


def wilson(successes: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a rate (Wilson 1927): sensible at 0 % and 100 %, where the normal interval is a point.

    Raises:
        ValueError: without trials, for impossible counts or confidence.
    """
    _check_confidence(confidence)
    if trials < 1 or not 0 <= successes <= trials:
        raise ValueError(f"{successes} successes of {trials} trials: expected 0 <= successes <= trials and at least one trial")
    z = NormalDist().inv_cdf(0.5 + confidence / 2.0)
    rate = successes / trials
    centre = rate + z * z / (2 * trials)
    spread = z * math.sqrt(rate * (1 - rate) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    # At the ends the bound is exact; rounding must not carry it past what was observed.
    lower = 0.0 if successes == 0 else (centre - spread) / scale
    upper = 1.0 if successes == trials else (centre + spread) / scale
    return lower, upper


def _iqm_of_runs(scores: FloatArray) -> FloatArray:
    """rliable's `aggregate_iqm`, (runs, 1, ...) -> (...): for every point at once."""
    if scores.ndim == 2:
        from rliable.metrics import aggregate_iqm

        return np.asarray(aggregate_iqm(scores), np.float64)
    from scipy.stats import trim_mean

    return np.asarray(trim_mean(scores[:, 0], 0.25, axis=0), np.float64)


def _runs(values: ArrayLike) -> FloatArray:
    runs = np.asarray(values, np.float64)
    if runs.ndim not in (1, 2):
        raise ValueError(f"values have shape {runs.shape}; expected (runs,) or (runs, points)")
    if not len(runs):
        raise ValueError("there are no runs to take the mean of; give at least one")
    if not np.isfinite(runs).all():
        raise ValueError(f"{int((~np.isfinite(runs)).sum())} values are NaN or infinite; leave those runs or points out first")
    return runs


def _check_confidence(confidence: float) -> None:
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"confidence is {confidence}; it must lie between 0 and 1, such as 0.95")


@contextmanager
def _global_numpy_seed(seed: int) -> Iterator[None]:
    state: Any = np.random.get_state()  # noqa: NPY002
    np.random.seed(seed)  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(state)  # noqa: NPY002
