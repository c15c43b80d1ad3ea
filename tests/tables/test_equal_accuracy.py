"""Transfer accuracy at equal test accuracy, worked out by hand."""

import pandas as pd
import pytest

from rem.tables.equal_accuracy import at_equal_accuracy, by_seed


def course(*points):
    frame = pd.DataFrame(points, columns=["accuracy", "transfer_accuracy"])
    return frame.assign(epoch=range(1, len(points) + 1))


def test_lines_are_compared_over_the_accuracies_that_both_pass_through():
    found = at_equal_accuracy(course((60, 30), (80, 50)), course((70, 30), (90, 40)))
    assert (found.low, found.high) == (70, 80)
    assert found.value == pytest.approx(45)  # 40 to 50
    assert found.reference == pytest.approx(32.5)  # 30 to 35


def test_between_epochs_the_line_is_straight_and_its_corners_count():
    found = at_equal_accuracy(course((60, 30), (70, 50), (80, 50)), course((60, 0), (80, 0)))
    assert found.value == pytest.approx((40 + 50) / 2)


def test_an_epoch_that_was_less_accurate_than_one_before_does_not_count():
    back = course((60, 30), (80, 50), (75, 90), (80, 90), (90, 60))
    assert at_equal_accuracy(back, back) == at_equal_accuracy(course((60, 30), (80, 50), (90, 60)), back)


def test_the_order_of_the_rows_does_not_matter():
    one, other = course((60, 30), (80, 50), (85, 60)), course((50, 30), (90, 50))
    assert at_equal_accuracy(one.sample(frac=1, random_state=1), other) == at_equal_accuracy(one, other)


@pytest.mark.parametrize("other", [course((81, 30), (90, 50)), course((70, 30)), course((80, 20), (90, 30))])
def test_trainings_that_share_no_range_of_accuracies_are_not_compared(other):
    assert at_equal_accuracy(course((60, 30), (80, 50)), other) is None


def test_only_seeds_that_have_both_and_share_a_range_are_compared():
    rising, falling, apart = course((60, 30), (80, 50)), course((60, 40), (80, 30)), course((85, 30), (90, 50))
    courses = {("rem", 1): rising, ("baseline", 1): falling, ("rem", 2): rising, ("baseline", 3): falling}
    courses |= {("rem", 4): apart, ("baseline", 4): falling}
    frame = pd.concat(each.assign(variant=variant, seed=seed) for (variant, seed), each in courses.items())
    found = by_seed(frame, "rem", "baseline")
    assert found.index.tolist() == [1]
    assert found.loc[1].tolist() == pytest.approx([40, 35, 60, 80])
    assert by_seed(frame[frame["seed"] > 1], "rem", "baseline").empty
