"""The rules that decide a claim: on which side of which margin each of them turns, and that its wording says so."""

import pytest

from rem.claims import rules
from rem.claims.rules import FAILS, HOLDS, MARGINS, RULES, UNDECIDED


@pytest.mark.parametrize(
    ("rule", "low", "high", "verdict"),
    [
        ("higher", 0.01, 2, HOLDS),
        ("higher", -0.01, 2, UNDECIDED),
        ("higher", -2, -0.01, FAILS),
        ("lower", -2, -0.01, HOLDS),
        ("lower", 0.01, 2, FAILS),
        ("not_lower", -0.49, 2, HOLDS),
        ("not_lower", -0.51, 2, UNDECIDED),
        ("not_lower", -2, -0.49, UNDECIDED),
        ("not_lower", -2, -0.51, FAILS),
        ("lower_at_all", -2, -0.01, HOLDS),
        ("lower_at_all", -0.49, 0.01, FAILS),
        ("lower_at_all", -0.51, 0.01, UNDECIDED),
        ("same", -0.49, 0.49, HOLDS),
        ("same", -0.51, 0.49, UNDECIDED),
        ("same", 0.51, 2, FAILS),
        ("same", -2, -0.51, FAILS),
        ("different", -0.49, 0.49, UNDECIDED),
        ("different", 0.51, 2, FAILS),
        ("undecidable", 5, 6, UNDECIDED),
    ],
)
def test_a_rule_turns_at_its_margin(rule, low, high, verdict):
    assert getattr(rules, rule)(low, high, 0.5) == verdict


def test_the_margins_were_fixed_before_any_result_and_the_wording_has_them():
    assert MARGINS == {"accuracy": 0.5, "entropy": 0.5, "band_entropy": 0.5, "consistency": 0.1}
    assert (rules.ALPHA, rules.LATE_EPOCHS, rules.BY_CHANCE) == (0.05, 10, 5)
    for said in (
        "lies above -0.5 points of accuracy (-0.1 of consistency)",
        "within ±0.5 bits",
        "lies above -0.5 bits",
        "An entropy within 0.1 bits of its ceiling",
        "more keys than 95% of the images",
        "differ by more than 10% of the larger",
        "at least 10 of them",
        "lies above 5 %",
        "exceeds 1/J by at most 10%",
        "at least 1 % of the blocks are wholly zero",
    ):
        assert said in RULES, said
