"""The rules of verdicts, on intervals by hand, and comparisons of hand-made measurements."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from measurements import made_results, settings
from scipy import stats

from rem.claims.findings import Compared, Finding, compare, corrected, decided, over_runs, together
from rem.claims.rules import FAILS, HOLDS, MISSING, RULES, UNDECIDED, higher, lower, lower_at_all, not_lower, same
from rem.tables.measurements import OVER_IMAGES
from rem.tables.names import Names
from rem.tables.statistics import holm

BASELINE, REM = Compared("baseline"), Compared("rem")
INTERVALS = [(1, 2), (0.1, 2), (-0.2, 0.2), (-2, 0.2), (-2, 2), (-0.4, -0.1), (-2, -0.1), (-2, -1), (np.nan, np.nan)]
VERDICTS = {  # at a margin of 0.5
    higher: "++???---?",
    lower: "--???+++?",
    not_lower: "+++??+?-?",
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


def test_seeds_that_happen_not_to_be_blank_decide_nothing():
    finding = only(two([9.0, 9.1, 9.2], [5.0, 5.1, np.nan]), lower)
    assert (finding.verdict, finding.seeds) == (UNDECIDED, 2)
    assert np.isnan([finding.low, finding.high, finding.p]).all()
    assert finding.note == "blank for 1 of 3 seeds, and those that are left are no fair choice"
    at_ceiling = only(two([9.97, 9.96, np.nan], [5.0, 5.1, 5.0], ceiling=9.97), lower)
    assert at_ceiling.note == f"{finding.note}; CapsNet+Q is at the ceiling: the true difference is larger"


def test_of_what_a_claim_says_at_once_nothing_decides_where_a_part_was_not_measured():
    accuracy, entropy = finding(HOLDS), finding(HOLDS, decides=False)
    assert [one.decides for one in together([accuracy], [accuracy, entropy])] == [True, True, False]
    assert [one.decides for one in together([accuracy], [])] == [False]
    assert [one.decides for one in together([accuracy], [entropy])] == [False, False]


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


def test_no_fall_from_the_ceiling_is_not_decidable():
    """The true entropy of the reference is larger, and so is the fall."""
    high, below = [9.25, 9.22, 9.27], [9.10, 9.20, 9.15]
    assert only(two(high, below, ceiling=12), lower_at_all).verdict == FAILS
    assert only(two(high, below, ceiling=9.3), lower_at_all).verdict == UNDECIDED
    assert only(two(high, [5.0, 5.1, 4.9], ceiling=9.3), lower_at_all).verdict == HOLDS


def test_keys_have_a_ceiling_too():
    assert only(two([980, 990, 985], [960, 970, 963], "keys", ceiling=1000), lower, "keys").verdict == UNDECIDED
    assert only(two([980, 990, 985], [500, 510, 506], "keys", ceiling=1000), lower, "keys").verdict == HOLDS


DATASETS = ("mnist", "fashion-mnist", "shapes", "shapes-20", "leaves", "expanded-mnist")
NAMES = Names(settings(dataset, "rem", 42) for dataset in DATASETS)


def finding(verdict, data="mnist", decides=True, split="test"):
    said = {"dataset": data, "data": data, "split": split, "metric": "keys", "network": "", "against": "", "seeds": 3}
    return Finding(**said, value=0, reference=0, difference=0, verdict=verdict, decides=decides)


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


# Corrected for their number


def of_seeds(differences, decides=True):
    """The finding of differences by seed, and the p of their paired t-test."""
    (found,) = over_runs("mnist", "entropy", "", "", pd.Series(differences), pd.Series(0.0, range(3)), lower)
    return replace(found, decides=decides), stats.ttest_1samp(differences, 0).pvalue


SMALL, MIDDLE, LARGE = [-5.0, -5.1, -4.95], [-5.0, -5.6, -4.4], [-5.0, -7.2, -3.0]  # p of .00008, .005, .056


@pytest.mark.parametrize("of", [[SMALL], [SMALL, MIDDLE], [MIDDLE] * 5, [MIDDLE] * 12, [LARGE, SMALL, MIDDLE], [LARGE]])
def test_verdicts_are_those_of_holms_procedure_and_their_intervals_show_it(of):
    findings, p = zip(*map(of_seeds, of), strict=True)
    rejected = holm(np.array(p)) < 0.05
    for finding, holds in zip(corrected(list(findings)), rejected, strict=True):
        assert finding.verdict == (HOLDS if holds else UNDECIDED)
        assert (finding.high < 0) == holds
        assert finding.confidence <= 1 - 0.05 / len(of) + 1e-12
    if not rejected.any():
        assert {finding.confidence for finding in corrected(list(findings))} == {1 - 0.05 / len(of)}


def test_one_finding_that_decides_is_not_corrected_for_those_beside_it():
    findings = [of_seeds(MIDDLE)[0], of_seeds(MIDDLE, decides=False)[0], of_seeds(LARGE, decides=False)[0]]
    assert corrected(findings) == findings


def test_what_is_judged_by_no_interval_is_neither_corrected_nor_counted():
    without = replace(of_seeds(MIDDLE)[0], judged=None, verdict=FAILS)
    assert corrected([without, of_seeds(MIDDLE)[0]]) == [without, of_seeds(MIDDLE)[0]]


def test_what_is_not_decided_has_the_interval_that_did_not_decide_it():
    small, large = corrected([of_seeds(SMALL)[0], of_seeds(LARGE)[0]])
    assert (small.confidence, large.confidence) == pytest.approx((0.975, 0.95))
    assert (large.low, large.high) == pytest.approx(tuple(stats.ttest_1samp(LARGE, 0).confidence_interval(0.95)))


LARGE_ENOUGH = [-5.0, -6.5, -3.5]  # p of .028


def test_a_correction_can_leave_a_claim_undecided():
    findings = [of_seeds(LARGE_ENOUGH)[0] for _ in range(4)]
    assert decided(findings, NAMES) == HOLDS
    assert decided(corrected(findings), NAMES) == UNDECIDED


# The images


def over_images(results, low, high, metric="accuracy", levels=None):
    row = ("mnist", "test", "rem", "last", "baseline", "best", levels or 0, metric, 0.0, low, high, 2000)
    return replace(results, images=pd.DataFrame([row], columns=OVER_IMAGES))


def test_the_interval_of_the_images_stands_beside_that_of_the_seeds():
    results = over_images(two([9.0, 8.0, 7.0], [5.0, 5.0, 3.0], ceiling=10), -4, -3, "entropy", 7)
    finding = only(results, lower)
    assert (finding.images_low, finding.images_high) == (-4, -3)
    assert (finding.low, finding.high) == pytest.approx(
        tuple(stats.ttest_rel([5, 5, 3], [9, 8, 7]).confidence_interval())
    )
    assert np.isnan(only(two([9.0, 8.0], [5.0, 5.0], ceiling=10), lower).images_low)


def test_where_all_seeds_differ_alike_the_images_decide():
    results = two([97.0, 98.0, 99.0], [96.9, 97.9, 98.9], "accuracy")
    assert only(results, not_lower, "accuracy").verdict == UNDECIDED
    assert only(results, not_lower, "accuracy").note == "all seeds differ alike, which leaves no interval"
    narrow, wide = (
        only(over_images(results, -0.1 - half, -0.1 + half, levels=7), not_lower, "accuracy") for half in (0.3, 0.9)
    )
    assert (narrow.verdict, wide.verdict) == (HOLDS, UNDECIDED)
    assert narrow.note == "all seeds differ alike: the interval is that of the images"


def test_the_rules_say_how_verdicts_are_corrected_and_what_the_images_are():
    for words in ("Holm", "1 - 0.05/m", "images", "block", "exact binomial"):
        assert words in RULES


def test_the_rules_tell_their_margins():
    for number in ("0.5 points", "±0.5 bits", "0.1 bits", "95%"):
        assert number in RULES
