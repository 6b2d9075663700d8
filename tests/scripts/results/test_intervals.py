import numpy as np
import pytest
from scipy import stats

from scripts.results.intervals import band, interval, iqm, wilson


def test_iqm_is_scipys_trimmed_mean():
    x = np.random.default_rng(0).exponential(size=23)
    assert iqm(x) == pytest.approx(stats.trim_mean(x, 0.25))
    assert iqm([0, 1, 2, 100]) == pytest.approx(1.5)
    assert iqm([3.0]) == 3.0


def test_the_interval_agrees_with_scipys_percentile_bootstrap():
    x = np.random.default_rng(1).normal(10, 2, size=20)
    ours = interval(x, reps=5000)
    scipys = stats.bootstrap(
        (x,), lambda s, axis: stats.trim_mean(s, 0.25, axis=axis), n_resamples=5000, method="percentile", rng=0
    ).confidence_interval
    assert ours.low == pytest.approx(scipys.low, abs=0.12)
    assert ours.high == pytest.approx(scipys.high, abs=0.12)
    assert ours.low < ours.value < ours.high


def test_the_same_seed_gives_the_same_interval_and_leaves_numpys_generator_alone():
    x = np.random.default_rng(2).normal(size=9)
    np.random.seed(7)  # noqa: NPY002
    expected = np.random.random()  # noqa: NPY002
    np.random.seed(7)  # noqa: NPY002
    first = interval(x, reps=200, seed=3)
    assert np.random.random() == expected  # noqa: NPY002
    assert interval(x, reps=200, seed=3) == first
    assert interval(x, reps=200, seed=4) != first


def test_tasks_are_strata():
    x = np.array([[0.0, 100.0], [0.0, 100.0], [0.0, 100.0]])  # no spread within a task
    result = interval(x, reps=200)
    assert result.low == result.high == result.value


def test_one_run_has_no_interval_and_two_give_their_range():
    alone = interval([0.5])
    assert alone.value == 0.5
    assert np.isnan(alone.low)
    assert np.isnan(alone.high)
    assert interval([0.2, 0.8], reps=2000)[1:] == pytest.approx((0.2, 0.8))


def test_a_band_is_the_interval_at_each_point_and_skips_points_that_a_run_lacks():
    curves = np.random.default_rng(3).normal(size=(30, 4))
    curves[2, 0] = np.nan
    result = band(curves, reps=3000)
    assert np.isnan([result.value[0], result.low[0], result.high[0]]).all()
    for point in (1, 2, 3):
        alone = interval(curves[:, point], reps=3000)
        assert result.value[point] == pytest.approx(alone.value)
        assert result.low[point] == pytest.approx(alone.low, abs=0.05)
        assert result.high[point] == pytest.approx(alone.high, abs=0.05)


def test_wilson_agrees_with_scipy_and_has_width_at_the_ends():
    scipys = stats.binomtest(17, 40).proportion_ci(method="wilson")
    assert wilson(17, 40)[1:] == pytest.approx((scipys.low, scipys.high))
    assert wilson(0, 20)[:2] == (0.0, 0.0)
    assert wilson(0, 20).high > 0.1
    assert wilson(20, 20).low < 0.9


@pytest.mark.parametrize("x", [[], [1.0, np.nan]])
def test_values_that_cannot_be_aggregated_are_refused(x):
    with pytest.raises(ValueError, match="interval needs"):
        interval(x)
    with pytest.raises(ValueError, match="confidence"):
        interval([1.0, 2.0], confidence=95)
    with pytest.raises(ValueError, match="n_runs"):
        band([1.0, 2.0])
