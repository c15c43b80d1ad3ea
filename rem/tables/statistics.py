"""Differences over seeds: the paired t-test and Welch's, with their 95% intervals."""

import numpy as np
from scipy import stats


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
    if np.ptp(differences) < 1e-9:  # the same up to rounding: nothing to measure the difference by
        return found | {"std": 0.0}
    found["std"] = differences.std(ddof=1)
    test = stats.ttest_1samp(differences, 0)
    low, high = test.confidence_interval(0.95)
    effect = found["difference"] / found["std"]
    return found | {"low": low, "high": high, "t": test.statistic, "p": test.pvalue, "effect_size": effect}


def welch(values: np.ndarray, reference: np.ndarray) -> tuple[float, float, float]:
    """Welch's test of mean(values) - mean(reference): the 95% interval's low and high, and p; NaN below two values."""
    if min(len(values), len(reference)) < 2 or np.isclose([np.ptp(values), np.ptp(reference)], 0).all():
        return np.nan, np.nan, np.nan
    test = stats.ttest_ind(values, reference, equal_var=False)
    interval = test.confidence_interval(0.95)
    return interval.low, interval.high, test.pvalue


def holm(p: np.ndarray) -> np.ndarray:
    """p-values of m tests (m,) corrected by Holm (1979): the chance of any false discovery stays below the level.

    The k-th smallest is multiplied by m - k + 1, and none becomes smaller than one that was smaller.
    """
    order = np.argsort(p)
    corrected = np.empty(len(p))
    corrected[order] = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)).clip(max=1)
    return corrected
