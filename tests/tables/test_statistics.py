"""Tests and intervals against SciPy's own, and the trend against series whose trend is known."""

import numpy as np
import pytest
from scipy import stats

from rem.tables.statistics import exact_binomial, from_95, student, trend, welch


def test_an_unpaired_comparison_is_welch_s():
    expected = stats.ttest_ind([1.0, 2.0, 4.0], [5.0, 9.0], equal_var=False)
    interval, p = welch(np.array([1.0, 2.0, 4.0]), np.array([5.0, 9.0]))
    assert p == pytest.approx(expected.pvalue)
    for confidence in (0.9, 0.95, 0.99):
        assert interval(confidence) == pytest.approx(tuple(expected.confidence_interval(confidence)))
    interval, p = welch(np.array([1.0]), np.array([5.0, 9.0]))
    assert interval is None
    assert np.isnan(p)


def test_a_paired_comparison_is_student_s_and_there_is_none_of_differences_that_are_all_the_same():
    expected = stats.ttest_rel([5, 5, 3], [9, 8, 7])
    interval, p = student(np.array([-4.0, -3.0, -4.0]))
    assert interval(0.99) == pytest.approx(tuple(expected.confidence_interval(0.99)))
    assert p == pytest.approx(expected.pvalue)
    for nothing in ([], [-4.0], [0.1 + 0.2, 0.3]):
        interval, p = student(np.array(nothing))
        assert interval is None
        assert np.isnan(p)


def test_a_count_is_compared_exactly():
    interval, p = exact_binomial(9, 10, 0.05)
    assert interval(0.95) == pytest.approx((0.5550, 0.9975), abs=1e-4)  # Clopper and Pearson's
    assert p < 1e-6


def test_an_interval_at_another_level_is_that_of_a_normal_difference():
    interval = from_95(*(2 + 0.5 * stats.norm.ppf([0.025, 0.975])))
    assert interval(0.95) == pytest.approx(tuple(2 + 0.5 * stats.norm.ppf([0.025, 0.975])))
    assert interval(0.99) == pytest.approx(tuple(2 + 0.5 * stats.norm.ppf([0.005, 0.995])))
    assert from_95(0, 0)(0.99) == (0, 0)


# A trend


def test_a_trend_is_the_least_squares_line_from_the_first_time_to_the_last():
    times, values = np.array([3.0, 4, 6, 7, 9, 10, 11, 13, 14, 15]), np.array([9.0, 8, 8, 7, 7, 5, 6, 4, 4, 3])
    line = stats.linregress(times, values)
    found = trend(times, values)
    assert found.first == pytest.approx(line.intercept + 3 * line.slope)
    assert found.last == pytest.approx(line.intercept + 15 * line.slope)
    low, high = found.interval(0.95)
    assert (low + high) / 2 == pytest.approx(12 * line.slope)
    assert found.block == 4


def test_interval_and_p_of_a_trend_decide_alike():
    draw, decided = np.random.default_rng(3), []
    for slope in np.linspace(0, 0.3, 40):
        found = trend(np.arange(15.0), slope * np.arange(15) + draw.normal(size=15))
        low, high = found.interval(0.95)
        decided.append((not low <= 0 <= high, found.p < 0.05))
    assert all(one == other for one, other in decided)
    assert {one for one, _ in decided} == {True, False}


def exact_error(times, values):
    """The standard deviation of the slopes of all that moving blocks can make of the residuals, times the span."""
    n, line = len(times), stats.linregress(times, values)
    block = int(np.ceil(np.sqrt(n)))
    left = (values - line.intercept - line.slope * times) * np.sqrt(n / (n - 2))  # two degrees are the line's
    weights = (times - times.mean()) / np.sum((times - times.mean()) ** 2)
    windows = [left[start : start + block] for start in range(n - block + 1)]
    parts = [weights[first : first + block] for first in range(0, n, block)]
    variance = sum(np.var([window[: len(part)] @ part for window in windows]) for part in parts)
    return np.sqrt(variance) * (times[-1] - times[0])


def test_a_trend_has_the_error_of_resampled_blocks_and_as_many_degrees_of_freedom_as_blocks_less_one():
    times = np.arange(12.0)
    values = np.array([5, 3, 4, 6, 2, 4, 5, 7, 3, 4, 6, 5.0])
    interval = trend(times, values).interval
    half = {level: np.diff(interval(level))[0] / 2 for level in (0.9, 0.99)}
    student = stats.t(12 / 4 - 1)
    assert half[0.99] / half[0.9] == pytest.approx(student.ppf(0.995) / student.ppf(0.95))
    assert half[0.9] / student.ppf(0.95) == pytest.approx(exact_error(times, values), rel=0.04)


def test_a_straight_line_is_a_trend_without_doubt():
    found = trend(np.arange(12.0), 5 - 0.5 * np.arange(12))
    assert found.interval(0.95) == pytest.approx((-5.5, -5.5))
    assert found.p == pytest.approx(0, abs=1e-9)


def autocorrelated(draw, epochs, correlation):
    values = [draw.normal()]
    for _ in range(epochs - 1):
        values.append(correlation * values[-1] + (1 - correlation**2) ** 0.5 * draw.normal())
    return np.array(values)


def test_epochs_that_depend_on_each_other_are_seldom_taken_for_a_trend():
    draw, times = np.random.default_rng(0), np.arange(25.0)
    series = [autocorrelated(draw, 25, 0.5) for _ in range(200)]
    blocks = np.mean([trend(times, values).p < 0.05 for values in series])
    kendall = np.mean([stats.kendalltau(times, values).pvalue < 0.05 for values in series])
    assert blocks < 0.8 * kendall
    assert blocks < 0.15


def test_independent_epochs_are_taken_for_a_trend_as_often_as_the_level_says():
    draw, times = np.random.default_rng(1), np.arange(20.0)
    found = [trend(times, draw.normal(size=20)).p < 0.05 for _ in range(200)]
    assert 0 < np.mean(found) < 0.08
