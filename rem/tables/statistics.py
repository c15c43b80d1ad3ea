"""Differences over seeds, epochs, counts and images: the tests, and their intervals at any level of confidence."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

Interval = Callable[[float], tuple[float, float]]  # from a level of confidence, 0.95 for one, to low and high
REPLICATES = 2000  # of the block bootstrap


def paired_test(differences: np.ndarray) -> dict[str, float]:
    """The paired t-test of the differences (n,), one a seed.

    Returns:
        `seeds` (n), `difference` (their mean), `std`, the 95% t-interval `low` to `high`, `t` and `p` (two-sided), and
        `effect_size` (Cohen's d_z, mean over std). Without `std` and what follows where n < 2, without what follows
        `std` where the differences are all the same.
    """
    found = {"seeds": len(differences), "difference": differences.mean()}
    if len(differences) < 2:
        return found
    interval, p = student(differences)
    if interval is None:
        return found | {"std": 0.0}
    found["std"] = differences.std(ddof=1)
    low, high = interval(0.95)
    effect = found["difference"] / found["std"]
    t = effect * math.sqrt(len(differences))
    return found | {"low": low, "high": high, "t": t, "p": p, "effect_size": effect}


def paired_gain(values: pd.Series, others: pd.Series) -> tuple[float, float, float]:
    """The mean of values - others over the seeds that both have, and its 95% t-interval; NaN where there is none."""
    differences = (values - others).dropna()
    if differences.empty:
        return math.nan, math.nan, math.nan
    test = paired_test(differences.to_numpy())
    return differences.mean(), test.get("low", math.nan), test.get("high", math.nan)


def student(differences: np.ndarray) -> tuple[Interval | None, float]:
    """Student's paired t-test of the differences (n,), one a seed: the interval of their mean, and p (two-sided).

    None and NaN where n < 2 or all are the same.
    """
    if len(differences) < 2 or np.ptp(differences) < 1e-9:  # up to rounding: nothing to measure the difference by
        return None, math.nan
    test = stats.ttest_1samp(differences, 0)
    return test.confidence_interval, test.pvalue


def welch(values: np.ndarray, reference: np.ndarray) -> tuple[Interval | None, float]:
    """Welch's test of mean(values) - mean(reference): its interval, and p.

    None and NaN below two values of either, and where neither has a spread.
    """
    if min(len(values), len(reference)) < 2 or np.isclose([np.ptp(values), np.ptp(reference)], 0).all():
        return None, math.nan
    test = stats.ttest_ind(values, reference, equal_var=False)
    return test.confidence_interval, test.pvalue


def exact_binomial(count: int, total: int, share: float) -> tuple[Interval, float]:
    """The exact test of a count out of a total against a share: Clopper and Pearson's interval of the share, and p."""
    test = stats.binomtest(count, total, share)
    return lambda confidence: test.proportion_ci(confidence, "exact"), test.pvalue


def from_95(low: float, high: float) -> Interval:
    """A 95% interval at other levels, widened or narrowed about its middle as a normal one would be."""
    middle, half = (high + low) / 2, (high - low) / 2

    def interval(confidence: float) -> tuple[float, float]:
        wide = half * stats.norm.ppf((1 + confidence) / 2) / stats.norm.ppf(0.975)
        return middle - wide, middle + wide

    return interval


class Trend(NamedTuple):
    """A straight line through a series: its values at the first and at the last time, the change's interval, and p."""

    first: float
    last: float
    interval: Interval
    p: float
    block: int  # values that were resampled together


def trend(times: np.ndarray, values: np.ndarray) -> Trend:
    """The least-squares line through values (n,) that depend on each other, n at least 3.

    What is left beside the line is resampled in moving blocks of sqrt(n) values, rounded up (Künsch 1989): so values
    close in time stay together. The standard deviation of the resampled slopes is the slope's error, and the interval
    is Student's with as many degrees of freedom as blocks fit in, less one: so few blocks do not tell an error well.
    """
    n = len(values)
    block = math.ceil(math.sqrt(n))
    x = times - times.mean()
    weights = x / (x @ x)  # of the values in the slope of their line
    slope, span = weights @ values, np.ptp(times)
    left = (values - values.mean() - slope * x) * math.sqrt(n / (n - 2))
    draw = np.random.default_rng(0)
    starts = draw.integers(n - block + 1, size=(REPLICATES, math.ceil(n / block), 1))
    resampled = left[(starts + np.arange(block)).reshape(REPLICATES, -1)[:, :n]]  # (REPLICATES, n)
    change, error, freedom = slope * span, span * (resampled @ weights).std(), n / block - 1
    ends = values.mean() + slope * np.array([x.min(), x.max()])

    def interval(confidence: float) -> tuple[float, float]:
        half = error * stats.t.ppf((1 + confidence) / 2, freedom)
        return change - half, change + half

    p = 2 * stats.t.sf(abs(change) / error, freedom) if error else float(change == 0)
    return Trend(*ends, interval, p, block)


def holm(p: np.ndarray) -> np.ndarray:
    """p-values of m tests (m,) corrected by Holm (1979): the chance of any false discovery stays below the level.

    The k-th smallest is multiplied by m - k + 1, and none becomes smaller than one that was smaller.
    """
    order = np.argsort(p)
    corrected = np.empty(len(p))
    corrected[order] = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)).clip(max=1)
    return corrected
