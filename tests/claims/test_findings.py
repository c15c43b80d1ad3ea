"""The rules of verdicts, on intervals by hand, and comparisons of hand-made measurements."""

import numpy as np
import pytest
from measurements import made_results, settings
from scipy import stats

from rem.claims.findings import Compared, Finding, compare, decided
from rem.claims.rules import FAILS, HOLDS, MISSING, RULES, UNDECIDED, higher, lower, lower_at_all, not_lower, same
from rem.tables.names import Names
from rem.tables.statistics import welch

BASELINE, REM = Compared("baseline"), Compared("rem")
INTERVALS = [(1, 2), (0.1, 2), (-0.2, 0.2), (-2, 0.2), (-2, 2), (-0.4, -0.1), (-2, -0.1), (-2, -1), (np.nan, np.nan)]
VERDICTS = {  # at a margin of 0.5
    higher: "++???---?",
    lower: "--???+++?",
    not_lower: "+++??+--?",
    lower_at_all: "---??+++?",
    same: "-?+??+?-?",
}


@pytest.mark.parametrize("rule", VERDICTS)
def test_rules(rule):
    words = {"+": HOLDS, "-": FAILS, "?": UNDECIDED}
    assert [rule(low, high, 0.5) for low, high in INTERVALS] == [words[mark] for mark in VERDICTS[rule]]


def two(baseline, rem, metric="entropy", ceiling=None, **further):
    """Measurements at K = 7 of the two networks, with what bounds them."""
    bound = {"entropy": "entropy_ceiling", "keys": "images"}
    values = {}
    for variant, checkpoint, own in (("baseline", "best", baseline), ("rem", "last", rem)):
        values["mnist", variant, checkpoint, "test", 7, metric] = own
        if ceiling is not None:
            values["mnist", variant, checkpoint, "test", 7, bound[metric]] = [ceiling] * len(own)
    return made_results(values | further)


def only(results, rule, metric="entropy"):
    (finding,) = compare(results, "mnist", metric, REM, BASELINE, rule, 7)
    return finding


def test_a_comparison_is_the_paired_t_test_of_the_same_seeds():
    finding = only(two([9.0, 8.0, 7.0], [5.0, 5.0, 3.0, 1.0], ceiling=10), lower)
    expected = stats.ttest_rel([5, 5, 3], [9, 8, 7])
    assert (finding.value, finding.reference, finding.seeds) == (pytest.approx(13 / 3), 8, 3)
    assert finding.difference == pytest.approx(-11 / 3)
    assert (finding.low, finding.high) == pytest.approx(tuple(expected.confidence_interval()))
    assert finding.p == pytest.approx(expected.pvalue)
    assert finding.verdict == HOLDS
    assert (finding.network, finding.against) == ("CapsNet+REM", "CapsNet+Q")


def test_one_seed_decides_nothing():
    finding = only(two([9.0], [1.0], ceiling=10), lower)
    assert (finding.verdict, finding.note) == (UNDECIDED, "one seed has no interval")
    assert np.isnan(finding.low)


def test_what_was_not_measured_is_no_finding():
    assert compare(two([9.0], [1.0]), "mnist", "keys", REM, BASELINE, lower, 7) == []
    assert compare(two([9.0], [1.0]), "mnist", "entropy", Compared("penalty"), BASELINE, lower, 7) == []
    assert decided([], Names([])) == MISSING


def test_a_fall_from_the_ceiling_is_shown_but_not_one_that_ends_there():
    high, below, far = [9.95, 9.96, 9.95], [9.91, 9.92, 9.92], [5.0, 5.2, 5.1]
    fall = only(two(high, far, ceiling=9.97), lower)
    assert fall.verdict == HOLDS
    assert fall.note == "CapsNet+Q is at the ceiling: the true difference is larger"
    assert only(two(high, below, ceiling=12), lower).verdict == HOLDS
    assert only(two(high, below, ceiling=9.97), lower).verdict == UNDECIDED
    assert only(two(far, high, ceiling=9.97), lower).verdict == FAILS


def test_equality_at_the_ceiling_is_not_decidable():
    one, other = [9.9, 9.8, 9.85], [9.7, 9.8, 9.75]
    assert only(two(one, other, ceiling=12), same).verdict == HOLDS
    assert only(two(one, other, ceiling=9.9), same).verdict == UNDECIDED
    assert only(two(one, [5.0, 5.1, 4.9], ceiling=9.9), same).verdict == FAILS


def test_keys_have_a_ceiling_too():
    assert only(two([980, 990, 985], [960, 970, 963], "keys", ceiling=1000), lower, "keys").verdict == UNDECIDED
    assert only(two([980, 990, 985], [500, 510, 506], "keys", ceiling=1000), lower, "keys").verdict == HOLDS


DATASETS = ("mnist", "fashion-mnist", "shapes", "shapes-20", "leaves", "expanded-mnist")
NAMES = Names(settings(dataset, "rem", 42) for dataset in DATASETS)


def finding(verdict, data="mnist", decides=True, split="test"):
    return Finding(data, data, split, 7, "keys", "", "", 0, 0, 0, 0, 0, 0, 3, verdict, decides)


@pytest.mark.parametrize(
    ("findings", "verdict"),
    [
        ([finding(HOLDS), finding(HOLDS, "fashion-mnist")], HOLDS),
        ([finding(HOLDS), finding(UNDECIDED)], UNDECIDED),
        ([finding(HOLDS), finding(UNDECIDED), finding(FAILS)], FAILS),
        ([finding(HOLDS), finding(FAILS, decides=False)], HOLDS),
        ([finding(HOLDS, decides=False)], MISSING),
        ([finding(HOLDS, "shapes"), finding(HOLDS, "expanded-mnist", split="transfer")], f"{HOLDS} on the stand-in"),
        ([finding(HOLDS), finding(HOLDS, "shapes")], f"{HOLDS}, in part on other data than the paper's"),
        ([finding(HOLDS, "leaves")], f"{HOLDS} on other data than the paper's"),
        ([finding(HOLDS), finding(FAILS, "shapes-20")], f"{FAILS} on the stand-in"),
        ([finding(FAILS), finding(FAILS, "shapes-20")], FAILS),
    ],
)
def test_the_verdict_on_a_claim(findings, verdict):
    assert decided(findings, NAMES) == verdict


def test_an_unpaired_comparison_is_welch_s():
    expected = stats.ttest_ind([1.0, 2.0, 4.0], [5.0, 9.0], equal_var=False)
    assert welch(np.array([1.0, 2.0, 4.0]), np.array([5.0, 9.0])) == pytest.approx(
        (*expected.confidence_interval(), expected.pvalue)
    )
    assert np.isnan(welch(np.array([1.0]), np.array([5.0, 9.0]))).all()


def test_the_rules_tell_their_margins():
    for number in ("0.5 points", "±0.5 bits", "0.1 bits", "95%"):
        assert number in RULES
